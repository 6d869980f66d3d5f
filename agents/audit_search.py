"""The whole history, searched: by account, by whom, what, when, which rule and which version of a policy.

Newest business day first. A page costs what it shows, however much there is: every filter has its index, and a page
begins behind the last row of the one before. Who is kept to a team sees events of the accounts that team sees.

What the contact gate said is kept in rows of its own; they stand among the events where a rule, or the gate, is asked
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from accounts import audit
from accounts.business_day import calendar_date
from accounts.models import Account, AccountEvent
from agents import audit_words, rights
from agents.audit_words import Doer
from agents.event_words import icon_of, title_of, tone_of
from agents.words import of_code, within
from dunning.models import GateDecision

#: Asked for as a kind: what the contact gate said.
GATE = "gate"
#: Rows that are read at once for a file.
AT_ONCE = 1_000
#: The keys of a payload behind which rules stand (``audit_words.rules_of``); the index on them says the same.
_NAMES_RULES = ["rules", "gate"]
_CURSOR = re.compile(r"(\d{4}-\d\d-\d\d):(-?\d{1,18})(?:~(\d{1,18}))?")
#: Before every row there can be.
_TOP = (date.max, 10**18 - 1)

Row = AccountEvent | GateDecision


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What is looked for; empty is: whatever it is. Days are business days, both included."""

    account_id: int | None = None
    #: ``agent:nadia`` exactly, ``nadia`` for whoever is called so, ``policy:`` for all that begin so.
    actor: str = ""
    #: What it is about, such as ``promise``, or what a kind begins with.
    kind: str = ""
    #: ``residential@3``, or ``residential`` for all its versions.
    policy: str = ""
    rule: str = ""
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind which row the next page begins: the business day and key of an event, and the key of a gate's answer."""

    on: date
    event_id: int
    decision_id: int | None = None

    def __str__(self) -> str:
        told = "" if self.decision_id is None else f"~{self.decision_id}"
        return f"{self.on.isoformat()}:{self.event_id}{told}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row of the trail, as every way of showing it needs it."""

    #: ``e17`` of an event, ``g17`` of what the gate said.
    key: str
    number: int
    at: datetime
    on: date
    account: str
    kind: str
    title: str
    actor: str
    doer: Doer
    reason: str
    facts: list[tuple[str, str]]
    rules: list[str]
    payload: dict[str, Any]
    tone: str
    icon: str
    seal: int | None
    sealable: bool = True

    @property
    def dated_otherwise(self) -> bool:
        """Whether it belongs to another business day than that on which it was written."""
        return calendar_date(at=self.at) != self.on


@dataclass(frozen=True, slots=True)
class Page:
    lines: list[Line]
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the history is sealed, and what there is to look for."""

    kinds: list[str]
    policies: list[str]
    last_seal: int | None
    sealed_at: datetime | None
    unsealed: int


def read_cursor(text: str) -> Cursor | None:
    """The cursor of an address; none for anything else."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    try:
        return Cursor(date.fromisoformat(found[1]), int(found[2]), int(found[3]) if found[3] else None)
    except ValueError:
        return None


def chain() -> Chain:
    """Which kinds and policies there are, and how far the seals reach: one query, whatever the size of the history."""
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN)
        kinds, policies, last, sealed_at, unsealed = cursor.fetchone()
    return Chain(kinds, policies, last, sealed_at, unsealed)


#: The index is walked from value to value: a step for each, not for each event.
_CHAIN = """
    WITH RECURSIVE k AS (
        (SELECT kind FROM accounts_accountevent ORDER BY kind LIMIT 1)
        UNION ALL
        SELECT (SELECT e.kind FROM accounts_accountevent e WHERE e.kind > k.kind ORDER BY e.kind LIMIT 1)
          FROM k WHERE k.kind IS NOT NULL
    ), p AS (
        (SELECT policy FROM accounts_accountevent WHERE NOT policy = '' ORDER BY policy LIMIT 1)
        UNION ALL
        SELECT (SELECT e.policy FROM accounts_accountevent e WHERE e.policy > p.policy AND NOT e.policy = ''
                 ORDER BY e.policy LIMIT 1)
          FROM p WHERE p.policy IS NOT NULL
    ), s AS (
        SELECT id, last_event_id, sealed_at FROM accounts_seal ORDER BY id DESC LIMIT 1
    )
    SELECT ARRAY(SELECT kind FROM k WHERE kind IS NOT NULL), ARRAY(SELECT policy FROM p WHERE policy IS NOT NULL),
           (SELECT id FROM s), (SELECT sealed_at FROM s),
           (SELECT count(*) FROM accounts_accountevent e
             WHERE e.id > coalesce((SELECT last_event_id FROM s), -9223372036854775808))
"""


def families(kinds: Iterable[str]) -> list[tuple[str, str]]:
    """What those kinds are about, each with its words, by these; the gate's own answers among them."""
    nouns = {audit_words.about(kind) for kind in kinds}
    return sorted([(noun, of_code(noun)) for noun in nouns] + [(GATE, _("Answers of the contact gate"))], key=_words)


def _words(family: tuple[str, str]) -> str:
    return family[1].casefold()


def seen_by(user: Any) -> QuerySet[Account] | None:
    """The accounts whose events the user may see; none at all of it: everything, the desk's own events too."""
    return None if rights.sees_all_teams(user) else rights.visible_accounts(user)


def events_of(search: Search, *, known: Chain, seen: QuerySet[Account] | None) -> QuerySet[AccountEvent]:
    """The events that are looked for, in no order."""
    rows = AccountEvent.objects.annotate(account_ref=F("account__ref"))
    if search.kind == GATE:
        return rows.none()
    if seen is not None:
        rows = rows.filter(account__in=seen.values("pk"))
    if search.account_id is not None:
        rows = rows.filter(account=search.account_id)
    if search.actor:
        rows = rows.filter(_by(search.actor))
    if search.kind:
        rows = rows.filter(kind__in=_kinds(search.kind, known.kinds))
    if search.policy:
        rows = rows.filter(~Q(policy=""), policy__in=_versions(search.policy, known.policies))
    if search.rule:
        rows = rows.filter(_in(_naming(search.rule)))
    return _within(rows, search)


def decisions_of(search: Search, *, seen: QuerySet[Account] | None) -> QuerySet[GateDecision]:
    """What the gate said of it, where a rule or the gate is asked for."""
    rows = GateDecision.objects.annotate(account_ref=F("account__ref"))
    if search.policy or not (search.rule or search.kind == GATE) or search.kind not in ("", GATE):
        return rows.none()
    if seen is not None:
        rows = rows.filter(account__in=seen.values("pk"))
    if search.account_id is not None:
        rows = rows.filter(account=search.account_id)
    if search.actor:
        rows = rows.filter(_by(search.actor))
    if search.rule:
        rows = rows.filter(~Q(outcome="ALLOW"), rule_ids__contains=[search.rule])
    if search.first:
        rows = rows.filter(at__gte=_midnight(search.first))
    if search.last and search.last < date.max:
        rows = rows.filter(at__lt=_midnight(search.last + timedelta(days=1)))
    return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))


def page(
    search: Search, *, known: Chain, seen: QuerySet[Account] | None, after: Cursor | None = None, size: int
) -> Page:
    """The next rows, newest business day first. At most three queries."""
    events = events_of(search, known=known, seen=seen)
    decisions = decisions_of(search, seen=seen)
    if after is not None:
        events = events.filter(on__lte=after.on).filter(_behind(after))
        if after.decision_id is not None:
            decisions = decisions.filter(pk__lt=after.decision_id)
    found = list(events.order_by("-on", "-pk")[: size + 1])
    said = list(decisions.order_by("-pk")[: size + 1])
    shown = _newest_first(found, said)[:size]
    seals = audit.seals_of([row.pk for row in shown if isinstance(row, AccountEvent)])
    lines = [line_of(row, seals) if isinstance(row, AccountEvent) else _answer_of(row) for row in shown]
    more = len(found) + len(said) > len(shown)
    return Page(lines, _last_of(shown, after) if more and shown else None)


def lines(search: Search, *, known: Chain, seen: QuerySet[Account] | None) -> Iterator[Line]:
    """All of them, a page after the other: the memory needed does not grow, and no snapshot is held open."""
    after: Cursor | None = None
    while True:
        found = page(search, known=known, seen=seen, after=after, size=AT_ONCE)
        yield from found.lines
        if found.after is None:
            return
        after = found.after


def line_of(event: AccountEvent, seals: dict[int, int]) -> Line:
    """An event with its account's reference as ``account_ref``."""
    account: str | None = event.account_ref  # type: ignore[attr-defined]
    return Line(
        key=f"e{event.pk}",
        number=event.pk,
        at=event.at,
        on=event.on,
        account=account or "",
        kind=event.kind,
        title=title_of(event.kind),
        actor=event.actor,
        doer=audit_words.doer(actor=event.actor, policy=event.policy, payload=event.payload),
        reason=audit_words.value_of(event.reason),
        facts=_facts(event.payload),
        rules=audit_words.rules_of(event.payload),
        payload=event.payload,
        tone=tone_of(event.kind),
        icon=icon_of(event.kind),
        seal=seals.get(event.pk),
    )


def _answer_of(decision: GateDecision) -> Line:
    """What the gate said, as a row among events; the chain does not cover it."""
    payload = {
        "outcome": decision.outcome,
        "rules": list(decision.rule_ids),
        "packs": list(decision.packs),
        "local_times": list(decision.local_times),
        "next_allowed_at": decision.next_allowed_at and decision.next_allowed_at.isoformat(),
        "override": decision.override_code,
        "override_reason": decision.override_reason,
        "overridden_by": decision.overridden_by,
    }
    allowed = decision.outcome in ("ALLOW", "WARN")
    return Line(
        key=f"g{decision.pk}",
        number=decision.pk,
        at=decision.at,
        on=calendar_date(at=decision.at),
        account=decision.account_ref,  # type: ignore[attr-defined]
        kind=GATE,
        title=_("The gate on: %(action)s") % {"action": within(of_code(decision.action))},
        actor=decision.actor,
        doer=audit_words.doer(actor=decision.actor, policy="", payload={}),
        reason=" ".join(decision.reasons),
        facts=_facts(payload),
        rules=list(decision.rule_ids),
        payload=payload,
        tone="" if allowed else "warn",
        icon="shield",
        seal=None,
        sealable=False,
    )


def _facts(payload: dict[str, Any]) -> list[tuple[str, str]]:
    """What a row has no column for."""
    return audit_words.facts({name: value for name, value in payload.items() if name not in ("rules", "step")})


def _by(actor: str) -> Q:
    if actor.endswith(":"):
        return Q(actor__startswith=actor)
    return Q(actor=actor) if ":" in actor else Q(actor__in=[actor, f"agent:{actor}", f"desk:{actor}"])


def _kinds(wanted: str, kinds: Sequence[str]) -> list[str]:
    """Those of the kinds that are about it, or begin with it."""
    about = [kind for kind in kinds if audit_words.about(kind) == wanted]
    return about or [kind for kind in kinds if kind.startswith(wanted)]


def _versions(wanted: str, policies: Sequence[str]) -> list[str]:
    return [wanted] if "@" in wanted else [policy for policy in policies if policy.partition("@")[0] == wanted]


def _naming(rule: str) -> QuerySet[AccountEvent]:
    named = Q(payload__contains={"rules": [rule]}) | Q(payload__contains={"gate": {"rules": [rule]}})
    return AccountEvent.objects.filter(named, payload__has_any_keys=_NAMES_RULES)


class _OneOf(Func):
    """That the key is in an array."""

    template = "(%(expressions)s))"
    arg_joiner = " = ANY ("
    output_field = BooleanField()


def _in(rows: QuerySet[AccountEvent]) -> Func:
    """Of those rows, which the database is to find first: how rare they are it cannot guess."""
    return _OneOf(F("pk"), ArraySubquery(rows.order_by().values("pk")))


def _within(rows: QuerySet[AccountEvent], search: Search) -> QuerySet[AccountEvent]:
    if search.first:
        rows = rows.filter(on__gte=search.first)
    if search.last:
        rows = rows.filter(on__lte=search.last)
    return rows


def _behind(after: Cursor) -> RawSQL:
    """Older than that row, as one comparison: then the index is entered where the page begins."""
    return RawSQL(
        '("accounts_accountevent"."on", "accounts_accountevent"."id") < (%s, %s)',
        [after.on, after.event_id],
        output_field=BooleanField(),
    )


def _newest_first(events: Sequence[AccountEvent], decisions: Sequence[GateDecision]) -> list[Row]:
    """Both lists as one; each keeps its own order, whatever the moments in it say."""
    merged: list[Row] = []
    left: list[Row] = list(reversed(events))
    right: list[Row] = list(reversed(decisions))
    while left or right:
        newer = left if not right or (left and left[-1].at >= right[-1].at) else right
        merged.append(newer.pop())
    return merged


def _last_of(shown: Sequence[Row], after: Cursor | None) -> Cursor:
    """Where both lists go on."""
    event = next((row for row in reversed(shown) if isinstance(row, AccountEvent)), None)
    decision = next((row for row in reversed(shown) if isinstance(row, GateDecision)), None)
    before = after or Cursor(*_TOP)
    return Cursor(
        event.on if event else before.on,
        event.pk if event else before.event_id,
        decision.pk if decision else before.decision_id,
    )
