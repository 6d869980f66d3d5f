"""The pages of reports by mail: who reaches them, what is ordered on them, how a mail looks, and how one stops it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import reports
from agents.models import Agent, ReportRecipient, ReportRun, ReportSchedule
from agents.scopes import Scope
from tests.agents.reported import close, late, ordered, supervisor
from tests.factories import TODAY, make_agent, make_item, make_team, moment

pytestmark = pytest.mark.django_db

HERE = "/supervise/reports/"
AT = moment(TODAY, 8)


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def typed(by: Agent, **changed: Any) -> dict[str, Any]:
    """The form as it is sent."""
    return {
        "title": "Weekly", "every": "week", "weekday": "1", "month_day": "", "hour": "7", "scope": "all", "days": "7",
        "currency": "", "parts": ["figures", "ageing"], "people": [by.pk], **changed,
    }  # fmt: skip


def addresses(schedule: ReportSchedule, run: ReportRun) -> list[tuple[str, str]]:
    """Every address of a report, with how it is asked for."""
    one = f"{HERE}{schedule.pk}/"
    return [
        ("get", one), ("post", one), ("get", f"{one}mail.html"), ("get", f"{one}mail.txt"), ("post", f"{one}pause/"),
        ("post", f"{one}resume/"), ("post", f"{one}now/"), ("post", f"{HERE}mails/{run.pk}/again/"),
    ]  # fmt: skip


def a_failed_mail(schedule: ReportSchedule) -> ReportRun:
    return ReportRun.objects.create(
        schedule=schedule,
        as_of=TODAY,
        recipient=schedule.recipients.first(),
        made_at=AT,
        state="failed",
        error="550 no",
    )


# Who reaches them ---------------------------------------------------------------------------------------------------


def test_agents_and_team_leads_reach_none_of_it() -> None:
    late()
    close()
    schedule = ordered(supervisor())
    run = a_failed_mail(schedule)
    recipient = schedule.recipients.get()
    for role in ("agent", "specialist", "team_lead"):
        client = signed_in(make_agent(role, team=make_team()))
        for how, address in [
            ("get", HERE), ("get", f"{HERE}new/"), ("post", f"{HERE}new/"), ("post", f"{HERE}lists/{recipient.pk}/"),
            *addresses(schedule, run),
        ]:  # fmt: skip
            assert getattr(client, how)(address).status_code == 403, (role, address)
        assert HERE not in client.get("/queue/").content.decode()
    assert ReportRun.objects.get(pk=run.pk).state == "failed"


def test_visitors_are_sent_to_sign_in() -> None:
    schedule = ordered(supervisor())
    for how, address in addresses(schedule, a_failed_mail(schedule)):
        answer = getattr(Client(), how)(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/login/")


def test_somebody_elses_report_is_not_there() -> None:
    late()
    close()
    owner, other = supervisor(), supervisor()
    schedule = ordered(owner, people=[owner, other])
    run = a_failed_mail(schedule)
    client = signed_in(other)

    for how, address in addresses(schedule, run):
        assert getattr(client, how)(address, typed(other) if how == "post" else None).status_code == 404, address
    assert ReportRun.objects.get(pk=run.pk).state == "failed"
    schedule.refresh_from_db()
    assert (schedule.title, schedule.active) == ("The day", True)
    assert not ReportRun.objects.filter(asked_by=other).exists()
    assert client.post(f"{HERE}lists/{schedule.recipients.get(agent=owner).pk}/").status_code == 404


def test_somebody_kept_to_a_team_without_one_sees_nothing_and_whoever_has_one_reaches_its_scope_alone() -> None:
    north, south = make_team("North"), make_team("South")
    make_item(late(), team=north)
    make_item(late(), team=south)
    close()
    assert signed_in(supervisor(all_teams=False)).get(HERE).status_code == 403
    person = supervisor(team=north, all_teams=False)
    client = signed_in(person)

    page = client.get(f"{HERE}new/").content.decode()
    assert "team:North" in page
    assert "team:South" not in page
    assert 'value="all"' not in page
    for scope in ("all", "team:South", "segment:", "agent:somebody"):
        assert client.post(f"{HERE}new/", typed(person, scope=scope)).status_code == 422, scope
    assert client.post(f"{HERE}new/", typed(person, scope="team:North")).status_code == 302
    [schedule] = ReportSchedule.objects.all()
    assert (schedule.owner, schedule.dimension, schedule.member) == (person, "team", "North")


def test_nobody_of_another_team_can_be_chosen_by_somebody_kept_to_theirs() -> None:
    north, south = make_team("North"), make_team("South")
    person = supervisor(team=north, all_teams=False)
    stranger = supervisor(team=south, all_teams=False, first_name="Southern")
    client = signed_in(person)

    assert "Southern" not in client.get(f"{HERE}new/").content.decode()
    answer = client.post(f"{HERE}new/", typed(person, scope="team:North", people=[person.pk, stranger.pk]))

    assert answer.status_code == 422
    assert not ReportSchedule.objects.exists()


def test_a_report_of_what_its_owner_may_no_longer_see_is_shown_to_nobody_as_a_preview() -> None:
    north = make_team("North")
    late()
    close()
    person = supervisor(team=north)
    schedule = ordered(person)
    Agent.objects.filter(pk=person.pk).update(all_teams=False)
    client = signed_in(Agent.objects.get(pk=person.pk))

    assert client.get(f"{HERE}{schedule.pk}/mail.html").status_code == 404
    assert client.post(f"{HERE}{schedule.pk}/", typed(person)).status_code == 422


def test_an_admin_sees_everybodys_and_a_supervisor_their_own() -> None:
    mine, theirs = supervisor(), supervisor()
    ordered(mine, title="Mine of it")
    ordered(theirs, title="Theirs of it")

    page = signed_in(mine).get(HERE).content.decode()
    assert "Mine of it" in page
    assert "Theirs of it" not in page
    page = signed_in(make_agent("admin")).get(HERE).content.decode()
    assert "Mine of it" in page
    assert "Theirs of it" in page


# Ordering -----------------------------------------------------------------------------------------------------------


def test_a_report_is_ordered_read_again_and_ordered_otherwise() -> None:
    late()
    close()
    person, other = supervisor(), supervisor()
    client = signed_in(person)

    assert client.post(f"{HERE}new/", typed(person, people=[person.pk, other.pk])).status_code == 302
    [schedule] = ReportSchedule.objects.all()
    assert (schedule.every, schedule.weekday, schedule.parts) == ("week", 1, ["figures", "ageing"])
    assert "Every Monday, from 07:00" in client.get(HERE).content.decode()
    form = client.get(f"{HERE}{schedule.pk}/").context["form"]
    assert form.initial["people"] == [person.pk, other.pk]

    again = typed(person, every="month", weekday="", month_day="31", hour="18", parts=["figures"], days="90")
    assert client.post(f"{HERE}{schedule.pk}/", again).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.every, schedule.month_day, schedule.hour, schedule.days) == ("month", 31, 18, 90)
    assert [row.agent for row in schedule.recipients.filter(left_at=None)] == [person]
    assert "Every month on day 31, from 18:00" in client.get(HERE).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""}, {"every": "year"}, {"weekday": "8"}, {"every": "month", "month_day": ""}, {"month_day": "32"},
        {"hour": "24"}, {"scope": "team:Nowhere"}, {"scope": "nonsense"}, {"days": "8"}, {"currency": "XXX"},
        {"parts": []}, {"parts": ["gossip"]}, {"people": []}, {"people": ["999999"]},
    ],
)  # fmt: skip
def test_what_cannot_be_ordered_comes_back_with_a_word_about_it(wrong: dict[str, Any]) -> None:
    late()
    close()
    person = supervisor()

    answer = signed_in(person).post(f"{HERE}new/", typed(person, **wrong))

    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert not ReportSchedule.objects.exists()


def test_addresses_outside_are_asked_for_where_domains_are_allowed(settings: Any) -> None:
    person = supervisor()
    client = signed_in(person)
    settings.DESK_REPORT_DOMAINS = []
    assert 'name="outside"' not in client.get(f"{HERE}new/").content.decode()
    client.post(f"{HERE}new/", typed(person, outside="chair@board.example"))
    assert not ReportRecipient.objects.filter(agent=None).exists()

    settings.DESK_REPORT_DOMAINS = ["board.example"]
    assert 'name="outside"' in client.get(f"{HERE}new/").content.decode()
    answer = client.post(f"{HERE}new/", typed(person, outside="chair@elsewhere.example"))
    assert answer.status_code == 422
    assert (
        client.post(f"{HERE}new/", typed(person, outside="chair@board.example  de\n\n x@board.example")).status_code
        == 302
    )
    rows = ReportRecipient.objects.filter(agent=None).order_by("pk").values_list("address", "language")
    assert list(rows) == [("chair@board.example", "de"), ("x@board.example", "")]
    form = client.get(f"{HERE}{ReportSchedule.objects.latest('pk').pk}/").context["form"]
    assert form.initial["outside"] == "chair@board.example de\nx@board.example"


def test_pausing_resuming_and_asking_for_it_now() -> None:
    late()
    close()
    person = supervisor()
    schedule = ordered(person)
    client = signed_in(person)

    client.post(f"{HERE}{schedule.pk}/pause/")
    assert "paused" in client.get(HERE).content.decode()
    client.post(f"{HERE}{schedule.pk}/resume/", {"back": str(schedule.pk)})
    schedule.refresh_from_db()
    assert schedule.active
    answer = client.post(f"{HERE}{schedule.pk}/now/", follow=True)
    assert f"On its way to {person.email}." in answer.content.decode()
    run = ReportRun.objects.get()
    assert (run.asked_by, run.recipient, run.as_of, run.state) == (person, None, TODAY, "pending")
    for path in ("pause/", "resume/", "now/"):
        assert client.get(f"{HERE}{schedule.pk}/{path}").status_code == 405


def test_without_an_address_or_a_recorded_day_nothing_is_on_its_way() -> None:
    person = supervisor(email="")
    schedule = ordered(person)
    client = signed_in(person)

    assert "No day has been recorded yet." in client.post(f"{HERE}{schedule.pk}/now/", follow=True).content.decode()
    late()
    close()
    page = client.post(f"{HERE}{schedule.pk}/now/", follow=True).content.decode()
    assert "Your account has no mail address." in page
    assert not ReportRun.objects.exists()


def test_a_mail_that_failed_is_shown_with_its_reason_and_sent_again() -> None:
    late()
    close()
    person = supervisor()
    schedule = ordered(person)
    run = a_failed_mail(schedule)
    client = signed_in(person)

    page = client.get(f"{HERE}{schedule.pk}/").content.decode()
    assert "550 no" in page
    assert "Refused" in page
    assert "1 refused" in client.get(HERE).content.decode()
    client.post(f"{HERE}mails/{run.pk}/again/", {"back": str(schedule.pk)})
    run.refresh_from_db()
    assert (run.state, run.attempts, run.error) == ("pending", 0, "")


# How it looks -------------------------------------------------------------------------------------------------------


def test_the_preview_is_the_mail_with_its_pictures_inside_and_may_load_nothing() -> None:
    late()
    close(TODAY - timedelta(days=7))
    late("50.00")
    close()
    person = supervisor()
    schedule = ordered(person)
    client = signed_in(person)

    answer = client.get(f"{HERE}{schedule.pk}/mail.html")

    html = answer.content.decode()
    assert "The day" in html
    assert 'src="data:image/png;base64,' in html
    assert "cid:" not in html
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy
    assert "script-src" not in policy
    text = client.get(f"{HERE}{schedule.pk}/mail.txt")
    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert "Past due at the end" in text.content.decode()
    earlier = client.get(f"{HERE}{schedule.pk}/mail.txt?as_of={TODAY - timedelta(days=7)}&language=de")
    assert "3 März 2026" in earlier.content.decode()
    assert client.get(f"{HERE}{schedule.pk}/mail.pdf").status_code == 404
    assert client.get(f"{HERE}{schedule.pk}/mail.html?as_of=2020-01-01").status_code == 404
    assert not ReportRun.objects.exists()


# No more of it ------------------------------------------------------------------------------------------------------


def test_who_is_on_somebodys_list_stops_it_and_gets_it_again() -> None:
    owner, other = supervisor(), supervisor()
    schedule = ordered(owner, people=[owner, other], title="Sent by Omar")
    row = schedule.recipients.get(agent=other)
    client = signed_in(other)

    assert "Sent by Omar" in client.get(HERE).content.decode()
    client.post(f"{HERE}lists/{row.pk}/")
    row.refresh_from_db()
    assert row.unsubscribed
    assert "Get it again" in client.get(HERE).content.decode()
    assert str(other) in signed_in(owner).get(f"{HERE}{schedule.pk}/").content.decode()
    client.post(f"{HERE}lists/{row.pk}/")
    row.refresh_from_db()
    assert (row.unsubscribed, row.left_at) == (False, None)


def test_the_page_of_a_link_is_in_the_readers_language_and_a_forged_one_is_none() -> None:
    person = supervisor(interface_language="de")
    schedule = ordered(person, title="Der Tag")
    token = reports.stop_token(schedule.recipients.get())

    page = Client().get(f"/reports/stop/{token}/").content.decode()
    assert "Der Tag" in page
    assert 'lang="de"' in page
    assert Client().post("/reports/stop/forged/").status_code == 404
    assert Client().get(f"/reports/stop/{token}x/").status_code == 404
    assert Client().put(f"/reports/stop/{token}/").status_code == 405
    assert schedule.recipients.get().left_at is None


# Budgets ------------------------------------------------------------------------------------------------------------


def test_many_reports_people_and_mails_ask_the_database_no_more_than_few() -> None:
    late()
    close()
    person = supervisor()
    schedule = ordered(person)
    reports.fall_due(at=AT)
    client = signed_in(person)
    client.get(HERE)

    def counted(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        return len(asked)

    pages = (HERE, f"{HERE}new/", f"{HERE}{schedule.pk}/")
    few = [counted(page) for page in pages]
    others = [supervisor(team=make_team()) for _ in range(4)]
    for number in range(4):
        more = ordered(person, people=[person, *others], title=f"More {number}")
        ordered(others[0], people=[person], title=f"Theirs {number}")
        for other in others:
            ReportRun.objects.create(
                schedule=more, as_of=TODAY, recipient=more.recipients.get(agent=other), made_at=AT, state="sent"
            )
    reports.change(schedule.pk, reports.Terms(title="The day", every="day", people=[person, *others]), by=person, at=AT)
    reports.make_of_day(as_of=TODAY, at=AT)

    assert [counted(page) for page in pages] == few
    assert max(few) <= 13


def test_the_scope_of_a_report_that_is_not_recorded_any_more_stays_in_its_form() -> None:
    late()
    close()
    person = supervisor()
    schedule = ordered(person, scope=Scope("segment", "gone"))

    page = signed_in(person).get(f"{HERE}{schedule.pk}/").content.decode()

    assert '<option value="segment:gone" selected>gone</option>' in page
