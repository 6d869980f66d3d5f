"""Policies as rows: a checked document becomes a draft, a draft is published, a version becomes a document again.

A published version never changes (the database refuses it); what changes is which version is published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import business_day, events
from accounts.refusals import Refused
from dunning import kinds, policy_file, rulebook
from dunning.models import Agency, Policy, PolicyVersion, Step
from dunning.policy import PolicyRules
from dunning.policy_file import Problem, UnreadablePolicy, check, located, read
from dunning.wording_texts import standard_wordings

__all__ = [
    "CannotCopy",
    "CannotPublish",
    "CannotSave",
    "Problem",
    "UnreadablePolicy",
    "check",
    "copy_to_draft",
    "document_of",
    "export",
    "located",
    "publish",
    "read",
    "rules",
    "same_as_published",
    "save_draft",
    "unknown_templates",
]


class CannotSave(Refused):
    """The document is no policy that can run; ``problems`` lists why."""

    code = "invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(map(str, problems)))


class CannotPublish(Refused):
    code = "conflict"


class CannotCopy(Refused):
    code = "conflict"


def save_draft(document: Mapping[str, Any], *, actor: str, at: datetime) -> PolicyVersion:
    """Make the document the draft of its policy, which comes into being with it; agencies it names are made known.

    Raises ``CannotSave`` when ``check`` finds a problem. Steps keep their rows as long as they keep their code.
    """
    if problems := check(document):
        raise CannotSave(problems)
    tidied = policy_file.tidy(document)
    with transaction.atomic():
        Policy.objects.get_or_create(code=tidied["code"])
        policy = Policy.objects.select_for_update().get(code=tidied["code"])
        columns = _columns(tidied)
        draft = policy.versions.filter(state=PolicyVersion.State.DRAFT).first()
        if draft is None:
            last = policy.versions.order_by("-number").values_list("number", flat=True).first() or 0
            draft = PolicyVersion.objects.create(
                policy=policy, number=last + 1, created_by=actor, created_at=at, **columns
            )
        else:
            for name, value in columns.items():
                setattr(draft, name, value)
            draft.save(update_fields=list(columns))
        _replace_steps(draft, tidied["steps"])
        _make_agencies_known(tidied)
        _record(draft, kinds.POLICY_DRAFTED, actor=actor, at=at)
    return draft


def publish(version: PolicyVersion, *, actor: str, at: datetime) -> PolicyVersion:
    """Put a draft in force for cases that open from now on; the version before it becomes retired.

    Open cases keep theirs. Raises ``CannotPublish`` when it is no draft, ``CannotSave`` when it cannot run.
    """
    with transaction.atomic():
        Policy.objects.select_for_update().get(pk=version.policy_id)
        draft = PolicyVersion.objects.select_for_update(of=("self",)).select_related("policy").get(pk=version.pk)
        if draft.state != PolicyVersion.State.DRAFT:
            raise CannotPublish(f"{draft} is {draft.get_state_display().lower()}; only a draft can be published.")
        if problems := check(document_of(draft)):
            raise CannotSave(problems)
        draft.policy.versions.filter(state=PolicyVersion.State.PUBLISHED).update(state=PolicyVersion.State.RETIRED)
        draft.state, draft.published_by, draft.published_at = PolicyVersion.State.PUBLISHED, actor, at
        draft.save(update_fields=["state", "published_by", "published_at"])
        _record(draft, kinds.POLICY_PUBLISHED, actor=actor, at=at)
    return draft


def copy_to_draft(version: PolicyVersion, *, actor: str, at: datetime) -> PolicyVersion:
    """A new draft that says what ``version`` says. Raises ``CannotCopy`` while the policy has a draft already."""
    with transaction.atomic():
        Policy.objects.select_for_update().get(pk=version.policy_id)
        draft = PolicyVersion.objects.filter(policy_id=version.policy_id, state=PolicyVersion.State.DRAFT).first()
        if draft is not None:
            raise CannotCopy(f"There is a draft already, number {draft.number}: publish or delete it first.")
        return save_draft(document_of(version), actor=actor, at=at)


def document_of(version: PolicyVersion) -> dict[str, Any]:
    """What a version says, as the tidy document of a policy file."""
    return policy_file.tidy(
        {
            "code": version.policy.code,
            "name": version.name,
            "priority": version.priority,
            "applies_to": version.applies_to,
            "enters": {"min_amount": version.enter_min_amount or None, "min_days": version.enter_min_days},
            "exits": {"max_amount": version.exit_max_amount or None},
            "min_gap_days": version.min_gap_days,
            "calendar": {
                "country": version.calendar_country,
                "region": version.calendar_region,
                "roll": version.calendar_roll,
            },
            "fees": {"late_fee": version.late_fee or None, "reconnection_fee": version.reconnection_fee or None},
            "agency": version.agency,
            "limits_children": version.limits_children,
            "steps": [
                {key: getattr(step, key) for key in policy_file.STEP} for step in version.steps.order_by("position")
            ],
        }
    )


def export(version: PolicyVersion) -> str:
    """The version as a policy file; read and saved again it says the same."""
    return policy_file.write(document_of(version))


def rules(document: Mapping[str, Any], *, number: int = 0) -> PolicyRules:
    """The rules of a checked document that is not stored; no query."""
    tidied = policy_file.tidy(document)
    version = PolicyVersion(pk=0, policy=Policy(code=tidied["code"]), number=number, **_columns(tidied))
    return rulebook.rules_from(version, [Step(**columns) for columns in _step_columns(tidied["steps"])])


def same_as_published(document: Mapping[str, Any]) -> PolicyVersion | None:
    """The published version, when it says just what the checked document says."""
    version = (
        PolicyVersion.objects.filter(policy__code=document["code"], state=PolicyVersion.State.PUBLISHED)
        .select_related("policy")
        .first()
    )
    return version if version is not None and document_of(version) == policy_file.tidy(document) else None


def unknown_templates(document: Mapping[str, Any]) -> list[str]:
    """Templates that a checked document names and nobody wrote: these notices use the general wording."""
    known = standard_wordings().template_codes()
    named = {step["template"] for step in policy_file.tidy(document)["steps"] if step.get("template")}
    return sorted(named - known)


def _columns(tidied: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tidied["name"],
        "priority": tidied["priority"],
        "applies_to": tidied["applies_to"],
        "enter_min_amount": tidied["enters"]["min_amount"],
        "enter_min_days": tidied["enters"]["min_days"],
        "exit_max_amount": tidied["exits"]["max_amount"],
        "min_gap_days": tidied["min_gap_days"],
        "calendar_country": tidied["calendar"]["country"] or "",
        "calendar_region": tidied["calendar"].get("region", ""),
        "calendar_roll": tidied["calendar"]["roll"],
        "late_fee": tidied["fees"]["late_fee"],
        "reconnection_fee": tidied["fees"]["reconnection_fee"],
        "agency": tidied["agency"] or "",
        "limits_children": tidied.get("limits_children", False),
    }


_NOT_SAID: dict[str, Any] = {
    "all_channels": False,
    "template": "",
    "pay_by_days": None,
    "rung": "",
    "fee": "",
    "agency": "",
    "warned_by": "",
    "notice_days": None,
    "approval": "",
    "min_amount": None,
}


def _step_columns(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**_NOT_SAID, "channels": [], "only_if": {}, **step, "position": position}
        for position, step in enumerate(steps)
    ]


def _replace_steps(draft: PolicyVersion, steps: Sequence[Mapping[str, Any]]) -> None:
    """Bring the draft's rows to the steps by difference of their codes."""
    wanted = {columns["code"]: columns for columns in _step_columns(steps)}
    draft.steps.exclude(code__in=wanted).delete()
    kept = {step.code: step for step in draft.steps.all()}
    for code, step in kept.items():
        for name, value in wanted[code].items():
            setattr(step, name, value)
    if kept:
        Step.objects.bulk_update(kept.values(), ["position", *(key for key in policy_file.STEP if key != "code")])
    Step.objects.bulk_create([Step(version=draft, **columns) for code, columns in wanted.items() if code not in kept])


def _make_agencies_known(tidied: Mapping[str, Any]) -> None:
    named = {tidied["agency"], *(step.get("agency") for step in tidied["steps"])} - {None}
    Agency.objects.bulk_create([Agency(code=code, name=code) for code in sorted(named)], ignore_conflicts=True)


def _record(version: PolicyVersion, kind: str, *, actor: str, at: datetime) -> None:
    events.record(
        account_id=None,
        kind=kind,
        actor=actor,
        at=at,
        on=business_day.business_date(at=at),
        policy=str(version),
    )
