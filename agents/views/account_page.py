"""Everything one account's page shows, read in a fixed number of queries however long its history is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.db.models import Prefetch
from django.http import Http404

from accounts import holds, keeping
from accounts.business_day import business_date
from accounts.models import Account, Bill, ContactPoint, Customer, Hold, Service
from accounts.models.account import ServiceStatus
from agents import calls, fees, rights
from agents.forms import KeepForm
from agents.models import Agent, Disposition, Instalment, Plan, Promise, WorkItem
from agents.timeline import SHOWS, timeline
from agents.views import inbound
from agents.views.customer_zone import customer_zone
from agents.views.session import DeskRequest
from dunning import cases, experiments, hold_rules, reading

#: Bills of one account on one page; whoever has more reads the rest in billing.
MOST_BILLS = 200
PAID_BILLS = 12
RECENT = 12
ENTRIES = 60
#: The contact gate's answer as a light; whatever else it says is red.
LIGHTS = {"allow": "good", "warn": "warn", "require": "warn", "hold": "warn"}
MOST_ENTRIES = 960


@dataclass(frozen=True, slots=True)
class Desk:
    """One request on one account: who asks, when, and what is known at once."""

    account: Account
    agent: Agent
    at: datetime
    as_of: date

    @property
    def customer(self) -> Customer:
        return self.account.customer

    @property
    def actor(self) -> str:
        return rights.actor(self.agent)


def desk_of(request: DeskRequest, ref: str, at: datetime) -> Desk:
    """The account with its customer, on this side of the team wall. Raises ``Http404`` for any other."""
    account = rights.visible_accounts(request.user).select_related("customer").filter(ref=ref).first()
    if account is None:
        raise Http404("There is no such account.")
    return Desk(account=account, agent=request.user, at=at, as_of=business_date(at=at))


def zone_of(customer: Customer) -> ZoneInfo | None:
    """The customer's time zone, when it is known and exists."""
    try:
        return ZoneInfo(customer.timezone) if customer.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def language_of(customer: Customer) -> str:
    """The customer's language in words."""
    try:
        return Locale.parse(customer.language, sep="-").get_display_name("en") or customer.language
    except (UnknownLocaleError, ValueError):
        return customer.language


def open_bills(account: Account) -> list[Bill]:
    """What is open, oldest due first."""
    return list(account.bills.filter(open_amount__gt=0).order_by("due_on", "pk")[:MOST_BILLS])


def numbers_of(desk: Desk) -> list[str]:
    """Numbers to call, the preferred first, each once."""
    points = [
        point
        for point in desk.customer.contact_points.all()
        if point.kind == ContactPoint.Kind.PHONE and (point.valid_to is None or point.valid_to >= desk.as_of)
    ]
    preferred = [point.value for point in points if point.preferred]
    others = [point.value for point in points if not point.preferred]
    return list(dict.fromkeys([*preferred, *filter(None, [desk.customer.phone]), *others]))


def addresses_of(desk: Desk) -> list[str]:
    """Every number and address that a wish may be about, each once."""
    points = desk.customer.contact_points.exclude(kind=ContactPoint.Kind.ADDRESS)
    on_file = filter(None, [desk.customer.phone, desk.customer.email])
    return list(dict.fromkeys([*on_file, *points.order_by("pk").values_list("value", flat=True)]))


def picture(desk: Desk, *, item: WorkItem | None, show: str = "all", most: int = ENTRIES) -> dict[str, Any]:
    """The template's context: the five zones, without a form."""
    account, as_of, at = desk.account, desk.as_of, desk.at
    zone = zone_of(desk.customer)
    numbers = numbers_of(desk)
    items = list(
        account.work_items.filter(done_at=None)
        .exclude(kind=WorkItem.Kind.APPROVAL)
        .select_related("claimed_by", "team")
        .order_by("pk")
    )
    mine = item is not None
    shown = next((row for row in items if item is not None and row.pk == item.pk), items[0] if items else None)
    held_by = next((row for row in items if _held_by_other(row, desk)), None)
    bills = open_bills(account)
    promises = list(account.promises.order_by("-made_on", "-pk")[:RECENT])
    plans = list(
        account.plans.prefetch_related(
            Prefetch("instalments", queryset=Instalment.objects.order_by("position"))
        ).order_by("-made_on", "-pk")[:3]
    )
    plan = next((row for row in plans if row.status in {Plan.Status.ACTIVE, Plan.Status.PENDING_APPROVAL}), None)
    services = list(account.services.order_by("kind", "number", "pk")[:MOST_BILLS])
    facts = reading.read([account.pk], as_of=as_of)
    decision = calls.ask_gate(account_id=account.pk, channel="call", at=at, as_of=as_of, agent=desk.agent, facts=facts)
    days = (as_of - account.oldest_due_on).days if account.oldest_due_on else 0
    in_force = list(holds.in_force(account_id=account.pk, as_of=as_of))
    rules = hold_rules.matrix()
    liftable = rights.liftable(desk.agent, rules)
    disputes = list(account.disputes.order_by("resolved_on", "-opened_on", "-pk")[:RECENT])
    dispositions = list(Disposition.objects.order_by("position", "code"))
    outcomes = {row.code: row.label for row in dispositions}
    talks = list(account.interactions.select_related("agent").order_by("-at", "-pk")[:4])
    contested = [row for row in disputes if row.resolved_on is None]
    zone_of_customer = customer_zone(
        desk.customer, sees_support=rights.may(desk.agent, rights.Act.SEE_SUPPORT), as_of=as_of, at=at
    )
    return {
        "account": account,
        "customer": desk.customer,
        "currency": account.currency,
        "language": language_of(desk.customer),
        "at": at,
        "as_of": as_of,
        "zone": zone,
        "numbers": numbers,
        "contact": decision,
        "may_call": calls.may_begin(decision),
        "packs": [version.partition("@") for version in decision.pack_versions],
        "light": LIGHTS.get(decision.outcome.lower(), "bad"),
        "outlook": cases.outlook(account_id=account.pk, as_of=as_of, facts=facts),
        "days_past_due": max(days, 0),
        "items": items,
        "item": shown,
        "mine": mine,
        "held_by": None if mine else held_by,
        "may_take_over": rights.sees_all_teams(desk.agent),
        "arms": experiments.arm_of(account.pk),
        "bills": bills,
        "open_total": sum((bill.open_amount for bill in bills), Decimal(0)),
        "paid_bills": list(account.bills.filter(open_amount=0).order_by("-due_on", "-pk")[:PAID_BILLS]),
        "fees": list(fees.open_fees(account_id=account.pk, as_of=as_of)) if account.fees else [],
        "may_waive": rights.may(desk.agent, rights.Act.APPROVE),
        "payments": list(account.payments.order_by("-received_on", "-pk")[:RECENT]),
        "promises": promises,
        "promise": promises[0] if promises else None,
        "plans": plans,
        "plan": plan,
        "disputes": disputes,
        "services": [(service, _rung(service.status), _keeping(desk, service, as_of=as_of)) for service in services],
        "keep_reasons": KeepForm.WHY,
        "keeps_until": rights.keeps_until(desk.agent, as_of=as_of),
        "limited": [service for service in services if service.status != ServiceStatus.ACTIVE],
        "holds": [(hold, hold.reason in liftable, hold_rules.told(hold, rules[hold.reason])) for hold in in_force],
        "holding": len([hold for hold in in_force if hold.reason != Hold.Reason.DISPUTE]) + len(contested),
        "wishes": zone_of_customer,
        "contacts": [(talk, outcomes.get(talk.disposition, talk.disposition)) for talk in talks],
        "timeline": timeline(
            account=account,
            as_of=desk.as_of,
            zone=ZoneInfo(settings.DESK_TIME_ZONE),
            outcomes=outcomes,
            show=show,
            most=most,
        ),
        "shows": SHOWS,
        "dispositions": [row for row in dispositions if row.active],
        **inbound.of_account(account),
        "may_resolve": rights.may(desk.agent, rights.Act.RESOLVE_DISPUTE),
        "may_audit": rights.may(desk.agent, rights.Act.SEE_AUDIT),
        "script": script(
            account=account,
            holds_in_force=in_force,
            promises=promises,
            vulnerable=bool(zone_of_customer.needs),
            days=days,
        ),
    }


def _keeping(desk: Desk, service: Service, *, as_of: date) -> str:
    """What the page offers of keeping a service: ``kept``, ``open`` to be kept, or nothing."""
    if keeping.is_kept(service, as_of=as_of):
        return "kept, may change" if rights.may_keep(desk.agent, service, as_of=as_of) else "kept"
    limitable = service.status != ServiceStatus.DISCONNECTED and not service.protected
    return "open" if limitable else ""


def _held_by_other(item: WorkItem, desk: Desk) -> bool:
    return (
        item.claimed_by_id not in {None, desk.agent.pk} and item.lease_until is not None and item.lease_until > desk.at
    )


def _rung(status: str) -> list[bool]:
    """The ladder as lamps: as many are on as the service is limited; one for an active one."""
    rung = ServiceStatus.values.index(status)
    return [place <= rung for place in range(len(ServiceStatus.values))]


def script(
    *, account: Account, holds_in_force: Sequence[Hold], promises: Sequence[Promise], vulnerable: bool, days: int
) -> list[tuple[str, str]]:
    """What to say, in five short parts: verify, disclose, reason, offer, close; worded for the situation."""
    reasons = {hold.reason for hold in holds_in_force}
    broken = any(promise.status == Promise.Status.BROKEN for promise in promises[:2])
    verify = ("Verify", "Ask for the full name and one more detail on file. Say nothing of the bill before it matches.")
    if Hold.Reason.DECEASED in reasons:
        return [
            ("Listen", "I am very sorry for your loss. There is nothing you need to do on this call."),
            ("Ask", "May I ask who looks after the estate, so that we write to them and not to you?"),
            ("Close", "We have paused everything on this account. Thank you for telling us."),
        ]
    operator = settings.DESK_OPERATOR["name"]
    disclose = ("Disclose", f"This is {operator}, about account {account.ref}. The call may be recorded.")
    if reasons & {Hold.Reason.HARDSHIP, Hold.Reason.BREATHING_SPACE, Hold.Reason.BANKRUPTCY}:
        reason = ("Reason", "We have paused reminders and limits for now. I would like to hear how things are for you.")
        offer = ("Offer", "There is no payment to agree today. I can tell you where free debt advice is to be had.")
    elif Hold.Reason.DISPUTE in reasons:
        reason = ("Reason", "What you contest is on hold while we look into it. The rest of the bill is still open.")
        offer = ("Offer", "Can you pay the part that is not contested, today or by a day that suits you?")
    elif broken:
        reason = ("Reason", "We had agreed on a payment that has not arrived. Did something come in the way?")
        offer = ("Offer", "Let us find an amount and a day that are safe for you, or smaller parts over some months.")
    elif days > 60:
        reason = ("Reason", "Some bills have been open for a while. What made it difficult to pay them?")
        offer = ("Offer", "You can pay all of it now, or we split it: I can work out a plan while we talk.")
    else:
        reason = ("Reason", "A bill is past its due date. Was there a reason, or did it slip by?")
        offer = ("Offer", "You can pay now, or tell me by which day you will: reminders stop until then.")
    if vulnerable:
        verify = ("Verify", "Take your time. Ask for the name and one more detail; offer to call back or to write.")
    close = ("Close", "Repeat amount and date, ask whether it is right, say what happens next. Thank them.")
    return [verify, disclose, reason, offer, close]


def default_dispute(bills: Sequence[Bill]) -> Bill | None:
    """The bill most likely meant: the newest open one."""
    return max(bills, key=lambda bill: bill.due_on, default=None)
