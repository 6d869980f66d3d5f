"""What was suggested on an account, what its agent made of it, and what came of that.

The account's page hands over what it has read already (``lists``, ``facts_from``); one row is kept for each visit, not
for each look at the page. What came in after is counted from the payments, beside what was declined.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy

from accounts import events
from accounts.models import Account, AccountStatus, Hold
from accounts.money import from_mills
from accounts.position import bucket_of
from accounts.refusals import Refused
from agents import act_effects, authority, chances, kinds, priority, rights, suggesting
from agents.chances import CallFacts, Effect
from agents.models import ActEffect, Agent, CallEffect, Interaction, Plan, Promise, Suggestion, WorkItem
from agents.suggesting import Candidate, Facts
from agents.undertakings import RUNNING_EXTENSIONS, RUNNING_SETTLEMENTS
from dunning import best_moment, contact, understanding
from dunning.best_moment import Count
from dunning.gate.decision import Decision
from dunning.models import InboundMessage

#: From dialling to the outcome, where ``DESK_CHANNEL_COSTS`` says nothing of calls.
CALL_COSTS = Decimal("2.50")

#: What comes in within so many days is put beside the answer.
WITHIN = timedelta(days=14)

#: What the acts are called on the screen.
LABELS = {
    suggesting.SPECIALIST: gettext_lazy("Hand to a specialist"),
    suggesting.HARDSHIP: gettext_lazy("Offer the hardship programme"),
    suggesting.DISPUTE: gettext_lazy("Look into the dispute"),
    suggesting.WAIT: gettext_lazy("Wait"),
    suggesting.EXTENSION: gettext_lazy("Offer more time"),
    suggesting.INSTALMENTS: gettext_lazy("Offer instalments"),
    suggesting.PROMISE: gettext_lazy("Ask for a promise"),
    suggesting.LINK: gettext_lazy("Send the payment link"),
    suggesting.CALL_NOW: gettext_lazy("Call now"),
    suggesting.CALL_LATER: gettext_lazy("Call later"),
    suggesting.LETTER: gettext_lazy("Write a letter, check the address"),
    suggesting.SETTLEMENT: gettext_lazy("Offer a settlement"),
    suggesting.GIVE_UP: gettext_lazy("Propose an agency or a write-off"),
}
DECLINED = {
    "asked_otherwise": gettext_lazy("They asked for something else"),
    "done_already": gettext_lazy("Done already"),
    "too_much": gettext_lazy("More than they can pay"),
    "not_now": gettext_lazy("Not the moment"),
    "disagree": gettext_lazy("I see it otherwise"),
}

_UNTOUCHABLE = {
    Hold.Reason.BANKRUPTCY: "A bankruptcy",
    Hold.Reason.DECEASED: "A death",
    Hold.Reason.LEGAL: "A legal matter",
    Hold.Reason.FRAUD: "A suspicion of fraud",
    Hold.Reason.BREATHING_SPACE: "A breathing space",
}
#: Who speaks for somebody so that nobody else is spoken to.
_SPEAKS = frozenset({"attorney", "debt_adviser"})


class CannotAnswer(Refused):
    """There is no such suggestion of this person's, or it was answered already."""

    code = "conflict"


# What is known --------------------------------------------------------------------------------------------------------


def lists(account: Account, agent: Agent) -> dict[str, Any]:
    """What a suggestion rests on beside what the page shows, to be read with its other lists."""
    return {
        "call_effects": CallEffect.objects.order_by("band"),
        "act_effects": ActEffect.objects.order_by("act", "band"),
        "habits": account.customer.habits.filter(channel="call").order_by("hour"),
        "suggested": account.suggestions.filter(agent=agent).order_by("-made_at", "-pk")[:1],
        "more_time": account.extensions.filter(status__in=RUNNING_EXTENSIONS).order_by("-until")[:1],
        "offered": account.settlements.filter(status__in=RUNNING_SETTLEMENTS).order_by("-pay_by")[:1],
    }


@dataclass(frozen=True, slots=True)
class Read:
    """What the page has read: its lists, what decisions rest on, and what the gate said."""

    account: Account
    agent: Agent
    lists: Mapping[str, Sequence[Any]]
    gate: contact.Gate
    call: Decision
    phones: int
    verified: bool
    zone: ZoneInfo | None
    as_of: date
    at: datetime


def facts_from(read: Read) -> Facts:
    """What the suggestion rests on. No query."""
    account, as_of = read.account, read.as_of
    fact = read.gate.facts[account.pk]
    known = read.gate.known[account.customer_id]
    here = read.at.astimezone(read.zone or ZoneInfo(settings.DESK_TIME_ZONE))
    holds = {hold.reason: hold for hold in read.lists["holds"]}
    days = max((as_of - account.oldest_due_on).days, 0) if account.oldest_due_on else 0
    promises: Sequence[Promise] = read.lists["promises"]
    kept = sum(row.status == Promise.Status.KEPT for row in promises)
    broken = sum(row.status == Promise.Status.BROKEN for row in promises)
    promise = next((row for row in promises if row.status == Promise.Status.OPEN), None)
    bucket = bucket_of(days)
    best = _best_hour(read, here)
    needs = frozenset(care.severity for care in known.care)
    in_flight = holds.get(Hold.Reason.PAYMENT_IN_FLIGHT)
    untouchable = next((words for reason, words in _UNTOUCHABLE.items() if reason in holds), "")
    services = [row for row in read.lists["services"] if row.status != "disconnected"]
    messages: Sequence[InboundMessage] = read.lists["inbound"]
    extension = next(iter(read.lists["more_time"]), None)
    offered = next(iter(read.lists["offered"]), None)
    contested = [row for row in read.lists["disputes"] if row.resolved_on is None]
    next_from = read.call.next_allowed_at
    return Facts(
        as_of=as_of,
        at=here,
        currency=account.currency,
        overdue=from_mills(sum(bill.amount for bill in fact.judged(as_of))),
        disputed=account.disputed,
        days_past_due=days,
        bucket=bucket,
        monthly_fee=sum((row.monthly_fee or Decimal(0) for row in services), Decimal(0)),
        may_call=read.call.is_allowed,
        call_from=next_from.astimezone(here.tzinfo) if next_from else None,
        call_because=read.call.reasons[0] if read.call.reasons else "",
        phones=read.phones,
        channels=frozenset(fact.reachable() & {"sms", "email", "letter"}),
        on_the_line=read.verified,
        chance=_chance(read, bucket, kept, broken),
        best_hour=best.hour if best else None,
        best_rate=best.rate if best else 0.0,
        rate_now=_rate_at(read, here.hour) if best else 0.0,
        best_why=best.why if best else "",
        hour_now=here.hour,
        unanswered=_unanswered(_calls(read)),
        promises_kept=kept,
        promises_broken=broken,
        promise=(promise.amount - promise.paid, promise.due_on) if promise else None,
        next_instalment=_next_instalment(read),
        extended_until=extension.until if extension else None,
        settles_by=offered.pay_by if offered else None,
        in_flight_until=(in_flight.ends_on or as_of) if in_flight else None,
        care=needs,
        crisis=any(understanding.CRISIS in row.hints and row.state in ("new", "waiting") for row in messages),
        in_hardship=Hold.Reason.HARDSHIP in holds,
        untouchable=untouchable,
        represented=any(person.role in _SPEAKS for person in known.represented_by),
        decide_by=min((row.decide_by for row in contested if row.decide_by), default=None),
        is_placed=account.status == AccountStatus.AGENCY,
        has_case=fact.case is not None,
        may_let_go=_may_let_go(read, days),
        effects=act_effects.shares(read.lists["act_effects"]),
        costs=costs_in(account.currency),
    )


def costs_in(currency: str) -> dict[str, Decimal]:
    """What a call and a message cost, in that currency; in another one than the desk's, by orders of magnitude."""
    rate = Decimal(priority.units_per_euro(currency)) / Decimal(priority.units_per_euro(settings.DESK_COST_CURRENCY))
    costs = {channel: Decimal(cost) * rate for channel, cost in settings.DESK_CHANNEL_COSTS.items()}
    per_call = costs.get("call", CALL_COSTS * rate)
    return {**costs, suggesting.CALL_NOW: per_call, suggesting.DISPUTE: per_call * 4}


def _chance(read: Read, bucket: str, kept: int, broken: int) -> chances.Chance | None:
    counted = chances.counted({row.band: Effect(row.calls, row.helped) for row in read.lists["call_effects"]})
    reached = any(row.right_party and row.undone_at is None for row in read.lists["talks"])
    return chances.chance(CallFacts(bucket, reached, kept, broken, counted))


def _best_hour(read: Read, here: datetime) -> best_moment.Moment | None:
    if read.zone is None:
        return None
    hours = [hour for hour in contact_hours() if hour != here.hour]
    return best_moment.best(_counts(read), {}, allowed_hours=hours, channels=["call"])


def _rate_at(read: Read, hour: int) -> float:
    [rate] = best_moment.rates(_counts(read), {}, channel="call", hours=[hour])
    return rate.rate


def _counts(read: Read) -> list[Count]:
    return [Count(row.channel, row.hour, row.tries, row.answers) for row in read.lists["habits"]]


def contact_hours() -> range:
    """The hours in which a call may be put off to: by day, whatever the packs allow beyond."""
    return range(9, 20)


def _calls(read: Read) -> list[Interaction]:
    """The latest calls, the newest first; what was undone was none."""
    return [row for row in read.lists["talks"] if row.kind == Interaction.Kind.CALL and row.undone_at is None]


def _unanswered(calls: Sequence[Interaction]) -> int:
    """Calls in a row, the newest first, in which nobody was reached."""
    count = 0
    for row in calls:
        if row.right_party or row.direction == Interaction.Direction.INBOUND:
            break
        count += 1
    return count


def _next_instalment(read: Read) -> tuple[Decimal, date] | None:
    running = {row.pk for row in read.lists["plans"] if row.status == Plan.Status.ACTIVE}
    waiting = [part for part in read.lists["instalments"] if part.plan_id in running and part.paid_on is None]
    first = min(waiting, key=lambda part: part.due_on, default=None)
    return (first.amount - first.paid, first.due_on) if first else None


def _may_let_go(read: Read, days: int) -> Decimal:
    """Percent of the debt that this person may let go of alone."""
    allowed = read.gate.packs.packs["SET"].rule("SET-01").params.authority
    own = next((may for may in allowed if may.role == authority.settles_as(read.agent)), None)
    owed = read.account.overdue
    if own is None or days < own.least_dpd or owed <= 0:
        return Decimal(0)
    percent = Decimal(own.max_pct)
    if own.max_amount is not None:
        percent = min(percent, (100 * own.max_amount / owed).quantize(Decimal(1), rounding="ROUND_DOWN"))
    return percent


# One a visit ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """The card: the row of this visit, what it says now, and what else was open."""

    row: Suggestion
    candidate: Candidate
    others: Sequence[Candidate]

    @property
    def title(self) -> str:
        return str(LABELS[self.row.action])

    @property
    def is_open(self) -> bool:
        return not self.row.answer

    @property
    def because(self) -> str:
        """Why it was declined, in words."""
        return str(DECLINED.get(self.row.declined_because, ""))

    @property
    def why(self) -> Sequence[tuple[str, Any]]:
        """The reasons for which it may be declined."""
        return list(DECLINED.items())

    @property
    def reasons(self) -> Sequence[suggesting.Reason]:
        return self.candidate.reasons


def suggestion_of(read: Read, item: WorkItem | None) -> Shown | None:
    """The suggestion of this visit; none where the account is not this agent's. One statement on a visit's first look.

    A visit lasts as long as the claim. An answered suggestion stays as it was answered; one that was not follows the
    facts.
    """
    if item is None or item.claimed_by_id != read.agent.pk or item.claimed_at is None:
        return None
    first, *others = suggesting.candidates(facts_from(read))
    row: Suggestion | None = next(iter(read.lists["suggested"]), None)
    if row is None or row.made_at < item.claimed_at:
        row = Suggestion.objects.create(
            account=read.account,
            agent=read.agent,
            action=first.action,
            reasons=_written(first),
            expected=max(first.expected, Decimal(0)),
            currency=read.account.currency,
            made_at=read.at,
        )
    elif not row.answer and (row.action != first.action or row.reasons != _written(first)):
        row.action, row.reasons = first.action, _written(first)
        row.expected = max(first.expected, Decimal(0))
        row.save(update_fields=["action", "reasons", "expected"])
    elif row.answer:
        every = [first, *others]
        first = next((one for one in every if one.action == row.action), _as_written(row))
        others = [one for one in every if one.action != row.action]
    return Shown(row, first, others[:3])


def answer(
    *, suggestion_id: int, agent: Agent, accepted: bool, as_of: date, at: datetime, because: str = ""
) -> Suggestion:
    """Keep what the agent made of it; ``because`` is a code of ``DECLINED``. Raises ``CannotAnswer``.

    The same answer again is the same; a reason may come after the answer.
    """
    if because and because not in DECLINED:
        raise CannotAnswer("There is no such reason.", code="invalid")
    wanted = Suggestion.Answer.ACCEPTED if accepted else Suggestion.Answer.DECLINED
    with transaction.atomic():
        row = Suggestion.objects.select_for_update().filter(pk=suggestion_id, agent=agent).first()
        if row is None:
            raise CannotAnswer("There is no such suggestion.", code="not_found")
        if row.answer and row.answer != wanted:
            raise CannotAnswer(f"It was {row.get_answer_display().lower()} already.")
        if row.answer == wanted:
            if because and not row.declined_because:
                row.declined_because = because
                row.save(update_fields=["declined_because"])
            return row
        row.answer, row.answered_at, row.declined_because = wanted, at, because
        row.save(update_fields=["answer", "answered_at", "declined_because"])
        events.record(
            account_id=row.account_id,
            kind=kinds.SUGGESTION_ANSWERED,
            actor=rights.actor(agent),
            at=at,
            on=as_of,
            reason=f"{suggesting.TITLES[row.action]}: {row.get_answer_display().lower()}",
            payload={
                "suggestion": row.pk,
                "action": row.action,
                "answer": row.answer,
                "because": because,
                "expected": str(row.expected),
                "currency": row.currency,
            },
        )
    return row


def _written(candidate: Candidate) -> list[dict[str, str]]:
    return [{"name": one.name, "text": one.text, "value": str(one.value)} for one in candidate.reasons]


def _as_written(row: Suggestion) -> Candidate:
    reasons = tuple(suggesting.Reason(one["name"], one["text"], Decimal(one["value"])) for one in row.reasons)
    return Candidate(row.action, "", reasons)


# What came of it ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """The suggestions of an act that were answered in one way, and what came in within a fortnight of them.

    ``judged``: those of them whose fortnight is over; ``paid``: of how many something came in; ``brought``: how much.
    """

    count: int = 0
    judged: int = 0
    paid: int = 0
    brought: Decimal = Decimal(0)

    @property
    def each(self) -> Decimal | None:
        """What came in for one of them; none while no fortnight is over."""
        return self.brought / self.judged if self.judged else None

    @property
    def percent(self) -> int | None:
        return round(100 * self.paid / self.judged) if self.judged else None


@dataclass(frozen=True, slots=True)
class Line:
    """One act and currency of the report."""

    action: str
    currency: str
    suggested: int
    #: The mean of what was expected.
    expected: Decimal
    accepted: Answered
    declined: Answered
    #: Codes of why, with how often.
    because: Sequence[tuple[str, int]]

    @property
    def why(self) -> Sequence[tuple[str, int]]:
        """Why it was declined, in words, the most frequent first."""
        return [(str(DECLINED.get(code, code)), count) for code, count in self.because]

    @property
    def title(self) -> str:
        return str(LABELS[self.action])

    @property
    def accepted_percent(self) -> int | None:
        answered = self.accepted.count + self.declined.count
        return round(100 * self.accepted.count / answered) if answered else None


_REPORT = """
    SELECT s.action, s.currency, s.answer, count(*), coalesce(avg(s.expected), 0),
           count(*) FILTER (WHERE s.judged), count(*) FILTER (WHERE s.judged AND s.brought > 0),
           coalesce(sum(s.brought) FILTER (WHERE s.judged), 0)
      FROM (
        SELECT g.action, g.currency, g.answer, g.expected,
               (g.answered_at AT TIME ZONE %(zone)s)::date + %(within)s <= %(as_of)s AS judged,
               coalesce((SELECT sum(CASE WHEN p.reverses_id IS NULL THEN p.amount ELSE -p.amount END)
                           FROM accounts_payment p
                          WHERE p.account_id = g.account_id
                            AND p.received_on BETWEEN (g.answered_at AT TIME ZONE %(zone)s)::date
                                                  AND (g.answered_at AT TIME ZONE %(zone)s)::date + %(within)s), 0)
                   AS brought
          FROM agents_suggestion g
         WHERE g.made_at >= %(after)s AND g.made_at < %(until)s AND (%(teams)s OR g.account_id = ANY(%(accounts)s))
      ) s GROUP BY 1, 2, 3
"""


def report(*, after: datetime, until: datetime, as_of: date, accounts: Collection[int] | None = None) -> list[Line]:
    """What was suggested in ``[after, until)`` and what came of it, what was suggested most first.

    ``accounts``: those alone. Two queries.
    """
    found: dict[tuple[str, str], dict[str, tuple[Decimal, Answered]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _REPORT,
            {
                "zone": settings.DESK_TIME_ZONE, "within": WITHIN.days, "as_of": as_of, "after": after, "until": until,
                "teams": accounts is None, "accounts": sorted(accounts or ()),
            },
        )  # fmt: skip
        for action, currency, said, count, expected, judged, paid, brought in cursor.fetchall():
            found.setdefault((action, currency), {})[said] = (expected, Answered(count, judged, paid, brought))
    why: dict[tuple[str, str], list[tuple[str, int]]] = {}
    declined = Suggestion.objects.filter(made_at__gte=after, made_at__lt=until).exclude(declined_because="")
    if accounts is not None:
        declined = declined.filter(account__in=accounts)
    for action, currency, because in declined.values_list("action", "currency", "declined_because"):
        counted = dict(why.get((action, currency), ()))
        counted[because] = counted.get(because, 0) + 1
        why[action, currency] = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = []
    for (action, currency), by_answer in found.items():
        count = sum(answered.count for _, answered in by_answer.values())
        expected = sum((mean * answered.count for mean, answered in by_answer.values()), Decimal(0)) / count
        accepted = by_answer.get(Suggestion.Answer.ACCEPTED, (Decimal(0), Answered()))[1]
        refused = by_answer.get(Suggestion.Answer.DECLINED, (Decimal(0), Answered()))[1]
        lines.append(Line(action, currency, count, expected, accepted, refused, why.get((action, currency), ())))
    return sorted(lines, key=lambda line: (-line.suggested, suggesting.ACTS.index(line.action), line.currency))
