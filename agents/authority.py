"""What a person may agree to: asked of the rule packs and of the desk's own limits, answered with reasons.

``reasons``: somebody else must agree too. ``refusals``: nobody may agree to it here. ``advice``: what the rules would
have done otherwise, to be read before it is said to the customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts import holds
from accounts.models import Account, Hold
from agents import instalments, rights
from agents.models import Agent, Budget, Extension, Plan
from dunning import contact, hold_rules, holding, reading, rule_packs
from dunning.gate.checks import affordability, agreements
from dunning.gate.decision import BLOCK, Finding
from dunning.gate.facts import Action, Debt, Facts

#: Nothing is agreed with who cannot agree, or whom a law or a court leaves in peace.
NOBODY_AGREES = frozenset(
    {
        Hold.Reason.BANKRUPTCY,
        Hold.Reason.DECEASED,
        Hold.Reason.LEGAL,
        Hold.Reason.FRAUD,
        Hold.Reason.BREATHING_SPACE,
    }
)
#: Nor is anything given up while one of these is still to be looked into; hardship is what settlements are for.
GIVES_UP = frozenset({Hold.Reason.HARDSHIP, Hold.Reason.PROMISE, Hold.Reason.PLAN, Hold.Reason.DISPUTE})
#: Accounts of who works here, by segment: two people decide on every settlement of theirs.
STAFF = "staff"

SUPERVISORS = frozenset({rights.SUPERVISOR, rights.MANAGER, rights.ADMIN})
#: Who decides on plans and on time to pay: finance has a word in settlements only.
TERMS = SUPERVISORS | {rights.TEAM_LEAD}
#: The role in which somebody settles, the one that may most first; finance stands beside them.
_SETTLES_AS = (
    (rights.MANAGER, rights.MANAGER),
    (rights.ADMIN, rights.MANAGER),
    (rights.SUPERVISOR, rights.SUPERVISOR),
    (rights.TEAM_LEAD, rights.TEAM_LEAD),
)

_CALENDARS = {"US": "US-FED", "GB": "UK-EW"}
_KINGDOM = {"SCT": "UK-SC", "NIR": "UK-NI"}


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer; ``wants`` are roles whose word is still needed."""

    reasons: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    wants: list[str] = field(default_factory=list)
    #: As every rule found it, to be written down.
    gate: contact.Gate | None = None

    @property
    def is_within(self) -> bool:
        return not (self.reasons or self.refusals)

    def keep(self, *, actor: str) -> None:
        """Write down what the rules said, with what was agreed on it."""
        if self.gate is not None:
            self.gate.keep(actor=actor)


def plan(
    *,
    account: Account,
    parts: Sequence[instalments.Instalment],
    covers: Decimal,
    agent: Agent | None,
    as_of: date,
    at: datetime | None = None,
    every: str = "",
    deposit: Decimal | None = None,
    budget: Budget | None = None,
    keep: bool = False,
) -> Ruling:
    """Whether ``agent`` may agree those instalments; without one, a customer alone, who may what an agent may.

    The most that may be asked for at once counts where a budget says what they have: anybody may pay more at once of
    their own will.
    """
    at = at or noon(as_of)
    down = deposit if deposit is not None and parts and parts[0].amount == deposit else None
    rest = parts[1:] if down is not None else parts
    offered = affordability.PlanOffered(
        amounts=tuple(part.amount for part in rest),
        due_on=tuple(part.due_on for part in rest),
        every=every or period_of(rest),
        deposit=down or Decimal(0),
        total=covers,
    )
    known: dict[str, Any] = {"PlanOffered": offered, **_budget(budget), **_last_broken(account), **_person(agent)}
    without = () if budget is not None else ("deposit",)
    gate, findings = _ask(account, Action(type="make_plan"), known, as_of=as_of, at=at, without=without, keep=keep)
    ruling = _weigh(findings, agent=agent, gate=gate)
    ruling.refusals[:0] = held(account, as_of=as_of)
    ruling.reasons[:0] = beyond_limits(parts, agent=agent, as_of=as_of)
    return ruling


def beyond_limits(parts: Sequence[instalments.Instalment], *, agent: Agent | None, as_of: date) -> list[str]:
    """Why ``agent`` may not agree a plan alone by the desk's own limits; nothing where he may.

    A customer alone may what an agent may.
    """
    if agent is not None and rights.ADMIN in rights.roles(agent):
        return []
    if agent is not None and rights.roles(agent) & TERMS:
        most, days = settings.SUPERVISOR_PLAN_MAX_COUNT, settings.SUPERVISOR_PLAN_MAX_DAYS
    else:
        most, days = settings.AGENT_PLAN_MAX_COUNT, settings.AGENT_PLAN_MAX_DAYS
    reasons = []
    if len(parts) > most:
        reasons.append(f"{len(parts)} instalments: up to {most} need no approval.")
    ahead = (parts[-1].due_on - as_of).days
    if ahead > days:
        reasons.append(f"The last instalment is {ahead} days ahead: up to {days} need no approval.")
    return reasons


def deferral(
    *,
    account: Account,
    days: int,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    this: Extension | None = None,
    keep: bool = False,
) -> Ruling:
    """Whether ``agent`` may give so many days more; a customer alone may what an agent may.

    ``this``: what waits and is asked about again, which was not given before itself.
    """
    given = Extension.objects.filter(account=account).exclude(status=Extension.Status.CANCELLED)
    if this is not None:
        given = given.exclude(pk=this.pk)
    earlier = tuple(given.values_list("made_on", flat=True))
    known = {"Deferral": agreements.Deferral(days=days, earlier=earlier), **_person(agent)}
    gate, findings = _ask(account, Action(type="defer"), known, as_of=as_of, at=at, keep=keep)
    ruling = _weigh(findings, agent=agent, gate=gate)
    ruling.refusals[:0] = held(account, as_of=as_of)
    return ruling


def settlement(
    *, account: Account, asked: agreements.Settlement, as_of: date, at: datetime, keep: bool = False
) -> Ruling:
    """Whether the settlement may stand with the words that were given so far; ``wants``: whose are missing."""
    gate, findings = _ask(account, Action(type="settle"), {"Settlement": asked}, as_of=as_of, at=at, keep=keep)
    ruling = _weigh(findings, agent=None, gate=gate)
    ruling.refusals[:0] = held(account, as_of=as_of, gives_up=True)
    return ruling


def settling_terms(asked: agreements.Settlement) -> Mapping[str, Any]:
    """What is let go of, fees first, by whom, and until when it may be paid: SET-01-TERMS as it is in force."""
    return _reckoned("SET", "SET-01-TERMS", asked)


def words_missing(asked: agreements.Settlement, *, at: datetime, packs: rule_packs.InForce | None = None) -> list[str]:
    """Roles whose word a settlement still wants, by its own rule alone: for pages that show many.

    ``packs``: where they were read already.
    """
    rule = (packs or rule_packs.in_force()).packs["SET"].rule("SET-01")
    assert rule.check is not None  # packs are checked whole before they ship
    said = rule.check.asks(rule.params, Action(type="settle"), Facts(at=at, parts={"Settlement": asked}), at)
    codes = [code for objection in (said if isinstance(said, list) else []) for code in objection.requires]
    return [code.removeprefix("approval_") for code in codes if code.startswith("approval_")]


def schedule(terms: agreements.Terms) -> list[date]:
    """The days of a plan by PLAN-08 as it is in force."""
    return cast("list[date]", _reckoned("PLAN", "PLAN-08", terms)["due_on"])


def _reckoned(pack: str, rule: str, given: Any) -> Mapping[str, Any]:
    found = rule_packs.in_force().packs[pack].rule(rule)
    assert found.reckoning is not None  # packs are checked whole before they ship
    return found.reckoning.gives(found.params, given)


def settles_as(agent: Agent | None) -> str:
    """The role in which somebody settles alone."""
    roles = rights.roles(agent) if agent is not None else frozenset[str]()
    return next((settles for role, settles in _SETTLES_AS if role in roles), rights.AGENT)


def words_of(agent: Agent) -> list[str]:
    """The roles in which somebody can give a second word on a settlement."""
    roles = rights.roles(agent)
    found = [settles for role, settles in _SETTLES_AS if role in roles]
    return list(dict.fromkeys([*found, *([rights.FINANCE] if rights.FINANCE in roles else [])]))


def held(account: Account, *, as_of: date, gives_up: bool = False) -> list[str]:
    """Why nobody agrees anything on an account now: a hold stands in the way."""
    matrix = hold_rules.matrix() if gives_up else {}
    found = []
    for hold in holds.in_force(account_id=account.pk, as_of=as_of):
        stops = hold.reason in NOBODY_AGREES
        if gives_up and hold.reason not in GIVES_UP and not (hold.bill_refs and hold.reason in holding.COVERING):
            stops = stops or holding.TRANSFERS in _effects(hold, matrix)
        if stops:
            found.append(f"A hold stands in the way: {hold.get_reason_display().lower()}.")
    return list(dict.fromkeys(found))


def _effects(hold: Hold, matrix: Mapping[str, Any]) -> frozenset[str]:
    if hold.reason != Hold.Reason.MANUAL and hold.reason in matrix:
        return frozenset(matrix[hold.reason].stops)
    return holding.stops(hold.reason, hold.stops)


def calendar_of(account: Account) -> str:
    """Whose days without business are passed over: those of the customer's market; empty where none is known."""
    country, region = account.customer.country.upper(), account.customer.region.upper()
    if country == "GB":
        return _KINGDOM.get(region.removeprefix("GB-"), _CALENDARS["GB"])
    return _CALENDARS.get(country, country)


def period_of(parts: Sequence[instalments.Instalment]) -> str:
    """How often instalments fall due, by the days between them."""
    apart = [(later.due_on - earlier.due_on).days for earlier, later in pairwise(parts)]
    if not apart:
        return "month"
    # No two months in a row have four weeks.
    if len(apart) > 1 and set(apart) == {28}:
        return "four_weeks"
    return "week" if apart[0] <= 7 else "fortnight" if apart[0] <= 14 else "month"


def noon(day: date) -> datetime:
    """Midday of a day at the operator, for whoever names a day only."""
    return datetime.combine(day, time(12), tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))


def _ask(
    account: Account,
    action: Action,
    parts: Mapping[str, Any],
    *,
    as_of: date,
    at: datetime,
    without: Sequence[str] = (),
    keep: bool,
) -> tuple[contact.Gate, list[Finding]]:
    if at.astimezone(ZoneInfo(settings.DESK_TIME_ZONE)).date() != as_of:
        at = noon(as_of)  # rules about agreements count days, and the day is the desk's
    gate = contact.Gate(reading.read([account.pk], as_of=as_of), at=at, as_of=as_of)
    debt = Debt(
        balance=account.open_amount + account.fees,
        overdue=account.overdue,
        disputed=account.disputed,
        oldest_due_on=account.oldest_due_on,
        currency=account.currency,
        not_due=account.oldest_due_on is None,
    )
    return gate, gate.findings(account.pk, action, parts=parts, debt=debt, without=without, keep=keep)


def _weigh(findings: Sequence[Finding], *, agent: Agent | None, gate: contact.Gate) -> Ruling:
    """A supervisor's word where the rules ask for one is given by a supervisor at once."""
    ruling = Ruling(gate=gate)
    supervises = agent is not None and bool(rights.roles(agent) & SUPERVISORS)
    for finding in findings:
        roles = [code.removeprefix("approval_") for code in finding.requires if code.startswith("approval_")]
        # What a rule forbids until something else is done is a supervisor's to allow: a plan beyond the budget.
        asks = "ask_supervisor" in finding.requires or (finding.outcome == BLOCK and bool(finding.requires))
        if finding.outcome == BLOCK and finding.override == "none":
            ruling.refusals.append(finding.reason)
        elif roles or (asks and not supervises):
            ruling.reasons.append(finding.reason)
            ruling.wants.extend(role for role in roles or [rights.SUPERVISOR] if role not in ruling.wants)
        else:
            ruling.advice.append(finding.reason)
    return ruling


def _person(agent: Agent | None) -> dict[str, Any]:
    """Who acts: a manager may what a supervisor may."""
    if agent is None:
        return {}
    roles = rights.roles(agent)
    return contact.by_person(roles | {rights.SUPERVISOR} if rights.MANAGER in roles else roles)


def _last_broken(account: Account) -> dict[str, Any]:
    """The day on which a plan of the customer's was last broken, on whichever account."""
    broken = Plan.objects.filter(account__customer=account.customer_id, status=Plan.Status.BROKEN)
    on = broken.order_by("-settled_on").values_list("settled_on", flat=True).first()
    return {"PlanInForce": agreements.PlanInForce(broken_on=on)} if on is not None else {}


def _budget(row: Budget | None) -> dict[str, Any]:
    if row is None:
        return {}
    lines = tuple(
        affordability.BudgetLine(
            category=line["category"], amount=Decimal(str(line["amount"])), every=line.get("every", "monthly")
        )
        for line in row.lines
    )
    budget = affordability.Budget(
        lines=lines,
        our_balance=row.our_balance,
        debts_in_all=row.debts_in_all,
        made_on=row.made_on,
        evidence=row.evidence,
        household=row.household,
        reasons=row.reasons,
    )
    return {"Budget": budget}
