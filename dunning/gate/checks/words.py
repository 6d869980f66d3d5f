"""What a text must say, must not say, and may say at all: paragraphs, forbidden words, voicemails, envelopes.

Phrases are compared without case or spacing, as whole words; ``collect*`` is any word that begins
so. They are data by language, ``*`` for all. A text that is not there yet is not judged: it is asked again when sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, REQUIRE, Objection
from dunning.gate.facts import Action, Facts

Phrases = Mapping[str, tuple[str, ...]]
ANY_LANGUAGE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class MustSay:
    """One of the phrases stands in every text that the rule is about."""

    #: The thing in plain words, as an agent reads it: "how to opt out".
    of: str
    #: Phrases by language (``en``), any one of which says it.
    words: Phrases
    #: Only texts made from these templates; empty: all.
    templates: tuple[str, ...] = ()
    #: What is to be done, by its code.
    requires: str = "add_words"


@dataclass(frozen=True, slots=True, kw_only=True)
class MustNotSay:
    """None of the phrases stands in a text that the rule is about."""

    of: str
    words: Phrases
    templates: tuple[str, ...] = ()
    #: Phrases of another kind that take the objection away: "we will not" …
    unless: Phrases = field(default_factory=dict)


@lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """The text as phrases are looked for in it: one case, one spacing, straight quotes."""
    straight = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\u2018", "'")
    return " ".join(straight.casefold().split())


def says(text: str, phrases: Iterable[str]) -> str:
    """The first of the phrases that stands in the text; empty where none does."""
    inside = plain(text)
    if not inside:
        return ""
    asked = tuple(phrases)
    if _any_of(asked).search(inside) is None:  # of hundreds of phrases nearly always none
        return ""
    return next((phrase for phrase in asked if _stands_in(plain(phrase), inside)), "")


@lru_cache(maxsize=2_000)
def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the phrases, as whole words or not."""
    return re.compile("|".join(re.escape(plain(phrase).removesuffix("*")) for phrase in phrases) or "(?!)")


def phrases_for(words: Phrases, language: str) -> tuple[str, ...]:
    """The phrases of that language and of all; of every language where the text's is not known."""
    if not language:
        return tuple(phrase for found in words.values() for phrase in found)
    return (*words.get(ANY_LANGUAGE, ()), *words.get(language.partition("-")[0].lower(), ()))


def words_of(action: Action) -> str:
    """All that the customer reads or hears."""
    return f"{action.subject}\n{action.text}" if action.subject else action.text


def _stands_in(phrase: str, text: str) -> bool:
    return next(_places(phrase, text), None) is not None


def _places(phrase: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the phrase stands as whole words."""
    open_end = phrase.endswith("*")
    wanted = phrase.removesuffix("*")
    begin = text.find(wanted) if wanted else -1
    while begin >= 0:
        end = begin + len(wanted)
        begins = begin == 0 or not (_is_letter(text[begin - 1]) and _is_letter(wanted[0]))
        ends = open_end or end == len(text) or not (_is_letter(text[end]) and _is_letter(wanted[-1]))
        if begins and ends:
            yield begin, end
        begin = text.find(wanted, begin + 1)


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _concerns(templates: tuple[str, ...], action: Action) -> bool:
    return bool(action.text) and (not templates or action.template in templates)


def must_say(params: MustSay, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """What a market wants said, in the text's own language; one that the rule has no words for cannot have said it."""
    if not _concerns(params.templates, action):
        return None
    if says(words_of(action), phrases_for(params.words, action.language)):
        return None
    return Objection(reason=f"The text does not say {params.of}.", requires=(params.requires,))


def must_not_say(params: MustNotSay, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """What a market forbids to say; every language's words are looked for, since texts mix them."""
    if not _concerns(params.templates, action):
        return None
    text = words_of(action)
    said = says(text, phrases_for(params.words, ""))
    if not said or says(text, phrases_for(params.unless, "")):
        return None
    return Objection(reason=f'The text says "{said}": {params.of}.')


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """How an electronic message lets somebody opt out, beside its words."""

    needs_login: bool = False
    costs: bool = False
    #: What is asked beyond the preference and the address.
    asks_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail:
    """The fields of a message that is left: nothing else may stand in it."""

    business_name: str
    contact_names: tuple[str, ...]
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What a collector has said so far of being one."""

    #: The first communication took place, and the disclosure was made in it.
    given: bool = False
    #: It was made aloud only: the first writing repeats it.
    only_oral: bool = False
    #: Languages it is made in this time, where that is spoken rather than written.
    languages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the outside of a letter shows."""

    #: envelope or postcard.
    kind: str = "envelope"
    return_name: str = ""
    #: Anything printed beside the addresses.
    imprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocialMessage:
    """A message on a social network."""

    public: bool = True
    true_identity: bool = False
    right_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutLine:
    """Phrases by which a message says how to opt out, by channel and language."""

    words: Mapping[str, Phrases]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedContent:
    """What a voicemail says beside its fields, and what it never says."""

    forbidden: Phrases
    #: Ways to ask for an answer; one of them is needed.
    requests: Phrases
    #: Words that may stand between: greetings, days, hours, that anybody there can help.
    small_words: Phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniMiranda:
    """The first disclosure of a collector, and the short one of every later communication."""

    #: What it consists of: of each one phrase is said.
    first: tuple[Phrases, ...]
    later: Phrases
    #: Templates that are no communication, or a formal pleading.
    not_templates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Words by which the outside of a letter, or a name, tells of a debt."""

    telling_names: Phrases


def opt_out_line(params: OptOutLine, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.6(e): a simple way to opt out of this address, without a fee and without any other question."""
    found = []
    way = facts.part(OptOut)
    if way is not None and (way.needs_login or way.costs or way.asks_for):
        reason = "Opting out asks for more than the wish and the address."
        found.append(Objection(reason=reason, outcome=BLOCK, requires=("simple_opt_out",)))
    phrases = params.words.get(action.type)
    if phrases and action.text and not says(words_of(action), phrases_for(phrases, action.language)):
        found.append(Objection(reason="The message does not say how to opt out.", requires=("add_opt_out",)))
    return found


def limited_content(params: LimitedContent, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.2(j): a name of a business, a request to call, somebody to ask for, a number, and nothing more.

    What more is said makes it a communication about a debt, which others may hear.
    """
    found = []
    if facts.address.source == "others" or facts.address.use == "third_party":
        found.append(Objection(reason="This is the line of somebody else.", outcome=BLOCK))
    fields = facts.part(Voicemail)
    if fields is not None and (said := says(fields.business_name, phrases_for(params.forbidden, ""))):
        reason = f'The name of the business says "{said}".'
        found.append(Objection(reason=reason, outcome=BLOCK))
    if not action.text:
        return found
    if fields is None:
        return [*found, Objection(reason="It is not known what of the message is a name and a number.", outcome=BLOCK)]
    missing = [
        name
        for name, there in (
            ("the name of the business", says(action.text, (fields.business_name,))),
            ("a person to ask for", says(action.text, fields.contact_names)),
            ("a number to call", says(action.text, (fields.number,))),
            ("a request to call back", says(action.text, phrases_for(params.requests, action.language))),
        )
        if not there
    ]
    if missing:
        reason = f"The message does not give {', '.join(missing)}."
        found.append(Objection(reason=reason, outcome=REQUIRE, requires=("complete_message",)))
    if said := says(action.text, phrases_for(params.forbidden, "")):
        found.append(Objection(reason=f'The message says "{said}".', outcome=BLOCK))
    elif more := _more_than(action.text, fields, params, action.language):
        found.append(Objection(reason=f'The message says more than it may: "{more}".', outcome=BLOCK))
    return found


def _more_than(text: str, fields: Voicemail, params: LimitedContent, language: str) -> str:
    """The first word that is neither a field nor one of the words around them."""
    left = plain(text)
    phrases = [fields.business_name, fields.number, *fields.contact_names, *phrases_for(params.requests, language)]
    for phrase in sorted(map(plain, phrases), key=len, reverse=True):
        for begin, end in list(_places(phrase, left)):
            left = left[:begin] + " " * (end - begin) + left[end:]
    allowed = {plain(word) for word in phrases_for(params.small_words, language)}
    return next((word for word in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", left) if word not in allowed), "")


def mini_miranda(params: MiniMiranda, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.18(e): in every language of the conversation, whoever began it; what is not known was not said.

    Of a message whose words are not known yet nothing is said.
    """
    if action.template in params.not_templates or (action.type != "call" and not action.text):
        return None
    said = facts.part(Disclosure) or Disclosure()
    written = action.type != "call"
    first = not said.given or (written and said.only_oral)
    needed, code = (params.first, "disclose_fully") if first else ((params.later,), "from_a_debt_collector")
    if said.languages and action.language and action.language.partition("-")[0] not in said.languages:
        return Objection(reason="The disclosure was not made in the language of the conversation.", outcome=BLOCK)
    if action.text and all(says(words_of(action), phrases_for(phrases, action.language)) for phrases in needed):
        return None
    if not written and said.languages:
        return None
    what = "this is an attempt to collect a debt" if first else "this is from a debt collector"
    return Objection(reason=f"It must be said that {what}.", requires=(code,))


def outside(params: Outside, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.22(f): no postcards, nothing on the envelope but addresses and an innocent name, no public posts."""
    found = []
    if action.type == "social":
        message = facts.part(SocialMessage) or SocialMessage()
        if message.public:
            found.append(Objection(reason="A debt is not spoken of where others read it.", outcome=BLOCK))
        elif not (message.true_identity and message.right_person):
            reason = "A private message needs our true name and the right person."
            found.append(Objection(reason=reason, outcome=BLOCK, requires=("verify_identity",)))
    envelope = facts.part(Envelope) or Envelope()
    if action.type == "letter":
        if envelope.kind == "postcard" or action.template == "postcard":
            found.append(Objection(reason="Anybody reads a postcard.", outcome=BLOCK))
        if envelope.imprint and plain(envelope.imprint) != plain(envelope.return_name):
            found.append(Objection(reason=f'The envelope says "{envelope.imprint}".', outcome=BLOCK))
        if said := says(envelope.return_name, phrases_for(params.telling_names, "")):
            found.append(Objection(reason=f'The sender\'s name says "{said}".', outcome=BLOCK))
    return found


THEME = Theme(
    checks={
        "must_say": Check(MustSay, must_say),
        "must_not_say": Check(MustNotSay, must_not_say),
        "opt_out_line": Check(OptOutLine, opt_out_line),
        "limited_content": Check(LimitedContent, limited_content),
        "mini_miranda": Check(MiniMiranda, mini_miranda),
        "outside": Check(Outside, outside),
    },
    parts=(OptOut, Voicemail, Disclosure, Envelope, SocialMessage),
)
