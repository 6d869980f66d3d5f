"""Supervising in the demo: what figures should come to, words to the teams, who stands in for whom, and what waits for
somebody's second word.

Each goes through the operation that its page calls. A day asks for what is missing up to it, so a load that was killed
goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q

from accounts import audit_heads
from accounts.models import Account, AccountStatus, Fee
from accounts.models.fields import DESK_PREFIX
from accounts.money import quantize
from accounts.refusals import Refused
from agents import (
    delegations,
    extensions,
    fee_waivers,
    plans,
    reports,
    rights,
    settlements,
    steering,
    team_messages,
)
from agents.fees import open_fees
from agents.instalments import CannotQuote
from agents.models import (
    Agent,
    Asked,
    Delegation,
    Extension,
    KpiTarget,
    Plan,
    ReportSchedule,
    Settlement,
    Snapshot,
    Team,
    TeamMessage,
    WorkItem,
)
from agents.scopes import Scope
from collections_desk.demo.colleagues import BUSINESS, LEAD, MANAGER, RETAIL
from collections_desk.demo.showcase import FIRST_NUMBER, STORIES
from collections_desk.demo.strategy import ADMIN

#: What everybody's figures should come to, and what a team's own.
_TARGETS: tuple[tuple[str, str, str, str], ...] = (
    ("dso", "", "at_most", "38"),
    ("add", "", "at_most", "8"),
    ("cei", "", "at_least", "80"),
    ("recovery_rate", "", "at_least", "60"),
    ("cure_rate", "", "at_least", "45"),
    ("rpc_rate", "", "at_least", "30"),
    ("ptp_rate", "", "at_least", "45"),
    ("kept_rate", "", "at_least", "60"),
    ("kept_rate", RETAIL, "at_least", "65"),
    ("csat", "", "at_least", "80"),
    ("complaint_rate", "", "at_most", "5"),
    ("cost_per_unit_collected", "", "at_most", "0.05"),
)

#: Days before the last one, to whom, what they read, and for how many hours it stays.
_WORDS: tuple[tuple[int, str, str, int], ...] = (
    (9, "", "Bills of the 1st reach customers tomorrow: expect more calls before noon.", 24),
    (6, RETAIL, "The customer's page was slow this morning. It is mended; offer the link again.", 6),
    (3, BUSINESS, "Two carriers merged: ask which of the two entities the purchase order names.", 48),
    (1, "", "GB: no calls after eight in the evening from today on, the desk keeps to it by itself.", 72),
)

#: Who asks, in turn.
_ASK = ("agent", "bruno", "amara", "agent2", "elena", "chloe", "dev")

ASKED_FROM = 14
GIVEN_EACH_DAY, GIVEN_IN_ALL = 4, 24
#: So many accounts are looked at for an agreement.
TRIED = 12
JUST_LATE = timedelta(days=9)


@dataclass(frozen=True, slots=True)
class _Sought:
    """One agreement beyond an agent's own word: so many days before the last one, with what somebody said to it."""

    days_before: int
    kind: str
    #: Instalments, days, or the share that is paid.
    size: Decimal
    note: str
    least: int
    approve: bool | None = None
    because: str = ""


_SOUGHT = (
    _Sought(14, "plan", Decimal(9), "Hours were cut until spring", 50, True, "steady payer before, one bad season"),
    _Sought(13, "settlement", Decimal("0.80"), "Moves abroad, pays what is saved", 50, True, "better than an agency"),
    _Sought(12, "extension", Decimal(40), "Waits for a pension to be paid out", 40, True, "letter of the fund is here"),
    _Sought(11, "plan", Decimal(14), "Wants the smallest instalment there is", 50, False, "twelve at most, ask again"),
    _Sought(10, "settlement", Decimal("0.35"), "Says nothing more is to be had", 60, False, "has paid in full before"),
    _Sought(6, "plan", Decimal(8), "New job from next month, wants to begin small", 60),
    _Sought(5, "settlement", Decimal("0.78"), "A brother pays it at once if it ends there", 70),
    _Sought(5, "extension", Decimal(35), "Salary comes in the last week of the month", 40),
    _Sought(4, "plan", Decimal(12), "Two children, one income since summer", 70),
    _Sought(3, "settlement", Decimal("0.55"), "Redundancy pay arrives on Friday, offers that once", 80),
    _Sought(2, "plan", Decimal(10), "Asked for monthly amounts that fit beside the rent", 60),
    _Sought(2, "settlement", Decimal("0.30"), "Debt adviser offers a third for all creditors alike", 100),
    _Sought(1, "extension", Decimal(45), "Insurance pays the repair first", 40),
    _Sought(1, "plan", Decimal(18), "Sole trader, the season begins in April", 80),
    _Sought(0, "settlement", Decimal("0.85"), "Pays today by card if the late months are let go", 50),
    _Sought(0, "plan", Decimal(7), "Wants one month more than an agent may give", 50),
)

#: Days before the last one, why, and what somebody says to it.
_FEES: tuple[tuple[int, str, bool | None, str], ...] = (
    (12, "First time late in six years", True, "goodwill, once a year"),
    (9, "Says the bill never arrived", False, "the bill was delivered on the 3rd"),
    (4, "The transfer was one day on its way", None, ""),
    (1, "Service was off for a day by our own mistake", None, ""),
)


#: So many days before the last one the reports were ordered.
ORDERED_FROM = 8


def set_targets(*, from_on: date) -> None:
    """What figures should come to, from that day on."""
    KpiTarget.objects.bulk_create(
        [
            KpiTarget(
                kpi=kpi,
                team=Team.objects.get(name=team) if team else None,
                aim=aim,
                value=Decimal(value),
                from_on=from_on,
                set_by=ADMIN,
            )
            for kpi, team, aim, value in _TARGETS
        ],
        ignore_conflicts=True,
    )


def oversee(*, as_of: date, at: datetime, last_day: date) -> None:
    """What the supervisor, the manager and the agents who ask them do on a day; once however often it is lived."""
    ago = (last_day - as_of).days
    supervisor = Agent.objects.get(username="supervisor")
    _stand_in(ago, supervisor, as_of=as_of, at=at)
    if ago <= ORDERED_FROM:
        _order_reports(supervisor, at=at)
    if ago > ASKED_FROM:
        return
    _tell_teams(ago, supervisor, at=at)
    _seek(ago, last_day=last_day, as_of=as_of, at=at)
    _ask_for_fees(ago, as_of=as_of, at=at)
    _decide(last_day=last_day, supervisor=supervisor, as_of=as_of, at=at)
    if as_of.isoweekday() <= 5:
        _steer(supervisor, at=at)
    if as_of.isoweekday() == 5:
        audit_heads.give_out(by=rights.actor(supervisor), at=at)


# People ---------------------------------------------------------------------------------------------------------------


def _stand_in(ago: int, supervisor: Agent, *, as_of: date, at: datetime) -> None:
    """The manager is away for some days; a team lead was, and came back early."""
    manager, lead = Agent.objects.get(username=MANAGER), Agent.objects.get(username=LEAD)
    if ago == 30 and not Delegation.objects.filter(of=lead).exists():
        delegations.make(
            of=lead, to=supervisor, from_on=as_of, until_on=as_of + timedelta(days=11), reason="in hospital", by=lead,
            as_of=as_of, at=at,
        )  # fmt: skip
    back = Delegation.objects.filter(of=lead, ended_at=None, until_on__gte=as_of).first()
    if ago == 23 and back is not None:
        delegations.end(delegation_id=back.pk, by=lead, as_of=as_of, at=at)
    if ago <= 2 and not Delegation.objects.filter(of=manager).exists():
        delegations.make(
            of=manager, to=supervisor, from_on=as_of, until_on=as_of + timedelta(days=9),
            reason="annual leave, reachable by telephone on Thursdays", by=manager, as_of=as_of, at=at,
        )  # fmt: skip
        delegations.make(
            of=lead, to=manager, from_on=as_of + timedelta(days=20), until_on=as_of + timedelta(days=24),
            reason="course on vulnerable customers", by=lead, as_of=as_of, at=at,
        )  # fmt: skip


def _order_reports(supervisor: Agent, *, at: datetime) -> None:
    """The whole book every morning; a team's week on Mondays, to the manager as well."""
    if ReportSchedule.objects.filter(owner=supervisor).exists():
        return
    manager = Agent.objects.get(username=MANAGER)
    reports.order(
        reports.Terms(title="The book this morning", every=ReportSchedule.Every.DAY, days=30, people=[supervisor]),
        by=supervisor,
        at=at,
    )
    reports.order(
        reports.Terms(
            title="A week of retail",
            every=ReportSchedule.Every.WEEK,
            scope=Scope(Snapshot.Dimension.TEAM, RETAIL),
            people=[supervisor, manager],
            parts=("figures", "promises", "contacts", "complaints"),
        ),
        by=supervisor,
        at=at,
    )


def _tell_teams(ago: int, supervisor: Agent, *, at: datetime) -> None:
    for days_before, team, text, hours in _WORDS:
        if ago <= days_before and not TeamMessage.objects.filter(text=text).exists():
            message = team_messages.send(
                text=text,
                team=Team.objects.get(name=team) if team else None,
                until=at + timedelta(hours=hours),
                agent=supervisor,
                at=at,
            )
            for place, person in enumerate(_readers(message)):
                team_messages.see(message_id=message.pk, agent=person, at=at + timedelta(minutes=3 + 7 * place))


def _readers(message: TeamMessage) -> list[Agent]:
    """The colleagues who read it; those who look around still have it before them."""
    people = Agent.objects.filter(groups__name="agent", username__in=_ASK).exclude(username__startswith="agent")
    theirs = people if message.team is None else people.filter(team=message.team)
    return list(theirs.order_by("username"))


def _steer(supervisor: Agent, *, at: datetime) -> None:
    """Business accounts go to whoever knows them, a few a day; two stand on top for a reason."""
    team = Team.objects.get(name=BUSINESS)
    items = WorkItem.objects.filter(done_at=None, kind=WorkItem.Kind.COLLECT, claimed_by=None, team=None)
    items = items.exclude(account__ref__in=_hand_made()).order_by("pk")
    if WorkItem.objects.filter(team=team, done_at=None).count() < GIVEN_IN_ALL:
        theirs = list(items.filter(account__customer__kind="business").values_list("pk", flat=True)[:GIVEN_EACH_DAY])
        if theirs:
            steering.give_to(item_ids=theirs, team=team, agent=supervisor, at=at)
    if not WorkItem.objects.filter(done_at=None).exclude(pinned_by="").exists():
        foremost = list(items.filter(account__customer__kind="residential").values_list("pk", flat=True)[:2])
        if foremost:
            reason = "The ombudsman asked about them: somebody calls today"
            steering.pin(item_ids=foremost, reason=reason, agent=supervisor, at=at)


def _hand_made() -> list[str]:
    return [f"A{FIRST_NUMBER + place}" for place in range(STORIES)]


# What waits for a second word -----------------------------------------------------------------------------------------


def _seek(ago: int, *, last_day: date, as_of: date, at: datetime) -> None:
    """Agreements of the day that are beyond who made them."""
    for place, sought in enumerate(_SOUGHT):
        ref = _ref(place, last_day)
        if sought.days_before < ago or _is_made(ref):
            continue
        agent = Agent.objects.get(username=_ASK[place % len(_ASK)])
        for account in _candidates(sought, place, as_of=as_of):
            now: dict[str, Any] = {"account_id": account.pk, "agent": agent, "as_of": as_of, "at": at}
            try:
                _AGREE[sought.kind](account, sought, ref, now)
            except (Refused, CannotQuote):
                continue
            break


def _ref(place: int, last_day: date) -> str:
    return f"{DESK_PREFIX}asked-{last_day:%y%m%d}-{place:02d}"


def _is_made(ref: str) -> bool:
    return any(model._default_manager.filter(ref=ref).exists() for model in (Plan, Settlement, Extension))


def _candidates(sought: _Sought, place: int, *, as_of: date) -> Iterator[Account]:
    """Accounts that are with the agents, or late for some days only, and owe enough; which come first differs from
    agreement to agreement. What is to be limited soon is left to that.
    """
    just_late = Q(status=AccountStatus.OVERDUE, oldest_due_on__gt=as_of - JUST_LATE)
    late = Account.objects.filter(
        Q(status=AccountStatus.COLLECTIONS) | just_late, overdue__gte=sought.least, disputed=0
    ).exclude(ref__in=_hand_made())
    free = late.filter(plans=None, settlements=None, extensions=None).exclude(promises__status="open")
    refs = list(free.order_by("ref").values_list("ref", flat=True)[:240])
    for number in range(min(len(refs), TRIED)):
        yield Account.objects.select_related("customer").get(ref=refs[(place * 17 + number * 7) % len(refs)])


def _agree_plan(account: Account, sought: _Sought, ref: str, now: dict[str, Any]) -> None:
    first_on = now["as_of"] + timedelta(days=10)
    quote = plans.quote_for(**now, first_on=first_on, every="month", count=int(sought.size))
    _not_alone(quote.within_authority)
    plans.agree(
        **now, instalments=quote.instalments, actor=rights.actor(now["agent"]), note=sought.note, ref=ref,
        agreed_by="phone",
    )  # fmt: skip


def _settle(account: Account, sought: _Sought, ref: str, now: dict[str, Any]) -> None:
    amount = quantize(account.open_amount * sought.size, account.currency)
    pay_by = now["as_of"] + timedelta(days=12)
    quote = settlements.quote_for(**now, amount=amount, pay_by=pay_by)
    _not_alone(quote.within_authority)
    settlements.agree(
        **now, amount=amount, pay_by=pay_by, actor=rights.actor(now["agent"]), note=sought.note, ref=ref,
        agreed_by="phone",
    )  # fmt: skip


def _extend(account: Account, sought: _Sought, ref: str, now: dict[str, Any]) -> None:
    until = now["as_of"] + timedelta(days=int(sought.size))
    quote = extensions.quote_for(**now, until=until)
    _not_alone(quote.within_authority)
    extensions.agree(**now, until=until, actor=rights.actor(now["agent"]), note=sought.note, ref=ref, agreed_by="phone")


class _Alone(Refused):
    """Nobody else would have to be asked."""


def _not_alone(within_authority: bool) -> None:
    if within_authority:
        raise _Alone("An agent's own word is enough.")


_AGREE: dict[str, Callable[[Account, _Sought, str, dict[str, Any]], None]] = {
    "plan": _agree_plan,
    "settlement": _settle,
    "extension": _extend,
}


def _ask_for_fees(ago: int, *, as_of: date, at: datetime) -> None:
    """Fees that customers ask to be let go of."""
    for place, (days_before, why, _approve, _because) in enumerate(_FEES):
        if days_before < ago or Asked.objects.filter(reason=why).exists():
            continue
        agent = Agent.objects.get(username=_ASK[(place * 2) % len(_ASK)])
        for fee in Fee.objects.filter(waived_on=None, on__lte=as_of).order_by("-on", "pk")[:20]:
            if fee in open_fees(account_id=fee.account_id, as_of=as_of):
                try:
                    fee_waivers.ask(fee_ref=fee.ref, agent=agent, reason=why, as_of=as_of, at=at)
                except Refused:
                    continue
                break


def _decide(*, last_day: date, supervisor: Agent, as_of: date, at: datetime) -> None:
    """What somebody asked for a day ago or longer is answered, where it is not left to whoever looks around."""
    later: dict[str, Any] = {"agent": supervisor, "as_of": as_of, "at": at + timedelta(minutes=20)}
    for place, sought in enumerate(_SOUGHT):
        if sought.approve is None or last_day - timedelta(days=sought.days_before) >= as_of:
            continue
        answer = {"approve": sought.approve, "reason": sought.because, **later}
        ref = _ref(place, last_day)
        try:
            if plan := Plan.objects.filter(ref=ref, status=Plan.Status.PENDING_APPROVAL).first():
                plans.decide(plan_id=plan.pk, **answer)
            elif offer := Settlement.objects.filter(ref=ref, status=Settlement.Status.PENDING_APPROVAL).first():
                settlements.decide(settlement_id=offer.pk, **answer)
            elif more := Extension.objects.filter(ref=ref, status=Extension.Status.PENDING_APPROVAL).first():
                extensions.decide(extension_id=more.pk, **answer)
        except Refused:
            continue  # it is somebody's above the supervisor
    for days_before, why, approve, because in _FEES:
        asked = Asked.objects.filter(reason=why, state=Asked.State.WAITING).first()
        if asked is not None and approve is not None and last_day - timedelta(days=days_before) < as_of:
            fee_waivers.decide(asked_id=asked.pk, approve=approve, reason=because, **later)
