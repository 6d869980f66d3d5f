"""What a customer's message asks for, told from its words. Pure: no database, no clock, no word of any language here.

The words are in ``inbound_words/``, a file for each language, with the sentences that prove them. A message that is one
of the agreed keywords and nothing else is certain (47 CFR 64.1200(a)(10) names the English ones: stop, quit, end,
revoke, opt out, cancel, unsubscribe). Everything else is a reading: what it is taken for decides what a person sees
first, and only what harms nobody is done at once. Words that speak of hardship or danger are hints, never a verdict.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

OPT_OUT, OPT_IN, PAID, CALL_ME, DISPUTE = "opt_out", "opt_in", "paid", "call_me", "dispute"
CANNOT_PAY, WRONG_PERSON, HELP = "cannot_pay", "wrong_person", "help"
AUTO_REPLY, BOUNCE, UNCLEAR = "auto_reply", "bounce", "unclear"

#: Where a message says several things, the first of these is what it is taken for.
FOREMOST = (WRONG_PERSON, OPT_OUT, DISPUTE, CANNOT_PAY, PAID, CALL_ME, HELP, OPT_IN)
#: Of all hints, the one that cannot wait.
CRISIS = "crisis"

CERTAIN, PLAIN, MIXED, VAGUE, NOTHING = 1.0, 0.9, 0.6, 0.5, 0.0

#: A longer message says more than can be read from its words.
LONG = 80
#: So much of a message is read: the rest of a longer one is no reply.
MOST_READ = 20_000

FOLDER = Path(__file__).parent / "inbound_words"


class WordsError(ValueError):
    """A file of words cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """How one thing is said: alone (keywords), among other words (patterns), and what only looks like it."""

    keywords: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()
    but_not: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    code: str
    #: Small words that tell it from its neighbours.
    own: frozenset[str]
    #: What stands above the text that is answered, and where the name of the writer's device begins.
    quoted: tuple[re.Pattern[str], ...]
    signatures: tuple[re.Pattern[str], ...]
    automatic: tuple[re.Pattern[str], ...]
    intents: Mapping[str, Phrases]
    hints: Mapping[str, Phrases]


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message is taken for. ``matched`` are the words that said so, for whoever checks it."""

    intent: str
    language: str
    #: 1 a keyword and nothing else; 0.9 one thing plainly said; 0.6 several; 0.5 perhaps a wish to be left alone; 0.
    confidence: float
    matched: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    keyword: bool = False
    #: What else it seems to say.
    also: tuple[str, ...] = field(default=())


def understand(
    text: str, *, subject: str = "", language_hint: str = "", languages: Mapping[str, Words]
) -> Understanding:
    """Read a message. ``language_hint`` is the customer's own language, for words that several languages share."""
    said = cut(text, languages=languages)
    plain = normalised(said)
    heading = normalised(subject)
    opening = (heading, _beginning(plain))
    if any(sign.search(place) for words in languages.values() for sign in words.automatic for place in opening):
        return Understanding(AUTO_REPLY, _language(plain, (), language_hint, languages), PLAIN)
    hints = _hints(plain, languages)
    found = _keyword(said, subject, language_hint, languages)
    if found is not None:
        intent, language, keyword = found
        return Understanding(intent, language, CERTAIN, (keyword,), hints, keyword=True)
    read: dict[str, list[str]] = {}
    spoken: list[str] = []
    for code, words in languages.items():
        for intent, phrases in words.intents.items():
            if matched := _matches(plain, phrases):
                read.setdefault(intent, []).extend(matched)
                spoken.append(code)
    language = _language(plain, spoken, language_hint, languages)
    intents = [intent for intent in FOREMOST if intent in read]
    if not intents:
        return Understanding(UNCLEAR, language, NOTHING, hints=hints)
    first, *also = intents
    confidence = VAGUE if first == OPT_OUT else MIXED if also or len(plain.split()) > LONG else PLAIN
    return Understanding(first, language, confidence, tuple(dict.fromkeys(read[first])), hints, also=tuple(also))


# What the customer wrote, without what they answer ------------------------------------------------------------------


def cut(text: str, *, languages: Mapping[str, Words]) -> str:
    """The customer's own words: without the message they answer, quoted lines, and the device's signature."""
    text = text[:MOST_READ].replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    marks = [mark for words in languages.values() for mark in words.quoted]
    begins = [match.start() for mark in marks if (match := mark.search(text))]
    own = text[: min(begins)] if begins else text
    if not _unquoted(own).strip():
        # Answered below the quotation: what is not quoted is theirs.
        own = _without(text, marks)
    kept = []
    for line in _unquoted(own).split("\n"):
        bare = line.strip()
        if bare in ("--", "__", "___") or _signs(bare, languages):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def _unquoted(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith((">", "|")))


def _without(text: str, marks: Iterable[re.Pattern[str]]) -> str:
    for mark in marks:
        text = mark.sub("", text)
    return text


def _signs(line: str, languages: Mapping[str, Words]) -> bool:
    return bool(line) and any(sign.match(line) for words in languages.values() for sign in words.signatures)


# Words as they are compared -----------------------------------------------------------------------------------------

#: Letters that Arabic writers exchange freely; two signs of Devanagari; the Turkish i.
_FOLDED = str.maketrans(
    {
        "\u0623": "\u0627", "\u0625": "\u0627", "\u0622": "\u0627", "\u0671": "\u0627", "\u0649": "\u064a",
        "\u0629": "\u0647", "\u0624": "\u0648", "\u0626": "\u064a", "\u0640": "", "\u0901": "\u0902", "\u093c": "",
        "\u0131": "i",
    }
)  # fmt: skip
#: A word with the vowel signs of Devanagari; or the end of a sentence.
_TOKEN = re.compile(r"[\w\u0900-\u0963\u0971-\u097f]+|[.!?;\u0964\u061f\n]")
_APOSTROPHES = re.compile("['`\u00b4\u2018\u2019\u02bc]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def normalised(text: str) -> str:
    """Words in lower case without accents, sentences ended by a full stop, one space before each."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in folded if not _is_accent(sign)).translate(_FOLDED)
    bare = _NUMBER.sub("0", _APOSTROPHES.sub("", unicodedata.normalize("NFC", bare).translate(_FOLDED)))
    tokens = [token if token.isalnum() or len(token) > 1 else "." for token in _TOKEN.findall(bare)]
    return "".join(
        f" {token}" for place, token in enumerate(tokens) if token != "." or tokens[place - 1 : place] != ["."]
    )


def squashed(text: str) -> str:
    """Without case, accents, spaces and punctuation: "S.T.O.P!" is "stop"."""
    return "".join(sign for sign in normalised(text) if sign not in " ._")


def _is_accent(sign: str) -> bool:
    """Marks of Latin and Arabic; those of Devanagari are vowels."""
    return unicodedata.category(sign) == "Mn" and not "\u0900" <= sign <= "\u097f"


def _beginning(plain: str) -> str:
    return " ".join(plain.split(" ")[:25])


#: What mail programs put before the subject of an answer.
_REPLY = re.compile(r"^(?:\s*[^\W\d_]{2,5}\s*:)+")


def _keyword(said: str, subject: str, hint: str, languages: Mapping[str, Words]) -> tuple[str, str, str] | None:
    """The message is a keyword, or its first line above a name; or its subject is one that asks us to stop."""
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    alone = [said]
    if 1 < len(lines) <= 4 and all(len(line.split()) <= 4 for line in lines[1:]):
        alone.append(lines[0])
    for words in alone:
        if found := _meaning(words, hint, languages):
            return found
    heading = _meaning(_REPLY.sub("", subject), hint, languages)
    return heading if heading and heading[0] == OPT_OUT else None


def _meaning(words: str, hint: str, languages: Mapping[str, Words]) -> tuple[str, str, str] | None:
    word = squashed(words) if len(words) <= 60 else ""
    found = [
        (intent, code)
        for code, each in languages.items()
        for intent, phrases in each.intents.items()
        if word and word in phrases.keywords
    ]
    if not found:
        return None
    # Nobody is kept on a list because another language means something else by the word.
    intent = min((intent for intent, _ in found), key=[OPT_OUT, *FOREMOST].index)
    codes = [code for each, code in found if each == intent]
    # STOP is written everywhere: alone it tells no language.
    shared = "en" in codes or len(codes) > 1
    return intent, hint if shared and hint in languages else codes[0], word


def _matches(plain: str, phrases: Phrases) -> list[str]:
    for looks_like_it in phrases.but_not:
        plain = looks_like_it.sub(" .", plain)
    return [match.group().strip() for pattern in phrases.patterns if (match := pattern.search(plain))]


def _hints(plain: str, languages: Mapping[str, Words]) -> tuple[str, ...]:
    found = {
        name: None for words in languages.values() for name, phrases in words.hints.items() if _matches(plain, phrases)
    }
    return tuple(sorted(found, key=lambda name: (name != CRISIS, name)))


#: Letters that Arabic has not: the text is Persian or Urdu.
_NOT_ARABIC = re.compile("[\u067e\u0686\u0698\u06af\u0679\u0688\u0691\u06ba\u06d2\u06be\u06c1]")
_SCRIPTS = (("ar", re.compile("[\u0600-\u06ff]")), ("hi", re.compile("[\u0900-\u097f]")))


def _language(plain: str, spoken: Sequence[str], hint: str, languages: Mapping[str, Words]) -> str:
    """The language of the words, where they tell it; else the customer's own."""
    base = hint.partition("-")[0].lower()
    for code, script in _SCRIPTS:
        if len(script.findall(plain)) * 2 > len(plain.replace(" ", "")) > 0:
            foreign = code == "ar" and _NOT_ARABIC.search(plain)
            return code if code in languages and not foreign else base
    tokens = plain.split()
    points = {code: sum(token in words.own for token in tokens) for code, words in languages.items()}
    for code in spoken:
        points[code] += 2
    best = max(points.values(), default=0)
    leading = [code for code, count in points.items() if count == best]
    if best == 0 or (len(leading) > 1 and base in leading):
        return base if base in languages or best == 0 else leading[0]
    return leading[0] if len(leading) == 1 else base or leading[0]


# The files ----------------------------------------------------------------------------------------------------------


@cache
def standard_words() -> Mapping[str, Words]:
    """The words that come with the desk, by language."""
    return load_words(FOLDER)


def load_words(folder: Path) -> Mapping[str, Words]:
    """Every language of a folder. Raises ``WordsError``."""
    return {path.stem: _words(path) for path in sorted(folder.glob("*.yaml"))}


def examples_of(path: Path) -> list[tuple[str, str]]:
    """The sentences of a file, each with what it must be taken for: an intent, or ``hint:`` and its name."""
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    told = [(name, each) for name, rows in given["intents"].items() for each in _lines(rows, "examples")]
    told += [(UNCLEAR, each) for each in _lines(given, "unclear")]
    return told + [(f"hint:{name}", each) for name, rows in given["hints"].items() for each in _lines(rows, "examples")]


def _words(path: Path) -> Words:
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        intents = {name: _phrases(rows) for name, rows in given["intents"].items()}
        if unknown := set(intents) - set(FOREMOST):
            raise WordsError(f"{path.name}: {', '.join(sorted(unknown))} is nothing a message can ask for")
        return Words(
            code=path.stem,
            own=frozenset(normalised(given["own_words"]).split()),
            quoted=tuple(re.compile(each, re.I | re.M | re.S) for each in _lines(given, "quoted")),
            signatures=tuple(re.compile(each, re.I) for each in _lines(given, "signatures")),
            automatic=tuple(_pattern(each) for each in _lines(given, "automatic")),
            intents=intents,
            hints={name: _phrases(rows) for name, rows in given["hints"].items()},
        )
    except (KeyError, TypeError, AttributeError, re.error) as problem:
        raise WordsError(f"{path.name}: {problem!r}") from problem


def _phrases(rows: Mapping[str, Any]) -> Phrases:
    return Phrases(
        keywords=frozenset(squashed(each) for each in rows.get("keywords", "").split(",")) - {""},
        patterns=tuple(_pattern(each) for each in _lines(rows, "phrases")),
        but_not=tuple(_pattern(each) for each in _lines(rows, "but_not")),
    )


def _lines(rows: Mapping[str, Any], name: str) -> list[str]:
    """A text of several lines, as a list."""
    return [line for line in rows.get(name, "").splitlines() if line]


_PIECE = re.compile(r"\([^)]*\)|\S+")
_BETWEEN = r"(?: [^\s.]+){0,3}"
_GOES_ON = r"[^\s.]*"


def _pattern(phrase: str) -> re.Pattern[str]:
    """``(a|b)`` one of them, ``(|a)`` perhaps, ``~`` up to three words of the same sentence, ``pay*`` a beginning."""
    written = ""
    for piece in _PIECE.findall(phrase):
        if piece.startswith("("):
            written += "(?:" + "|".join(_literally(each) for each in piece[1:-1].split("|")) + ")"
        else:
            written += _literally(piece)
    return re.compile(f"{written}(?= |$)")


def _literally(words: str) -> str:
    return "".join(_BETWEEN if word == "~" else _one(word) for word in words.split())


def _one(word: str) -> str:
    return f" {re.escape(normalised(word.rstrip('*')).strip())}{_GOES_ON if word.endswith('*') else ''}"
