"""What a dry run shows and what then happens, where the two are easily of two minds; and the last look at the facts."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import business_day, settling
from accounts.importing.landing import import_folder
from accounts.models import Account, ContactPoint
from agents.models import Dispute
from collections_desk import dry_runs, journey
from collections_desk.book import BOOK
from collections_desk.replay import noon
from dunning import experiment_course, migrating, policy_file, segments, writing
from dunning.models import (
    Arm,
    BillStep,
    Case,
    CaseStep,
    Experiment,
    Notice,
    Policy,
    Segment,
    ServiceOrder,
)
from tests import factories
from tests.journeys import anything
from tests.journeys.anything import Book
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, publish
from tests.journeys.test_any_order import ANY_ORDER, forgotten

pytestmark = pytest.mark.django_db

FIRST = date(2026, 3, 2)


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def tried(text: str, *, as_of: date, days: int, **more: Any) -> Any:
    return dry_runs.simulate(policy_file.read(text), as_of=as_of, days=days, at=noon(as_of), **more)


def what_came(day: date) -> tuple[Counter[str], Counter[str], Counter[tuple[str, str]]]:
    """Steps, messages and limits of a day that was run."""
    steps = Counter(CaseStep.objects.filter(done_on=day).exclude(result="passed_over").values_list("code", flat=True))
    early = BillStep.objects.filter(on=day).exclude(result="passed_over")
    steps.update(code for _, code in set(early.values_list("account_id", "code")))
    orders = ServiceOrder.objects.filter(made_on=day, kind="limit").values_list("service__ref", "rung")
    return steps, Counter(Notice.objects.filter(made_on=day).values_list("channel", flat=True)), Counter(orders)


def come_true(story: Story, text: str, *, days: int) -> list[Counter[str]]:
    """Try the policy in force for so many days, then let them pass: every day comes as it was shown."""
    found = tried(text, as_of=story.today + timedelta(days=1), days=days)
    for shown in found.tried.days:
        story.run(shown.on)
        steps, messages, limits = what_came(shown.on)
        assert shown.steps == steps, shown.on
        assert shown.messages == messages, shown.on
        shown_limits = Counter((found.names.services[one.service_id], one.rung) for one in shown.limits)
        assert shown_limits == limits, shown.on
        story.deliver()
    return [day.steps for day in found.tried.days]


def segment(code: str, **condition: int) -> None:
    rule = {"all": [{"fact": "tenure_days", **condition}]}
    segments.keep(Segment(code=code, name=code, rule=rule), actor="admin:ada", at=noon(FIRST))


class TestADryRunComesTrue:
    def test_for_an_account_that_was_opened_on_nobody_knows_which_day(self) -> None:
        text = POLICY.replace("{kind: [residential]}", "{min_tenure_days: 3}")
        story = Story(FIRST, policy=text)
        story.account(opened_on=None)
        story.service()
        story.bill(mar(1), "100.00")
        come_true(story, text, days=12)
        story.expect(cases=[])

    def test_for_an_account_that_leaves_a_segment_with_its_days(self) -> None:
        segment("fresh", at_most=180)
        text = POLICY.replace("code: warning,", "code: warning, only_if: {segment: [fresh]},")
        story = Story(FIRST, policy=text)
        story.account(opened_on=mar(8) - timedelta(days=180))
        story.service()
        story.bill(mar(1), "100.00")
        come_true(story, text, days=20)
        assert "03-12 warning passed_over" in story.steps()

    def test_for_an_account_that_comes_into_a_segment_with_its_days(self) -> None:
        segment("faithful", at_least=1826)
        text = POLICY.replace("code: warning,", "code: warning, only_if: {segment: [faithful]},")
        story = Story(FIRST, policy=text)
        story.account(opened_on=mar(8) - timedelta(days=1826))
        story.service()
        story.bill(mar(1), "100.00")
        come_true(story, text, days=20)
        assert "03-12 warning taken" in story.steps()

    def test_for_accounts_that_come_up_after_the_last_day_of_an_experiment_and_before_its_first(self) -> None:
        story = Story(FIRST)
        trial = writing.save_draft(
            policy_file.read(POLICY.replace("day: 4,", "day: 2,")), actor="admin:ada", at=noon(FIRST)
        )
        experiment_course.put_on_trial(trial, actor="admin:ada", at=noon(FIRST))
        experiment = Experiment.objects.create(
            code="spring", name="Spring", policy=Policy.objects.get(), starts_on=mar(4), ends_on=mar(8), metric_days=9,
            created_by="admin:ada", created_at=noon(FIRST),
        )  # fmt: skip
        Arm.objects.create(experiment=experiment, code="as-is", role="champion", share=1)
        Arm.objects.create(experiment=experiment, code="sooner", role="challenger", share=9_999, version=trial)
        experiment_course.start(experiment, actor="admin:ben", at=noon(FIRST), as_of=FIRST)
        for number, due in enumerate((1, 5, 10), start=1):
            story.account(f"A{number}")
            story.bill(mar(due), "100.00", account=f"A{number}")
        come_true(story, POLICY, days=20)
        reminded = [text[:5] for number in (1, 2, 3) for text in story.steps(f"A{number}") if "reminder" in text]
        assert reminded == ["03-05", "03-07", "03-14"]

    def test_for_an_account_that_is_written_off_and_pays_a_little_later(self) -> None:
        story = Story(FIRST, policy=GIVEN_UP)
        account = story.account()
        story.bill(mar(1), "100.00")
        factories.make_payment(account, "5.00", mar(16))
        come_true(story, GIVEN_UP, days=20)
        story.expect(status="written_off")

    def test_for_an_account_that_is_written_off_while_a_part_is_contested(self) -> None:
        story = Story(FIRST, policy=GIVEN_UP)
        story.account()
        story.bill(mar(1), "100.00", ref="B1")
        story.bill(mar(2), "50.00", ref="B2")
        story.hold("dispute", until=mar(15), bill_refs=["B2"], amount=Decimal(50))
        come_true(story, GIVEN_UP, days=25)
        assert len(story.cases()) == 2

    def test_for_an_account_that_cannot_be_written_off_because_another_owes(self) -> None:
        story = Story(FIRST, policy=GIVEN_UP)
        parent = story.account()
        story.account("A2", parent=parent)
        story.bill(mar(1), "100.00", account="A2")
        come_true(story, GIVEN_UP, days=20)
        assert "03-15 after taken" in story.steps()

    def test_for_a_dispute_that_was_lost_on_a_day_nobody_ran(self) -> None:
        story = Story(FIRST)
        story.account()
        story.service()
        story.bill(mar(1), "100.00", ref="B1")
        story.days_pass(until=mar(5))
        dispute = story.dispute("10.00", bill="B1")
        Dispute.objects.filter(pk=dispute.pk).update(resolved_on=mar(21), outcome="rejected")
        dispute.hold.ends_on = mar(20)
        dispute.hold.save(update_fields=["ends_on"])
        story.days_pass(until=mar(20))
        story.days_without_a_run(until=mar(22))
        come_true(story, POLICY, days=15)
        assert "03-25 bar taken" not in story.steps()

    def test_for_an_address_that_is_good_for_some_days_only(self) -> None:
        story = Story(FIRST)
        account = story.account(customer={"email": "", "phone": ""})
        for number, (kind, value, days) in enumerate(
            [("email", "old@customers.example", (1, 4)), ("phone", "+12025550199", (10, 14))]
        ):
            ContactPoint.objects.create(
                ref=f"CP{number}", customer=account.customer, kind=kind, value=value, valid_from=mar(days[0]),
                valid_to=mar(days[1]),
            )  # fmt: skip
        story.bill(mar(1), "100.00")
        come_true(story, POLICY, days=20)
        assert [text[:15] for text in story.notices()] == ["03-12 warning s", "03-19 final let"]

    def test_for_services_that_come_back_with_a_payment_of_a_later_day(self) -> None:
        story = Story(FIRST)
        parent = story.account()
        story.service()
        story.service("S2", status="disconnected")
        story.bill(mar(1), "100.00")
        story.days_pass(until=mar(26))
        factories.make_payment(parent, "100.00", mar(28))
        found = tried(POLICY, as_of=mar(27), days=4)
        assert [day.restores for day in found.tried.days] == [0, 1, 0, 0]
        come_true(story, POLICY, days=4)


#: Without a second pair of eyes, and with a step after it.
GIVEN_UP = """
code: residential
enters: {min_amount: "10.00"}
steps:
  - {code: reminder, day: 4, action: notify, channels: [email], template: reminder}
  - {code: gone, day: 10, action: write_off}
  - {code: after, day: 14, action: notify, channels: [sms], template: reminder}
"""

#: The same without the final notice and the limit that rests on it.
MILD = """
code: residential
enters: {min_amount: "10.00"}
steps:
  - {code: reminder, day: 4, action: notify, channels: [email], template: reminder}
  - {code: look, day: 12, action: create_task}
"""
HARSH = f"""{MILD}
  - {{code: final, day: 8, action: notify, channels: [sms], template: final-notice}}
  - {{code: bar, day: 20, action: limit, rung: outgoing_barred, warned_by: final, notice_days: 3}}
"""


def test_cases_shown_as_moved_take_the_steps_that_they_take_when_they_are_moved() -> None:
    story = Story(FIRST, policy=MILD)
    story.account()
    story.service()
    story.bill(mar(1), "100.00")
    story.days_pass(until=mar(14))
    found = tried(HARSH, as_of=mar(15), days=12, moves_cases=True)
    at = noon(mar(14))
    target = writing.publish(
        writing.save_draft(policy_file.read(HARSH), actor="admin:ada", at=at), actor="admin:ben", at=at
    )
    moved = migrating.migrate([Case.objects.get().pk], target, actor="admin:ada", as_of=mar(14), at=at)
    assert moved.moved == 1
    for shown in found.tried.days:
        story.run(shown.on)
        steps, _messages, limits = what_came(shown.on)
        assert (shown.on, shown.steps) == (shown.on, steps)
        assert len(shown.limits) == limits.total()
        story.deliver()
    story.expect(
        steps=["03-05 reminder taken", "03-13 look taken", "03-15 final taken", "03-23 bar taken"],
    )


def test_a_limit_that_was_given_back_comes_again_although_the_day_ran_before_the_line_was_back() -> None:
    """The first instalment counts from the day that runs: its restore has not left when the day decides."""
    story = Story(FIRST)
    story.account()
    story.service()
    story.bill(mar(1), "60.00", ref="B1")
    story.bill(mar(2), "60.00", ref="B2")
    story.days_pass(until=mar(26))
    story.plan((mar(28), "30.00"), (mar(30), "30.00"), bills=["B1"])
    factories.make_payment(story.account_row(), "30.00", mar(28), bill_ref="B1")
    story.days_pass(until=date(2026, 4, 3))
    story.expect(
        steps=[
            "03-05 reminder taken",
            "03-12 warning taken",
            "03-19 final taken",
            "03-25 bar taken",
            "03-28 final taken",
            "04-02 suspend waiting: notice_running",
            "04-03 bar taken",
        ],
        moves=["03-02 overdue", "03-25 S1 outgoing_barred", "03-28 S1 active", "04-03 S1 outgoing_barred"],
    )


# --- any book ---------------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Book, list[tuple[str, str]], int]:
    """A book whose messages arrive at once, who pays for whom in it, and the day on whose eve it is tried."""
    book, tried_after = draw(anything.books(worlds=2, least=2, lifted=False)), draw(st.integers(1, 25))
    for document in book.policies:
        for step in document["steps"]:
            if "channels" in step:
                at_once = [channel for channel in step["channels"] if channel in ("sms", "in_app")]
                step["channels"] = at_once or ["sms"]
        document["limits_children"] = draw(st.booleans())
        document["calendar"]["count"] = draw(st.sampled_from(["calendar_days", "working_days"]))
        document["fees"]["late_fee"] = {"amount": "1", "percent": "2.5", "combine": "max"}
    payers: dict[str, str] = {}
    for who in book.people:
        others = [other.ref for other in book.people if other.currency == who.currency and other.ref < who.ref]
        if (parent := draw(st.sampled_from([None, *others]))) and parent not in payers:
            payers[who.ref] = parent
    # What nobody has undertaken yet, no dry run knows.
    facts = tuple(fact for fact in book.facts if fact.kind != "promise" or fact.on <= tried_after)
    return replace(book, facts=facts), list(payers.items()), tried_after


@settings(ANY_ORDER, max_examples=3)
@given(worlds())
def test_any_book_under_any_policy_goes_on_as_it_was_shown(world: tuple[Book, list[tuple[str, str]], int]) -> None:
    book, payers, tried_after = world
    texts = [policy_file.write(policy_file.tidy(document)) for document in book.policies]
    with forgotten(), tempfile.TemporaryDirectory() as folder:
        story = Story(anything.FIRST, policy=texts[0])
        publish(texts[1], on=story.today)
        anything.write(Path(folder), book)
        eve, at = story.today, noon(story.today)
        business_day.move_to(eve)
        with journey.gathering():
            import_folder(Path(folder), BOOK, on=eve, at=at, actor="import")
            for child, parent in payers:
                Account.objects.filter(ref=child).update(parent=Account.objects.get(ref=parent))
            settling.settle(as_of=eve, at=at)
            journey.react_to_all(as_of=eve, at=at)
        story.days_pass(until=anything.day(tried_after))
        come_true(story, texts[0], days=book.days - tried_after)
