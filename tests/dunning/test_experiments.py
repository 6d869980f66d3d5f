"""Experiments: who gets which arm, what cannot change, what came of it, and what stops by itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from accounts import events
from accounts.models import Account, AccountEvent, Customer, Payment
from dunning import experiment_course, experiment_results, experiments, kinds, policy_file, rulebook, writing
from dunning.experiment_course import CannotEnd, CannotStart, CannotStop, CannotTry
from dunning.experiments import Assigning, Treatment
from dunning.models import Arm, Assignment, Experiment, GuardRail, PolicyVersion, ServiceOrder, Step
from dunning.trial_statistics import Verdict, bucket
from tests.dunning.test_writing import RESIDENTIAL
from tests.factories import TODAY, make_account, make_payment, make_service, moment

pytestmark = pytest.mark.django_db

ADA, BEA = "agent:ada", "agent:bea"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _fresh_rulebook() -> Iterable[None]:
    """Keys of versions come again after a test is rolled back."""
    rulebook.forget()
    yield
    rulebook.forget()


def a_version(state: str = "draft", *, by: str = ADA, **changes: Any) -> PolicyVersion:
    """A version of the policy ``residential``, brought to that state without the ceremonies of publishing."""
    document = policy_file.read(RESIDENTIAL) | changes
    version = writing.save_draft(document, actor=by, at=moment())
    if state == "retired":
        PolicyVersion.objects.filter(pk=version.pk).update(state="trial")
    if state != "draft":
        columns = {"published_by": by, "published_at": moment()} if state == "published" else {}
        PolicyVersion.objects.filter(pk=version.pk).update(state=state, **columns)
        version.refresh_from_db()
    return version


def planned(*arms: dict[str, Any], state: str = "trial", **columns: Any) -> Experiment:
    """A champion with version 1, a challenger with version 2, half and half; or the arms given."""
    if not PolicyVersion.objects.filter(state="published").exists():
        a_version("published")
    version = a_version(state, name="Softer", min_gap_days=3)
    experiment = Experiment.objects.create(
        **{
            "code": "spring",
            "name": "Spring",
            "policy": version.policy,
            "starts_on": TODAY,
            "ends_on": TODAY + 60 * DAY,
            "metric_days": 30,
            "created_by": ADA,
            "created_at": moment(),
            **columns,
        }
    )
    for position, arm in enumerate(arms or (champion(5_000), challenger(5_000))):
        arm = {**arm, "version": version if arm["role"] == "challenger" else None}
        Arm.objects.create(experiment=experiment, position=position, **arm)
    return experiment


def champion(share: int) -> dict[str, Any]:
    return {"code": "as-is", "role": "champion", "share": share}


def challenger(share: int, code: str = "softer") -> dict[str, Any]:
    return {"code": code, "role": "challenger", "share": share}


def holdout(share: int, days: int = 10) -> dict[str, Any]:
    return {"code": "nothing", "role": "holdout", "share": share, "holdout_days": days}


def start(experiment: Experiment, *, actor: str = BEA, as_of: date = TODAY) -> Experiment:
    return experiment_course.start(experiment, actor=actor, at=moment(as_of), as_of=as_of)


def started(*arms: dict[str, Any], **columns: Any) -> Experiment:
    return start(planned(*arms, **columns))


def arm(experiment: Experiment, code: str) -> Arm:
    return experiment.arms.get(code=code)


def treat(ref: str, *, pk: int = 1, age: int = 1, as_of: date = TODAY, assigned: Any = None) -> Treatment:
    under_way = experiments.running(as_of=as_of)
    published = rulebook.published()[0]
    return experiments.apply(
        published,
        account_id=pk,
        account_ref=ref,
        age=age,
        experiments=under_way,
        rules_by_version=rulebook.rules_of(experiments.version_ids(under_way)),
        assigned=assigned or {},
        as_of=as_of,
    )


def come_up(*accounts: Account, as_of: date = TODAY, overdue: str = "100.00") -> None:
    """The accounts' day: as the day's run asks and writes down."""
    under_way = experiments.running(as_of=as_of)
    before = experiments.assigned([running.pk for running in under_way.values()], [row.pk for row in accounts])
    rows = [
        Assigning(row.pk, treat(row.ref, pk=row.pk, as_of=as_of, assigned=before), Decimal(overdue)) for row in accounts
    ]
    experiments.assign(rows, as_of=as_of)


def a_crowd(experiment: Experiment, count: int, *codes: str, on: date = TODAY) -> dict[str, list[int]]:
    """So many accounts in each of those arms, assigned on that day with 100 past due each; their keys by arm."""
    customer = Customer.objects.first() or Customer.objects.create(ref="crowd", name="Crowd", country="GB")
    crowd: dict[str, list[int]] = {}
    for code in codes or [row.code for row in experiment.arms.all()]:
        rows = Account.objects.bulk_create(
            [
                Account(ref=f"{code}-{on}-{number}", customer=customer, currency="EUR", opened_on=date(2020, 1, 1))
                for number in range(count)
            ]
        )
        crowd[code] = [row.pk for row in rows]
        Assignment.objects.bulk_create(
            [
                Assignment(experiment=experiment, arm=arm(experiment, code), account=row, on=on, overdue=100)
                for row in rows
            ]
        )
    return crowd


def pay(keys: Iterable[int], amount: str, on: date) -> None:
    Payment.objects.bulk_create(
        [Payment(ref=f"P-{pk}-{on}-{amount}", account_id=pk, received_on=on, amount=Decimal(amount)) for pk in keys]
    )


def happen(keys: Iterable[int], kind: str, on: date, **payload: Any) -> None:
    events.record_many([events.EventRow(pk, kind, "test", moment(on), on, payload=payload) for pk in keys])


def limit(keys: Iterable[int], on: date, *, state: str = "confirmed", kind: str = "limit") -> None:
    for pk in keys:
        service = make_service(Account.objects.get(pk=pk))
        ServiceOrder.objects.create(
            account_id=pk, service=service, key=f"{pk}.{on}.{kind}", kind=kind, rung="suspended", made_on=on,
            state=state, confirmed_at=moment(on) if state == "confirmed" else None,
        )  # fmt: skip


class TestWhoGetsWhichArm:
    def test_an_account_keeps_falling_where_it_fell(self) -> None:
        started()
        first = [treat(f"A{number}").arm for number in range(50)]
        assert [treat(f"A{number}", as_of=TODAY + 20 * DAY).arm for number in range(50)] == first
        assert {found.code for found in first if found} == {"as-is", "softer"}

    def test_shares_are_laid_over_the_buckets_in_order(self) -> None:
        started(champion(5_000), challenger(3_000), holdout(2_000))
        running = experiments.running(as_of=TODAY)["residential"]
        expected = {range(5_000): "as-is", range(5_000, 8_000): "softer", range(8_000, 10_000): "nothing"}
        refs = [f"A{number}" for number in range(3_000)]
        for ref in refs:
            falls = bucket("spring", ref)
            assert running.arm_of(ref).code == next(code for part, code in expected.items() if falls in part)
        counts = Counter(running.arm_of(ref).code for ref in refs)
        for code, share in (("as-is", 0.5), ("softer", 0.3), ("nothing", 0.2)):
            assert abs(counts[code] - 3_000 * share) < 3.3 * (3_000 * share * (1 - share)) ** 0.5

    def test_each_arm_gets_its_rules(self) -> None:
        started()
        numbers = {found.arm.code: found.rules.number for ref in range(50) if (found := treat(f"A{ref}")).arm}  # type: ignore[union-attr]
        assert numbers == {"as-is": 1, "softer": 2}

    def test_without_an_experiment_everybody_gets_what_is_published(self) -> None:
        planned()
        assert treat("A1") == Treatment(rulebook.published()[0])

    def test_it_begins_on_its_first_day_and_takes_nobody_new_after_its_last(self) -> None:
        experiment = started(starts_on=TODAY + 2 * DAY)
        assert treat("A1", as_of=TODAY + DAY).arm is None
        assert treat("A1", as_of=TODAY + 2 * DAY).arm is not None
        assert treat("A1", as_of=experiment.ends_on).arm is not None
        assert treat("A1", as_of=experiment.ends_on + DAY).arm is None
        softer = arm(experiment, "softer")
        late = treat("A1", pk=7, as_of=experiment.ends_on + DAY, assigned={(experiment.pk, 7): softer.pk})
        assert late.arm is not None
        assert late.arm.code == "softer"

    def test_a_holdout_is_left_alone_and_then_treated(self) -> None:
        started(champion(1), holdout(9_999, days=10))
        left = treat("A1", age=10)
        assert left.rules is None
        assert left.arm is not None
        assert left.arm.code == "nothing"
        treated = treat("A1", age=11)
        assert treated.rules is not None
        assert treated.rules.number == 1
        assert treated.arm == left.arm

    def test_reading_takes_two_queries_and_asking_none(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        started()
        with django_assert_num_queries(2):
            under_way = experiments.running(as_of=TODAY)
        rules = rulebook.rules_of(experiments.version_ids(under_way))
        published = rulebook.published()[0]
        with django_assert_num_queries(0):
            for number in range(100):
                experiments.apply(
                    published,
                    account_id=number,
                    account_ref=f"A{number}",
                    age=1,
                    experiments=under_way,
                    rules_by_version=rules,
                    assigned={},
                    as_of=TODAY,
                )


class TestAssignments:
    def test_an_account_is_assigned_once_and_stays(self) -> None:
        experiment = started()
        account = make_account()
        come_up(account)
        first = Assignment.objects.get(account=account)
        come_up(account, as_of=TODAY + 5 * DAY, overdue="7.00")
        # Two workers at the same account: the second writes what the first wrote, or nothing.
        stale = Assigning(account.pk, treat(account.ref, pk=account.pk), Decimal(1))
        experiments.assign([stale], as_of=TODAY + 6 * DAY)
        again = Assignment.objects.get(account=account)
        assert (again.pk, again.arm_id, again.on, again.overdue) == (first.pk, first.arm_id, TODAY, Decimal(100))
        assert [tuple(row) for row in experiments.arm_of(account.pk)] == [
            (experiment.name, first.arm.code, TODAY, True)
        ]

    def test_nobody_is_assigned_with_nothing_past_due(self) -> None:
        started()
        come_up(make_account(), overdue="0.00")
        assert not Assignment.objects.exists()

    def test_a_stopped_arm_keeps_its_accounts_and_gets_no_new_ones(self) -> None:
        experiment = started(champion(1), challenger(9_999))
        account = make_account()
        come_up(account)
        assert treat(account.ref).rules.number == 2  # type: ignore[union-attr]
        experiment_course.stop_arm(
            arm(experiment, "softer"), actor=BEA, at=moment(), as_of=TODAY + DAY, reason="It hurts."
        )
        held = experiments.assigned([experiment.pk], [account.pk])
        later = treat(account.ref, pk=account.pk, as_of=TODAY + 3 * DAY, assigned=held)
        assert later.arm is not None
        assert later.arm.code == "softer"
        assert not later.new
        assert later.rules is not None
        assert later.rules.number == 1, "a new case of its accounts is treated as the champion's"
        fresh = treat(account.ref, pk=account.pk + 1, as_of=TODAY + 3 * DAY)
        assert fresh.arm is not None
        assert fresh.arm.code == "as-is"

    def test_the_database_takes_many_at_once(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        started()
        accounts = [make_account() for _ in range(20)]
        rows = [Assigning(row.pk, treat(row.ref, pk=row.pk), Decimal(50)) for row in accounts]
        with django_assert_num_queries(1):
            experiments.assign(rows, as_of=TODAY)
        assert Assignment.objects.count() == 20


class TestBeginning:
    def test_it_needs_what_it_compares(self) -> None:
        experiment = planned(
            {**champion(4_000), "code": "one"}, challenger(4_000), {**holdout(1_000), "holdout_days": None}
        )
        Experiment.objects.filter(pk=experiment.pk).update(metric_days=0)
        GuardRail.objects.create(experiment=experiment, metric="complaints", max_worse="-1")
        with pytest.raises(CannotStart) as refused:
            start(experiment)
        assert str(refused.value) == (
            "The shares come to 90.00 %, not to 100 %. nothing: a holdout, and nothing else, is left alone for a "
            "number of days. The metric needs at least one day. A guard rail allows nought or more percentage points."
        )

    def test_a_champion_and_somebody_to_compare_with(self) -> None:
        with pytest.raises(CannotStart, match="exactly one champion"):
            start(planned(challenger(5_000), challenger(5_000, "harder")))
        with pytest.raises(CannotStart, match="a challenger or a holdout"):
            start(planned(champion(10_000), code="second"))

    def test_the_one_who_planned_it_does_not_start_it(self, settings: Any) -> None:
        experiment = planned()
        with pytest.raises(CannotStart, match="Somebody else"):
            start(experiment, actor=ADA)
        settings.DESK_PUBLISH_FOUR_EYES = False
        assert start(experiment, actor=ADA).started_by == ADA

    def test_it_starts_once(self) -> None:
        experiment = started()
        assert AccountEvent.objects.get(kind=kinds.EXPERIMENT_STARTED).payload == {
            "experiment": "spring", "metric": "collected", "metric_days": 30, "arms": {"as-is": 5000, "softer": 5000},
        }  # fmt: skip
        with pytest.raises(CannotStart, match="running already"):
            start(experiment)

    def test_one_experiment_a_policy_at_a_time(self) -> None:
        started()
        with pytest.raises(CannotStart, match="Spring runs on residential already"):
            start(planned(code="second", name="Second"))

    def test_a_draft_is_put_on_trial_first_and_is_fixed_then(self) -> None:
        experiment = planned(state="draft")
        version = arm(experiment, "softer").version
        assert version is not None
        with pytest.raises(CannotStart, match="is a draft: put it on trial first"):
            start(experiment)
        experiment_course.put_on_trial(version, actor=BEA, at=moment())
        with pytest.raises(CannotTry, match="is on trial; only a draft"):
            experiment_course.put_on_trial(version, actor=BEA, at=moment())
        start(experiment)
        assert AccountEvent.objects.get(kind=kinds.POLICY_PUT_ON_TRIAL).policy == "residential@2"
        for change in ({"min_gap_days": 9}, {"state": "draft"}, {"published_by": "me"}):
            with pytest.raises(DatabaseError), transaction.atomic():
                PolicyVersion.objects.filter(pk=version.pk).update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            Step.objects.filter(version=version).update(day=1)
        with pytest.raises(DatabaseError), transaction.atomic():
            PolicyVersion.objects.filter(pk=version.pk).delete()

    def test_a_challenger_is_for_the_champions_accounts(self) -> None:
        experiment = planned()
        other = a_version("trial", applies_to={"kind": ["business"]})
        arm_ = arm(experiment, "softer")
        Arm.objects.filter(pk=arm_.pk).update(version=other)
        with pytest.raises(CannotStart, match="residential@3 is for other accounts than residential@1"):
            start(experiment)
        dollars = a_version("trial", exits={"max_amount": {"USD": "0.00"}})
        Arm.objects.filter(pk=arm_.pk).update(version=dollars)
        with pytest.raises(CannotStart, match="residential@4 names no amounts in every currency"):
            start(experiment)

    def test_no_version_of_another_policy_and_none_that_is_published(self) -> None:
        experiment = planned()
        foreign = a_version("trial", code="other")
        Arm.objects.filter(code="softer").update(version=foreign)
        with pytest.raises(CannotStart, match="other@1 is a version of another policy"):
            start(experiment)
        Arm.objects.filter(code="softer").update(version=PolicyVersion.objects.get(state="published"))
        with pytest.raises(CannotStart, match="it is what the champion gets"):
            start(experiment)

    def test_an_earlier_first_day_becomes_the_day_of_the_start(self) -> None:
        experiment = planned(starts_on=TODAY - 9 * DAY)
        assert start(experiment).starts_on == TODAY
        with pytest.raises(CannotStart, match="last day is past"):
            start(planned(code="second", starts_on=TODAY - 9 * DAY, ends_on=TODAY - DAY))


class TestResults:
    AS_OF = TODAY + 31 * DAY

    def told(self, experiment: Experiment, metric: str, as_of: date = AS_OF) -> dict[str, Any]:
        found = experiment_results.results(experiment, as_of=as_of)
        return {row.arm.code: row for one in found.metrics if one.metric == metric for row in one.arms}

    def test_collected_is_what_was_in_hand_on_day_n_of_what_was_past_due(self) -> None:
        experiment = started()
        keys = a_crowd(experiment, 6, "as-is")["as-is"]
        pay(keys[:1], "40.00", TODAY + DAY)
        pay(keys[:1], "20.00", TODAY + 30 * DAY)
        pay(keys[1:2], "250.00", TODAY + 2 * DAY)  # more than was past due
        pay(keys[2:3], "100.00", TODAY)  # on the day itself
        pay(keys[3:4], "100.00", TODAY + 31 * DAY)  # too late
        bounced = make_payment(Account.objects.get(pk=keys[4]), "80.00", TODAY + 3 * DAY)
        make_payment(bounced.account, "80.00", TODAY + 9 * DAY, reverses=bounced)
        child = make_account(parent_id=keys[5])
        make_payment(child, "50.00", TODAY + 4 * DAY)
        alone = make_account(parent_id=keys[5], pays_itself=True)
        make_payment(alone, "50.00", TODAY + 4 * DAY)
        before = make_payment(Account.objects.get(pk=keys[0]), "30.00", TODAY - DAY)
        make_payment(before.account, "30.00", TODAY + 2 * DAY, reverses=before)  # of an earlier debt
        row = self.told(experiment, "collected")["as-is"]
        assert row.n == 6
        assert row.value == pytest.approx((0.6 + 1 + 0 + 0 + 0 + 0.5) / 6)

    def test_only_accounts_whose_days_are_over_count(self) -> None:
        experiment = started()
        a_crowd(experiment, 3)
        a_crowd(experiment, 2, on=TODAY + DAY)
        rows = self.told(experiment, "cured")
        assert [(row.n, row.under_way) for row in rows.values()] == [(3, 2), (3, 2)]
        assert [row.n for row in self.told(experiment, "cured", TODAY + 30 * DAY).values()] == [0, 0]

    def test_cured_complaints_and_limits_are_counted_once_an_account_within_the_days(self) -> None:
        experiment = started()
        keys = a_crowd(experiment, 10, "softer")["softer"]
        happen(keys[:4], events.STATUS_CHANGED, TODAY + 30 * DAY, to="current")
        happen(keys[:2], events.STATUS_CHANGED, TODAY + 9 * DAY, to="current")
        happen(keys[4:5], events.STATUS_CHANGED, TODAY + 31 * DAY, to="current")
        happen(keys[5:6], events.STATUS_CHANGED, TODAY + 3 * DAY, to="collections")
        happen(keys[:3], kinds.COMPLAINT, TODAY + 3 * DAY)
        happen(keys[:1], kinds.COMPLAINT, TODAY + 4 * DAY)
        limit(keys[:2], TODAY + 12 * DAY)
        limit(keys[2:3], TODAY + 31 * DAY)
        limit(keys[3:4], TODAY + 12 * DAY, state="failed")
        limit(keys[4:5], TODAY + 12 * DAY, kind="restore")
        told = {metric: self.told(experiment, metric)["softer"] for metric in Experiment.Metric.values}
        assert told["cured"].value == pytest.approx(0.4)
        assert told["complaints"].value == pytest.approx(0.3)
        assert told["suspensions"].value == pytest.approx(0.2)

    def test_the_accounts_of_a_stopped_arm_go_on_being_counted(self) -> None:
        experiment = started()
        keys = a_crowd(experiment, 40)
        experiment_course.stop_arm(
            arm(experiment, "softer"), actor=BEA, at=moment(), as_of=TODAY + DAY, reason="Enough."
        )
        happen(keys["softer"], events.STATUS_CHANGED, TODAY + 20 * DAY, to="current")
        row = self.told(experiment, "cured")["softer"]
        assert (row.n, row.value, row.verdict) == (40, 1.0, Verdict.BETTER)

    def test_the_named_metric_comes_first_and_alone_decides(self) -> None:
        experiment = started(metric="suspensions")
        a_crowd(experiment, 2)
        found = experiment_results.results(experiment, as_of=self.AS_OF)
        assert [(one.metric, one.decides) for one in found.metrics] == [
            ("suspensions", True), ("collected", False), ("cured", False), ("complaints", False),
        ]  # fmt: skip
        assert found.metrics[0].label == "Share of accounts limited by day 30"
        assert found.metrics[0].note == ""
        assert {one.note for one in found.metrics[1:3]} == {experiment_results.NOT_NAMED}

    def test_no_complaints_at_all_say_nothing(self) -> None:
        experiment = started()
        a_crowd(experiment, 40)
        found = experiment_results.results(experiment, as_of=self.AS_OF).metrics[2]
        assert found.metric == "complaints"
        assert found.arms == ()
        assert experiment_results.NO_COMPLAINTS in found.note
        happen([make_account().pk], kinds.COMPLAINT, TODAY)
        found = experiment_results.results(experiment, as_of=self.AS_OF).metrics[2]
        assert [row.value for row in found.arms] == [0, 0]

    def test_verdicts_follow_the_metric_and_the_number_of_accounts(self) -> None:
        experiment = started(champion(4_000), challenger(3_000), challenger(2_000, "alike"), holdout(1_000))
        keys = {**a_crowd(experiment, 100, "as-is", "softer", "alike"), **a_crowd(experiment, 29, "nothing")}
        for code, paying in (("as-is", 50), ("softer", 80), ("alike", 52), ("nothing", 0)):
            pay(keys[code][:paying], "100.00", TODAY + 5 * DAY)
        rows = self.told(experiment, "collected")
        assert {code: row.verdict for code, row in rows.items()} == {
            "as-is": None, "softer": Verdict.BETTER, "alike": Verdict.UNSEEN, "nothing": Verdict.TOO_FEW,
        }  # fmt: skip
        assert rows["softer"].difference == pytest.approx(0.3)
        assert rows["softer"].difference_interval.low > 0.1

    def test_many_accounts_take_a_few_statements(self, django_assert_max_num_queries: Any) -> None:
        experiment = started()
        keys = a_crowd(experiment, 500)
        pay(keys["softer"], "10.00", TODAY + DAY)
        with django_assert_max_num_queries(4):
            experiment_results.results(experiment, as_of=self.AS_OF)


class TestGuardRails:
    def guarded(self, metric: str = "suspensions", max_worse: str = "2", **columns: Any) -> Experiment:
        experiment = planned(**columns)
        GuardRail.objects.create(experiment=experiment, metric=metric, max_worse=max_worse)
        return start(experiment)

    def watch(self, as_of: date) -> list[str]:
        return experiment_course.watch(as_of=as_of, at=moment(as_of))

    def test_an_arm_that_limits_many_more_is_stopped_before_its_days_are_over(self) -> None:
        experiment = self.guarded()
        keys = a_crowd(experiment, 60)
        limit(keys["softer"][:20], TODAY + 5 * DAY)
        limit(keys["as-is"][:2], TODAY + 5 * DAY)
        assert self.watch(TODAY + 4 * DAY) == []
        told = self.watch(TODAY + 5 * DAY)
        stopped = arm(experiment, "softer")
        assert stopped.stopped_on == TODAY + 5 * DAY
        assert stopped.stop_reason == (
            "Accounts limited: 33.3 % against the champion's 3.3 %, worse by 12.1 to 46.8 percentage points where 2 "
            "are allowed."
        )
        assert told == [f"Spring: softer stopped. {stopped.stop_reason}"]
        event = AccountEvent.objects.get(kind=kinds.EXPERIMENT_ARM_STOPPED)
        assert (event.actor, event.payload["arm"], event.payload["arm_accounts"]) == (
            experiment_course.ACTOR,
            "softer",
            60,
        )
        assert self.watch(TODAY + 5 * DAY) == []
        assert AccountEvent.objects.filter(kind=kinds.EXPERIMENT_ARM_STOPPED).count() == 1

    def test_chance_stops_nobody(self) -> None:
        experiment = self.guarded(max_worse="0")
        keys = a_crowd(experiment, 150)
        chance = random.Random(5)
        for day in range(1, 30):
            for code in keys:
                limit([pk for pk in keys[code] if chance.random() < 0.004], TODAY + day * DAY)
            assert self.watch(TODAY + day * DAY) == []
        assert ServiceOrder.objects.count() > 20

    def test_less_collected_is_judged_once_the_days_are_over(self) -> None:
        experiment = self.guarded("collected", "5")
        keys = a_crowd(experiment, 80)
        pay(keys["as-is"][:60], "100.00", TODAY + 5 * DAY)
        pay(keys["softer"][:20], "100.00", TODAY + 5 * DAY)
        assert self.watch(TODAY + 30 * DAY) == []
        assert len(self.watch(TODAY + 31 * DAY)) == 1
        assert arm(experiment, "softer").stop_reason.startswith("Collected: 25.0 % against the champion's 75.0 %")

    def test_fewer_than_thirty_accounts_stop_nobody(self) -> None:
        experiment = self.guarded()
        limit(a_crowd(experiment, 29)["softer"], TODAY + DAY)
        assert self.watch(TODAY + 2 * DAY) == []

    def test_what_falls_to_the_champion_later_does_not_make_another_arm_look_worse(self) -> None:
        """The champion of a stopped arm gets accounts that have had less time for anything to happen."""
        experiment = planned(champion(2_000), challenger(4_000), challenger(4_000, "harder"))
        GuardRail.objects.create(experiment=experiment, metric="suspensions", max_worse="2")
        start(experiment)
        keys = a_crowd(experiment, 60)
        experiment_course.stop_arm(
            arm(experiment, "harder"), actor=BEA, at=moment(), as_of=TODAY + DAY, reason="Enough."
        )
        limit([*keys["softer"][:20], *keys["as-is"][:20]], TODAY + 12 * DAY)
        a_crowd(experiment, 300, "as-is", on=TODAY + 12 * DAY)
        assert self.watch(TODAY + 13 * DAY) == []
        assert self.watch(TODAY + 31 * DAY) == []

    def test_it_ends_when_the_days_of_its_last_accounts_are_over(self) -> None:
        experiment = self.guarded()
        last = experiment.ends_on + 30 * DAY
        assert self.watch(last) == []
        assert self.watch(last + DAY) == ["Spring ended: the 30 days of its last accounts are over."]
        assert self.watch(last + DAY) == []
        experiment.refresh_from_db()
        assert (experiment.state, experiment.ended_on) == ("ended", last + DAY)
        assert experiment_course.undecided(experiment)


class TestStoppingAndEnding:
    def end(self, experiment: Experiment, winner: str = "", *, actor: str = BEA) -> Experiment:
        won = arm(experiment, winner) if winner else None
        return experiment_course.end(
            experiment, actor=actor, at=moment(), as_of=TODAY + 9 * DAY, reason="Seen enough.", winner=won
        )

    def states(self) -> list[str]:
        return list(PolicyVersion.objects.order_by("number").values_list("state", flat=True))

    def test_only_a_running_challenger_or_holdout_is_stopped(self) -> None:
        experiment = planned()
        stop: Callable[[str], Arm] = lambda code: experiment_course.stop_arm(  # noqa: E731
            arm(experiment, code), actor=BEA, at=moment(), as_of=TODAY, reason="Enough."
        )
        with pytest.raises(CannotStop, match="does not run"):
            stop("softer")
        start(experiment)
        with pytest.raises(CannotStop, match="end the experiment instead"):
            stop("as-is")
        assert stop("softer").stopped_on == TODAY
        with pytest.raises(CannotStop, match="was stopped on 2026-03-10 already"):
            stop("softer")

    def test_the_winner_is_published_and_the_champion_retired(self) -> None:
        experiment = started()
        ended = self.end(experiment, "softer")
        assert (ended.state, ended.ended_on, ended.end_reason) == ("ended", TODAY + 9 * DAY, "Seen enough.")
        assert self.states() == ["retired", "published"]
        version = PolicyVersion.objects.get(number=2)
        assert (version.published_by, version.published_at) == (BEA, moment())
        assert AccountEvent.objects.get(kind=kinds.POLICY_PUBLISHED).policy == "residential@2"
        assert AccountEvent.objects.get(kind=kinds.EXPERIMENT_ENDED).payload["winner"] == "softer"
        assert treat("A1") == Treatment(rulebook.published()[0])
        with pytest.raises(CannotEnd, match="has ended"):
            self.end(experiment)

    @pytest.mark.parametrize("winner", ["", "as-is"])
    def test_without_a_winner_the_version_on_trial_is_retired(self, winner: str) -> None:
        self.end(started(), winner)
        assert self.states() == ["published", "retired"]

    def test_what_ended_by_itself_is_decided_afterwards(self) -> None:
        experiment = started()
        over = experiment.ends_on + 31 * DAY
        experiment_course.watch(as_of=over, at=moment(over))
        assert self.states() == ["published", "trial"]
        ended = self.end(experiment, "softer")
        assert ended.ended_on == over
        assert self.states() == ["retired", "published"]
        assert not experiment_course.undecided(ended)

    def test_a_version_that_another_experiment_plans_with_stays_on_trial(self) -> None:
        experiment = started()
        second = planned(code="second")
        Arm.objects.filter(experiment=second, role="challenger").update(version=arm(experiment, "softer").version)
        self.end(experiment)
        assert self.states()[:2] == ["published", "trial"]

    def test_who_wrote_it_does_not_publish_it(self, settings: Any) -> None:
        experiment = started()
        with pytest.raises(CannotEnd, match="than the one who wrote it"):
            self.end(experiment, "softer", actor=ADA)
        experiment.refresh_from_db()
        assert experiment.state == "running"
        settings.DESK_PUBLISH_FOUR_EYES = False
        self.end(experiment, "softer", actor=ADA)

    def test_neither_a_holdout_nor_a_stopped_arm_wins(self) -> None:
        experiment = started(champion(5_000), challenger(3_000), holdout(2_000))
        with pytest.raises(CannotEnd, match="with a version of its own"):
            self.end(experiment, "nothing")
        experiment_course.stop_arm(arm(experiment, "softer"), actor=BEA, at=moment(), as_of=TODAY, reason="It hurts.")
        with pytest.raises(CannotEnd, match="softer was stopped: It hurts"):
            self.end(experiment, "softer")

    def test_a_retired_version_is_tried_again_and_published_as_a_new_draft_only(self) -> None:
        experiment = started(state="retired")
        assert not experiment_course.may_win(arm(experiment, "softer"))
        with pytest.raises(CannotEnd, match="is retired: make a draft of it"):
            self.end(experiment, "softer")

    def test_a_planned_one_is_deleted_not_ended(self) -> None:
        with pytest.raises(CannotEnd, match="has not begun"):
            self.end(planned())


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def both(self, *deeds: Callable[[], Any]) -> list[str]:
        def attempt(deed: Callable[[], Any]) -> str:
            try:
                deed()
            except (CannotStart, CannotEnd) as refusal:
                return str(refusal)
            else:
                return "done"
            finally:
                connection.close()

        with ThreadPoolExecutor(len(deeds)) as pool:
            return sorted(pool.map(attempt, deeds))

    def test_two_people_start_the_same_experiment(self) -> None:
        experiment = planned()
        told = self.both(lambda: start(experiment), lambda: start(experiment, actor="agent:cem"))
        assert told == ["The experiment is running already.", "done"]
        assert AccountEvent.objects.filter(kind=kinds.EXPERIMENT_STARTED).count() == 1

    def test_two_people_start_two_experiments_of_one_policy(self) -> None:
        first, second = planned(), planned(code="second", name="Second")
        told = self.both(lambda: start(first), lambda: start(second))
        assert sorted(text[-33:] for text in told) == ["done", "residential already: one at a time."[-33:]]
        assert Experiment.objects.filter(state="running").count() == 1


class TestTheDatabaseRefuses:
    """A started experiment is what it was planned as, whoever asks."""

    def refuses(self, change: Callable[[], Any]) -> None:
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            change()

    def test_a_plan_may_change_until_it_is_started(self) -> None:
        experiment = planned()
        Experiment.objects.filter(pk=experiment.pk).update(metric="cured", metric_days=7)
        experiment.arms.filter(code="softer").update(share=4_000)
        experiment.delete()
        assert not Arm.objects.exists()

    def test_nothing_of_it_changes_afterwards(self) -> None:
        experiment = started()
        other = planned(code="second")
        rail = GuardRail(experiment=experiment, metric="cured", max_worse=1)
        account = make_account()
        come_up(account)
        mine = Experiment.objects.filter(pk=experiment.pk)
        for change in (
            {"metric": "cured"},
            {"metric_days": 5},
            {"ends_on": TODAY},
            {"code": "x"},
            {"state": "planned"},
        ):
            self.refuses(lambda change=change: mine.update(**change))
        for change in ({"share": 1}, {"holdout_days": 4}, {"code": "x"}, {"experiment": other}):
            self.refuses(lambda change=change: experiment.arms.filter(code="softer").update(**change))
        self.refuses(lambda: other.arms.filter(code="as-is").update(experiment=experiment))
        self.refuses(lambda: rail.save())
        self.refuses(
            lambda: Arm.objects.create(experiment=experiment, code="late", role="holdout", share=1, holdout_days=3)
        )
        self.refuses(lambda: Assignment.objects.update(overdue=1))
        self.refuses(lambda: Assignment.objects.all()._raw_delete("default"))
        self.refuses(lambda: mine._raw_delete("default"))
