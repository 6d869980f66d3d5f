"""Conversations: a call is logged with what came of it, and what follows from that at once.

An outbound call needs the account in the agent's hands and the contact gate's leave, judged at the moment it began; one
that the desk dialled (``agents.dialling``) got both before the telephone rang. What was said on the phone may stop more
than any button: a death, a bankruptcy, a lawyer, a wish to be left alone. What an outcome counts as and brings with it
is data: the columns of ``Disposition``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, NotRequired, TypedDict
from uuid import uuid4

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from accounts import events, holds, wishes
from accounts.models import Account, AccountEvent, Consent, ContactPoint, Hold, UnreachableAddress
from accounts.models.fields import DESK_PREFIX
from accounts.refusals import Refused
from agents import card_numbers, identity, kinds, promises, queue, reasons, rights, satisfaction, scripting
from agents.models import Agent, Disposition, Interaction, LiveCall, Note
from dunning import contact, reading
from dunning.contact_facts import LOOKS_BACK, Talked
from dunning.gate.decision import REQUIRE, Decision
from dunning.gate.facts import ConsentFact, Contact
from dunning.kinds import CONTACT_REFUSED
from dunning.models import GateDecision
from dunning.reading import AccountFacts

#: Clocks of other machines may be ahead of ours by so much.
CLOCK_DRIFT = timedelta(minutes=5)

#: No call lasts longer; one that was left open for longer has no duration.
LONGEST = timedelta(hours=4)
#: Asked not to be contacted: on these channels nothing more is begun from our side.
CEASED = (Consent.Channel.CALL, Consent.Channel.SMS, Consent.Channel.EMAIL)
#: Heard from whoever answers, without a word from us: an outcome that places one of these holds needs no check of who
#: it was.
HEARD = frozenset({Hold.Reason.BANKRUPTCY, Hold.Reason.DECEASED, Hold.Reason.LEGAL, Hold.Reason.FRAUD})

#: Done in the call itself, by whoever makes it: asking for it first does not keep anybody from dialling.
IN_THE_CALL = frozenset({"ask_where", "disclose_fully", "from_a_debt_collector", "verify_identity"})


class CannotCall(Refused):
    """The call may not be made: not in the agent's hands, or the gate says no (then ``decision`` is its answer)."""

    code = "blocked"

    def __init__(self, text: str, *, decision: Decision | None = None, code: str | None = None) -> None:
        super().__init__(text, code=code)
        self.decision = decision


class CannotLog(Refused):
    """What is said about the call does not fit together."""

    code = "invalid"


class CannotDisclose(Refused):
    """Nobody is verified in the call that goes on: nothing may be told, and nothing agreed."""

    code = "blocked"

    def __init__(self) -> None:
        super().__init__(
            "Nobody is verified in this call yet: nothing is told or agreed before. Check who it is first."
        )


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


class Leave(NamedTuple):
    """What the gate said of an outbound call, and why somebody goes on all the same. ``refusal``: it may not be made;
    raised by whoever asked, after the commit that keeps it.
    """

    decision: Decision
    override: Override | None
    refusal: Refused | None


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
    nonpayment_reason: str = "",
    said: Sequence[str] | None = None,
    call_ref: str = "",
) -> Interaction:
    """Log a call, with the promise given in it and the holds its outcome brings, all or nothing.

    A call that the desk dialled, or that came in to this agent, is ended by it: when it began, its number and its
    length are the call's own. ``override``: why the agent went on although the gate said no, where they may.
    ``said``: codes of what had to be said and was; none where the caller does not tell. ``call_ref``: the call that
    is logged, where the caller knows it: logged already, it is refused.

    Raises ``CannotCall``, ``CannotOverride``, ``CannotLog``, ``CannotDisclose``, ``promises.CannotPromise`` and
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
    if not reasons.is_known(nonpayment_reason):
        raise CannotLog(f"There is no reason {nonpayment_reason}.")
    if unknown := set(said or ()) - scripting.sayable():
        raise CannotLog(f"Nothing to be said is called {', '.join(sorted(unknown))}.")
    note = card_numbers.without_cards(note)
    told = _Told(
        outcome, direction, number, right_party, started_at, duration_seconds, note, callback_at, nonpayment_reason
    )
    refusal: Refused | None = None
    with transaction.atomic():
        # The gate counts the calls before this one: of two logged at once only one can be the last that is allowed.
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        live = _live(account_id, agent)
        if call_ref and (live is None or live.ref != call_ref):
            raise CannotLog("This call was logged already.", code="conflict")
        gate: GateAnswer | None = None
        needed: frozenset[str] = frozenset()
        if live is not None:
            told = _as_it_was(told, live, promised=promise is not None, at=at)
            gate = _kept_answer(live)
            if told.right_party:
                needed = must_be_said(account_id=account_id, agent=agent, number=told.number, at=at, as_of=as_of)
        elif direction == Interaction.Direction.OUTBOUND:
            leave = ask_leave(
                account_id=account_id, agent=agent, number=number, begun_at=started_at, override=override, as_of=as_of,
                at=at,
            )  # fmt: skip
            refusal = leave.refusal
            gate = GateAnswer(
                leave.decision.outcome, leave.decision.rule_ids, leave.override.code if leave.override else ""
            )
            if right_party and said is not None:
                needed = scripting.sayable() & frozenset(leave.decision.requires)
        elif right_party and said is not None:
            needed = must_be_said(account_id=account_id, agent=agent, number=number, at=at, as_of=as_of)
        if refusal is None:
            stamped = _stamped(live, said or (), at=at) if said or live else {}
            if missing := needed - stamped.keys():
                raise CannotLog(
                    f"Not ticked, and it must be said: {', '.join(scripting.sayable_words(code) for code in missing)}.",
                    code="refused",
                )
            return _write(
                told, gate, stamped, live, account_id=account_id, agent=agent, promise=promise, as_of=as_of, at=at
            )
    # After the commit: that it was refused is kept.
    raise refusal


class GateAnswer(NamedTuple):
    """What the gate said of a call before it was made, as the history tells it."""

    outcome: str
    rules: Sequence[str]
    override: str


class _Told(NamedTuple):
    """A call as it is told."""

    outcome: Disposition
    direction: str
    number: str
    right_party: bool
    started_at: datetime
    duration_seconds: int | None
    note: str
    callback_at: datetime | None
    nonpayment_reason: str
    wrap_seconds: int | None = None


def _live(account_id: int, agent: Agent) -> LiveCall | None:
    """The agent's call about this account, locked."""
    return (
        LiveCall.objects.select_for_update(of=("self",))
        .select_related("identity")
        .exclude(state__in=identity.CLOSED)
        .filter(agent=agent, account_id=account_id)
        .first()
    )


def _as_it_was(told: _Told, live: LiveCall, *, promised: bool, at: datetime) -> _Told:
    """What is told of a call, and what the desk knows of it better. Raises ``CannotDisclose``."""
    outcome, right_party = told.outcome, told.right_party
    if live.direction == Interaction.Direction.OUTBOUND and not identity.passed(live):
        if outcome.stops_contact or outcome.hold_reason in HEARD:
            right_party = False
        elif right_party or outcome.right_party or promised:
            raise CannotDisclose
    ended_at = live.ended_at or at
    length = ended_at - (live.answered_at or live.begun_at) if outcome.connected else timedelta(0)
    wrap = at - ended_at
    return told._replace(
        direction=live.direction,
        number=live.number or told.number,
        right_party=right_party,
        started_at=live.begun_at,
        duration_seconds=_seconds(length) if told.duration_seconds is None else told.duration_seconds,
        wrap_seconds=_seconds(wrap),
    )


def _seconds(length: timedelta) -> int | None:
    return max(int(length.total_seconds()), 0) if length <= LONGEST else None


def _kept_answer(live: LiveCall) -> GateAnswer | None:
    """What the gate said when the number was dialled."""
    kept = (
        GateDecision.objects.filter(account_id=live.account_id, action="call", at=live.begun_at)
        .filter(actor=rights.actor(live.agent))
        .order_by("-pk")
        .first()
    )
    return GateAnswer(kept.outcome, kept.rule_ids, kept.override_code) if kept else None


def ask_leave(
    *,
    account_id: int,
    agent: Agent,
    number: str,
    begun_at: datetime,
    as_of: date,
    at: datetime,
    override: Override | None = None,
) -> Leave:
    """May this agent make this outbound call; in the caller's transaction, which keeps the answer whatever it is.

    Raises ``CannotCall`` where the account is not in the agent's hands, and ``card_numbers.CannotKeepCard``.
    """
    if queue.held(account_id=account_id, agent=agent, at=at) is None:
        raise CannotCall("This account is not in your hands: open it from the queue before you call.", code="conflict")
    if override is not None:
        override = Override(override.code, card_numbers.without_cards(override.reason).strip())
    gate = contact.Gate(reading.read([account_id], as_of=as_of), at=begun_at, as_of=as_of, talks=talks_of)
    decision = gate.ask(
        account_id,
        contact.contact_action("call", automated=False, address=number),
        parts=contact.by_person(rights.roles(agent)),
    )
    unfit: CannotOverride | None = None
    if may_begin(decision):
        override = None
    elif override is not None:
        unfit = _unfit(decision, override, agent)
        if unfit is None:
            gate.note_override(code=override.code, reason=override.reason, actor=rights.actor(agent))
        else:
            override = None
    gate.keep(actor=rights.actor(agent))
    if may_begin(decision) or override is not None:
        return Leave(decision, override, None)
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
    text = " ".join(decision.reasons) or "This call is not allowed now."
    return Leave(decision, None, unfit or CannotCall(text, decision=decision))


def must_be_said(*, account_id: int, agent: Agent, number: str, at: datetime, as_of: date) -> frozenset[str]:
    """Codes of what the rules want said in a call with this customer; read only."""
    gate = contact.Gate(reading.read([account_id], as_of=as_of), at=at, as_of=as_of, talks=talks_of)
    action = contact.contact_action("call", automated=False, address=number)
    decision = gate.ask(account_id, action, keep=False, parts=contact.by_person(rights.roles(agent)))
    return scripting.sayable() & frozenset(decision.requires)


def say(*, account_id: int, agent: Agent, code: str, as_of: date, at: datetime) -> None:
    """Keep that what must be said was said in the agent's call, and when. Twice is once.

    Raises ``CannotLog`` where no call goes on, or nothing is called that.
    """
    if code not in scripting.sayable():
        raise CannotLog(f"Nothing to be said is called {code}.")
    with transaction.atomic():
        live = _live(account_id, agent)
        if live is None:
            raise CannotLog("You are in no call about this account.", code="conflict")
        if code not in _disclosed(live):
            events.record(
                account_id=account_id,
                kind=kinds.CALL_DISCLOSED,
                actor=rights.actor(agent),
                at=at,
                on=as_of,
                payload={"call": live.ref, "said": code},
            )


def said_in(live: LiveCall) -> dict[str, datetime]:
    """What was ticked as said in that call, and when. One query."""
    return _disclosed(live)


def _disclosed(live: LiveCall) -> dict[str, datetime]:
    told = AccountEvent.objects.filter(
        account_id=live.account_id, kind=kinds.CALL_DISCLOSED, payload__call=live.ref
    ).order_by("pk")
    return {event.payload["said"]: event.at for event in told}


def _stamped(live: LiveCall | None, said: Collection[str], *, at: datetime) -> dict[str, datetime]:
    """What was said and when: as it was ticked, else now."""
    return dict.fromkeys(sorted(said), at) | (_disclosed(live) if live else {})


def refuse_undisclosed(*, account_id: int, agent: Agent, at: datetime) -> None:
    """Raise ``CannotDisclose`` while the agent is in a call that we made to this customer and nobody is verified.

    Without such a call it says nothing: what a letter or a visit brought is agreed as before.
    """
    live = identity.live_call(agent=agent)
    if live is None or live.direction != Interaction.Direction.OUTBOUND or live.begun_at > at:
        return
    if not identity.passed(live) and identity.is_about(live, account_id):
        raise CannotDisclose


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
    """The calls and other contacts by people up to ``at``, as the gate counts them. One query.

    A call about several accounts is one about each of them (12 CFR 1006.14(b)(2) counts by the debt).
    """
    wanted = set(account_ids)
    rows: dict[int, list[Any]] = defaultdict(list)
    outcome = Disposition.objects.filter(code=OuterRef("disposition"))
    calls = Interaction.objects.annotate(
        counts_as=Subquery(outcome.values("result")[:1]), phone=Subquery(outcome.values("phone")[:1])
    )
    about = Q(account__in=list(wanted)) | Q(also_about__overlap=list(wanted)) & ~Q(also_about=[])
    for row in calls.filter(about, at__gt=at - LOOKS_BACK, at__lte=at).order_by("at"):
        for account_id in wanted.intersection([row.account_id, *row.also_about]):
            rows[account_id].append(row)
    return {pk: _talked(found, at, account_id=pk) for pk, found in rows.items()}


def _talked(rows: Sequence[Any], at: datetime, *, account_id: int) -> Talked:
    # An outcome that was taken back: the call counts once, with what it was said to be afterwards.
    again = {row.at for row in rows if row.undone_at is None}
    rows = [row for row in rows if row.undone_at is None or row.at not in again]
    # Calls to a number that turned out to be somebody else's were none to this person.
    not_theirs = {row.number for row in rows if row.phone == Disposition.Phone.WRONG and row.number}
    contacts = tuple(
        Contact(
            at=row.at,
            channel=row.kind,
            direction=row.direction,
            result=_result_of(row),
            conversation=row.right_party and row.kind == Interaction.Kind.CALL,
            address=row.number,
            not_theirs=row.number in not_theirs,
            kept_elsewhere=row.account_id != account_id,
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


def _result_of(row: Any) -> str:
    """How far a call got, as the gate counts it; an older system's own outcome says nothing of that."""
    if row.right_party:
        return str(Disposition.Result.RIGHT_PARTY)
    counts_as = row.counts_as or ""
    return "" if counts_as == Disposition.Result.RIGHT_PARTY else str(counts_as)


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
    told: _Told,
    gate: GateAnswer | None,
    said: Mapping[str, datetime],
    live: LiveCall | None,
    *,
    account_id: int,
    agent: Agent,
    promise: PromiseTerms | None,
    as_of: date,
    at: datetime,
) -> Interaction:
    actor, outcome = rights.actor(agent), told.outcome
    interaction = Interaction.objects.create(
        ref=f"{DESK_PREFIX}{uuid4().hex}",
        account_id=account_id,
        agent=agent,
        kind=Interaction.Kind.CALL,
        direction=told.direction,
        disposition=outcome.code,
        right_party=told.right_party,
        number=told.number,
        at=told.started_at,
        duration_seconds=told.duration_seconds,
        note=told.note,
        callback_at=told.callback_at,
        override_code=gate.override if gate else "",
        nonpayment_reason=told.nonpayment_reason,
        said=[f"{code}@{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}" for code, moment in said.items()],
        wrap_seconds=told.wrap_seconds,
    )
    if live is not None:
        live.state, live.interaction = LiveCall.State.LOGGED, interaction
        live.ended_at = live.ended_at or at
        live.save(update_fields=["state", "interaction", "ended_at"])
    events.record(
        account_id=account_id,
        kind=kinds.CALL_LOGGED,
        actor=actor,
        at=at,
        on=as_of,
        payload={
            "interaction": interaction.ref,
            "call": live and live.ref,
            "contact": interaction.kind,
            "direction": told.direction,
            "disposition": outcome.code,
            "started_at": told.started_at,
            "duration_seconds": told.duration_seconds,
            "rang": outcome.rang,
            "connected": outcome.connected,
            "conversation": outcome.conversation,
            "right_party": told.right_party,
            "nonpayment_reason": told.nonpayment_reason,
            "said": sorted(said),
            "gate": gate and {"outcome": gate.outcome, "rules": list(gate.rules)},
            "override": (gate.override if gate else "") or None,
        },
    )
    if promise is not None:
        promises.make(account_id=account_id, actor=actor, as_of=as_of, at=at, **promise)
    _follow(told, account_id=account_id, actor=actor, as_of=as_of, at=at)
    if told.right_party:
        # After what the call brought with it: whoever asked to be left alone in it is.
        satisfaction.ask(
            account_id=account_id, about=satisfaction.CALL, interaction_id=interaction.pk, as_of=as_of, at=at
        )
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


def _follow(told: _Told, *, account_id: int, actor: str, as_of: date, at: datetime) -> None:
    """What the outcome of a call brings with it at once."""
    outcome, number = told.outcome, told.number
    if number:
        _mark_number(outcome, number, right_party=told.right_party, at=at)
    if outcome.hold_reason:
        reason, days = outcome.hold_reason, outcome.hold_days
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
    if outcome.stops_contact:
        customer_id = Account.objects.values_list("customer_id", flat=True).get(pk=account_id)
        wishes.stop(
            customer_id=customer_id, channels=CEASED, actor=actor, as_of=as_of, at=at, source="asked on the phone"
        )


def _mark_number(outcome: Disposition, number: str, *, right_party: bool, at: datetime) -> None:
    """A number that is somebody else's or dead is not used again; one on which they answered is good again."""
    phone = ContactPoint.Kind.PHONE
    if outcome.bad_number or outcome.phone in (Disposition.Phone.WRONG, Disposition.Phone.DEAD):
        UnreachableAddress.objects.get_or_create(
            kind=phone, value=number, defaults={"since": at, "reason": outcome.label[:200]}
        )
    elif outcome.phone == Disposition.Phone.GOOD and right_party:
        UnreachableAddress.objects.filter(kind=phone, value=number).delete()
