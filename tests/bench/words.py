"""What needs no database: the contact gate's decisions and the words of notices, on one core."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dunning.gate.deciding import decide_by, rules_about, sort_of
from dunning.gate.facts import Action, Contact, Facts
from dunning.gate.packs import Rule, applying, shipped
from dunning.gate.zones import Place
from dunning.wording import BillLine, NoticeFacts, word_notice
from tests.bench.floors import timed
from tests.bench.part import Line, apart
from tests.bench.strategy import DAY

_MORNING = datetime(DAY.year, DAY.month, DAY.day, 6, tzinfo=UTC)
_PLACES = (("US", "America/New_York"), ("GB", "Europe/London"), ("DE", "Europe/Berlin"), ("IN", "Asia/Kolkata"))
_CHANNELS = ("sms", "email", "call", "letter")


def measure(accounts: int) -> Iterator[Line]:
    """One decision and one notice an account."""
    seconds, peak = apart(_ask_the_gate, accounts)
    yield Line("contact gate", accounts, accounts, "decisions", seconds, aim="20,000 a second", peak_mib=peak)
    for channel in ("sms", "email"):
        seconds, peak = apart(_word, accounts, channel)
        yield Line(f"words: {channel}", accounts, accounts, "notices", seconds, aim="5,000 a second", peak_mib=peak)


def _ask_the_gate(count: int) -> float:
    asked = [(_action(number), _facts(number)) for number in range(count)]
    packs = shipped().values()

    def ask() -> None:
        kept: dict[Hashable, list[Rule]] = {}
        for action, facts in asked:
            sort = sort_of(action, facts)
            if sort not in kept:
                kept[sort] = rules_about(applying(packs, facts.jurisdictions), action, facts)
            decide_by(kept[sort], action, facts)

    return timed(ask)


def _action(number: int) -> Action:
    return Action(type=_CHANNELS[number // 4 % 4], automated=True)


def _facts(number: int) -> Facts:
    """Through the day and the places: some are allowed, some too early; every seventh was called before."""
    country, zone = _PLACES[number % 4]
    at = _MORNING + timedelta(minutes=number % 960)
    calls = [Contact(at=at - timedelta(days=day), result="rang_no_answer") for day in range(1, 4)]
    return Facts(
        at=at,
        place=Place(timezone=zone, country=country),
        jurisdictions=frozenset({country}),
        has_address=number % 50 != 0,
        refused=number % 40 == 0,
        contacts=tuple(calls) if number % 7 == 0 else (),
    )


def _word(count: int, channel: str) -> float:
    facts = [_notice(number) for number in range(min(count, 20_000))]

    def word() -> None:
        for number in range(count):
            word_notice(template="reminder", channel=channel, facts=facts[number % len(facts)])

    word_notice(template="reminder", channel=channel, facts=facts[0])  # the texts are read once a process
    return timed(word)


def _notice(number: int) -> NoticeFacts:
    amount = Decimal(1_000 + number).scaleb(-2)
    line = BillLine(
        ref=f"B{number}",
        issued_on=DAY - timedelta(days=40),
        due_on=DAY - timedelta(days=1 + number % 60),
        amount=amount,
        paid=Decimal(0),
        open=amount,
    )
    return NoticeFacts(
        customer_name=f"Customer {number}",
        operator_name="Northwind Telecom",
        account_ref=f"A{number}",
        language=("en", "es", "de", "hi")[number % 4],
        currency=("USD", "EUR")[number % 2],
        bills=(line,) * (1 + number % 3),
        total_due=amount * (1 + number % 3),
        help_phone="+1 202 555 0100",
        pay_by=DAY + timedelta(days=8),
        pay_url=f"https://desk.example.com/pay/A{number}/",
    )
