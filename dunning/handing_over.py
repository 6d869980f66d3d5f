"""One hand-over after another: the claim under lock, the intent, the call, and what its end means for a repeat.

What notices and orders do alike on their way out. A worker killed between call and result leaves ``handing_over``
behind: where the far side knows our key the same call is made again, where it knows none the row becomes ``doubtful``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Mod

from accounts import events, settling
from accounts.models import Account
from dunning import cases, contact, kinds, reading, rulebook
from dunning.gateways.base import NotTaken, Outcome, Unclear
from dunning.gateways.patience import backoff
from dunning.models import Case, CaseStep, Notice, ServiceOrder
from dunning.policy import PolicyRules
from dunning.print_runs import PrintRuns
from dunning.reading import AccountFacts
from dunning.roads import Roads
from dunning.sharding import WHOLE, Shard

ACTOR = "desk:deliver"
BATCH = 200

#: How long a hand-over may take before another worker concludes that its worker died.
LEASE = timedelta(minutes=5)
#: What the gate said is believed so long; then the facts are looked at again before the next hand-over.
FRESH = timedelta(minutes=1)
#: After so many failures somebody must look.
MOST_ATTEMPTS = 12


def event_of(
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


class Pass:
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
        #: Some go another way than was looked for: once more through what is due.
        self.again = False

    def run(self) -> Counter[str]:
        runs = PrintRuns(self)
        runs.recover()
        self._recover()
        last = 0
        while True:
            due = self.model.objects.filter(state="pending", send_at__lte=self.at, pk__gt=last).order_by("pk")
            if self.shard.of > 1:
                due = due.annotate(part=Mod("account_id", self.shard.of)).filter(part=self.shard.number)
            batch = list(due.values_list("pk", "account_id")[:BATCH])
            if not batch and self.again:
                self.again, last = False, 0
                continue
            if not batch:
                runs.leave()
                return self.ended
            last = batch[-1][0]
            for row, handed in self._prepare(batch):
                if self.clock() - self.gate.at > FRESH:
                    last = row.pk - 1
                    break
                if hasattr(self.road(row), "lay_out"):
                    runs.gather(row, handed)
                else:
                    self._call(row, handed)
            runs.leave(waited=FRESH)

    def _recover(self) -> None:
        """Hand-overs whose worker died."""
        left = self.model.objects.filter(state="handing_over", lease_until__lt=self.at).order_by("pk")
        for pk in list(left.values_list("pk", flat=True)):
            with transaction.atomic():
                row = self._locked(left.filter(pk=pk)).first()
                if row is None:
                    continue
                if getattr(row, "print_run", ""):
                    continue  # known by its run (``print_runs``)
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
            self.look(facts, rows)
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
            self.write_down([row for row, _ in remote])
            self.gate.keep(actor=ACTOR)
            return remote

    def look(self, facts: Mapping[int, AccountFacts], rows: Sequence[Any]) -> None:
        """The contact gate for the accounts of a batch, at this moment."""
        self.gate = contact.Gate(
            facts, at=self.clock(), as_of=self.as_of, talks=self.roads.talks, only=self.roads.only_packs, home=True
        )

    def _withdraw(self, dropped: Sequence[tuple[Any, str]]) -> None:
        """Keep the reason; the step that asked for it may come again when the reason is gone."""
        for row, reason in dropped:
            row.state, row.reason, row.send_at = "withdrawn", reason[:200], None
        write_each([row for row, _ in dropped], ("state", "reason", "send_at"))
        events.record_many([event_of(row, self.withdrawn_kind, self.as_of, self.at, reason) for row, reason in dropped])
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
            self.write_down([row for row, _ in pairs])
            self.tell([row for row, _ in pairs], self.at)

    def _call(self, row: Any, handed: Any) -> None:
        """Intent, call, result: no transaction is open while the far side thinks, or while the channel's turn comes."""
        road, channel = self.road(row), self.breaker_key(row)
        breaker, now = self.roads.breakers[channel], self.clock()
        if not breaker.lets_through(at=now):
            self.later(row, "the gateway rests after failures", breaker.free_at() or now + timedelta(minutes=1))
            return
        self.roads.wait_for_turn(channel)
        if not self.intend(row, self.clock()):
            return
        try:
            outcome = road.hand_over(handed)
        except NotTaken as problem:
            self.roads.note_failure(channel, problem.detail, at=self.clock())
            self.retry(row, problem.detail, problem.retry_after)
        except Unclear as problem:
            self.roads.note_failure(channel, problem.detail, at=self.clock())
            if road.knows_keys:
                self.retry(row, problem.detail, None, unclear=True)
            else:
                with transaction.atomic():
                    self._doubt(row, problem.detail)
        else:
            self.roads.note_success(channel, at=self.clock())
            with transaction.atomic():
                cases.lock([row.account_id])
                if self.still_ours(row):
                    self.take(row, outcome, self.clock())
                    self.write_down([row])
                    self.tell([row], self.clock())
                else:
                    # A receipt was faster than the answer it belongs to, or another worker than ours: theirs stands.
                    told = self.model.objects.filter(pk=row.pk)
                    told.filter(provider_ref="").update(provider_ref=outcome.provider_ref or "")
                    told.filter(sent_at=None).update(sent_at=self.clock())

    def intend(self, row: Any, now: datetime) -> bool:
        """Commit that we are about to call; not when the row was withdrawn or the account's facts are moving."""
        with connection.cursor() as cursor:
            cursor.execute(
                _INTEND.format(table=self.model._meta.db_table, condition=self.only_if), [now + LEASE, row.pk]
            )
            if cursor.rowcount == 0:
                return False
        row.attempts, row.state, row.lease_until = row.attempts + 1, "handing_over", now + LEASE
        return True

    def retry(self, row: Any, detail: str, wait: timedelta | None, *, unclear: bool = False) -> None:
        if row.attempts >= MOST_ATTEMPTS:
            with transaction.atomic():
                self.fail(row, detail, unclear=unclear)
            return
        now = self.clock()
        self.later(row, detail, now + max(wait or timedelta(0), backoff(row.attempts, key=row.key)), unclear=unclear)

    def later(self, row: Any, detail: str, send_at: datetime, *, unclear: bool = False) -> None:
        if self._leave(row, "pending", detail, send_at, unclear=unclear):
            self.ended["waiting"] += 1

    def _doubt(self, row: Any, detail: str) -> None:
        if self._leave(row, "doubtful", detail, None):
            events.record_many([event_of(row, kinds.NOTICE_DOUBTFUL, self.as_of, self.clock(), detail)])
            self.ended["doubtful"] += 1

    def fail(self, row: Any, detail: str, *, unclear: bool = False) -> bool:
        """Nobody takes it: an event for whoever must look. False where somebody else told otherwise meanwhile."""
        if not self._leave(row, "failed", detail, None, unclear=unclear):
            return False
        events.record_many([event_of(row, self.failed_kind, self.as_of, self.clock(), detail, react=True)])
        self.ended["failed"] += 1
        return True

    def still_ours(self, row: Any) -> bool:
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

    def write_down(self, rows: Sequence[Any]) -> None:
        raise TypeError

    def tell(self, rows: Sequence[Any], at: datetime) -> None:
        raise TypeError


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


def _payers(account_ids: set[int]) -> tuple[list[int], list[int]]:
    rows = Account.objects.filter(pk__in=account_ids).values_list("pk", "parent_id", "pays_itself")
    pairs = [(pk, pk if alone else parent or pk) for pk, parent, alone in rows]
    return [pk for pk, _ in pairs], [payer for _, payer in pairs]
