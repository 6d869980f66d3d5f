"""The accounts behind a number: who is in a bucket, who was cured, whose promise was broken, who complained.

From the rows as they are known now, whatever a record of the day says. What people did counts for them and for their
team, everything else for the account's, as ``scopes`` has it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.business_day import calendar_date
from accounts.models import Account, Bill, Payment
from accounts.position import BUCKETS, books_of, position_from
from accounts.refusals import Refused
from agents import measures, standing
from agents.models import Agent, Complaint, Disposition, Interaction, Promise, Snapshot, Standing, Survey, WorkItem
from agents.period import NET_RECEIVED, Period
from agents.scopes import Scope
from agents.words import said
from dunning.models import Assignment, Case, GateDecision, ServiceOrder, WriteOff

Dimension = Snapshot.Dimension

#: The drill of each bucket that is past due.
OF_BUCKET = {
    bucket: f"overdue_{'over_120' if bucket == '120+' else bucket.replace('-', '_to_')}" for bucket in BUCKETS[1:]
}
#: An answer of so many points or fewer is that of somebody who is not content.
DISCONTENT = 3

_NOTHING = Value(Decimal(0), output_field=models.DecimalField(max_digits=18, decimal_places=3))


class CannotDrill(Refused):
    """The accounts behind that number cannot be named."""

    code = "invalid"


@dataclass(frozen=True)
class Question:
    """What is asked of every drill."""

    period: Period
    currency: str
    scope: Scope
    business_date: date

    @property
    def is_now(self) -> bool:
        return self.period.end == self.business_date


@dataclass(frozen=True)
class Drill:
    """What stands behind a number: the accounts, each with what it has of it (``behind``)."""

    title: str
    #: What ``behind`` is, for a page and for a file; ``kind``: ``amount`` or ``number``.
    heading: str
    column: str
    kind: str
    find: Callable[[Question], QuerySet[Account]]
    #: Whether what people did is counted, which is theirs; else the account's.
    of_people: bool = False


@dataclass(frozen=True)
class Behind:
    """The answer, the most first; ``accounts`` have ``behind`` beside their columns."""

    name: str
    title: str
    heading: str
    column: str
    kind: str
    accounts: QuerySet[Account]


def accounts(
    name: str,
    *,
    as_of: date,
    days: int,
    currency: str,
    scope: Scope,
    business_date: date,
    seen: QuerySet[Account],
) -> Behind:
    """The accounts behind a number of the ``days`` days that end with ``as_of``, among those that may be ``seen``.

    Raises ``CannotDrill`` where the scope has no accounts of its own, or where nothing is kept of how accounts stood
    on that day; ``KeyError`` for a drill there is not (``DRILLS``).
    """
    drill = DRILLS[name]
    question = Question(Period(as_of, days), currency, scope, business_date)
    if scope.dimension == Dimension.AGENT and not drill.of_people:
        raise CannotDrill(_("What an agent did has no such accounts: choose a team or the whole book."))
    found = drill.find(question).filter(currency=currency)
    if not drill.of_people:
        found = of_scope(found, scope)
    if seen.query.where:  # who sees everything need not be asked account by account
        found = found.filter(pk__in=seen.order_by().values("pk"))
    found = found.order_by(F("behind").desc(nulls_last=True), "ref")
    return Behind(name, said(drill.title), said(drill.heading), drill.column, drill.kind, found)


def of_scope(found: QuerySet[Account], scope: Scope) -> QuerySet[Account]:
    """Those of the accounts that are in the scope, as ``scopes`` lays the book out."""
    if scope.dimension == Dimension.ALL:
        return found
    if scope.dimension == Dimension.PRODUCT:
        return found.filter(product=scope.member)
    return found.alias(in_scope=Coalesce(_MEMBER[Dimension(scope.dimension)], Value(""))).filter(in_scope=scope.member)


_OWN = {"account": OuterRef("pk")}
_LATEST_CASE = Case.objects.filter(**_OWN).order_by("-opened_on", "-pk")
_MEMBER = {
    Dimension.TEAM: Subquery(
        WorkItem.objects.filter(**_OWN)
        .alias(is_open=Q(done_at__isnull=True))
        .order_by("-is_open", "-pk")
        .values("team__name")[:1]
    ),
    Dimension.SEGMENT: Subquery(_LATEST_CASE.values("segment")[:1]),
    Dimension.POLICY: Subquery(_LATEST_CASE.values("version__policy__code")[:1]),
    Dimension.ARM: Subquery(
        Assignment.objects.filter(**_OWN)
        .order_by("-on", "-pk")
        .annotate(named=Concat("experiment__code", Value(" / "), "arm__code"))
        .values("named")[:1]
    ),
}


def _of_whom(rows: QuerySet[Any], scope: Scope, *, login: str = "", actor: str = "") -> QuerySet[Any]:
    """What people did, narrowed to a scope: theirs and their team's; what nobody did is the account's own team's.

    ``login`` is the way to their login, ``actor`` the column that says ``agent:login``.
    """
    if scope.dimension == Dimension.ALL:
        return rows
    if scope.dimension == Dimension.AGENT:
        return rows.filter(Q(**{login: scope.member}) if login else Q(**{actor: f"agent:{scope.member}"}))
    theirs = rows.filter(account__in=of_scope(Account.objects.all(), scope).values("pk"))
    if scope.dimension != Dimension.TEAM:
        return theirs
    team = Agent.objects.filter(Q(team__name=scope.member) if scope.member else Q(team=None))
    logins = list(team.values_list("username", flat=True))
    if login:
        their_own, nobodys = Q(**{f"{login}__in": logins}), Q(**{f"{login}__isnull": True})
    else:
        their_own = Q(**{f"{actor}__in": [f"agent:{one}" for one in logins]})
        nobodys = ~Q(**{f"{actor}__startswith": "agent:"})
    return rows.filter(their_own | nobodys & Q(pk__in=theirs.values("pk")))


def _having(rows: QuerySet[Any], measure: models.Aggregate) -> QuerySet[Account]:
    """The accounts that have such rows, each with their measure."""
    own = rows.filter(account=OuterRef("pk")).order_by().values("account").annotate(behind=measure).values("behind")
    return Account.objects.filter(pk__in=rows.order_by().values("account")).annotate(behind=Subquery(own))


# Where accounts stand -------------------------------------------------------------------------------------------------


def _past_due_now() -> Q:
    return Q(overdue__gt=0) | Q(overdue_disputed__gt=0)


def _stood(on: date) -> QuerySet[Standing]:
    if not standing.is_recorded(on):
        raise CannotDrill(_("Nothing is kept of which accounts were past due on %(day)s.") % {"day": on})
    return Standing.objects.filter(on=on)


#: What was past due of a standing.
_PAST_DUE = sum((F(f"amounts__{place}") for place in range(2, len(BUCKETS))), F("amounts__1"))


def _overdue(question: Question) -> QuerySet[Account]:
    if question.is_now:
        return Account.objects.filter(_past_due_now()).annotate(behind=F("overdue") + F("overdue_disputed"))
    return _standing_with(_stood(question.period.end), _PAST_DUE)


def _standing_with(rows: QuerySet[Standing], amount: Any) -> QuerySet[Account]:
    own = rows.filter(account=OuterRef("pk")).annotate(behind=amount).values("behind")[:1]
    return Account.objects.filter(pk__in=rows.values("account")).annotate(
        behind=Subquery(own, output_field=models.DecimalField(max_digits=18, decimal_places=3))
    )


def _in_bucket(question: Question, *, bucket: str) -> QuerySet[Account]:
    place = BUCKETS.index(bucket)
    if question.is_now:
        latest = question.business_date - timedelta(days=1 + 30 * (place - 1))
        bills = Bill.objects.filter(open_amount__gt=0, due_on__lte=latest)
        if place < len(BUCKETS) - 1:
            bills = bills.filter(due_on__gt=latest - timedelta(days=30))
        return _having(bills, Sum("open_amount"))
    rows = _stood(question.period.end).filter(**{f"amounts__{place}__gt": 0})
    return _standing_with(rows, F(f"amounts__{place}"))


def _at_start(question: Question) -> QuerySet[Account]:
    return _standing_with(_stood(question.period.start), _PAST_DUE)


def _late_at_end(question: Question) -> Q:
    if question.is_now:
        return _past_due_now()
    return Q(pk__in=_stood(question.period.end).values("account"))


def _not_recovered(question: Question) -> QuerySet[Account]:
    """Past due at the start, and still at the end."""
    return _at_start(question).filter(_late_at_end(question))


def _cured(question: Question) -> QuerySet[Account]:
    """Past due at the start, paid as much as that since, and nothing past due at the end."""
    received = (
        Payment.objects.filter(question.period.covers("received_on"), account=OuterRef("pk"))
        .order_by()
        .values("account")
        .annotate(net=Sum(NET_RECEIVED))
        .values("net")
    )
    paid = Coalesce(Subquery(received), _NOTHING)
    return _at_start(question).exclude(_late_at_end(question)).alias(paid=paid).filter(paid__gte=F("behind"))


def _disputed(question: Question) -> QuerySet[Account]:
    return Account.objects.filter(disputed__gt=0).annotate(behind=F("disputed"))


def _written_off(question: Question) -> QuerySet[Account]:
    return _having(WriteOff.objects.filter(question.period.covers("on")), Sum("amount"))


# What was said and undertaken -----------------------------------------------------------------------------------------


def _promises(question: Question, *states: str) -> QuerySet[Account]:
    """Promises that fell due in the period and were judged so."""
    rows = Promise.objects.filter(question.period.covers("due_on"), status__in=states)
    return _having(_of_whom(rows, question.scope, actor="taken_by"), Sum("amount"))


def _talks(question: Question, *which: Q) -> QuerySet[Account]:
    rows = Interaction.objects.filter(question.period.covers_moment("at"), *which, kind=Interaction.Kind.CALL)
    return _having(_of_whom(rows, question.scope, login="agent__username"), Count("pk"))


def _connected(question: Question) -> QuerySet[Account]:
    answered = Disposition.objects.filter(connected=True).values("code")
    return _talks(question, Q(right_party=True) | Q(disposition__in=answered), Q(undone_at=None))


def _complaints(question: Question) -> QuerySet[Account]:
    rows = Complaint.objects.filter(question.period.covers("received_on"))
    return _having(_of_whom(rows, question.scope, login="about__username"), Count("pk"))


def _discontent(question: Question) -> QuerySet[Account]:
    rows = Survey.objects.filter(question.period.covers_moment("answered_at"), score__lte=DISCONTENT)
    return _having(_of_whom(rows, question.scope, login="agent__username"), Count("pk"))


def _gate(question: Question, which: Q) -> QuerySet[Account]:
    rows = GateDecision.objects.filter(question.period.covers_moment("at"), which)
    return _having(_of_whom(rows, question.scope, actor="actor"), Count("pk"))


def _lost(question: Question) -> QuerySet[Account]:
    """Closed within the days after their case ended, of those whose case ended so long before."""
    days = timedelta(days=measures.CHURN_DAYS)
    cohort = question.period.earlier(measures.CHURN_DAYS).covers("closed_on")
    ended = Case.objects.filter(cohort, account=OuterRef("pk"))
    within = ended.filter(closed_on__lte=OuterRef("closed_on"), closed_on__gte=OuterRef("closed_on") - days)
    return Account.objects.filter(closed_on__isnull=False).filter(Exists(within)).annotate(behind=Value(1))


def _limited_in_error(question: Question) -> QuerySet[Account]:
    """Accounts limited in the period although who pays for them owed nothing past due the evening before."""
    orders = ServiceOrder.objects.filter(
        question.period.covers_moment("confirmed_at"),
        kind=ServiceOrder.Kind.LIMIT,
        state=ServiceOrder.State.CONFIRMED,
        account__currency=question.currency,
    )
    by_day: dict[date, dict[int, int]] = defaultdict(dict)
    for account_id, debtor_id, at in orders.values_list("account", "case__account", "confirmed_at"):
        if at is not None:
            by_day[calendar_date(at=at)][account_id] = debtor_id or account_id
    wrongly: Counter[int] = Counter()
    for on, debtors in by_day.items():
        books = books_of(sorted(set(debtors.values())), as_of=on - timedelta(days=1))
        wrongly.update(account for account, debtor in debtors.items() if position_from(books[debtor]).overdue <= 0)
    times = models.Case(*(models.When(pk=pk, then=Value(count)) for pk, count in wrongly.items()), default=Value(0))
    return Account.objects.filter(pk__in=wrongly).annotate(behind=times)


#: By name, as addresses and ``kpis.CATALOGUE`` have them.
DRILLS: dict[str, Drill] = {
    "overdue": Drill(
        gettext_noop("Accounts with something past due"), gettext_noop("Past due"), "past_due", "amount", _overdue
    ),
    **{
        name: Drill(
            gettext_noop("Accounts with something past due, by age"), bucket, "past_due", "amount",
            partial(_in_bucket, bucket=bucket),
        )
        for bucket, name in OF_BUCKET.items()
    },
    "at_start": Drill(
        gettext_noop("Accounts past due when the period began"), gettext_noop("Past due then"), "past_due_at_start",
        "amount", _at_start,
    ),
    "not_recovered": Drill(
        gettext_noop("Past due when the period began, and still at its end"), gettext_noop("Past due then"),
        "past_due_at_start", "amount", _not_recovered,
    ),
    "cured": Drill(
        gettext_noop("Past due when the period began, paid since"), gettext_noop("Past due then"),
        "past_due_at_start", "amount", _cured,
    ),
    "disputed": Drill(
        gettext_noop("Accounts with something in dispute now"), gettext_noop("In dispute"), "disputed", "amount",
        _disputed,
    ),
    "written_off": Drill(
        gettext_noop("Accounts written off in the period"), gettext_noop("Written off"), "written_off", "amount",
        _written_off,
    ),
    "promises": Drill(
        gettext_noop("Promises that fell due"), gettext_noop("Promised"), "promised", "amount",
        lambda question: _promises(
            question, Promise.Status.KEPT, Promise.Status.PART_KEPT, Promise.Status.BROKEN, Promise.Status.OPEN
        ), of_people=True,
    ),
    "kept_promises": Drill(
        gettext_noop("Promises kept"), gettext_noop("Promised"), "promised", "amount",
        lambda question: _promises(question, Promise.Status.KEPT), of_people=True,
    ),
    "broken_promises": Drill(
        gettext_noop("Broken promises"), gettext_noop("Promised"), "promised", "amount",
        lambda question: _promises(question, Promise.Status.BROKEN, Promise.Status.PART_KEPT), of_people=True,
    ),
    "calls": Drill(
        gettext_noop("Accounts called"), gettext_noop("Calls"), "calls", "number",
        lambda question: _talks(question, Q()), of_people=True,
    ),
    "connected": Drill(
        gettext_noop("Calls that were answered"), gettext_noop("Calls"), "calls", "number", _connected, of_people=True
    ),
    "right_party": Drill(
        gettext_noop("The right person reached"), gettext_noop("Calls"), "calls", "number",
        lambda question: _talks(question, Q(right_party=True, undone_at=None)), of_people=True,
    ),
    "complaints": Drill(
        gettext_noop("Complaints received"), gettext_noop("Complaints"), "complaints", "number", _complaints,
        of_people=True,
    ),
    "discontent": Drill(
        gettext_noop("Customers who are not content"), gettext_noop("Answers"), "answers", "number", _discontent,
        of_people=True,
    ),
    "lost": Drill(
        gettext_noop("Customers lost after collections"), gettext_noop("Accounts"), "accounts", "number", _lost
    ),
    "wrongly_suspended": Drill(
        gettext_noop("Limited although nothing was past due"), gettext_noop("Limits"), "limits", "number",
        _limited_in_error,
    ),
    "blocked_contacts": Drill(
        gettext_noop("Contacts that a rule stopped"), gettext_noop("Stopped"), "blocked", "number",
        lambda question: _gate(question, Q(outcome__in=("BLOCK", "HOLD"))), of_people=True,
    ),
    "overridden_contacts": Drill(
        gettext_noop("Contacts made although a rule said no"), gettext_noop("Contacts"), "overridden", "number",
        lambda question: _gate(question, ~Q(overridden_by="")), of_people=True,
    ),
}  # fmt: skip

#: Lists that are looked at side by side, each a part or the rest of the first.
TOGETHER = (
    ("overdue", *OF_BUCKET.values()),
    ("at_start", "not_recovered", "cured"),
    ("promises", "kept_promises", "broken_promises"),
    ("calls", "connected", "right_party"),
    ("blocked_contacts", "overridden_contacts"),
    ("complaints", "discontent"),
)


def beside(name: str) -> list[tuple[str, str]]:
    """The lists that are looked at together with that one, itself among them: name and title."""
    names = next((names for names in TOGETHER if name in names), ())
    return [(one, said(DRILLS[one].heading if one in OF_BUCKET.values() else DRILLS[one].title)) for one in names]
