"""The effect matrix of holds: read whole, changed a line at a time, told in words.

A line that nobody wrote is what ``holding`` starts with, so the matrix always has one for every reason.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from django.db import transaction
from django.db.models import Count

from accounts import events, holds
from accounts.models import Account, Hold
from accounts.refusals import Refused
from dunning import holding, kinds
from dunning.models import Case, HoldRule

Role = HoldRule.Role

#: The columns of the matrix in the order of a scenario, with their words.
EFFECTS = (
    (holding.NOTICES, "Notices"),
    (holding.CALLS, "Calls"),
    (holding.FEES, "Fees"),
    (holding.LIMITS, "Limits"),
    (holding.TRANSFERS, "Transfers"),
)
#: What cannot be changed of a line: a dispute holds its amount and nothing else, a manual hold what is ticked when it
#: is placed. The bills that a promise or a plan names are left out of every step; whether agents call meanwhile is
#: open.
_FIXED = {
    Hold.Reason.DISPUTE: holding.EVERYTHING,
    Hold.Reason.MANUAL: holding.EVERYTHING,
    Hold.Reason.PROMISE: holding.EVERYTHING - {holding.CALLS},
    Hold.Reason.PLAN: holding.EVERYTHING - {holding.CALLS},
}
#: Whoever serves the customer may take back a hold that he could have placed himself.
_LIFTED_BY_AGENTS = frozenset({Hold.Reason.MANUAL, Hold.Reason.PAYMENT_IN_FLIGHT})
#: Ended by what they came with: a dispute is resolved, a promise or a plan cancelled.
ENDED_WITH = {
    Hold.Reason.DISPUTE: "it ends when the dispute is resolved",
    Hold.Reason.PROMISE: "cancel the promise to end it",
    Hold.Reason.PLAN: "cancel the plan to end it",
}
#: Reasons for which the law, or decency, mostly asks that nobody takes anything away.
_GRAVE = {
    Hold.Reason.DECEASED: "Somebody has died",
    Hold.Reason.BANKRUPTCY: "An insolvency is under way",
    Hold.Reason.LEGAL: "A court or a lawyer is involved",
    Hold.Reason.BREATHING_SPACE: "The law gives breathing space",
}
_STOPPED = {
    holding.NOTICES: "no notice is sent",
    holding.CALLS: "agents do not call",
    holding.FEES: "no fee is charged",
    holding.LIMITS: "no service is limited",
    holding.TRANSFERS: "nothing goes to agents, an agency or the write-off",
}
_GOES_ON = {
    holding.NOTICES: "notices",
    holding.CALLS: "calls",
    holding.FEES: "fees",
    holding.LIMITS: "limits",
    holding.TRANSFERS: "transfers",
}


class CannotChangeRule(Refused):
    """The line says what its reason cannot mean."""

    code = "invalid"


class MatrixMoved(Refused):
    """Somebody else changed the matrix since it was shown."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the matrix."""

    reason: str
    stops: frozenset[str]
    clock: bool
    lifted_by: str

    @property
    def label(self) -> str:
        return str(Hold.Reason(self.reason).label)


def is_fixed(reason: str, effect: str) -> bool:
    """Whether nobody can change what holds of that reason do to that effect."""
    return effect in _FIXED.get(Hold.Reason(reason), frozenset())


def has_fixed_clock(reason: str) -> bool:
    """Whether the clock of that reason cannot be changed: only a hold of the whole account can stop it."""
    return Hold.Reason(reason) in _FIXED


def begins_as(reason: str) -> Rule:
    """The line of that reason while nobody has written one."""
    manual = reason == Hold.Reason.MANUAL
    return Rule(
        reason,
        frozenset() if manual else holding.stops(reason),
        holding.stops_clock(reason),
        Role.AGENT if reason in _LIFTED_BY_AGENTS else Role.SUPERVISOR,
    )


def matrix(rows: Iterable[HoldRule] | None = None) -> dict[str, Rule]:
    """Every reason with its line, in the order of ``Hold.Reason``. One query, none where the ``rows`` were read."""
    written = {row.reason: row for row in (HoldRule.objects.all() if rows is None else rows)}
    return {
        reason: Rule(reason, frozenset(row.stops), row.stops_clock, row.lifted_by)
        if (row := written.get(reason))
        else begins_as(reason)
        for reason in Hold.Reason.values
    }


def lifted_by(roles: Collection[str], rules: Mapping[str, Rule]) -> frozenset[str]:
    """The reasons that somebody with these roles may lift before their day."""
    ladder: list[str] = list(Role.values)
    highest = max((ladder.index(role) for role in roles if role in ladder), default=-1)
    return frozenset(reason for reason, rule in rules.items() if ladder.index(rule.lifted_by) <= highest)


def fingerprint(rules: Mapping[str, Rule]) -> str:
    """What tells one state of the matrix from another."""
    lines = [(reason, _said(rule)) for reason, rule in sorted(rules.items())]
    return sha256(json.dumps(lines).encode()).hexdigest()[:16]


def change(*, rules: Collection[Rule], actor: str, as_of: date, at: datetime, seen: str | None = None) -> list[str]:
    """Write lines of the matrix, each change with its event; what changed, in words. Nothing changed writes nothing.

    Open cases under such a hold, and those whose clock one stopped, are looked at again on ``as_of``. Raises
    ``CannotChangeRule`` for a line that its reason cannot have, ``MatrixMoved`` where the matrix is not the one
    ``seen``, and changes nothing then.
    """
    with transaction.atomic():
        # One after the other: each says what it changed from what the one before it left.
        list(HoldRule.objects.select_for_update().order_by("pk").values_list("pk"))
        before = matrix()
        if seen is not None and seen != fingerprint(before):
            raise MatrixMoved("Somebody else changed the matrix meanwhile: this is how it stands now.")
        changed = [rule for rule in rules if rule != before[rule.reason]]
        for rule in changed:
            _check(rule, before[rule.reason])
        HoldRule.objects.bulk_create(
            [
                HoldRule(reason=rule.reason, stops=sorted(rule.stops), stops_clock=rule.clock, lifted_by=rule.lifted_by)
                for rule in changed
            ],
            update_conflicts=True,
            unique_fields=["reason"],
            update_fields=["stops", "stops_clock", "lifted_by"],
        )
        told = [f"{rule.label}: {_difference(before[rule.reason], rule)}" for rule in changed]
        events.record_many(
            [
                events.EventRow(
                    None,
                    kinds.HOLD_RULES_CHANGED,
                    actor,
                    at,
                    as_of,
                    words,
                    payload={
                        "hold_reason": rule.reason, "before": _said(before[rule.reason]), "after": _said(rule),
                    },
                )
                for rule, words in zip(changed, told, strict=True)
            ]
        )  # fmt: skip
        held = Hold.objects.filter(reason__in=[rule.reason for rule in changed], starts_on__lte=as_of)
        found = Case.objects.filter(closed_on=None, account__in=held.values("account"))
        # Behind the lock of their accounts: a decision that read the matrix as it was writes its next day first.
        accounts = Account.objects.select_for_update(no_key=True).filter(pk__in=found.values("account")).order_by("pk")
        locked = list(accounts.values_list("pk", flat=True))
        Case.objects.filter(closed_on=None, account__in=locked).exclude(next_on__lte=as_of).update(next_on=as_of)
    return told


def _check(rule: Rule, before: Rule) -> None:
    if unknown := rule.stops - holding.EVERYTHING:
        raise CannotChangeRule(f"{rule.label}: there is no effect {sorted(unknown)[0]}.")
    if rule.lifted_by not in Role.values:
        raise CannotChangeRule(f"{rule.label}: there is no role {rule.lifted_by}.")
    meant = begins_as(rule.reason)
    for effect, words in EFFECTS:
        if is_fixed(rule.reason, effect) and (effect in rule.stops) != (effect in meant.stops):
            raise CannotChangeRule(f"{rule.label}: {words.lower()} cannot be changed.")
    if has_fixed_clock(rule.reason) and rule.clock != meant.clock:
        raise CannotChangeRule(f"{rule.label}: the clock cannot be changed.")
    if rule.reason in ENDED_WITH and rule.lifted_by != before.lifted_by:
        raise CannotChangeRule(f"{rule.label}: {ENDED_WITH[Hold.Reason(rule.reason)]}.")


def _said(rule: Rule) -> dict[str, object]:
    return {"stops": sorted(rule.stops), "stops_clock": rule.clock, "lifted_by": rule.lifted_by}


def _difference(before: Rule, after: Rule) -> str:
    parts = []
    if stopped := after.stops - before.stops:
        parts.append(f"stops {_listed(stopped)}")
    if let := before.stops - after.stops:
        parts.append(f"lets {_listed(let)} go on")
    if after.clock != before.clock:
        parts.append("stops the clock" if after.clock else "lets the clock run")
    if after.lifted_by != before.lifted_by:
        parts.append(f"is lifted by {Role(after.lifted_by).label.lower()}")
    return "; ".join(parts)


def _listed(effects: Collection[str]) -> str:
    named = [_GOES_ON[effect] for effect, _ in EFFECTS if effect in effects]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def in_words(rule: Rule) -> str:
    """What a line means for an account, in two or three sentences."""
    if rule.reason == Hold.Reason.DISPUTE:
        return (
            "The contested amount is left out of what every step is judged on and asks for. "
            "The rest of the account goes on; nothing else stops."
        )
    who = f"{Role(rule.lifted_by).label} may lift it."
    if rule.reason == Hold.Reason.MANUAL:
        return f"Stops what is ticked when it is placed; over single bills, everything about those bills. {who}"
    if rule.reason in (Hold.Reason.PROMISE, Hold.Reason.PLAN):
        calls = "Agents do not call" if holding.CALLS in rule.stops else "Agents may call"
        return (
            f"The bills it names are left out of every step until its last day. {calls} while nothing else is past "
            f"due. {ENDED_WITH[Hold.Reason(rule.reason)].capitalize()}."
        )
    clock = "The days of the steps stand still." if rule.clock else "The days of the steps run on."
    if not rule.stops:
        return f"Stops nothing: it is only shown. {clock} {who}"
    if rule.stops == holding.EVERYTHING:
        return f"Nothing is sent, charged, limited or handed on, and agents do not call. {clock} {who}"
    stopped = [_STOPPED[effect] for effect, _ in EFFECTS if effect in rule.stops]
    words = stopped[0] if len(stopped) == 1 else f"{', '.join(stopped[:-1])}, and {stopped[-1]}"
    goes_on = _listed(holding.EVERYTHING - rule.stops)
    return f"{words[0].upper()}{words[1:]}; {goes_on} go on. {clock} {who}"


def told(hold: Hold, rule: Rule) -> str:
    """What one hold stops, in one sentence for whoever serves its customer."""
    if hold.reason == Hold.Reason.DISPUTE:
        return "Its amount is left out of every step."
    if hold.bill_refs and hold.reason in holding.COVERING:
        return f"Nothing happens about {' and '.join(hold.bill_refs)}; the rest of the account goes on."
    manual = hold.reason == Hold.Reason.MANUAL
    stops = holding.stops(hold.reason, hold.stops) if manual else rule.stops
    clock = " The days of the steps stand still." if (hold.stops_clock if manual else rule.clock) else ""
    if stops == holding.EVERYTHING:
        return f"Stops everything.{clock}"
    return f"Stops {_listed(stops)}.{clock}" if stops else f"Stops nothing.{clock}"


def doubts(rule: Rule) -> str:
    """What somebody should think about before a line is kept as it is; nothing to doubt is empty."""
    if (why := _GRAVE.get(Hold.Reason(rule.reason))) and (goes_on := holding.EVERYTHING - rule.stops):
        return f"{why}, and {_listed(goes_on)} go on all the same. Most markets forbid that."
    if rule.reason == Hold.Reason.VULNERABILITY_REVIEW and holding.LIMITS not in rule.stops:
        return "Somebody may depend on the line, and limits go on while that is looked into."
    return ""


def counts_in_force(*, as_of: date) -> Mapping[str, int]:
    """How many holds of each reason are in force on the day. One query."""
    counted = Hold.objects.filter(holds.covering(as_of)).order_by().values_list("reason").annotate(Count("pk"))
    return dict(counted)
