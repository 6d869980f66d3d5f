"""How a text speaks: words that threaten or press, shouting, long sentences, a demand without its amount. Pure.

Which words are looked for is data (``Rule``); the checks that are built in are switched on by a rule with their code,
which says how much they matter. What the composer of notices sees to is not checked again: the ways to pay, whom to
ask, the date and what happens on it, how to opt out. Words are compared without case and accents, as whole words in any
script; a star at the end of one stands for any ending.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from dunning.gate.checks.cards import masked
from dunning.readability import DIFFICULT, FORMULAS, longest_sentence, reading_ease
from dunning.understanding import squashed, standard_words

NOTE, WARN, BREACH = SEVERITIES = ("note", "warn", "breach")
#: Where it is looked for: in what people write down, in what customers are sent.
NOTES, NOTICES = "note", "notice"

SHOUTING, EXCLAMATIONS, LONG_SENTENCE = "shouting", "exclamation-marks", "long-sentence"
HARD_TO_READ, NO_AMOUNT, CARD = "hard-to-read", "no-amount", "card-number"

#: So much of a text is judged, and so much of it is shown.
MOST_JUDGED = 20_000
LONGEST_EXCERPT = 280
_AROUND = 70
#: Words in a sentence that nobody needs; the public guides for plain language say 25.
MOST_WORDS = 35
#: Exclamation marks that a text may do with.
MOST_EXCLAMATIONS = 2
#: Letters in capitals behind each other from which a text shouts.
_LOUD = 7
#: Channels that say all in a few lines: the composer puts no table with the amounts into them.
SHORT = frozenset({"sms", "in_app", "voice"})
#: Written in capitals by everybody.
_USUAL_CAPITALS = frozenset({"STOP", "IBAN", "BIC", "SWIFT", "SEPA", "SMS", "HELP", "ARRÊT", "PARAR", "BAJA"})

_MARKS = "\u0300-\u036f\u064b-\u065f\u0900-\u0963\u0971-\u097f\u200c\u200d"
_TOKEN = re.compile(rf"[^\W_](?:[\w{_MARKS}]|['\u2019](?=\w))*")
_BREAK = re.compile(r"[.!?;\n\u0964\u061f]")
_CAPITALS = re.compile(r"\b[^\W\d_]{2,}(?:['\u2019-][^\W\d_]+)*\b")
_DECIMALS = r"(?:[.,\u066b]\d{1,3})?"
_BY_SPACES = rf"\d{{1,3}}(?:[ \u00a0\u202f]\d{{3}})+{_DECIMALS}"
_BY_SIGNS = rf"\d{{1,3}}(?:[.,'\u2019\u066c]\d{{2,3}})+{_DECIMALS}"
_NUMBER = re.compile(rf"{_BY_SPACES}|{_BY_SIGNS}|\d+{_DECIMALS}")


class RuleError(ValueError):
    """A rule that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One check: its words, or the severity of one that is built in."""

    code: str
    severity: str
    #: ``NOTES``, ``NOTICES`` or both.
    where: frozenset[str]
    #: Empty: whatever the language.
    languages: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """Words of a rule, and where they stand."""

    rule: Rule
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found in a text."""

    check: str
    severity: str
    #: The words with a few around them.
    excerpt: str


def milder(severity: str) -> str:
    """One step less; a note stays one."""
    return SEVERITIES[max(SEVERITIES.index(severity) - 1, 0)]


# Words --------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=50_000)
def plain(word: str) -> str:
    """A word as it is compared: without case, accents of Latin and Arabic, apostrophes and signs that nobody sees."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(sign for sign in apart if sign not in _UNSEEN and not _is_accent(sign))


#: Apostrophes, joiners, and the dot of Devanagari that many leave out.
_UNSEEN = frozenset("'\u2019\u200c\u200d\u093c")


def _is_accent(sign: str) -> bool:
    # Marks of Latin and Arabic only: those of Devanagari are letters of the word.
    return "\u0300" <= sign <= "\u036f" or "\u064b" <= sign <= "\u065f"


def _tokens(text: str) -> list[tuple[str, int, int]]:
    return [(plain(match.group()), match.start(), match.end()) for match in _TOKEN.finditer(text)]


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Words in their order; the last of them may have any ending, as may each that has a star."""

    words: tuple[tuple[str, bool], ...]
    rule: Rule

    def stands_at(self, tokens: Sequence[tuple[str, int, int]], place: int) -> bool:
        if place + len(self.words) > len(tokens):
            return False
        return all(
            said.startswith(word) if is_open else said == word
            for (word, is_open), (said, _, _) in zip(self.words, tokens[place:], strict=False)
        )


def _phrase(written: str, rule: Rule) -> _Phrase | None:
    words = []
    for match in _TOKEN.finditer(unicodedata.normalize("NFC", written)):
        if word := plain(match.group()):
            words.append((word, written[match.end() : match.end() + 1] == "*"))
    return _Phrase(tuple(words), rule) if words else None


_KEYED = 3


class Lexicon:
    """Rules, ready to be looked for: of each word of a text only the phrases that begin like it are tried."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Raises ``RuleError`` for a pattern that is none."""
        self.rules: Mapping[str, Rule] = {rule.code: rule for rule in rules}
        self._phrases: dict[str, list[_Phrase]] = defaultdict(list)
        self._patterns: list[tuple[Rule, re.Pattern[str]]] = []
        for rule in rules:
            for written in rule.words:
                if (phrase := _phrase(unicodedata.normalize("NFC", written), rule)) is not None:
                    self._phrases[phrase.words[0][0][:_KEYED]].append(phrase)
            self._patterns += [(rule, compiled(pattern, rule.code)) for pattern in rule.patterns]

    def severity_of(self, check: str, *, where: str) -> str | None:
        """How much a built-in check matters there; none where it is switched off."""
        rule = self.rules.get(check)
        return rule.severity if rule is not None and where in rule.where else None

    def hits(self, text: str, *, where: str, language: str = "") -> list[Hit]:
        """All words of all rules for that place in the text, in its order. ``language``: empty, of every language."""
        code = language.partition("-")[0].lower()

        def concerns(rule: Rule) -> bool:
            return where in rule.where and (not code or not rule.languages or code in rule.languages)

        tokens = _tokens(text)
        found = []
        for place, (word, begin, _) in enumerate(tokens):
            for length in range(1, min(len(word), _KEYED) + 1):
                for phrase in self._phrases.get(word[:length], ()):
                    if not concerns(phrase.rule) or not phrase.stands_at(tokens, place):
                        continue
                    end = tokens[place + len(phrase.words) - 1][2]
                    if not _BREAK.search(text, begin, end):
                        found.append(Hit(phrase.rule, begin, end))
        for rule, pattern in self._patterns:
            if concerns(rule):
                found += [Hit(rule, *match.span()) for match in pattern.finditer(text) if match.group()]
        return sorted(found, key=lambda hit: (hit.begin, hit.end))


def compiled(pattern: str, where: str) -> re.Pattern[str]:
    """A pattern of a rule. Raises ``RuleError`` for one that is none, or that would find nothing but emptiness."""
    try:
        made = re.compile(pattern, re.IGNORECASE)
    except re.error as slip:
        raise RuleError(f"{where}: {pattern} is no regular expression: {slip}.") from slip
    if made.search(""):
        raise RuleError(f"{where}: {pattern} finds something in every text.")
    return made


def judged(text: str) -> str:
    """As much of a text as is judged, its letters and their accents in one piece."""
    return unicodedata.normalize("NFC", text[:MOST_JUDGED])


def around(text: str, begin: int, end: int) -> str:
    """The words at a place with a few before and behind them, on one line; card numbers masked."""
    first = max(text.rfind(" ", 0, max(begin - _AROUND, 0)), 0) if begin > _AROUND else 0
    last = text.find(" ", min(end + _AROUND, len(text)))
    last = len(text) if last < 0 else last
    said = " ".join(masked(text[first:last])[0].split())
    said = f"{'… ' if first else ''}{said}{' …' if last < len(text) else ''}"
    return said if len(said) <= LONGEST_EXCERPT else f"{said[: LONGEST_EXCERPT - 2]} …"


# Texts that are sent --------------------------------------------------------------------------------------------------


def as_read(subject: str, text: str, *, channel: str) -> str:
    """What the customer reads: a text message and a call have no subject."""
    return text if channel in ("sms", "voice") or not subject else f"{subject}\n{text}"


def judge_notice(
    text: str, *, language: str, channel: str, lexicon: Lexicon, amount: Decimal | None = None
) -> list[Found]:
    """What stands against a text that customers get, the worst first.

    ``amount`` is what it asks for; none where it asks for nothing.
    """
    text = judged(text)
    found: dict[str, Found] = {}
    for hit in lexicon.hits(text, where=NOTICES, language=language):
        found.setdefault(hit.rule.code, Found(hit.rule.code, hit.rule.severity, around(text, hit.begin, hit.end)))
    for check, excerpt in _built_in(text, language=language, channel=channel, amount=amount):
        if (severity := lexicon.severity_of(check, where=NOTICES)) is not None:
            found[check] = Found(check, severity, excerpt)
    return sorted(found.values(), key=lambda one: -SEVERITIES.index(one.severity))


def _built_in(text: str, *, language: str, channel: str, amount: Decimal | None) -> Iterator[tuple[str, str]]:
    if (shouted := shouting(text)) is not None:
        yield SHOUTING, around(text, *shouted)
    if "!!" in text or text.count("!") > MOST_EXCLAMATIONS:
        place = max(text.find("!!"), 0) or text.find("!")
        yield EXCLAMATIONS, around(text, place, place + 1)
    words, sentence = longest_sentence(text)
    if words > MOST_WORDS:
        yield LONG_SENTENCE, _cut(f"{words}: {sentence}")
    ease = reading_ease(text, language)
    if ease is not None and ease < DIFFICULT:
        name = FORMULAS[language.partition("-")[0].lower()].name
        yield HARD_TO_READ, f"{ease:.0f} ({name})"
    if amount is not None and channel in SHORT and not names_amount(text, amount):
        yield NO_AMOUNT, _cut(text)
    if masked(text)[1]:
        yield CARD, _cut(masked(text)[0])


def shouting(text: str) -> tuple[int, int] | None:
    """Where two words or more stand in capitals behind each other; none where they do not.

    One alone is an abbreviation or a name, and what a customer may answer with is written so ("CALL ME"). What has no
    capitals, as Hindi, cannot shout.
    """
    for run in _in_capitals(text):
        begin, end = run[0].start(), run[-1].end()
        letters = sum(len(word.group()) for word in run)
        if len(run) > 1 and letters >= _LOUD and squashed(text[begin:end]) not in _answers():
            return begin, end
    return None


def _in_capitals(text: str) -> Iterator[list[re.Match[str]]]:
    """Words in capitals that follow each other with nothing but a space between them."""
    run: list[re.Match[str]] = []
    for word in _CAPITALS.finditer(text):
        if run and text[run[-1].end() : word.start()] != " ":
            yield run
            run = []
        if word.group().isupper() and word.group() not in _USUAL_CAPITALS:
            run.append(word)
        elif run:
            yield run
            run = []
    if run:
        yield run


@cache
def _answers() -> frozenset[str]:
    """The keywords that customers may answer with, in every language."""
    return frozenset(
        squashed(keyword)
        for words in standard_words().values()
        for phrases in words.intents.values()
        for keyword in phrases.keywords
    )


def names_amount(text: str, amount: Decimal) -> bool:
    """Whether the number stands in the text, however its country groups and writes figures."""
    return any(amount in _values(match.group()) for match in _NUMBER.finditer(text))


def _values(number: str) -> Iterator[Decimal]:
    """What a number may mean: its last sign may stand before decimals, or between thousands."""
    whole, _, part = re.sub(r"[.,\u066b](?=\d{1,3}$)", "|", number).partition("|")
    yield Decimal(_figures(whole + part))
    if part:
        yield Decimal(f"{_figures(whole)}.{_figures(part)}")


def _figures(number: str) -> str:
    return "".join(str(int(sign)) for sign in number if sign.isdecimal())


def _cut(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= LONGEST_EXCERPT else f"{said[: LONGEST_EXCERPT - 2]} …"
