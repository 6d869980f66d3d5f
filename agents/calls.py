"""Conversations: a call is logged with what came of it, and what follows from that at once.

An outbound call needs the account in the agent's hands and the contact gate's leave, judged at the moment it began.
What was said on the phone may stop more than any button: a death, a bankruptcy, a lawyer, a wish to be left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, NotRequired, TypedDict
from uuid import uuid4

from django.db import transaction

from accounts import events, holds, wishes
from accounts.models import Account, Consent, ContactPoint, Hold, UnreachableAddress
from accounts.models.fields import DESK_PREFIX
from accounts.refusals import Refused
from agents import card_numbers, kinds, promises, queue, rights
from agents.models import Agent, Disposition, Interaction, Note
from dunning import contact, reading
from dunning.contact_facts import LOOKS_BACK, Talked
from dunning.gate.decision import REQUIRE, Decision
from dunning.gate.facts import ConsentFact, Contact
from dunning.kinds import CONTACT_REFUSED
from dunning.reading import AccountFacts

#: Clocks of other machines may be ahead of ours by so much.
CLOCK_DRIFT = timedelta(minutes=5)

#: Holds that a disposition brings with it: the reason, and its last day counted from today; none: until it is lifted.
_HOLDS: dict[str, tuple[str, int | None]] = {
    "rpc_already_paid": (Hold.Reason.PAYMENT_IN_FLIGHT, 7),
    "bankruptcy": (Hold.Reason.BANKRUPTCY, None),
    "deceased": (Hold.Reason.DECEASED, None),
    "attorney": (Hold.Reason.LEGAL, None),
}
#: Asked not to be contacted: on these channels nothing more is begun from our side.
_CEASED = (Consent.Channel.CALL, Consent.Channel.SMS, Consent.Channel.EMAIL)


#: Done in the call itself, by whoever makes it: asking for it first does not keep anybody from dialling.
IN_THE_CALL = frozenset({"ask_where", "disclose_fully", "from_a_debt_collector", "verify_identity"})

#: Dialled, but nothing rang: does not count among the calls that a customer may get in a week.
NOT_RUNG = ("busy", "disconnected_number")
#: What a disposition says of how far the call got.
_RESULTS = {
    "busy": "no_connect_busy",
    "disconnected_number": "no_connect_invalid",
    "no_answer": "rang_no_answer",
    "voicemail": "voicemail_left",
    "wrong_number": "answered_wrong_party",
    "third_party": "answered_third_party",
}


class CannotCall(Refused):
    """The call may not be made: not in the agent's hands, or the gate says no (then ``decision`` is its answer)."""

    code = "blocked"

    def __init__(self, text: str, *, decision: Decision | None = None, code: str | None = None) -> None:
        super().__init__(text, code=code)
        self.decision = decision


class CannotLog(Refused):
    """What is said about the call does not fit together."""

    code = "invalid"


class CannotNote(Refused):
    """A note without words."""

    code = "invalid"


class Override(NamedTuple):
    """Why a call was made although the gate said no: a code of the rule's, and words."""

    code: str
    reason: str


class CannotOverride(Refused):
    """The gate's answer stands: not this person, not this rule, or not for this reason."""

    code = "forbidden"


class PromiseTerms(TypedDict):
    """A promise given during a call, as ``promises.make`` takes it."""

    amount: Decimal
    due_on: date
    bill_refs: NotRequired[Sequence[str] | None]
    note: NotRequired[str]


def log(
    *,
    account_id: int,
    agent: Agent,
    direction: str,
    disposition: str,
    number: str,
    right_party: bool,
    started_at: datetime,
    duration_seconds: int | None,
    as_of: date,
    at: datetime,
    note: str = "",
    callback_at: datetime | None = None,
    promise: PromiseTerms | None = None,
    override: Override | None = None,
) -> Interaction:
    """Log a call, with the promise given in it and the holds its outcome brings, all or nothing.

    ``override``: why the agent went on although the gate said no, where they may.

    Raises ``CannotCall``, ``CannotOverride``, ``CannotLog``, ``promises.CannotPromise`` and
    ``card_numbers.CannotKeepCard``.
    """
    outcome = Disposition.objects.filter(code=disposition, active=True).first()
    if outcome is None:
        raise CannotLog(f"There is no disposition {disposition}.")
    if direction not in Interaction.Direction.values:
        raise CannotLog("A call is outbound or inbound.")
    if started_at > at + CLOCK_DRIFT:
        raise CannotLog("The call has not begun yet.")
    if duration_seconds is not None and duration_seconds < 0:
        raise CannotLog("A call cannot last less than nothing.")
    if callback_at is not None and callback_at <= at:
        raise CannotLog("The moment to call back has passed.")
    if outcome.asks == Disposition.Asks.CALLBACK and callback_at is None:
        raise CannotLog("Say when to call back.")
    note = card_numbers.without_cards(note)
    if override is not None:
        override = Override(override.code, card_numbers.without_cards(override.reason).strip())
    unfit: CannotOverride | None = None
    with transaction.atomic():
        # The gate counts the calls before this one: of two logged at once only one can be the last that is allowed.
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        decision = None
        if direction == Interaction.Direction.OUTBOUND:
            if queue.held(account_id=account_id, agent=agent, at=at) is None:
                raise CannotCall(
                    "This account is not in your hands: open it from the queue before you call.", code="conflict"
                )
            gate = contact.Gate(reading.read([account_id], as_of=as_of), at=started_at, as_of=as_of, talks=talks_of)
            decision = gate.ask(
                account_id,
                contact.contact_action("call", automated=False, address=number),
                parts=contact.by_person(rights.roles(agent)),
            )
            if may_begin(decision):
                override = None
            elif override is not None:
                unfit = _unfit(decision, override, agent)
                if unfit is None:
                    gate.note_override(code=override.code, reason=override.reason, actor=rights.actor(agent))
                else:
                    override = None
            gate.keep(actor=rights.actor(agent))
        if decision is None or may_begin(decision) or override is not None:
            return _write(
                outcome,
                decision,
                override,
                account_id=account_id,
                agent=agent,
                direction=direction,
                number=number,
                right_party=right_party,
                started_at=started_at,
                duration_seconds=duration_seconds,
                note=note,
                callback_at=callback_at,
                promise=promise,
                as_of=as_of,
                at=at,
            )
        events.record(
            account_id=account_id,
            kind=CONTACT_REFUSED,
            actor=rights.actor(agent),
            at=at,
            on=as_of,
            reason=" ".join(decision.reasons),
            payload={
                "channel": "call",
                "outcome": decision.outcome,
                "rules": list(decision.rule_ids),
                "packs": list(decision.pack_versions),
                "next_allowed_at": decision.next_allowed_at,
            },
        )
    # After the commit: that it was refused is kept.
    if unfit is not None:
        raise unfit
    raise CannotCall(" ".join(decision.reasons) or "This call is not allowed now.", decision=decision)


def may_begin(decision: Decision) -> bool:
    """Whether a person may dial: nothing stands in the way, or only what is done in the call itself."""
    first = decision.outcome == REQUIRE and bool(decision.requires) and IN_THE_CALL.issuperset(decision.requires)
    return decision.is_allowed or first


def overrides_for(decision: Decision, agent: Agent) -> list[str]:
    """The codes of the reasons for which this person may go on; none where nobody, or somebody else, decides that."""
    if may_begin(decision) or decision.override != "supervisor" or not rights.may(agent, rights.Act.OVERRIDE_CONTACT):
        return []
    return contact.override_codes(decision)


def _unfit(decision: Decision, override: Override, agent: Agent) -> CannotOverride | None:
    """Why the gate's answer stands all the same; none where this person may go on for this reason."""
    codes = overrides_for(decision, agent)
    if not codes:
        who = {"legal": "Only the legal department may", "supervisor": "Only a supervisor may"}.get(decision.override)
        return CannotOverride(f"{who or 'Nobody may'} go on here: {decision.reasons[0]}")
    if override.code not in codes:
        return CannotOverride(f"The reason is one of {', '.join(codes)}.", code="invalid")
    if not override.reason:
        return CannotOverride("Say in words why the call was made all the same.", code="invalid")
    return None


def talks_of(account_ids: Collection[int], at: datetime) -> dict[int, Talked]:
    """The calls and other contacts by people up to ``at``, as the gate counts them. One query."""
    rows: dict[int, list[Interaction]] = defaultdict(list)
    for row in Interaction.objects.filter(account__in=list(account_ids), at__gt=at - LOOKS_BACK, at__lte=at).order_by(
        "at"
    ):
        rows[row.account_id].append(row)
    return {pk: _talked(found, at) for pk, found in rows.items()}


def _talked(rows: Sequence[Interaction], at: datetime) -> Talked:
    # Calls to a number that turned out to be somebody else's were none to this person.
    not_theirs = {row.number for row in rows if row.disposition == "wrong_number" and row.number}
    contacts = tuple(
        Contact(
            at=row.at,
            channel=row.kind,
            direction=row.direction,
            result="answered_right_party" if row.right_party else _RESULTS.get(row.disposition, ""),
            conversation=row.right_party and row.kind == Interaction.Kind.CALL,
            address=row.number,
            not_theirs=row.number in not_theirs,
        )
        for row in rows
    )
    talks = [row for row in rows if row.right_party]
    asked = talks[-1] if talks else None
    if asked is None or asked.callback_at is None:
        return Talked(contacts)
    # Asked to be called back: from that moment on, for the seven days that such a word is good.
    until = asked.at + timedelta(days=7)
    wish = ConsentFact(channel="call", purpose="extra_calls", given=True, at=asked.callback_at, until=until)
    return Talked(contacts, (wish,))


def ask_gate(
    *,
    account_id: int,
    channel: str,
    at: datetime,
    as_of: date,
    number: str = "",
    agent: Agent | None = None,
    facts: Mapping[int, AccountFacts] | None = None,
) -> Decision:
    """May this account's customer be contacted on ``channel`` at ``at``, by that agent: the gate, told of the calls
    there were. Messages are the machine's.
    """
    return contact.check(
        account_id=account_id,
        channel=channel,
        at=at,
        as_of=as_of,
        talks=talks_of,
        address=number,
        automated=channel in ("sms", "email"),
        roles=rights.roles(agent) if agent is not None else (),
        facts=facts,
    )


def _write(
    outcome: Disposition,
    decision: Decision | None,
    override: Override | None,
    *,
    account_id: int,
    agent: Agent,
    direction: str,
    number: str,
    right_party: bool,
    started_at: datetime,
    duration_seconds: int | None,
    note: str,
    callback_at: datetime | None,
    promise: PromiseTerms | None,
    as_of: date,
    at: datetime,
) -> Interaction:
    actor = rights.actor(agent)
    interaction = Interaction.objects.create(
        ref=f"{DESK_PREFIX}{uuid4().hex}",
        account_id=account_id,
        agent=agent,
        kind=Interaction.Kind.CALL,
        direction=direction,
        disposition=outcome.code,
        right_party=right_party,
        number=number,
        at=started_at,
        duration_seconds=duration_seconds,
        note=note,
        callback_at=callback_at,
        override_code=override.code if override else "",
    )
    events.record(
        account_id=account_id,
        kind=kinds.CALL_LOGGED,
        actor=actor,
        at=at,
        on=as_of,
        payload={
            "interaction": interaction.ref,
            "contact": interaction.kind,
            "direction": direction,
            "disposition": outcome.code,
            "started_at": started_at,
            "duration_seconds": duration_seconds,
            "rang": outcome.code not in NOT_RUNG,
            "connected": outcome.connected,
            "conversation": outcome.conversation,
            "right_party": right_party,
            "gate": decision and {"outcome": decision.outcome, "rules": list(decision.rule_ids)},
            "override": override and override.code,
        },
    )
    if promise is not None:
        promises.make(account_id=account_id, actor=actor, as_of=as_of, at=at, **promise)
    _follow(outcome, account_id=account_id, number=number, actor=actor, as_of=as_of, at=at)
    return interaction


def add_note(*, account_id: int, text: str, actor: str, as_of: date, at: datetime) -> Note:
    """Keep a note on the account. Raises ``CannotNote`` and ``card_numbers.CannotKeepCard``."""
    if not text.strip():
        raise CannotNote("The note is empty.")
    text = card_numbers.without_cards(text)
    with transaction.atomic():
        note = Note.objects.create(account_id=account_id, text=text.strip(), at=at, by=actor)
        events.record(
            account_id=account_id, kind=kinds.NOTE_ADDED, actor=actor, at=at, on=as_of, payload={"note": note.pk}
        )
    return note


def next_offer(disposition: Disposition, *, callback_at: datetime | None, at: datetime) -> datetime | None:
    """When the account should be offered again after such a call; none: the call ended its turn."""
    if callback_at is not None:
        return callback_at
    hours = disposition.next_contact_hours
    return None if hours is None else at + timedelta(hours=hours)


def _follow(outcome: Disposition, *, account_id: int, number: str, actor: str, as_of: date, at: datetime) -> None:
    """What the outcome of a call brings with it at once."""
    if outcome.bad_number and number:
        UnreachableAddress.objects.get_or_create(
            kind=ContactPoint.Kind.PHONE, value=number, defaults={"since": at, "reason": outcome.label[:200]}
        )
    if outcome.code in _HOLDS:
        reason, days = _HOLDS[outcome.code]
        if not holds.in_force(account_id=account_id, as_of=as_of).filter(reason=reason).exists():
            holds.place(
                account_id=account_id,
                reason=reason,
                starts_on=as_of,
                ends_on=None if days is None else as_of + timedelta(days=days),
                note=f"From a call: {outcome.label}",
                actor=actor,
                as_of=as_of,
                at=at,
            )
    if outcome.code == "cease":
        customer_id = Account.objects.values_list("customer_id", flat=True).get(pk=account_id)
        wishes.stop(
            customer_id=customer_id, channels=_CEASED, actor=actor, as_of=as_of, at=at, source="asked on the phone"
        )
