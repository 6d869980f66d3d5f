"""Accounts that belong together: seen together, taken together, finished together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from agents import calls, links, queue
from agents.models import Agent, Interaction, Note, WorkItem
from dunning import contact, reading
from tests.agents.test_views_account import opened, signed_in
from tests.factories import make_account, make_agent, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db


def family(**columns: Any) -> tuple[Account, Account, Account]:
    """An account in the queue, another of the same customer, and a child of somebody else that it pays for."""
    today = timezone.now().date()
    account = owing("100.00", as_of=today)
    other = owing("50.00", as_of=today, customer=account.customer)
    child = owing("20.00", as_of=today, parent=account)
    for row in (account, other, child):
        make_item(row, **columns)
    return account, other, child


def shown(account: Account, agent: Agent) -> dict[str, str]:
    rows = links.told(links.beside(account, agent), account=account, agent=agent, at=timezone.now())
    return {row.account.ref: f"{row.relation}, {row.state}" for row in rows}


def test_linked_are_the_customers_others_the_parent_and_the_children() -> None:
    account, other, child = family()
    stranger, nadia = owing("9.00", as_of=timezone.now().date()), make_agent()

    assert shown(account, nadia) == {
        other.ref: "Same customer, free",
        child.ref: "Child: this one pays for it, free",
    }
    assert shown(child, nadia) == {account.ref: "Parent: pays for this one, free"}
    assert shown(stranger, nadia) == {}


def test_what_is_behind_the_team_wall_is_not_linked() -> None:
    account, other, child = family()
    WorkItem.objects.filter(account=other).update(team=make_team("South"))
    north = make_agent(team=make_team("North"))

    assert set(shown(account, north)) == {child.ref}
    assert set(shown(account, make_agent(role="supervisor"))) == {other.ref, child.ref}


def test_taking_them_together_takes_the_free_ones_and_nobody_else_is_offered_the_customer() -> None:
    account, other, child = family()
    nadia, luis = make_agent(), make_agent(first_name="Luis", last_name="Ortega")
    queue.claim(account_id=child.pk, agent=luis, at=timezone.now())
    client, _ = opened_in(account, nadia)

    page = client.post(f"/accounts/{account.ref}/together/", follow=True).content.decode()

    assert "1 linked account is yours too." in page
    assert f"Others work on {child.ref}." in page
    assert "Luis Ortega" in page
    assert f'value="{other.ref}" checked' in page
    assert WorkItem.objects.get(account=other).claimed_by == nadia
    assert queue.claim(account_id=other.pk, agent=luis, at=timezone.now()) is None
    assert queue.claim_next(agent=make_agent(), at=timezone.now()) is None


def test_the_heartbeat_of_one_keeps_them_all() -> None:
    account, other, _ = family()
    nadia = make_agent()
    client, item = opened_in(account, nadia)
    client.post(f"/accounts/{account.ref}/together/")
    soon = timezone.now() + timedelta(minutes=1)
    WorkItem.objects.filter(claimed_by=nadia).update(lease_until=soon)

    assert client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk}).status_code == 200

    kept = WorkItem.objects.get(account=other).lease_until
    assert kept is not None
    assert kept > soon


def test_saving_finishes_the_ticked_ones_with_the_same_outcome_and_one_call() -> None:
    account, other, child = family()
    nadia = make_agent()
    client, item = opened_in(account, nadia)
    client.post(f"/accounts/{account.ref}/together/")

    client.post(
        f"/accounts/{account.ref}/note/",
        {"item": item.pk, "text": "Spoke about all of it", "then": "next", "together": [other.ref]},
    )

    assert WorkItem.objects.get(account=account).done_at is not None
    done = WorkItem.objects.get(account=other)
    assert (done.done_by, done.outcome) == (nadia, "note")
    assert Note.objects.get(account=other).text.startswith(f"Spoken about together with account {account.ref}")
    assert WorkItem.objects.get(account=child).done_at is None
    assert not Interaction.objects.exists()


def test_a_call_about_several_accounts_is_one_call_in_the_eyes_of_every_gate() -> None:
    account, other, _ = family()
    nadia, now = make_agent(), timezone.now()
    for row in (account, other):
        queue.claim(account_id=row.pk, agent=nadia, at=now)
    Interaction.objects.create(
        ref="I1", account=account, agent=nadia, direction="outbound", disposition="no_answer", at=now
    )

    links.finish_together(
        account=account, refs=[other.ref], outcome="no_answer", said="No answer", not_before=None, called=True,
        agent=nadia, as_of=now.date(), at=now,
    )  # fmt: skip

    later = now + timedelta(seconds=1)
    talked = calls.talks_of([account.pk, other.pk], later)
    assert [len(talked[row.pk].contacts) for row in (account, other)] == [1, 1]
    assert [len(talks.contacts) for talks in calls.talks_of([other.pk], later).values()] == [1]
    gate = contact.Gate(reading.read([account.pk], as_of=now.date()), at=later, as_of=now.date(), talks=calls.talks_of)
    facts = gate.facts_of(account.pk, contact.contact_action("call", automated=False))
    assert len(facts.contacts) == 1
    assert "AlsoReached" not in facts.parts  # the same call, not another with the same person


def test_nothing_is_finished_that_is_not_linked_or_not_mine() -> None:
    account, other, child = family()
    nadia, luis, now = make_agent(), make_agent(), timezone.now()
    stranger = owing("9.00", as_of=now.date())
    make_item(stranger)
    queue.claim(account_id=stranger.pk, agent=nadia, at=now)
    queue.claim(account_id=other.pk, agent=luis, at=now)

    finished = links.finish_together(
        account=account, refs=[stranger.ref, other.ref, child.ref], outcome="busy", said="Busy", not_before=None,
        called=True,
        agent=nadia, as_of=now.date(), at=now,
    )  # fmt: skip

    assert finished == []
    assert not WorkItem.objects.exclude(done_at=None).exists()


def test_another_teams_account_cannot_be_worked_together() -> None:
    account = owing("10.00", as_of=timezone.now().date())
    make_item(account, team=make_team("South"))

    assert signed_in(make_agent(team=make_team("North"))).post(f"/accounts/{account.ref}/together/").status_code == 404


def test_a_child_that_pays_itself_is_a_child_all_the_same() -> None:
    account = make_account(customer=make_customer())
    child = make_account(parent=account, pays_itself=True)

    assert shown(account, make_agent()) == {child.ref: "Child, nowhere"}


def opened_in(account: Account, agent: Agent) -> Any:
    """The account open at an agent who holds its place in the queue."""
    item = WorkItem.objects.get(account=account)
    client = signed_in(agent)
    assert client.get(f"/accounts/{account.ref}/").status_code == 200
    return client, item


def test_a_lone_account_shows_that_it_has_no_others() -> None:
    account = make_account()
    client, _ = opened(account, make_agent())

    assert "No linked accounts" in client.get(f"/accounts/{account.ref}/").content.decode()
