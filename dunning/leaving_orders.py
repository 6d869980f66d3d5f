"""Orders to the network on their way out: whether one may still leave, and what the network's answer moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, Max, OuterRef

from accounts import events, status
from accounts.models import Service
from dunning import contact, holding, kinds, limit_facts, policy, reading, workdays
from dunning.gateways.base import Gateway, NetworkOrder, Outcome
from dunning.handing_over import Pass, event_of, write_each
from dunning.models import ServiceOrder
from dunning.policy import PolicyRules
from dunning.reading import AccountFacts
from dunning.roads import Roads
from dunning.sharding import WHOLE, Shard


class LeavingOrders(Pass):
    model = ServiceOrder
    #: Of one service, orders reach the network in their order: a restore waits for the limit that is on its way.
    only_if = """AND NOT EXISTS (SELECT 1 FROM dunning_serviceorder o
                  WHERE o.service_id = t.service_id AND o.id < t.id AND o.state = 'handing_over')"""
    withdrawn_kind = kinds.ORDER_WITHDRAWN
    failed_kind = kinds.ORDER_FAILED

    def __init__(
        self, as_of: date, at: datetime, clock: Callable[[], datetime], roads: Roads, shard: Shard = WHOLE
    ) -> None:
        super().__init__(as_of, at, clock, roads, shard)
        #: Services that this pass takes down a rung.
        self.down: set[int] = set()

    def look(self, facts: Mapping[int, AccountFacts], rows: Sequence[Any]) -> None:
        super().look(facts, rows)
        limits = [row for row in rows if row.kind == ServiceOrder.Kind.LIMIT] if self.roads.careful else []
        self.parts = limit_facts.read(limits, facts, at=self.clock()) if limits else {}

    def road(self, row: ServiceOrder) -> Gateway[NetworkOrder]:
        road: Gateway[NetworkOrder] = self.roads.network
        return road

    def breaker_key(self, row: ServiceOrder) -> str:
        return "network"

    def _locked(self, rows: Any) -> Any:
        """With whether the service went down a rung today already."""
        today = ServiceOrder.objects.filter(service=OuterRef("service"), kind=ServiceOrder.Kind.LIMIT)
        today = today.filter(sent_at__gte=reading.beginning_of(self.as_of)).exclude(pk=OuterRef("pk"))
        return super()._locked(rows).annotate(went_down=Exists(today))

    def objection(self, row: ServiceOrder, fact: AccountFacts) -> tuple[str, datetime | None]:
        if row.kind == ServiceOrder.Kind.RESTORE:
            return "", None
        if fact.case is None or fact.case.pk != row.case_id:
            return "the case is closed", None
        rules = self.rules[fact.case.version_id]
        step = rules.step(row.step_code)
        judged = fact.judged(self.as_of)
        facts = policy.CaseFacts(
            self.as_of,
            fact.currency,
            fact.traits,
            judged,
            tuple(fact.holds),
            warnings=fact.warnings,
            warnings_from=fact.case.warnings_from,
        )
        minimum = max(
            rules.enter_min_amount.of(fact.currency) or 0, (step.min_amount.of(fact.currency) or 0) if step else 0
        )
        if not judged or facts.amount < minimum or policy.exits(rules, fact.currency, fact.past_due_amount):
            return "below the minimum amount", None
        if holding.LIMITS in facts.stopped:
            return "a hold is in force", None
        if step is not None and policy.unwarned(facts, step)[0]:
            return "its warning no longer counts", None
        market = row.service.account.customer.country  # of the service: somebody elsewhere may pay for it
        if row.service.protected and policy.RUNGS.index(row.rung) > reading.lowest_rung(market):
            return "the service is protected", None
        if row.service.keep_until is not None and row.service.keep_until >= self.as_of:
            return "the service is kept", self._working_day(row.service.keep_until + timedelta(days=1), fact, rules)
        # One of no step was asked because the network reported another rung than ours (``asking``).
        if row.step_code and status.LADDER.index(row.service.status) >= status.LADDER.index(row.rung):
            return "the service is there already", None
        # Limits that waited together, because the service was kept, still go a rung a day.
        if row.went_down or row.service_id in self.down:  # type: ignore[attr-defined]  # annotated by _locked
            return "a rung a day", self._working_day(self.as_of + timedelta(days=1), fact, rules)
        if self.roads.careful:
            opening = self._opening(fact, rules)
            if opening > self.clock():
                return "outside the market's working hours", opening
            decision = self.gate.ask(
                fact.pk,
                contact.limit_action(row.rung, service=row.service.kind),
                parts=self.parts.get(row.pk),
                order=row,
            )
            if not decision.is_allowed:
                # What no hour makes lawful waits for other facts, where people see it, and is asked again.
                tomorrow = self._working_day(self.as_of + timedelta(days=1), fact, rules)
                return decision.reasons[0], decision.next_allowed_at or tomorrow
        self.down.add(row.service_id)
        return "", None

    def _working_day(self, day: date, fact: AccountFacts, rules: PolicyRules) -> datetime:
        """When ``day`` begins, or the first working day after it where the policy rolls."""
        while rules.rolls and not fact.is_working_day(day, rules):
            day += timedelta(days=1)
        return reading.beginning_of(day)

    def _opening(self, fact: AccountFacts, rules: PolicyRules) -> datetime:
        """The next moment at which it is working hours in every market that has a say."""
        zone = ZoneInfo(fact.timezone or settings.DESK_TIME_ZONE)
        moment, markets = self.clock(), fact.markets(rules)
        while True:
            before = moment
            for country, region in markets:
                moment = workdays.next_opening(moment, zone=zone, country=country, region=region)
            if moment == before:
                return moment

    def compose(
        self, rows: Sequence[ServiceOrder], facts: Mapping[int, AccountFacts]
    ) -> list[tuple[ServiceOrder, NetworkOrder]]:
        return [
            (
                row,
                NetworkOrder(
                    key=row.key,
                    service_ref=row.service.ref,
                    account_ref=row.service.account.ref,
                    rung=row.rung,  # type: ignore[arg-type]
                    reason=row.step_code or row.reason,
                ),
            )
            for row in rows
        ]

    def take(self, row: ServiceOrder, outcome: Outcome, at: datetime) -> None:
        row.provider_ref, row.lease_until, row.send_at = outcome.provider_ref or "", None, None
        row.reason = row.step_code or row.reason  # no longer why it had to wait
        if outcome.state in ("confirmed", "delivered"):
            row.state, row.sent_at, row.confirmed_at = "confirmed", row.sent_at or at, at
        elif outcome.state == "accepted":
            row.state, row.sent_at = "sent", at
        else:
            row.state, row.reason = "failed", outcome.detail[:200]

    def write_down(self, rows: Sequence[ServiceOrder]) -> None:
        columns = ("state", "reason", "send_at", "attempts", "lease_until", "provider_ref", "sent_at", "confirmed_at")
        settle_services([row for row in rows if row.state == "confirmed"], as_of=self.as_of, at=self.clock())
        write_each(rows, columns)

    def tell(self, rows: Sequence[ServiceOrder], at: datetime) -> None:
        told = {"sent": kinds.ORDER_SENT, "confirmed": kinds.ORDER_CONFIRMED}
        events.record_many(
            [
                event_of(row, told.get(row.state, self.failed_kind), self.as_of, at, row.reason, row.state == "failed")
                for row in rows
            ]
        )
        self.ended.update(row.state for row in rows)


def settle_services(orders: Sequence[ServiceOrder], *, as_of: date, at: datetime) -> None:
    """The network confirmed: move the services, under lock, unless they are past that rung already.

    A confirmation that comes after that of a later order moves nothing. It is also the network's latest report: what a
    file said before is no difference any more.
    """
    if not orders:
        return
    keys = {order.service_id for order in orders}
    services = Service.objects.select_for_update().filter(pk__in=keys).order_by("pk")
    rows = list(services.values_list("pk", "status", "reported_status"))
    stands = {pk: rung for pk, rung, _ in rows}
    reported = {pk: rung for pk, _, rung in rows if rung}
    confirmed_at: dict[int, str] = {}
    confirmed = ServiceOrder.objects.filter(service__in=keys, state="confirmed").values("service")
    latest = dict(confirmed.annotate(latest=Max("pk")).values_list("service", "latest"))
    waves: list[list[status.Move]] = []
    moved: Counter[int] = Counter()
    for order in sorted(orders, key=lambda order: order.pk):
        key, target = order.service_id, order.rung
        if latest.get(key, 0) > order.pk:
            continue
        confirmed_at[key] = target
        if (stands[key], target) not in status.graph(Service):
            continue
        if moved[key] == len(waves):
            waves.append([])
        waves[moved[key]].append(status.Move(key, stands[key], target, order.reason))
        moved[key] += 1
        stands[key] = target
    for moves in waves:
        status.move_services(moves, actor="network", at=at, on=as_of)
    stale = {key: rung for key, rung in confirmed_at.items() if reported.get(key, rung) != rung}
    for rung in sorted(set(stale.values())):
        Service.objects.filter(pk__in=[key for key in stale if stale[key] == rung]).update(reported_status=rung)
