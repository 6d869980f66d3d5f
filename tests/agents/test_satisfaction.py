"""One question to the customer: who is asked, who is left alone, and what becomes of the answer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import holds, wishes
from accounts.models import Account, ContactPreference, Vulnerability
from agents import calls, complaints, kinds, promises, satisfaction, undoing
from agents.models import Interaction, Survey, WorkItem
from agents.satisfaction import CannotAnswer
from tests.factories import TODAY, make_account, make_agent, make_item, moment, owing

pytestmark = pytest.mark.django_db

NOW: dict[str, Any] = {"as_of": TODAY, "at": moment()}


def asked(account: Account, **more: Any) -> Survey | None:
    return satisfaction.ask(account_id=account.pk, **({"about": "call"} | NOW | more))


def answered(survey: Survey, score: int = 4, **more: Any) -> Survey:
    given = {"reasons": [], "comment": "", "actor": "customer:C1"}
    return satisfaction.answer(survey=survey, score=score, **(given | NOW | more))


def spoke(account: Account, **more: Any) -> Interaction:
    agent = more.pop("agent", None) or make_agent()
    given: dict[str, Any] = {
        "direction": "inbound", "disposition": "rpc_refused", "number": "", "right_party": True,
        "started_at": moment(), "duration_seconds": 60,
    }  # fmt: skip
    return calls.log(account_id=account.pk, agent=agent, **(given | NOW | more))


def test_a_call_with_the_customer_asks_about_whoever_made_it() -> None:
    nadia, account = make_agent(), owing()

    call = spoke(account, agent=nadia)

    survey = Survey.objects.get()
    assert (survey.about, survey.interaction, survey.agent) == ("call", call, nadia)
    assert satisfaction.open_for(account, at=moment()) == survey


def test_a_call_with_somebody_else_asks_nobody() -> None:
    spoke(owing(), disposition="third_party", right_party=False)

    assert not Survey.objects.exists()


def test_a_customer_is_asked_once_in_ninety_days_whichever_account_it_is_about() -> None:
    account = owing()
    other = make_account(customer=account.customer)

    assert asked(account) is not None
    later = moment() + timedelta(days=89)
    assert asked(other, at=later, as_of=later.date()) is None
    later = moment() + timedelta(days=91)
    assert asked(other, at=later, as_of=later.date()) is not None


def in_need(account: Account) -> None:
    Vulnerability.objects.create(customer=account.customer, category="health", noted_on=TODAY)


def held(account: Account) -> None:
    holds.place(account_id=account.pk, reason="hardship", starts_on=TODAY, actor="x", **NOW)


def complaining(account: Account) -> None:
    complaints.take(
        account_id=account.pk, channel="call", category="other", text="You are rude.", actor="agent:x", **NOW
    )


def stopped(account: Account) -> None:
    wishes.stop(customer_id=account.customer_id, channels=["sms"], actor="x", **NOW)


def ceased(account: Account) -> None:
    ContactPreference.objects.create(customer=account.customer, kind="cease", starts_at=moment())


@pytest.mark.parametrize("alone", [in_need, held, complaining, stopped, ceased])
def test_whoever_is_better_left_alone_is_not_asked(alone: Any) -> None:
    account = owing()
    alone(account)

    assert asked(account, at=moment(hour=13)) is None


def test_who_allowed_contact_again_may_be_asked() -> None:
    account = owing()
    stopped(account)
    wishes.start(
        customer_id=account.customer_id, channels=["sms"], actor="x", as_of=TODAY, at=moment() + timedelta(hours=1)
    )

    assert asked(account, at=moment(hour=14)) is not None


def test_an_agreement_is_asked_about_and_its_hold_keeps_nobody_from_it() -> None:
    account = owing()
    assert satisfaction.ask_about_agreement(account_id=account.pk, **NOW) is None
    promises.make(
        account_id=account.pk, amount=Decimal("40.00"), due_on=TODAY + timedelta(days=5), actor="agent:x", **NOW
    )

    survey = satisfaction.ask_about_agreement(account_id=account.pk, **NOW)

    assert survey is not None
    assert survey.about == "plan"


def test_the_share_that_is_asked_is_set(settings: Any) -> None:
    settings.DESK_SURVEY_SHARE = 0
    assert asked(owing()) is None
    settings.DESK_SURVEY_SHARE = 100
    assert asked(owing()) is not None


def test_a_call_whose_outcome_was_taken_back_is_asked_about_no_longer() -> None:
    nadia, account = make_agent(), owing()
    make_item(account)
    call = spoke(account, agent=nadia)
    undoing.offered(agent=nadia, account_id=account.pk, act="call", said="Call logged", at=moment())
    Interaction.objects.filter(pk=call.pk).update(undone_at=moment())

    assert satisfaction.open_for(account, at=moment()) is None


def test_a_question_is_open_for_thirty_days() -> None:
    account = owing()
    asked(account)

    assert satisfaction.open_for(account, at=moment() + timedelta(days=29)) is not None
    assert satisfaction.open_for(account, at=moment() + timedelta(days=31)) is None


def test_an_answer_is_kept_once_with_card_numbers_masked() -> None:
    survey = asked(owing())
    assert survey is not None

    row = answered(survey, 5, reasons=["clear", "nonsense"], comment="My card is 4111 1111 1111 1111, thanks")

    assert (row.score, row.reasons) == (5, ["clear"])
    assert "4111 1111" not in row.comment
    assert row.comment.endswith("1111, thanks")
    with pytest.raises(CannotAnswer, match="already"):
        answered(survey, 1)
    row.refresh_from_db()
    assert row.score == 5
    event = survey.account.events.get(kind=kinds.SURVEY_ANSWERED)
    assert "comment" not in event.payload, "free words stay out of the history"
    assert satisfaction.open_for(survey.account, at=moment()) is None
    assert satisfaction.answered_lately(survey.account, at=moment() + timedelta(hours=1))


@pytest.mark.parametrize("score", [0, 6, -1])
def test_a_score_is_one_to_five(score: int) -> None:
    survey = asked(owing())
    assert survey is not None
    with pytest.raises(CannotAnswer, match="1 to 5"):
        answered(survey, score)


@pytest.mark.parametrize(("score", "call_me", "tasks"), [(1, True, 1), (2, True, 1), (2, False, 0), (4, True, 0)])
def test_whoever_is_not_satisfied_and_asks_for_a_call_becomes_a_task(score: int, call_me: bool, tasks: int) -> None:
    survey = asked(owing())
    assert survey is not None

    answered(survey, score, call_me=call_me)

    assert WorkItem.objects.filter(account=survey.account, kind="task").count() == tasks


def test_own_figures_are_about_own_work_alone() -> None:
    nadia = make_agent()
    for score, agent in ((5, nadia), (3, nadia), (1, make_agent())):
        survey = Survey.objects.create(account=owing(), about="call", agent=agent, asked_at=moment())
        answered(survey, score)
    Survey.objects.create(account=owing(), about="call", agent=nadia, asked_at=moment())

    own = satisfaction.own(nadia, since=moment() - timedelta(days=90))

    assert (own.answers, own.satisfied, own.rate) == (2, 1, 0.5)
    assert satisfaction.own(make_agent(), since=moment()).rate is None
