"""Complaints on their way: the market's clock, repetitions, whose they are, letters, the pause, answers, lateness."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, Adjustment
from agents import complaint_clocks, complaint_desk, complaints, confirmations, kinds, queue, rights
from agents.card_numbers import CannotKeepCard
from agents.complaints import CannotComplain, CannotWorkComplaint
from agents.models import Agent, Complaint, ComplaintClock, Note, WorkItem
from collections_desk import journey
from dunning import experiment_results
from dunning.kinds import COMPLAINT
from dunning.models import Notice
from tests.factories import TODAY, kinds_of, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

NOW: dict[str, Any] = {"as_of": TODAY, "at": moment()}
ANSWER = "You were called three times on one day. That was too much, and we are sorry."


def account_of(**columns: Any) -> Account:
    return owing("100.00", customer=make_customer(**{"email": "frida@example.com", "language": "en", **columns}))


def taken(of: Account | None = None, **more: Any) -> Complaint:
    given = {"channel": "call", "category": "contact", "text": "You call me all day.", "actor": "agent:nadia"}
    return complaints.take(account_id=(of or account_of()).pk, **(given | NOW | more))


def closed(complaint: Complaint, outcome: str = "upheld", **more: Any) -> Complaint:
    given = {"actor": "agent:omar", "answer": ANSWER, **NOW}
    if outcome in ("upheld", "partly_upheld"):
        given["cause"] = "The campaign dialled linked accounts one by one"
    return complaints.close(complaint_id=complaint.pk, outcome=outcome, **(given | more))


def letters(complaint: Complaint, state: str = "pending") -> list[str]:
    rows = Notice.objects.filter(account=complaint.account, step_code="confirmation", state=state)
    return list(rows.order_by("pk").values_list("template", flat=True))


# The clock ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "acknowledge_by", "answer_by"),
    [
        ("GB", date(2026, 3, 13), date(2026, 4, 21)),  # the 15th is a Sunday; six weeks
        ("IN", date(2026, 3, 13), date(2026, 4, 7)),  # four weeks
        ("US", date(2026, 3, 13), date(2026, 4, 9)),
        ("DE", date(2026, 3, 13), date(2026, 4, 9)),
        ("", date(2026, 3, 13), date(2026, 4, 9)),
    ],
)
def test_the_market_sets_the_clock(country: str, acknowledge_by: date, answer_by: date) -> None:
    complaint = taken(account_of(country=country))

    assert (complaint.acknowledge_by, complaint.answer_by) == (acknowledge_by, answer_by)


def test_every_clock_names_its_source_and_an_admin_changes_it_for_what_comes_from_then_on() -> None:
    assert all(ComplaintClock.objects.values_list("source", flat=True))
    before = taken()
    ComplaintClock.objects.filter(country="GB").update(acknowledge_days=1, answer_days=2)

    after = taken(before.account)

    assert before.answer_by == date(2026, 4, 21)
    assert (after.acknowledge_by, after.answer_by) == (TODAY + timedelta(days=1), TODAY + timedelta(days=2))


def test_where_no_row_is_left_the_usual_days_count() -> None:
    ComplaintClock.objects.all().delete()

    found = complaint_clocks.clock(country="GB", received_on=TODAY)

    assert (found.acknowledge_by, found.answer_by, found.source) == (date(2026, 3, 13), date(2026, 4, 9), "")


# Taking it ----------------------------------------------------------------------------------------------------------


def test_a_complaint_is_kept_told_in_the_history_and_confirmed_to_the_customer() -> None:
    nadia = make_agent()
    assert not experiment_results.complaints_are_recorded()

    complaint = taken(about=nadia, actor=rights.actor(nadia), agent=nadia)

    assert complaint.assigned_to is None, "nobody looks into what is said of them"
    assert taken(complaint.account, agent=nadia).assigned_to == nadia
    event = complaint.account.events.filter(kind=COMPLAINT).order_by("pk")[0]
    assert (event.payload["category"], event.payload["answer_by"]) == ("contact", "2026-04-21")
    assert letters(complaint) == ["complaint-received", "complaint-received"]
    assert experiment_results.complaints_are_recorded()


@pytest.mark.parametrize(
    "wrong",
    [
        {"category": "weather"}, {"channel": "pigeon"}, {"text": "  "}, {"text": "x" * 4001}, {"interaction_id": 1},
    ],
)  # fmt: skip
def test_what_is_no_complaint_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CannotComplain):
        taken(**wrong)
    assert not Complaint.objects.exists()


def test_no_card_number_is_kept() -> None:
    with pytest.raises(CannotKeepCard):
        taken(text="You charged 4111 1111 1111 1111 twice")
    complaint = taken()
    with pytest.raises(CannotKeepCard):
        closed(complaint, answer="We paid back to 4111 1111 1111 1111")


def test_the_same_again_within_a_year_is_a_repetition() -> None:
    first = taken(as_of=TODAY - timedelta(days=364))
    other = taken(first.account, category="conduct")
    again = taken(first.account)
    long_after = taken(first.account, as_of=TODAY + timedelta(days=366))

    assert (other.repeats, again.repeats, long_after.repeats) == (None, first, None)


def test_what_was_taken_back_is_not_repeated() -> None:
    first = taken()
    closed(first, "withdrawn")

    assert taken(first.account).repeats is None


# Contact meanwhile --------------------------------------------------------------------------------------------------


def test_contact_waits_for_the_answer_where_somebody_says_so() -> None:
    complaint = taken(pauses=True)
    hold = complaints.paused_by(complaint)

    assert hold is not None
    assert (hold.reason, sorted(hold.stops), hold.ends_on) == ("manual", ["calls", "notices"], None)
    closed(complaint)
    hold.refresh_from_db()
    assert hold.lifted_on == TODAY
    assert complaints.paused_by(taken()) is None


def test_it_can_be_paused_later_and_once(settings: Any) -> None:
    complaint = taken()

    assert complaints.pause(complaint_id=complaint.pk, **NOW) is not None
    assert complaints.pause(complaint_id=complaint.pk, **NOW) is None
    settings.DESK_COMPLAINT_STOPS = []
    assert complaints.pause(complaint_id=taken().pk, **NOW) is None


# Whose it is --------------------------------------------------------------------------------------------------------


def given(complaint: Complaint, to: Agent | None, by: Agent) -> Agent | None:
    return complaints.assign(complaint_id=complaint.pk, to=to, agent=by, **NOW).assigned_to


def test_everybody_takes_what_nobody_has_and_whoever_answers_gives_it_to_others() -> None:
    complaint, nadia, luis, boss = taken(), make_agent(), make_agent(), make_agent("supervisor")

    assert given(complaint, nadia, nadia) == nadia
    with pytest.raises(CannotWorkComplaint, match="works on this complaint"):
        given(complaint, luis, luis)
    with pytest.raises(CannotWorkComplaint, match="whoever answers"):
        given(complaint, luis, nadia)
    assert given(complaint, luis, boss) == luis
    assert kinds_of(complaint.account, kinds.COMPLAINT_ASSIGNED) == [kinds.COMPLAINT_ASSIGNED] * 2


def test_nobody_looks_into_or_answers_what_is_said_of_them() -> None:
    boss, other = make_agent("supervisor"), make_agent("supervisor")
    complaint = taken(about=boss)

    with pytest.raises(CannotWorkComplaint, match="somebody else looks into it"):
        given(complaint, boss, other)
    with pytest.raises(CannotWorkComplaint, match="somebody else answers"):
        closed(complaint, actor=rights.actor(boss))
    assert closed(complaint, actor=rights.actor(other)).state == "closed"


def test_it_is_given_to_nobody_behind_the_team_wall() -> None:
    north, south = make_team(), make_team()
    complaint, boss = taken(), make_agent("supervisor")
    make_item(complaint.account, team=north)

    with pytest.raises(CannotWorkComplaint, match="does not work on this account"):
        given(complaint, make_agent(team=south), boss)


def test_an_agent_reads_what_is_theirs_and_whoever_answers_reads_all() -> None:
    nadia, boss = make_agent(), make_agent("supervisor")
    mine, hers = taken(), taken(actor=rights.actor(nadia))
    given(mine, nadia, boss)
    taken(about=nadia)

    assert set(complaint_desk.visible(nadia)) == {mine, hers}
    assert complaint_desk.visible(boss).count() == 3
    assert complaint_desk.counted(boss, as_of=TODAY)["unassigned"] == 2
    assert set(complaint_desk.shown(nadia, whose="mine")) == {mine}


def test_the_team_list_has_what_its_people_work_on_and_what_is_said_of_them() -> None:
    north = make_team()
    nadia, lead = make_agent(team=north), make_agent("team_lead", team=north)
    about, worked, other = taken(about=nadia), taken(), taken()
    given(worked, nadia, lead)

    assert set(complaint_desk.shown(lead, whose="team")) == {about, worked}
    assert other in complaint_desk.shown(lead)


def test_notes_are_the_complaints_and_the_accounts() -> None:
    complaint = taken()

    complaints.note(complaint_id=complaint.pk, text="Asked the dialler for its log", actor="agent:nadia", **NOW)

    history = complaint_desk.history_of(complaint)
    assert [event.kind for event in history] == [kinds.NOTE_ADDED, COMPLAINT]
    assert [note.text for note in complaint_desk.notes_in(history).values()] == ["Asked the dialler for its log"]
    assert Note.objects.get().account == complaint.account


# The answer ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_told_to_the_customer_and_books_nothing() -> None:
    complaint = taken()
    balance = complaint.account.open_amount

    done = closed(complaint, redress=Decimal("15.00"))

    assert (done.state, done.outcome, done.closed_on, done.redress) == ("closed", "upheld", TODAY, Decimal("15.00"))
    event = complaint.account.events.get(kind=kinds.COMPLAINT_CLOSED)
    assert event.payload == {"complaint": done.ref, "outcome": "upheld", "redress": "15.00"}
    assert letters(done) == ["complaint-answered"]
    assert letters(done, "withdrawn") == ["complaint-received"], "the answer comes instead of its receipt"
    assert not Adjustment.objects.exists()
    complaint.account.refresh_from_db(fields=["open_amount"])
    assert complaint.account.open_amount == balance
    standing = confirmations.standing([(f"confirm.complaint.{done.ref}.answered", "complaint-answered")])
    (said,) = standing.values()
    assert (said.wording["outcome_words"], said.wording["credited_amount"]) == (ANSWER, Decimal("15.00"))


def test_who_takes_it_back_is_not_written_to() -> None:
    done = closed(taken(), "withdrawn", answer="")

    assert letters(done) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"outcome": "ignored"}, "A complaint is"),
        ({"outcome": "rejected", "answer": ""}, "what the customer is told"),
        ({"outcome": "upheld", "cause": ""}, "what went wrong"),
        ({"outcome": "rejected", "redress": Decimal(5)}, "Only what is upheld"),
        ({"outcome": "upheld", "redress": Decimal("0.001")}, "more decimals"),
        ({"outcome": "upheld", "redress": Decimal(0)}, "more than nothing"),
        ({"outcome": "upheld", "answer": "x" * 2001}, "at most"),
    ],
)
def test_what_is_no_answer_is_refused_and_changes_nothing(wrong: dict[str, Any], said: str) -> None:
    complaint = taken()

    with pytest.raises(CannotWorkComplaint, match=said):
        closed(complaint, **wrong)
    complaint.refresh_from_db()
    assert complaint.state == "received"


def test_an_answer_stands_and_nothing_is_done_about_it_any_more() -> None:
    complaint, nadia = closed(taken(), "rejected"), make_agent()
    acts = (
        lambda: closed(complaint),
        lambda: complaints.acknowledge(complaint_id=complaint.pk, actor="x", **NOW),
        lambda: complaints.pause(complaint_id=complaint.pk, **NOW),
        lambda: given(complaint, nadia, nadia),
    )
    for act in acts:
        with pytest.raises(CannotWorkComplaint, match="another one is a new one"):
            act()


# Receipt and lateness -----------------------------------------------------------------------------------------------


def test_it_is_acknowledged_when_the_letter_has_left_or_a_person_said_so() -> None:
    written, told, neither = taken(), taken(), taken()
    Notice.objects.filter(account=written.account).update(sent_at=moment())
    complaints.acknowledge(complaint_id=told.pk, actor="agent:nadia", **NOW)
    complaints.acknowledge(complaint_id=told.pk, actor="agent:nadia", **NOW)

    assert complaint_desk.note_receipts(as_of=TODAY) == 1
    states = {row.pk: row.state for row in Complaint.objects.all()}
    assert states == {written.pk: "acknowledged", told.pk: "acknowledged", neither.pk: "received"}
    assert len(kinds_of(told.account, kinds.COMPLAINT_ACKNOWLEDGED)) == 1


def test_a_late_complaint_is_a_task_on_top_for_whoever_has_it_told_once_a_date() -> None:
    nadia, complaint = make_agent(), taken()
    given(complaint, nadia, nadia)
    day = complaint.acknowledge_by + timedelta(days=1)
    now: dict[str, Any] = {"as_of": day, "at": moment(day), "actor": "desk:journey"}

    assert complaint_desk.tell_late(**now) == 1
    assert complaint_desk.tell_late(**now) == 0
    item = WorkItem.objects.get(account=complaint.account, kind="task")
    assert (item.kept_for, item.pinned_by) == (nadia, "desk:journey")
    assert "confirmed to the customer by 2026-03-13" in item.pinned_because
    assert queue.claim_next(agent=nadia, at=moment(day)).account_id == complaint.account_id
    day = complaint.answer_by + timedelta(days=1)
    assert complaint_desk.late_in_all(as_of=day) == 1
    assert complaint_desk.tell_late(as_of=day, at=moment(day), actor="desk:journey") == 1
    told = [row.payload["what"] for row in complaint.account.events.filter(kind=kinds.COMPLAINT_RUN_OUT)]
    assert told == ["acknowledge", "answer"]


def test_the_days_close_finds_what_is_late() -> None:
    complaint = taken()
    day = complaint.answer_by + timedelta(days=1)

    journey.run_day(as_of=day, at=moment(day))

    assert kinds_of(complaint.account, kinds.COMPLAINT_RUN_OUT) == [kinds.COMPLAINT_RUN_OUT]


def test_figures_say_how_long_answers_took_and_what_was_upheld() -> None:
    boss = make_agent("supervisor")
    later: dict[str, Any] = {"as_of": TODAY + timedelta(days=10), "at": moment(TODAY + timedelta(days=10))}
    closed(taken(), **later)
    closed(taken(category="conduct"), "rejected")
    closed(taken(), "withdrawn")

    whole, *lines = complaint_desk.figures(boss, as_of=later["as_of"])

    assert (whole.answered, whole.median_days, whole.upheld, whole.in_time) == (2, 5, 0.5, 1)
    assert {line.category: line.median_days for line in lines} == {"contact": 10, "conduct": 0}
    assert complaint_desk.figures(make_agent(), as_of=TODAY) == []
