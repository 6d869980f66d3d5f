"""Keeping a service from limits: how far ahead, what is told, and who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import events, keeping
from accounts.models import Account, Service
from agents import rights
from agents.models import Agent
from tests.factories import TODAY, kinds_of, make_account, make_agent, make_item, make_service, make_team, moment, owing

pytestmark = pytest.mark.django_db


def ahead(days: int) -> Any:
    return TODAY + timedelta(days=days)


def keep(service: Service, days: int, **options: Any) -> Service:
    given = {"reason": "depended_on", "actor": "agent:sofia", "as_of": TODAY, "at": moment()}
    return keeping.keep(service_id=service.pk, until=ahead(days), **{**given, **options})


def let_go(service: Service) -> Service:
    return keeping.let_go(service_id=service.pk, reason="over", actor="agent:sofia", as_of=TODAY, at=moment())


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize("days", [0, 1, 90])
def test_a_service_is_kept_up_to_and_including_its_last_day(days: int) -> None:
    service = keep(make_service(make_account()), days)
    assert keeping.is_kept(service, as_of=ahead(days))
    assert not keeping.is_kept(service, as_of=ahead(days + 1))


@pytest.mark.parametrize("days", [-1, 91])
def test_a_day_that_is_over_or_too_far_ahead_is_refused(days: int) -> None:
    service = make_service(make_account())
    with pytest.raises(keeping.CannotKeep):
        keep(service, days)
    assert Service.objects.get().keep_until is None
    assert kinds_of(service.account) == []


def test_it_is_told_once_with_its_reason_and_both_days() -> None:
    service = make_service(make_account())
    keep(service, 10)
    keep(service, 10)
    keep(service, 5)
    told = [(event.kind, event.reason, event.payload) for event in service.account.events.order_by("pk")]
    assert told == [
        (events.SERVICE_KEPT, "depended_on", {"service": service.ref, "until": "2026-03-20", "before": None}),
        (events.SERVICE_KEPT, "depended_on", {"service": service.ref, "until": "2026-03-15", "before": "2026-03-20"}),
    ]


def test_it_is_let_go_once() -> None:
    service = make_service(make_account())
    with pytest.raises(keeping.CannotLetGo):
        let_go(service)
    keep(service, 5)
    assert let_go(service).keep_until is None
    with pytest.raises(keeping.CannotLetGo):
        let_go(service)
    assert kinds_of(service.account) == [events.SERVICE_KEPT, events.SERVICE_LET_GO]


@pytest.mark.parametrize(
    ("role", "kept", "until", "may"),
    [
        ("agent", None, 14, True),
        ("agent", None, 15, False),
        ("agent", 30, 14, False),  # a supervisor kept it for longer
        ("agent", 14, None, True),
        ("agent", 30, None, False),
        ("supervisor", None, 90, True),
        ("supervisor", None, 91, False),
        ("supervisor", 30, None, True),
        ("admin", None, 90, True),
    ],
)
def test_agents_keep_two_weeks_supervisors_as_long_as_anybody(
    role: str, kept: int | None, until: int | None, may: bool
) -> None:
    service = make_service(make_account(), keep_until=None if kept is None else ahead(kept))
    wanted = None if until is None else ahead(until)
    assert rights.may_keep(make_agent(role), service, as_of=TODAY, until=wanted) is may


# The page.


def late_account(**columns: Any) -> tuple[Account, Service]:
    account = owing(as_of=timezone.now().date(), **columns)
    return account, make_service(account, number="+442079460001")


def day(days: int) -> str:
    return (timezone.now().date() + timedelta(days=days)).isoformat()


def test_an_agent_keeps_a_service_on_the_account_page_and_lets_it_go() -> None:
    account, service = late_account()
    client = signed_in(make_agent())
    address = f"/accounts/{account.ref}/services/{service.ref}/keep/"
    assert "Keep from limits" in client.get(f"/accounts/{account.ref}/").content.decode()
    assert client.post(address, {"until": day(10), "why": "complaint"}).status_code == 302
    service.refresh_from_db(fields=["keep_until"])
    assert service.keep_until is not None
    assert service.keep_until.isoformat() == day(10)
    assert "kept until" in client.get(f"/accounts/{account.ref}/").content.decode()
    assert client.post(address, {"let_go": "1"}).status_code == 302
    service.refresh_from_db(fields=["keep_until"])
    assert service.keep_until is None


@pytest.mark.parametrize(
    "posted", [{"until": day(15), "why": "complaint"}, {"until": "soon", "why": "complaint"}, {"until": day(3)}]
)
def test_what_an_agent_may_not_or_did_not_say_keeps_nothing(posted: dict[str, str]) -> None:
    account, service = late_account()
    client = signed_in(make_agent())
    answer = client.post(f"/accounts/{account.ref}/services/{service.ref}/keep/", posted, follow=True)
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]
    assert Service.objects.get(pk=service.pk).keep_until is None


def test_an_agent_does_not_take_back_what_a_supervisor_keeps() -> None:
    account, service = late_account()
    address = f"/accounts/{account.ref}/services/{service.ref}/keep/"
    signed_in(make_agent("supervisor")).post(address, {"until": day(60), "why": "our_mistake"})
    agent = signed_in(make_agent())
    assert agent.post(address, {"let_go": "1"}).status_code == 403
    agent.post(address, {"until": day(3), "why": "complaint"})
    kept = Service.objects.get(pk=service.pk).keep_until
    assert kept is not None
    assert kept.isoformat() == day(60)


def test_another_teams_or_another_accounts_service_is_not_there() -> None:
    account, service = late_account()
    other, _ = late_account()
    make_item(account, team=make_team())
    posted = {"until": day(3), "why": "complaint"}
    agent = signed_in(make_agent(team=make_team()))
    assert agent.post(f"/accounts/{account.ref}/services/{service.ref}/keep/", posted).status_code == 404
    assert agent.post(f"/accounts/{other.ref}/services/{service.ref}/keep/", posted).status_code == 404
    assert Service.objects.get(pk=service.pk).keep_until is None
