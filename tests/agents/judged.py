"""Work to be judged, and cards to judge it by."""

from __future__ import annotations

from itertools import count
from typing import Any

from accounts.models import Account
from agents.models import Agent, Criterion, Interaction, Note, Review, ScoreCard
from dunning.models import Notice
from tests.factories import TODAY, make_agent, moment, owing

_numbers = count(1)


def card_of(*questions: tuple[str, int, str, bool], subject: str = "call", pass_mark: int = 80) -> ScoreCard:
    """A card in use with questions of a code, a weight, a way to answer and whether they are critical."""
    card = ScoreCard.objects.create(code=f"card-{next(_numbers)}", title="Card", subject=subject, pass_mark=pass_mark)
    for position, (code, weight, answers, critical) in enumerate(questions or (("kind", 10, "yes_no", False),)):
        Criterion.objects.create(
            card=card, code=code, position=position, text=code, weight=weight, answers=answers, critical=critical
        )
    return card


def talk(agent: Agent | None = None, account: Account | None = None, **columns: Any) -> Interaction:
    """A conversation of that agent, at noon of the day."""
    given = {
        "ref": f"talk-{next(_numbers)}",
        "account": account or owing(),
        "agent": agent or make_agent(),
        "direction": "outbound",
        "disposition": "rpc_refused",
        "right_party": True,
        "at": moment(),
        "duration_seconds": 120,
    }
    return Interaction.objects.create(**(given | columns))


def noted(agent: Agent, account: Account | None = None, **columns: Any) -> Note:
    given = {"account": account or owing(), "text": "Says it is paid.", "at": moment(), "by": f"agent:{agent.username}"}
    return Note.objects.create(**(given | columns))


def texted(account: Account | None = None, **columns: Any) -> Notice:
    account = account or owing()
    given = {
        "account": account,
        "customer": account.customer,
        "key": f"text-{next(_numbers)}",
        "step_code": "final",
        "channel": "sms",
        "template": "final-notice",
        "currency": "EUR",
        "made_on": TODAY,
        "sent_at": moment(),
        "body": "Please pay.",
    }
    return Notice.objects.create(**(given | columns))


def a_call(*, card: ScoreCard | None = None, of: Interaction | None = None, **columns: Any) -> Review:
    """A review of a conversation, waiting unless told otherwise."""
    call = of or talk()
    given = {
        "interaction": call,
        "account": call.account,
        "agent": call.agent,
        "card": card or card_of(),
        "drawn_on": TODAY,
        "due_on": TODAY,
    }
    return Review.objects.create(**(given | columns))
