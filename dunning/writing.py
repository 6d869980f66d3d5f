"""Policies as rows: a checked document becomes a draft, a draft is published, a version becomes a document again.

A published version never changes (the database refuses it); what changes is which version is published. ``publish``
asks only whether the draft can run: it is for a command or a replay. People publish through ``publish_reviewed``, which
asks for a second person and for a dry run of just this content on today's book.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from accounts import business_day, events
from accounts.refusals import Refused
from dunning import kinds, policy_file, rulebook
from dunning.models import Agency, DryRun, Policy, PolicyChange, PolicyVersion, Step
from dunning.policy import PolicyRules
from dunning.policy_file import Problem, UnreadablePolicy, check, located, read
from dunning.wording_texts import standard_wordings

__all__ = [
    "CannotAccept",
    "CannotCopy",
    "CannotPublish",
    "CannotSave",
    "Condition",
    "Problem",
    "UnreadablePolicy",
    "accept_reach",
    "check",
    "conditions",
    "copy_to_draft",
    "copy_to_policy",
    "delete_draft",
    "difference",
    "digest_of",
    "document_of",
    "export",
    "last_editor",
    "located",
    "name_of",
    "publish",
    "publish_reviewed",
    "read",
    "rules",
    "same_as_published",
    "save_draft",
    "unknown_templates",
]

DRAFT, PUBLISHED, RETIRED = PolicyVersion.State.DRAFT, PolicyVersion.State.PUBLISHED, PolicyVersion.State.RETIRED


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


class CannotAccept(Refused):
    """That person, or with that reason, cannot answer for the reach of a dry run."""

    code = "forbidden"


# --- Drafting ---------------------------------------------------------------------------------------------------------


def save_draft(document: Mapping[str, Any], *, actor: str, at: datetime) -> PolicyVersion:
    """Make the document the draft of its policy, which comes into being with it; agencies it names are made known.

    What came and went is kept as a ``PolicyChange``: against the draft as it was, or the version before it where there
    was none. A draft that says the same already stays as it is, and its last editor with it. Raises ``CannotSave`` when
    ``check`` finds a problem. Steps keep their rows as long as they keep their code.
    """
    if problems := check(document):
        raise CannotSave(problems)
    tidied = policy_file.tidy(document)
    with transaction.atomic():
        Policy.objects.get_or_create(code=tidied["code"])
        policy = Policy.objects.select_for_update().get(code=tidied["code"])
        columns = _columns(tidied)
        last = policy.versions.select_related("policy").order_by("-number").first()
        draft = policy.versions.select_related("policy").filter(state=DRAFT).first()
        before = document_of(known) if (known := draft or last) else None
        if draft is not None and before == tidied:
            return draft
        columns |= {"changed_by": actor, "changed_at": at}
        if draft is None:
            number = last.number + 1 if last else 1
            draft = PolicyVersion.objects.create(
                policy=policy, number=number, created_by=actor, created_at=at, **columns
            )
        else:
            for name, value in columns.items():
                setattr(draft, name, value)
            draft.save(update_fields=list(columns))
        _replace_steps(draft, tidied["steps"])
        _make_agencies_known(tidied)
        if lines := [f"{sign}{line}" for sign, line in difference(before, tidied) if sign != " "]:
            PolicyChange.objects.create(version=draft, by=actor, at=at, lines=lines)
        _record(draft, kinds.POLICY_DRAFTED, actor=actor, at=at)
    return draft


def copy_to_draft(version: PolicyVersion, *, actor: str, at: datetime) -> PolicyVersion:
    """A new draft that says what ``version`` says. Raises ``CannotCopy`` while the policy has a draft already."""
    with transaction.atomic():
        Policy.objects.select_for_update().get(pk=version.policy_id)
        draft = PolicyVersion.objects.filter(policy_id=version.policy_id, state=DRAFT).first()
        if draft is not None:
            raise CannotCopy(f"There is a draft already, number {draft.number}: publish or delete it first.")
        return save_draft(document_of(version), actor=actor, at=at)


def copy_to_policy(version: PolicyVersion, *, code: str, name: str, actor: str, at: datetime) -> PolicyVersion:
    """The first draft of a new policy that says what ``version`` says.

    Raises ``CannotCopy`` when there is a policy with that code already, ``CannotSave`` when it is no code.
    """
    with transaction.atomic():
        # Two people at once: the unique code lets one of them make it, and only that one goes on.
        if check(document := {**document_of(version), "code": code, "name": name or code}):
            raise CannotSave(check(document))
        _policy, is_new = Policy.objects.get_or_create(code=code)
        if not is_new:
            raise CannotCopy(f"There is a policy {code} already.")
        return save_draft(document, actor=actor, at=at)


def delete_draft(version: PolicyVersion, *, actor: str, at: datetime) -> None:
    """Throw a draft away; a policy that has no version left goes with it. The database refuses any other version."""
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=version.policy_id)
        _record(version, kinds.POLICY_DRAFT_DELETED, actor=actor, at=at)
        version.delete()
        if not policy.versions.exists() and not policy.experiments.exists():
            policy.delete()


# --- Publishing -------------------------------------------------------------------------------------------------------


def publish(version: PolicyVersion, *, actor: str, at: datetime) -> PolicyVersion:
    """Put a draft in force for cases that open from now on, with no second person and no dry run asked for.

    The version before it becomes retired; open cases keep theirs. Raises ``CannotPublish`` when it is no draft,
    ``CannotSave`` when it cannot run.
    """
    with transaction.atomic():
        return _put_in_force(_locked_draft(version), actor=actor, at=at)


def publish_reviewed(version: PolicyVersion, *, actor: str, at: datetime, digest: str | None = None) -> PolicyVersion:
    """Put a draft in force once every one of its ``conditions`` is met; they are asked again under the lock.

    ``digest`` is that of the content ``actor`` has looked at: a draft that was changed since is refused. Raises
    ``CannotPublish`` with every condition that is not met, ``CannotSave`` when the draft cannot run.
    """
    with transaction.atomic():
        draft = _locked_draft(version)
        if digest is not None and digest != digest_of(document_of(draft)):
            raise CannotPublish(f"{draft} was changed while you looked at it: look at it again.")
        on = business_day.business_date(at=at)
        if missing := [one.text for one in conditions(draft, actor=actor, as_of=on) if not one.is_met]:
            raise CannotPublish(" ".join(missing))
        return _put_in_force(draft, actor=actor, at=at)


def _locked_draft(version: PolicyVersion) -> PolicyVersion:
    Policy.objects.select_for_update().get(pk=version.policy_id)
    draft = PolicyVersion.objects.select_for_update(of=("self",)).select_related("policy").filter(pk=version.pk).first()
    if draft is None:
        raise CannotPublish("The draft was deleted.")
    if draft.state != DRAFT:
        raise CannotPublish(f"{draft} is {draft.get_state_display().lower()}; only a draft can be published.")
    return draft


def _put_in_force(draft: PolicyVersion, *, actor: str, at: datetime) -> PolicyVersion:
    if problems := check(document_of(draft)):
        raise CannotSave(problems)
    draft.policy.versions.filter(state=PUBLISHED).update(state=RETIRED)
    draft.state, draft.published_by, draft.published_at = PUBLISHED, actor, at
    draft.save(update_fields=["state", "published_by", "published_at"])
    _record(draft, kinds.POLICY_PUBLISHED, actor=actor, at=at)
    return draft


class Condition(NamedTuple):
    """One thing a person needs before a draft can be published."""

    #: ``runs``, ``second_person``, ``dry_run`` or ``reach``.
    code: str
    is_met: bool
    #: A sentence: what is so, or what is missing.
    text: str
    #: The dry run that it is about.
    dry_run: DryRun | None = None


def conditions(version: PolicyVersion, *, actor: str, as_of: date) -> list[Condition]:
    """What publishing the draft as it stands asks of ``actor`` on the business date ``as_of``, met or not.

    ``DESK_PUBLISH_FOUR_EYES`` asks for the second person, ``DESK_PUBLISH_DRY_RUN`` for the dry run and its reach.
    """
    document = document_of(version)
    problems = check(document)
    runs = "It can run." if not problems else f"It cannot run yet: {'; '.join(map(str, problems))}."
    found = [Condition("runs", not problems, runs)]
    if settings.DESK_PUBLISH_FOUR_EYES:
        editor = last_editor(version)
        other = f"{name_of(editor)} changed it last, and somebody else publishes it."
        same = f"{name_of(editor)} changed it last: somebody else has to publish it."
        found.append(Condition("second_person", actor != editor, other if actor != editor else same))
    if settings.DESK_PUBLISH_DRY_RUN:
        tried = DryRun.objects.filter(digest=digest_of(document), state=DryRun.State.DONE, as_of__gte=as_of)
        latest = tried.order_by("-pk").first()
        if latest is None:
            text = f"No dry run of just this content on the book of {as_of:%d %b %Y} has come to its end."
            found.append(Condition("dry_run", False, text))
        else:
            text = f"Tried on the book of {latest.as_of:%d %b %Y}."
            # Somebody answers for the furthest reach that was found: a shorter run after it does not take it back.
            far = tried.filter(result__reach__exceeded=True, reach_accepted_by="").order_by("-pk").first()
            found += [Condition("dry_run", True, text, latest), _reach(far or latest)]
    return found


def _reach(dry_run: DryRun) -> Condition:
    reach = (dry_run.result or {}).get("reach") or {}
    limits = f"limits {reach.get('accounts', 0):,} of {reach.get('of', 0):,} open accounts on one day"
    allowed = f"{reach.get('allowed_percent', '')} %"
    if not reach.get("exceeded"):
        return Condition("reach", True, f"It {limits}: within what the desk allows.", dry_run)
    if dry_run.reach_accepted_by:
        text = f"It {limits}, more than {allowed}; {name_of(dry_run.reach_accepted_by)} answers for that."
        return Condition("reach", True, text, dry_run)
    text = f"It {limits}, more than the {allowed} allowed: somebody has to accept that, with a reason."
    return Condition("reach", False, text, dry_run)


def accept_reach(dry_run: DryRun, *, actor: str, reason: str, at: datetime) -> DryRun:
    """Answer for a version that limits more accounts in a day than the desk allows; the reason is kept as an event.

    Raises ``CannotAccept`` without a reason, when nothing is to be accepted (any more), and, where four eyes are asked
    for, when ``actor`` changed the version last. Whether the person has the right is the caller's question.
    """
    if not (reason := " ".join(reason.split())):
        raise CannotAccept("Say why so many accounts may be limited on one day.", code="invalid")
    with transaction.atomic():
        locked = DryRun.objects.select_for_update().get(pk=dry_run.pk)
        if locked.version_id is None:
            raise CannotAccept("The version that was tried is gone.", code="conflict")
        version = PolicyVersion.objects.select_related("policy").get(pk=locked.version_id)
        if locked.state != DryRun.State.DONE or _reach(locked).is_met:
            raise CannotAccept("There is nothing to accept here.", code="conflict")
        if settings.DESK_PUBLISH_FOUR_EYES and actor == last_editor(version):
            raise CannotAccept(f"{name_of(actor)} changed {version} last: somebody else has to answer for it.")
        locked.reach_accepted_by, locked.reach_accepted_at, locked.reach_reason = actor, at, reason[:300]
        locked.save(update_fields=["reach_accepted_by", "reach_accepted_at", "reach_reason"])
        payload = {"dry_run": locked.pk, "digest": locked.digest}
        _record(version, kinds.POLICY_REACH_ACCEPTED, actor=actor, at=at, reason=reason, payload=payload)
    return locked


def last_editor(version: PolicyVersion) -> str:
    """The actor who changed the version last."""
    return version.changed_by or version.created_by


def name_of(actor: str) -> str:
    """The actor as people say it: ``agent:ada`` is ada."""
    return actor.partition(":")[2] or actor


# --- Reading ----------------------------------------------------------------------------------------------------------


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
                "count": version.calendar_count,
            },
            "fees": {"late_fee": version.late_fee or None, "reconnection_fee": version.reconnection_fee or None},
            "agency": version.agency,
            "limits_children": version.limits_children,
            "after_broken": version.after_broken,
            "steps": [
                {key: getattr(step, key) for key in policy_file.STEP} for step in version.steps.order_by("position")
            ],
        }
    )


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of what a checked document says, in hex: two files that say the same have the same one."""
    said = json.dumps(policy_file.tidy(document), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of the files of two checked documents, those that stay between them: ``-``, ``+`` or a space, and
    the line.
    """
    old = policy_file.write(policy_file.tidy(before)).splitlines() if before else []
    new = policy_file.write(policy_file.tidy(after)).splitlines()
    # ``?`` lines point at signs within a line.
    return [(line[0], line[2:]) for line in difflib.ndiff(old, new) if line[0] != "?"]


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
        PolicyVersion.objects.filter(policy__code=document["code"], state=PUBLISHED).select_related("policy").first()
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
        "calendar_count": tidied["calendar"].get("count", policy_file.COUNTS[0]),
        "late_fee": tidied["fees"]["late_fee"],
        "reconnection_fee": tidied["fees"]["reconnection_fee"],
        "agency": tidied["agency"] or "",
        "limits_children": tidied.get("limits_children", False),
        "after_broken": tidied.get("after_broken", ""),
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
    "reason": "",
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


def _record(
    version: PolicyVersion,
    kind: str,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    payload: Mapping[str, Any] | None = None,
) -> None:
    events.record(
        account_id=None,
        kind=kind,
        actor=actor,
        at=at,
        on=business_day.business_date(at=at),
        reason=reason,
        policy=str(version),
        payload=payload,
    )
