"""What may I offer: every way out for a customer who cannot pay now, what harms least first, with reasons for what not.

The order is the menu of the packs (PLAN-07), the limits are theirs and the role's. Nothing is written: whether an offer
may be agreed is asked again when it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency
from django.conf import settings
from django.db.models import F
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import holds
from accounts.models import Account, Bill, Hold, Service
from accounts.models.account import ServiceStatus
from accounts.money import quantize
from agents import authority, budgets, consolidating, covered, instalments, rights, undertakings
from agents.budgets import Figures
from agents.models import Agent, Budget, Extension, Plan, Promise, Settlement
from agents.words import within
from dunning import contact, reading, rule_packs
from dunning.gate.checks import affordability, agreements
from dunning.gate.decision import BLOCK
from dunning.gate.facts import Action, Debt

PAY, PROMISE, EXTENSION, PLAN, DOWN_PAYMENT, HARDSHIP, DOWNGRADE, SETTLEMENT, CONSOLIDATION = (
    "pay", "promise", "extension", "plan", "down_payment", "hardship", "downgrade", "settlement", "consolidation",
)  # fmt: skip
#: Each offer with its place on the menu of PLAN-07; what is on none of its places harms nobody, and comes first.
ON_THE_MENU: Mapping[str, str] = {
    PAY: "",
    PROMISE: "deferral",
    EXTENSION: "deferral",
    PLAN: "plan",
    DOWN_PAYMENT: "plan",
    CONSOLIDATION: "plan",
    HARDSHIP: "plan",
    DOWNGRADE: "downgrade",
    SETTLEMENT: "write_down",
}
#: Promises that were broken within so long count against another one.
REMEMBERS = timedelta(days=90)
#: As many instalments as an offer begins with.
USUAL_COUNT = 3
_NOT_NOW = frozenset({Hold.Reason.PAYMENT_IN_FLIGHT})


@dataclass(frozen=True, slots=True)
class Offer:
    """One way out. ``act`` is the form that agrees it; ``why_not`` is empty where it is possible."""

    code: str
    title: str
    #: What it would come to here, in a few words.
    says: str = ""
    why_not: tuple[str, ...] = ()
    #: What speaks against it, though it may be offered.
    cautions: tuple[str, ...] = ()
    #: What it takes: whose word.
    takes: tuple[str, ...] = ()
    #: Why this one first; empty for all the others.
    because: str = ""

    @property
    def is_possible(self) -> bool:
        return not self.why_not

    @property
    def act(self) -> str:
        return PLAN if self.code == DOWN_PAYMENT else self.code


@dataclass(frozen=True, slots=True)
class Menu:
    """The offers, the recommended one first, and what they rest on."""

    offers: list[Offer]
    owed: Decimal
    rules: budgets.Rules
    budget: Budget | None = None
    figures: Figures | None = None
    linked: list[Account] = field(default_factory=list)
    #: What the person may let go of alone.
    alone_off: Decimal = Decimal(0)

    @property
    def recommended(self) -> str:
        """The code of the first that is possible; empty where nothing is."""
        return next((offer.code for offer in self.offers if offer.is_possible), "")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the account, read once."""

    account: Account
    agent: Agent
    as_of: date
    at: datetime
    bills: Sequence[Bill]
    owed: Decimal
    standing: Sequence[str]
    nobody: Sequence[str]
    nothing_given: Sequence[str]
    paused: Hold | None
    broken: int
    care: Collection[str]
    services: Sequence[Service]
    linked: Sequence[Account]
    packs: rule_packs.InForce
    rules: budgets.Rules
    budget: Budget | None
    figures: Figures | None
    gate: contact.Gate
    earlier: Sequence[date]
    broken_plan_on: date | None

    def money(self, amount: Decimal) -> str:
        currency = self.account.currency
        return str(format_currency(quantize(amount, currency), currency, locale="en", currency_digits=True))

    @property
    def days_past_due(self) -> int:
        oldest = self.account.oldest_due_on
        return max((self.as_of - oldest).days, 0) if oldest else 0


def of(*, account: Account, agent: Agent, as_of: date, at: datetime) -> Menu:
    """The menu for this account and this person; some forty queries, however long the history."""
    known = _read(account, agent, as_of, at)
    offers = [
        _pay(known),
        _promise(known),
        _extension(known),
        _plan(known),
        _down_payment(known),
        _consolidation(known),
        _hardship(known),
        _downgrade(known),
        _settlement(known),
    ]
    offers = _in_order(offers, known)
    code, because = _recommended({offer.code: offer for offer in offers}, known)
    first = [replace(offer, because=because) for offer in offers if offer.code == code]
    rest = [offer for offer in offers if offer.code != code]
    return Menu(
        [*first, *rest],
        known.owed,
        known.rules,
        known.budget,
        known.figures,
        list(known.linked),
        _alone_off(known),
    )


def _read(account: Account, agent: Agent, as_of: date, at: datetime) -> _Known:
    open_bills = list(
        Bill.objects.filter(account=account, open_amount__gt=F("disputed_amount")).order_by("due_on", "ref")
    )
    taken, standing = _taken(account)
    free = [bill for bill in open_bills if bill.ref not in taken and "" not in taken]
    in_force = list(holds.in_force(account_id=account.pk, as_of=as_of))
    nobody = [] if free else list(standing)
    for hold in in_force:
        if hold.reason in authority.NOBODY_AGREES | _NOT_NOW:
            nobody.append(_hold_words(hold))
    if not open_bills:
        contested = account.disputed > 0
        nobody.append(_("Everything that is open is disputed.") if contested else _("Nothing is open."))
    rules = budgets.rules_in_force()
    budget = budgets.fresh_for(rules, account=account, as_of=as_of)
    gate = contact.Gate(reading.read([account.pk], as_of=as_of), at=at, as_of=as_of)
    known = gate.known[account.customer_id]
    broken_plans = Plan.objects.filter(account__customer=account.customer_id, status=Plan.Status.BROKEN)
    return _Known(
        account=account,
        agent=agent,
        as_of=as_of,
        at=at,
        bills=free,
        owed=covered.undisputed(free),
        standing=standing,
        nobody=list(dict.fromkeys(nobody)),
        nothing_given=authority.held(account, as_of=as_of, gives_up=True),
        paused=next((hold for hold in in_force if hold.reason == Hold.Reason.HARDSHIP), None),
        broken=Promise.objects.filter(
            account__customer=account.customer_id, status=Promise.Status.BROKEN, settled_on__gt=as_of - REMEMBERS
        ).count(),
        care={care.severity for care in known.care},
        services=list(account.services.exclude(status=ServiceStatus.DISCONNECTED)),
        linked=[other for other in consolidating.linked(account, agent) if other.pk != account.pk],
        packs=gate.packs,
        rules=rules,
        budget=budget,
        figures=budgets.figures_of(rules, budget) if budget else None,
        gate=gate,
        earlier=list(
            Extension.objects.filter(account=account)
            .exclude(status=Extension.Status.CANCELLED)
            .values_list("made_on", flat=True)
        ),
        broken_plan_on=broken_plans.order_by("-settled_on").values_list("settled_on", flat=True).first(),
    )


def _taken(account: Account) -> tuple[set[str], list[str]]:
    """The bills under something that stands, ``""`` where one covers all, and what stands in words."""
    taken: set[str] = set()
    words: list[str] = []
    rows: list[tuple[Any, str]] = []
    for promise in Promise.objects.filter(account=account, status=Promise.Status.OPEN):
        put = {"amount": covered.said(promise.amount, account), "day": _day(promise.due_on)}
        rows.append((promise, _("%(amount)s by %(day)s is promised: cancel that first.") % put))
    for plan in Plan.objects.filter(account=account, status__in=undertakings.RUNNING_PLANS):
        waits = plan.status == Plan.Status.PENDING_APPROVAL
        rows.append((plan, _("A plan waits for approval.") if waits else _("A plan runs: cancel it first.")))
    for extension in Extension.objects.filter(account=account, status__in=undertakings.RUNNING_EXTENSIONS):
        rows.append((extension, _("They have time until %(day)s: cancel that first.") % {"day": _day(extension.until)}))
    for settlement in Settlement.objects.filter(account=account, status__in=undertakings.RUNNING_SETTLEMENTS):
        amount = covered.said(settlement.amount, account)
        rows.append((settlement, _("A settlement for %(amount)s is offered: cancel it first.") % {"amount": amount}))
    for row, text in rows:
        taken |= set(row.bill_refs) or {""}
        words.append(text)
    return taken, words


def _day(day: date) -> str:
    return date_format(day, "j M Y")


def _hold_words(hold: Hold) -> str:
    if hold.reason in _NOT_NOW:
        return _("A payment is on its way: wait for it.")
    return _("A hold stands in the way: %(reason)s.") % {"reason": within(hold.get_reason_display())}


def _in_order(offers: Sequence[Offer], known: _Known) -> list[Offer]:
    """By PLAN-07: what harms least first; what is not possible keeps its place."""
    rule = known.packs.packs["PLAN"].rule("PLAN-07")
    assert rule.reckoning is not None  # packs are checked whole before they ship
    given = agreements.Possible(possible=frozenset(filter(None, ON_THE_MENU.values())))
    order = list(rule.reckoning.gives(rule.params, given)["order"])  # type: ignore[call-overload]
    places = {"": -1, **{what: place for place, what in enumerate(order)}}
    return sorted(offers, key=lambda offer: places.get(ON_THE_MENU[offer.code], len(order)))


def _recommended(offers: Mapping[str, Offer], known: _Known) -> tuple[str, str]:
    """The offer to begin with, and why. The first that is possible of these, by what is known."""
    figures = known.figures
    wanted: list[tuple[str, str]] = []
    if {"medium", "high"} & set(known.care):
        wanted.append((HARDSHIP, _("They need care: pause, and look again later.")))
    if figures is not None and figures.offer <= 0:
        wanted.append((HARDSHIP, _("Their budget leaves nothing: pause, and name free debt advice.")))
    if figures is not None and figures.offer > 0:
        text = _("Their budget leaves %(amount)s a month for us.") % {"amount": known.money(figures.offer)}
        wanted.append((PLAN, text))
    if known.broken:
        text = ngettext(
            "%(count)d promise was broken lately: smaller parts are kept more often.",
            "%(count)d promises were broken lately: smaller parts are kept more often.",
            known.broken,
        ) % {"count": known.broken}
        wanted.append((PLAN, text))
    if known.days_past_due > 60 or len(known.bills) > 2:
        wanted.append((PLAN, _("It has been open for long: parts can be kept.")))
    if not known.broken:
        wanted.append((PROMISE, _("No promise was broken: a day to pay costs nothing.")))
    wanted += [(code, _("What harms least of what is possible.")) for code in offers]
    return next(((code, why) for code, why in wanted if offers[code].is_possible), ("", ""))


# Each offer -----------------------------------------------------------------------------------------------------------


def _pay(known: _Known) -> Offer:
    why_not = [] if known.bills or known.account.fees else list(known.nobody)
    says = _("%(amount)s on their own page, by card or transfer") % {"amount": known.money(known.owed)}
    return Offer(PAY, _("Pay now"), says, why_not=tuple(why_not))


def _promise(known: _Known) -> Offer:
    why_not = list(known.nobody)
    if known.paused is not None:
        why_not.append(_("The account is paused: nothing is asked for."))
    cautions = []
    if known.broken:
        cautions.append(
            ngettext("%(count)d broken in 90 days", "%(count)d broken in 90 days", known.broken)
            % {"count": known.broken}
        )
    says = _("by %(day)s at the latest") % {"day": _day(known.as_of + timedelta(days=settings.PROMISE_MAX_DAYS))}
    return Offer(PROMISE, _("Promise to pay"), says, tuple(why_not), tuple(cautions))


def _extension(known: _Known) -> Offer:
    why_not = list(known.nobody)
    if known.paused is not None:
        why_not.append(_("The account is paused already."))
    params = known.packs.packs["PLAN"].rule("PLAN-06").params
    most = params.max_days_for_care if set(known.care) & set(params.care) else params.max_days
    asked = agreements.Deferral(days=most, earlier=tuple(known.earlier))
    refused, takes = _asked(known, "defer", {"Deferral": asked})
    says = _("up to %(days)d days, everything waits") % {"days": most}
    return Offer(EXTENSION, _("More time"), says, tuple(why_not + refused), takes=tuple(takes))


def _plan(known: _Known) -> Offer:
    why_not, says = list(known.nobody), ""
    takes: list[str] = []
    if not why_not:
        parts = _usual(known)
        refused, takes = _asked_of_plan(known, parts)
        why_not += refused
        says = _("%(count)d times %(amount)s a month") % {
            "count": len(parts),
            "amount": known.money(parts[0].amount),
        }
        takes = [*authority.beyond_limits(parts, agent=known.agent, as_of=known.as_of), *takes]
    return Offer(PLAN, _("Instalments"), says, tuple(why_not), takes=tuple(takes))


def _down_payment(known: _Known) -> Offer:
    why_not = list(known.nobody)
    share = known.packs.packs["PLAN"].rule("PLAN-03").params.max_deposit_pct
    if known.figures is not None and known.figures.offer <= 0:
        why_not.append(_("Their budget leaves nothing to pay at once."))
    most = budgets.payable(known.owed * share / 100, known.account.currency)
    if not why_not and most <= 0:
        why_not.append(_("Too little is open."))
    says = _("up to %(amount)s at once, %(share)d %%") % {"amount": known.money(most), "share": share}
    return Offer(DOWN_PAYMENT, _("Part now, the rest in instalments"), says, tuple(why_not))


def _consolidation(known: _Known) -> Offer:
    why_not = list(known.nobody)
    if not known.linked:
        why_not.append(_("No other account of theirs has something open."))
    says = ngettext(
        "one plan with %(count)d other account", "one plan with %(count)d other accounts", len(known.linked)
    ) % {"count": len(known.linked)}
    return Offer(CONSOLIDATION, _("One plan for linked accounts"), says if known.linked else "", tuple(why_not))


def _hardship(known: _Known) -> Offer:
    # What stands already may go on beside it, or is cancelled for it.
    why_not = [text for text in known.nobody if text not in known.standing]
    if known.paused is not None:
        until = known.paused.ends_on
        why_not.append(
            _("They are in it until %(day)s.") % {"day": _day(until)} if until else _("They are in it already.")
        )
    return Offer(HARDSHIP, _("Hardship programme"), _("pause, look again; a token if they can"), tuple(why_not))


def _downgrade(known: _Known) -> Offer:
    paid = [service for service in known.services if service.monthly_fee]
    why_not = [] if paid else [_("No service of theirs costs a monthly fee.")]
    fees = sum((service.monthly_fee or Decimal(0) for service in paid), Decimal(0))
    says = _("%(amount)s a month now") % {"amount": known.money(fees)} if paid else ""
    return Offer(DOWNGRADE, _("Cheaper product"), says, tuple(why_not))


def _settlement(known: _Known) -> Offer:
    why_not = list(dict.fromkeys([*known.nobody, *known.nothing_given]))
    if why_not:
        return Offer(SETTLEMENT, _("Settlement"), why_not=tuple(why_not))
    alone, own = _alone_off(known), _own_word(known)
    if alone > 0 and own is not None:
        says = _("up to %(amount)s off by yourself, %(share)s %% at most") % {
            "amount": known.money(alone),
            "share": f"{own.max_pct:f}",
        }
        return Offer(SETTLEMENT, _("Settlement"), says)
    days = own.least_dpd if own else 0
    takes = _("Alone you may settle debts of %(days)d days and more: somebody else must agree.") % {"days": days}
    return Offer(SETTLEMENT, _("Settlement"), takes=(takes,))


def _own_word(known: _Known) -> agreements.May | None:
    role = authority.settles_as(known.agent)
    allowed: Sequence[agreements.May] = known.packs.packs["SET"].rule("SET-01").params.authority
    return next((may for may in allowed if may.role == role), None)


def _alone_off(known: _Known) -> Decimal:
    """The most that this person may let go of without anybody's word."""
    own = _own_word(known)
    if own is None or known.days_past_due < own.least_dpd:
        return Decimal(0)
    most = (known.owed + known.account.fees) * own.max_pct / 100
    most = min(most, own.max_amount) if own.max_amount is not None else most
    return budgets.payable(most, known.account.currency)


def usual_terms(menu: Menu, *, currency: str) -> dict[str, Any]:
    """The terms a plan begins with: what their budget leaves a month, else three instalments."""
    offer = menu.figures.offer if menu.figures else Decimal(0)
    amount = budgets.payable(offer, currency)
    if 0 < amount < menu.owed and menu.owed / amount <= instalments.MOST:
        return {"by": "amount", "amount": amount}
    return {"by": "count", "count": USUAL_COUNT}


def _usual(known: _Known) -> list[instalments.Instalment]:
    menu = Menu([], known.owed, known.rules, known.budget, known.figures)
    terms = usual_terms(menu, currency=known.account.currency)
    del terms["by"]
    first_on = known.as_of + timedelta(days=7)
    try:
        return instalments.quote(
            total=known.owed, first_on=first_on, every="month", currency=known.account.currency, **terms
        )
    except instalments.CannotQuote:
        return [instalments.Instalment(first_on, known.owed)]


def _asked_of_plan(known: _Known, parts: Sequence[instalments.Instalment]) -> tuple[list[str], list[str]]:
    offered = affordability.PlanOffered(
        amounts=tuple(part.amount for part in parts),
        due_on=tuple(part.due_on for part in parts),
        total=known.owed,
    )
    more: dict[str, Any] = {"PlanOffered": offered}
    if known.broken_plan_on is not None:
        more["PlanInForce"] = agreements.PlanInForce(broken_on=known.broken_plan_on)
    return _asked(known, "make_plan", more)


def _asked(known: _Known, action: str, parts: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What the packs say of it: why it may not be, and what it takes."""
    account = known.account
    debt = Debt(
        balance=account.open_amount + account.fees,
        overdue=account.overdue,
        disputed=account.disputed,
        oldest_due_on=account.oldest_due_on,
        currency=account.currency,
        not_due=account.oldest_due_on is None,
    )
    roles = rights.roles(known.agent)
    person = contact.by_person(roles | {rights.SUPERVISOR} if rights.MANAGER in roles else roles)
    findings = known.gate.findings(account.pk, Action(type=action), parts={**person, **parts}, debt=debt, keep=False)
    supervises = bool(roles & authority.SUPERVISORS)
    refused = [found.reason for found in findings if found.outcome == BLOCK and found.override == "none"]
    takes = [
        found.reason
        for found in findings
        if any(code.startswith("approval_") for code in found.requires)
        or ("ask_supervisor" in found.requires and not supervises)
    ]
    return refused, takes
