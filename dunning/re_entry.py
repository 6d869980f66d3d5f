"""Where a case goes on after a broken promise or plan: at the step that its policy names, once for each of them.

Without a word of the policy it goes on where it stands. What was promised and broken is the room's above; here it is a
name, ``promise:{ref}`` or ``plan:{ref}``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction

from accounts import events
from accounts.models import Account, AccountEvent
from dunning import cases, kinds, policy, reading, rulebook
from dunning.models import Case, CaseStep
from dunning.policy import ReEntry
from dunning.reading import AccountFacts

ACTOR = "desk:re-entry"


class Broken(NamedTuple):
    """What was broken, and on whose account."""

    account_id: int
    name: str


def re_enter(broken: Collection[Broken], *, as_of: date, at: datetime) -> int:
    """Let the open cases behind those accounts go on where their policies say; how many were touched.

    The case is the payer's. Where it has reached the step already it stays, and only what hurts waits for a new
    warning. The same promise or plan again changes nothing.
    """
    payers = _payers({one.account_id for one in broken})
    named: dict[int, list[str]] = defaultdict(list)
    for one in broken:
        named[payers[one.account_id]].append(one.name)
    touched = 0
    with transaction.atomic():
        cases.lock(named)
        asked = Case.objects.filter(account__in=named, closed_on=None).exclude(version__after_broken="")
        open_cases = list(asked.order_by("account_id"))
        facts = reading.read([case.account_id for case in open_cases], as_of=as_of) if open_cases else {}
        known = _told([case.account_id for case in open_cases])
        for case in open_cases:
            for name in dict.fromkeys(named[case.account_id]):
                if (case.account_id, name) not in known:
                    _re_enter(case, facts[case.account_id], name, as_of=as_of, at=at)
                    touched += 1
    return touched


def carry(facts: AccountFacts, entry: ReEntry | None, *, as_of: date) -> None:
    """The same in the facts alone, as reading them back would give them."""
    if facts.case is None:
        return
    facts.case = facts.case._replace(warnings_from=as_of, next_on=as_of)
    if entry is None:
        return
    facts.case = facts.case._replace(re_entered_at=entry.step.code)
    for step in entry.passed_over:
        before = facts.done.get(step.code)
        facts.done[step.code] = policy.Done(before.repeat if before else 0, True, None, False, policy.PASSED_OVER)


def _re_enter(case: Case, fact: AccountFacts, name: str, *, as_of: date, at: datetime) -> None:
    rules = rulebook.rules_of([case.version_id])[case.version_id]
    entry = policy.re_entry(rules, stage=case.stage, done=fact.done)
    if entry is not None:
        _pass_over(case, fact, entry, as_of)
        case.re_entered_at = entry.step.code
    # What was warned of before the promise was met with a promise: it is said again before anything is taken away.
    case.warnings_from = case.next_on = as_of
    case.save(update_fields=["re_entered_at", "warnings_from", "next_on"])
    carry(fact, entry, as_of=as_of)
    passed = [step.code for step in entry.passed_over] if entry else []
    goes_on = f"goes on at {entry.step.code}" if entry else "goes on where it stands"
    events.record(
        account_id=case.account_id,
        kind=kinds.CASE_RE_ENTERED,
        actor=ACTOR,
        at=at,
        on=as_of,
        reason=f"broken {name.partition(':')[0]}: {goes_on}",
        policy=rules.label,
        payload={
            "case": case.pk,
            "broken": name,
            "step": entry.step.code if entry else "",
            "passed_over": passed,
        },
    )


def _pass_over(case: Case, fact: AccountFacts, entry: ReEntry, as_of: date) -> None:
    """The rows of the steps: one that waits ends, one whose turn had not come has had it."""
    codes = [step.code for step in entry.passed_over]
    waiting = CaseStep.objects.filter(case=case, code__in=codes, done_on=None, undone_on=None)
    ended = set(waiting.values_list("code", flat=True))
    waiting.update(result=policy.PASSED_OVER, done_on=as_of)
    CaseStep.objects.bulk_create(
        CaseStep(
            account_id=case.account_id,
            case=case,
            code=step.code,
            action=step.action,
            repeat=turn.repeat if (turn := fact.done.get(step.code)) else 0,
            result=policy.PASSED_OVER,
            came_on=as_of,
            done_on=as_of,
        )
        for step in entry.passed_over
        if step.code not in ended
    )


def _payers(account_ids: Collection[int]) -> dict[int, int]:
    rows = Account.objects.filter(pk__in=account_ids).values_list("pk", "parent_id", "pays_itself")
    return {pk: pk if alone else parent or pk for pk, parent, alone in rows}


def _told(account_ids: Collection[int]) -> set[tuple[int | None, str]]:
    """What those accounts' cases were told of before."""
    told = AccountEvent.objects.filter(account__in=account_ids, kind=kinds.CASE_RE_ENTERED)
    return set(told.values_list("account_id", "payload__broken"))
