"""Values of rules that an admin sets, and packs that a market gets: stricter at once, looser with a second person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunning import rule_packs
from dunning.gate.deciding import concerns, decide_by
from dunning.gate.facts import Action, Contact, Facts
from dunning.gate.zones import Place
from dunning.models import MarketPacks, PackChange, RulePackVersion
from dunning.rule_packs import CannotChange

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
US = frozenset({"US"})
ADA, BOB = "agent:ada", "agent:bob"
State = PackChange.State


def set_most(value: Any, *, by: str = ADA, reason: str = "A court said so", minutes: int = 0) -> PackChange:
    return rule_packs.change(
        pack="US-FED", rule="US-FREQ-01", parameter="most", value=value, reason=reason, actor=by,
        at=AT + timedelta(minutes=minutes),
    )  # fmt: skip


def most_in_force() -> int:
    return int(rule_packs.in_force().packs["US-FED"].rule("US-FREQ-01").params.most)


def said_of_a_call(calls: int) -> str:
    """What the federal pack says of one more call, in Miami at noon, after so many on the days before."""
    made = tuple(Contact(at=AT - timedelta(days=1, minutes=30 * one), result="rang_no_answer") for one in range(calls))
    facts = Facts(at=AT + timedelta(hours=5), place=Place(timezone="America/New_York", country="US"), contacts=made)
    action = Action(type="call")
    rules = [rule for pack in rule_packs.in_force().of(US) for rule in pack.rules if rule.id == "US-FREQ-01"]
    return decide_by([rule for rule in rules if concerns(rule, action, facts)], action, facts).outcome


def test_a_stricter_value_decides_at_once_and_says_who_set_it() -> None:
    assert said_of_a_call(5) == "ALLOW"
    row = set_most(5, reason="")
    assert (row.state, row.looser, row.was, row.asked_by, row.decided_by) == (State.IN_FORCE, False, 7, ADA, ADA)
    assert said_of_a_call(5) == "HOLD"
    assert rule_packs.in_force().packs["US-FED"].version.startswith("US-FED@2026.11.1+1.")


def test_a_looser_value_needs_a_reason_and_decides_only_when_somebody_else_agrees() -> None:
    with pytest.raises(CannotChange, match="Say why"):
        set_most(9, reason="  ")
    row = set_most(9)
    assert (row.state, most_in_force()) == (State.WAITING, 7)
    with pytest.raises(CannotChange, match="Somebody else") as refused:
        rule_packs.approve(change_id=row.pk, actor=ADA, at=AT)
    assert refused.value.code == "forbidden"
    assert said_of_a_call(7) == "HOLD"
    rule_packs.approve(change_id=row.pk, actor=BOB, at=AT)
    row.refresh_from_db()
    assert (row.state, row.decided_by) == (State.IN_FORCE, BOB)
    assert said_of_a_call(7) == "ALLOW"
    with pytest.raises(CannotChange, match="does not wait any more"):
        rule_packs.refuse(change_id=row.pk, actor=BOB, at=AT)


def test_what_was_refused_never_decides() -> None:
    row = rule_packs.refuse(change_id=set_most(9).pk, actor=BOB, at=AT)
    assert (row.state, row.decided_by, most_in_force()) == (State.REFUSED, BOB, 7)
    with pytest.raises(CannotChange):
        rule_packs.approve(change_id=row.pk, actor=BOB, at=AT)


def test_nobody_agrees_to_a_change_of_a_value_that_is_another_by_now() -> None:
    waiting = set_most(9)
    set_most(3)
    with pytest.raises(CannotChange, match="Another value is in force") as refused:
        rule_packs.approve(change_id=waiting.pk, actor=BOB, at=AT)
    assert (refused.value.code, most_in_force()) == ("conflict", 3)


def test_going_back_to_the_packs_own_value_is_a_change_like_any_other() -> None:
    set_most(3)
    back = rule_packs.go_back(pack="US-FED", rule="US-FREQ-01", parameter="most", reason="A mistake", actor=ADA, at=AT)
    assert (back.state, back.value, back.looser, most_in_force()) == (State.WAITING, 7, True, 3)
    rule_packs.approve(change_id=back.pk, actor=BOB, at=AT)
    pack = rule_packs.in_force().packs["US-FED"]
    assert (pack.rule("US-FREQ-01").params.most, pack.changes) == (7, ())
    loose = rule_packs.approve(change_id=set_most(9).pk, actor=BOB, at=AT)
    back = rule_packs.go_back(pack="US-FED", rule="US-FREQ-01", parameter="most", reason="", actor=ADA, at=AT)
    loose.refresh_from_db()
    assert (back.state, loose.state, most_in_force()) == (State.IN_FORCE, State.ENDED, 7)


def test_a_value_between_the_packs_own_and_what_was_let_be_is_compared_with_what_is_in_force() -> None:
    rule_packs.approve(change_id=set_most(12).pk, actor=BOB, at=AT)
    assert set_most(9, reason="").state == State.IN_FORCE
    assert set_most(10).state == State.WAITING


@pytest.mark.parametrize(
    ("pack", "rule", "parameter", "value", "why"),
    [
        ("XX", "US-FREQ-01", "most", 3, "There is no pack XX"),
        ("US-FED", "US-FREQ-99", "most", 3, "has no rule US-FREQ-99"),
        ("US-FED", "US-FREQ-01", "channels", ["call"], "channels of US-FREQ-01 is not set here"),
        ("US-FED", "US-FREQ-01", "most", "many", "US-FREQ-01: invalid value"),
        ("US-FED", "US-FREQ-01", "most", 7, "That is the value in force"),
    ],
)
def test_what_cannot_be_set_is_refused_with_its_reason(
    pack: str, rule: str, parameter: str, value: Any, why: str
) -> None:
    with pytest.raises(CannotChange, match=why):
        rule_packs.change(pack=pack, rule=rule, parameter=parameter, value=value, reason="x", actor=ADA, at=AT)
    assert not PackChange.objects.exists()


def test_times_are_compared_as_times_and_nought_is_not_taken_for_strict() -> None:
    assert rule_packs.way("US-FED", "US-TIME-01", "opens", "10:00") == "stricter"
    assert rule_packs.way("US-FED", "US-TIME-01", "opens", "7:00".rjust(5, "0")) == "looser"
    assert rule_packs.way("US-FED", "US-TIME-01", "opens", "08:00") == "same"
    assert rule_packs.way("US-FED", "US-FREQ-01", "most", 0) == "looser"


def test_a_value_that_no_rule_takes_any_more_is_left_out_and_named() -> None:
    left = PackChange.objects.create(
        pack="US-FED", rule="US-GONE-01", parameter="most", was=7, value=3, state=State.IN_FORCE, asked_by=ADA,
        asked_at=AT,
    )  # fmt: skip
    set_most(5)
    assert most_in_force() == 5
    assert [row.pk for row in rule_packs.out_of_place()] == [left.pk]


def test_a_market_gets_another_pack_at_once_and_loses_one_only_by_two_people() -> None:
    with pytest.raises(CannotChange, match="Say why US is to do without"):
        rule_packs.choose(market="US", packs=[], reason="", actor=ADA, at=AT)
    assert not MarketPacks.objects.exists()
    rule_packs.choose(market="FR", packs=[*rule_packs.packs_of("FR"), "US-FED"], reason="", actor=ADA, at=AT)
    assert "US-FED" in {pack.code for pack in rule_packs.in_force().of(frozenset({"FR"}))}
    rule_packs.choose(market="US", packs=[], reason="We left", actor=ADA, at=AT)
    assert "US-FED" in {pack.code for pack in rule_packs.in_force().of(US)}
    with pytest.raises(CannotChange, match="Somebody else"):
        rule_packs.agree_to_choice(market="US", seen=[], agree=True, actor=ADA, at=AT)
    with pytest.raises(CannotChange, match="Something else is asked"):
        rule_packs.agree_to_choice(market="US", seen=["GLB"], agree=True, actor=BOB, at=AT)
    rule_packs.agree_to_choice(market="US", seen=[], agree=True, actor=BOB, at=AT)
    assert "US-FED" not in {pack.code for pack in rule_packs.in_force().of(US)}
    with pytest.raises(CannotChange, match="does not wait any more"):
        rule_packs.agree_to_choice(market="US", seen=[], agree=True, actor=BOB, at=AT)


def test_what_was_left_out_by_two_people_stays_out_when_another_is_added() -> None:
    rule_packs.choose(market="US", packs=[], reason="We left", actor=ADA, at=AT)
    rule_packs.agree_to_choice(market="US", seen=[], agree=True, actor=BOB, at=AT)
    row = rule_packs.choose(market="US", packs=["GLB"], reason="", actor=ADA, at=AT)
    assert (row.waiting_for, row.packs) == (None, ["GLB"])


@pytest.mark.parametrize(("market", "packs"), [("usa", []), ("US", ["NOPE"]), ("US", [*rule_packs.packs_of("US")])])
def test_a_choice_that_says_nothing_is_refused(market: str, packs: list[str]) -> None:
    with pytest.raises(CannotChange):
        rule_packs.choose(market=market, packs=packs, reason="x", actor=ADA, at=AT)


def test_a_pack_is_kept_once_as_it_read_and_again_after_a_change() -> None:
    for _ in range(2):
        rule_packs.keep_versions([rule_packs.in_force().packs["US-FED"]], at=AT)
    set_most(5)
    rule_packs.keep_versions([rule_packs.in_force().packs["US-FED"]], at=AT)
    first, second = RulePackVersion.objects.order_by("pk")
    assert (first.content["set_here"], second.content["set_here"]) == (
        [], [{"rule": "US-FREQ-01", "parameter": "most", "value": 5}],
    )  # fmt: skip
