"""Plans, time to pay and settlements: how they are reckoned, what they stop, and who may agree them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts import money
from dunning.gate import calendars
from dunning.gate.checks.affordability import Budget, PlanOffered
from dunning.gate.checks.care import DeskPerson
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import BLOCK, HOLD, REQUIRE, Objection
from dunning.gate.facts import CONTACTS, Action, Facts
from dunning.gate.zones import zones_of

_UTC = ZoneInfo("UTC")
_DAYS = {"week": 7, "fortnight": 14, "four_weeks": 28}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """``roll``: ``following`` moves a day without business to the next with some, ``none`` leaves it."""

    roll: str = "following"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A plan as it is asked for. ``payday``: the day of the month on which money comes, 31 for the last."""

    total: Decimal
    count: int
    first_on: date
    every: str = "month"
    currency: str = "EUR"
    #: Whose days without business are passed over; empty: nobody's.
    calendar: str = ""
    payday: int | None = None


def schedule(params: Dates, given: Terms) -> Mapping[str, object]:
    """PLAN-01, PLAN-08: parts that sum to the total, the odd cent on the last; the anchor day is kept, clamped to the
    month's end, and moved on where there is no business, never back.

    Raises ``ValueError`` for a period that is not known.
    """
    amounts = money.split_evenly(given.total, given.count, given.currency)
    anchor = given.payday or given.first_on.day
    first = given.first_on
    if given.every == "month" and given.payday is not None:
        here = calendars.add_months(first, 0, anchor=anchor)
        first = here if here >= first else calendars.add_months(first, 1, anchor=anchor)
    due = [_due(first, given.every, position, anchor) for position in range(given.count)]
    if params.roll == "following" and given.calendar:
        due = [calendars.next_business_day(day, given.calendar) for day in due]
    return {"amounts": amounts, "due_on": due, "sum": sum(amounts, Decimal(0))}


def _due(first: date, every: str, position: int, anchor: int) -> date:
    if every == "month":
        return calendars.add_months(first, position, anchor=anchor)
    if every not in _DAYS:
        raise ValueError(f"Instalments do not fall due every {every!r}.")
    return first + timedelta(days=_DAYS[every] * position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long a plan may run, and how often it may fall due."""

    max_months: int = 12
    #: For customers who need care, and above this balance.
    max_months_more: int = 24
    more_above: Decimal = Decimal(500)
    more_for: tuple[str, ...] = ("medium", "high")
    frequency: tuple[str, ...] = ("week", "fortnight", "four_weeks", "month")


def plan_term(params: Term, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """PLAN-01: the parts sum to what is covered, the odd cent is in the last, and it ends in time."""
    plan = facts.part(PlanOffered)
    if plan is None:
        return []
    found = []
    total = _covered(plan, facts)
    offered = sum(plan.amounts, plan.deposit)
    if total is not None and offered != total:
        found.append(Objection(reason=f"The instalments come to {offered}, not {total}.", outcome=BLOCK))
    if len(set(plan.amounts[:-1])) > 1:
        found.append(Objection(reason="All instalments but the last are alike.", outcome=BLOCK))
    if plan.every not in params.frequency:
        found.append(Objection(reason=f"Instalments do not fall due every {plan.every.replace('_', ' ')}."))
    balance = facts.debt.balance if facts.debt.balance is not None else total
    longer = any(care.severity in params.more_for for care in facts.care) or (
        balance is not None and balance > params.more_above
    )
    months = params.max_months_more if longer else params.max_months
    # Twelve months are twelve monthly instalments: the last is due before the first comes round again.
    if plan.due_on and len(plan.due_on) > 1 and plan.due_on[-1] >= calendars.add_months(plan.due_on[0], months):
        found.append(Objection(reason=f"This plan runs for more than {months} months.", requires=("ask_supervisor",)))
    return found


def _covered(plan: PlanOffered, facts: Facts) -> Decimal | None:
    return plan.total if plan.total is not None else facts.debt.balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A rule about plans without values to set."""


def undisputed(params: Whole, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Nobody agrees to pay what they dispute: a plan covers the rest."""
    plan = facts.part(PlanOffered)
    if plan is None or facts.debt.balance is None or not facts.debt.disputed:
        return None
    total, rest = _covered(plan, facts), facts.debt.balance - facts.debt.disputed
    if total is None or total <= rest:
        return None
    return Objection(
        reason=f"{facts.debt.disputed} of it is disputed: a plan covers {rest} at most.",
        requires=("leave_out_disputed",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Least:
    """The least an instalment is: so much, or this share of the balance where that is more; less with a budget."""

    least: Decimal = Decimal(5)
    least_share: Decimal = Decimal("0.01")


def least_instalment(params: Least, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PLAN-02: below it a budget must say that no more can be paid. The last instalment may be a smaller rest."""
    plan = facts.part(PlanOffered)
    if plan is None or not plan.amounts or facts.part(Budget) is not None:
        return None
    balance = facts.debt.balance if facts.debt.balance is not None else _covered(plan, facts)
    least = max(params.least, (balance or Decimal(0)) * params.least_share)
    smallest = min(plan.amounts[:-1] or plan.amounts)
    if smallest >= least:
        return None
    return Objection(
        reason=f"An instalment is at least {least:f}, unless a budget says that it is too much.",
        requires=("make_budget",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """The most that may be asked for at once, in percent of what is covered."""

    max_deposit_pct: int = 25


def deposit(params: Deposit, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PLAN-03: nobody is kept from a plan by a first payment they cannot make."""
    plan = facts.part(PlanOffered)
    if plan is None or not plan.deposit:
        return None
    total = _covered(plan, facts) or sum(plan.amounts, plan.deposit)
    most = total * params.max_deposit_pct / 100
    if plan.deposit <= most:
        return None
    return Objection(
        reason=f"At most {params.max_deposit_pct} % may be asked for at once.", requires=("lower_deposit",)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPart:
    """One instalment and what was paid into it."""

    due_on: date
    amount: Decimal
    paid: Decimal = Decimal(0)
    #: The day that completed it.
    paid_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInForce:
    """The customer's plan; ``broken_on`` once it was. ``warned_on``: the last warning that the line is limited."""

    parts: tuple[PlanPart, ...] = ()
    broken_on: date | None = None
    warned_on: date | None = None
    debts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """When an instalment is missed, and how many may be."""

    grace_days: int = 5
    missed_allowed: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A plan and the day on which it is looked at."""

    parts: tuple[PlanPart, ...]
    as_of: date


def plan_state(params: Keeping, given: Followed) -> Mapping[str, object]:
    """PLAN-04, PLAN-05: ``kept``, ``missed_once`` (a soft word), ``missed_again`` (another offer) or ``broken``.

    An instalment is missed when it is not complete within its grace, though it be paid later. The plan is broken after
    more misses than are allowed, or when more than one instalment is overdue past its grace.
    """
    grace = timedelta(days=params.grace_days)
    late = [part for part in given.parts if part.due_on + grace < given.as_of]
    missed = sum(part.paid_on is None or part.paid_on > part.due_on + grace for part in late)
    arrears = sum((part.amount - part.paid for part in late if part.paid_on is None), Decimal(0))
    one = max((part.amount for part in given.parts), default=Decimal(0))
    if missed > params.missed_allowed or arrears > one:
        state = "broken"
    else:
        standing = any(part.paid_on is None for part in late)
        state = "kept" if not standing else "missed_once" if missed == 1 else "missed_again"
    return {"state": state, "missed": missed, "arrears": arrears}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a plan that is kept stops, and when it may be reminded of."""

    grace_days: int = 5
    missed_allowed: int = 2
    reminder_days_before: int = 3
    reminders: tuple[str, ...] = ("plan_reminder",)
    #: Of an instalment that is missed.
    soft: tuple[str, ...] = ("plan_missed", "plan_offer")
    #: Not about what is owed.
    unless_purposes: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()


def plan_kept(params: Kept, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PLAN-04: while a plan is kept nothing is taken away and nobody chases; three days before a day they may be told.

    After a miss there are soft words only, until it is broken.
    """
    plan = facts.part(PlanInForce)
    if plan is None or plan.broken_on is not None or not plan.parts:
        return None
    if action.debts and plan.debts and not action.debts & plan.debts:
        return None
    today = _today(facts, at)
    keeping = Keeping(grace_days=params.grace_days, missed_allowed=params.missed_allowed)
    state = plan_state(keeping, Followed(parts=plan.parts, as_of=today))["state"]
    if state == "broken" or all(part.paid_on is not None for part in plan.parts):
        return None
    if action.type in params.stops:
        return Objection(reason="There is a plan, and it is not broken.", outcome=BLOCK)
    if action.type not in CONTACTS or action.purpose in params.unless_purposes:
        return None
    if action.purpose in params.soft and state != "kept":
        return None
    if action.purpose in params.reminders:
        return _too_early(params, plan, facts, at, today)
    return Objection(reason="There is a plan, and it is not broken: nobody chases.", outcome=BLOCK)


def _too_early(params: Kept, plan: PlanInForce, facts: Facts, at: datetime, today: date) -> Objection | None:
    open_days = sorted(part.due_on for part in plan.parts if part.paid_on is None and part.due_on >= today)
    days = timedelta(days=params.reminder_days_before)
    if not open_days or today >= open_days[0] - days:
        return None
    return Objection(
        reason=f"They are reminded {params.reminder_days_before} days before {open_days[0]}, not earlier.",
        outcome=HOLD,
        until=_begins(open_days[0] - days, facts, at),
    )


def _today(facts: Facts, at: datetime) -> date:
    """The earlier day where the customer may be: nothing is late before it is late for them."""
    return min(at.astimezone(zone).date() for zone in zones_of(facts.place, at) or (_UTC,))


def _begins(day: date, facts: Facts, at: datetime) -> datetime:
    return max(calendars.beginning(day, zone) for zone in zones_of(facts.place, at) or (_UTC,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Days between a new warning and a limit."""

    notice_days: int = 7


def warned_again(params: Cooling, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PLAN-05: what was due before the plan does not come back by itself: a new warning first, and time for it."""
    plan = facts.part(PlanInForce)
    if plan is None or plan.broken_on is None:
        return None
    if plan.warned_on is None or plan.warned_on < plan.broken_on:
        return Objection(
            reason="The plan was broken: a new warning comes before any limit.",
            outcome=BLOCK if action.automated else REQUIRE,
            requires=("send_warning",),
        )
    free = plan.warned_on + timedelta(days=params.notice_days)
    if _today(facts, at) >= free:
        return None
    return Objection(
        reason=f"They were warned on {plan.warned_on}: no limit before {free}.",
        outcome=HOLD,
        until=_begins(free, facts, at),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """So soon after a broken plan another is for these roles to agree."""

    days: int = 60
    roles: tuple[str, ...] = ("supervisor", "admin")


def plan_again(params: Again, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """PLAN-05: a second plan soon after a broken one. Nobody known to be a supervisor is none."""
    plan = facts.part(PlanInForce)
    if plan is None or plan.broken_on is None or _today(facts, at) > plan.broken_on + timedelta(days=params.days):
        return None
    person = facts.part(DeskPerson)
    if person is not None and person.roles & set(params.roles):
        return None
    return Objection(
        reason=f"A plan was broken on {plan.broken_on}: a supervisor agrees the next.", requires=("ask_supervisor",)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """Time to pay that is asked for: by so many days; ``earlier`` are the days on which some was given before."""

    days: int
    earlier: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferrals:
    """How much time, and how often in twelve months; more for customers who need care."""

    max_days: int = 30
    max_days_for_care: int = 60
    care: tuple[str, ...] = ("medium", "high")
    max_per_12m: int = 2


def deferral(params: Deferrals, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """PLAN-06: a later day, not for ever."""
    asked = facts.part(Deferral)
    if asked is None:
        return []
    needs_care = any(care.severity in params.care for care in facts.care)
    most = params.max_days_for_care if needs_care else params.max_days
    found = []
    if asked.days > most:
        found.append(Objection(reason=f"At most {most} days more.", requires=("ask_supervisor",)))
    today = _today(facts, at)
    since = calendars.add_months(today, -12)
    if sum(since < day <= today for day in asked.earlier) >= params.max_per_12m:
        text = f"More time was given {params.max_per_12m} times in twelve months."
        found.append(Objection(reason=text, requires=("ask_supervisor",)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A day that is put off."""

    due_on: date
    days: int
    calendar: str = ""


def deferred(params: Dates, given: Later) -> Mapping[str, object]:
    """PLAN-06, PLAN-08: the new day, on business days, never before it was asked for."""
    day = given.due_on + timedelta(days=given.days)
    moved = params.roll == "following" and given.calendar
    return {"due_on": calendars.next_business_day(day, given.calendar) if moved else day}


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """What can be done for somebody who cannot pay, what harms least first."""

    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """What could be done here, and what was offered already."""

    possible: frozenset[str]
    offered: frozenset[str] = frozenset()


def menu(params: Menu, given: Possible) -> Mapping[str, object]:
    """PLAN-07: the order in which it is offered, and what comes next."""
    order = [what for what in params.order if what in given.possible]
    return {"order": order, "next": next((what for what in order if what not in given.offered), None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """What a role may let go of alone: the lower of the percentage and the amount; no amount is without limit."""

    role: str
    max_pct: Decimal
    max_amount: Decimal | None = None
    #: Not on debts younger than so many days past due.
    least_dpd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody's yes, and the role it is given in."""

    by: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Less than what is owed, asked for by ``requester`` in ``role``."""

    balance: Decimal
    settle: Decimal
    requester: str
    role: str
    fees: Decimal = Decimal(0)
    days_past_due: int = 0
    approvals: tuple[Approval, ...] = ()
    #: The account of somebody who works here, or of a relative of theirs.
    of_staff: bool = False
    offered_on: date | None = None
    paid_on: date | None = None
    in_writing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """Who may let go of how much, from the least; beyond the last, ``together``."""

    authority: tuple[May, ...]
    #: Roles of the people who decide together what nobody may alone.
    together: tuple[str, ...] = ("finance", "manager")
    valid_days: int = 14


def settlement(params: Settling, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """SET-01: within somebody's authority, in writing, in time, and never approved by who asked for it."""
    asked = facts.part(Settlement)
    if asked is None:
        return []
    found = []
    if any(approval.by == asked.requester for approval in asked.approvals):
        text = "Whoever asks for a settlement does not approve it."
        found.append(Objection(reason=text, outcome=BLOCK, requires=("other_approver",)))
    if asked.settle <= 0 or asked.settle > asked.balance:
        found.append(Objection(reason="A settlement is some of what is owed.", outcome=BLOCK))
        return found
    if missing := _missing(params, asked):
        words = " and ".join(role.replace("_", " ") for role in missing)
        requires = tuple(f"approval_{role}" for role in missing)
        found.append(Objection(reason=f"This is more than you may let go of: {words} must agree.", requires=requires))
    if not asked.in_writing:
        found.append(Objection(reason="The terms go to the customer in writing first.", requires=("send_terms",)))
    last = asked.offered_on + timedelta(days=params.valid_days) if asked.offered_on else None
    if last is not None and (asked.paid_on or _today(facts, at)) > last:
        found.append(
            Objection(
                reason=f"The offer held until {last}: what was paid is a part payment.",
                requires=("book_part_payment", "ask_supervisor"),
            )
        )
    return found


def _missing(params: Settling, asked: Settlement) -> tuple[str, ...]:
    """Roles whose word is still needed; none where it is within somebody's authority who gave it."""
    others = [approval for approval in asked.approvals if approval.by != asked.requester]
    said = [Approval(by=asked.requester, role=asked.role), *others]
    enough = _able(params, asked)
    if enough and any(approval.role in enough for approval in said):
        return ()
    if enough:
        return (enough[0],)
    given: dict[str, str] = {}
    for approval in said:
        if approval.role in params.together and approval.by not in given.values():
            given.setdefault(approval.role, approval.by)
    return tuple(role for role in params.together if role not in given)


def _able(params: Settling, asked: Settlement) -> list[str]:
    """The roles that may agree it alone, from the least."""
    if asked.of_staff:
        return []
    discount = asked.balance - asked.settle
    return [
        may.role
        for may in params.authority
        if discount * 100 <= may.max_pct * asked.balance
        and (may.max_amount is None or discount <= may.max_amount)
        and asked.days_past_due >= may.least_dpd
    ]


def settled(params: Settling, given: Settlement) -> Mapping[str, object]:
    """SET-01: what is let go of, late fees before the debt itself; who must agree; until when the offer holds."""
    discount = given.balance - given.settle
    fees = min(discount, given.fees)
    able = _able(params, given)
    return {
        "discount": discount,
        "percent": (discount * 100 / given.balance).quantize(Decimal("0.01")),
        "fees_waived": fees,
        "principal_waived": discount - fees,
        "agreed_by": able[0] if able else list(params.together),
        "valid_until": given.offered_on + timedelta(days=params.valid_days) if given.offered_on else None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A settlement that was not kept."""

    balance: Decimal
    paid: tuple[Decimal, ...] = ()


def unsettled(params: Whole, given: Broken) -> Mapping[str, object]:
    """SET-01: on default the whole balance is owed again, less what was paid."""
    return {"owed": given.balance - sum(given.paid, Decimal(0))}


THEME = Theme(
    checks={
        "plan_term": Check(Term, plan_term),
        "undisputed": Check(Whole, undisputed),
        "least_instalment": Check(Least, least_instalment),
        "deposit": Check(Deposit, deposit),
        "plan_kept": Check(Kept, plan_kept),
        "warned_again": Check(Cooling, warned_again),
        "plan_again": Check(Again, plan_again),
        "deferral": Check(Deferrals, deferral),
        "settlement": Check(Settling, settlement),
    },
    parts=(PlanInForce, Deferral, Settlement),
    reckonings={
        "schedule": Reckoning(Dates, Terms, schedule),
        "plan_state": Reckoning(Keeping, Followed, plan_state),
        "deferred": Reckoning(Dates, Later, deferred),
        "menu": Reckoning(Menu, Possible, menu),
        "settled": Reckoning(Settling, Settlement, settled),
        "unsettled": Reckoning(Whole, Broken, unsettled),
    },
)
