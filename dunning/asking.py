"""What was asked of the network beside what it did: orders that nobody confirmed, services that stand elsewhere.

Lists for whoever must look, and what can be done about a line of each. Nothing here talks to the network: an order that
is asked again leaves with the next pass of ``deliver``, after its last look at the facts.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, When

from accounts import events
from accounts.models import Account, Service
from accounts.models.account import AccountStatus, ServiceStatus
from accounts.refusals import Refused
from dunning import cases, kinds, reading
from dunning.models import Case, ServiceOrder

State, Kind = ServiceOrder.State, ServiceOrder.Kind

#: A network that accepted an order has so long to confirm it before somebody looks.
CONFIRMS_WITHIN = timedelta(hours=4)
#: An order whose time has come leaves with the next pass; one that is still here after so long does not leave at all.
LEAVES_WITHIN = timedelta(hours=1)
#: What the network may still do.
UNDER_WAY = (State.PENDING, State.HANDING_OVER, State.SENT)
#: Rungs from which a service can be given back.
LIMITED = (ServiceStatus.THROTTLED, ServiceStatus.OUTGOING_BARRED, ServiceStatus.SUSPENDED)


class CannotAsk(Refused):
    """What would be asked does not apply any more, or is on its way."""

    code = "conflict"


class CannotGiveUp(Refused):
    """There is nothing left to give up: the order ended, or is on its way this moment."""

    code = "conflict"


# Lists ----------------------------------------------------------------------------------------------------------------


def stuck(*, at: datetime) -> QuerySet[ServiceOrder]:
    """Orders that somebody must look at, the oldest first.

    Being handed over for longer than that takes, not leaving, tried in vain, accepted and not confirmed in time; or
    failed while what they asked for is still wanted and nothing was asked since.
    """
    since = ServiceOrder.objects.filter(service=OuterRef("service"), pk__gt=OuterRef("pk")).exclude(
        state__in=(State.FAILED, State.WITHDRAWN)
    )
    elsewhere = ~Q(service__reported_status__in=("", ServiceStatus.ACTIVE))
    wanted = Q(kind=Kind.LIMIT, case__isnull=False, case__closed_on=None) | (
        Q(kind=Kind.RESTORE) & (~Q(service__status=ServiceStatus.ACTIVE) | elsewhere)
    )
    looked_for = (
        Q(state=State.HANDING_OVER, lease_until__lt=at)
        | Q(state=State.PENDING, send_at__lt=at - LEAVES_WITHIN)
        | Q(state=State.PENDING, attempts__gt=0)
        | Q(state=State.SENT, sent_at__lt=at - CONFIRMS_WITHIN)
        | (Q(state=State.FAILED) & wanted & ~Exists(since))
    )
    # The states by themselves, so that an index finds the few among all that ever were.
    return _listed(ServiceOrder.objects.filter(state__in=(*UNDER_WAY, State.FAILED)).filter(looked_for))


def waiting(*, at: datetime) -> QuerySet[ServiceOrder]:
    """Orders put off by the last look for a reason that passes: the hours of the market, a service that is kept."""
    return _listed(ServiceOrder.objects.filter(state=State.PENDING, send_at__gt=at, attempts=0))


def _listed(orders: QuerySet[ServiceOrder]) -> QuerySet[ServiceOrder]:
    return orders.select_related("account__customer", "service", "case").order_by("made_on", "pk")


def differing() -> QuerySet[Service]:
    """Services that the network last reported elsewhere than where we believe them, with nothing under way."""
    return (
        Service.objects.exclude(reported_status="")
        .exclude(reported_status=F("status"))
        .exclude(status=ServiceStatus.DISCONNECTED)
        .filter(~_something_under_way())
        .select_related("account__customer")
        .order_by("pk")
    )


def left_limited() -> QuerySet[Service]:
    """Services still limited although their payer has nothing past due and no open case; there should be none."""
    return (
        _with_payer(Service.objects.filter(status__in=LIMITED))
        .filter(~Exists(_owing_family()), ~Exists(_open_cases()), ~_something_under_way())
        .exclude(account__status__in=(AccountStatus.WRITTEN_OFF, AccountStatus.CLOSED))
        .exclude(account__parent__status=AccountStatus.WRITTEN_OFF, account__pays_itself=False)
        .select_related("account__customer")
        .order_by("pk")
    )


def attention(*, at: datetime) -> int:
    """How many lines of the lists need a person; what merely waits is not among them. Three queries."""
    return stuck(at=at).count() + differing().count() + left_limited().count()


def _with_payer(services: QuerySet[Service]) -> QuerySet[Service]:
    """With the key of the account that is dunned for the service's own."""
    through = When(account__pays_itself=False, account__parent__isnull=False, then="account__parent_id")
    return services.annotate(payer=models.Case(through, default="account_id"))


def _owing_family() -> QuerySet[Account]:
    family = Q(pk=OuterRef("payer")) | Q(parent=OuterRef("payer"), pays_itself=False)
    return Account.objects.filter(family).filter(Q(overdue__gt=0) | Q(overdue_disputed__gt=0))


def _open_cases() -> QuerySet[Case]:
    return Case.objects.filter(account=OuterRef("payer"), closed_on=None)


def _something_under_way() -> Exists:
    return Exists(ServiceOrder.objects.filter(service=OuterRef("pk"), state__in=UNDER_WAY))


# What can be done -----------------------------------------------------------------------------------------------------


def ask_again(*, order_id: int, actor: str, as_of: date, at: datetime) -> ServiceOrder:
    """Open an order again that failed, waits or hangs: it leaves with the next pass, with the key it always had.

    The network knows our keys, so one it did carry out is answered and not done twice. Raises ``CannotAsk`` where the
    order ended, does not apply any more, or is being handed over this moment.
    """
    with transaction.atomic():
        order = _locked_order(order_id)
        _refuse_ended(order, CannotAsk, at)
        if order.kind == Kind.LIMIT and (order.case is None or order.case.closed_on is not None):
            raise CannotAsk("Its case is closed: nothing is limited any more.")
        if order.kind == Kind.RESTORE and _stands(order.service, ServiceStatus.ACTIVE):
            raise CannotAsk("The service is active already.")
        if _later(order).exists():
            raise CannotAsk("A later order of this service was made: what this one asked for is history.")
        payload = {
            "key": order.key, "service": order.service.ref, "rung": order.rung, "was": order.state,
            "attempts": order.attempts,
        }  # fmt: skip
        if order.state == State.HANDING_OVER:
            order.sent_at = order.sent_at or at  # its worker died: the network may have it
        order.state, order.send_at, order.lease_until, order.attempts = State.PENDING, at, None, 0
        order.reason = order.step_code or (order.case.close_reason if order.case else "") or "asked again"
        order.save(update_fields=["state", "send_at", "lease_until", "attempts", "reason", "sent_at"])
        events.record(
            account_id=order.account_id, kind=kinds.ORDER_ASKED_AGAIN, actor=actor, at=at, on=as_of, payload=payload
        )
    return order


def give_up(*, order_id: int, why: str, actor: str, as_of: date, at: datetime) -> ServiceOrder:
    """Withdraw an order that the network does not carry out, and make a task of it for a person.

    What the network may have done all the same is still given back when the case closes. Raises ``CannotGiveUp``.
    """
    with transaction.atomic():
        order = _locked_order(order_id)
        _refuse_ended(order, CannotGiveUp, at)
        order.state, order.send_at, order.lease_until = State.WITHDRAWN, None, None
        order.reason = f"given up: {why}"[:200]
        order.save(update_fields=["state", "send_at", "lease_until", "reason"])
        verb = "limit" if order.kind == Kind.LIMIT else "restore"
        events.record_many(
            [
                cases.withdrawn(order, kinds.ORDER_WITHDRAWN, order.reason, as_of, at, actor),
                events.EventRow(
                    order.account_id,
                    kinds.TASK_REQUESTED,
                    actor,
                    at,
                    as_of,
                    f"the network did not {verb} {order.service.ref}: {why}",
                    payload={"key": order.key, "step": order.step_code},
                    react=True,
                ),
            ]
        )
    return order


def ask_for_ours(*, service_id: int, actor: str, as_of: date, at: datetime) -> ServiceOrder:
    """Ask the network once more for the rung we believe a service to be on, because it reported another one.

    Raises ``CannotAsk`` where it reported no other, something is under way, or nothing justifies a limit any more.
    """
    with transaction.atomic():
        service = _locked_service(service_id)
        if _stands(service, service.status):
            raise CannotAsk("The network reports what we believe.")
        if service.status == ServiceStatus.ACTIVE:
            return _order(service, Kind.RESTORE, None, "the network reported otherwise", actor, as_of, at)
        payer = cases.payers_of([service.account_id])
        case = Case.objects.filter(account__in=payer, closed_on=None).first()
        if case is None:
            raise CannotAsk("No case is open: nothing justifies a limit. Restore the service instead.")
        return _order(service, Kind.LIMIT, case, "the network reported otherwise", actor, as_of, at)


def restore(*, service_id: int, actor: str, as_of: date, at: datetime) -> ServiceOrder:
    """Give back a service that was left limited. Raises ``CannotAsk`` where something justifies the limit again."""
    with transaction.atomic():
        service = _locked_service(service_id)
        if not left_limited().filter(pk=service.pk).exists():
            raise CannotAsk("Something is past due again, or the service is active already.")
        return _order(service, Kind.RESTORE, None, "left limited", actor, as_of, at)


def bring_forward(*, service_refs: Collection[str], at: datetime) -> int:
    """Limits of those services that were put off leave with the next pass, if its last look lets them; how many."""
    put_off = ServiceOrder.objects.filter(service__ref__in=list(service_refs), kind=Kind.LIMIT, state=State.PENDING)
    return put_off.filter(send_at__gt=at, attempts=0).update(send_at=at)


def _order(
    service: Service, kind: str, case: Case | None, reason: str, actor: str, as_of: date, at: datetime
) -> ServiceOrder:
    """An order of no step: it restates what we believe, and withdrawing it undoes nothing."""
    if ServiceOrder.objects.filter(service=service, state__in=UNDER_WAY).exists():
        raise CannotAsk("An order of this service is under way.")
    rung = service.status if kind == Kind.LIMIT else ServiceStatus.ACTIVE
    order = ServiceOrder.objects.create(
        account_id=service.account_id,
        service=service,
        case=case,
        key=f"{case.pk if case else 0}.asked-{at:%Y%m%d%H%M%S%f}.{service.pk}",
        kind=kind,
        rung=rung,
        made_on=as_of,
        reason=reason,
        send_at=reading.due_from(as_of, at),
    )
    payload = {"key": order.key, "service": service.ref, "rung": rung, "reported": service.reported_status}
    events.record(
        account_id=service.account_id,
        kind=kinds.ORDER_ASKED_AGAIN,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload=payload,
    )
    return order


def _locked_order(order_id: int) -> ServiceOrder:
    """The order, behind the lock of its account as everything that leaves the house."""
    cases.lock([ServiceOrder.objects.values_list("account_id", flat=True).get(pk=order_id)])
    rows = ServiceOrder.objects.select_for_update(of=("self",)).select_related("service", "case")
    return rows.get(pk=order_id)


def _locked_service(service_id: int) -> Service:
    account_id = Service.objects.values_list("account_id", flat=True).get(pk=service_id)
    cases.lock({account_id, *cases.payers_of([account_id])})
    return Service.objects.get(pk=service_id)


def _refuse_ended(order: ServiceOrder, refusal: type[Refused], at: datetime) -> None:
    if order.state in (State.CONFIRMED, State.WITHDRAWN):
        raise refusal(f"This order is {order.get_state_display().lower()} already.")
    if order.state == State.HANDING_OVER and order.lease_until is not None and order.lease_until >= at:
        raise refusal("It is being handed over this moment: look again in a few minutes.")


def _later(order: ServiceOrder) -> QuerySet[ServiceOrder]:
    since = ServiceOrder.objects.filter(service=order.service_id, pk__gt=order.pk)
    return since.exclude(state__in=(State.FAILED, State.WITHDRAWN))


def _stands(service: Service, rung: str) -> bool:
    """Whether the service is on that rung as far as anybody knows."""
    return service.status == rung and service.reported_status in ("", rung)
