"""Everything one account's page shows, read in a fixed number of queries however long its history is.

What the account has itself comes with one question (``lists_of``), its timeline with another; what decisions rest on is
read once and passed to the policy's outlook and to the contact gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.db.models import Exists, F, OuterRef, QuerySet
from django.http import Http404

from accounts import at_once, business_day, holds, keeping
from accounts.models import Account, Bill, ContactPoint, Customer, Hold, Service
from accounts.models.account import ServiceStatus
from accounts.position import BUCKETS, bucket_of
from agents import calls, fees, links, queue, restoring, rights, suggestions
from agents.forms import KeepForm
from agents.models import Agent, Asked, Disposition, Instalment, Plan, Promise, WorkItem
from agents.timeline import SHOWS, latest, timeline
from agents.views import inbound
from agents.views.call_zone import call_lists, call_zone
from agents.views.customer_zone import customer_zone, wishes_of
from agents.views.session import DeskRequest
from dunning import cases, contact, experiments, hold_rules, reading
from dunning.models import HoldRule
from dunning.reading import AccountFacts

#: Bills of one account on one page; whoever has more reads the rest in billing.
MOST_BILLS = 200
PAID_BILLS = 4
#: At first; the rest comes when it is asked for.
BILLS_AT_FIRST, SERVICES_AT_FIRST = 8, 2
#: Services beside what is open, the most limited first.
LINES = 4
RECENT = 12
ENTRIES = 12
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
    """The account with its customer, on this side of the team wall, and the business date. One query beside the roles.

    Raises ``Http404`` for any other.
    """
    visible = rights.visible_accounts(request.user).select_related("customer")
    account = visible.annotate(last_run=business_day.LAST_RUN).filter(ref=ref).first()
    if account is None:
        raise Http404("There is no such account.")
    as_of = account.last_run or business_day.calendar_date(at=at)
    return Desk(account=account, agent=request.user, at=at, as_of=as_of)


def open_items(desk: Desk) -> list[WorkItem]:
    """The account's places in the queue, the one that stands for it first."""
    return list(
        desk.account.work_items.filter(done_at=None)
        .exclude(kind=WorkItem.Kind.APPROVAL)
        .select_related("claimed_by", "team")
        .order_by("pk")
    )


def take(desk: Desk, items: list[WorkItem]) -> WorkItem | None:
    """The agent's claim on the account: renewed where it is theirs, made where it is free; none where it cannot be.

    ``items`` are as they were read and tell the state after it. One statement for a claim that goes on.
    """
    lead = items[0] if items else None
    if lead is None or _held_by_other(lead, desk):
        return None
    if lead.claimed_by_id == desk.agent.pk and lead.lease_until is not None and lead.lease_until > desk.at:
        try:
            queue.keep(item_id=lead.pk, agent=desk.agent, at=desk.at)
        except queue.CannotKeep:
            items[:] = open_items(desk)
            return None
        lead.lease_until = desk.at + queue.LEASE
        return lead
    if queue.claim(account_id=desk.account.pk, agent=desk.agent, at=desk.at) is None:
        # Another was faster, or it is another team's.
        items[:] = open_items(desk)
        return None
    lead.claimed_by, lead.claimed_at, lead.lease_until = desk.agent, desk.at, desk.at + queue.LEASE
    return lead


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
    return list(_open_bills(account))


def _open_bills(account: Account) -> QuerySet[Bill]:
    return account.bills.filter(open_amount__gt=0).order_by("due_on", "pk")[:MOST_BILLS]


def numbers_of(desk: Desk, points: Sequence[ContactPoint] | None = None) -> list[str]:
    """Numbers to call, the preferred first, each once; ``points``: the contact points, where they were read."""
    points = [
        point
        for point in (desk.customer.contact_points.order_by("pk") if points is None else points)
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


def lists_of(desk: Desk) -> dict[str, list[Any]]:
    """The short lists of the page, each with its own order and limit. One query."""
    account, as_of = desk.account, desk.as_of
    plans = account.plans.order_by("-made_on", "-pk")[:3]
    return at_once.rows(
        bills=_open_bills(account),
        paid_bills=account.bills.filter(open_amount=0).order_by("-due_on", "-pk")[:PAID_BILLS],
        payments=account.payments.order_by("-received_on", "-pk")[:RECENT],
        fees=fees.open_fees(account_id=account.pk, as_of=as_of).annotate(
            asked=Exists(Asked.objects.filter(subject=OuterRef("ref"), state=Asked.State.WAITING))
        ),
        promises=account.promises.order_by("-made_on", "-pk")[:RECENT],
        plans=plans,
        instalments=Instalment.objects.filter(plan__in=plans.values("pk")).order_by("plan", "position"),
        extensions=account.extensions.order_by("-made_on", "-pk")[:3],
        settlements=account.settlements.order_by("-made_on", "-pk")[:3],
        downgrades=account.downgrades.select_related("service").order_by("-asked_at", "-pk")[:3],
        disputes=account.disputes.order_by(F("resolved_on").desc(nulls_first=True), "-opened_on", "-pk")[:RECENT],
        holds=holds.in_force(account_id=account.pk, as_of=as_of),
        hold_rules=HoldRule.objects.order_by("pk"),
        services=account.services.order_by("kind", "number", "pk")[:MOST_BILLS],
        talks=account.interactions.select_related("agent").order_by("-at", "-pk")[:4],
        dispositions=Disposition.objects.order_by("position", "code"),
        points=desk.customer.contact_points.order_by("pk"),
        arms=experiments.arms_of(account.pk),
        inbound=inbound.lately(account),
        linked=links.beside(account, desk.agent),
        latest=latest(account),
        **wishes_of(desk.customer, as_of=as_of, at=desk.at),
        **call_lists(account, desk.agent),
        **suggestions.lists(account, desk.agent),
    )


def picture(
    desk: Desk,
    *,
    item: WorkItem | None,
    items: list[WorkItem] | None = None,
    show: str = "all",
    most: int = ENTRIES,
    whole: str = "",
) -> dict[str, Any]:
    """The template's context: the five zones, without a form.

    ``items``: the places in the queue, if they were read; ``whole``: ``bills`` or ``services``, to show all of them.
    """
    account, as_of, at = desk.account, desk.as_of, desk.at
    zone = zone_of(desk.customer)
    lists = lists_of(desk)
    if items is None:
        items = open_items(desk)
    mine = item is not None
    shown = next((row for row in items if item is not None and row.pk == item.pk), items[0] if items else None)
    held_by = next((row for row in items if _held_by_other(row, desk)), None)
    bills: list[Bill] = lists["bills"]
    promises: list[Promise] = lists["promises"]
    plans = [(row, [part for part in lists["instalments"] if part.plan_id == row.pk]) for row in lists["plans"]]
    plan = next((row for row, _ in plans if row.status in {Plan.Status.ACTIVE, Plan.Status.PENDING_APPROVAL}), None)
    services: list[Service] = lists["services"]
    limited = [service for service in services if service.status != ServiceStatus.ACTIVE]
    facts = reading.read([account.pk], as_of=as_of)
    gate = contact.Gate(facts, at=at, as_of=as_of, talks=calls.talks_of)
    call = contact.contact_action("call", automated=False)
    decision = gate.ask(account.pk, call, keep=False, parts=contact.by_person(rights.roles(desk.agent)))
    outlook = cases.outlook(account_id=account.pk, as_of=as_of, facts=facts)
    days = (as_of - account.oldest_due_on).days if account.oldest_due_on else 0
    in_force: list[Hold] = lists["holds"]
    rules = hold_rules.matrix(lists["hold_rules"])
    liftable = rights.liftable(desk.agent, rules)
    dispositions: list[Disposition] = lists["dispositions"]
    outcomes = {row.code: row.label for row in dispositions}
    contested = [row for row in lists["disputes"] if row.resolved_on is None]
    shown_services = [(row, _rung(row.status), _keeping(desk, row, as_of=as_of)) for row in services]
    linked = links.told(lists["linked"], account=account, agent=desk.agent, at=at)
    zone_of_customer = customer_zone(
        desk.customer, lists, sees_support=rights.may(desk.agent, rights.Act.SEE_SUPPORT), as_of=as_of, at=at
    )
    numbers = numbers_of(desk, lists["points"])
    talk_zone = call_zone(
        account, desk.agent, lists, requires=decision.requires, stage=outlook.stage, as_of=as_of, at=at
    )
    read = suggestions.Read(
        account, desk.agent, lists, gate, decision, len(numbers), talk_zone["verified"], zone, as_of, at
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
        "suggestion": suggestions.suggestion_of(read, item),
        "contact": decision,
        "may_call": calls.may_begin(decision),
        "allowances": gate.allowances(account.pk, call),
        "packs": [version.partition("@") for version in decision.pack_versions],
        "light": LIGHTS.get(decision.outcome.lower(), "bad"),
        "outlook": outlook,
        "days_past_due": max(days, 0),
        "least": least(facts[account.pk], outlook, limited, promises, plans, as_of),
        "items": items,
        "item": shown,
        "mine": mine,
        "held_by": None if mine else held_by,
        "may_take_over": rights.sees_all_teams(desk.agent),
        "arms": experiments.memberships(lists["arms"]),
        "bills": bills,
        "most_bills": MOST_BILLS,
        **at_first("bills", bills, BILLS_AT_FIRST, whole),
        "ageing": ageing(bills, as_of),
        "open_total": sum((bill.open_amount for bill in bills), Decimal(0)),
        "paid_bills": lists["paid_bills"],
        "fees": lists["fees"],
        "may_waive": rights.may(desk.agent, rights.Act.APPROVE),
        "payments": lists["payments"],
        "on_its_way": sum(
            (row.amount for row in lists["payments"] if row.received_on > as_of and not row.reverses_id), Decimal(0)
        ),
        "promises": promises,
        "promise": promises[0] if promises else None,
        "plans": plans,
        "plan": plan,
        "extensions": lists["extensions"],
        "settlements": lists["settlements"],
        "downgrades": lists["downgrades"],
        "disputes": lists["disputes"],
        "services": shown_services,
        "lines": sorted(shown_services, key=lambda row: -sum(row[1]))[:LINES],
        **at_first("services", shown_services, SERVICES_AT_FIRST, whole),
        "keep_reasons": KeepForm.WHY,
        "keeps_until": rights.keeps_until(desk.agent, as_of=as_of),
        "limited": limited,
        "holds": [(hold, hold.reason in liftable, hold_rules.told(hold, rules[hold.reason])) for hold in in_force],
        "holding": len([hold for hold in in_force if hold.reason != Hold.Reason.DISPUTE]) + len(contested),
        "wishes": zone_of_customer,
        "linked": linked,
        "may_take_linked": any(row.state == links.FREE for row in linked),
        "may_finish_linked": any(row.state == links.MINE for row in linked),
        "contacts": [(talk, outcomes.get(talk.disposition, talk.disposition)) for talk in lists["talks"]],
        "timeline": _timeline(desk, outcomes, show, most),
        "last_event": lists["latest"][0].pk if lists["latest"] else 0,
        "shows": SHOWS,
        "dispositions": [row for row in dispositions if row.active],
        **inbound.shown(lists["inbound"]),
        "may_resolve": rights.may(desk.agent, rights.Act.RESOLVE_DISPUTE),
        "may_audit": rights.may(desk.agent, rights.Act.SEE_AUDIT),
        **talk_zone,
    }


def at_first(name: str, rows: Sequence[Any], most: int, whole: str) -> dict[str, Any]:
    """The rows that a page shows at first, and whether there are more of them."""
    more = len(rows) > most and whole != name
    return {f"{name}_shown": rows[:most] if more else rows, f"{name}_more": more}


def _timeline(desk: Desk, outcomes: Mapping[str, str], show: str, most: int) -> Any:
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    return timeline(account=desk.account, as_of=desk.as_of, zone=zone, outcomes=outcomes, show=show, most=most)


@dataclass(frozen=True, slots=True)
class Aged:
    """A part of the ageing strip: what is open in one bucket."""

    name: str
    amount: Decimal
    place: int


def ageing(bills: Sequence[Bill], as_of: date) -> list[Aged]:
    """What is open on the bills by bucket, the youngest first, without empty ones."""
    names = ["not due", *BUCKETS[1:]]
    sums = dict.fromkeys(names, Decimal(0))
    for bill in bills:
        late = (as_of - bill.due_on).days
        sums[bucket_of(late) if late > 0 else names[0]] += bill.open_amount
    return [Aged(name, amount, place) for place, (name, amount) in enumerate(sums.items()) if amount]


def least(
    fact: AccountFacts,
    outlook: cases.Outlook,
    limited: Sequence[Service],
    promises: Sequence[Promise],
    plans: Sequence[tuple[Plan, Sequence[Instalment]]],
    as_of: date,
) -> restoring.Least | None:
    """The least payment that ends the case or gives service back."""
    past_due = [bill for bill in fact.past_due if bill.due_on < as_of]
    open_promise = next((row for row in promises if row.status == Promise.Status.OPEN), None)
    parts = next((parts for row, parts in plans if row.status == Plan.Status.ACTIVE), ())
    return restoring.least(
        past_due=Decimal(sum(bill.open_amount for bill in past_due)) / 1000,
        contested=Decimal(sum(bill.disputed_amount for bill in past_due)) / 1000,
        exit_amount=outlook.exit_amount,
        limited=len(limited),
        promised=open_promise.amount - open_promise.paid if open_promise else None,
        instalments_left=[part.amount - part.paid for part in parts if part.paid_on is None],
        none_kept=not any(part.paid_on for part in parts),
    )


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


def default_dispute(bills: Sequence[Bill]) -> Bill | None:
    """The bill most likely meant: the newest open one."""
    return max(bills, key=lambda bill: bill.due_on, default=None)
