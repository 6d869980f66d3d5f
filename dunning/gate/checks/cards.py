"""Cards (PCI DSS): no number or code is kept or recorded, and which ways a card may take. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import BLOCK, REQUIRE, Objection
from dunning.gate.facts import CONTACTS, Action, Facts

#: Between the groups of a number as people type it.
_BETWEEN = re.compile(r"[\s.\-_\u2010-\u2014\u200b]{1,3}")
_DIGITS = re.compile(r"\d+")
#: Usual lengths before rare ones: what stands behind a number of sixteen digits is no part of it.
_LENGTHS = (16, 15, 14, 19, 18, 17, 13)
#: Behind a card number, with or without its last month: three or four digits are taken for its code.
_CODE_BEHIND = re.compile(r"\W{0,3}(?:\d{1,2}\s?/\s?(?:\d{4}|\d{2})\W{1,3})?(\d{3,4})(?![\d/.\-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Cards whose number begins with one of ``first`` to ``last`` and has so many ``digits``."""

    first: str
    last: str = ""
    digits: tuple[int, ...] = (16,)

    def issued(self, number: str) -> bool:
        last = self.last or self.first
        return len(number) in self.digits and self.first <= number[: len(self.first)] <= last


_LONG = (16, 17, 18, 19)
#: ISO/IEC 7812 ranges in use. The numbers of telephones (15 digits from 35, 86, 01) and of SIM cards (from 89) pass
#: the same check digit, and are no cards.
ISSUERS = (
    Issuer(first="4", digits=(13, 16, 19)),
    Issuer(first="51", last="55"),
    Issuer(first="2200", last="2204"),
    Issuer(first="2221", last="2720"),
    Issuer(first="34", digits=(15,)),
    Issuer(first="37", digits=(15,)),
    Issuer(first="300", last="305", digits=(14, *_LONG)),
    Issuer(first="36", digits=(14, *_LONG)),
    Issuer(first="38", last="39", digits=(14, *_LONG)),
    Issuer(first="3528", last="3589", digits=_LONG),
    Issuer(first="50", digits=(13, 14, 15, *_LONG)),
    Issuer(first="56", last="59", digits=(13, 14, 15, *_LONG)),
    Issuer(first="60", digits=_LONG),
    Issuer(first="62", last="65", digits=_LONG),
    Issuer(first="67", digits=(13, 14, 15, *_LONG)),
    Issuer(first="81", last="82"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Which numbers are cards; ``code_words`` stand before a card's secret digits."""

    issuers: tuple[Issuer, ...] = ISSUERS
    code_words: tuple[str, ...] = ("cvv", "cvv2", "cvc", "cvc2", "cvn", "security code", "card code")


def masked(text: str, cards: Cards | None = None) -> tuple[str, bool]:
    """The text with card numbers masked but for their last four digits, and codes wholly; whether any was found.

    A number counts where its length and beginning are an issuer's and its check digit (Luhn) is right, however it is
    grouped. What is masked already is left alone.
    """
    cards, found = cards or Cards(), False
    # What is left of one number may begin another with what follows it.
    while marks := _marks(text, cards):
        text = "".join("*" if at in marks else letter for at, letter in enumerate(text))
        found = True
    return text, found


def _marks(text: str, cards: Cards) -> set[int]:
    """Where digits stand that nobody may keep."""
    marks = set(_codes_in(text, cards))
    for first, last in _numbers_in(text, cards):
        marks |= set([at for at in range(first, last) if text[at].isdigit()][:-4])
        if code := _CODE_BEHIND.match(text, last):
            marks |= set(range(*code.span(1)))
    return marks


def _numbers_in(text: str, cards: Cards) -> Iterator[tuple[int, int]]:
    """Where card numbers stand: whole groups of digits only, so that no part of a longer number is taken for one."""
    banks = [match.span() for match in _IBAN.finditer(text) if _is_iban(match.group())]
    groups = [
        match.span()
        for match in _DIGITS.finditer(text)
        if not any(begins <= match.start() < ends for begins, ends in banks)
    ]
    position = 0
    while position < len(groups):
        found = _number_at(text, groups, position, cards)
        if found is None:
            position += 1
        else:
            yield groups[position][0], groups[found][1]
            position = found + 1


def _number_at(text: str, groups: list[tuple[int, int]], position: int, cards: Cards) -> int | None:
    """The last group of a card number that begins with that group."""
    digits = ""
    ends: dict[int, tuple[int, str]] = {}
    for index in range(position, len(groups)):
        if index > position and not _BETWEEN.fullmatch(text[groups[index - 1][1] : groups[index][0]]):
            break
        digits += "".join(str(int(letter)) for letter in text[slice(*groups[index])])
        if len(digits) > max(_LENGTHS):
            break
        ends[len(digits)] = (index, digits)
    # With a plus before it, up to fifteen digits are a telephone number (E.164).
    telephone = text[groups[position][0] - 1 : groups[position][0]] == "+"
    for length in _LENGTHS:
        if length in ends and not (telephone and length <= 15):
            index, number = ends[length]
            if any(issuer.issued(number) for issuer in cards.issuers) and _passes(number):
                return index
    return None


def _passes(number: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def _codes_in(text: str, cards: Cards) -> Iterator[int]:
    words = "|".join(re.escape(word) for word in cards.code_words)
    if words:
        pattern = rf"\b(?:{words})(?: code| number)?[\s:#=.\-]*(?:is )?(\d{{3,4}})(?!\d)"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield from range(*match.span(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class OurNumbers:
    """Numbers of ours that a text names: accounts, bills, payment references. Some have a check digit as cards have."""

    numbers: frozenset[str] = frozenset()


def no_card_number(params: Cards, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PCI-01: neither kept nor sent. What the text would be without it is ``masked``."""
    text = f"{action.subject}\n{action.text}"
    ours = facts.part(OurNumbers)
    for number in sorted(ours.numbers if ours else (), key=len, reverse=True):
        text = text.replace(number, "#")
    if not masked(text, params)[1]:
        return None
    return Objection(
        reason="There is a card number or its code in the text: it is masked before it is kept or sent.",
        requires=("save_masked",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsOfFile:
    """The names of what is kept or handed out, field by field."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyFields:
    """Of a card, only these may be kept."""

    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFields:
    """Columns by these names hold what nobody may hand out."""

    forbidden: tuple[str, ...]


def only_fields(params: OnlyFields, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PCI-01: what a payment provider gave us in a card's stead, and nothing else."""
    columns = facts.part(ColumnsOfFile)
    allowed = {_plain(name) for name in params.allowed}
    wrong = [name for name in columns.names if _plain(name) not in allowed] if columns else []
    if not wrong:
        return None
    return Objection(reason=f"Of a card, only {', '.join(params.allowed)} may be kept, not {', '.join(wrong)}.")


def no_fields(params: NoFields, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PCI-04: no file has a column of card numbers, whatever is in it."""
    columns = facts.part(ColumnsOfFile)
    forbidden = {_plain(name) for name in params.forbidden}
    wrong = [name for name in columns.names if _plain(name) in forbidden] if columns else []
    if not wrong:
        return None
    return Objection(reason=f"No file is given out with {', '.join(wrong)}.", requires=("drop_columns",))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecording:
    """What the recorder of a call does while a payment page is open; ``paused_by``: system, agent, or nobody."""

    page_opened_at: datetime | None = None
    running: bool = True
    paused_by: str = ""
    pause_failed: bool = False
    #: A stretch of a recording turned out to hold card digits.
    holds_digits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """So many seconds after the page opened the recorder must be silent; whether an agent's button alone will do."""

    pause_within_seconds: int = 2
    manual_pause_only: bool = False


def recording_paused(params: Recording, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PCI-02 (PCI DSS 3.3.1): a card's code is not recorded, even encrypted; what was is purged at once."""
    call = facts.part(CallRecording)
    if call is None:
        return None
    if call.holds_digits:
        return Objection(
            reason="The recording holds card digits: that stretch is purged and an incident is opened.",
            requires=("purge_recording", "open_incident"),
        )
    if call.page_opened_at is None:
        return None
    if call.pause_failed:
        return Objection(
            reason="The recording could not be paused: no card may be taken on this call.", requires=("offer_link",)
        )
    if call.running:
        late = at - call.page_opened_at >= timedelta(seconds=params.pause_within_seconds)
        said = "is still running" if late else "is not paused yet"
        return Objection(
            reason=f"The recording {said} while the payment page is open.",
            outcome=BLOCK if late else REQUIRE,
            requires=("pause_recording",),
        )
    if call.paused_by == "agent" and not params.manual_pause_only:
        return Objection(
            reason="An agent's button alone does not keep cards out of recordings: the page must pause it.",
            requires=("offer_link",),
        )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The longest that a recording stays paused."""

    timeout_seconds: int = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """When the recording was paused, and what ended the payment since."""

    paused_at: datetime
    provider_answered_at: datetime | None = None
    agent_resumed_at: datetime | None = None


def resumes(params: Resume, given: Paused) -> Mapping[str, object]:
    """PCI-02: recording goes on with the provider's answer, the agent's word, or the timeout, whichever is first."""
    moments = [
        (given.paused_at + timedelta(seconds=params.timeout_seconds), "timeout"),
        *([(given.provider_answered_at, "psp_result")] if given.provider_answered_at else []),
        *([(given.agent_resumed_at, "agent")] if given.agent_resumed_at else []),
    ]
    at, why = min(moments)
    return {"resumes_at": at, "because": why}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPayment:
    """How a payment is to be taken; ``validated_c_vt``: the desk keys cards under SAQ C-VT."""

    method: str
    validated_c_vt: bool = False
    valid_hours: int = 0
    single_use: bool = True
    amount_locked: bool = True
    #: The address a link goes to is known to be the customer's.
    address_verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CardWays:
    """Ways by which no card touches the desk."""

    allowed_methods: tuple[str, ...]
    agent_keyed: bool = False
    most_link_hours: int = 24


def card_way(params: CardWays, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """PCI-03 (SAQ A, SAQ C-VT): a validated third party takes the card, unless the desk is validated itself."""
    payment = facts.part(CardPayment)
    if payment is None:
        return []
    if payment.method == "agent_keyed":
        if params.agent_keyed and payment.validated_c_vt:
            return []
        return [Objection(reason="Cards are not typed in here: send a link.", requires=("offer_link",))]
    if payment.method not in params.allowed_methods:
        return [Objection(reason=f"Cards are not taken by {payment.method.replace('_', ' ')}.")]
    if payment.method != "link":
        return []
    found = []
    wrong = [
        words
        for words, holds in (
            (f"is valid for at most {params.most_link_hours} hours", 0 < payment.valid_hours <= params.most_link_hours),
            ("works once", payment.single_use),
            ("fixes the amount", payment.amount_locked),
        )
        if not holds
    ]
    if wrong:
        found.append(Objection(reason=f"A payment link {', '.join(wrong)}.", requires=("make_new_link",)))
    if not payment.address_verified:
        found.append(
            Objection(reason="The address for the link is not verified.", outcome=REQUIRE, requires=("verify_address",))
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OurDomains:
    """The domains that the operator owns."""

    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Parts of names of fields that no link carries, beside an address or number of the customer's."""

    forbidden_fields: tuple[str, ...]


def our_links(params: Links, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """PCI-03: links lead to a domain of ours, and show nobody's number, address or name."""
    ours = facts.part(OurDomains)
    if action.type not in CONTACTS:
        return []
    fields = "|".join(re.escape(name) for name in params.forbidden_fields) or "(?!)"
    personal = re.compile(rf"@|%40|(?:\+|%2b)\d{{7,}}|[?&#][^=&#]*(?:{fields})[^=&#]*=", re.IGNORECASE)
    number = re.sub(r"\D", "", action.address)
    found = []
    for link in _LINK.findall(action.text):
        host = (urlsplit(link).hostname or "").casefold()
        if ours is not None and not any(host == own or host.endswith(f".{own}") for own in ours.domains):
            found.append(Objection(reason=f"{host} is no domain of ours."))
        if personal.search(link) or (len(number) > 6 and number in re.sub(r"\D", "", link)):
            found.append(Objection(reason="A link shows a number or an address of the customer."))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """How many digits of a card may be seen: the last four, and where there is a need the first six or eight."""

    last: int = 4
    first_where_needed: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A number and whether whoever looks needs its beginning."""

    number: str
    needed: bool = False


def shown(params: Mask, given: Shown) -> Mapping[str, object]:
    """PCI-04: at most the first six or eight and the last four; without a need, the last four."""
    digits = "".join(letter for letter in given.number if letter.isdigit() or letter == "*")
    first = min(params.first_where_needed, 8) if given.needed else 0
    last = min(params.last, 4)
    hidden = max(len(digits) - first - last, 0)
    return {"shown": digits[:first] + "*" * hidden + digits[len(digits) - last :]}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthority:
    """What the customer was told of a payment and agreed to; ``mandate_on_file`` for one that repeats."""

    recurring: bool = False
    mandate_on_file: bool = False
    stated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What is said before a payment, and whether one that repeats needs a mandate on file."""

    state: tuple[str, ...] = ("amount", "merchant", "method", "date")
    mandate_for_recurring: bool = True


def mandate(params: Authority, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """PCI-05: nothing repeats without a mandate, nothing is taken unsaid."""
    authority = facts.part(PaymentAuthority)
    if authority is None:
        return []
    found = []
    if authority.recurring and params.mandate_for_recurring and not authority.mandate_on_file:
        found.append(Objection(reason="There is no mandate for payments that repeat.", requires=("record_mandate",)))
    if unsaid := [word for word in params.state if word not in authority.stated]:
        found.append(
            Objection(
                reason=f"Say the {', '.join(unsaid)} first.",
                outcome=REQUIRE,
                requires=tuple(f"state_{word}" for word in unsaid),
            )
        )
    return found


THEME = Theme(
    checks={
        "no_card_number": Check(Cards, no_card_number),
        "only_fields": Check(OnlyFields, only_fields),
        "no_fields": Check(NoFields, no_fields),
        "recording_paused": Check(Recording, recording_paused),
        "card_way": Check(CardWays, card_way),
        "our_links": Check(Links, our_links),
        "mandate": Check(Authority, mandate),
    },
    parts=(OurNumbers, ColumnsOfFile, CallRecording, CardPayment, OurDomains, PaymentAuthority),
    reckonings={
        "recording_resumes": Reckoning(Resume, Paused, resumes),
        "card_shown": Reckoning(Mask, Shown, shown),
    },
)
