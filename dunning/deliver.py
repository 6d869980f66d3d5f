"""What is due leaves the house: a last look at the facts under lock, the hand-over, the result.

1. Take a batch whose time has come: lock the accounts, then the rows (another worker's are skipped).
2. Look again: balance, holds, consent, address, hours. What no longer applies is withdrawn with its reason, what is
   too early waits, the rest is worded with the facts of this moment.
3. Hand over. To a gateway of our own database in the same transaction; to the outside world one at a time: the intent
   is committed (``handing_over``), the call is made with our key and no transaction open, the result is committed.

A worker killed between call and result leaves ``handing_over`` behind. Where the far side knows our key the same call
is made again; where it knows none (a mail relay) the notice becomes ``doubtful``, is listed, and is not sent again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Mod

from accounts import events, settling, status
from accounts.models import Account, Service, UnreachableAddress
from dunning import cases, composing, gate, holding, kinds, policy, reading, rulebook, workdays
from dunning.gateways.base import Gateway, Message, NetworkOrder, NotTaken, Outcome, Unclear
from dunning.gateways.opening import open_message_gateway, open_network_gateway
from dunning.gateways.patience import CircuitBreaker, backoff
from dunning.models import Case, CaseStep, Notice, ServiceOrder
from dunning.outbox import OutboxGateway
from dunning.policy import PolicyRules
from dunning.reading import AccountFacts
from dunning.sharding import WHOLE, Shard

ACTOR = "desk:deliver"
BATCH = 200

#: How long a hand-over may take before another worker concludes that its worker died.
LEASE = timedelta(minutes=5)
#: After so many failures somebody must look.
MOST_ATTEMPTS = 12
#: A relay that accepted a mail may still bounce it for so long.
BOUNCE_WINDOW = timedelta(hours=24)
LETTER_WORKING_DAYS = 3


@dataclass(slots=True)
class Roads:
    """The gateways of a pass. ``careful`` asks the contact gate and the market's hours; ``replay`` does not."""

    messages: Mapping[str, Any]
    network: Any
    careful: bool = True
    breakers: dict[str, CircuitBreaker] = field(default_factory=lambda: defaultdict(CircuitBreaker))

    def close(self) -> None:
        for road in (*self.messages.values(), self.network):
            road.close()


def roads_from_settings(*, now: Callable[[], datetime]) -> Roads:
    """The gateways that the settings name; ``outbox`` keeps a channel inside the desk."""
    messages: dict[str, Any] = {}
    for channel in ("sms", "email", "letter", "in_app"):
        chosen = settings.GATEWAYS[channel]
        messages[channel] = (
            OutboxGateway(channel, now=now)
            if chosen["url"] == "outbox"
            else open_message_gateway(
                chosen["url"],
                channel=channel,
                now=now,
                secret=chosen.get("secret", ""),
                sender=settings.DESK_OPERATOR["email"] if channel == "email" else settings.DESK_OPERATOR["name"],
            )
        )
    chosen = settings.GATEWAYS["network"]
    network: Any = (
        OutboxGateway("network", now=now)
        if chosen["url"] == "outbox"
        else open_network_gateway(chosen["url"], secret=chosen.get("secret", ""))
    )
    return Roads(messages, network)


def deliver(
    *,
    as_of: date,
    at: datetime,
    roads: Roads,
    now: Callable[[], datetime] | None = None,
    shard: Shard = WHOLE,
) -> Counter[str]:
    """One pass over what is due at ``at`` in a shard; how many ended in which state. Safe beside other passes.

    ``now`` stamps hand-overs that take time; the default stands still at ``at``.
    """
    clock = now or (lambda: at)
    ended: Counter[str] = Counter()
    settling.settle(as_of=as_of, at=at)
    ended.update(note_deliveries(as_of=as_of, at=at))
    for one_pass in (_Notices(as_of, at, clock, roads, shard), _Orders(as_of, at, clock, roads, shard)):
        ended.update(one_pass.run())
    return +ended


def note_deliveries(*, as_of: date, at: datetime) -> Counter[str]:
    """Mark as delivered what was handed over and did not come back in its time; each with its event."""
    ended: Counter[str] = Counter()
    while True:
        with transaction.atomic():
            due = Notice.objects.select_for_update(skip_locked=True).filter(state="sent", counts_from__lte=at)
            rows = list(due.order_by("counts_from", "pk")[:1_000])
            for row in rows:
                row.state, row.delivered_at = "delivered", row.counts_from
            write_each(rows, ("state", "delivered_at"))
            events.record_many([_event(row, kinds.NOTICE_DELIVERED, as_of, at) for row in rows])
        ended["delivered"] += len(rows)
        if len(rows) < 1_000:
            return +ended


def _event(
    row: Notice | ServiceOrder, kind: str, on: date, at: datetime, reason: str = "", react: bool = False
) -> events.EventRow:
    payload: dict[str, Any] = {"key": row.key, "step": row.step_code}
    if isinstance(row, Notice):
        payload |= {"channel": row.channel, "amount": str(row.amount), "currency": row.currency, "pay_by": row.pay_by}
        payload |= {"language": row.language, "bills": row.bill_refs}
    else:
        payload |= {"kind": row.kind, "rung": row.rung, "service": row.service.ref}
    return events.EventRow(row.account_id, kind, ACTOR, at, on, reason[:300], payload=payload, react=react)


_INTEND = """
    UPDATE {table} t SET state = 'handing_over', attempts = attempts + 1, lease_until = %s
     WHERE id = %s AND state = 'pending' {condition}
       AND NOT EXISTS (SELECT 1 FROM accounts_pendingevent p WHERE p.account_id = t.account_id)
       AND NOT EXISTS (
            SELECT 1 FROM accounts_unsettled u JOIN accounts_account a ON a.id = u.account_id
             WHERE a.id = t.account_id OR (a.parent_id = t.account_id AND NOT a.pays_itself))
"""


class _Pass:
    """What notices and orders have in common on their way out."""

    model: type[Notice] | type[ServiceOrder]
    withdrawn_kind: str
    failed_kind: str

    def __init__(
        self, as_of: date, at: datetime, clock: Callable[[], datetime], roads: Roads, shard: Shard = WHOLE
    ) -> None:
        self.as_of, self.at, self.clock, self.roads, self.shard = as_of, at, clock, roads, shard
        self.ended: Counter[str] = Counter()
        self.rules: dict[int, PolicyRules] = {}

    def run(self) -> Counter[str]:
        self._recover()
        last = 0
        while True:
            due = self.model.objects.filter(state="pending", send_at__lte=self.at, pk__gt=last).order_by("pk")
            if self.shard.of > 1:
                due = due.annotate(part=Mod("account_id", self.shard.of)).filter(part=self.shard.number)
            batch = list(due.values_list("pk", "account_id")[:BATCH])
            if not batch:
                return self.ended
            last = batch[-1][0]
            for row, handed in self._prepare(batch):
                self._call(row, handed)

    def _recover(self) -> None:
        """Hand-overs whose worker died."""
        left = self.model.objects.filter(state="handing_over", lease_until__lt=self.at).order_by("pk")
        for pk in list(left.values_list("pk", flat=True)):
            with transaction.atomic():
                row = self._locked(left.filter(pk=pk)).first()
                if row is None:
                    continue
                if not self.road(row).knows_keys:
                    self._doubt(row, "the worker stopped in the middle of the hand-over")
                    continue
                self._leave(row, "pending", "the worker stopped in the middle of the hand-over", self.at, unclear=True)

    def _locked(self, rows: Any) -> Any:
        related = "service__account__customer" if self.model is ServiceOrder else "customer"
        return rows.select_for_update(skip_locked=True, of=("self",)).select_related(related)

    def _prepare(self, batch: Sequence[tuple[int, int]]) -> list[tuple[Any, Any]]:
        """Under lock: look again, withdraw, postpone, word; local roads are done here, the rest is returned."""
        with transaction.atomic():
            accounts = cases.payers_of({account for _, account in batch})
            group = cases.lock({account for _, account in batch} | set(cases.dunned_with(accounts)))
            settling.settle(as_of=self.as_of, at=self.at, account_ids=group)
            rows = list(
                self._locked(self.model.objects.filter(pk__in=[pk for pk, _ in batch], state="pending")).order_by("pk")
            )
            facts = reading.read(accounts, as_of=self.as_of)
            payer = dict(zip(*_payers({account for _, account in batch}), strict=True))
            missing = {fact.case.version_id for fact in facts.values() if fact.case} - set(self.rules)
            self.rules |= rulebook.rules_of(missing) if missing else {}
            ready = []
            dropped: list[tuple[Any, str]] = []
            postponed: list[Any] = []
            for row in rows:
                reason, until = self.objection(row, facts[payer[row.account_id]])
                if reason and until is None:
                    dropped.append((row, reason))
                elif until is not None:
                    row.send_at, row.reason = until, reason[:200]
                    postponed.append(row)
                else:
                    ready.append(row)
            self._withdraw(dropped)
            write_each(postponed, ("send_at", "reason"))
            composed = self.compose(ready, {pk: facts[payer[pk]] for pk in payer})
            local = [(row, one) for row, one in composed if hasattr(self.road(row), "hand_over_many")]
            self._hand_over_locally(local)
            remote = [(row, one) for row, one in composed if not hasattr(self.road(row), "hand_over_many")]
            self.save([row for row, _ in remote])
            return remote

    def _withdraw(self, dropped: Sequence[tuple[Any, str]]) -> None:
        """Keep the reason; the step that asked for it may come again when the reason is gone."""
        for row, reason in dropped:
            row.state, row.reason, row.send_at = "withdrawn", reason[:200], None
        write_each([row for row, _ in dropped], ("state", "reason", "send_at"))
        events.record_many([_event(row, self.withdrawn_kind, self.as_of, self.at, reason) for row, reason in dropped])
        steps = Q(pk=None)
        for row, _reason in dropped:
            if row.case_id is not None and row.step_code:
                instance = row.key.rpartition(".")[0]
                rest = self.model.objects.filter(case=row.case_id, key__startswith=f"{instance}.")
                # On another channel, or for another service, the step was done.
                if not rest.exclude(state="withdrawn").exists():
                    steps |= Q(case=row.case_id, case__closed_on=None, code=row.step_code, undone_on=None)
        if dropped:
            undone = CaseStep.objects.filter(steps, done_on__isnull=False)
            cases_ = list(undone.values_list("case_id", flat=True))
            undone.update(undone_on=self.as_of)
            tomorrow = self.as_of + timedelta(days=1)
            Case.objects.filter(pk__in=cases_, closed_on=None).update(next_on=tomorrow)
        self.ended["withdrawn"] += len(dropped)

    def _hand_over_locally(self, local: Sequence[tuple[Any, Any]]) -> None:
        by_road: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
        for row, one in local:
            by_road[id(self.road(row))].append((row, one))
        for pairs in by_road.values():
            outcomes = self.road(pairs[0][0]).hand_over_many([one for _, one in pairs])
            for (row, _), outcome in zip(pairs, outcomes, strict=True):
                row.attempts += 1
                self.take(row, outcome, self.at)
            self.save([row for row, _ in pairs])
            self.tell([row for row, _ in pairs], self.at)

    def _call(self, row: Any, handed: Any) -> None:
        """Intent, call, result: no transaction is open while the far side thinks."""
        road, breaker = self.road(row), self.roads.breakers[self.breaker_key(row)]
        now = self.clock()
        if not breaker.lets_through(at=now):
            self._later(row, "the gateway rests after failures", breaker.free_at() or now + timedelta(minutes=1))
            return
        if not self._intend(row, now):
            return
        try:
            outcome = road.hand_over(handed)
        except NotTaken as problem:
            breaker.note_failure(at=self.clock())
            self._retry(row, problem.detail, problem.retry_after)
        except Unclear as problem:
            breaker.note_failure(at=self.clock())
            if road.knows_keys:
                self._retry(row, problem.detail, None, unclear=True)
            else:
                with transaction.atomic():
                    self._doubt(row, problem.detail)
        else:
            breaker.note_success()
            with transaction.atomic():
                cases.lock([row.account_id])
                if self._still_ours(row):
                    self.take(row, outcome, self.clock())
                    self.save([row])
                    self.tell([row], self.clock())
                else:
                    # A receipt was faster than the answer it belongs to, or another worker than ours: theirs stands.
                    told = self.model.objects.filter(pk=row.pk)
                    told.filter(provider_ref="").update(provider_ref=outcome.provider_ref or "")
                    told.filter(sent_at=None).update(sent_at=self.clock())

    def _intend(self, row: Any, now: datetime) -> bool:
        """Commit that we are about to call; not when the row was withdrawn or the account's facts are moving."""
        with connection.cursor() as cursor:
            cursor.execute(
                _INTEND.format(table=self.model._meta.db_table, condition=self.only_if), [now + LEASE, row.pk]
            )
            if cursor.rowcount == 0:
                return False
        row.attempts, row.state, row.lease_until = row.attempts + 1, "handing_over", now + LEASE
        return True

    def _retry(self, row: Any, detail: str, wait: timedelta | None, *, unclear: bool = False) -> None:
        if row.attempts >= MOST_ATTEMPTS:
            with transaction.atomic():
                self.fail(row, detail, unclear=unclear)
            return
        now = self.clock()
        self._later(row, detail, now + max(wait or timedelta(0), backoff(row.attempts, key=row.key)), unclear=unclear)

    def _later(self, row: Any, detail: str, send_at: datetime, *, unclear: bool = False) -> None:
        if self._leave(row, "pending", detail, send_at, unclear=unclear):
            self.ended["waiting"] += 1

    def _doubt(self, row: Any, detail: str) -> None:
        if self._leave(row, "doubtful", detail, None):
            events.record_many([_event(row, kinds.NOTICE_DOUBTFUL, self.as_of, self.clock(), detail)])
            self.ended["doubtful"] += 1

    def fail(self, row: Any, detail: str, *, unclear: bool = False) -> bool:
        """Nobody takes it: an event for whoever must look. False where somebody else told otherwise meanwhile."""
        if not self._leave(row, "failed", detail, None, unclear=unclear):
            return False
        events.record_many([_event(row, self.failed_kind, self.as_of, self.clock(), detail, react=True)])
        self.ended["failed"] += 1
        return True

    def _still_ours(self, row: Any) -> bool:
        """Lock the row, if it is as this worker left it: nobody has withdrawn it or told what became of it."""
        same = self.model.objects.filter(pk=row.pk, state=row.state, lease_until=row.lease_until)
        return same.select_for_update().values_list("pk").first() is not None

    def _leave(self, row: Any, state: str, detail: str, send_at: datetime | None, *, unclear: bool = False) -> bool:
        """Write how a try ended, where the row is still as this worker left it; whether it was.

        ``unclear`` keeps on an order that the network may have it: who closes the case then restores.
        """
        same = self.model.objects.filter(pk=row.pk, state=row.state, lease_until=row.lease_until)
        if unclear and self.model is ServiceOrder:
            row.sent_at = row.sent_at or self.clock()
        row.state, row.reason, row.send_at, row.lease_until = state, detail[:200], send_at, None
        columns = ("state", "reason", "send_at", "lease_until", "sent_at")
        return bool(same.update(**{column: getattr(row, column) for column in columns}))

    # What notices and orders do differently.

    #: More that must hold of a row in the statement that commits to calling.
    only_if = ""

    def road(self, row: Any) -> Any:
        raise TypeError

    def breaker_key(self, row: Any) -> str:
        raise TypeError

    def objection(self, row: Any, fact: AccountFacts) -> tuple[str, datetime | None]:
        raise TypeError

    def compose(self, rows: Sequence[Any], facts: Mapping[int, AccountFacts]) -> list[tuple[Any, Any]]:
        raise TypeError

    def take(self, row: Any, outcome: Outcome, at: datetime) -> None:
        raise TypeError

    def save(self, rows: Sequence[Any]) -> None:
        raise TypeError

    def tell(self, rows: Sequence[Any], at: datetime) -> None:
        raise TypeError


class _Notices(_Pass):
    model = Notice
    withdrawn_kind = kinds.NOTICE_WITHDRAWN
    failed_kind = kinds.NOTICE_FAILED

    def road(self, row: Notice) -> Gateway[Message]:
        road: Gateway[Message] = self.roads.messages[row.channel]
        return road

    def breaker_key(self, row: Notice) -> str:
        return row.channel

    def objection(self, row: Notice, fact: AccountFacts) -> tuple[str, datetime | None]:
        """Why it may not leave now: with a moment it waits until then, without it is withdrawn."""
        judged = fact.judged(self.as_of)
        facts = policy.CaseFacts(self.as_of, fact.currency, fact.traits, judged, tuple(fact.holds))
        if row.case_id is not None:
            if fact.case is None or fact.case.pk != row.case_id:
                return "the case is closed", None
            if not judged:
                return "nothing undisputed is past due", None
            rules = self.rules[fact.case.version_id]
            step = rules.step(row.step_code)
            minimum = max(
                rules.enter_min_amount.of(fact.currency) or 0, (step.min_amount.of(fact.currency) or 0) if step else 0
            )
            if facts.amount < minimum or policy.exits(rules, fact.currency, fact.past_due_amount):
                return "below the minimum amount", None
        elif fact.case is not None:
            return "a case was opened", None
        if holding.NOTICES in facts.stopped:
            return "a hold is in force", None
        if row.channel not in fact.reachable():
            return ("no usable address on this channel", None) if not row.fallbacks else self._fall_back(row, fact)
        if self.roads.careful and row.channel in ("sms", "email"):
            decision = gate.decide(_contact_facts(fact, row.channel, self.clock()), gate.rules_for(fact.country))
            if decision.outcome == gate.HOLD:
                return decision.reasons[0], decision.next_allowed_at
            if not decision.is_allowed:
                return decision.reasons[0], None
        return "", None

    def _fall_back(self, row: Notice, fact: AccountFacts) -> tuple[str, datetime | None]:
        """Not gone out yet: the same notice on the next channel that reaches somebody."""
        for place, channel in enumerate(row.fallbacks):
            if channel in fact.reachable():
                row.channel, row.fallbacks = channel, row.fallbacks[place + 1 :]
                row.save(update_fields=["channel", "fallbacks"])
                return "", None
        return "no usable address on any channel", None

    def compose(self, rows: Sequence[Notice], facts: Mapping[int, AccountFacts]) -> list[tuple[Notice, Message]]:
        wanted = {row.pk: self._bill_refs(row, facts[row.account_id]) for row in rows}
        details = composing.bill_details({ref for refs in wanted.values() for ref in refs})
        # A reminder before the due date lapses with it.
        lapsed = {ref for ref, bill in details.items() if bill.due_on <= self.as_of}
        services: dict[int, list[str]] = defaultdict(list)
        for account_id, number, kind in (
            Service.objects.filter(account__in={row.account_id for row in rows}, protected=False)
            .order_by("pk")
            .values_list("account_id", "number", "kind")
        ):
            services[account_id].append(number or kind)
        composed = []
        for row in rows:
            bills = [details[ref] for ref in wanted[row.pk] if ref in details and details[ref].open_amount > 0]
            if row.case_id is None:
                bills = [bill for bill in bills if bill.ref not in lapsed]
            if not bills:
                self._withdraw([(row, "nothing is open on its bills")])
                continue
            message = composing.compose(
                row, facts[row.account_id], row.customer, bills, services[row.account_id], as_of=self.as_of
            )
            composed.append((row, message))
        return composed

    def _bill_refs(self, row: Notice, fact: AccountFacts) -> list[str]:
        if row.case_id is not None:
            return [bill.ref for bill in fact.judged(self.as_of)]
        covered = fact.covered(self.as_of)
        return [ref for ref in row.bill_refs if ref not in covered]

    def fail(self, row: Notice, detail: str, *, unclear: bool = False) -> bool:
        """A gateway that never takes it: the next channel's turn."""
        failed = super().fail(row, detail, unclear=unclear)
        if failed:
            go_on(row, detail, at=self.clock())
        return failed

    def take(self, row: Notice, outcome: Outcome, at: datetime) -> None:
        """The far side's answer on the notice's row; a refusal goes on to the next channel."""
        row.provider_ref, row.lease_until, row.send_at = outcome.provider_ref or "", None, None
        row.reason = outcome.detail[:200]
        if outcome.state in ("rejected", "unreachable"):
            row.state = "bounced" if outcome.state == "unreachable" else "failed"
            go_on(row, outcome.detail or outcome.state, at=at)
            return
        row.sent_at = at
        if outcome.state in ("delivered", "confirmed"):
            row.state, row.delivered_at = "delivered", at
        else:
            row.state, row.counts_from = "sent", counts_from(row.channel, at)

    def save(self, rows: Sequence[Notice]) -> None:
        write_each(rows, _NOTICE_COLUMNS)

    def tell(self, rows: Sequence[Notice], at: datetime) -> None:
        told = {"sent": kinds.NOTICE_SENT, "delivered": kinds.NOTICE_SENT}
        events.record_many(
            [_event(row, told.get(row.state, self.failed_kind), self.as_of, at, row.reason) for row in rows]
        )
        self.ended.update(row.state for row in rows)


_NOTICE_COLUMNS = (
    "state", "reason", "send_at", "attempts", "lease_until", "provider_ref", "sent_at", "counts_from", "delivered_at",
    "address", "subject", "body", "language", "bill_refs", "amount", "pay_by",
)  # fmt: skip


def write_each(rows: Sequence[Notice] | Sequence[ServiceOrder], columns: Sequence[str]) -> None:
    """Write those columns of many rows: one prepared statement, pipelined (a tenth of ``bulk_update``'s CASE trees)."""
    if not rows:
        return
    assignments = ", ".join(f"{column} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {rows[0]._meta.db_table} SET {assignments} WHERE id = %s",
            [[*(getattr(row, column) for column in columns), row.pk] for row in rows],
        )


def counts_from(channel: str, at: datetime) -> datetime | None:
    """From when a notice that was handed over counts as delivered; none where only a receipt tells (SMS)."""
    if channel == "email":
        return at + BOUNCE_WINDOW
    if channel == "letter":
        day = workdays.add_working_days(reading.local_date(at), LETTER_WORKING_DAYS, country="")
        return reading.end_of(day)
    return at if channel == "in_app" else None


def go_on(notice: Notice, detail: str, *, at: datetime) -> None:
    """A notice did not reach anybody: mark its address, and make the same notice on the next channel."""
    if (kind := reading.NEEDS.get(notice.channel)) and notice.address and notice.state == "bounced":
        UnreachableAddress.objects.get_or_create(
            kind=kind, value=notice.address, defaults={"since": at, "reason": detail[:200]}
        )
    if not notice.fallbacks:
        return
    channel, *rest = notice.fallbacks
    Notice.objects.bulk_create(
        [
            Notice(
                account_id=notice.account_id,
                customer_id=notice.customer_id,
                case_id=notice.case_id,
                key=f"{notice.key.rpartition('.')[0]}.{channel}",
                step_code=notice.step_code,
                template=notice.template,
                channel=channel,
                fallbacks=rest,
                language=notice.language,
                bill_refs=notice.bill_refs,
                amount=notice.amount,
                currency=notice.currency,
                made_on=notice.made_on,
                pay_by_days=notice.pay_by_days,
                consequence=notice.consequence,
                send_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def _contact_facts(fact: AccountFacts, channel: str, at: datetime) -> gate.ContactFacts:
    return gate.ContactFacts(
        channel=channel,
        at=at,
        automated=True,
        zones=gate.zones_for(fact.timezone, fact.country, fact.contact.get("phone", ""))
        or (ZoneInfo(settings.DESK_TIME_ZONE),),
        has_address=channel in fact.reachable() or channel in fact.refused_channels,
        refused=channel in fact.refused_channels,
    )


def _payers(account_ids: set[int]) -> tuple[list[int], list[int]]:
    rows = Account.objects.filter(pk__in=account_ids).values_list("pk", "parent_id", "pays_itself")
    pairs = [(pk, pk if alone else parent or pk) for pk, parent, alone in rows]
    return [pk for pk, _ in pairs], [payer for _, payer in pairs]


class _Orders(_Pass):
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

    def save(self, rows: Sequence[ServiceOrder]) -> None:
        columns = ("state", "reason", "send_at", "attempts", "lease_until", "provider_ref", "sent_at", "confirmed_at")
        settle_services([row for row in rows if row.state == "confirmed"], as_of=self.as_of, at=self.clock())
        write_each(rows, columns)

    def tell(self, rows: Sequence[ServiceOrder], at: datetime) -> None:
        told = {"sent": kinds.ORDER_SENT, "confirmed": kinds.ORDER_CONFIRMED}
        events.record_many(
            [
                _event(row, told.get(row.state, self.failed_kind), self.as_of, at, row.reason, row.state == "failed")
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
