"""The demo's colleagues at work: the floor shows them, and what they do goes through the operations of the pages."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from agents import floor
from agents.models import Agent, Interaction, LiveCall, WorkItem
from collections_desk.demo import colleagues
from tests.factories import TODAY, make_agent, make_customer, make_item, moment, owing

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is as long as it must be for somebody to be left something."""
    monkeypatch.setattr(colleagues, "LEFT_ALONE", 2)
    for number in range(12):
        customer = make_customer(country="GB", phone=f"+44770090{number:04d}", timezone="Europe/London")
        make_item(owing("80.00", as_of=TODAY, customer=customer))
    colleagues.join()


def doing(at: object) -> dict[str, str]:
    supervisor = Agent.objects.filter(username="sam").first() or make_agent("supervisor", username="sam")
    return {person.username: person.doing for person in floor.now(at=at, user=supervisor).people}  # type: ignore[arg-type]  # moments


def test_they_work_here_in_their_roles_and_nobody_signs_in_as_one_of_them(open_accounts: None) -> None:
    colleagues.join()

    people = Agent.objects.filter(username__in=[row[0] for row in colleagues.COLLEAGUES])
    assert people.count() == len(colleagues.COLLEAGUES)
    assert not any(person.has_usable_password() for person in people)
    assert Agent.objects.get(username=colleagues.MANAGER).groups.get() == Group.objects.get(name="manager")


def test_whoever_looks_at_the_floor_finds_them_at_work(open_accounts: None) -> None:
    at = moment(TODAY, 12)

    colleagues.open_the_doors(at=at)

    found = doing(at)
    assert set(found) >= set(colleagues.AT_THE_TELEPHONE)
    assert {"talking", "account", "break"} <= set(found.values())
    foremost = WorkItem.objects.order_by("-score", "pk").values_list("pk", flat=True)[: colleagues.LEFT_ALONE]
    assert not WorkItem.objects.filter(pk__in=list(foremost)).exclude(claimed_by=None).exists()


def test_they_go_on_from_account_to_account_and_leave_nothing_open_for_ever(open_accounts: None) -> None:
    at, chance = moment(TODAY, 12), random.Random(7)
    colleagues.open_the_doors(at=at)

    for step in range(240):
        agent = Agent.objects.get(username=colleagues.AT_THE_TELEPHONE[step % len(colleagues.AT_THE_TELEPHONE)])
        colleagues.go_on(agent, at=at + timedelta(seconds=8 * step), chance=chance)

    logged = Interaction.objects.filter(kind="call")
    assert logged.count() > len(colleagues.AT_THE_TELEPHONE)
    assert set(logged.values_list("disposition", flat=True)) <= {"no_answer", "voicemail", "busy", "third_party"}
    open_calls = LiveCall.objects.exclude(state__in=("logged", "failed"))
    assert all(at + timedelta(seconds=8 * 240) - call.begun_at < timedelta(minutes=10) for call in open_calls)


def test_what_was_in_their_hands_when_the_desk_stopped_is_put_down(open_accounts: None) -> None:
    colleagues.open_the_doors(at=moment(TODAY, 9))

    colleagues.open_the_doors(at=moment(TODAY, 15))

    assert LiveCall.objects.filter(state="logged").exists()
    assert not WorkItem.objects.filter(claimed_by__isnull=False, lease_until__lt=moment(TODAY, 15)).exists()
