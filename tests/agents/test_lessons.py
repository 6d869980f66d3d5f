"""What is found on one account, and what many show beside those that paid."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents import lessons
from agents.lessons import Course

DUE = date(2026, 1, 1)


def on(days: int) -> date:
    """So many days past due."""
    return DUE + timedelta(days=days)


def course(**facts: Any) -> Course:
    """An account on which everything was done as it should be, and written off 180 days past due all the same."""
    well = {
        "account": 1, "amount": Decimal("100.00"), "due_on": DUE, "ended_on": on(180), "started_late": 0,
        "notices": 4, "delivered": 4, "channels_tried": 2, "warnings_delivered": 1, "last_message_on": on(20),
        "messages_cost": Decimal("0.20"), "conversations": 1, "first_spoken_on": on(30), "last_spoken_on": on(30),
        "limit_due": True, "limited_on": on(25), "handed_over_on": on(32), "placed_on": on(90),
    }  # fmt: skip
    return Course(**well | facts)


def found(**facts: Any) -> dict[str, str]:
    return {finding.code: finding.words for finding in lessons.findings(course(**facts))}


def test_nothing_is_found_where_nothing_was_left_undone() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        ({"delivered": 0}, "never_reached", "None of 4 notices arrived."),
        ({"delivered": 0, "notices": 1}, "never_reached", "None of 1 notice arrived."),
        ({"delivered": 0, "notices": 0}, "never_reached", "No notice was ever made."),
        (
            {"conversations": 0, "first_spoken_on": None, "last_spoken_on": None},
            "never_spoken_to",
            "Nobody ever spoke with the customer.",
        ),
        ({"first_spoken_on": on(46)}, "spoken_to_late", "First spoken to 46 days past due."),
        (
            {"bounced": 2, "channels_tried": 1},
            "one_channel",
            "2 notices bounced, and no other channel was tried.",
        ),
        ({"limited_on": on(61)}, "limited_late", "First limited 61 days past due."),
        (
            {"limited_on": None, "not_limited_for": "the service is protected"},
            "never_limited",
            "The service was never limited: the service is protected.",
        ),
        ({"limited_on": None}, "never_limited", "The service was never limited: no reason was kept."),
        (
            {"held_days": 30, "held_for": ("breathing_space", "hardship")},
            "held_long",
            "30 days on hold (breathing space, hardship).",
        ),
        ({"promises_broken": 2}, "no_plan", "2 promises broken, and no plan was agreed."),
        ({"plan_broken_early": True}, "plan_broken", "A plan was broken before its second instalment."),
        ({"dispute_lost_after": 31}, "dispute_lost", "A dispute was decided against the customer after 31 days."),
        ({"placed_on": on(123)}, "placed_late", "Placed with an agency 91 days after the hand-over to agents."),
        ({"placed_on": None}, "never_placed", "148 days with agents and never placed with an agency."),
        ({"started_late": 11}, "started_late", "The first step came 11 days after its day."),
        ({"in_policy": False}, "no_step", "No policy ever had a case of it."),
        ({"passed_over": True, "pressed": False}, "no_step", "Every step that presses passed it over."),
        ({"amount": Decimal("2.00")}, "small", "Its messages cost 10 % of the amount."),
    ],
)
def test_one_thing_is_found_in_plain_words(facts: dict[str, Any], code: str, words: str) -> None:
    assert found(**facts) == {code: words}


@pytest.mark.parametrize(
    "facts",
    [
        {"first_spoken_on": on(45)},
        {"bounced": 2, "channels_tried": 2},
        {"limited_on": on(60)},
        {"limit_due": False, "limited_on": None},
        {"held_days": 29, "held_for": ("hardship",)},
        {"promises_broken": 1},
        {"promises_broken": 3, "plans": 1},
        {"dispute_lost_after": 30},
        {"placed_on": on(122)},
        {"placed_on": None, "ended_on": on(122)},
        {"placed_on": None, "handed_over_on": None},
        {"started_late": 10},
        {"started_late": None},
        {"passed_over": True},
        {"amount": Decimal("2.01")},
        {"amount": Decimal("0.10"), "messages_cost": None},
    ],
)
def test_what_is_just_in_time_or_not_known_is_no_finding(facts: dict[str, Any]) -> None:
    assert found(**facts) == {}


def test_a_limit_without_a_warning_that_arrived_is_found_with_its_reason() -> None:
    told = found(limited_on=None, warnings_delivered=0, not_limited_for="no warning had arrived")
    assert told == {
        "not_warned": "No warning arrived, so the limit that was due never ran.",
        "never_limited": "The service was never limited: no warning had arrived.",
    }


def test_every_finding_says_what_would_have_been_needed() -> None:
    (finding,) = lessons.findings(course(bounced=1, channels_tried=1))
    assert finding.title == lessons.titles()[finding.code] == "Notices bounced, no other channel tried"
    assert finding.instead == "A second channel for the same notice would have been needed."


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"last_spoken_on": None, "last_message_on": None}, "Never reached"),
        ({"last_spoken_on": None, "last_message_on": on(150)}, "Only messages, the last up to 30 days before"),
        ({"last_spoken_on": None, "last_message_on": on(149)}, "Only messages, the last 31 to 90 days before"),
        ({"last_spoken_on": None, "last_message_on": on(89)}, "Only messages, the last over 90 days before"),
        ({"last_spoken_on": on(180), "last_message_on": on(5)}, "A conversation up to 30 days before"),
        ({"last_spoken_on": on(90), "last_message_on": on(180)}, "A conversation 31 to 90 days before"),
        ({"last_spoken_on": on(89)}, "A conversation over 90 days before"),
    ],
)
def test_the_last_contact_is_a_conversation_before_a_message(facts: dict[str, Any], words: str) -> None:
    assert lessons.last_contact(course(**facts)) == words


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (("phone", "email", "address"), "Phone and e-mail"),
        (("phone",), "Phone, no e-mail"),
        (("email", "address"), "E-mail, no phone"),
        (("address",), "Post alone"),
        ((), "Nothing that works"),
    ],
)
def test_what_works_is_said_in_words(kinds: tuple[str, ...], words: str) -> None:
    assert lessons.reach(kinds) == words


SILENT: dict[str, Any] = {"conversations": 0, "first_spoken_on": None, "last_spoken_on": None}


def many(count: int, silent: int, *, first: int = 1, **facts: Any) -> list[Course]:
    """So many accounts, so many of them never spoken to."""
    return [course(account=first + number, **(SILENT if number < silent else {}) | facts) for number in range(count)]


def test_shares_stand_beside_each_other_with_both_numbers_and_what_differs_most_comes_first() -> None:
    written_off = [*many(15, 15, bounced=1, channels_tried=1), *many(10, 0, first=16)]
    paid = [*many(40, 7, first=100), *many(10, 0, first=140, bounced=1, channels_tried=1)]

    silent, bounced = lessons.learn(written_off, paid)

    assert (silent.code, silent.accounts, silent.of, silent.paid, silent.paid_of) == ("never_spoken_to", 15, 25, 7, 50)
    assert (silent.share, silent.paid_share, silent.difference) == (60, 14, 46)
    assert silent.amount == 1500
    assert silent.words == "60 % of 25 written off, 14 % of 50 that paid: 46 points more."
    assert (bounced.code, bounced.difference) == ("one_channel", 40)


def test_what_both_have_in_common_explains_nothing_and_what_paid_accounts_have_more_comes_last() -> None:
    written_off = [*many(20, 20), *many(20, 0, first=50, promises_broken=2)]
    paid = [*many(20, 10, first=100), *many(20, 10, first=150, promises_broken=2)]
    told = lessons.learn(written_off, paid)
    assert [(lesson.code, lesson.words.partition(": ")[2]) for lesson in told] == [
        ("never_spoken_to", "no difference."),
        ("no_plan", "no difference."),
    ]
    (less,) = lessons.learn(many(20, 1), many(20, 2, first=100))
    assert less.words == "5 % of 20 written off, 10 % of 20 that paid: 5 points less."


def test_fewer_than_twenty_accounts_are_counted_and_not_compared() -> None:
    (lesson,) = lessons.learn(many(25, 5), many(19, 2, first=100))
    assert (lesson.share, lesson.paid_share, lesson.difference) == (20, None, None)
    assert lesson.words == "5 of 25 written off, 2 of 19 that paid: too few that paid to compare."
    (lesson,) = lessons.learn(many(19, 5), [])
    assert lesson.words == "5 of 19 written off, 0 of 0 that paid: too few written off to compare."


def test_an_account_written_off_twice_counts_once_with_both_amounts() -> None:
    (lesson,) = lessons.learn([course(**SILENT), course(**SILENT)], [])
    assert (lesson.accounts, lesson.of, lesson.amount) == (1, 1, 200)


def test_reasons_are_counted_the_most_frequent_first() -> None:
    reasons = ["a hold stopped it", "the service is protected", "a hold stopped it"]
    written_off = [
        course(account=number, limited_on=None, not_limited_for=reason) for number, reason in enumerate(reasons)
    ]
    (lesson,) = lessons.learn(written_off, [])
    assert lesson.often == (("a hold stopped it", 2), ("the service is protected", 1))
