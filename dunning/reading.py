"""The facts that decisions rest on, read for a chunk of accounts with a constant number of queries.

The day's run, the last look before something leaves the house and the account page all read here, so none of them can
see an account differently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts import at_once
from accounts.at_once import AS_IS, DAY, MOMENT, Question
from dunning import workdays
from dunning.holding import Effects, HoldFact, is_account_wide
from dunning.policy import RUNGS, CaseFacts, Done, JudgedBill, PolicyRules, ServiceFact, Traits, WarningFact

#: What each channel needs to reach somebody.
NEEDS = {"sms": "phone", "call": "phone", "voice": "phone", "email": "email", "letter": "address"}


class CaseRow(NamedTuple):
    pk: int
    version_id: int
    opened_on: date
    stage: str
    last_step_on: date | None
    next_on: date | None
    warnings_from: date
    re_entered_at: str = ""


class PastDueBill(NamedTuple):
    ref: str
    due_on: date
    open_amount: int
    disputed_amount: int
    left_at_exit: int | None


@dataclass(slots=True)
class AccountFacts:
    """One account (the payer) as of a day; amounts in thousandths."""

    pk: int
    ref: str
    status: str
    currency: str
    customer_id: int
    language: str
    timezone: str
    country: str
    region: str
    traits: Traits
    taken_over_stage: str
    taken_over_warned_on: date | None
    opened_on: date | None
    #: Phone, e-mail and address as billing has them.
    on_file: tuple[str, str, str]
    #: What reaches the customer, by kind of contact point: phone, email, address.
    contact: dict[str, str] = field(default_factory=dict)
    refused_channels: set[str] = field(default_factory=set)
    past_due: list[PastDueBill] = field(default_factory=list)
    holds: list[HoldFact] = field(default_factory=list)
    case: CaseRow | None = None
    #: Of any case of the account, closed ones too: the gap between steps is the account's.
    last_step_on: date | None = None
    done: dict[str, Done] = field(default_factory=dict)
    warnings: dict[str, WarningFact] = field(default_factory=dict)
    services: list[ServiceFact] = field(default_factory=list)
    child_services: list[ServiceFact] = field(default_factory=list)

    @property
    def past_due_amount(self) -> int:
        """Past due, contested and covered amounts included: what exit is judged on."""
        return sum(bill.open_amount for bill in self.past_due)

    def copy(self) -> AccountFacts:
        """One that goes its own way: what it holds is its own."""
        return replace(
            self,
            past_due=list(self.past_due),
            done=dict(self.done),
            warnings=dict(self.warnings),
            services=list(self.services),
            child_services=list(self.child_services),
        )

    def reachable(self) -> frozenset[str]:
        """Channels on which somebody can be told something; the app always can."""
        channels = {channel for channel, kind in NEEDS.items() if self.contact.get(kind)}
        return frozenset((channels | {"in_app"}) - self.refused_channels)

    def covered(self, as_of: date) -> set[str]:
        """Bills under a promise or a plan."""
        return {
            ref for hold in self.holds if hold.covers(as_of) and not is_account_wide(hold) for ref in hold.bill_refs
        }

    def judged(self, as_of: date) -> tuple[JudgedBill, ...]:
        """Past-due bills less what is contested, without those under a promise or plan."""
        covered = self.covered(as_of)
        return tuple(
            JudgedBill(
                bill.ref,
                bill.due_on,
                bill.open_amount - bill.disputed_amount,
                bill.left_at_exit is None or bill.open_amount > bill.left_at_exit,
            )
            for bill in self.past_due
            if bill.open_amount > bill.disputed_amount and bill.ref not in covered
        )

    def case_facts(self, rules: PolicyRules, as_of: date) -> CaseFacts:
        """What the pure decision needs, under those rules."""
        markets = self.markets(rules)
        return CaseFacts(
            as_of=as_of,
            currency=self.currency,
            traits=self.traits,
            bills=self.judged(as_of),
            holds=tuple(self.holds),
            services=tuple(self.services + self.child_services if rules.limits_children else self.services),
            reachable=self.reachable(),
            done=self.done,
            last_step_on=self.last_step_on,
            warnings=self.warnings,
            warnings_from=self.case.warnings_from if self.case else date.min,
            re_entered_at=self.case.re_entered_at if self.case else "",
            working_day=self.is_working_day(as_of, rules),
            counted_in=markets[0] if rules.counts_working_days else None,
        )

    def is_working_day(self, day: date, rules: PolicyRules) -> bool:
        """Whether what hurts may be done on that day, in every market that has a say."""
        return all(workdays.is_working_day(day, country=land, region=region) for land, region in self.markets(rules))

    def markets(self, rules: PolicyRules) -> list[tuple[str, str]]:
        """Where a day must be a working day for what hurts: at the service, and where the policy says.

        One without the other is not enough: where the service is, the customer must be able to reach somebody; where
        the policy is, somebody must be there to give it back.
        """
        policys = (rules.country, rules.region)
        own = (self.country, self.region)
        if not rules.country:
            return [own]
        return [policys] if not self.country or self.country == rules.country else [policys, own]


#: Whom and what the questions are about, where the rows asked before have told it, and where they have not.
_TOLD = {"customers": "ANY(%(customers)s)", "cases": "ANY(%(cases)s)"}
_OPEN = "account_id = ANY(%(ids)s) AND closed_on IS NULL"
_UNTOLD = {
    "customers": "ANY(ARRAY(SELECT customer_id FROM accounts_account WHERE id = ANY(%(ids)s)))",
    "cases": f"ANY(ARRAY(SELECT id FROM dunning_case WHERE {_OPEN}))",
}

_ACCOUNTS = """
    SELECT a.id, a.ref, a.status, a.currency, a.customer_id, c.language, c.timezone, c.country, c.region,
           c.kind, a.product, a.segment, a.opened_on, a.taken_over_stage, a.taken_over_warned_on,
           c.phone, c.email, c.address
      FROM accounts_account a JOIN accounts_customer c ON c.id = a.customer_id
     WHERE a.id = ANY(%(ids)s) ORDER BY a.id
"""
#: A child without ``pays_itself`` pays through its parent: its bills are judged there.
_BILLS = """
    SELECT x.payer, b.ref, b.due_on, (b.open_amount * 1000)::bigint, (b.disputed_amount * 1000)::bigint,
           (b.left_at_exit * 1000)::bigint
      FROM (SELECT id, id AS payer FROM accounts_account WHERE id = ANY(%(ids)s)
            UNION ALL SELECT id, parent_id FROM accounts_account WHERE parent_id = ANY(%(ids)s) AND NOT pays_itself) x
      JOIN accounts_bill b ON b.account_id = x.id
     WHERE b.open_amount > 0 AND b.due_on < %(horizon)s
     ORDER BY x.payer, b.due_on, b.ref
"""
_HOLD_RULES = "SELECT reason, stops, stops_clock FROM dunning_holdrule WHERE reason <> 'manual'"
_HOLDS = """
    SELECT account_id, id, reason, starts_on, least(ends_on, lifted_on - 1), bill_refs, stops, stops_clock
      FROM accounts_hold WHERE account_id = ANY(%(ids)s) AND starts_on <= %(horizon)s
       AND (lifted_on IS NULL OR lifted_on > starts_on) AND reason <> 'dispute'
     ORDER BY account_id, starts_on, id
"""
_CASES = f"""
    SELECT account_id, id, version_id, opened_on, stage, last_step_on, next_on, warnings_from,
           re_entered_at
      FROM dunning_case WHERE {_OPEN}
"""
_LAST_STEPS = """
    SELECT account_id, max(last_step_on) FROM dunning_case
     WHERE account_id = ANY(%(ids)s) AND last_step_on IS NOT NULL GROUP BY account_id
"""
_STEPS = """
    SELECT DISTINCT ON (s.account_id, s.code)
           s.account_id, s.code, s.repeat, s.result, s.came_on, s.done_on, s.undone_on, s.escalated_on
      FROM dunning_casestep s WHERE s.case_id = {cases}
     ORDER BY s.account_id, s.code, s.repeat DESC
"""
_WARNINGS = """
    SELECT account_id, step_code, made_on, state, coalesce(delivered_at, counts_from), pay_by, bill_refs
      FROM dunning_notice WHERE case_id = {cases} ORDER BY id
"""
#: A limited service whose restore is on its way is no longer limited: what limits it again is something new.
_SERVICES = """
    SELECT s.account_id, a.parent_id, s.id,
           CASE WHEN s.status NOT IN ('active', 'disconnected') AND (
                SELECT o.kind = 'restore' AND o.state IN ('pending', 'handing_over', 'sent') FROM dunning_serviceorder o
                 WHERE o.service_id = s.id AND o.state NOT IN ('withdrawn', 'failed') ORDER BY o.id DESC LIMIT 1)
           THEN 'active' ELSE s.status END, s.protected, c.country
      FROM accounts_service s JOIN accounts_account a ON a.id = s.account_id
      JOIN accounts_customer c ON c.id = a.customer_id
     WHERE a.id = ANY(%(ids)s) OR (a.parent_id = ANY(%(ids)s) AND NOT a.pays_itself)
     ORDER BY s.id
"""
_CONTACTS = """
    SELECT customer_id, kind, value FROM accounts_contactpoint
     WHERE customer_id = {customers}
       AND (valid_from IS NULL OR valid_from <= %(as_of)s) AND (valid_to IS NULL OR valid_to >= %(as_of)s)
     ORDER BY customer_id, preferred DESC, id
"""
_CONSENTS = """
    SELECT DISTINCT ON (customer_id, channel) customer_id, channel, given FROM accounts_consent
     WHERE customer_id = {customers} AND at < %(close)s AND purpose = 'service' AND value = ''
     ORDER BY customer_id, channel, at DESC
"""
_UNREACHABLE = """
    SELECT kind, value FROM accounts_unreachableaddress WHERE (kind, value) IN
           (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[]))
"""
_UNREACHABLE_UNTOLD = """
    SELECT u.kind, u.value FROM accounts_unreachableaddress u JOIN (
           SELECT kind, value FROM accounts_contactpoint WHERE customer_id = {customers}
           UNION SELECT own.kind, own.value FROM accounts_customer c,
                 LATERAL (VALUES ('phone', c.phone), ('email', c.email), ('address', c.address)) AS own(kind, value)
            WHERE c.id = {customers}) offered ON offered.kind = u.kind AND offered.value = u.value
"""
_QUESTIONS = {
    "accounts": Question(_ACCOUNTS, [AS_IS] * 12 + [DAY, AS_IS, DAY] + [AS_IS] * 3),
    "bills": Question(_BILLS, [AS_IS, AS_IS, DAY, AS_IS, AS_IS, AS_IS]),
    "hold_rules": Question(_HOLD_RULES, [AS_IS] * 3),
    "holds": Question(_HOLDS, [AS_IS, AS_IS, AS_IS, DAY, DAY, AS_IS, AS_IS, AS_IS]),
    "cases": Question(_CASES, [AS_IS, AS_IS, AS_IS, DAY, AS_IS, DAY, DAY, DAY, AS_IS]),
    "last_steps": Question(_LAST_STEPS, [AS_IS, DAY]),
    "services": Question(_SERVICES, [AS_IS] * 6),
    "contacts": Question(_CONTACTS, [AS_IS] * 3),
    "consents": Question(_CONSENTS, [AS_IS] * 3),
    "unreachable": Question(_UNREACHABLE, [AS_IS] * 2),
    "steps": Question(_STEPS, [AS_IS] * 4 + [DAY] * 4),
    "warnings": Question(_WARNINGS, [AS_IS, AS_IS, DAY, AS_IS, MOMENT, DAY, AS_IS]),
}
#: What exit is judged on.
_IN_SHORT = ("accounts", "bills", "hold_rules", "holds", "cases")
_ONE_BY_ONE = {name: question.sql.format(**_TOLD) for name, question in _QUESTIONS.items()}
_AT_ONCE = {
    name: question._replace(sql=(_UNREACHABLE_UNTOLD if name == "unreachable" else question.sql).format(**_UNTOLD))
    for name, question in _QUESTIONS.items()
}
#: So few accounts are read with one question instead of one for each kind of fact.
FEW = 8
_REACH_CHANGES = """
    SELECT day, array_agg(DISTINCT customer_id) FROM (
        SELECT customer_id, valid_from AS day FROM accounts_contactpoint
        UNION ALL SELECT customer_id, valid_to + 1 FROM accounts_contactpoint
        UNION ALL SELECT customer_id, (at AT TIME ZONE %(zone)s)::date FROM accounts_consent
    ) changes
     WHERE customer_id = ANY(%(customers)s) AND day > %(after)s AND day <= %(until)s
     GROUP BY day ORDER BY day
"""


def read(
    account_ids: Sequence[int],
    *,
    as_of: date,
    in_full: bool = True,
    until: date | None = None,
    holds_end: Mapping[int, date] | None = None,
) -> dict[int, AccountFacts]:
    """The facts of those accounts, in order of their keys: one query for a few, at most thirteen for any number.

    Not ``in_full``: without services, addresses and history, which exit does not ask for. With ``until``: also the
    bills that fall due and the holds that begin up to that day; with ``holds_end``: holds that end then at the latest.
    """
    found: dict[int, AccountFacts] = {}
    with connection.cursor() as cursor:
        ask = _asker(cursor, account_ids, in_full=in_full, as_of=as_of, horizon=until or as_of)
        for row in ask("accounts"):
            (pk, ref, status, currency, customer, language, zone, country, region) = row[:9]
            kind, product, segment, opened_on, stage, warned_on = row[9:15]
            tenure = (as_of - opened_on).days if opened_on else 0
            traits = Traits(kind, product, segment, tenure)
            who = (pk, ref, status, currency, customer, language, zone, country, region)
            phone, email, address = row[15:]
            found[pk] = AccountFacts(*who, traits, stage, warned_on, opened_on, (phone, email, address))
        for payer, *bill in ask("bills"):
            found[payer].past_due.append(PastDueBill(*bill))
        matrix = {reason: Effects(frozenset(stops), clock) for reason, stops, clock in ask("hold_rules")}
        for pk, hold, reason, starts_on, ends_on, refs, ticked, clock in ask("holds"):
            if holds_end and (first_free := holds_end.get(hold)) is not None:
                ends_on = min(ends_on or date.max, first_free - timedelta(days=1))
            found[pk].holds.append(
                HoldFact(reason, starts_on, ends_on, tuple(refs), tuple(ticked), clock, matrix.get(reason))
            )
        for pk, *case in ask("cases"):
            found[pk].case = CaseRow(*case)
        if not in_full:
            return found
        for pk, on in ask("last_steps"):
            found[pk].last_step_on = on
        for pk, parent, service, status, protected, country in ask("services"):
            fact = ServiceFact(service, RUNGS.index(status), protected, lowest_rung(country))
            if pk in found:
                found[pk].services.append(fact)
            if parent in found:
                found[parent].child_services.append(fact)
        _read_contacts(ask, found)
        if cases := [facts.case.pk for facts in found.values() if facts.case]:
            _read_history(ask, found, cases, as_of)
    return found


class Ask(Protocol):
    """Gives the rows of a question; ``known`` is what the rows before have told."""

    def __call__(self, name: str, **known: Any) -> Iterable[Sequence[Any]]: ...


def _asker(cursor: CursorWrapper, account_ids: Sequence[int], *, in_full: bool, as_of: date, horizon: date) -> Ask:
    """All questions at once for a few accounts, else each when it is its turn."""
    given: dict[str, Any] = {"ids": list(account_ids), "as_of": as_of, "horizon": horizon, "close": end_of(as_of)}
    if len(given["ids"]) <= FEW:
        wanted = _AT_ONCE if in_full else {name: _AT_ONCE[name] for name in _IN_SHORT}
        answers = at_once.tuples(cursor, wanted, given)
        return lambda name, **known: answers[name]
    return _one_by_one(cursor, given)


def _one_by_one(cursor: CursorWrapper, given: Mapping[str, Any]) -> Ask:
    def ask(name: str, **known: Any) -> Iterable[Sequence[Any]]:
        cursor.execute(_ONE_BY_ONE[name], {**given, **known})
        return cursor

    return ask


def _read_history(ask: Ask, found: dict[int, AccountFacts], cases: list[int], as_of: date) -> None:
    for pk, code, repeat, result, came_on, done_on, undone_on, escalated_on in ask("steps", cases=cases):
        if undone_on is not None:
            found[pk].done[code] = Done(repeat + 1, False, None, False, "")
        else:
            waiting_since = None if done_on else came_on
            found[pk].done[code] = Done(repeat, done_on is not None, waiting_since, escalated_on is not None, result)
    close = end_of(as_of)
    for pk, code, made_on, state, counts_at, pay_by, refs in ask("warnings", cases=cases):
        delivered = state in ("sent", "delivered") and counts_at is not None and counts_at <= close
        fact = WarningFact(
            made_on,
            on_its_way=not delivered and state in ("pending", "handing_over", "sent", "doubtful"),
            delivered_on=local_date(counts_at) if delivered else None,
            pay_by=pay_by,
            bill_refs=frozenset(refs),
        )
        before = found[pk].warnings.get(code)
        same_sending = before is not None and before.made_on == made_on
        found[pk].warnings[code] = _together(before, fact) if before and same_sending else fact


def _together(one: WarningFact, other: WarningFact) -> WarningFact:
    """One sending on several channels: one that reached the customer is enough, the latest date named is kept."""
    if other.delivered_on is None or (one.delivered_on is not None and one.delivered_on <= other.delivered_on):
        first, second = one, other
    else:
        first, second = other, one
    told = [fact for fact in (one, other) if fact.delivered_on is not None or fact.on_its_way]
    reached = [fact for fact in told if fact.delivered_on is not None] or told or [first, second]
    return WarningFact(
        first.made_on,
        on_its_way=first.delivered_on is None and bool(told),
        delivered_on=first.delivered_on,
        pay_by=max((fact.pay_by for fact in told if fact.pay_by is not None), default=None),
        bill_refs=frozenset().union(*(fact.bill_refs for fact in reached)),
    )


class Reach(NamedTuple):
    """What reaches a customer, by kind of contact point, and the channels that were refused."""

    contact: dict[str, str]
    refused: set[str]


def changes_of_reach(found: Mapping[int, AccountFacts], *, after: date, until: date) -> dict[date, dict[int, Reach]]:
    """How their customers are reached from each day in ``(after, until]`` on which that changes, by account.

    One query where nothing does, three more for each day on which something does.
    """
    accounts: dict[int, list[AccountFacts]] = defaultdict(list)
    for facts in found.values():
        accounts[facts.customer_id].append(facts)
    changes: dict[date, dict[int, Reach]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _REACH_CHANGES,
            {"customers": list(accounts), "after": after, "until": until, "zone": settings.DESK_TIME_ZONE},
        )
        for day, customers in cursor.fetchall():
            then = {facts.pk: replace(facts, contact={}) for customer in customers for facts in accounts[customer]}
            _read_contacts(_one_by_one(cursor, {"as_of": day, "close": end_of(day)}), then)
            changes[day] = {pk: Reach(facts.contact, facts.refused_channels) for pk, facts in then.items()}
    return changes


def _read_contacts(ask: Ask, found: Mapping[int, AccountFacts]) -> None:
    customers = list({facts.customer_id for facts in found.values()})
    points: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for customer, kind, value in ask("contacts", customers=customers):
        points[customer].append((kind, value))
    refused: dict[int, set[str]] = defaultdict(set)
    for customer, channel, given in ask("consents", customers=customers):
        if not given:
            refused[customer].add(channel)
    offered: dict[int, list[tuple[str, str]]] = {}
    for pk, facts in found.items():
        own = zip(("phone", "email", "address"), facts.on_file, strict=True)
        offered[pk] = points[facts.customer_id] + [(kind, value) for kind, value in own if value]
        facts.refused_channels = refused[facts.customer_id]
    bad = _unreachable({entry for entries in offered.values() for entry in entries}, ask)
    for pk, entries in offered.items():
        for kind, value in entries:
            if (kind, value) not in bad:
                found[pk].contact.setdefault(kind, value)


def unreachable(entries: Collection[tuple[str, str]], cursor: CursorWrapper) -> set[tuple[str, str]]:
    """Those of the (kind, value) pairs that bounced before."""
    return _unreachable(entries, _one_by_one(cursor, {}))


def _unreachable(entries: Collection[tuple[str, str]], ask: Ask) -> set[tuple[str, str]]:
    kinds, values = [kind for kind, _ in entries], [value for _, value in entries]
    return {(kind, value) for kind, value in ask("unreachable", kinds=kinds, values=values)}


def lowest_rung(country: str) -> int:
    """How far down a protected service of that country may go (``DESK_PROTECTED_RUNGS``); not at all by default."""
    rungs: dict[str, str] = settings.DESK_PROTECTED_RUNGS
    return RUNGS.index(rungs.get(country) or rungs.get("*") or RUNGS[0])


def operator_zone() -> ZoneInfo:
    """The zone whose midnight turns the business date."""
    return ZoneInfo(settings.DESK_TIME_ZONE)


def local_date(at: datetime) -> date:
    """The operator's date of a moment."""
    return at.astimezone(operator_zone()).date()


def due_from(day: date, at: datetime) -> datetime:
    """From when what a business date asks for may leave: its beginning, or ``at`` where the run came before that."""
    return min(at, beginning_of(day))


def beginning_of(day: date) -> datetime:
    """The first moment of a business date."""
    return datetime.combine(day, time(), tzinfo=operator_zone()).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The last moment of a business date."""
    return beginning_of(day + timedelta(days=1)) - timedelta(microseconds=1)
