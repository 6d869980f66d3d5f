"""A call from dialling to its logged outcome: one at a time for an agent, with the account in hand and the gate asked.

Asked is the agent's own telephone (``tel:``), or the telephone system at ``DESK_CTI_URL``: the call stands in its row
before it is asked, no transaction is open meanwhile, and what it answers is written afterwards. What it tells later
(``hear``) moves the row forward and never back. A call that was left open is shown again until somebody says what came
of it (``calls.log``) or why there is nothing to say (``give_up``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import uuid4

import phonenumbers
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.functional import Promise as Words
from django.utils.translation import gettext_lazy as _

from accounts import business_day, events
from accounts.models import Account, ContactPoint, Customer, Service
from accounts.models.fields import DESK_PREFIX, REF_PATTERN
from accounts.refusals import Refused
from agents import calls, identity, kinds, rights
from agents.models import Agent, Interaction, LiveCall
from dunning.gateways.base import NotTaken, Unclear
from dunning.gateways.cti_http import CtiHttpGateway, Dial

State = LiveCall.State
TEL, CTI = "tel", "cti"
CLOSED = identity.CLOSED

#: How far a call has come; news of less is late, and says nothing new.
_FAR = {State.DIALLED: 0, State.RINGING: 1, State.ANSWERED: 2, State.ENDED: 3, State.FAILED: 3}
#: Why there is nothing to log of a call.
GIVEN_UP: dict[str, str | Words] = {
    "not_placed": _("It was never placed"),
    "mistake": _("The wrong account or number, hung up before it rang"),
    "logged_elsewhere": _("It is logged elsewhere"),
    "no_line": _("The telephone did not work"),
}
#: Numbers of customers without their country's code may be from one of these.
REGIONS = ("US", "GB", "DE", "ES", "FR", "IT", "IN")


class CannotDial(Refused):
    """No number, or another call is not finished with."""

    code = "conflict"


class CannotLeave(Refused):
    """Nobody said yet what came of a call."""

    code = "conflict"


class CannotGiveUp(Refused):
    """There is something to say about this call."""

    code = "conflict"


def current(*, agent: Agent) -> LiveCall | None:
    """The call that this agent is in, or has not said yet what came of it. One query."""
    return identity.live_call(agent=agent)


def tel(number: str) -> str:
    """The address that a telephone dials: ``tel:+442079460000``; empty where there is nothing to dial."""
    digits = re.sub(r"[^0-9]", "", number)
    return f"tel:{'+' if number.strip().startswith('+') else ''}{digits}" if digits else ""


def dial(
    *,
    account_id: int,
    agent: Agent,
    number: str,
    at: datetime,
    as_of: date,
    override: calls.Override | None = None,
) -> LiveCall:
    """Begin a call to that number; the telephone system is asked after the commit, where there is one.

    The same number of the same account again is the same call: it is asked for again under the same key.

    Raises ``CannotDial``, and ``calls.CannotCall`` and ``calls.CannotOverride`` as ``calls.log`` does.
    """
    number = number.strip()
    if not tel(number):
        raise CannotDial("There is no number to dial.", code="invalid")
    refusal: Refused | None = None
    call: LiveCall | None = None
    try:
        with transaction.atomic():
            Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
            call = current(agent=agent)
            if call is not None and (call.account_id, call.number) != (account_id, number):
                raise _other_call(call)
            if call is None:
                leave = calls.ask_leave(
                    account_id=account_id, agent=agent, number=number, begun_at=at, override=override, as_of=as_of,
                    at=at,
                )  # fmt: skip
                refusal = leave.refusal
                if refusal is None:
                    call = _begin(account_id, agent, number, leave, as_of=as_of, at=at)
    except IntegrityError:
        # The other window was first.
        raise CannotDial("You are in another call already.") from None
    if refusal is not None:
        raise refusal
    assert call is not None
    return place(call=call, at=at) if call.via == CTI and call.state == State.DIALLED else call


def _begin(account_id: int, agent: Agent, number: str, leave: calls.Leave, *, as_of: date, at: datetime) -> LiveCall:
    call = LiveCall.objects.create(
        ref=f"{DESK_PREFIX}{uuid4().hex}",
        account_id=account_id,
        agent=agent,
        direction=Interaction.Direction.OUTBOUND,
        number=number,
        via=CTI if settings.DESK_CTI_URL else TEL,
        begun_at=at,
    )
    events.record(
        account_id=account_id,
        kind=kinds.CALL_DIALLED,
        actor=rights.actor(agent),
        at=at,
        on=as_of,
        payload={
            "call": call.ref,
            "via": call.via,
            "gate": {"outcome": leave.decision.outcome, "rules": list(leave.decision.rule_ids)},
            "override": leave.override and leave.override.code,
        },
    )
    return call


def place(*, call: LiveCall, at: datetime) -> LiveCall:
    """Ask the telephone system for a call that stands in its row; asked twice, it is placed once.

    Where it certainly did not take it, the agent's own telephone dials; where nobody knows, it may be asked again.
    """
    gateway = CtiHttpGateway(settings.DESK_CTI_URL, secret=settings.DESK_CTI_SECRET, caller=settings.DESK_CALLER_NUMBER)
    wanted = Dial(
        key=call.ref, action="dial", agent=call.agent.username, to=tel(call.number).removeprefix("tel:"),
        ref=call.account.ref,
    )  # fmt: skip
    changes: dict[str, object] = {"reason": ""}
    try:
        outcome = gateway.hand_over(wanted)
        if outcome.state != "accepted":
            changes = {"state": State.FAILED, "ended_at": at, "reason": outcome.detail[:200] or "It cannot be dialled."}
    except NotTaken as problem:
        changes = {"via": TEL, "reason": f"The telephone system did not take it: {problem.detail}"[:200]}
    except Unclear as problem:
        changes = {"reason": f"No word from the telephone system: {problem.detail}"[:200]}
    finally:
        gateway.close()
    # What it told meanwhile by itself is newer than its answer.
    LiveCall.objects.filter(pk=call.pk, state=State.DIALLED).update(**changes)
    return LiveCall.objects.select_related("account__customer", "agent", "identity").get(pk=call.pk)


def take(*, account_id: int, agent: Agent, number: str, as_of: date, at: datetime) -> LiveCall:
    """The customer is on the telephone: a call that came in, to this agent. Raises ``CannotDial``."""
    try:
        with transaction.atomic():
            call = current(agent=agent)
            if call is None:
                return _came_in(
                    account_id, agent, number, ref=f"{DESK_PREFIX}{uuid4().hex}", via=TEL, state=State.ANSWERED,
                    as_of=as_of, at=at,
                )  # fmt: skip
    except IntegrityError:
        raise CannotDial("You are in another call already.") from None
    if call.account_id != account_id or call.direction != Interaction.Direction.INBOUND:
        raise _other_call(call)
    LiveCall.objects.filter(pk=call.pk, state__in=[State.DIALLED, State.RINGING]).update(
        state=State.ANSWERED, answered_at=at
    )
    call.refresh_from_db(fields=["state", "answered_at"])
    return call


def _came_in(
    account_id: int, agent: Agent, number: str, *, ref: str, via: str, state: str, as_of: date, at: datetime
) -> LiveCall:
    call = LiveCall.objects.create(
        ref=ref,
        account_id=account_id,
        agent=agent,
        direction=Interaction.Direction.INBOUND,
        number=number[:40],
        via=via,
        state=state,
        begun_at=at,
        answered_at=at if state == State.ANSWERED else None,
    )
    events.record(
        account_id=account_id,
        kind=kinds.CALL_CAME_IN,
        actor=rights.actor(agent),
        at=at,
        on=as_of,
        payload={"call": call.ref, "via": via},
    )
    return call


def hang_up(*, agent: Agent, at: datetime) -> LiveCall | None:
    """End the agent's call; what came of it is still to be said. None where there is none."""
    call = current(agent=agent)
    if call is None or call.state == State.ENDED:
        return call
    LiveCall.objects.filter(pk=call.pk).exclude(state__in=[*CLOSED, State.ENDED]).update(state=State.ENDED, ended_at=at)
    if call.via == CTI and settings.DESK_CTI_URL:
        _end_far_side(call)
    call.refresh_from_db(fields=["state", "ended_at"])
    return call


def _end_far_side(call: LiveCall) -> None:
    """The telephone system is asked to end it; whoever hung up may have been faster, and then nothing is to be done."""
    gateway = CtiHttpGateway(settings.DESK_CTI_URL, secret=settings.DESK_CTI_SECRET)
    wanted = Dial(
        key=call.ref, action="hang_up", agent=call.agent.username, to=tel(call.number).removeprefix("tel:"),
        ref=call.account.ref,
    )  # fmt: skip
    try:
        gateway.hand_over(wanted)
    except (NotTaken, Unclear):
        return
    finally:
        gateway.close()


def give_up(*, agent: Agent, reason: str, as_of: date, at: datetime) -> LiveCall:
    """Leave a call without an outcome, for a reason that is kept. Raises ``CannotGiveUp``."""
    if reason not in GIVEN_UP:
        raise CannotGiveUp("Say why there is nothing to log.", code="invalid")
    with transaction.atomic():
        call = _locked(LiveCall.objects.exclude(state__in=CLOSED).filter(agent=agent))
        if call is None:
            raise CannotGiveUp("You are in no call.", code="not_found")
        if call.answered_at is not None:
            raise CannotGiveUp("Somebody answered: say what came of it.")
        call.state, call.reason, call.ended_at = State.FAILED, reason, call.ended_at or at
        call.save(update_fields=["state", "reason", "ended_at"])
        events.record(
            account_id=call.account_id,
            kind=kinds.CALL_GIVEN_UP,
            actor=rights.actor(agent),
            at=at,
            on=as_of,
            reason=reason,
            payload={"call": call.ref},
        )
    return call


def refuse_next(*, agent: Agent) -> None:
    """Raise ``CannotLeave`` while nobody said what came of this agent's call."""
    call = current(agent=agent)
    if call is not None:
        raise CannotLeave(unfinished(call))


def unfinished(call: LiveCall) -> str:
    """What is said to an agent who left a call open."""
    return f"You were on the phone with {call.account.customer.name} ({call.account.ref}): what came of it?"


def _other_call(call: LiveCall) -> CannotDial:
    return CannotDial(unfinished(call))


def _locked(rows: QuerySet[LiveCall]) -> LiveCall | None:
    return rows.select_for_update(of=("self",)).select_related("agent").first()


# --- What the telephone system tells ---------------------------------------------------------------------------------


def hear(
    *,
    key: str,
    state: str,
    at: datetime,
    number: str = "",
    agent: str = "",
    duration_seconds: int | None = None,
    detail: str = "",
) -> bool:
    """News of a call: ringing, answered, ended, failed. Whether it was news; unknown calls and repeats are none.

    A ``key`` that is not ours, ringing, with a caller's number and an agent's login is a customer who calls in.
    """
    if state not in _FAR:
        return False
    with transaction.atomic():
        call = _locked(LiveCall.objects.filter(ref=key))
        if call is not None:
            return _move(call, State(state), duration_seconds=duration_seconds, detail=detail, at=at)
    if state == State.RINGING and number and agent and re.match(REF_PATTERN, key):
        return _ring(key, number, agent, at=at)
    return False


def _move(call: LiveCall, state: State, *, duration_seconds: int | None, detail: str, at: datetime) -> bool:
    """A step forward; an answered call cannot fail, only end."""
    if call.state == State.ENDED and state == State.ENDED and call.answered_at is None and duration_seconds:
        # The agent's own hanging up was here first; how long they talked is known now.
        call.answered_at = _answered(call, duration_seconds)
        call.save(update_fields=["answered_at"])
        return True
    if call.state in CLOSED or _FAR[state] <= _FAR[State(call.state)]:
        return False
    if state == State.FAILED and call.answered_at is not None:
        state = State.ENDED
    call.state = state
    if state == State.ANSWERED:
        call.answered_at = at
    if state in (State.ENDED, State.FAILED):
        call.ended_at = at
        if duration_seconds:
            call.answered_at = _answered(call, duration_seconds)
    if detail:
        call.reason = detail[:200]
    call.save(update_fields=["state", "answered_at", "ended_at", "reason"])
    return True


def _answered(call: LiveCall, duration_seconds: int) -> datetime | None:
    if call.ended_at is None:
        return call.answered_at
    return max(call.ended_at - timedelta(seconds=duration_seconds), call.begun_at)


def _ring(key: str, number: str, login: str, *, at: datetime) -> bool:
    """Somebody calls this agent: whose account it is, of those that they may see."""
    agent = Agent.objects.filter(username=login, is_active=True).first()
    account = _caller(agent, number) if agent is not None else None
    if agent is None or account is None or current(agent=agent) is not None:
        return False
    try:
        with transaction.atomic():
            _came_in(
                account.pk, agent, number, ref=key, via=CTI, state=State.RINGING,
                as_of=business_day.business_date(at=at), at=at,
            )  # fmt: skip
    except IntegrityError:
        return False
    return True


def _caller(agent: Agent, number: str) -> Account | None:
    """The account of whoever calls from that number; of several the one that owes most."""
    written = _spellings(number)
    # Each question is answered by its own index.
    owners = [
        *Customer.objects.filter(phone__in=written).values_list("pk", flat=True)[:50],
        *ContactPoint.objects.filter(kind=ContactPoint.Kind.PHONE, value__in=written).values_list(
            "customer", flat=True
        )[:50],
    ]
    lines = list(Service.objects.filter(number__in=written).values_list("account", flat=True)[:50])
    theirs = rights.visible_accounts(agent).filter(Q(customer__in=owners) | Q(pk__in=lines))
    return theirs.order_by("-overdue", "pk").first()


def _spellings(number: str) -> Sequence[str]:
    """The number as it came, and as it is kept: with its country's code."""
    found = {number.strip(), re.sub(r"[^0-9+]", "", number)}
    for region in (None, *REGIONS):
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(parsed):
            found.add(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return sorted(found)
