"""What the tables in the packs of India, the Union and the United Kingdom cannot say."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dunning.gate.calendars import is_business_day
from dunning.gate.checks.days import Instalments, Monthly, monthly_dates
from dunning.gate.checks.moratoria import Moratorium
from dunning.gate.checks.privacy import RequestClock, RequestReceived, request_due
from dunning.gate.checks.promotion import promotional_word
from dunning.gate.checks.registrations import Registered, Sender, registered_sender
from dunning.gate.deciding import decide, decide_by
from dunning.gate.decision import ALLOW, BLOCK, HOLD, WARN
from dunning.gate.facts import Action, Contact, Facts, Preference
from dunning.gate.packs import Change, Rule, applying, build_pack, shipped, with_params
from dunning.gate.zones import Place

OURS = ("DESK", "IN", "GB", "EU", "DE", "BE")
NEW_YORK = "+12125550143"
GUAM = Place(country="US", region="GU", numbers=(NEW_YORK,))
HONOLULU = Place(country="US", region="HI", numbers=(NEW_YORK,))
KOLKATA = Place(timezone="Asia/Kolkata", stated_on=date(2025, 1, 1), country="US", region="NJ", numbers=(NEW_YORK,))
NOWHERE_IN_COMMON = Place(
    timezone="Europe/London", stated_on=date(2025, 1, 1), country="US", region="GU", numbers=(NEW_YORK,)
)


def hours(*, opens: str = "08:00", closes: str) -> list[Rule]:
    rule = shipped()["DESK"].rule("DESK-HOURS-01")
    return [with_params(rule, [Change(rule.id, "opens", opens), Change(rule.id, "closes", closes)])]


@pytest.mark.parametrize(
    ("place", "closes", "day", "minutes"),
    [
        (GUAM, "21:00", date(2026, 11, 23), 4 * 60),
        (GUAM, "21:00", date(2026, 7, 13), 3 * 60),
        (HONOLULU, "21:00", date(2026, 11, 23), 8 * 60),
        (HONOLULU, "21:00", date(2026, 7, 13), 7 * 60),
        (KOLKATA, "19:00", date(2026, 11, 23), 30),
        (NOWHERE_IN_COMMON, "21:00", date(2026, 11, 23), 0),
    ],
    ids=["Guam in winter", "Guam in summer", "Honolulu in winter", "Honolulu in summer", "Kolkata", "three zones"],
)
def test_where_zones_differ_only_the_hours_they_share_are_open(
    place: Place, closes: str, day: date, minutes: int
) -> None:
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    rules = hours(closes=closes)
    quarters = (midnight + timedelta(minutes=minute) for minute in range(0, 24 * 60, 15))
    allowed = [at for at in quarters if decide_by(rules, Action(type="call"), Facts(at=at, place=place)).is_allowed]
    assert len(allowed) * 15 == minutes


def test_three_zones_that_share_nothing_are_blocked_at_every_hour_of_a_year() -> None:
    rules = hours(closes="21:00")
    for day in range(0, 366, 7):
        at = datetime(2026, 1, 1, day % 24, tzinfo=UTC) + timedelta(days=day)
        decision = decide_by(rules, Action(type="call"), Facts(at=at, place=NOWHERE_IN_COMMON))
        assert (decision.outcome, decision.next_allowed_at, decision.requires) == (BLOCK, None, ("ask_where",))


def test_a_rule_that_changes_at_midnight_changes_at_the_midnight_of_its_market() -> None:
    def window(first: date | None, last: date | None, closes: str) -> dict:
        return {
            "id": "NY-HOURS", "title": "Hours", "check": "window", "severity": "HOLD",
            "effective_from": first, "effective_to": last, "params": {"opens": "00:00", "closes": closes},
        }  # fmt: skip

    pack = build_pack(
        {
            "pack": "NYC", "title": "Two periods", "version": "1", "applies_in": ["*"], "timezone": "America/New_York",
            "effective_from": date(2020, 1, 1),
            "rules": [window(None, date(2026, 9, 1), "23:59:59"), window(date(2026, 9, 1), None, "00:00:01")],
        },
        where="here",
    )  # fmt: skip
    place = Place(timezone="America/New_York")
    before, after = (datetime.fromisoformat(f"2026-09-01T0{hour}-00:00") for hour in ("3:58:00", "4:00:02"))
    assert decide(Action(type="call"), Facts(at=before, place=place), [pack]).outcome == ALLOW
    assert decide(Action(type="call"), Facts(at=after, place=place), [pack]).outcome == HOLD


def test_holidays_that_nobody_knows_stop_machines_and_warn_people() -> None:
    at = datetime(2150, 1, 5, 12, tzinfo=UTC)
    facts = Facts(at=at, place=Place(country="GB"))
    rules = [shipped()["GB"].rule("UK-CONT-01")]
    assert decide_by(rules, Action(type="sms", automated=True), facts).outcome == BLOCK
    assert decide_by(rules, Action(type="call"), facts).outcome == WARN


def test_what_was_queued_before_a_breathing_space_is_stopped_when_it_is_sent() -> None:
    rule = [shipped()["GB"].rule("UK-BS-01")]
    action = Action(type="email", automated=True)
    queued = Facts(at=datetime(2027, 1, 4, 9, tzinfo=UTC), place=Place(country="GB"))
    told = replace(queued, parts={"Moratorium": Moratorium(starts_on=date(2027, 1, 4))})
    assert decide_by(rule, action, queued).outcome == ALLOW
    assert decide_by(rule, action, told).outcome == BLOCK
    assert decide_by(rule, replace(action, purpose="ongoing_bill"), told).outcome == ALLOW


def test_a_customer_of_germany_has_the_rules_of_the_union_and_of_germany() -> None:
    codes = {pack.code for pack in applying(shipped().values(), ["DE"])}
    assert {"EU", "DE"} <= codes
    assert codes.isdisjoint({"BE", "GB", "IN", "DESK", "US-FED"})


def test_a_preferred_channel_and_a_change_of_channel_never_shut_out_every_channel() -> None:
    gb = shipped()["GB"]
    rules = [gb.rule("UK-VULN-01-ROTATE"), gb.rule("UK-VULN-01-CHANNEL")]
    at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    wish = (Preference(kind="channel", channel="letter", wanted=True),)
    for silent in range(6):
        letters = tuple(Contact(at=at - timedelta(days=7 * n + 1), channel="letter") for n in range(silent))
        facts = Facts(at=at, place=Place(country="GB"), preferences=wish, contacts=letters)
        ways = [way for way in ("letter", "sms", "email") if decide_by(rules, Action(type=way), facts).is_allowed]
        assert ways == (["letter"] if silent < 2 else ["sms", "email"])


FILLED = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30), min_size=1, max_size=6)


@given(FILLED, st.sampled_from([" of Rs ", "", ", due "]))
def test_a_template_takes_whatever_is_filled_in_and_nothing_else(values: list[str], between: str) -> None:
    words = "Bill: " + between.join("{#var#}" for _ in values) + "\nTelco"
    sender = Sender(entity="1", header="TELCOM", header_class="service", template="2", words=words)
    facts = Facts(at=datetime(2026, 11, 26, 12, tzinfo=UTC), parts={"Sender": sender})

    def judged(text: str) -> object:
        return registered_sender(Registered(), Action(type="sms", address="+919876543210", text=text), facts, facts.at)

    text = "Bill: " + between.join(values) + "\nTelco"
    assert judged(text) is None
    assert judged(text + ".") is not None
    assert judged(text.replace("\nTelco", "\nTelcos")) is not None


def test_a_template_of_many_variables_is_compared_at_once() -> None:
    words = "{#var#}" * 40 + "!"
    sender = Sender(entity="1", header="T", header_class="service", template="2", words=words)
    facts = Facts(at=datetime(2026, 11, 26, 12, tzinfo=UTC), parts={"Sender": sender})
    action = Action(type="sms", address="+919876543210", text="a" * 1200)
    started = datetime.now(UTC)
    assert registered_sender(Registered(), action, facts, facts.at) is not None
    assert datetime.now(UTC) - started < timedelta(seconds=1)


@given(st.dates(date(2026, 1, 1), date(2040, 12, 31)), st.integers(1, 40))
def test_instalments_keep_their_day_of_the_month(first: date, count: int) -> None:
    dates = monthly_dates(Monthly(), Instalments(first=first, count=count))["dates"]
    assert isinstance(dates, list)
    assert len({(day.year, day.month) for day in dates}) == count
    assert all(day.day == min(first.day, monthrange(day.year, day.month)[1]) for day in dates)


@settings(deadline=None)  # the first answer reads the tables of holidays
@given(st.dates(date(2026, 1, 1), date(2035, 12, 31)), st.sampled_from(["DE", "BE", "FR", "PL", "UK-EW"]))
def test_an_answer_is_due_on_a_business_day_a_month_later(received: date, country: str) -> None:
    due = request_due(RequestClock(), RequestReceived(received_on=received, country=country))["due"]
    assert isinstance(due, date)
    assert is_business_day(due, country)
    assert 28 <= (due - received).days <= 37


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []


@pytest.mark.parametrize(("code", "rule"), [("IN", "IN-UCC-01"), ("GB", "UK-EPRIV-01"), ("EU", "EU-EPRIV-01")])
def test_what_the_desk_writes_of_itself_advertises_in_no_language(code: str, rule: str) -> None:
    params = shipped()[code].rule(rule).params
    folder = Path(__file__).parents[2] / "dunning" / "wordings"
    found = {
        (path.parent.name, path.name): word
        for path in sorted(folder.rglob("*.yaml"))
        for text in _texts(yaml.safe_load(path.read_text(encoding="utf-8")))
        if (word := promotional_word(text, words=params.words, harmless=params.harmless))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Your bill is exclusive of VAT and past due.", ""),
        ("You can downgrade to a smaller tariff.", ""),
        ("We can offer you a plan: please refer to your bill.", ""),
        ("Double data if you pay today", "double data"),
        ("Votre facture est échue. Offre spéciale : 5G", "offre spéciale*"),
        ("आपका बिल बकाया है। कैशबैक पाएं", "कैशबैक"),
        ("فاتورتك متأخرة. عرض خاص لك", "عرض خاص"),
    ],
)
def test_advertising_is_told_from_help(text: str, word: str) -> None:
    assert promotional_word(text) == word


@pytest.mark.parametrize("code", OURS)
def test_every_rule_can_be_kept_and_changed_in_the_desk(code: str) -> None:
    rules = shipped()[code].rules
    ids = [rule.id for rule in rules]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if len(one) > 30] == []
    unknown = {
        (rule.id, name)
        for rule in rules
        for name in set(rule.written.stricter) - {one.name for one in fields(rule.params)}
    }
    assert unknown == set()
    assert [r.id for r in rules if r.written.override != "none" and not r.written.override_reasons] == []
