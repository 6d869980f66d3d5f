"""What the gate is told before a service is limited: which warnings arrived, which limits came before, what helps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Max, Q
from django.db.models.functions import Coalesce

from accounts.models import Bill
from dunning import reading
from dunning.gate.checks.care import HelpOffered
from dunning.gate.checks.disconnection import Disconnection
from dunning.gate.checks.limits import Limit, Stood, Warned
from dunning.models import Notice, ServiceOrder
from dunning.reading import AccountFacts

#: What our notices offer who needs care; the gentle ones in so many words.
GENTLY_OFFERED = frozenset({"budget", "plan", "deferral", "social_tariff", "signpost"})
#: How a warning says that one may go to court against it.
COURT = ("gericht", "court", "tribunal", "अदालत", "محكمة")

#: What every warning of ours says.
_SAID = frozenset({"name", "address", "amount", "dates", "how_to_avoid", "regulator"})

Parts = Mapping[str, Any]


def read(orders: Sequence[ServiceOrder], facts: Mapping[int, AccountFacts], *, at: datetime) -> dict[int, Parts]:
    """The parts of the facts about each of those limits, by order: four queries for all."""
    warnings = _warnings({order.case_id for order in orders if order.case_id is not None}, at)
    stood = _stood({order.service_id for order in orders})
    accounts = sorted(facts)
    tried = dict(
        Notice.objects.filter(account__in=accounts, sent_at__lte=at)
        .values("account")
        .annotate(last=Max("sent_at"))
        .values_list("account", "last")
    )
    billed: dict[int, date] = dict(
        Bill.objects.filter(account__in=accounts, open_amount__gt=0, due_on__lt=reading.local_date(at))
        .order_by("account", "-due_on", "-pk")
        .values_list("account", "issued_on")
    )
    found: dict[int, Parts] = {}
    for order in orders:
        fact = facts.get(order.account_id)
        told = warnings.get(order.case_id or 0, [])
        first = min((warning.day for warning, _ in told), default=None)
        last_try = tried.get(order.account_id)
        parts: dict[str, Any] = {
            "Limit": Limit(
                warnings=tuple(warning for warning, _ in told),
                rungs=tuple(stood.get(order.service_id, ())),
                emergency_open=True,
                kbps=settings.DESK_THROTTLED_KBPS if order.rung == "throttled" else None,
                fraud=fact is not None and any(hold.reason == "fraud" for hold in fact.holds),
                published_policy=settings.DESK_POLICY_URL,
                dispute_open=fact is not None and any(bill.disputed_amount for bill in fact.past_due),
            ),
            "Disconnection": Disconnection(
                bill_on=billed.get(order.account_id),
                notice_sent_on=first,
                notice_received_on=first,
                contents=_SAID if told else frozenset(),
                tried_to_reach_on=reading.local_date(last_try) if last_try else None,
            ),
        }
        if any(gentle for _, gentle in told):
            parts["HelpOffered"] = HelpOffered(offered=GENTLY_OFFERED)
        found[order.pk] = parts
    return found


def _warnings(cases: Collection[int], at: datetime) -> dict[int, list[tuple[Warned, bool]]]:
    """The warnings of each case that arrived, and whether they were gentle."""
    told: dict[int, list[tuple[Warned, bool]]] = defaultdict(list)
    rows = Notice.objects.filter(case__in=cases, state__in=("sent", "delivered")).exclude(consequence="")
    rows = rows.annotate(arrived=Coalesce("delivered_at", "counts_from")).filter(Q(arrived__lte=at))
    for case, channel, arrived, pay_by, body, tone, consequence in rows.order_by("pk").values_list(
        "case_id", "channel", "arrived", "pay_by", "body", "tone", "consequence"
    ):
        says = {"amount"} | ({"date"} if pay_by else set()) | ({"consequence"} if consequence else set())
        if any(word in body.lower() for word in COURT):
            says.add("court")
        warned = Warned(day=reading.local_date(arrived), channel=channel, says=frozenset(says))
        told[case].append((warned, tone == "gentle"))
    return told


def _stood(services: Collection[int]) -> dict[int, list[Stood]]:
    """The limits in force on each service, in the order they came; a restore ends them."""
    stood: dict[int, list[Stood]] = defaultdict(list)
    orders = ServiceOrder.objects.filter(service__in=services, state="confirmed").order_by("pk")
    for service, kind, rung, confirmed_at in orders.values_list("service_id", "kind", "rung", "confirmed_at"):
        if kind == ServiceOrder.Kind.RESTORE:
            stood.pop(service, None)
        elif confirmed_at is not None:
            stood[service].append(Stood(rung=rung, since=reading.local_date(confirmed_at)))
    return stood
