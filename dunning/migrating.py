"""Open cases moved to another version: which can, which cannot and why, and the moving.

A case is pinned to the version it opened under. Moving it changes what comes next and nothing that was: the steps it
has had stay had, its warnings go on counting by their codes, and what the new version asks for before the stage the
case has reached is passed over, so that nobody is taken back to a step that is behind him. A warning is not passed over
while a step that is still ahead rests on it: nothing that hurts comes without one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.refusals import Refused
from dunning import cases, kinds, policy, reading, rulebook
from dunning.models import Case, CaseStep, Experiment, Notice, Placement, Policy, PolicyVersion, ServiceOrder
from dunning.policy import PolicyRules

CHUNK = 1_000

#: Cases may be moved to what the database keeps from changing.
TARGETS = (PolicyVersion.State.PUBLISHED, PolicyVersion.State.TRIAL)


class CannotMigrate(Refused):
    """The version is not one that cases can be pinned to."""

    code = "conflict"


class CaseRow(NamedTuple):
    """An open case, as the lists of the pre-check show it."""

    case_id: int
    account_id: int
    account_ref: str
    #: The version it is pinned to, ``residential@1``.
    version: str
    opened_on: date
    #: The last step taken; empty before the first.
    stage: str


@dataclass(slots=True)
class Check:
    """The open cases asked about, in order of their keys: those that can move, and those that cannot, each with why."""

    can: list[CaseRow] = field(default_factory=list)
    cannot: list[tuple[CaseRow, str]] = field(default_factory=list)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """The reasons with how many cases each keeps, the most frequent first."""
        return Counter(reason for _row, reason in self.cannot).most_common()


class Refusal(NamedTuple):
    """A case that was to be moved and was not."""

    case_id: int
    reason: str


class Moved(NamedTuple):
    """What came of a move: how many cases went, and those that stayed."""

    moved: int
    refused: list[Refusal]


def check(source: PolicyVersion | Policy, target: PolicyVersion, *, as_of: date) -> Check:
    """Which open cases of a version, or of every other version of a policy, could move to ``target`` on ``as_of``.

    Nothing is locked or written. Raises ``CannotMigrate`` when ``target`` is neither published nor on trial.
    """
    rules = _rules_of(target)
    found = Check()
    for chunk in _chunks(_open_cases(source).exclude(version=target)):
        judged = _judge(chunk, target, rules, as_of)
        for case in chunk:
            if reason := judged[case.pk].reason:
                found.cannot.append((_row(case), reason))
            else:
                found.can.append(_row(case))
    return found


def migrate(case_ids: Collection[int], target: PolicyVersion, *, actor: str, as_of: date, at: datetime) -> Moved:
    """Move those cases to ``target``, a thousand a transaction; each is judged again with its account locked.

    A case that closed, moved or took a step meanwhile is judged as it is then. What moved is looked at again on
    ``as_of``, and each move is an event. Raises ``CannotMigrate`` when ``target`` is neither published nor on trial.
    """
    moved, refused = 0, []
    wanted = sorted(set(case_ids))
    for start in range(0, len(wanted), CHUNK):
        keys = wanted[start : start + CHUNK]
        with transaction.atomic():
            # Against a publish or an experiment's end at the same moment, which would retire the target.
            Policy.objects.select_for_update().get(pk=target.policy_id)
            fresh = PolicyVersion.objects.select_related("policy").get(pk=target.pk)
            rules = _rules_of(fresh)
            found = Case.objects.filter(pk__in=keys)
            cases.lock(list(found.values_list("account_id", flat=True)))
            rows = {case.pk: case for case in found.select_related("account", "version__policy")}
            going: list[tuple[Case, _Judged]] = []
            still_open = [case for case in rows.values() if case.closed_on is None and case.version_id != target.pk]
            judged = _judge(still_open, fresh, rules, as_of)
            for key in keys:
                if key in judged and not judged[key].reason:
                    going.append((rows[key], judged[key]))
                else:
                    refused.append(Refusal(key, _why_not(rows.get(key), judged.get(key), fresh)))
            _move(going, fresh, rules, actor=actor, as_of=as_of, at=at)
            moved += len(going)
    return Moved(moved, refused)


def _open_cases(source: PolicyVersion | Policy) -> QuerySet[Case]:
    cases_ = Case.objects.filter(closed_on=None).select_related("account", "version__policy").order_by("pk")
    return cases_.filter(version=source) if isinstance(source, PolicyVersion) else cases_.filter(version__policy=source)


def _chunks(rows: QuerySet[Case]) -> Iterator[list[Case]]:
    last = 0
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _rules_of(target: PolicyVersion) -> PolicyRules:
    if target.state not in TARGETS:
        state = target.get_state_display().lower()
        raise CannotMigrate(f"{target} is {state}: cases move to a published version, or to one on trial.")
    return rulebook.rules_of([target.pk])[target.pk]


def _row(case: Case) -> CaseRow:
    return CaseRow(case.pk, case.account_id, case.account.ref, str(case.version), case.opened_on, case.stage)


# --- Judging ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Judged:
    """Why a case cannot move ("" when it can), and what moving it does to its steps."""

    reason: str
    passed_over: tuple[policy.StepRule, ...] = ()
    #: Steps that wait and that the target does not know: nobody would take them any more.
    ended: tuple[str, ...] = ()


def _judge(chunk: Sequence[Case], target: PolicyVersion, rules: PolicyRules, as_of: date) -> dict[int, _Judged]:
    """The chunk's cases by their keys; half a dozen queries, and the facts of those that come from another policy."""
    keys = [case.pk for case in chunk]
    accounts = [case.account_id for case in chunk]
    elsewhere = [case.account_id for case in chunk if case.version.policy_id != target.policy_id]
    facts = reading.read(sorted(elsewhere), as_of=as_of) if elsewhere else {}
    leaving: dict[int, str] = {}
    waiting: dict[int, set[str]] = defaultdict(set)
    for model, what in ((Notice, "A notice"), (ServiceOrder, "An order to the network")):
        unsent = model.objects.filter(case__in=keys, state__in=("pending", "handing_over"))
        for case_id, state, code in unsent.values_list("case_id", "state", "step_code"):
            if state == "handing_over":
                leaving[case_id] = f"{what} of it is being handed over: try again in a minute."
            else:
                waiting[case_id].add(code)
    placed = set(Placement.objects.filter(account__in=accounts, recalled_on=None).values_list("account_id", flat=True))
    running = dict(
        Case.objects.filter(pk__in=keys, arm__experiment__state=Experiment.State.RUNNING).values_list(
            "pk", "arm__experiment__name"
        )
    )
    #: The steps whose turn came in each case; those of them that wait; those that wait or may come again.
    had: dict[int, set[str]] = defaultdict(set)
    waits: dict[int, set[str]] = defaultdict(set)
    ahead: dict[int, set[str]] = defaultdict(set)
    steps = CaseStep.objects.filter(case__in=keys)
    for case_id, code, done_on, undone_on in steps.values_list("case_id", "code", "done_on", "undone_on"):
        had[case_id].add(code)
        if done_on is None and undone_on is None:
            waits[case_id].add(code)
        if done_on is None or undone_on is not None:
            ahead[case_id].add(code)
    order = [step.code for step in rules.after_due]
    has_agency = any(step.action == policy.AGENCY for step in rules.steps)
    judged = {}
    for case in chunk:
        reason = ""
        if case.pk in leaving:
            reason = leaving[case.pk]
        elif case.account_id in facts and not rules.applies(
            facts[case.account_id].traits, facts[case.account_id].currency
        ):
            reason = f"{target} is not for this account."
        elif not rules.speaks(case.account.currency):  # for whom it is, a version of the same policy need not say
            reason = f"{target} names no amounts in {case.account.currency}."
        elif case.stage and case.stage not in order:
            reason = f"Its last step, {case.stage}, is no step of {target}."
        elif unknown := sorted(code for code in waiting[case.pk] if rules.step(code) is None):
            reason = f"What {unknown[0]} asked for has not left yet, and {unknown[0]} is no step of {target}."
        elif case.account_id in placed and not has_agency:
            reason = f"The account is placed with an agency, and {target} places none."
        elif case.pk in running:
            reason = f"It is counted in the experiment {running[case.pk]}, which runs."
        if reason:
            judged[case.pk] = _Judged(reason)
            continue
        passed = policy.left_behind(rules, stage=case.stage, had=had[case.pk], ahead=ahead[case.pk])
        judged[case.pk] = _Judged("", passed, tuple(sorted(waits[case.pk] - set(order))))
    return judged


def _why_not(case: Case | None, judged: _Judged | None, target: PolicyVersion) -> str:
    if judged is not None:
        return judged.reason
    if case is None:
        return "There is no such case."
    return "It is closed by now." if case.closed_on is not None else f"It follows {target} already."


# --- Moving -----------------------------------------------------------------------------------------------------------


def _move(
    going: Sequence[tuple[Case, _Judged]],
    target: PolicyVersion,
    rules: PolicyRules,
    *,
    actor: str,
    as_of: date,
    at: datetime,
) -> None:
    ended = [case.pk for case, judged in going if judged.ended]
    unknown = CaseStep.objects.filter(case__in=ended, done_on=None, undone_on=None)
    unknown.exclude(code__in=[step.code for step in rules.after_due]).update(result=policy.PASSED_OVER, done_on=as_of)
    CaseStep.objects.bulk_create(
        [
            CaseStep(
                account_id=case.account_id,
                case=case,
                code=step.code,
                action=step.action,
                result=policy.PASSED_OVER,
                came_on=as_of,
                done_on=as_of,
            )
            for case, judged in going
            for step in judged.passed_over
        ]
    )
    Case.objects.filter(pk__in=[case.pk for case, _ in going]).update(version=target, next_on=as_of)
    events.record_many(
        [
            events.EventRow(
                case.account_id,
                kinds.CASE_MIGRATED,
                actor,
                at,
                as_of,
                f"from {case.version} to {target}",
                rules.label,
                {
                    "case": case.pk,
                    "from": str(case.version),
                    "to": str(target),
                    "passed_over": [*(step.code for step in judged.passed_over), *judged.ended],
                },
            )
            for case, judged in going
        ]
    )
