"""The day's decisions, for many accounts at once: cases opened and closed, steps taken or waiting, what to send made.

A chunk of accounts is one transaction: lock, settle, read, decide (``day``, pure), write in bulk. What was decided is a
row with a unique key, and the case's next day moves with it, so a run that is killed goes on where it stopped and a run
on the same day again finds nothing to do. Nothing is sent here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from accounts import bulk, events, settling, status
from accounts.models import Account
from accounts.money import from_mills
from dunning import cases, choosing, experiments, habits, kinds, policy, reading, rulebook
from dunning.choosing import Strategy
from dunning.day import BillAhead, Day, Tally
from dunning.experiments import Assigning, Treatment
from dunning.gate.zones import Place, zones_of
from dunning.models import Agency, BillStep, Case, CaseStep, Notice, Placement
from dunning.policy import PolicyRules
from dunning.reading import AccountFacts
from dunning.sharding import WHOLE, Shard

CHUNK = 1_000
#: Keys of due accounts found by one query: finding them costs the same for few as for many.
SLICE = 50_000

__all__ = ["Tally", "bills_ahead", "run"]


def run(*, as_of: date, at: datetime, shard: Shard = WHOLE) -> Tally:
    """Decide everything that is due on ``as_of`` in a shard; safe to repeat and to run beside other shards."""
    tally = Tally()
    strategy = choosing.in_force(as_of=as_of)
    for chunk in _due_cases(as_of, shard):
        with transaction.atomic():
            tally.add(_decide_chunk(chunk, strategy, as_of=as_of, at=at))
    if early := sorted({(step.code, -step.day) for rules in strategy.published for step in rules.before_due}):
        for chunk in _due_bills(as_of, early, shard):
            with transaction.atomic():
                tally.add(_remind_chunk(chunk, strategy, as_of=as_of, at=at))
    return tally


_DUE = """
    SELECT id FROM (
        SELECT account_id AS id FROM dunning_case WHERE closed_on IS NULL AND next_on <= %(as_of)s
        UNION
        SELECT payer FROM (
            SELECT CASE WHEN parent_id IS NOT NULL AND NOT pays_itself THEN parent_id ELSE id END AS payer
              FROM accounts_account WHERE oldest_due_on < %(as_of)s
        ) o WHERE NOT EXISTS (SELECT 1 FROM dunning_case c WHERE c.account_id = o.payer AND c.closed_on IS NULL)
    ) due
     WHERE id > %(last)s AND mod(id, %(of)s) = %(number)s
     ORDER BY id LIMIT %(slice)s
"""
#: Payers with a bill ahead for which the day of a step has come that it has not had.
_UPCOMING = """
    SELECT DISTINCT payer FROM (
        SELECT CASE WHEN a.parent_id IS NOT NULL AND NOT a.pays_itself THEN a.parent_id ELSE a.id END AS payer
          FROM accounts_bill b JOIN accounts_account a ON a.id = b.account_id
          JOIN unnest(%(codes)s::text[], %(days)s::int[]) AS s(code, days) ON b.due_on <= %(as_of)s + s.days
         WHERE b.open_amount > b.disputed_amount AND b.due_on > %(as_of)s AND b.due_on <= %(until)s
           AND NOT EXISTS (SELECT 1 FROM dunning_billstep d WHERE d.bill_id = b.id AND d.code = s.code)
    ) ahead
     WHERE payer > %(last)s AND mod(payer, %(of)s) = %(number)s
       AND NOT EXISTS (SELECT 1 FROM dunning_case c WHERE c.account_id = payer AND c.closed_on IS NULL)
     ORDER BY payer LIMIT %(slice)s
"""


def _due_cases(as_of: date, shard: Shard) -> Iterator[list[int]]:
    return _keyset(_DUE, {"as_of": as_of}, shard)


def _due_bills(as_of: date, early: Sequence[tuple[str, int]], shard: Shard) -> Iterator[list[int]]:
    """Chunks of payers, for the steps before the due date: (code, days before)."""
    codes, days = [code for code, _ in early], [days for _, days in early]
    until = as_of + timedelta(days=max(days))
    return _keyset(_UPCOMING, {"as_of": as_of, "until": until, "codes": codes, "days": days}, shard)


def _keyset(query: str, parameters: dict[str, Any], shard: Shard) -> Iterator[list[int]]:
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters | {"last": last, "slice": SLICE, "number": shard.number, "of": shard.of})
            found = [pk for (pk,) in cursor.fetchall()]
        for start in range(0, len(found), CHUNK):
            yield found[start : start + CHUNK]
        if len(found) < SLICE:
            return
        last = found[-1]


def _decide_chunk(chunk: Sequence[int], strategy: Strategy, *, as_of: date, at: datetime) -> Tally:
    settling.settle(as_of=as_of, at=at, account_ids=cases.lock(cases.dunned_with(chunk)))
    facts = reading.read(chunk, as_of=as_of)
    pinned = rulebook.rules_of({fact.case.version_id for fact in facts.values() if fact.case})
    strategy.sort_into_segments(facts.values(), pinned.values(), as_of=as_of)
    day = Day(as_of, at)
    day.tally.reviewed = len(facts)
    judged: list[tuple[AccountFacts, PolicyRules]] = []
    coming_up: list[tuple[AccountFacts, Treatment]] = []
    closing: list[cases.Closing] = []
    assigned = strategy.assigned(chunk)
    for fact in facts.values():
        if fact.case:
            rules = pinned[fact.case.version_id]
            if policy.exits(rules, fact.currency, fact.past_due_amount):
                reason = "paid" if fact.past_due_amount == 0 else "below_exit_amount"
                closing.append(cases.Closing(fact, rules, reason))
            else:
                judged.append((fact, rules))
        elif treatment := strategy.entry(fact, as_of=as_of, assigned=assigned):
            coming_up.append((fact, treatment))
    cases.close(closing, as_of=as_of, at=at)
    day.tally.cases_closed += len(closing)
    experiments.assign(
        [Assigning(fact.pk, treatment, from_mills(fact.past_due_amount)) for fact, treatment in coming_up], as_of=as_of
    )
    entering = [(fact, treatment.rules, treatment) for fact, treatment in coming_up if treatment.rules is not None]
    _open_cases(day, entering, strategy)
    for fact, rules in sorted([*judged, *((fact, rules) for fact, rules, _ in entering)], key=lambda pair: pair[0].pk):
        day.decide(fact, rules)
    _write(day)
    return day.tally


def _open_cases(day: Day, entering: Sequence[tuple[AccountFacts, PolicyRules, Treatment]], strategy: Strategy) -> None:
    """A case for each, under the main segment and the arm of its first day."""
    strategy.sort_into_segments((fact for fact, _, _ in entering), (), as_of=day.as_of, always=bool(entering))
    opened = Case.objects.bulk_create(
        [
            Case(
                account_id=fact.pk,
                version_id=rules.version_id,
                opened_on=day.as_of,
                next_on=day.as_of,
                warnings_from=min(fact.taken_over_warned_on or day.as_of, day.as_of),
                segment=fact.traits.main_segment,
                arm_id=treatment.arm.pk if treatment.arm else None,
            )
            for fact, rules, treatment in entering
        ]
    )
    for case, (fact, rules, treatment) in zip(opened, entering, strict=True):
        row = reading.CaseRow(case.pk, case.version_id, case.opened_on, "", None, case.next_on, case.warnings_from)
        day.opened(fact, rules, row, arm=treatment.arm.code if treatment.arm else "")
    Account.objects.filter(pk__in=[fact.pk for fact, _, _ in entering if fact.taken_over_stage]).update(
        taken_over_stage="", taken_over_warned_on=None
    )


def _write(day: Day) -> None:
    """Everything noted, in a handful of statements."""
    # A step that goes on waiting for another reason keeps the day on which a person was asked.
    asked = [step for step in day.waiting if step.escalated_on]
    rest = [step for step in day.waiting if not step.escalated_on]
    for case_steps, columns in ((asked, ["result", "done_on", "escalated_on"]), (rest, ["result", "done_on"])):
        CaseStep.objects.bulk_create(
            case_steps,
            batch_size=2_000,
            update_conflicts=True,
            unique_fields=["case", "code", "repeat"],
            update_fields=columns,
        )
    bulk.insert(day.case_steps)
    BillStep.objects.bulk_create(day.bill_steps, batch_size=2_000)
    _at_their_best(day.notices, day)
    bulk.insert(day.notices)
    bulk.insert(day.orders)
    _write_placements(day)
    day.tally.notices += len(day.notices)
    day.tally.orders += len(day.orders)
    _write_cases(day)
    charged = cases.charge(day.fees, as_of=day.as_of)
    events.record_many([*day.events, *(fee.event for fee in charged if fee.event is not None)])
    for label, moves in day.moves.items():
        for hop in _hops(moves):
            status.move_accounts(hop, actor=f"policy:{label}", at=day.at, on=day.as_of, policy=label)
    if charged:
        settling.settle(as_of=day.as_of, at=day.at, account_ids={fee.account_id for fee in charged})
    _write_off(day)


def _write_placements(day: Day) -> None:
    if not day.placements:
        return
    codes = {placement.agency for placement in day.placements}
    Agency.objects.bulk_create([Agency(code=code, name=code) for code in sorted(codes)], ignore_conflicts=True)
    agencies = dict(Agency.objects.filter(code__in=codes).values_list("code", "pk"))
    Placement.objects.bulk_create(
        [
            Placement(
                ref=f"desk-placement-{fact.case.pk}-{repeat}",
                account_id=fact.pk,
                case_id=fact.case.pk,
                agency_id=agencies[code],
                amount=amount,
                placed_on=day.as_of,
            )
            for fact, code, amount, repeat in day.placements
            if fact.case is not None
        ],
        batch_size=2_000,
    )


def _write_off(day: Day) -> None:
    refused: list[events.EventRow] = []
    for fact, rules, code in day.write_offs:
        try:
            cases.write_off(
                account_id=fact.pk,
                actor=rules.actor,
                as_of=day.as_of,
                at=day.at,
                reason=code,
                policy_label=rules.label,
            )
        except cases.CannotWriteOff as refusal:
            # One account's trouble is a person's business, and stops nobody else's day.
            reason, payload = f"{code}: {refusal}", {"step": code}
            row = events.EventRow(fact.pk, kinds.TASK_REQUESTED, rules.actor, day.at, day.as_of, reason)
            refused.append(replace(row, policy=rules.label, payload=payload, react=True))
        else:
            day.tally.cases_closed += 1
    events.record_many(refused)


def _write_cases(day: Day) -> None:
    if not day.moved:
        return
    latest = {pk: (stage, last, following) for pk, stage, last, following in day.moved}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dunning_case c SET stage = v.stage, last_step_on = v.last, next_on = v.following "
            "FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::date[]) AS v(id, stage, last, following) "
            "WHERE c.id = v.id AND c.closed_on IS NULL",
            [list(latest), *(list(column) for column in zip(*latest.values(), strict=True))],
        )


def _hops(moves: Sequence[status.Move]) -> Iterator[list[status.Move]]:
    """The moves in waves, so that an account that moves twice does so in order."""
    waves: list[list[status.Move]] = []
    seen: Counter[int] = Counter()
    for move in moves:
        if seen[move.pk] == len(waves):
            waves.append([])
        waves[seen[move.pk]].append(move)
        seen[move.pk] += 1
    return iter(waves)


_BILLS_AHEAD = """
    SELECT x.payer, b.id, b.ref, b.due_on, ((b.open_amount - b.disputed_amount) * 1000)::bigint,
           coalesce(array_agg(s.code) FILTER (WHERE s.code IS NOT NULL), '{}')
      FROM (SELECT id, id AS payer FROM accounts_account WHERE id = ANY(%(ids)s)
            UNION ALL SELECT id, parent_id FROM accounts_account WHERE parent_id = ANY(%(ids)s) AND NOT pays_itself) x
      JOIN accounts_bill b ON b.account_id = x.id LEFT JOIN dunning_billstep s ON s.bill_id = b.id
     WHERE b.open_amount > b.disputed_amount AND b.due_on > %(as_of)s
     GROUP BY x.payer, b.id ORDER BY x.payer, b.due_on, b.ref
"""


def bills_ahead(account_ids: Sequence[int], *, as_of: date) -> dict[int, list[BillAhead]]:
    """Bills not due yet, by the account that pays them."""
    ahead: dict[int, list[BillAhead]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_BILLS_AHEAD, {"ids": list(account_ids), "as_of": as_of})
        for account_id, *bill in cursor.fetchall():
            ahead[account_id].append(BillAhead(*bill))
    return ahead


def _remind_chunk(chunk: Sequence[int], strategy: Strategy, *, as_of: date, at: datetime) -> Tally:
    """The steps before the due date of the bills of a chunk of accounts."""
    settling.settle(as_of=as_of, at=at, account_ids=cases.lock(cases.dunned_with(chunk)))
    facts = reading.read(chunk, as_of=as_of)
    strategy.sort_into_segments(facts.values(), (), as_of=as_of)
    day = Day(as_of, at)
    ahead = bills_ahead(chunk, as_of=as_of)
    for pk, fact in facts.items():
        if ahead[pk] and (rules := policy.choose(strategy.published, fact.traits, fact.currency)):
            day.remind(fact, rules, ahead[pk])
    _write(day)
    return day.tally


def _at_their_best(notices: Sequence[Notice], day: Day) -> None:
    """Send when, and first how, customers are known to answer; where too little is known nothing changes."""
    by_channels: dict[tuple[str, ...], list[Notice]] = defaultdict(list)
    for notice in notices:
        if notice.state != "pending":  # told by the system the account was taken over from
            continue
        by_channels[(notice.channel, *notice.fallbacks)].append(notice)
    for channels, alike in by_channels.items():
        zones = {notice.customer_id: zone for notice in alike if (zone := _zone_of(day.written_to[notice.customer_id]))}
        chosen = habits.best_moments(list(zones), channels, day=day.as_of, zones=zones, after=day.at)
        for notice in alike:
            if (best := chosen.get(notice.customer_id)) is not None:
                notice.send_at, notice.channel = best.at, best.moment.channel
                notice.key = f"{notice.key.rpartition('.')[0]}.{notice.channel}"
                notice.fallbacks = [channel for channel in channels if channel != notice.channel]


def _zone_of(fact: AccountFacts) -> ZoneInfo | None:
    """Where the customer is, where that is one place."""
    place = Place(timezone=fact.timezone, country=fact.country, region=fact.region, numbers=fact.on_file[:1])
    zones = zones_of(place, datetime.min.replace(tzinfo=UTC))
    return zones[0] if len(zones) == 1 else None
