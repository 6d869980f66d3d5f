"""A rule made looser, or a market without a pack of its own: the second person's word, given at the desk.

What is asked for and what may be set is ``dunning.rule_packs``'; here stands who may say yes, and in whose place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction

from accounts.business_day import calendar_date
from accounts.refusals import Refused
from agents import card_numbers, delegations, second_words
from agents.models import Agent
from dunning import rule_packs
from dunning.models import MarketPacks, PackChange

#: Whoever may let a rule be looser, as the second person.
PERMISSION = "dunning.loosen_packchange"


class CannotLoosen(Refused):
    """It is not for this person to decide, or nobody did in time."""

    code = "forbidden"


class NeedsReason(Refused):
    """What is not approved is declined for a reason."""

    code = "invalid"


def may(person: Agent) -> bool:
    """Whether the person is a second pair of eyes on rules."""
    return person.is_active and person.has_perm(PERMISSION)


def decide_change(
    *,
    change_id: int,
    approve: bool,
    agent: Agent,
    reason: str,
    as_of: date,
    at: datetime,
    instead_of: Agent | None = None,
) -> PackChange:
    """Let a looser value be in force, or not.

    Raises ``CannotLoosen``, ``NeedsReason``, ``rule_packs.CannotChange`` and ``delegations.CannotActFor``.
    """
    reason = card_numbers.without_cards(reason.strip())[:300]
    with transaction.atomic():
        word = _word(agent, instead_of, as_of)
        asked_at = PackChange.objects.values_list("asked_at", flat=True).get(pk=change_id)
        _refuse(second_words.RULE_CHANGE, asked_at, approve=approve, reason=reason, as_of=as_of)
        decide = rule_packs.approve if approve else rule_packs.refuse
        return decide(change_id=change_id, actor=word.actor, at=at, reason=reason, told=word.told)


def decide_choice(
    *,
    market: str,
    seen: Sequence[str],
    approve: bool,
    agent: Agent,
    reason: str,
    as_of: date,
    at: datetime,
    instead_of: Agent | None = None,
) -> MarketPacks:
    """Let a market have the packs that were asked for, as they were ``seen``, or not. Raises as ``decide_change``."""
    reason = card_numbers.without_cards(reason.strip())[:300]
    with transaction.atomic():
        word = _word(agent, instead_of, as_of)
        row = MarketPacks.objects.get(market=market)
        if row.asked_at is not None:  # else nothing waits, which is said below
            _refuse(second_words.PACK_CHOICE, row.asked_at, approve=approve, reason=reason, as_of=as_of)
        return rule_packs.agree_to_choice(
            market=market, seen=seen, agree=approve, actor=word.actor, at=at, reason=reason, told=word.told
        )


def expire(*, as_of: date, at: datetime) -> int:
    """Decline what nobody decided on in time; how many. Run twice, the second finds nothing."""
    told: dict[str, Any] = {"expired": True}
    declined = 0
    for change in PackChange.objects.filter(state=PackChange.State.WAITING).order_by("pk"):
        asked_on = calendar_date(at=change.asked_at)
        if second_words.is_over(second_words.RULE_CHANGE, asked_on, as_of):
            why = second_words.too_late(second_words.RULE_CHANGE, asked_on)
            rule_packs.refuse(change_id=change.pk, actor=second_words.ACTOR, at=at, reason=why, told=told)
            declined += 1
    for row in MarketPacks.objects.exclude(waiting_for=None).order_by("market"):
        assert row.asked_at is not None  # what waits was asked for
        asked_on = calendar_date(at=row.asked_at)
        if second_words.is_over(second_words.PACK_CHOICE, asked_on, as_of):
            rule_packs.agree_to_choice(
                market=row.market,
                seen=row.waiting_for or [],
                agree=False,
                actor=second_words.ACTOR,
                at=at,
                reason=second_words.too_late(second_words.PACK_CHOICE, asked_on),
                told=told,
            )
            declined += 1
    return declined


def _word(agent: Agent, instead_of: Agent | None, as_of: date) -> delegations.Word:
    word = delegations.word_of(agent, instead_of=instead_of, on=as_of)
    if not may(word.authority):
        raise CannotLoosen("Whoever may let rules be looser decides on that.")
    return word


def _refuse(kind: str, asked_at: datetime, *, approve: bool, reason: str, as_of: date) -> None:
    asked_on = calendar_date(at=asked_at)
    if approve and second_words.is_over(kind, asked_on, as_of):
        raise CannotLoosen(second_words.too_late(kind, asked_on), code="conflict")
    if not approve and not reason:
        raise NeedsReason("Say why it is declined.")
