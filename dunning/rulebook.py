"""Policy versions, read from their rows into the form that the pure decision asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from accounts.money import mills
from dunning.models import PolicyVersion, Step
from dunning.policy import NO_MINIMUM, Amounts, Audience, FeeRule, PolicyRules, StepRule
from dunning.policy_file import is_fee_rule

#: Versions read before. The database refuses a change of one that was published, so they are read once a process.
_kept: dict[int, PolicyRules] = {}


def published() -> list[PolicyRules]:
    """The versions that accounts may enter today; one query once they are known."""
    versions = PolicyVersion.objects.filter(state=PolicyVersion.State.PUBLISHED).order_by("pk")
    return list(rules_of(list(versions.values_list("pk", flat=True))).values())


def rules_of(version_ids: Collection[int]) -> dict[int, PolicyRules]:
    """The rules of those versions, whatever their state; two queries for those not known yet."""
    if unknown := set(version_ids) - _kept.keys():
        versions = PolicyVersion.objects.select_related("policy").prefetch_related("steps").filter(pk__in=unknown)
        read = {version.pk: (version, rules_from(version, version.steps.all())) for version in versions}
        fixed = {pk: rules for pk, (version, rules) in read.items() if version.state != PolicyVersion.State.DRAFT}
        _kept.update(fixed)
        drafts = {pk: rules for pk, (_version, rules) in read.items() if pk not in fixed}
    else:
        drafts = {}
    found = _kept | drafts
    return {pk: found[pk] for pk in sorted(version_ids) if pk in found}


def forget() -> None:
    """For a process that turns to another database."""
    _kept.clear()


def rules_from(version: PolicyVersion, steps: Iterable[Step]) -> PolicyRules:
    """The rules of one version and its steps, stored or not; no query where the policy was fetched."""
    return PolicyRules(
        version_id=version.pk,
        code=version.policy.code,
        number=version.number,
        priority=version.priority,
        applies_to=audience(version.applies_to),
        enter_min_amount=amounts(version.enter_min_amount),
        enter_min_days=max(version.enter_min_days, 1),
        exit_max_amount=amounts(version.exit_max_amount),
        min_gap_days=version.min_gap_days,
        country=version.calendar_country,
        region=version.calendar_region,
        rolls=version.calendar_roll == "next_working_day",
        late_fee=fee_rule(version.late_fee),
        reconnection_fee=amounts(version.reconnection_fee),
        agency=version.agency,
        limits_children=version.limits_children,
        steps=tuple(sorted(map(_step, steps), key=lambda rule: (rule.day, rule.position))),
        counts_working_days=version.calendar_count == "working_days",
        after_broken=version.after_broken,
    )


def _step(step: Step) -> StepRule:
    return StepRule(
        code=step.code,
        day=step.day,
        action=step.action,
        position=step.position,
        channels=tuple(step.channels),
        all_channels=step.all_channels,
        template=step.template,
        pay_by_days=step.pay_by_days,
        rung=step.rung,
        warned_by=step.warned_by,
        notice_days=step.notice_days,
        min_amount=NO_MINIMUM if step.min_amount is None else amounts(step.min_amount),
        only_if=audience(step.only_if),
        agency=step.agency,
        approval=step.approval == "required",
        fee=step.fee or "late_fee",
        reason=step.reason,
    )


def amounts(value: str | Mapping[str, str]) -> Amounts:
    """One amount, or one by currency, from the JSON of a policy column; an empty one is nothing."""
    if isinstance(value, Mapping):
        return Amounts(None, {currency: mills(Decimal(amount)) for currency, amount in value.items()})
    return Amounts(mills(Decimal(value or "0")), {})


def fee_rule(value: str | Mapping[str, Any]) -> FeeRule:
    """A fee from the JSON of a policy column: an amount, one by currency, or a rule with a percentage."""
    if not is_fee_rule(value):
        return FeeRule(amounts(value))
    rule: Mapping[str, Any] = value  # type: ignore[assignment]  # only a map is a rule
    return FeeRule(amounts(rule["amount"]), int(Decimal(rule["percent"]) * 1_000), rule["combine"])


def audience(value: Mapping[str, Any]) -> Audience:
    """An audience from the JSON of ``applies_to`` or ``only_if``."""
    return Audience(
        kind=tuple(value.get("kind") or ()),
        product=tuple(value.get("product") or ()),
        segment=tuple(value.get("segment") or ()),
        min_tenure_days=int(value.get("min_tenure_days") or 0),
    )
