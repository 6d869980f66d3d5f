"""A policy tried on the book, and the days that then come: the same steps, messages and limits, account by account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from accounts import business_day, settling
from accounts.importing.landing import import_folder
from collections_desk import dry_runs, journey
from collections_desk.book import BOOK
from collections_desk.replay import noon
from dunning import policy_file, writing
from dunning.models import BillStep, CaseStep, DryRun, Notice, ServiceOrder
from tests.journeys import ledger
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

FIRST = date(2026, 1, 1)
TODAY = date(2026, 4, 20)
AHEAD = 12

#: Earlier, harsher, with a fee: as much as possible is different.
HARSHER = (
    ledger.POLICY.replace("day: 24, action: limit", "day: 19, action: limit")
    .replace("notice_days: 5", "notice_days: 1")
    .replace("pay_by_days: 6", "pay_by_days: 1")
    .replace("exits:", "fees: {late_fee: {amount: '2.00', percent: '1.5', combine: max}}\nexits:")
    .replace("  - {code: desk,", "  - {code: fee, day: 20, action: charge_fee}\n  - {code: desk,")
)


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """Seventy accounts with three months of history, taken over and then run for some weeks."""
    ledger.write(tmp_path, accounts=70, first=FIRST, months=4, seed=7)
    story = Story(TODAY - timedelta(days=25))
    eve = story.today
    business_day.move_to(eve)
    with journey.gathering():
        import_folder(tmp_path, BOOK, on=eve, at=noon(eve), actor="import")
        settling.settle(as_of=eve, at=noon(eve))
        journey.react_to_all(as_of=eve, at=noon(eve))
    for back in (25, 13, 1, 0):  # the rest is caught up
        story.run(TODAY - timedelta(days=back))
        story.deliver()
    return story


def simulated(text: str, *, as_of: date = TODAY + timedelta(days=1), days: int = AHEAD, **more: Any) -> Any:
    return dry_runs.simulate(policy_file.read(text), as_of=as_of, days=days, at=noon(as_of), **more)


def what_came(day: date) -> tuple[Counter[str], Counter[str], set[tuple[int, int, str]]]:
    """Steps, messages and limits of a day that was run."""
    done = CaseStep.objects.filter(done_on=day).exclude(result="passed_over")
    steps = Counter(done.values_list("code", flat=True))
    early = BillStep.objects.filter(on=day).exclude(result="passed_over")
    steps.update(code for _, code in set(early.values_list("account_id", "code")))
    notices = Notice.objects.filter(made_on=day)
    orders = ServiceOrder.objects.filter(made_on=day, kind="limit")
    limits = set(orders.values_list("account_id", "service_id", "rung"))
    return steps, Counter(notices.values_list("channel", flat=True)), limits


@pytest.mark.parametrize("text", [HARSHER, ledger.POLICY], ids=["another policy", "the one in force"])
def test_the_days_after_publishing_take_exactly_the_steps_that_were_shown(story: Story, text: str) -> None:
    found = simulated(text)
    at = noon(TODAY)
    writing.publish(writing.save_draft(policy_file.read(text), actor="admin:ada", at=at), actor="admin:ben", at=at)
    happened = 0
    for shown in found.tried.days:
        story.run(shown.on)
        steps, messages, limits = what_came(shown.on)
        assert shown.steps == steps, shown.on
        assert {(limit.account_id, limit.service_id, limit.rung) for limit in shown.limits} == limits, shown.on
        assert shown.messages == messages, shown.on
        story.deliver()
        happened += steps.total()
    assert happened > 50
    assert sum(len(day.limits) for day in found.tried.days) > 5


def test_the_policy_in_force_differs_from_itself_in_nothing(story: Story) -> None:
    found = simulated(ledger.POLICY)
    assert found.as_json()["difference"] == {}
    assert (found.in_full()["limited_only_now"], found.in_full()["limited_no_more"]) == ([], [])


def test_nothing_is_written(story: Story) -> None:
    def everything() -> dict[str, list[tuple[Any, ...]]]:
        rooms = [model for app in ("accounts", "dunning", "agents") for model in apps.get_app_config(app).get_models()]
        return {model._meta.label: list(model._default_manager.order_by("pk").values_list()) for model in rooms}

    before = everything()
    simulated(HARSHER, moves_cases=True)
    assert everything() == before


NOTHING_HURTS = ledger.POLICY.replace("day: 24, action: limit", "day: 300, action: limit").replace(
    "day: 31, action: limit", "day: 301, action: limit"
)


def test_what_differs_is_counted_and_named(story: Story) -> None:
    found = simulated(NOTHING_HURTS, moves_cases=True)
    limits = [limit for day in found.today.days for limit in day.limits]
    full = found.in_full()
    assert limits
    assert {row["account_id"] for row in full["limited_no_more"]} == {
        found.names.accounts[limit.account_id][0] for limit in limits
    }
    assert full["limited_only_now"] == []
    steps = {(limit.account_id, limit.step) for limit in limits}  # one step for all services of an account
    assert full["difference"]["bar"] + full["difference"]["suspend"] == -len(steps)


def test_pinned_cases_stay_where_they_are_unless_asked_to_move(story: Story) -> None:
    pinned, moved = simulated(NOTHING_HURTS), simulated(NOTHING_HURTS, moves_cases=True)
    assert 0 < sum(len(day.limits) for day in pinned.tried.days) <= sum(len(day.limits) for day in pinned.today.days)
    assert [day.limits for day in moved.tried.days] == [[]] * AHEAD


def test_messages_cost_what_the_desk_says(story: Story, settings: Any) -> None:
    settings.DESK_CHANNEL_COSTS = {"sms": "0.10", "email": "0.01"}
    found = simulated(ledger.POLICY)
    sent = sum((day.messages for day in found.tried.days), Counter())
    assert found.costs()["sms"] == {"count": sent["sms"], "each": "0.10", "total": f"{sent['sms'] / 10:.2f}"}


@pytest.mark.parametrize(("allowed", "exceeded"), [(100, False), (1, True), (0, False)])
def test_the_reach_is_the_worst_day(story: Story, settings: Any, allowed: int, exceeded: bool) -> None:
    settings.DESK_BLAST_RADIUS_PERCENT = allowed
    found = simulated(HARSHER)
    reach = found.reach()
    most = max(len({limit.account_id for limit in day.limits}) for day in found.tried.days)
    assert (reach["accounts"], reach["of"], reach["exceeded"]) == (most, 70, exceeded)


def test_a_day_before_the_business_date_cannot_be_tried(story: Story) -> None:
    with pytest.raises(dry_runs.CannotSimulate, match="business date is 2026-04-20"):
        simulated(HARSHER, as_of=TODAY - timedelta(days=1))


def test_an_untouched_book_can_be_tried_on_any_day(tmp_path: Path) -> None:
    """Before the first run no amount holds at any date: everything is worked out from the facts."""
    ledger.write(tmp_path, accounts=40, first=FIRST, months=3, seed=3)
    with journey.gathering():
        import_folder(tmp_path, BOOK, on=TODAY, at=noon(TODAY), actor="import")
    day = FIRST + timedelta(days=75)
    found = simulated(ledger.POLICY, as_of=day, days=1)
    writing.publish(
        writing.save_draft(policy_file.read(ledger.POLICY), actor="a", at=noon(day)), actor="b", at=noon(day)
    )
    journey.run_day(as_of=day, at=noon(day))
    assert found.tried.days[0].steps == what_came(day)[0]
    assert found.tried.days[0].steps


# What somebody asked for in the admin ---------------------------------------------------------------------------------


def asked(text: str, **columns: Any) -> DryRun:
    document = policy_file.tidy(policy_file.read(text))
    return DryRun.objects.create(
        document=document, digest="x", as_of=TODAY, days=2, asked_by="agent:ada", asked_at=noon(TODAY), **columns
    )


def carry_out(run: DryRun) -> DryRun:
    def later() -> datetime:
        return noon(TODAY) + timedelta(minutes=1)

    dry_runs.carry_out(run.pk, at=noon(TODAY), now=later)
    run.refresh_from_db()
    return run


def test_a_run_tells_how_far_it_is_and_keeps_what_it_found(story: Story) -> None:
    run = carry_out(asked(HARSHER))
    assert (run.state, run.problem) == ("done", "")
    assert run.accounts_done == run.accounts_total > 0
    assert run.finished_at == noon(TODAY) + timedelta(minutes=1)
    assert [day["date"] for day in run.result["days"]] == ["2026-04-20", "2026-04-21"]
    assert run.result["published"] is not None


def test_a_run_that_is_asked_to_stop_stops(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    run = asked(HARSHER)
    monkeypatch.setattr("dunning.simulation.CHUNK", 10)

    def stop_in_the_middle(keys: Any, question: Any) -> Any:
        DryRun.objects.filter(pk=run.pk).update(cancel_asked=True)
        return read(keys, question)

    read = dry_runs.simulation._Chunk.read
    monkeypatch.setattr("dunning.simulation._Chunk.read", stop_in_the_middle)
    carry_out(run)
    assert (run.state, run.result, run.accounts_done) == ("cancelled", None, 0)


def test_a_run_that_was_cancelled_before_it_began_does_nothing(story: Story) -> None:
    run = carry_out(asked(HARSHER, cancel_asked=True))
    assert (run.state, run.started_at) == ("waiting", None)


def test_a_run_that_cannot_be_says_why(story: Story) -> None:
    run = asked(HARSHER)
    DryRun.objects.filter(pk=run.pk).update(as_of=FIRST)
    carry_out(run)
    assert run.state == "failed"
    assert "business date" in run.problem


def test_a_run_is_carried_out_once(story: Story) -> None:
    run = carry_out(asked(HARSHER))
    DryRun.objects.filter(pk=run.pk).update(result={"kept": True})
    assert carry_out(run).result == {"kept": True}
