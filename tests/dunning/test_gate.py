"""May this person be contacted now: hours in every zone, call limits, quiet days, consent, holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunning import gate
from dunning.gate import ALLOW, BLOCK, HOLD, WARN

NEW_YORK, LOS_ANGELES = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")
PHOENIX, CHICAGO, LONDON = ZoneInfo("America/Phoenix"), ZoneInfo("America/Chicago"), ZoneInfo("Europe/London")
US = gate.rules_for("US")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(zone: ZoneInfo, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def facts(at: datetime, **columns: Any) -> gate.ContactFacts:
    said = {"channel": "call", "automated": False, "zones": (NEW_YORK,), "has_address": True, "refused": False}
    return gate.ContactFacts(at=at, **{**said, **columns})


NOON = local(NEW_YORK, "2026-08-11T12:00")

BOTH_COASTS = (NEW_YORK, LOS_ANGELES)
#: GLB-TZ of the compliance reference, row by row: zones, moment, outcome, next allowed moment.
TIME_ZONES = [
    ("1", BOTH_COASTS, "2026-11-23T15:59", HOLD, "2026-11-23T16:00"),
    ("2", BOTH_COASTS, "2026-11-23T16:00", ALLOW, None),
    ("3, before nine in the evening", BOTH_COASTS, "2026-11-24T01:59", ALLOW, None),
    ("3, at nine", BOTH_COASTS, "2026-11-24T02:00", HOLD, "2026-11-24T16:00"),
    ("4, daylight saving", (NEW_YORK,), "2026-10-31T12:30", ALLOW, None),
    ("4, the day it ended", (NEW_YORK,), "2026-11-01T12:30", HOLD, "2026-11-01T13:00"),
    ("5, winter", (NEW_YORK,), "2027-03-13T12:30", HOLD, "2027-03-13T13:00"),
    ("5, the day it began", (NEW_YORK,), "2027-03-14T12:30", ALLOW, None),
    ("6, in January", (PHOENIX, LOS_ANGELES), "2027-01-12T15:30", HOLD, "2027-01-12T16:00"),
    ("6, in July", (PHOENIX, LOS_ANGELES), "2027-07-13T15:30", ALLOW, None),
    ("7", (NEW_YORK, CHICAGO), "2027-01-12T13:30", HOLD, "2027-01-12T14:00"),
]


@pytest.mark.parametrize(
    ("zones", "at", "outcome", "until"), [row[1:] for row in TIME_ZONES], ids=[r[0] for r in TIME_ZONES]
)
@pytest.mark.parametrize("channel", ["call", "sms", "email"])
def test_hours_hold_in_every_zone_the_customer_may_be_in(
    zones: tuple[ZoneInfo, ...], at: str, outcome: str, until: str | None, channel: str
) -> None:
    decision = gate.decide(facts(utc(at), zones=zones, channel=channel), US)
    assert decision.outcome == outcome
    assert decision.next_allowed_at == (utc(until) if until else None)
    assert decision.rule_ids == (("US-TIME-01",) if outcome == HOLD else ())


@pytest.mark.parametrize(
    ("time", "outcome"),
    [("07:59:59.999999", HOLD), ("08:00:00", ALLOW), ("20:59:59.999999", ALLOW), ("21:00:00", HOLD)],
)
def test_the_window_is_half_open(time: str, outcome: str) -> None:
    assert gate.decide(facts(local(NEW_YORK, f"2026-08-11T{time}")), US).outcome == outcome


@pytest.mark.parametrize("channel", ["letter", "in_app"])
def test_post_is_not_timed(channel: str) -> None:
    assert gate.decide(facts(local(NEW_YORK, "2026-08-11T03:00"), channel=channel), US).outcome == ALLOW


def test_no_messages_on_a_sunday_where_the_market_says_so() -> None:
    sunday = local(LONDON, "2026-08-16T12:00")
    decision = gate.decide(facts(sunday, zones=(LONDON,)), gate.rules_for("GB"))
    assert (decision.outcome, decision.next_allowed_at) == (HOLD, local(LONDON, "2026-08-17T08:00"))


@pytest.mark.parametrize(
    ("country", "pack"),
    [("US", "US-FED"), ("IN", "IN"), ("GB", "GB"), ("DE", "EU"), ("IE", "EU"), ("BR", "DESK"), ("", "DESK")],
)
def test_the_pack_is_that_of_the_customers_country(country: str, pack: str) -> None:
    rules = gate.rules_for(country)
    assert rules.pack == pack
    assert gate.decide(facts(NOON), rules).pack_versions == (f"{pack}@{rules.version}",)


@pytest.mark.parametrize(("automated", "outcome"), [(True, BLOCK), (False, WARN)])
def test_without_a_zone_no_machine_calls_and_a_person_is_warned(automated: bool, outcome: str) -> None:
    decision = gate.decide(facts(NOON, zones=(), automated=automated), US)
    assert (decision.outcome, decision.rule_ids) == (outcome, ("GLB-TZ",))
    assert decision.is_allowed is not automated


# --- US-FREQ-01: seven calls in seven days ----------------------------------------------------------------------------


def calls_on(*days: str) -> tuple[datetime, ...]:
    return tuple(local(NEW_YORK, f"{day}T10:00") for day in days)


APRIL = [f"2026-04-{number:02}" for number in range(1, 8)]


@pytest.mark.parametrize(
    ("calls", "at", "outcome", "until"),
    [
        (APRIL[:6], "2026-04-07T12:00", ALLOW, None),
        (APRIL, "2026-04-07T12:00", HOLD, "2026-04-08T08:00"),
        (APRIL, "2026-04-08T08:00", ALLOW, None),
        (["2026-04-01"] * 7, "2026-04-07T12:00", HOLD, "2026-04-08T08:00"),
        (["2026-04-07"] * 7, "2026-04-07T12:00", HOLD, "2026-04-14T08:00"),
        (["2026-03-31"] * 7, "2026-04-07T12:00", ALLOW, None),
        (APRIL[:5], "2026-04-07T12:00", ALLOW, None),
    ],
)
def test_an_eighth_call_in_seven_days_waits_until_the_oldest_leaves_the_window(
    calls: list[str], at: str, outcome: str, until: str | None
) -> None:
    decision = gate.decide(facts(local(NEW_YORK, at), calls=calls_on(*calls)), US)
    assert decision.outcome == outcome
    assert decision.next_allowed_at == (local(NEW_YORK, until) if until else None)
    assert decision.rule_ids == (("US-FREQ-01",) if until else ())


def test_messages_are_no_calls() -> None:
    at = local(NEW_YORK, "2026-04-07T12:00")
    assert (
        gate.decide(facts(at, channel="sms", calls=calls_on(*APRIL), conversations=calls_on(APRIL[6])), US).outcome
        == ALLOW
    )


def test_of_several_zones_the_worst_count_holds() -> None:
    # 23:30 in Los Angeles on the 31st is the 1st in New York: seven calls in the window there, six in the other.
    calls = (local(LOS_ANGELES, "2026-03-31T23:30"), *calls_on(*APRIL[1:]))
    at = local(NEW_YORK, "2026-04-07T12:00")
    assert gate.decide(facts(at, zones=BOTH_COASTS, calls=calls), US).outcome == HOLD
    assert gate.decide(facts(at, zones=(LOS_ANGELES,), calls=calls), US).outcome == ALLOW


def test_a_held_call_of_somebody_without_a_zone_says_when() -> None:
    """What only warns must not keep every later moment closed."""
    at = utc("2026-04-07T12:00")
    decision = gate.decide(facts(at, zones=(), calls=tuple(at - timedelta(hours=1) for _ in range(7))), US)
    assert (decision.outcome, decision.next_allowed_at) == (HOLD, utc("2026-04-14T08:00"))
    assert decision.rule_ids == ("US-FREQ-01", "GLB-TZ")


# --- US-FREQ-02: quiet after a conversation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conversation", "at", "outcome", "until"),
    [
        ("2026-08-13", "2026-08-19T12:00", HOLD, "2026-08-20T08:00"),
        ("2026-08-13", "2026-08-20T12:00", ALLOW, None),
        ("2026-08-14", "2026-08-20T12:00", HOLD, "2026-08-21T08:00"),
        ("2026-08-14", "2026-08-14T12:00", HOLD, "2026-08-21T08:00"),
        ("2028-02-24", "2028-03-01T12:00", HOLD, "2028-03-02T08:00"),
        ("2028-02-24", "2028-03-02T12:00", ALLOW, None),
        ("2027-02-24", "2027-03-03T12:00", ALLOW, None),
        ("2027-02-24", "2027-03-02T12:00", HOLD, "2027-03-03T08:00"),
    ],
)
def test_seven_days_of_quiet_with_the_day_of_the_conversation_as_the_first(
    conversation: str, at: str, outcome: str, until: str | None
) -> None:
    decision = gate.decide(facts(local(NEW_YORK, at), conversations=calls_on(conversation)), US)
    assert decision.outcome == outcome
    assert decision.next_allowed_at == (local(NEW_YORK, until) if until else None)


def test_other_markets_have_no_quiet_days() -> None:
    at = local(LONDON, "2026-08-14T12:00")
    assert gate.decide(facts(at, zones=(LONDON,), conversations=(at,)), gate.rules_for("GB")).outcome == ALLOW


# --- consent, addresses, holds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "rule", "override"),
    [
        ({"refused": True}, "DESK-CONSENT", "none"),
        ({"has_address": False}, "DESK-ADDRESS", "none"),
        ({"holds": ("breathing_space",)}, "HOLD-breathing_space", "supervisor"),
        ({"holds": ("deceased",), "refused": True}, "HOLD-deceased", "supervisor"),
    ],
)
@pytest.mark.parametrize("channel", ["call", "sms", "letter"])
def test_what_blocks_has_no_next_moment(columns: dict[str, Any], rule: str, override: str, channel: str) -> None:
    decision = gate.decide(facts(NOON, channel=channel, **columns), US)
    assert (decision.outcome, decision.next_allowed_at, decision.override) == (BLOCK, None, override)
    assert decision.rule_ids[0] == rule
    assert not decision.is_allowed


def test_the_strictest_rule_wins_and_every_rule_is_named() -> None:
    at = local(NEW_YORK, "2026-04-07T06:00")
    decision = gate.decide(facts(at, refused=True, calls=calls_on(*APRIL), conversations=calls_on(APRIL[6])), US)
    assert decision.outcome == BLOCK
    assert decision.rule_ids == ("DESK-CONSENT", "US-TIME-01", "US-FREQ-01", "US-FREQ-02")
    assert len(decision.reasons) == 4


def test_hours_and_limits_together_wait_for_both() -> None:
    at = local(NEW_YORK, "2026-04-07T06:00")
    decision = gate.decide(facts(at, calls=calls_on(*APRIL), conversations=calls_on(APRIL[6])), US)
    assert (decision.outcome, decision.next_allowed_at) == (HOLD, local(NEW_YORK, "2026-04-14T08:00"))


def test_zones_that_never_share_an_hour_block() -> None:
    rules = replace(US, opens=US.opens, closes=US.opens.replace(hour=9))
    assert gate.decide(facts(NOON, zones=BOTH_COASTS), rules).outcome == BLOCK


moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: utc("2026-01-01") + timedelta(minutes=minutes))
zones = st.lists(
    st.sampled_from([NEW_YORK, LOS_ANGELES, PHOENIX, ZoneInfo("Pacific/Honolulu"), ZoneInfo("Asia/Kolkata")]),
    max_size=3,
    unique=True,
).map(tuple)


@given(moments, zones, st.sampled_from(["US", "GB", "IN", "DE", "BR"]), st.integers(0, 9), st.booleans(), st.data())
def test_the_next_allowed_moment_is_later_and_allowed(
    at: datetime, where: tuple[ZoneInfo, ...], country: str, calls: int, automated: bool, data: st.DataObject
) -> None:
    rules = gate.rules_for(country)
    past = st.integers(0, 13 * 24 * 60).map(lambda minutes: at - timedelta(minutes=minutes))
    made = tuple(data.draw(past) for _ in range(calls))
    talked = tuple(data.draw(st.lists(past, max_size=2)))
    asked = facts(at, zones=where, automated=automated, calls=made, conversations=talked)
    decision = gate.decide(asked, rules)
    if decision.outcome == HOLD:
        assert decision.next_allowed_at is not None
        assert decision.next_allowed_at > at
        assert gate.decide(replace(asked, at=decision.next_allowed_at), rules).is_allowed
        # And no opening before it would have done.
        for zone in where:
            opening = datetime.combine(at.astimezone(zone).date(), rules.opens, tzinfo=zone)
            while opening < decision.next_allowed_at:
                if opening > at:
                    assert not gate.decide(replace(asked, at=opening), rules).is_allowed
                opening = datetime.combine(opening.date() + timedelta(days=1), rules.opens, tzinfo=zone)
    else:
        assert decision.next_allowed_at is None


def test_every_rule_pack_is_dated() -> None:
    for country in ("US", "IN", "GB", "DE", ""):
        year, month, *_ = gate.rules_for(country).version.split(".")
        assert date(int(year), int(month), 1) > date(2025, 1, 1)
