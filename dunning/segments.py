"""Which accounts meet which rule: rules asked of the whole book, or of a chunk of accounts, in one statement each.

A rule becomes a condition over one row of facts for each account. Only the facts that are asked for are worked out,
each from a source read once: grouped over the book, or over the chunk's accounts alone. No value of a rule is ever part
of the SQL; all of them travel as parameters.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Max, Q
from psycopg.errors import QueryCanceled

from accounts import business_day, events
from accounts.refusals import Refused
from dunning import kinds, policy, segment_rules
from dunning.models import PolicyVersion, Segment
from dunning.segment_rules import Fact


class CannotKeep(Refused):
    """The segment's rule cannot be asked, or a policy knows the segment by its present code."""

    code = "invalid"


class CannotRemove(Refused):
    """A policy names the segment."""

    code = "conflict"


class TookTooLong(Exception):
    """The database was stopped before it had an answer."""


class SegmentRow(NamedTuple):
    """A segment as it is asked."""

    code: str
    name: str
    rule: Mapping[str, Any]


class SampleRow(NamedTuple):
    """An account that meets a rule; ``facts`` are what the rule asks about, in its order."""

    ref: str
    customer: str
    currency: str
    past_due: Decimal
    facts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule finds: how many accounts, of how many, and those that owe the most."""

    count: int
    of: int
    facts: tuple[Fact, ...]
    sample: tuple[SampleRow, ...]


# --- Asking -----------------------------------------------------------------------------------------------------------


def active() -> tuple[SegmentRow, ...]:
    """The segments that are asked, in their order. One query."""
    rows = Segment.objects.filter(active=True).order_by("position", "pk")
    return tuple(SegmentRow(*row) for row in rows.values_list("code", "name", "rule"))


def memberships(
    account_ids: Collection[int], *, as_of: date, among: Sequence[SegmentRow] | None = None
) -> dict[int, tuple[str, ...]]:
    """The codes of all active segments that each of those accounts is in, the main one first.

    One query, and the one for the list where ``among`` does not give it; without segments no other. Accounts that are
    in none are there with none.
    """
    asking = active() if among is None else among
    found: dict[int, tuple[str, ...]] = dict.fromkeys(account_ids, ())
    if not asking or not found:
        return found
    question = _Question(as_of, ids=list(found))
    met = [question.meets(row.rule) for row in asking]
    codes = [row.code for row in asking]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, {', '.join(met)} FROM {question.facts()}", question.values)
        for pk, *answers in cursor:
            found[pk] = tuple(code for code, meets in zip(codes, answers, strict=True) if meets)
    return found


def count(rule: Mapping[str, Any], *, as_of: date) -> int:
    """How many accounts of the book meet a checked rule."""
    question = _Question(as_of)
    with connection.cursor() as cursor:
        where = question.meets(rule)
        cursor.execute(f"SELECT count(*) FROM {question.facts()} WHERE {where}", question.values)
        return int(cursor.fetchone()[0])


def counts(rules: Sequence[Mapping[str, Any]], *, as_of: date) -> tuple[int, list[int]]:
    """How many accounts there are, and how many meet each of the checked rules; the book is read once for all."""
    question = _Question(as_of)
    met = [f"count(*) FILTER (WHERE {question.meets(rule)})" for rule in rules]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['count(*)', *met])} FROM {question.facts()}", question.values)
        of, *found = cursor.fetchone()
    return of, found


def look(rule: Mapping[str, Any], *, as_of: date, limit: int = 20) -> Look:
    """How many accounts of the book meet a checked rule, and ``limit`` of them, those that owe the most first."""
    question = _Question(as_of)
    where = question.meets(rule)
    facts = segment_rules.facts_of(rule)
    columns = ", ".join(("ref", "customer", "account_currency", "owed", *(f'"{fact.name}"' for fact in facts)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) OVER (), {columns} FROM {question.facts()} WHERE {where} ORDER BY owed DESC, ref LIMIT "
            f"{question.value(limit)}",
            question.values,
        )
        rows = cursor.fetchall()
        cursor.execute("SELECT count(*) FROM accounts_account")
        of = int(cursor.fetchone()[0])
    sample = tuple(
        SampleRow(ref, customer, code, owed, tuple(asked)) for _count, ref, customer, code, owed, *asked in rows
    )
    return Look(rows[0][0] if rows else 0, of, facts, sample)


def sample(rule: Mapping[str, Any], *, as_of: date, limit: int = 20) -> tuple[SampleRow, ...]:
    """Some accounts that meet a checked rule, those that owe the most first."""
    return look(rule, as_of=as_of, limit=limit).sample


def values_in_use() -> dict[str, list[str]]:
    """For each fact that is a text, the values that the book has, at most ``MOST_OFFERED`` of them, in order."""
    texts = [fact.name for fact in segment_rules.FACTS.values() if fact.type == segment_rules.TEXT]
    each = []
    for name in texts:
        column, _source = _FACTS[name]
        table = "accounts_account a" if column.startswith("a.") else "accounts_customer c"
        offered = f"SELECT DISTINCT {column} FROM {table} WHERE {column} <> '' ORDER BY 1 LIMIT {MOST_OFFERED}"
        each.append(f"SELECT '{name}', * FROM ({offered}) {name}")
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(each))
        for name, value in cursor.fetchall():
            found.setdefault(name, []).append(value)
    return found


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Let each statement inside run that long. Raises ``TookTooLong``."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong(f"no answer within {seconds} seconds") from error
        raise


# --- Keeping ----------------------------------------------------------------------------------------------------------


def keep(segment: Segment, *, actor: str, at: datetime) -> None:
    """Save a segment, new or changed, with its rule in one form; a new one comes last.

    Raises ``CannotKeep`` for a rule that cannot be asked, and for another code while policies name the present one.
    """
    if problems := segment_rules.check(segment.rule):
        raise CannotKeep("; ".join(map(str, problems)))
    segment.rule = segment_rules.tidy(segment.rule)
    segment.changed_by, segment.changed_at = actor, at
    with transaction.atomic():
        if segment._state.adding:
            last = Segment.objects.aggregate(last=Max("position"))["last"]
            segment.position = 0 if last is None else last + 1
            Segment.objects.bulk_create([segment])
        else:
            before = Segment.objects.select_for_update().values_list("code", flat=True).get(pk=segment.pk)
            if before != segment.code and (names := named_by(before)):
                raise CannotKeep(f"The code cannot change: {before} is named by {', '.join(names)}.", code="conflict")
            segment.save(update_fields=["code", "name", "position", "rule", "active", "changed_by", "changed_at"])
        _record(segment, actor=actor, at=at)


def remove(segment: Segment, *, actor: str, at: datetime) -> None:
    """Delete a segment. Raises ``CannotRemove`` while a policy names it."""
    with transaction.atomic():
        if names := named_by(segment.code):
            raise CannotRemove(f"{segment.code} cannot be deleted: it is named by {', '.join(names)}.")
        _record(segment, actor=actor, at=at, removed=True)
        segment.delete()


def named_by(code: str) -> list[str]:
    """The policy versions that name the segment and still decide something, or will: drafts, those in force or on
    trial, and retired ones that open cases are pinned to."""
    named = Q(applies_to__contains={"segment": [code]}) | Q(steps__only_if__contains={"segment": [code]})
    alive = ~Q(state=PolicyVersion.State.RETIRED) | Q(cases__closed_on=None, cases__isnull=False)
    versions = PolicyVersion.objects.filter(named & alive).select_related("policy").order_by("policy__code", "number")
    return list(dict.fromkeys(map(str, versions)))


def _record(segment: Segment, *, actor: str, at: datetime, removed: bool = False) -> None:
    payload: dict[str, Any] = {"segment": segment.code}
    if removed:
        payload["removed"] = True
    else:
        payload |= {"position": segment.position, "active": segment.active, "rule": segment.rule}
    events.record(
        account_id=None,
        kind=kinds.SEGMENT_CHANGED,
        actor=actor,
        at=at,
        on=business_day.business_date(at=at),
        payload=payload,
    )


# --- The facts in SQL -------------------------------------------------------------------------------------------------

#: What the customer's silence is counted from: this many days after a notice was delivered.
ANSWER_DAYS = 14
#: A rule looks back that far; at an account's own cases, twice as far.
YEAR_DAYS = 365
#: So many values of a text are offered to choose from.
MOST_OFFERED = 100
#: Share of a self-cure where nothing is known.
NO_EXPERIENCE_PERCENT = 50

#: Written by the room above; its name is all that is known of it here.
_PROMISE_BROKEN = "agents.promise.broken"

#: Where facts come from that are no columns of the account or its customer: at most one row for each of them, by its
#: key as ``id``. ``{of}`` stands for the accounts in question, those of ``s``.
_SOURCES = {
    "vulnerabilities": """
        SELECT v.customer_id AS id,
               (ARRAY['low', 'medium', 'high'])[max(array_position(ARRAY['low', 'medium', 'high'], v.severity::text))]
                   AS gravest
          FROM accounts_vulnerability v
         WHERE v.noted_on <= %(as_of)s AND (v.ended_on IS NULL OR v.ended_on > %(as_of)s) AND {of_customers}
         GROUP BY v.customer_id""",
    "services": """
        SELECT s.account_id AS id, count(*) AS held, array_agg(DISTINCT s.kind::text) AS kinds,
               sum(s.monthly_fee) AS fee
          FROM accounts_service s
         WHERE s.status <> 'disconnected' AND {of} GROUP BY s.account_id""",
    "cases": """
        SELECT s.account_id AS id, count(*) AS opened
          FROM dunning_case s
         WHERE s.opened_on > %(year_ago)s AND s.opened_on <= %(as_of)s AND {of} GROUP BY s.account_id""",
    "last_payment": """
        SELECT s.account_id AS id, max(s.received_on) AS received_on
          FROM accounts_payment s
         WHERE s.reverses_id IS NULL AND s.received_on <= %(as_of)s AND {of}
           AND NOT EXISTS (SELECT FROM accounts_payment r WHERE r.reverses_id = s.id AND r.received_on <= %(as_of)s)
         GROUP BY s.account_id""",
    "payments": """
        SELECT s.account_id AS id, count(*) AS made
          FROM accounts_payment s
         WHERE s.reverses_id IS NULL AND s.received_on > %(year_ago)s AND s.received_on <= %(as_of)s AND {of}
           AND NOT EXISTS (SELECT FROM accounts_payment r WHERE r.reverses_id = s.id AND r.received_on <= %(as_of)s)
         GROUP BY s.account_id""",
    "reversals": """
        SELECT s.account_id AS id, count(*) AS made
          FROM accounts_payment s
         WHERE s.reverses_id IS NOT NULL AND s.received_on > %(year_ago)s AND s.received_on <= %(as_of)s AND {of}
         GROUP BY s.account_id""",
    "promises": """
        SELECT s.account_id AS id, count(*) AS broken
          FROM accounts_accountevent s
         WHERE s.kind = %(promise_broken)s AND s."on" > %(year_ago)s AND s."on" <= %(as_of)s AND {of}
         GROUP BY s.account_id""",
    "falls": """
        SELECT s.account_id AS id, count(*) AS made
          FROM accounts_accountevent s
         WHERE s.kind = %(status_changed)s AND s."on" > %(year_ago)s AND s."on" <= %(as_of)s AND {of}
           AND s.payload ->> 'to' = 'overdue' AND s.payload ->> 'from' IN ('current', 'closed', 'written_off')
         GROUP BY s.account_id""",
    "silence": """
        SELECT s.account_id AS id, count(DISTINCT (s.step_code, s.made_on)) AS kept
          FROM (SELECT n.account_id, n.step_code, n.made_on,
                       (coalesce(n.delivered_at, n.counts_from) AT TIME ZONE %(zone)s)::date AS reached_on
                  FROM dunning_notice n
                 WHERE n.state IN ('sent', 'delivered') AND n.made_on > %(year_ago)s AND n.made_on <= %(as_of)s) s
         WHERE s.reached_on + %(answer_days)s <= %(as_of)s AND {of}
           AND NOT EXISTS (
               SELECT FROM accounts_payment p
                WHERE p.account_id = s.account_id AND p.reverses_id IS NULL
                  AND p.received_on BETWEEN s.reached_on AND s.reached_on + %(answer_days)s)
         GROUP BY s.account_id""",
    "cures": """
        SELECT s.account_id AS id,
               round(100.0 * count(*) FILTER (WHERE s.close_reason = 'paid' AND hard.case_id IS NULL) / count(*))::int
                   AS percent
          FROM dunning_case s
          LEFT JOIN (SELECT DISTINCT s.case_id FROM dunning_casestep s
                      WHERE s.result = 'taken' AND s.action = ANY(%(hard_actions)s) AND {of}) hard
            ON hard.case_id = s.id
         WHERE s.closed_on > %(two_years_ago)s AND s.closed_on <= %(as_of)s AND {of} GROUP BY s.account_id""",
}
_OF_CUSTOMERS = frozenset({"vulnerabilities"})

_AS_OF = "%(as_of)s::date"
#: Each fact over the account (``a``), its customer (``c``) and at most one source.
_FACTS: Mapping[str, tuple[str, str]] = {
    "customer_kind": ("c.kind", ""),
    "country": ("c.country", ""),
    "region": ("c.region", ""),
    "language": ("c.language", ""),
    "age_years": (f"extract(year FROM age({_AS_OF}, c.birth_date))::int", ""),
    "vulnerable": ("vulnerabilities.id IS NOT NULL", "vulnerabilities"),
    "vulnerability": ("coalesce(vulnerabilities.gravest, '')", "vulnerabilities"),
    "product": ("a.product", ""),
    "billing_segment": ("a.segment", ""),
    "currency": ("a.currency", ""),
    "payment_method": ("a.payment_method", ""),
    "tenure_days": (f"{_AS_OF} - a.opened_on", ""),
    "has_parent": ("a.parent_id IS NOT NULL", ""),
    "services": ("coalesce(services.held, 0)", "services"),
    "service_kind": ("coalesce(services.kinds, '{}')", "services"),
    "monthly_fee": ("coalesce(services.fee, 0)", "services"),
    "open_amount": ("a.open_amount", ""),
    "past_due": ("a.overdue", ""),
    "days_past_due": (f"coalesce(greatest({_AS_OF} - a.oldest_due_on, 0), 0)", ""),
    "unapplied": ("a.unapplied", ""),
    "cases_opened": ("coalesce(cases.opened, 0)", "cases"),
    "times_past_due": ("coalesce(falls.made, 0)", "falls"),
    "days_since_payment": (f"{_AS_OF} - coalesce(last_payment.received_on, a.opened_on)", "last_payment"),
    "payments": ("coalesce(payments.made, 0)", "payments"),
    "reversed_payments": ("coalesce(reversals.made, 0)", "reversals"),
    "broken_promises": ("coalesce(promises.broken, 0)", "promises"),
    "unanswered_notices": ("coalesce(silence.kept, 0)", "silence"),
    "self_cure_percent": ("coalesce(cures.percent, %(no_experience_percent)s)", "cures"),
}

_COMPARISONS = {
    segment_rules.IS: "{fact} = {value}",
    segment_rules.IS_NOT: "{fact} <> {value}",
    segment_rules.IS_ANY_OF: "{fact} = ANY({value})",
    segment_rules.IS_NONE_OF: "{fact} <> ALL({value})",
    segment_rules.BEGINS_WITH: "starts_with({fact}, {value})",
    segment_rules.AT_LEAST: "{fact} >= {value}",
    segment_rules.AT_MOST: "{fact} <= {value}",
}
#: The same where an account may have several of it.
_COMPARISONS_OF_SEVERAL = {
    segment_rules.IS: "{value} = ANY({fact})",
    segment_rules.IS_NOT: "{value} <> ALL({fact})",
    segment_rules.IS_ANY_OF: "{fact} && {value}",
    segment_rules.IS_NONE_OF: "NOT {fact} && {value}",
}


class _Question:
    """Rules put to the book on one day: the facts they need and the values they name, gathered while they compile."""

    def __init__(self, as_of: date, *, ids: Sequence[int] | None = None) -> None:
        self._needed: dict[str, None] = {}
        self._chunk = ids is not None
        self.values: dict[str, Any] = {
            "as_of": as_of,
            "ids": ids,
            "year_ago": as_of - timedelta(days=YEAR_DAYS),
            "two_years_ago": as_of - timedelta(days=2 * YEAR_DAYS),
            "answer_days": ANSWER_DAYS,
            "zone": settings.DESK_TIME_ZONE,
            "promise_broken": _PROMISE_BROKEN,
            "status_changed": events.STATUS_CHANGED,
            "hard_actions": [policy.LIMIT, policy.TRANSFER, policy.AGENCY],
            "no_experience_percent": NO_EXPERIENCE_PERCENT,
        }

    def value(self, value: Any) -> str:
        """A place in the statement for a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def meets(self, rule: Mapping[str, Any]) -> str:
        """A checked rule as a condition over ``facts``: true where it is met, whatever is unknown."""
        return f"({self._group(rule)}) IS TRUE"

    def facts(self) -> str:
        """A row of facts for each account in question, as an item of FROM: to be asked for after the rules."""
        of, of_customers = "true", "true"
        if self._chunk:
            of = "s.account_id = ANY(%(ids)s)"
            of_customers = "v.customer_id IN (SELECT customer_id FROM accounts_account WHERE id = ANY(%(ids)s))"
        columns = "".join(f', {_FACTS[name][0]} AS "{name}"' for name in self._needed)
        joins = "".join(
            f" LEFT JOIN ({_SOURCES[source].replace('{of}', of).replace('{of_customers}', of_customers)}) {source}"
            f" ON {source}.id = {'c.id' if source in _OF_CUSTOMERS else 'a.id'}"
            for source in _sources(self._needed)
        )
        chunk = " WHERE a.id = ANY(%(ids)s)" if self._chunk else ""
        return (
            "(SELECT a.id, a.ref, c.name AS customer, a.currency AS account_currency, a.overdue AS owed"
            f"{columns} FROM accounts_account a JOIN accounts_customer c ON c.id = a.customer_id{joins}{chunk}) facts"
        )

    def _group(self, group: Mapping[str, Any]) -> str:
        ((key, members),) = group.items()
        word = " AND " if key == "all" else " OR "
        return word.join(self._condition(one) if "fact" in one else f"({self._group(one)})" for one in members)

    def _condition(self, condition: Mapping[str, Any]) -> str:
        fact, operator, value = segment_rules.asked(condition)
        self._needed[fact.name] = None
        comparisons = _COMPARISONS_OF_SEVERAL if fact.several else _COMPARISONS
        return comparisons[operator].format(fact=f'"{fact.name}"', value=self._compared(fact, value))

    def _compared(self, fact: Fact, value: Any) -> str:
        if fact.type == segment_rules.AMOUNT:
            if isinstance(value, Mapping):
                # A currency that is not named is unknown, and meets nothing.
                return f"({self.value(json.dumps(dict(value)))}::jsonb ->> account_currency)::numeric"
            return f"{self.value(Decimal(str(value)))}::numeric"
        if isinstance(value, list):
            return f"{self.value(value)}::text[]"
        return self.value(value)


def _sources(needed: Iterable[str]) -> list[str]:
    """The sources of those facts, each once."""
    return [source for source in dict.fromkeys(_FACTS[name][1] for name in needed) if source]
