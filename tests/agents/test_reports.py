"""Reports by mail: on which days and moments, of which recorded day, to whom, and who may order what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import AccountEvent, BusinessDate
from agents import reports, scopes
from agents.models import ReportRecipient, ReportRun, ReportSchedule
from agents.reports import CannotSchedule, NotTheirs, Terms
from agents.scopes import EVERYTHING, Scope
from tests.agents.reported import close, late, ordered, supervisor
from tests.factories import TODAY, make_agent, make_team, moment

pytestmark = pytest.mark.django_db

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def days_of(schedule: ReportSchedule, first: date, until: date) -> list[date]:
    """Every day of the report after ``first``, up to ``until``."""
    found, day = [], reports.next_day(schedule, after=first)
    while day <= until:
        found.append(day)
        day = reports.next_day(schedule, after=day)
    return found


# When ---------------------------------------------------------------------------------------------------------------


def test_a_weekly_report_is_of_its_weekday_across_months_and_years() -> None:
    schedule = ReportSchedule(every="week", weekday=1, hour=7)

    assert days_of(schedule, date(2025, 12, 20), date(2026, 1, 12)) == [
        date(2025, 12, 22), date(2025, 12, 29), date(2026, 1, 5), date(2026, 1, 12),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (31, [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]),
        (30, [date(2028, 1, 30), date(2028, 2, 29), date(2028, 3, 30), date(2028, 4, 30)]),
        (1, [date(2028, 1, 1), date(2028, 2, 1), date(2028, 3, 1), date(2028, 4, 1)]),
    ],
)
def test_a_monthly_report_is_of_the_last_day_where_the_month_is_shorter(wanted: int, expected: list[date]) -> None:
    schedule = ReportSchedule(every="month", month_day=wanted, hour=7)

    assert days_of(schedule, date(2027, 12, 31), date(2028, 4, 30)) == expected


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        (date(2026, 3, 28), 2, datetime(2026, 3, 28, 1, tzinfo=UTC)),
        # On 29 March the clocks of Berlin go from 2 to 3: that hour is not there, and the report leaves at 3.
        (date(2026, 3, 29), 2, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (date(2026, 3, 29), 7, datetime(2026, 3, 29, 5, tzinfo=UTC)),
        # On 25 October the hour from 2 to 3 comes twice: the report leaves at the first.
        (date(2026, 10, 25), 2, datetime(2026, 10, 25, 0, tzinfo=UTC)),
        (date(2026, 10, 25), 7, datetime(2026, 10, 25, 6, tzinfo=UTC)),
    ],
)
def test_the_hour_is_the_operators_on_nights_when_clocks_change(
    day: date, hour: int, expected: datetime, settings: Any
) -> None:
    settings.DESK_TIME_ZONE = "Europe/Berlin"

    assert reports.leaves_at(ReportSchedule(every="day", hour=hour), day) == expected


def test_the_hour_that_comes_twice_makes_one_report(settings: Any) -> None:
    settings.DESK_TIME_ZONE = "Europe/Berlin"
    night = date(2026, 10, 25)
    late()
    schedule = ordered(supervisor(), hour=2, at=datetime(2026, 10, 24, 20, tzinfo=UTC))
    close(night)

    made = [reports.fall_due(at=datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1)]

    assert made == [1, 0]
    schedule.refresh_from_db()
    assert schedule.next_on == night + timedelta(days=1)


def test_a_new_report_is_of_today_while_its_hour_is_to_come_and_of_its_next_day_after() -> None:
    person = supervisor()

    assert ordered(person, at=moment(TODAY, 6)).next_on == TODAY
    assert ordered(person, at=moment(TODAY, 7)).next_on == TOMORROW
    assert ordered(person, at=moment(TODAY, 7), every="week", weekday=2).next_on == TODAY + timedelta(days=7)


# Of which day -------------------------------------------------------------------------------------------------------


def test_a_report_waits_for_its_hour_and_for_the_close_of_its_day() -> None:
    late()
    schedule = ordered(supervisor())
    close(YESTERDAY)

    assert reports.fall_due(at=moment(TODAY, 9)) == 0
    close(TODAY)
    assert reports.fall_due(at=moment(TODAY, 6)) == 0
    assert reports.fall_due(at=moment(TODAY, 9)) == 1
    assert reports.fall_due(at=moment(TODAY, 10)) == 0

    [run] = ReportRun.objects.all()
    schedule.refresh_from_db()
    assert (run.as_of, run.state, schedule.next_on, schedule.next_at) == (
        TODAY,
        "pending",
        TOMORROW,
        moment(TOMORROW, 7),
    )


def test_a_day_that_was_recorded_and_not_closed_yet_is_waited_for() -> None:
    late()
    ordered(supervisor())
    close(TODAY)
    BusinessDate.objects.update(completed_on=YESTERDAY)

    assert reports.fall_due(at=moment(TODAY, 9)) == 0


def test_after_days_that_nobody_closed_one_report_of_the_latest_is_made() -> None:
    late()
    schedule = ordered(supervisor())
    back = TODAY + timedelta(days=5)
    close(back)

    assert reports.fall_due(at=moment(back, 8)) == 1

    assert [run.as_of for run in ReportRun.objects.all()] == [back]
    schedule.refresh_from_db()
    assert schedule.next_on == back + timedelta(days=1)


def test_a_weekly_report_whose_day_was_never_closed_is_of_the_first_that_was() -> None:
    late()
    monday = date(2026, 3, 16)
    schedule = ordered(supervisor(), every="week", weekday=1)
    assert schedule.next_on == monday
    close(monday + timedelta(days=1))

    assert reports.fall_due(at=moment(monday, 12)) == 0
    assert reports.fall_due(at=moment(monday + timedelta(days=1), 6)) == 0
    assert reports.fall_due(at=moment(monday + timedelta(days=1), 7)) == 1
    schedule.refresh_from_db()
    assert schedule.next_on == monday + timedelta(days=7)


def test_a_paused_report_makes_nothing_and_goes_on_with_its_next_day() -> None:
    late()
    person = supervisor()
    schedule = ordered(person)
    assert reports.pause(schedule.pk, by=person, at=moment(TODAY, 6))
    assert not reports.pause(schedule.pk, by=person, at=moment(TODAY, 6))
    close(TODAY)

    assert reports.fall_due(at=moment(TODAY, 9)) == 0
    assert reports.resume(schedule.pk, by=person, at=moment(TODAY, 10))
    schedule.refresh_from_db()
    assert schedule.next_on == TOMORROW
    assert reports.fall_due(at=moment(TODAY, 11)) == 0


def test_a_day_has_one_mail_a_recipient_however_often_it_is_asked_for() -> None:
    late()
    first, second = supervisor(), supervisor()
    schedule = ordered(first)
    close(TODAY)
    assert reports.fall_due(at=moment(TODAY, 8)) == 1

    terms = Terms(title="The day", every="day", hour=9, people=[first, second])
    reports.change(schedule.pk, terms, by=first, at=moment(TODAY, 8))
    assert reports.fall_due(at=moment(TODAY, 9)) == 1
    assert reports.make_of_day(as_of=TODAY, at=moment(TODAY, 10)) == 0

    assert sorted(run.recipient.agent.pk for run in ReportRun.objects.all()) == sorted([first.pk, second.pk])
    run = ReportRun.objects.first()
    assert run is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        ReportRun.objects.create(schedule=schedule, as_of=TODAY, recipient=run.recipient, made_at=moment())


def test_a_day_can_be_made_by_hand_where_it_was_recorded_and_is_one_of_the_reports() -> None:
    late()
    person = supervisor()
    ordered(person, at=moment(TODAY, 8))
    ordered(person, every="week", weekday=5)
    close(TODAY)

    assert reports.make_of_day(as_of=YESTERDAY, at=moment(TODAY, 9)) == 0
    assert [(one.as_of, len(one.recipients)) for one in reports.due(at=moment(TODAY, 9), as_of=TODAY)] == [(TODAY, 1)]
    assert reports.make_of_day(as_of=TODAY, at=moment(TODAY, 9)) == 1


def test_who_only_asks_what_is_due_changes_nothing() -> None:
    late()
    ordered(supervisor())

    [waiting] = reports.due(at=moment(TODAY, 9))
    assert waiting.as_of is None
    close(TODAY)
    [ready] = reports.due(at=moment(TODAY, 9))

    assert (ready.as_of, len(ready.recipients)) == (TODAY, 1)
    assert not ReportRun.objects.exists()


# Who may order what -------------------------------------------------------------------------------------------------


def test_somebody_kept_to_a_team_orders_reports_of_that_team_alone() -> None:
    north, south = make_team("North"), make_team("South")
    person = supervisor(team=north, all_teams=False)

    ordered(person, scope=Scope("team", "North"))
    for scope in (EVERYTHING, Scope("team", "South"), Scope("segment", "retail")):
        with pytest.raises(CannotSchedule) as refusal:
            ordered(person, scope=scope)
        assert refusal.value.code == "forbidden"
    for role in ("agent", "specialist", "team_lead"):
        with pytest.raises(CannotSchedule):
            ordered(make_agent(role, team=south), scope=Scope("team", "South"))


def test_nobody_is_put_on_a_list_of_what_they_may_not_see() -> None:
    north, south = make_team("North"), make_team("South")
    person = supervisor()
    theirs = supervisor(team=north, all_teams=False)

    ordered(person, scope=Scope("team", "North"), people=[theirs])
    for reader, scope in (
        (theirs, EVERYTHING),
        (supervisor(team=south, all_teams=False), Scope("team", "North")),
        (make_agent("agent", team=north), Scope("team", "North")),
        (supervisor(is_active=False), EVERYTHING),
    ):
        with pytest.raises(CannotSchedule):
            ordered(person, scope=scope, people=[reader])


def test_whoever_can_be_chosen_is_whoever_may_see_some_of_it() -> None:
    north, south = make_team("North"), make_team("South")
    people = {
        "above": supervisor(),
        "north": supervisor(team=north, all_teams=False),
        "south": supervisor(team=south, all_teams=False),
        "nowhere": supervisor(all_teams=False),
        "agent": make_agent("agent", team=north),
        "finance": make_agent("finance"),
        "admin": make_agent("admin", all_teams=False),
        "gone": supervisor(is_active=False),
    }

    def offered(by: str) -> set[str]:
        found = set(reports.possible_readers(people[by]))
        return {name for name, person in people.items() if person in found}

    assert offered("above") == {"above", "north", "south", "finance", "admin"}
    assert offered("north") == {"above", "north", "finance", "admin"}
    for name, person in people.items():
        assert (name in offered("above")) == bool(scopes.allowed(person)), name


def test_a_report_is_its_owners_and_an_admins() -> None:
    mine, other, admin = supervisor(), supervisor(), make_agent("admin")
    schedule = ordered(mine)
    terms = Terms(title="Mine now", every="day", people=[other])

    for act in (
        lambda: reports.change(schedule.pk, terms, by=other, at=moment()),
        lambda: reports.pause(schedule.pk, by=other, at=moment()),
        lambda: reports.resume(schedule.pk, by=other, at=moment()),
        lambda: reports.ask(schedule.pk, by=other, at=moment()),
    ):
        with pytest.raises(NotTheirs):
            act()
    assert list(reports.visible(mine)) == list(reports.visible(admin)) == [schedule]
    assert not reports.visible(other).exists()
    assert not reports.visible(make_agent("agent")).exists()
    assert reports.change(schedule.pk, terms, by=admin, at=moment()).title == "Mine now"


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "}, {"days": 8}, {"parts": []}, {"parts": ["figures", "gossip"]}, {"people": []},
        {"people": [], "outside": [("not an address", "")]},
        {"people": [], "outside": [("boss@northwind.example", "tlh")]},
        {"people": [], "outside": [(f"p{number}@northwind.example", "") for number in range(51)]},
    ],
)  # fmt: skip
def test_what_says_nothing_or_goes_to_nobody_is_refused_and_leaves_nothing(
    wrong: dict[str, Any], settings: Any
) -> None:
    settings.DESK_REPORT_DOMAINS = ["northwind.example"]

    with pytest.raises(CannotSchedule):
        ordered(supervisor(), **wrong)
    assert not ReportSchedule.objects.exists()
    assert not AccountEvent.objects.exists()


def test_addresses_outside_are_of_allowed_domains_alone(settings: Any) -> None:
    settings.DESK_REPORT_DOMAINS = ["northwind.example"]
    person = supervisor()

    schedule = ordered(person, outside=[("Board@Northwind.example", "de")])

    row = schedule.recipients.get(agent=None)
    assert (row.address, row.language) == ("board@northwind.example", "de")
    for address in ("board@northwind.example.org", "board@evil.example", "a@northwind.example@evil.example"):
        with pytest.raises(CannotSchedule):
            ordered(person, outside=[(address, "")])
    settings.DESK_REPORT_DOMAINS = []
    with pytest.raises(CannotSchedule) as refusal:
        ordered(person, outside=[("board@northwind.example", "")])
    assert refusal.value.code == "forbidden"


def test_who_is_taken_off_a_list_leaves_it_and_what_they_got_stays() -> None:
    late()
    mine, other = supervisor(), supervisor()
    schedule = ordered(mine, people=[mine, other])
    close(TODAY)
    reports.fall_due(at=moment(TODAY, 8))

    reports.change(schedule.pk, Terms(title="The day", every="day", people=[mine]), by=mine, at=moment(TODAY, 9))

    left = schedule.recipients.get(agent=other)
    assert left.left_at == moment(TODAY, 9)
    assert left.runs.count() == 1
    close(TOMORROW)
    assert reports.fall_due(at=moment(TOMORROW, 9)) == 1


def test_who_stopped_it_is_put_back_by_themselves_alone() -> None:
    mine, other = supervisor(), supervisor()
    schedule = ordered(mine, people=[mine, other])
    theirs = schedule.recipients.get(agent=other)
    terms = Terms(title="The day", every="day", people=[mine, other])

    assert reports.stop(theirs, at=moment(TODAY, 9))
    assert not reports.stop(theirs, at=moment(TODAY, 9))
    with pytest.raises(CannotSchedule):
        reports.change(schedule.pk, terms, by=mine, at=moment(TODAY, 10))
    with pytest.raises(CannotSchedule):
        reports.change(schedule.pk, terms, by=make_agent("admin"), at=moment(TODAY, 10))
    assert reports.join_again(theirs, at=moment(TODAY, 11))
    assert not reports.join_again(theirs, at=moment(TODAY, 11))
    reports.change(schedule.pk, terms, by=mine, at=moment(TODAY, 12))
    assert ReportRecipient.objects.get(pk=theirs.pk).left_at is None


def test_everything_done_to_a_report_is_an_event_without_an_address(settings: Any) -> None:
    settings.DESK_REPORT_DOMAINS = ["northwind.example"]
    person = supervisor()
    schedule = ordered(person, outside=[("board@northwind.example", "")])
    reports.pause(schedule.pk, by=person, at=moment())
    reports.resume(schedule.pk, by=person, at=moment())
    reports.change(schedule.pk, Terms(title="Other", every="week", people=[person]), by=person, at=moment())
    reports.stop(schedule.recipients.get(agent=person), at=moment())

    written = AccountEvent.objects.order_by("pk")
    assert [event.kind for event in written] == [
        f"agents.report.{what}" for what in ("ordered", "paused", "resumed", "changed", "stopped")
    ]
    assert written[0].payload["people"] == [person.username]
    assert written[0].payload["outside"] == 1
    assert not any("board" in str(event.payload) for event in written)


def test_a_link_ends_the_subscription_it_is_of_and_no_other() -> None:
    mine, other = supervisor(), supervisor()
    schedule = ordered(mine, people=[mine, other])
    recipient = schedule.recipients.get(agent=other)
    token = reports.stop_token(recipient)

    assert reports.of_token(token) == recipient
    for forged in (token[:-1] + ("a" if token[-1] != "a" else "b"), token.replace(":", "", 1), str(recipient.pk), ""):
        assert reports.of_token(forged) is None
