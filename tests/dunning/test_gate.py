"""The gate itself: what it makes of what rules say. What each rule says stands in the packs (``test_packs``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dunning.gate import calendars, jurisdictions
from dunning.gate.deciding import HORIZON, decide
from dunning.gate.decision import ALLOW, BLOCK, HOLD, REQUIRE, WARN, Decision
from dunning.gate.facts import Action, Contact, Facts, HoldInForce, Preference
from dunning.gate.packs import Pack, PackError, build_pack, direction, shipped
from dunning.gate.zones import Place, zones_of

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
CALL = Action(type="call")
NEW_YORK = Place(timezone="America/New_York", country="US")


def pack(*rules: Mapping[str, Any], **columns: Any) -> Pack:
    """A pack for everywhere, of rules that say only what matters here."""
    written = [{"id": f"R-{number}", "title": "A rule", **rule} for number, rule in enumerate(rules, start=1)]
    head = {"pack": "P", "title": "Of a test", "version": "1", "applies_in": ["*"], "effective_from": date(2000, 1, 1)}
    return build_pack({**head, **columns, "rules": written}, where="test")


def hours(opens: str, closes: str, **more: Any) -> dict[str, Any]:
    return {"check": "window", "severity": "HOLD", "params": {"opens": opens, "closes": closes}, **more}


def known(*where: str) -> frozenset[str]:
    return frozenset(where)


def ask(facts: Facts, *packs: Pack, action: Action = CALL) -> Decision:
    return decide(action, facts, packs)


def test_nothing_said_is_allowed_and_names_the_packs_that_were_asked() -> None:
    decision = ask(Facts(at=NOON, place=NEW_YORK), pack(hours("08:00", "21:00")))
    assert (decision.outcome, decision.pack_versions) == (ALLOW, ("P@1",))


def test_the_strictest_wins_every_rule_is_named_and_the_most_careful_override_counts() -> None:
    facts = Facts(at=NOON, place=NEW_YORK, has_address=False, refused=True)
    rules = pack(
        {"check": "has_address", "override": "supervisor"},
        {"check": "not_refused", "override": "legal"},
        hours("20:00", "21:00"),
    )
    decision = ask(facts, rules)
    assert (decision.outcome, decision.rule_ids) == (BLOCK, ("R-1", "R-2", "R-3"))
    assert (decision.override, decision.next_allowed_at) == ("legal", None)
    assert len(decision.reasons) == 3


def test_two_rules_that_hold_wait_for_the_first_moment_that_suits_both() -> None:
    facts = Facts(at=NOON, place=NEW_YORK)
    decision = ask(facts, pack(hours("13:00", "15:00"), hours("14:00", "21:00")))
    assert (decision.outcome, decision.next_allowed_at) == (HOLD, datetime(2026, 11, 24, 19, tzinfo=UTC))


def test_hours_that_never_meet_block_instead_of_searching_for_ever() -> None:
    decision = ask(Facts(at=NOON, place=NEW_YORK), pack(hours("08:00", "09:00"), hours("09:00", "10:00")))
    assert (decision.outcome, decision.next_allowed_at) == (BLOCK, None)


def test_what_would_only_be_lawful_beyond_the_horizon_is_blocked() -> None:
    wish = Preference(kind="time", ends_at=NOON + HORIZON + timedelta(days=2))
    decision = ask(Facts(at=NOON, place=NEW_YORK, preferences=(wish,)), pack({"check": "wishes"}))
    assert decision.outcome == BLOCK


@pytest.mark.parametrize(("automated", "outcome"), [(True, BLOCK), (False, WARN)])
def test_a_rule_that_cannot_answer_stops_machines_and_warns_people(automated: bool, outcome: str) -> None:
    beyond = datetime(calendars.LAST_YEAR + 1, 3, 1, 12, tzinfo=UTC)
    rule = {"check": "window", "params": {"closed_on": "US-FED"}}
    decision = ask(Facts(at=beyond, place=NEW_YORK), pack(rule), action=Action(type="call", automated=automated))
    assert (decision.outcome, decision.rule_ids) == (outcome, ("R-1",))


def test_a_rule_begins_and_ends_at_midnight_where_its_pack_is_at_home() -> None:
    old = {"check": "has_address", "effective_to": date(2026, 9, 1), "id": "R"}
    new = {"check": "not_refused", "effective_from": date(2026, 9, 1), "id": "R"}
    both = pack(old, new, timezone="America/New_York")
    facts = Facts(at=datetime(2026, 9, 1, 3, 59, tzinfo=UTC), has_address=False, refused=True)
    assert ask(facts, both).reasons == ("There is no usable address for this channel.",)
    later = replace(facts, at=facts.at + timedelta(minutes=1))
    assert ask(later, both).reasons == ("The customer asked not to be contacted this way.",)


def test_only_the_packs_of_where_the_customer_is_are_asked() -> None:
    texas = pack({"check": "has_address"}, applies_in=["US-TX"])
    facts = Facts(at=NOON, has_address=False)
    assert ask(facts, texas).outcome == ALLOW
    assert ask(replace(facts, jurisdictions=known("US", "US-TX")), texas).outcome == BLOCK


def test_what_must_be_done_first_is_told_with_what_requires_it() -> None:
    decision = ask(Facts(at=NOON), pack({"check": "zone_known", "severity": "REQUIRE", "params": {"people": REQUIRE}}))
    assert (decision.outcome, decision.requires) == (REQUIRE, ("ask_where",))


@pytest.mark.parametrize(
    ("place", "codes"),
    [
        (Place(country="US", region="CA"), {"US", "US-CA"}),
        (Place(country="US", region="Massachusetts"), {"US", "US-MA"}),
        (Place(country="US", region="US-TX"), {"US", "US-TX"}),
        (Place(country="US", region="NY", city="Brooklyn"), {"US", "US-NY", "US-NYC"}),
        (Place(country="US", region="NY", postal_code="10013"), {"US", "US-NY", "US-NYC"}),
        (Place(country="US", region="NY", city="Buffalo", postal_code="14201"), {"US", "US-NY"}),
        (Place(country="US", numbers=("+16175550143",)), {"US", "US-MA"}),
        (Place(country="DE"), {"DE"}),
        (Place(), set()),
    ],
)
def test_where_a_customer_is_at_law(place: Place, codes: set[str]) -> None:
    assert jurisdictions.of(place) == codes


@pytest.mark.parametrize(
    ("place", "zones"),
    [
        (Place(timezone="Asia/Tokyo", country="US", numbers=("+12125550143",)), {"Asia/Tokyo"}),
        (Place(country="US", region="CA", numbers=("+12125550143",)), {"America/Los_Angeles", "America/New_York"}),
        (Place(country="US", numbers=("+18505550143",)), {"America/New_York", "America/Chicago"}),
        (Place(country="IN"), {"Asia/Kolkata"}),
        (Place(country="GB", numbers=("+447700900123",)), {"Europe/London"}),
        (Place(otherwise="Europe/Vienna"), {"Europe/Vienna"}),
        (Place(), set()),
    ],
)
def test_every_zone_that_something_points_to(place: Place, zones: set[str]) -> None:
    found = {zone.key.replace("Calcutta", "Kolkata") for zone in zones_of(place, NOON)}
    assert found == zones


def test_what_a_customer_said_about_where_they_are_holds_alone_while_it_is_fresh() -> None:
    place = Place(timezone="America/Chicago", stated_on=NOON.date(), country="US", numbers=("+12125550143",))
    assert [zone.key for zone in zones_of(place, NOON + timedelta(days=30))] == ["America/Chicago"]
    assert {zone.key for zone in zones_of(place, NOON + timedelta(days=31))} == {"America/Chicago", "America/New_York"}


@pytest.mark.parametrize(
    ("how", "old", "new", "which"),
    [
        ("less", 7, 5, "stricter"),
        ("less", 7, 9, "looser"),
        ("later", "08:00", "09:00", "stricter"),
        ("earlier", "21:00", "21:30", "looser"),
        ("fewer", [1, 2, 3], [1, 2], "stricter"),
        ("fewer", [1, 2, 3], [1, 4], "looser"),
        ("true", False, True, "stricter"),
        ("unheard of", 1, 2, "looser"),
        ("less", 7, "seven", "looser"),
        ("more", 7, 7, "same"),
    ],
)
def test_which_way_a_changed_value_goes(how: str, old: object, new: object, which: str) -> None:
    assert direction(how, old, new) == which


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"check": "no_such"}, "there is no no_such"),
        ({"check": "window", "params": {"opens": "25:00"}}, "R-1"),
        ({"check": "window", "params": {"open": "08:00"}}, "R-1"),
        ({"check": "window", "severity": "MAYBE"}, "severity is one of"),
        ({}, "either checks or reckons"),
        ({"check": "window", "effective_from": "soon"}, "effective_from"),
    ],
)
def test_a_pack_that_could_not_decide_is_refused_with_its_place(rule: Mapping[str, Any], says: str) -> None:
    with pytest.raises(PackError, match=says):
        pack(rule)


ZONES = ["America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "Asia/Kolkata", "Europe/London", "Pacific/Guam"]
moments = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
places = st.sampled_from(
    [*(Place(timezone=zone) for zone in ZONES), Place(country="US", region="CA", numbers=("+12125550143",))]
)


@settings(max_examples=150, deadline=None)
@given(moments, places, st.sampled_from(["US", "GB", "IN", "DE"]), st.integers(0, 9), st.data())
def test_the_next_allowed_moment_is_allowed_and_no_quarter_of_an_hour_before_it_is(
    at: datetime, place: Place, country: str, calls: int, data: st.DataObject
) -> None:
    minutes = st.integers(0, 13 * 24 * 60)
    contacts: Sequence[Contact] = [
        Contact(at=at - timedelta(minutes=data.draw(minutes)), conversation=data.draw(st.integers(0, 9)) == 0)
        for _ in range(calls)
    ]
    facts = Facts(at=at, place=place, jurisdictions=known(country), contacts=tuple(contacts))
    packs = list(shipped().values())
    decision = decide(CALL, facts, packs)
    if decision.outcome != HOLD:
        assert decision.next_allowed_at is None
        return
    until = decision.next_allowed_at
    assert until is not None
    assert until > at
    assert decide(CALL, replace(facts, at=until), packs).outcome in (ALLOW, WARN, REQUIRE)
    moment = at + timedelta(minutes=15)
    while moment < min(until, at + timedelta(days=3)):
        assert decide(CALL, replace(facts, at=moment), packs).outcome == HOLD, moment
        moment += timedelta(minutes=15)


@given(moments, st.sampled_from(ZONES))
def test_a_hold_for_the_night_ends_at_the_opening_by_the_clock_on_the_wall(at: datetime, zone: str) -> None:
    decision = ask(Facts(at=at, place=Place(timezone=zone)), pack(hours("08:00", "21:00")))
    local = at.astimezone(ZoneInfo(zone))
    if 8 <= local.hour < 21:
        assert decision.outcome == ALLOW
    else:
        assert decision.next_allowed_at is not None
        opening = decision.next_allowed_at.astimezone(ZoneInfo(zone))
        assert (opening.hour, opening.minute) == (8, 0)
        assert (opening.date() - local.date()).days == (1 if local.hour >= 21 else 0)


def test_a_hold_stops_what_it_stops_and_names_itself() -> None:
    facts = Facts(at=NOON, place=NEW_YORK, holds=(HoldInForce(reason="legal"),))
    decision = decide(CALL, facts, shipped().values())
    assert (decision.outcome, "HOLD-legal" in decision.rule_ids) == (BLOCK, True)
