"""The course of an experiment: put on trial, started, an arm stopped, ended, its winner published.

While it is planned everything about it may change. From its start on its metric, days, shares and arms are fixed; what
happens to it is that an arm stops, by a person or by a guard rail, and that it ends. Every operation locks the policy
first, as publishing does, so that two people at once come one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts import business_day, events
from accounts.refusals import Refused
from dunning import experiment_results, kinds, rulebook, writing
from dunning.experiment_results import HIGHER_IS_BETTER, SUSPENSIONS, Sample
from dunning.models import Arm, Experiment, GuardRail, Policy, PolicyVersion
from dunning.trial_statistics import BUCKETS, Interval, crosses

ACTOR = "desk:experiments"
DRAFT, TRIAL = PolicyVersion.State.DRAFT, PolicyVersion.State.TRIAL
PUBLISHED, RETIRED = PolicyVersion.State.PUBLISHED, PolicyVersion.State.RETIRED
PLANNED, RUNNING, ENDED = Experiment.State.PLANNED, Experiment.State.RUNNING, Experiment.State.ENDED

#: Of a guard rail, which is looked at every day: over sixty looks it stops an arm that is no worse, at no tolerance, in
#: three to five of a hundred experiments, where intervals of 95 % would in fourteen.
GUARD_CONFIDENCE = 0.99


class CannotTry(Refused):
    """The version cannot be put on trial."""

    code = "conflict"


class CannotStart(Refused):
    """The experiment cannot begin as it is; the text says everything that is missing."""

    code = "conflict"


class CannotStop(Refused):
    """The arm is not one that can be stopped."""

    code = "conflict"


class CannotEnd(Refused):
    """The experiment does not run, or the arm cannot win."""

    code = "conflict"


# --- Beginning --------------------------------------------------------------------------------------------------------


def put_on_trial(version: PolicyVersion, *, actor: str, at: datetime) -> PolicyVersion:
    """Fix a draft for an experiment's arm: from now on the database refuses any change of it.

    Raises ``CannotTry`` when it is no draft or cannot run.
    """
    with transaction.atomic():
        _lock_policy(version.policy_id)
        draft = PolicyVersion.objects.select_for_update(of=("self",)).select_related("policy").get(pk=version.pk)
        if draft.state != DRAFT:
            raise CannotTry(f"{draft} is {draft.get_state_display().lower()}; only a draft can be put on trial.")
        if problems := writing.check(writing.document_of(draft)):
            raise CannotTry(f"{draft} cannot run: {'; '.join(map(str, problems))}")
        draft.state = TRIAL
        draft.save(update_fields=["state"])
        on = business_day.business_date(at=at)
        events.record(account_id=None, kind=kinds.POLICY_PUT_ON_TRIAL, actor=actor, at=at, on=on, policy=str(draft))
    return draft


def start(experiment: Experiment, *, actor: str, at: datetime, as_of: date) -> Experiment:
    """Begin to assign accounts, from ``starts_on`` on (today where that day is past); nothing of it changes any more.

    Raises ``CannotStart`` with everything that ``problems`` finds, that the same person planned it included
    (``DESK_PUBLISH_FOUR_EYES``).
    """
    with transaction.atomic():
        locked = _lock(experiment)
        if locked.state != PLANNED:
            raise CannotStart(f"The experiment is {locked.get_state_display().lower()} already.")
        if missing := problems(locked, actor=actor, as_of=as_of):
            raise CannotStart(" ".join(missing))
        locked.state, locked.started_by, locked.started_at = RUNNING, actor, at
        locked.starts_on = max(locked.starts_on, as_of)
        locked.save(update_fields=["state", "started_by", "started_at", "starts_on"])
        payload = {
            "experiment": locked.code,
            "metric": locked.metric,
            "metric_days": locked.metric_days,
            "arms": {arm.code: arm.share for arm in locked.arms.all()},
        }
        _record(locked, kinds.EXPERIMENT_STARTED, actor=actor, at=at, on=as_of, payload=payload)
    return locked


def problems(experiment: Experiment, *, actor: str, as_of: date, drafts: bool = False) -> list[str]:
    """Why ``actor`` cannot begin an experiment, in sentences; none when it can. ``drafts``: put on trial before."""
    arms = list(experiment.arms.select_related("version__policy"))
    published = experiment.policy.versions.filter(state=PUBLISHED).first()
    found = [
        *_problems_of_shape(arms),
        *(problem for arm in arms for problem in _problems_of_arm(arm, experiment, drafts=drafts)),
    ]
    if published is None:
        found.append(f"No version of {experiment.policy.code} is published: there is no champion.")
    else:
        found += _problems_of_likeness(arms, published)
    if experiment.ends_on < as_of:
        found.append("Its last day is past.")
    if experiment.metric_days < 1:
        found.append("The metric needs at least one day.")
    if experiment.metric not in Experiment.Metric.values:
        found.append("Name the metric that decides.")
    if any(rail.max_worse < 0 for rail in experiment.guard_rails.all()):
        found.append("A guard rail allows nought or more percentage points.")
    others = Experiment.objects.filter(policy=experiment.policy_id, state=RUNNING).exclude(pk=experiment.pk)
    if other := others.first():
        found.append(f"{other.name} runs on {experiment.policy.code} already: one at a time.")
    if settings.DESK_PUBLISH_FOUR_EYES and experiment.created_by == actor:
        found.append("Somebody else starts an experiment than the one who planned it.")
    return found


def _problems_of_shape(arms: list[Arm]) -> list[str]:
    found = []
    if [arm.role for arm in arms].count(Arm.Role.CHAMPION) != 1:
        found.append("It needs exactly one champion.")
    if len(arms) < 2:
        found.append("It needs a challenger or a holdout to compare with.")
    if (total := sum(arm.share for arm in arms)) != BUCKETS:
        found.append(f"The shares come to {Decimal(total) / 100:.2f} %, not to 100 %.")
    return found


def _problems_of_arm(arm: Arm, experiment: Experiment, *, drafts: bool) -> list[str]:
    found = []
    if arm.share < 1:
        found.append(f"{arm.code} gets no accounts.")
    if (arm.role == Arm.Role.HOLDOUT) != bool(arm.holdout_days):
        found.append(f"{arm.code}: a holdout, and nothing else, is left alone for a number of days.")
    if arm.version is None:
        return found
    if arm.version.policy_id != experiment.policy_id:
        found.append(f"{arm.version} is a version of another policy.")
    if arm.version.state == PUBLISHED:
        found.append(f"{arm.version} is published: it is what the champion gets.")
    if arm.version.state == DRAFT and not drafts:
        found.append(f"{arm.version} is a draft: put it on trial first.")
    return found


def _problems_of_likeness(arms: list[Arm], published: PolicyVersion) -> list[str]:
    """Accounts come up by the champion's audience: a challenger that is for others would be judged on strangers."""
    versions = {arm.version.pk: arm.version for arm in arms if arm.version is not None}
    rules = rulebook.rules_of([published.pk, *versions])
    champion = rules[published.pk]
    found = []
    for pk, version in versions.items():
        if rules[pk].applies_to != champion.applies_to:
            found.append(f"{version} is for other accounts than {published}.")
        lacking = [
            currency
            for currency in _currencies(published)
            if champion.speaks(currency) and not rules[pk].speaks(currency)
        ]
        if lacking:
            where = ", ".join("every currency" if currency == _ANY else currency for currency in lacking)
            found.append(f"{version} names no amounts in {where}, and {published} does.")
    return found


#: Stands for a currency that no policy names: only one amount for all of them covers it.
_ANY = "XXX"


def _currencies(version: PolicyVersion) -> list[str]:
    """The currencies that the amounts of a version name, and any other."""
    columns = (version.enter_min_amount, version.exit_max_amount, version.reconnection_fee, version.late_fee)
    named: set[str] = set()
    for column in columns:
        amounts: Any = column.get("amount", column) if isinstance(column, Mapping) else column
        named |= set(amounts) if isinstance(amounts, Mapping) else set()
    return [*sorted(named), _ANY]


# --- Under way --------------------------------------------------------------------------------------------------------


def stop_arm(arm: Arm, *, actor: str, at: datetime, as_of: date, reason: str) -> Arm:
    """No account is assigned to the arm any more, and new cases of its accounts are treated as the champion's.

    Open cases keep their version, and its accounts go on being counted in it. Raises ``CannotStop`` for the champion,
    an arm that is stopped already, or an experiment that does not run.
    """
    with transaction.atomic():
        experiment = _lock(arm.experiment)
        locked = Arm.objects.select_for_update(of=("self",)).get(pk=arm.pk)
        if experiment.state != RUNNING:
            raise CannotStop("The experiment does not run.")
        if locked.role == Arm.Role.CHAMPION:
            raise CannotStop("The champion is what everybody else gets: end the experiment instead.")
        if locked.stopped_on is not None:
            raise CannotStop(f"{locked.code} was stopped on {locked.stopped_on} already.")
        _stop(experiment, locked, actor=actor, at=at, as_of=as_of, reason=reason, payload={})
    return locked


def _stop(
    experiment: Experiment, arm: Arm, *, actor: str, at: datetime, as_of: date, reason: str, payload: Mapping[str, Any]
) -> None:
    arm.stopped_on, arm.stop_reason = as_of, reason[:200]
    arm.save(update_fields=["stopped_on", "stop_reason"])
    _record(
        experiment,
        kinds.EXPERIMENT_ARM_STOPPED,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload={"experiment": experiment.code, "arm": arm.code, **payload},
    )


def watch(*, as_of: date, at: datetime) -> list[str]:
    """Look at every running experiment at the end of a day: stop arms that cross a guard rail, end what is over.

    Returns what it did, in sentences; done again on the same day it does nothing. An experiment is over when the N days
    of its last accounts are; its versions then stay on trial until a person decides (``end``).
    """
    did: list[str] = []
    for found in Experiment.objects.filter(state=RUNNING, starts_on__lte=as_of).order_by("pk"):
        with transaction.atomic():
            experiment = _lock(found)
            if experiment.state != RUNNING:
                continue
            did += _guard(experiment, as_of=as_of, at=at)
            if as_of > experiment.ends_on + timedelta(days=experiment.metric_days):
                reason = f"the {experiment.metric_days} days of its last accounts are over"
                _close(experiment, actor=ACTOR, at=at, as_of=as_of, reason=reason, payload={})
                did.append(f"{experiment.name} ended: {reason}.")
    return did


def _guard(experiment: Experiment, *, as_of: date, at: datetime) -> list[str]:
    arms = list(experiment.arms.select_for_update(of=("self",)).order_by("position", "pk"))
    rails = list(experiment.guard_rails.order_by("metric"))
    champion = next(arm.pk for arm in arms if arm.role == Arm.Role.CHAMPION)
    watched = [arm for arm in arms if arm.pk != champion and arm.stopped_on is None]
    if not rails or not watched:
        return []
    over = experiment_results.samples(experiment, as_of=as_of)
    # Harm is not waited for: what counts against an arm counts from the first day. But once an arm has been stopped the
    # champion gets its accounts too, which have had less time for anything to happen: then only whole days compare.
    even = len(watched) == len(arms) - 1
    so_far = experiment_results.samples(experiment, as_of=as_of, everybody=True) if even else over
    did = []
    for arm in watched:
        for rail in rails:
            found = over if rail.metric in HIGHER_IS_BETTER else so_far
            told = _crossed(rail, found.get(arm.pk), found.get(champion))
            if told is None:
                continue
            reason, payload = told
            _stop(experiment, arm, actor=ACTOR, at=at, as_of=as_of, reason=reason, payload=payload)
            did.append(f"{experiment.name}: {arm.code} stopped. {reason}")
            break
    return did


def _crossed(rail: GuardRail, arm: Sample | None, champion: Sample | None) -> tuple[str, dict[str, Any]] | None:
    """The reason in words and figures, when the arm is worse than the guard rail allows."""
    if arm is None or champion is None:
        return None
    higher = rail.metric in HIGHER_IS_BETTER
    difference = arm.less(champion, rail.metric, confidence=GUARD_CONFIDENCE)
    allowed = float(rail.max_worse) / 100
    if not crosses(difference, higher_is_better=higher, max_worse=allowed, fewest=min(arm.n, champion.n)):
        return None
    worse = difference.turned() if higher else difference
    one, other = arm.value(rail.metric), champion.value(rail.metric)
    reason = (
        f"{_SPOKEN[rail.metric]}: {100 * one:.1f} % against the champion's {100 * other:.1f} %, worse by "
        f"{_points(worse)} percentage points where {rail.max_worse.normalize():f} are allowed."
    )
    payload = {"metric": rail.metric, "arm_share": round(one, 6), "champion_share": round(other, 6)}
    payload |= {"arm_accounts": arm.n, "champion_accounts": champion.n, "max_worse": str(rail.max_worse)}
    return reason, payload


_SPOKEN = {
    "collected": "Collected",
    "cured": "Accounts cured",
    "complaints": "Accounts with a complaint",
    SUSPENSIONS: "Accounts limited",
}


def _points(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


# --- Ending -----------------------------------------------------------------------------------------------------------


def end(
    experiment: Experiment, *, actor: str, at: datetime, as_of: date, reason: str = "", winner: Arm | None = None
) -> Experiment:
    """End an experiment, or decide one that ended by itself; with a challenger as winner its version is published.

    Published as any version is: the one in force is retired, open cases keep theirs. The other versions on trial, which
    no other experiment uses, are retired. The champion as winner changes nothing. Raises ``CannotEnd`` when there is
    nothing left to decide, when the winner is a holdout, stopped, or not on trial any more, and for a winner whose
    version the same person wrote (``DESK_PUBLISH_FOUR_EYES``).
    """
    with transaction.atomic():
        locked = _lock(experiment)
        if locked.state == PLANNED:
            raise CannotEnd("The experiment has not begun: delete it instead.")
        if not undecided(locked):
            raise CannotEnd("The experiment has ended.")
        challenger = winner is not None and winner.role != Arm.Role.CHAMPION
        version = _winning_version(locked, winner, actor=actor) if challenger and winner is not None else None
        if version is not None:
            _publish(version, actor=actor, at=at, on=as_of)
        _retire_the_rest(locked)
        payload = {"winner": winner.code if winner else None}
        if locked.state == RUNNING:
            _close(locked, actor=actor, at=at, as_of=as_of, reason=reason, payload=payload)
        else:
            payload |= {"experiment": locked.code}
            _record(locked, kinds.EXPERIMENT_ENDED, actor=actor, at=at, on=as_of, reason=reason, payload=payload)
    return locked


def undecided(experiment: Experiment) -> bool:
    """Whether ``end`` has something to do: it runs, or it ended by itself and its versions are still on trial."""
    if experiment.state == ENDED:
        return bool(_on_trial(experiment).exists())
    return bool(experiment.state == RUNNING)


def may_win(arm: Arm) -> bool:
    """Whether ``end`` takes the arm as winner: the champion, or a challenger still on trial that was not stopped."""
    if arm.role == Arm.Role.CHAMPION:
        return True
    return arm.version is not None and arm.version.state == TRIAL and arm.stopped_on is None


def _winning_version(experiment: Experiment, winner: Arm, *, actor: str) -> PolicyVersion:
    arm = experiment.arms.select_related("version").filter(pk=winner.pk).first()
    if arm is None or arm.version is None:
        raise CannotEnd("Only an arm of this experiment with a version of its own can win.")
    if arm.stopped_on is not None:
        raise CannotEnd(f"{arm.code} was stopped: {arm.stop_reason}")
    version = PolicyVersion.objects.select_for_update(of=("self",)).select_related("policy").get(pk=arm.version.pk)
    if version.state != TRIAL:
        raise CannotEnd(f"{version} is {version.get_state_display().lower()}: make a draft of it and publish that.")
    if settings.DESK_PUBLISH_FOUR_EYES and actor == writing.last_editor(version):
        raise CannotEnd(f"Somebody else publishes {version} than the one who wrote it.")
    if problems := writing.check(writing.document_of(version)):
        raise CannotEnd(f"{version} cannot run: {'; '.join(map(str, problems))}")
    return version


def _publish(version: PolicyVersion, *, actor: str, at: datetime, on: date) -> None:
    """As ``writing.publish`` does with a draft; the caller holds the policy locked."""
    version.policy.versions.filter(state=PUBLISHED).update(state=RETIRED)
    version.state, version.published_by, version.published_at = PUBLISHED, actor, at
    version.save(update_fields=["state", "published_by", "published_at"])
    events.record(account_id=None, kind=kinds.POLICY_PUBLISHED, actor=actor, at=at, on=on, policy=str(version))


def _on_trial(experiment: Experiment) -> Any:
    """The experiment's versions on trial that no other experiment plans with or uses."""
    elsewhere = Arm.objects.exclude(experiment=experiment.pk).exclude(experiment__state=ENDED)
    found = PolicyVersion.objects.filter(arms__experiment=experiment.pk, state=TRIAL)
    return found.exclude(pk__in=elsewhere.filter(version__isnull=False).values("version"))


def _retire_the_rest(experiment: Experiment) -> None:
    keys = list(_on_trial(experiment).values_list("pk", flat=True))
    PolicyVersion.objects.filter(pk__in=keys).update(state=RETIRED)


def _close(
    experiment: Experiment, *, actor: str, at: datetime, as_of: date, reason: str, payload: Mapping[str, Any]
) -> None:
    experiment.state, experiment.ended_on, experiment.end_reason = ENDED, as_of, reason[:200]
    experiment.save(update_fields=["state", "ended_on", "end_reason"])
    payload = {"experiment": experiment.code, **payload}
    _record(experiment, kinds.EXPERIMENT_ENDED, actor=actor, at=at, on=as_of, reason=reason, payload=payload)


# --- All of them ------------------------------------------------------------------------------------------------------


def lock_planned(experiment_id: int) -> bool:
    """Lock an experiment in the caller's transaction, to change it; whether it is still planned."""
    found = Experiment.objects.select_for_update(of=("self",)).filter(pk=experiment_id)
    return bool(found.values_list("state", flat=True).first() == PLANNED)


def _lock_policy(policy_id: int) -> None:
    Policy.objects.select_for_update().get(pk=policy_id)


def _lock(experiment: Experiment) -> Experiment:
    _lock_policy(experiment.policy_id)
    return Experiment.objects.select_for_update(of=("self",)).select_related("policy").get(pk=experiment.pk)


def _record(
    experiment: Experiment,
    kind: str,
    *,
    actor: str,
    at: datetime,
    on: date,
    payload: Mapping[str, Any],
    reason: str = "",
) -> None:
    events.record(
        account_id=None,
        kind=kind,
        actor=actor,
        at=at,
        on=on,
        reason=reason,
        policy=experiment.policy.code,
        payload=payload,
    )
