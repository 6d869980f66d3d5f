"""Champion and challengers: which arm of a running experiment an account gets, and the rules that come with it.

An experiment lives inside one policy. An account comes up on the day on which the policy in force would open a case for
it; where it falls is a hash of its id, so every process, page and simulation sees the same arm without asking anybody,
and the assignment is written down once, on that day. ``dunning.experiment_course`` starts and ends experiments,
``dunning.experiment_results`` tells what came of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Prefetch, QuerySet

from dunning.models import Arm, Assignment, Experiment
from dunning.policy import PolicyRules
from dunning.trial_statistics import bucket

#: (experiment, account) to arm: assignments made before.
Assigned = Mapping[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class ArmRule:
    """An arm, ready to be asked."""

    pk: int
    code: str
    role: str
    #: A challenger's version; none: whatever version of the policy is published.
    version_id: int | None
    holdout_days: int | None
    stopped: bool
    #: The first bucket that is no longer its own: arms are laid over 0 to 9,999 in their order.
    ends_at: int


@dataclass(frozen=True, slots=True)
class Running:
    """A running experiment as of a day."""

    pk: int
    code: str
    name: str
    arms: tuple[ArmRule, ...]
    #: The first and the last day on which new accounts are assigned.
    starts_on: date
    ends_on: date

    def arm_of(self, account_ref: str) -> ArmRule:
        """The arm that an account new to the experiment gets; the champion in place of an arm that was stopped."""
        falls = bucket(self.code, account_ref)
        arm = next(arm for arm in self.arms if falls < arm.ends_at)
        return self.champion if arm.stopped else arm

    @property
    def champion(self) -> ArmRule:
        return next(arm for arm in self.arms if arm.role == Arm.Role.CHAMPION)

    def arm(self, pk: int) -> ArmRule:
        """The arm of that key; raises ``KeyError`` for another experiment's."""
        return {arm.pk: arm for arm in self.arms}[pk]


def running(*, as_of: date, until: date | None = None) -> dict[str, Running]:
    """The experiments under way on ``as_of``, by the code of their policy. Two queries, one when there are none.

    Included are those whose last day of assignment is over and whose accounts are still watched, and those that begin
    up to ``until``.
    """
    arms = Prefetch("arms", queryset=Arm.objects.order_by("position", "pk"))
    found = Experiment.objects.filter(state=Experiment.State.RUNNING, starts_on__lte=until or as_of)
    return {
        experiment.policy.code: _running(experiment, as_of)
        for experiment in found.select_related("policy").prefetch_related(arms)
    }


def _running(experiment: Experiment, as_of: date) -> Running:
    laid: list[ArmRule] = []
    for arm in experiment.arms.all():
        begins_at = laid[-1].ends_at if laid else 0
        laid.append(
            ArmRule(
                pk=arm.pk,
                code=arm.code,
                role=arm.role,
                version_id=arm.version_id,
                holdout_days=arm.holdout_days,
                stopped=arm.stopped_on is not None and arm.stopped_on <= as_of,
                ends_at=begins_at + arm.share,
            )
        )
    return Running(
        experiment.pk, experiment.code, experiment.name, tuple(laid), experiment.starts_on, experiment.ends_on
    )


def version_ids(experiments: Mapping[str, Running]) -> set[int]:
    """The versions of all challengers, to be read once a run by ``rulebook.rules_of``."""
    return {arm.version_id for running in experiments.values() for arm in running.arms if arm.version_id is not None}


class Treatment(NamedTuple):
    """What an account gets: the rules (none: it is left alone for now), its arm, and the experiment of the arm."""

    rules: PolicyRules | None
    arm: ArmRule | None = None
    experiment: Running | None = None
    #: Whether the arm is not written down yet.
    new: bool = False


def apply(
    chosen: PolicyRules,
    *,
    account_id: int,
    account_ref: str,
    age: int | None,
    experiments: Mapping[str, Running],
    rules_by_version: Mapping[int, PolicyRules],
    assigned: Assigned,
    as_of: date,
) -> Treatment:
    """The rules of an account without a case that ``chosen`` (published) would open one for, and its arm. No query.

    ``age`` is the days past due as the steps count them (``CaseFacts.age``). Whoever calls it asks ``policy.enters`` of
    ``chosen`` first, so that accounts come up on the same day whatever their arm, then opens a case when the rules
    given here are entered too, and passes the treatment to ``assign`` either way. An assignment made before
    (``assigned``) wins. An arm that was stopped keeps its accounts, to be counted, and treats new cases as the champion
    does; a holdout is left alone up to ``holdout_days`` past due. After the last day of assignment an account that has
    no arm gets none.
    """
    experiment = experiments.get(chosen.code)
    if experiment is None or as_of < experiment.starts_on:
        return Treatment(chosen)
    held = assigned.get((experiment.pk, account_id))
    if held is None and as_of > experiment.ends_on:
        return Treatment(chosen)
    arm = experiment.arm_of(account_ref) if held is None else experiment.arm(held)
    rules: PolicyRules | None = chosen
    if not arm.stopped and arm.role == Arm.Role.HOLDOUT and age is not None and age <= (arm.holdout_days or 0):
        rules = None
    elif not arm.stopped and arm.version_id is not None:
        rules = rules_by_version[arm.version_id]
    return Treatment(rules, arm, experiment, new=held is None)


def assigned(experiment_ids: Collection[int], account_ids: Collection[int]) -> dict[tuple[int, int], int]:
    """The arms that these accounts have in these experiments, by (experiment, account). One query, none for none."""
    if not experiment_ids or not account_ids:
        return {}
    rows = Assignment.objects.filter(experiment__in=experiment_ids, account__in=account_ids)
    return {(experiment, account): arm for experiment, account, arm in rows.values_list(*_KEYS)}


_KEYS = ("experiment_id", "account_id", "arm_id")


class Assigning(NamedTuple):
    """An account that came up: its treatment, and what is past due on it (with what it pays for) today."""

    account_id: int
    treatment: Treatment
    overdue: Decimal


def assign(rows: Sequence[Assigning], *, as_of: date) -> None:
    """Write new arms down; an account that has one in the experiment keeps it. One statement for two thousand rows.

    Left out is who has no new arm, and who has nothing past due: there is nothing to collect a share of.
    """
    Assignment.objects.bulk_create(
        [
            Assignment(
                experiment_id=row.treatment.experiment.pk,
                arm_id=row.treatment.arm.pk,
                account_id=row.account_id,
                on=as_of,
                overdue=row.overdue,
            )
            for row in rows
            if row.treatment.new and row.treatment.arm and row.treatment.experiment and row.overdue > 0
        ],
        ignore_conflicts=True,
        batch_size=2_000,
    )


class Membership(NamedTuple):
    """An arm that an account has or had."""

    experiment: str
    arm: str
    on: date
    #: Whether the experiment still runs.
    running: bool


def arms_of(account_id: int) -> QuerySet[Assignment]:
    """The assignments of an account, the latest first; ``memberships`` tells them."""
    return Assignment.objects.filter(account=account_id).select_related("experiment", "arm").order_by("-on", "-pk")


def memberships(rows: Iterable[Assignment]) -> list[Membership]:
    """The arms of an account, for its page. No query."""
    return [
        Membership(row.experiment.name, row.arm.code, row.on, row.experiment.state == Experiment.State.RUNNING)
        for row in rows
    ]


def arm_of(account_id: int) -> list[Membership]:
    """The arms of an account, the latest first. One query."""
    return memberships(arms_of(account_id))
