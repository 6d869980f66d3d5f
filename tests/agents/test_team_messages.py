"""A supervisor's word to a team: who reads it, until when, and who saw it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccountEvent
from agents import card_numbers, kinds, team_messages
from agents.models import Agent, MessageSeen, Team, TeamMessage
from tests.factories import make_agent, make_team, moment

pytestmark = pytest.mark.django_db

NOON = moment()
LATER = NOON + timedelta(hours=4)


@pytest.fixture
def sam() -> Agent:
    return make_agent("supervisor", username="sam")


def told(agent: Agent, **given: Any) -> TeamMessage:
    return team_messages.send(
        **{"text": "The lines are down", "team": None, "until": LATER, "at": NOON, **given}, agent=agent
    )


def waits_for(agent: Agent, *, minutes: int = 1) -> list[str]:
    return [row.text for row in team_messages.waiting(agent=agent, at=NOON + timedelta(minutes=minutes))]


def test_a_team_reads_what_is_for_it_and_what_is_for_everybody(sam: Agent) -> None:
    north, south = make_team(), make_team()
    told(sam, text="All", team=None)
    told(sam, text="North", team=north, at=NOON + timedelta(seconds=1))

    assert waits_for(make_agent(team=north)) == ["All", "North"]
    assert waits_for(make_agent(team=south)) == ["All"]
    assert waits_for(make_agent()) == ["All"]
    assert waits_for(sam) == []


def test_it_stays_until_they_saw_it(sam: Agent) -> None:
    nadia, lena = make_agent(), make_agent()
    message = told(sam)

    for _ in range(2):
        assert team_messages.see(message_id=message.pk, agent=nadia, at=NOON)

    assert waits_for(nadia) == []
    assert waits_for(lena) == ["The lines are down"]
    assert MessageSeen.objects.count() == 1


def test_it_ends_by_its_moment(sam: Agent) -> None:
    told(sam, until=NOON + timedelta(minutes=30))

    assert waits_for(make_agent(), minutes=29) != []
    assert waits_for(make_agent(), minutes=30) == []


def test_taken_back_it_is_gone_and_both_are_events(sam: Agent) -> None:
    message = told(sam)

    assert team_messages.end(message_id=message.pk, agent=sam, at=NOON + timedelta(minutes=1))
    assert not team_messages.end(message_id=message.pk, agent=sam, at=NOON + timedelta(minutes=1))

    assert waits_for(make_agent()) == []
    written = list(AccountEvent.objects.order_by("pk").values_list("kind", "actor"))
    assert written == [(kinds.TEAM_MESSAGE_SENT, "agent:sam"), (kinds.TEAM_MESSAGE_ENDED, "agent:sam")]


def test_what_is_written_is_no_event_payload(sam: Agent) -> None:
    message = told(sam, text="Call Mrs Smith first")

    assert "Smith" not in str(AccountEvent.objects.get().payload)
    assert AccountEvent.objects.get().payload["message"] == message.pk


def test_only_so_many_are_before_somebody_at_once(sam: Agent) -> None:
    for number in range(4):
        told(sam, text=f"No. {number}", at=NOON - timedelta(minutes=4 - number))

    assert waits_for(make_agent()) == ["No. 0", "No. 1"]


@pytest.mark.parametrize(
    "given",
    [
        {"text": "  "},
        {"text": "x" * 301},
        {"until": NOON},
        {"until": NOON + timedelta(days=7, seconds=1)},
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], sam: Agent) -> None:
    with pytest.raises(team_messages.CannotSend):
        told(sam, **given)


def test_a_card_number_is_not_kept(sam: Agent) -> None:
    with pytest.raises(card_numbers.CannotKeepCard):
        told(sam, text="Use 4111 1111 1111 1111")


def test_seen_is_counted_of_those_it_is_for(sam: Agent) -> None:
    north = make_team()
    nadia, _ = make_agent(team=north), make_agent(team=north)
    make_agent(team=north, is_active=False)
    message = told(sam, team=north)
    everybody = told(sam, at=NOON + timedelta(seconds=1))
    team_messages.see(message_id=message.pk, agent=nadia, at=NOON)

    first, second = team_messages.listed(agent=sam, at=NOON)

    assert (first.message, first.seen, first.people) == (everybody, 0, 3)
    assert (second.message, second.seen, second.people, second.is_running) == (message, 1, 2, True)
    assert [row.agent for row in team_messages.who_saw(message_id=message.pk, agent=sam)] == [nadia]


def test_the_list_takes_as_many_queries_for_any_number(sam: Agent) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as taken:
            team_messages.listed(agent=sam, at=NOON)
        return len(taken)

    told(sam)
    few = cost()
    for _ in range(12):
        told(sam, team=make_team())
    assert few == cost()


class TestTheWall:
    @pytest.fixture
    def norma(self) -> Agent:
        return make_agent("supervisor", team=make_team("North"), all_teams=False)

    def test_one_team_is_told_and_read_by_its_supervisor_alone(self, norma: Agent, sam: Agent) -> None:
        theirs = told(sam, team=make_team())
        told(sam)
        own = told(norma, team=norma.team)

        assert [row.message for row in team_messages.listed(agent=norma, at=NOON)] == [own]
        assert team_messages.teams(norma) == [norma.team]
        assert team_messages.who_saw(message_id=theirs.pk, agent=norma) == []
        with pytest.raises(team_messages.CannotSend):
            team_messages.end(message_id=theirs.pk, agent=norma, at=NOON)

    @pytest.mark.parametrize("everybody", [True, False])
    def test_nobody_else_is_told(self, everybody: bool, norma: Agent) -> None:
        with pytest.raises(team_messages.CannotSend, match="your own team"):
            told(norma, team=None if everybody else make_team())

    def test_kept_to_a_team_without_having_one_nobody_is_told_or_read(self, sam: Agent) -> None:
        lost = make_agent("supervisor", all_teams=False)
        told(sam)

        assert team_messages.listed(agent=lost, at=NOON) == []
        with pytest.raises(team_messages.CannotSend):
            told(lost)

    @pytest.mark.parametrize("role", ["agent", "specialist", "team_lead"])
    def test_whoever_does_not_supervise_sends_nothing_and_sees_no_list(self, role: str, sam: Agent) -> None:
        agent, message = make_agent(role), told(sam)

        with pytest.raises(team_messages.CannotSend):
            told(agent)
        with pytest.raises(team_messages.CannotSend):
            team_messages.end(message_id=message.pk, agent=agent, at=NOON)
        assert team_messages.listed(agent=agent, at=NOON) == []
        assert team_messages.who_saw(message_id=message.pk, agent=agent) == []

    def test_nobody_marks_what_was_not_for_them(self, sam: Agent) -> None:
        team: Team = make_team()
        message = told(sam, team=team)

        assert not team_messages.see(message_id=message.pk, agent=make_agent(team=make_team()), at=NOON)
        assert not team_messages.see(message_id=0, agent=make_agent(), at=NOON)
        assert MessageSeen.objects.count() == 0
