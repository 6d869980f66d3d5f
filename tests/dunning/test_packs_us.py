"""What the tables of the American packs cannot say: searches that end, rules that fail closed, words in sentences."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dunning.gate.checks.disconnection import Disconnection
from dunning.gate.checks.every import CHECKS, RECKONINGS
from dunning.gate.checks.words import Voicemail, says
from dunning.gate.deciding import HORIZON, decide
from dunning.gate.facts import Action, ConsentFact, Contact, Facts, Preference
from dunning.gate.packs import Pack, shipped
from dunning.gate.zones import Place

AMERICAN = ("US-FED", "US-TEL", "US-MA", "US-NYC", "US-CA", "US-FL", "US-TX", "US-WA")
NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 11, 24, 12, tzinfo=NEW_YORK)
#: Functions called for one decision, and where a lawful moment is looked for as far as it is looked for.
DECIDED, SEARCHED = 4_000, 90_000


@pytest.fixture(scope="module")
def packs() -> list[Pack]:
    return [shipped()[code] for code in (*AMERICAN, "GLB")]


def somebody(at: datetime, **known: Any) -> Facts:
    agreed = tuple(
        ConsentFact(channel=channel, purpose="electronic", given=True, at=at - timedelta(days=30))
        for channel in ("sms", "email")
    )
    facts = Facts(at=at, place=Place(country="US", region="NY"), jurisdictions=frozenset({"US"}), consents=agreed)
    return replace(facts, **known)


@contextmanager
def calls_counted() -> Iterator[Callable[[], int]]:
    """How many functions of Python were called inside: unlike seconds the same on every machine."""
    count = 0

    def note(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        yield lambda: count
    finally:
        sys.setprofile(None)


def called(at: datetime, *, times: int, hours: int) -> tuple[Contact, ...]:
    return tuple(
        Contact(at=at - timedelta(hours=hours * number), result="rang_no_answer") for number in range(1, times + 1)
    )


LAWS = [{"US"}, {"US", "US-MA"}, {"US", "US-NY", "US-NYC"}, {"US", "US-MA", "US-NYC"}, {"US", "US-FL"}, {"US", "US-WA"}]
PLACES = [
    Place(country="US", region="NY"),
    Place(country="US", region="FL", numbers=("+16715550101",)),
    Place(timezone="Pacific/Honolulu"),
]
WISHES: list[tuple[Preference, ...]] = [
    (),
    (Preference(kind="time", weekdays=(6, 7)), Preference(kind="time", opens=time(15), closes=time(17))),
]


@pytest.mark.parametrize("kind", ["call", "sms", "email"])
def test_the_moment_that_is_named_is_lawful_and_none_that_was_tried_before_it_is(packs: list[Pack], kind: str) -> None:
    held = 0
    moments = [NOON + timedelta(hours=7 * step, minutes=13 * step) for step in range(12)]
    for laws, place, wishes, at in product(LAWS, PLACES, WISHES, moments):
        facts = somebody(
            at, jurisdictions=frozenset(laws), place=place, preferences=wishes, contacts=called(at, times=6, hours=17)
        )
        action = Action(type=kind, automated=kind != "call")
        decision = decide(action, facts, packs)
        if decision.outcome != "HOLD":
            continue
        held += 1
        free = decision.next_allowed_at
        assert free is not None
        assert at < free <= at + HORIZON
        assert decide(action, replace(facts, at=free), packs).is_allowed
        assert not decide(action, replace(facts, at=free - timedelta(seconds=1)), packs).is_allowed
    assert held > 100


def test_somebody_whose_hours_never_meet_is_not_searched_for_ever(packs: list[Pack]) -> None:
    never = (Preference(kind="time", wanted=True, opens=time(22), closes=time(23)),)
    with calls_counted() as count:
        decision = decide(Action(type="sms", automated=True), somebody(NOON, preferences=never), packs)
    assert (decision.outcome, decision.next_allowed_at) == ("BLOCK", None)
    assert count() < SEARCHED


def test_a_decision_by_all_american_packs_takes_few_steps(packs: list[Pack]) -> None:
    laws = frozenset({"US", "US-NY", "US-NYC", "US-MA"})
    facts = somebody(NOON, jurisdictions=laws, contacts=called(NOON, times=40, hours=5))
    action = Action(type="sms", automated=True, text="A reminder. Reply STOP to opt out.", language="en")
    decide(action, facts, packs)
    with calls_counted() as count:
        decide(action, facts, packs)
    assert count() < DECIDED


def test_a_rule_that_cannot_count_stops_machines_and_warns_people(packs: list[Pack]) -> None:
    at = datetime(2150, 6, 1, 12, tzinfo=NEW_YORK)
    known = {"Disconnection": Disconnection(notice_sent_on=at.date() - timedelta(days=30))}
    facts = Facts(at=at, place=Place(country="US", region="NY"), jurisdictions=frozenset({"US"}), parts=known)
    machine = decide(Action(type="suspend", automated=True), facts, packs)
    person = decide(Action(type="suspend"), facts, packs)
    assert (machine.outcome, machine.rule_ids) == ("BLOCK", ("US-TEL-02",))
    assert (person.outcome, person.rule_ids) == ("WARN", ("US-TEL-02",))


def test_new_york_city_counts_by_the_old_rule_until_midnight_and_by_the_new_one_after(packs: list[Pack]) -> None:
    midnight = datetime(2026, 9, 1, tzinfo=NEW_YORK)
    two = (
        Contact(at=midnight - timedelta(days=2), result="rang_no_answer"),
        Contact(at=midnight - timedelta(days=1), result="rang_no_answer"),
    )
    laws = frozenset({"US", "US-NY", "US-NYC"})
    letter = Action(type="letter", automated=True)
    before = decide(letter, somebody(midnight - timedelta(minutes=1), jurisdictions=laws, contacts=two), packs)
    after = decide(letter, somebody(midnight, jurisdictions=laws, contacts=two), packs)
    assert (before.outcome, before.next_allowed_at) == ("HOLD", midnight)
    assert before.rule_ids == ("US-ST-NYC-01",)
    assert after.outcome == "ALLOW"


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("Reply  STOP\nto opt out", "stop to opt out", True),
        ("It is unstoppable", "stop", False),
        ("It is unstoppable", "stop*", False),
        ("It is stoppable", "stop*", True),
        ("Don\u2019t write", "don't write", True),
        ("SMS बंद करने हेतु STOP लिखकर भेजें।", "stop", True),
        ("उत्तर में रोकेंगे", "रोकें", False),
        ("لإيقاف الرسائل أرسل STOP", "أرسل", True),
    ],
)
def test_phrases_are_found_as_whole_words_of_any_script(text: str, phrase: str, found: bool) -> None:
    assert bool(says(text, [phrase])) is found


def test_a_text_is_judged_when_it_is_there(packs: list[Pack]) -> None:
    written = Action(type="sms", automated=True, text="Acme: a reminder.", language="en")
    assert decide(replace(written, text=""), somebody(NOON), packs).outcome == "ALLOW"
    assert decide(written, somebody(NOON), packs).requires == ("add_opt_out",)


def test_a_voicemail_that_says_too_much_is_told_which_word_it_is(packs: list[Pack]) -> None:
    message = Voicemail(business_name="Acme Inc.", contact_names=("Robin Smith",), number="1-800-555-1212")
    text = "This is Robin Smith from Acme Inc. Confidential. Please call me at 1-800-555-1212."
    decision = decide(
        Action(type="voicemail", text=text, language="en"), somebody(NOON, parts={"Voicemail": message}), packs
    )
    assert decision.outcome == "BLOCK"
    assert '"confidential"' in decision.reasons[0]


def test_what_an_opt_out_ends_is_only_begun_again_by_the_customer(packs: list[Pack]) -> None:
    def consents(*told: tuple[bool, int]) -> tuple[ConsentFact, ...]:
        return tuple(
            ConsentFact(channel="sms", purpose="automated", given=given, at=NOON - timedelta(hours=hours))
            for given, hours in told
        )

    text = Action(type="sms", automated=True)
    assert decide(text, somebody(NOON, consents=consents((True, 9), (False, 5))), packs).outcome == "BLOCK"
    assert decide(text, somebody(NOON, consents=consents((False, 9), (True, 5))), packs).outcome == "ALLOW"


@pytest.mark.parametrize("code", AMERICAN)
def test_what_an_admin_may_change_is_a_value_of_the_rule(code: str) -> None:
    known: Mapping[str, type] = {name: check.params for name, check in CHECKS.items()} | {
        name: reckoning.params for name, reckoning in RECKONINGS.items()
    }
    for rule in shipped()[code].rules:
        names = {one.name for one in fields(known[rule.written.check or rule.written.reckons])}
        assert set(rule.written.stricter) <= names, rule.id


@pytest.mark.parametrize("code", AMERICAN)
def test_whoever_may_override_has_a_reason_to_give(code: str) -> None:
    silent = [
        rule.id
        for rule in shipped()[code].rules
        if rule.written.override != "none" and not rule.written.override_reasons
    ]
    assert silent == []


def test_moments_are_told_in_utc_whatever_they_were_reckoned_in(packs: list[Pack]) -> None:
    decision = decide(Action(type="call"), somebody(NOON.replace(hour=22)), packs)
    assert decision.next_allowed_at == datetime(2026, 11, 25, 13, tzinfo=UTC)
