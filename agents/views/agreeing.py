"""What is agreed on an account's page: the forms with their first values, what they would come to, and the doing.

The quote and the doing reckon alike. What is saved as read back is what was read: a form whose terms changed since is
read again first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

from django.conf import settings
from django.db.models import F
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from accounts.models import Account, Bill, Service
from accounts.models.account import ServiceStatus
from accounts.money import plain
from accounts.refusals import Refused
from agents import (
    authority,
    budgets,
    calls,
    consolidating,
    covered,
    downgrades,
    extensions,
    hardship,
    offers,
    plans,
    promises,
    reading_back,
    settlements,
)
from agents.agreement_forms import (
    Agreement,
    BudgetForm,
    ConsolidationForm,
    DowngradeForm,
    ExtensionForm,
    HardshipForm,
    PayForm,
    PlanForm,
    PromiseForm,
    SettlementForm,
)
from agents.budgets import Figures
from agents.forms import Talk
from agents.instalments import Instalment
from agents.models import Budget, Extension, Plan, Settlement
from agents.reading_back import Spoken
from agents.views.account_page import Desk
from dunning.composing import pay_token

DESIGNER, BUDGET = "agents/designer/_designer.html", "budget"

#: Acts that agree something: address, template of the panel, form.
ACTS: dict[str, tuple[str, type[Talk]]] = {
    offers.PROMISE: ("agents/designer/_promise.html", PromiseForm),
    offers.PLAN: (DESIGNER, PlanForm),
    offers.DOWN_PAYMENT: (DESIGNER, PlanForm),
    offers.EXTENSION: (DESIGNER, ExtensionForm),
    offers.SETTLEMENT: (DESIGNER, SettlementForm),
    offers.HARDSHIP: (DESIGNER, HardshipForm),
    offers.DOWNGRADE: (DESIGNER, DowngradeForm),
    offers.CONSOLIDATION: (DESIGNER, ConsolidationForm),
    offers.PAY: (DESIGNER, PayForm),
    BUDGET: (DESIGNER, BudgetForm),
}
#: What is opened after an act: a budget is made for the sake of a plan.
FOLLOWED_BY = {BUDGET: offers.PLAN}

WEEK, FORTNIGHT, TWO_MONTHS = timedelta(weeks=1), timedelta(weeks=2), timedelta(days=60)


class CannotAgreeUnheard(Refused):
    """The customer heard other words than these."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class Share:
    """What one account pays of a plan over several."""

    account: Account
    total: Decimal
    each: Decimal
    last: Decimal


@dataclass(frozen=True, slots=True)
class Quoted:
    """What the terms come to: shown while they are typed, and done as shown."""

    rows: Sequence[Instalment] = ()
    #: Figures in words: label and amount.
    lines: Sequence[tuple[str, Decimal]] = ()
    #: Said beside the figures.
    notes: Sequence[str] = ()
    #: Why somebody else must agree, and who that is.
    reasons: Sequence[str] = ()
    decides: str = ""
    #: What the rules would have done otherwise.
    advice: Sequence[str] = ()
    #: Why nobody may agree it.
    refusals: Sequence[str] = ()
    shares: Sequence[Share] = ()
    #: What is read aloud in the customer's language; in the desk's beside it, where that is another.
    spoken: Spoken | None = None
    meaning: Spoken | None = None

    @property
    def total(self) -> Decimal:
        return sum((row.amount for row in self.rows), Decimal(0))

    @property
    def last_on(self) -> date | None:
        return self.rows[-1].due_on if self.rows else None


# The forms ------------------------------------------------------------------------------------------------------------


def build(desk: Desk, act: str, *args: Any, bills: Sequence[Bill], **kwargs: Any) -> Talk:
    """The form of an act, with the choices that this account gives it."""
    more: dict[str, Any] = {}
    if act == offers.CONSOLIDATION:
        more["linked"] = linked_to(desk)
    elif act == offers.DOWNGRADE:
        more["services"] = services_of(desk)
    elif act == BUDGET:
        more["rules"] = budgets.rules_in_force()
    form = ACTS[act][1]
    return form(*args, currency=desk.account.currency, as_of=desk.as_of, bills=bills, **more, **kwargs)


def linked_to(desk: Desk) -> list[Account]:
    """The other accounts that one plan may cover."""
    together = consolidating.linked(desk.account, desk.agent)
    return [account for account in together if account.pk != desk.account.pk]


def services_of(desk: Desk) -> list[Service]:
    """Services that cost something, the dearest first."""
    running = desk.account.services.filter(monthly_fee__gt=0).exclude(status=ServiceStatus.DISCONNECTED)
    return list(running.order_by("-monthly_fee", "ref"))


def menu_of(desk: Desk) -> offers.Menu:
    """What may be offered, read once in a request."""
    kept: offers.Menu | None = desk.account.__dict__.get("_menu")
    if kept is None:
        kept = offers.of(account=desk.account, agent=desk.agent, as_of=desk.as_of, at=desk.at)
        desk.account.__dict__["_menu"] = kept
    return kept


def first_values(desk: Desk, act: str) -> dict[str, Any]:
    """Terms that could be agreed as they stand."""
    account, as_of = desk.account, desk.as_of
    if act == offers.PROMISE:
        owed = account.overdue or account.open_amount - account.disputed
        return {"amount": plain(owed, account.currency) if owed else "", "due_on": as_of + WEEK}
    if act in {offers.PLAN, offers.DOWN_PAYMENT, offers.CONSOLIDATION}:
        return _first_schedule(desk, act)
    if act == offers.EXTENSION:
        return {"until": as_of + FORTNIGHT}
    if act == offers.SETTLEMENT:
        return _first_settlement(desk)
    if act == offers.HARDSHIP:
        return {"review_on": as_of + TWO_MONTHS, "first_on": as_of + FORTNIGHT, "every": "month"}
    if act == offers.DOWNGRADE:
        dearest = next(iter(services_of(desk)), None)
        return {"service": dearest.ref if dearest else ""}
    if act == BUDGET:
        return _first_budget(desk)
    return {}


def _first_schedule(desk: Desk, act: str) -> dict[str, Any]:
    menu, currency = menu_of(desk), desk.account.currency
    first: dict[str, Any] = {
        "first_on": desk.as_of + WEEK,
        "every": "month",
        "by": "count",
        "count": offers.USUAL_COUNT,
    }
    if act == offers.CONSOLIDATION:
        return first | {"accounts": [account.ref for account in menu.linked]}
    terms = offers.usual_terms(menu, currency=currency)
    if "amount" in terms:
        terms["amount"] = plain(terms["amount"], currency)
    if act == offers.DOWN_PAYMENT:
        quarter = budgets.payable(menu.owed / 4, currency)
        first |= {"first_on": desk.as_of, "down_payment": plain(quarter, currency) if quarter else ""}
    return first | terms


def _first_settlement(desk: Desk) -> dict[str, Any]:
    """What the person may let go of alone; where that is nothing, a tenth."""
    menu, currency = menu_of(desk), desk.account.currency
    owed = menu.owed + desk.account.fees
    amount = owed - (menu.alone_off or budgets.payable(owed / 10, currency))
    return {
        "by": "amount",
        "amount": plain(amount, currency) if amount else "",
        "percent": "10",
        "pay_by": settlements.latest_day(as_of=desk.as_of),
    }


def _first_budget(desk: Desk) -> dict[str, Any]:
    """What was told last, however old: lives change in a few lines, and those are gone through."""
    latest = (
        Budget.objects.filter(customer=desk.account.customer_id, account__currency=desk.account.currency)
        .order_by("-made_on", "-pk")
        .first()
    )
    if latest is None:
        return {}
    first: dict[str, Any] = {"household": latest.household}
    for line in latest.lines:
        first |= {line["category"]: line["amount"], f"{line['category']}_every": line["every"]}
    return first | {f"{category}_why": why for category, why in latest.reasons.items()}


def as_typed(desk: Desk, act: str, form: Talk, bills: Sequence[Bill]) -> Talk:
    """The form as if its first values had been typed."""
    typed = {name: "" if form[name].value() is None else form[name].value() for name in form.fields}
    return build(desk, act, typed, bills=bills)


def shown(desk: Desk, act: str, form: Talk, bills: Sequence[Bill]) -> dict[str, Any]:
    """What a panel shows beside its fields."""
    typed = form if form.is_bound else as_typed(desk, act, form, bills)
    more = quoted(desk, act, typed)
    if ACTS[act][0] == DESIGNER:
        more |= on_the_menu(desk)
    if act == offers.DOWNGRADE:
        more["cheaper"] = services_of(desk)
    if act == offers.PAY:
        more["pay_url"] = f"{settings.DESK_PUBLIC_URL}/pay/{pay_token(desk.account.ref)}/"
    return more


def on_the_menu(desk: Desk) -> dict[str, Any]:
    """The offers beside the form, and the budget they rest on."""
    menu = menu_of(desk)
    fresh_until = budgets.stale_after(menu.rules, menu.budget) if menu.budget is not None else None
    return {"menu": menu, "offers": menu.offers, "fresh_until": fresh_until}


# What it comes to -----------------------------------------------------------------------------------------------------


def quoted(desk: Desk, act: str, form: Talk) -> dict[str, Any]:
    """The quote of what is typed, or why there is none; whether it was heard like that."""
    if act == BUDGET:
        return {"figures": _month(desk, form), "whys": _whys(desk, form)}
    if not isinstance(form, Agreement) or not form.has_terms:
        return {"quote": None, "problem": ""}
    try:
        quote = QUOTES[act](desk, form)
    except Refused as refusal:
        return {"quote": None, "problem": str(refusal)}
    heard = quote.spoken is not None and form.data.get("heard") == quote.spoken.heard
    return {"quote": quote, "problem": "", "was_heard": heard and bool(form.data.get("agreed"))}


def _month(desk: Desk, form: Talk) -> Figures | None:
    """The month of a budget that is being told; none while a line of it is no amount."""
    if not isinstance(form, BudgetForm) or not form.is_valid() or not form.lines():
        return None
    ours = max(desk.account.open_amount - desk.account.disputed, Decimal(0))
    in_all = max(form.cleaned_data["debts_in_all"] or Decimal(0), ours)
    return budgets.reckon(form.rules, lines=form.lines(), our_balance=ours, debts_in_all=in_all)


def _whys(desk: Desk, form: Talk) -> list[Any]:
    """Fields for why more is spent than usual, of the lines where it is."""
    if not isinstance(form, BudgetForm) or not form.is_valid():
        return []
    household = form.cleaned_data["household"]
    above = budgets.above_guideline(form.rules, lines=form.lines(), household=household, at=desk.at)
    return [form[f"{category}_why"] for category in above]


def _said(desk: Desk, what: str, *, waits: bool, **fields: Any) -> dict[str, Any]:
    """The words in the customer's language, and in the desk's where that is another."""
    customer, currency = desk.customer, desk.account.currency
    spoken = reading_back.say(what, language=customer.language, currency=currency, waits=waits, **fields)
    own = f"{(get_language() or 'en').partition('-')[0]}-{customer.country}"
    meaning = reading_back.say(what, language=own, currency=currency, waits=waits, **fields)
    return {"spoken": spoken, "meaning": meaning if meaning.language != spoken.language else None}


def _who(wants: Sequence[str] = ()) -> str:
    """Who must agree, in words."""
    roles = [str(_ROLES.get(role, role.replace("_", " "))) for role in wants]
    if len(roles) > 1:
        return _("%(first)s and %(last)s") % {"first": ", ".join(roles[:-1]), "last": roles[-1]}
    return roles[0] if roles else _("a supervisor")


_ROLES: Mapping[str, Any] = {
    "team_lead": gettext_lazy("a team lead"),
    "supervisor": gettext_lazy("a supervisor"),
    "manager": gettext_lazy("a manager"),
    "finance": gettext_lazy("finance"),
}


def _quote_promise(desk: Desk, form: Agreement) -> Quoted:
    terms = form.terms()
    latest = desk.as_of + timedelta(days=settings.PROMISE_MAX_DAYS)
    if not desk.as_of <= terms["due_on"] <= latest:
        raise promises.CannotPromise(_("From today to %(day)s; beyond that, agree a plan.") % {"day": _day(latest)})
    return Quoted(**_said(desk, form.what, waits=False, **terms))


def _quote_plan(desk: Desk, form: Agreement) -> Quoted:
    terms = form.terms()
    rules = budgets.rules_in_force()
    budget = budgets.fresh_for(rules, account=desk.account, as_of=desk.as_of)
    quote = plans.quote_for(
        account_id=desk.account.pk,
        bill_refs=form.bill_refs(),
        agent=desk.agent,
        as_of=desk.as_of,
        at=desk.at,
        budget_id=budget.pk if budget else None,
        **terms,
    )
    down = terms["down_payment"]
    fields = reading_back.of_instalments(quote.instalments, every=terms["every"], down_payment=down)
    return Quoted(
        rows=quote.instalments,
        lines=_left(rules, budget, _each(quote.instalments, down), terms["every"]),
        reasons=quote.reasons,
        decides="" if quote.within_authority else _who(),
        advice=quote.advice,
        refusals=quote.refusals,
        **_said(desk, form.what, waits=not quote.within_authority, **fields),
    )


def _each(parts: Sequence[Instalment], down: Decimal | None) -> Decimal:
    """The dearest regular instalment."""
    rest = parts[1:] if down is not None and len(parts) > 1 else parts
    return max((part.amount for part in rest), default=Decimal(0))


def _left(rules: budgets.Rules, budget: Budget | None, each: Decimal, every: str) -> list[tuple[str, Decimal]]:
    """What a month's payment leaves them, where their budget is known."""
    if budget is None:
        return []
    figures = budgets.figures_of(rules, budget)
    a_month = budgets.a_month(rules, each, every)
    return [
        (_("A month for this plan"), a_month),
        (_("Left for them a month"), figures.surplus - a_month),
    ]


def _quote_consolidation(desk: Desk, form: Agreement) -> Quoted:
    terms = form.terms()
    rules = budgets.rules_in_force()
    budget = budgets.fresh_for(rules, account=desk.account, as_of=desk.as_of)
    quote = consolidating.quote_for(
        account_ids=_accounts_of(desk, form),
        agent=desk.agent,
        as_of=desk.as_of,
        at=desk.at,
        budget_id=budget.pk if budget else None,
        **terms,
    )
    accounts = {account.pk: account for account in [desk.account, *linked_to(desk)]}
    shares = [
        Share(accounts[pk], sum((part.amount for part in parts), Decimal(0)), parts[0].amount, parts[-1].amount)
        for pk, parts in quote.parts.items()
        if parts
    ]
    down = terms["down_payment"]
    fields = reading_back.of_instalments(quote.instalments, every=terms["every"], down_payment=down)
    fields["accounts"] = ", ".join(share.account.ref for share in shares)
    return Quoted(
        rows=quote.instalments,
        lines=_left(rules, budget, _each(quote.instalments, down), terms["every"]),
        reasons=quote.reasons,
        decides="" if quote.within_authority else _who(),
        advice=quote.advice,
        refusals=quote.refusals,
        shares=shares,
        **_said(desk, form.what, waits=not quote.within_authority, **fields),
    )


def _accounts_of(desk: Desk, form: Agreement) -> list[int]:
    """This account and the chosen ones: the form lets no other through."""
    chosen = set(form.cleaned_data["accounts"])
    return [desk.account.pk, *(account.pk for account in linked_to(desk) if account.ref in chosen)]


def _quote_extension(desk: Desk, form: Agreement) -> Quoted:
    quote = extensions.quote_for(
        account_id=desk.account.pk,
        bill_refs=form.bill_refs(),
        agent=desk.agent,
        as_of=desk.as_of,
        at=desk.at,
        **form.terms(),
    )
    days = ngettext("%(count)d day more", "%(count)d days more", quote.days) % {"count": quote.days}
    waits = not quote.within_authority
    return Quoted(
        lines=[(_("To be paid then"), quote.total)],
        notes=[days],
        reasons=quote.reasons,
        decides=_who() if waits else "",
        advice=quote.advice,
        refusals=quote.refusals,
        **_said(desk, form.what, waits=waits, until=quote.until, total=quote.total),
    )


def _quote_settlement(desk: Desk, form: Agreement) -> Quoted:
    quote = settlements.quote_for(
        account_id=desk.account.pk,
        bill_refs=form.bill_refs(),
        agent=desk.agent,
        as_of=desk.as_of,
        at=desk.at,
        **_settled_for(desk, form),
    )
    waits = not quote.within_authority
    return Quoted(
        lines=[
            (_("Owed"), quote.balance),
            (_("They pay"), quote.amount),
            (_("Let go"), quote.discount),
            *([(_("of it fees, first"), quote.fees_waived)] if quote.fees_waived else []),
        ],
        notes=[_("%(share)s %% off") % {"share": f"{quote.percent:f}"}],
        reasons=quote.reasons,
        decides=_who(quote.wants) if waits else "",
        advice=quote.advice,
        refusals=quote.refusals,
        **_said(
            desk, form.what, waits=waits, balance=quote.balance, amount=quote.amount, discount=quote.discount,
            pay_by=quote.pay_by,
        ),
    )  # fmt: skip


def _settled_for(desk: Desk, form: Agreement) -> dict[str, Any]:
    """Amount and day; a percentage is of what is open on the bills, with the desk's fees where those are all."""
    bills = covered.bills_of(desk.account, form.bill_refs(), refusal=settlements.CannotSettle)
    owed = covered.undisputed(bills)
    if len(bills) == desk.account.bills.filter(open_amount__gt=0).count():
        owed += desk.account.fees
    return cast(SettlementForm, form).terms_of(owed, desk.account.currency)


def _quote_hardship(desk: Desk, form: Agreement) -> Quoted:
    given = form.cleaned_data
    fields: dict[str, Any] = {"review_on": given["review_on"]}
    if given["review_on"] <= desk.as_of:
        raise hardship.CannotBegin(_("The review lies ahead."))
    rows: list[Instalment] = []
    decides = ""
    ruling = authority.Ruling()
    if given["token"] is not None:
        payable = Bill.objects.filter(account=desk.account, open_amount__gt=F("disputed_amount"))
        rows = hardship.schedule(
            total=covered.undisputed(payable),
            token=given["token"],
            first_on=given["first_on"],
            every=given["every"],
            review_on=given["review_on"],
            currency=desk.account.currency,
        )
        ruling = authority.plan(
            account=desk.account,
            parts=rows,
            covers=sum((row.amount for row in rows), Decimal(0)),
            agent=desk.agent,
            as_of=desk.as_of,
            at=desk.at,
        )
        decides = _who() if ruling.reasons else ""
        fields |= {"token": given["token"], "every": given["every"], "first_on": given["first_on"]}
    return Quoted(
        rows=rows,
        notes=[_("Notices, fees and limits stop; a task comes back on that day.")],
        reasons=ruling.reasons,
        decides=decides,
        refusals=ruling.refusals,
        **_said(desk, form.what, waits=bool(decides), **fields),
    )


def _quote_downgrade(desk: Desk, form: Agreement) -> Quoted:
    terms = form.terms()
    service = cast(DowngradeForm, form).services[terms["service_ref"]]
    fee = service.monthly_fee or Decimal(0)
    if terms["to_fee"] >= fee:
        raise downgrades.CannotDowngrade(_("That is not cheaper than what they have."))
    return Quoted(
        lines=[(_("Now"), fee), (_("Then"), terms["to_fee"]), (_("Saved a month"), fee - terms["to_fee"])],
        notes=[_("Billing and the network are asked; the account page shows their answer.")],
        **_said(
            desk, form.what, waits=False, service=service.number or service.ref, product=terms["to_product"],
            from_fee=fee, to_fee=terms["to_fee"],
        ),
    )  # fmt: skip


QUOTES: dict[str, Callable[[Desk, Agreement], Quoted]] = {
    offers.PROMISE: _quote_promise,
    offers.PLAN: _quote_plan,
    offers.DOWN_PAYMENT: _quote_plan,
    offers.EXTENSION: _quote_extension,
    offers.SETTLEMENT: _quote_settlement,
    offers.HARDSHIP: _quote_hardship,
    offers.DOWNGRADE: _quote_downgrade,
    offers.CONSOLIDATION: _quote_consolidation,
}


# The doing ------------------------------------------------------------------------------------------------------------


def _heard(desk: Desk, act: str, form: Agreement) -> tuple[Quoted, dict[str, Any]]:
    """What was quoted and heard, and the arguments that every agreement takes of it.

    Raises ``CannotAgreeUnheard`` where the words are others now, and what the quote raises.
    """
    quote = QUOTES[act](desk, form)
    if quote.refusals:
        raise CannotAgreeUnheard(" ".join(quote.refusals), code="refused")
    if quote.spoken is None or form.cleaned_data["heard"] != quote.spoken.heard:
        raise CannotAgreeUnheard(_("Read them these words first: they are new. Then tick that they agree."))
    given = form.cleaned_data
    said = {"note": given["note"], "agreed_by": given["agreed_by"], "read_back": quote.spoken.text}
    return quote, {"actor": desk.actor, "as_of": desk.as_of, "at": desk.at, **said}


def make_promise(desk: Desk, form: Any) -> str:
    _quote, now = _heard(desk, offers.PROMISE, form)
    promise = promises.make(account_id=desk.account.pk, bill_refs=form.bill_refs(), **form.terms(), **now)
    return _("Promise noted: reminders stop until %(day)s and a few days more.") % {"day": _day(promise.due_on)}


def agree_plan(desk: Desk, form: Any) -> str:
    """Agree what the quote says; over the agent's authority it waits for a supervisor."""
    quote, now = _heard(desk, offers.PLAN, form)
    plan = plans.agree(
        account_id=desk.account.pk,
        instalments=quote.rows,
        bill_refs=form.bill_refs(),
        agent=desk.agent,
        budget_id=_budget_id(desk),
        **now,
    )
    if plan.status == Plan.Status.PENDING_APPROVAL:
        return _("Plan handed to a supervisor; everything holds meanwhile.")
    return _("Plan agreed.")


def give_time(desk: Desk, form: Any) -> str:
    _quote, now = _heard(desk, offers.EXTENSION, form)
    extension = extensions.agree(
        account_id=desk.account.pk, bill_refs=form.bill_refs(), agent=desk.agent, **form.terms(), **now
    )
    if extension.status == Extension.Status.PENDING_APPROVAL:
        return _("Handed to a supervisor; everything holds meanwhile.")
    return _("They have time until %(day)s.") % {"day": _day(extension.until)}


def settle(desk: Desk, form: Any) -> str:
    quote, now = _heard(desk, offers.SETTLEMENT, form)
    settlement = settlements.agree(
        account_id=desk.account.pk,
        bill_refs=form.bill_refs(),
        agent=desk.agent,
        **_settled_for(desk, form),
        **now,
    )
    if settlement.status == Settlement.Status.PENDING_APPROVAL:
        return _("Handed to %(who)s; everything holds meanwhile.") % {"who": quote.decides or _who()}
    return _("Settlement offered until %(day)s.") % {"day": _day(settlement.pay_by)}


def begin_hardship(desk: Desk, form: Any) -> str:
    _quote, now = _heard(desk, offers.HARDSHIP, form)
    given = form.cleaned_data
    hardship.begin(
        account_id=desk.account.pk,
        agent=desk.agent,
        review_on=given["review_on"],
        token=given["token"],
        first_on=given["first_on"],
        every=given["every"],
        **now,
    )
    return _("Everything is paused; look at it again on %(day)s.") % {"day": _day(given["review_on"])}


def ask_downgrade(desk: Desk, form: Any) -> str:
    _quote, now = _heard(desk, offers.DOWNGRADE, form)
    del now["agreed_by"]
    read_back = now.pop("read_back")
    now["note"] = now["note"] or read_back
    downgrade = downgrades.ask(account_id=desk.account.pk, **form.terms(), **now)
    return _("%(product)s asked for: billing answers.") % {"product": downgrade.to_product}


def consolidate(desk: Desk, form: Any) -> str:
    quote, now = _heard(desk, offers.CONSOLIDATION, form)
    agreed = consolidating.agree(
        account_ids=_accounts_of(desk, form),
        instalments=quote.rows,
        agent=desk.agent,
        budget_id=_budget_id(desk),
        **now,
    )
    if any(plan.status == Plan.Status.PENDING_APPROVAL for plan in agreed):
        return _("One plan handed to a supervisor; everything holds meanwhile.")
    return _("One plan for %(count)d accounts agreed.") % {"count": len(agreed)}


def _budget_id(desk: Desk) -> int | None:
    """The budget that a plan of today rests on."""
    budget = budgets.fresh_for(budgets.rules_in_force(), account=desk.account, as_of=desk.as_of)
    return budget.pk if budget else None


def keep_budget(desk: Desk, form: Any) -> str:
    given = form.cleaned_data
    budget = budgets.make(
        account_id=desk.account.pk,
        lines=form.lines(),
        debts_in_all=given["debts_in_all"],
        household=given["household"],
        evidence=given["evidence"],
        reasons=form.reasons(),
        actor=desk.actor,
        as_of=desk.as_of,
        at=desk.at,
    )
    if budget.offer:
        amount = covered.said(budget.offer, desk.account)
        return _("Budget kept: it leaves %(amount)s a month for us.") % {"amount": amount}
    return _("Budget kept: it leaves nothing. Pause, and name free debt advice.")


def tell_page(desk: Desk, form: Any) -> str:
    """They pay on their own page: it is noted that they were told where."""
    calls.add_note(
        account_id=desk.account.pk,
        text=_("Told where to pay: the customer's own page."),
        actor=desk.actor,
        as_of=desk.as_of,
        at=desk.at,
    )
    return _("Noted that they were told where to pay.")


def _day(day: date) -> str:
    return date_format(day, "j M Y")


def _disclosed(commit: Callable[[Desk, Any], str]) -> Callable[[Desk, Any], str]:
    """Nothing is agreed with somebody on the line who may be anybody."""

    def checked(desk: Desk, form: Any) -> str:
        calls.refuse_undisclosed(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
        return commit(desk, form)

    return checked


COMMITS: dict[str, Callable[[Desk, Any], str]] = {
    act: _disclosed(commit)
    for act, commit in {
        offers.PROMISE: make_promise,
        offers.PLAN: agree_plan,
        offers.DOWN_PAYMENT: agree_plan,
        offers.EXTENSION: give_time,
        offers.SETTLEMENT: settle,
        offers.HARDSHIP: begin_hardship,
        offers.DOWNGRADE: ask_downgrade,
        offers.CONSOLIDATION: consolidate,
        BUDGET: keep_budget,
        offers.PAY: tell_page,
    }.items()
}
