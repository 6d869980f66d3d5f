"""Mails of reports on their way: to a real relay, once, to whoever may still see them; and what failures leave."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as desk_settings
from django.core.management import call_command
from django.test import Client

from accounts.models import AccountEvent
from agents import report_sending, reports
from agents.models import Agent, ReportRun, ReportSchedule
from agents.scopes import Scope
from collections_desk import tasks
from dunning.gateways.smtp import SmtpGateway
from dunning.models import OutboxMessage
from dunning.outbox import OutboxGateway
from tests.agents.reported import close, late, ordered, supervisor
from tests.dunning.test_gateways_smtp import PostOffice, gateway, relay
from tests.factories import TODAY, make_item, make_team, moment

pytestmark = pytest.mark.django_db

AT = moment(TODAY, 8)


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
def road(office: PostOffice) -> Iterator[SmtpGateway]:
    with relay(office) as port, contextlib.closing(gateway(port)) as found:
        yield found


def due(*people: Agent, **terms: Any) -> ReportSchedule:
    """A report of today to these people, made and not sent yet."""
    late()
    people = people or (supervisor(),)
    schedule = ordered(people[0], people=people, **terms)
    close(TODAY)
    reports.fall_due(at=AT)
    return schedule


def states() -> list[str]:
    return list(ReportRun.objects.order_by("pk").values_list("state", flat=True))


def test_a_report_arrives_whole_at_each_of_its_readers(office: PostOffice, road: SmtpGateway) -> None:
    nadia, omar = supervisor(email="nadia@northwind.example"), supervisor(email="omar@northwind.example")
    schedule = due(nadia, omar)

    assert report_sending.send_due(at=AT, road=road) == {"sent": 2}

    mail = next(one for one in office.taken if one["To"] == "nadia@northwind.example")
    assert len(office.taken) == 2
    assert mail["Subject"] == "The day: 7 days until 10 Mar 2026"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert [part.get_content_type() for part in mail.walk() if part.is_multipart()] == [
        "multipart/mixed", "multipart/alternative", "multipart/related",
    ]  # fmt: skip
    assert "Past due at the end" in mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    for part in pictures:
        assert part.get_content_disposition() == "inline"
        assert f'src="cid:{part["Content-ID"].strip("<>")}"' in html
        assert part.get_content().startswith(b"\x89PNG")
    assert pictures
    [workbook] = mail.iter_attachments()
    assert workbook.get_filename() == "figures-2026-03-10-7d-eur.xlsx"
    assert workbook.get_content().startswith(b"PK")
    assert len(mail.as_bytes()) < 1_000_000

    for run in schedule.runs.all():
        assert (run.state, run.attempts, run.sent_at, run.error) == ("sent", 1, AT, "")
        assert run.message_id in {one["Message-ID"] for one in office.taken}
    assert [event.payload["state"] for event in AccountEvent.objects.filter(kind="agents.report.sent")] == ["sent"] * 2


def test_the_header_ends_a_subscription_with_one_post_and_no_login(office: PostOffice, road: SmtpGateway) -> None:
    mine, other = supervisor(), supervisor()
    schedule = due(mine, other)
    report_sending.send_due(at=AT, road=road)

    mail = next(one for one in office.taken if one["To"] == other.email)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = mail["List-Unsubscribe"].strip("<>")
    assert url in mail.get_body(("plain",)).get_content()
    path = url.removeprefix(desk_settings.DESK_PUBLIC_URL)
    stranger = Client(enforce_csrf_checks=True)

    assert stranger.get(path).status_code == 200
    assert schedule.recipients.get(agent=other).left_at is None
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200

    row = schedule.recipients.get(agent=other)
    assert row.unsubscribed
    assert row.left_at is not None
    assert schedule.recipients.get(agent=mine).left_at is None
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert AccountEvent.objects.filter(kind="agents.report.stopped").count() == 1
    tomorrow = TODAY + timedelta(days=1)
    close(tomorrow)
    assert reports.fall_due(at=moment(tomorrow, 8)) == 1


def test_a_second_pass_sends_nothing_more(office: PostOffice, road: SmtpGateway) -> None:
    due()

    report_sending.send_due(at=AT, road=road)
    reports.fall_due(at=AT)

    assert report_sending.send_due(at=AT + timedelta(hours=1), road=road) == {}
    assert len(office.taken) == 1


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        ({"is_active": False}, "may not see these figures any more"),
        ({"all_teams": False}, "may not see these figures any more"),
        ({"email": ""}, "has no mail address"),
    ],
)
def test_who_may_no_longer_see_it_gets_nothing_and_the_owner_reads_why(
    lost: dict[str, Any], why: str, office: PostOffice, road: SmtpGateway
) -> None:
    mine, other = supervisor(), supervisor()
    schedule = due(mine, other)
    Agent.objects.filter(pk=other.pk).update(**lost)

    assert report_sending.send_due(at=AT, road=road) == {"sent": 1, "withheld": 1}

    assert [mail["To"] for mail in office.taken] == [mine.email]
    client = Client()
    client.force_login(mine)
    page = client.get(f"/supervise/reports/{schedule.pk}/").content.decode()
    assert why in page
    assert "Not sent" in page
    assert "1 not sent" in client.get("/supervise/reports/").content.decode()
    [event] = AccountEvent.objects.filter(kind="agents.report.not_sent")
    assert event.reason == why


def test_who_lost_the_role_or_changed_the_team_gets_nothing(office: PostOffice, road: SmtpGateway) -> None:
    north, south = make_team("North"), make_team("South")
    make_item(late(), team=north)
    owner, moved, agent = supervisor(), supervisor(team=north, all_teams=False), supervisor(team=north)
    due(owner, moved, agent, scope=Scope("team", "North"))
    Agent.objects.filter(pk=moved.pk).update(team=south)
    agent.groups.clear()

    assert report_sending.send_due(at=AT, road=road) == {"sent": 1, "withheld": 2}
    assert [mail["To"] for mail in office.taken] == [owner.email]


def test_an_address_outside_gets_it_while_its_domain_and_its_owner_may(
    office: PostOffice, road: SmtpGateway, settings: Any
) -> None:
    settings.DESK_REPORT_DOMAINS = ["board.example"]
    owner = supervisor()
    schedule = due(owner, outside=[("chair@board.example", "de")])
    assert report_sending.send_due(at=AT, road=road) == {"sent": 2}
    assert {mail["Content-Language"] for mail in office.taken if mail["To"] == "chair@board.example"} == {"de"}

    for day, change in ((1, {"DESK_REPORT_DOMAINS": []}), (2, {"owner": False})):
        on = TODAY + timedelta(days=day)
        close(on)
        reports.fall_due(at=moment(on, 8))
        settings.DESK_REPORT_DOMAINS = change.get("DESK_REPORT_DOMAINS", ["board.example"])
        if "owner" in change:
            Agent.objects.filter(pk=owner.pk).update(is_active=False)
        report_sending.send_due(at=moment(on, 8), road=road)
    late_runs = schedule.runs.filter(recipient__agent=None, as_of__gt=TODAY).order_by("as_of")
    assert [(run.state, run.error) for run in late_runs] == [
        ("withheld", "mails to this domain are not allowed"),
        ("withheld", "who ordered it may not see these figures any more"),
    ]


def test_who_stopped_it_or_was_taken_off_after_it_was_made_gets_nothing(office: PostOffice, road: SmtpGateway) -> None:
    mine, stopped, off = supervisor(), supervisor(), supervisor()
    schedule = due(mine, stopped, off)
    reports.stop(schedule.recipients.get(agent=stopped), at=AT)
    schedule.recipients.filter(agent=off).update(left_at=AT)

    assert report_sending.send_due(at=AT, road=road) == {"sent": 1, "withheld": 2}
    assert {run.error for run in schedule.runs.filter(state="withheld")} == {
        "wants no more of it", "is not on the list any more",
    }  # fmt: skip


def test_a_report_paused_after_it_was_made_does_not_leave(office: PostOffice, road: SmtpGateway) -> None:
    person = supervisor()
    schedule = due(person)
    reports.pause(schedule.pk, by=person, at=AT)

    assert report_sending.send_due(at=AT, road=road) == {"withheld": 1}
    assert not office.taken


def test_a_relay_that_is_busy_is_asked_again_later_and_at_last_given_up(office: PostOffice, road: SmtpGateway) -> None:
    schedule = due()
    office.content_answer = "451 try later"
    at, waits = AT, []
    for attempt in range(1, report_sending.MOST_ATTEMPTS + 1):
        ended = report_sending.send_due(at=at, road=road)
        run = schedule.runs.get()
        assert run.attempts == attempt
        if run.send_at is None:
            break
        assert ended == {"waiting": 1}
        assert report_sending.send_due(at=run.send_at - timedelta(seconds=1), road=road) == {}
        waits.append(run.send_at - at)
        at = run.send_at
    assert (run.state, run.error) == ("given_up", "451 try later")
    assert len(waits) == report_sending.MOST_ATTEMPTS - 1
    assert waits == sorted(waits)[: len(waits)] or max(waits) <= report_sending.LONGEST_WAIT
    assert timedelta(hours=3) < sum(waits, timedelta()) < timedelta(hours=24)
    assert not office.taken

    office.content_answer = ""
    assert reports.send_again(run.pk, by=schedule.owner, at=at)
    assert report_sending.send_due(at=at, road=road) == {"sent": 1}
    assert not reports.send_again(run.pk, by=schedule.owner, at=at)


def test_a_relay_that_comes_back_gets_the_same_mail(office: PostOffice, road: SmtpGateway) -> None:
    schedule = due()
    office.sender_answer = "451 not now"
    report_sending.send_due(at=AT, road=road)
    office.sender_answer = ""
    run = schedule.runs.get()
    assert run.send_at is not None

    assert report_sending.send_due(at=run.send_at, road=road) == {"sent": 1}
    assert (schedule.runs.get().attempts, schedule.runs.get().error) == (2, "")


def test_an_address_that_does_not_exist_is_an_answer_and_not_tried_again(office: PostOffice, road: SmtpGateway) -> None:
    schedule = due()
    office.recipient_answer = "550 5.1.1 no such user"

    assert report_sending.send_due(at=AT, road=road) == {"failed": 1}
    assert schedule.runs.get().error == "550 5.1.1 no such user"
    assert report_sending.send_due(at=AT + timedelta(days=1), road=road) == {}


def test_a_relay_that_is_down_is_left_alone_after_a_few_tries(office: PostOffice) -> None:
    due(*(supervisor() for _ in range(8)))
    with relay(office) as port:
        pass
    with contextlib.closing(gateway(port)) as road:
        assert report_sending.send_due(at=AT, road=road) == {"waiting": 5}
    assert states().count("pending") == 8


def test_a_day_without_a_record_of_the_scope_says_so(office: PostOffice, road: SmtpGateway) -> None:
    schedule = due(scope=Scope("segment", "nobody"))

    assert report_sending.send_due(at=AT, road=road) == {"failed": 1}
    assert "Nothing was recorded of segment:nobody over 7 days on 2026-03-10" in schedule.runs.get().error


# Killed in between ---------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The worker is gone, as by SIGKILL: nothing after it runs."""


class DiesBefore(SmtpGateway):
    """Nothing has left yet."""

    def hand_over(self, message: Any, /) -> Any:
        raise Killed


class DiesAfter(SmtpGateway):
    """The relay has it."""

    def hand_over(self, message: Any, /) -> Any:
        super().hand_over(message)
        raise Killed


@pytest.mark.parametrize(("worker", "arrived"), [(DiesBefore, 0), (DiesAfter, 1)])
def test_a_worker_killed_in_the_middle_of_the_hand_over_leaves_a_mail_in_doubt_that_no_worker_repeats(
    worker: type[SmtpGateway], arrived: int, office: PostOffice
) -> None:
    schedule = due()
    with relay(office) as port:
        sound = gateway(port)
        dying = worker(sound._relay, sender="desk@northwind.example", now=lambda: AT)
        with pytest.raises(Killed):
            report_sending.send_due(at=AT, road=dying)
        assert states() == ["sending"]
        within_the_lease = AT + report_sending.LEASE - timedelta(seconds=1)
        assert report_sending.send_due(at=within_the_lease, road=sound) == {}
        later = AT + report_sending.LEASE + timedelta(seconds=1)
        assert report_sending.send_due(at=later, road=sound) == {"doubtful": 1}
        assert report_sending.send_due(at=later + timedelta(days=1), road=sound) == {}
        assert len(office.taken) == arrived

        assert reports.send_again(schedule.runs.get().pk, by=schedule.owner, at=later)
        assert report_sending.send_due(at=later, road=sound) == {"sent": 1}
        sound.close()
        dying.close()
    assert len({mail["Message-ID"] for mail in office.taken[arrived:]}) == 1
    assert schedule.runs.get().state == "sent"


def test_a_worker_killed_while_it_composes_leaves_nothing_in_doubt(office: PostOffice, road: SmtpGateway) -> None:
    schedule = due()
    taken = report_sending._take(AT)
    assert taken is not None

    assert report_sending.send_due(at=AT + timedelta(minutes=1), road=road) == {}
    assert report_sending.send_due(at=AT + report_sending.LEASE + timedelta(seconds=1), road=road) == {"sent": 1}
    assert len(office.taken) == 1
    assert schedule.runs.get().attempts == 1


def test_a_worker_that_wakes_after_its_lease_hands_over_nothing(office: PostOffice, road: SmtpGateway) -> None:
    schedule = due()
    asleep = report_sending._take(AT)
    assert asleep is not None
    later = AT + report_sending.LEASE + timedelta(seconds=1)
    report_sending.send_due(at=later, road=road)

    assert not report_sending._intend(asleep, later)
    assert len(office.taken) == 1
    assert schedule.runs.get().state == "sent"


def test_where_the_far_side_knows_our_key_the_same_mail_is_handed_over_again(settings: Any) -> None:
    schedule = due()

    class Dying(OutboxGateway):
        def hand_over(self, handed: Any, /) -> Any:
            super().hand_over(handed)
            raise Killed

    with pytest.raises(Killed):
        report_sending.send_due(at=AT, road=Dying("email", now=lambda: AT))
    later = AT + report_sending.LEASE + timedelta(seconds=1)
    sound = OutboxGateway("email", now=lambda: later)

    assert report_sending.send_due(at=later, road=sound) == {"sent": 1}
    [kept] = OutboxMessage.objects.all()
    assert kept.to == schedule.owner.email
    assert "data:image/png;base64," in kept.html
    assert "cid:" not in kept.html


# For oneself, at once ------------------------------------------------------------------------------------------------


def test_whoever_asks_gets_it_at_once_beside_the_list_and_as_often_as_they_ask(
    office: PostOffice, road: SmtpGateway
) -> None:
    owner = supervisor()
    schedule = due(owner)
    report_sending.send_due(at=AT, road=road)

    for _ in range(2):
        reports.ask(schedule.pk, by=owner, at=AT)
    assert report_sending.send_due(at=AT, road=road) == {"sent": 2}

    assert len({mail["Message-ID"] for mail in office.taken}) == 3
    asked = office.taken[1]
    assert asked["List-Unsubscribe"] is None
    assert f"/supervise/reports/{schedule.pk}/" in asked.get_body(("plain",)).get_content()


def test_asking_too_is_judged_when_it_is_sent(office: PostOffice, road: SmtpGateway) -> None:
    owner = supervisor()
    schedule = due(owner)
    report_sending.send_due(at=AT, road=road)
    run = reports.ask(schedule.pk, by=owner, at=AT)
    Agent.objects.filter(pk=owner.pk).update(all_teams=False)

    report_sending.send_due(at=AT, road=road)

    assert ReportRun.objects.get(pk=run.pk).state == "withheld"
    assert len(office.taken) == 1


# The command and the task --------------------------------------------------------------------------------------------


def test_the_task_makes_and_sends_what_is_due(office: PostOffice, settings: Any, monkeypatch: Any) -> None:
    late()
    ordered(supervisor(), at=datetime(2026, 3, 9, 8, tzinfo=AT.tzinfo))
    close(TODAY)
    with relay(office) as port:
        settings.GATEWAYS = {**settings.GATEWAYS, "email": {"url": f"smtp://127.0.0.1:{port}"}}
        tasks.send_reports()
        tasks.send_reports()

    assert [mail["Subject"] for mail in office.taken] == ["The day: 7 days until 10 Mar 2026"]
    assert "collections_desk.tasks.send_reports" in {one["task"] for one in settings.CELERY_BEAT_SCHEDULE.values()}


def test_the_command_says_what_would_be_sent_and_sends_a_day(capsys: Any) -> None:
    late()
    person, silent = supervisor(), supervisor(email="")
    schedule = ordered(person, people=[person, silent])
    ordered(person, every="week", weekday=5, title="Fridays")
    close(TODAY)

    call_command("send_reports", as_of=TODAY, dry_run=True)

    told = capsys.readouterr().out
    assert told == (
        f"{schedule.pk} The day, 2026-03-10: {person.username}, {silent.username} (not sent: has no mail address)\n"
    )
    assert not ReportRun.objects.exists()
    call_command("send_reports", as_of=TODAY)
    assert capsys.readouterr().out == "1 sent, 1 withheld\n"
    call_command("send_reports", as_of=TODAY)
    assert capsys.readouterr().out == "nothing was due\n"
    assert OutboxMessage.objects.count() == 1
