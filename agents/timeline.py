"""An account's timeline: bills, payments, talks, notices, notes and events in one list, newest first.

Every source is one query with a limit, so a page costs the same for a customer of a week and one of ten years. What a
row already tells (a payment, a call, a promise) is not told again by its event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from accounts import events
from accounts.models import Account, AccountEvent, Adjustment, Bill, Payment
from agents import kinds
from agents.models import Interaction, Note
from dunning import kinds as dunning_kinds
from dunning.models import Notice, ServiceOrder

TALKS, MONEY, NOTICES, SYSTEM = "talks", "money", "notices", "system"
#: What the page can be narrowed to, with the words for it.
SHOWS = (("all", "All"), (TALKS, "Talks"), (MONEY, "Money"), (NOTICES, "Notices"), (SYSTEM, "System"))

#: Rows tell these better than their events do.
_TOLD_BY_ROWS = (
    kinds.CALL_LOGGED,
    kinds.NOTE_ADDED,
    kinds.ITEM_QUEUED,
    kinds.ITEM_CLAIMED,
    kinds.ITEM_RELEASED,
    events.MONEY_MOVED,
    events.PERSONAL_DATA_READ,
)

_TITLES = {
    events.STATUS_CHANGED: "Account status changed",
    events.SERVICE_CHANGED: "Service changed",
    events.HOLD_PLACED: "Hold placed",
    events.HOLD_LIFTED: "Hold lifted",
    events.SERVICE_KEPT: "Service kept from limits",
    events.SERVICE_LET_GO: "Service follows the policy again",
    events.FEE_CHARGED: "Fee charged",
    events.FEE_WAIVED: "Fee waived",
    events.RECOVERY_RECEIVED: "Recovered of a write-off",
    events.RECOVERY_RETURNED: "A recovery went back",
    dunning_kinds.WRITTEN_OFF: "Written off",
    dunning_kinds.WRITE_OFF_REQUESTED: "Write-off asked for",
    dunning_kinds.WRITE_OFF_DECLINED: "Write-off declined",
    dunning_kinds.PLACEMENT_TOLD: "Agency told",
    dunning_kinds.PLACEMENT_ACKNOWLEDGED: "Agency answered",
    dunning_kinds.COMMISSION_EARNED: "Commission earned by the agency",
    dunning_kinds.COMMISSION_CHANGED: "Commission of the agency changed",
    kinds.ITEM_COMPLETED: "Worked and completed",
    kinds.PROMISE_MADE: "Promise to pay",
    kinds.PROMISE_KEPT: "Promise kept",
    kinds.PROMISE_PART_KEPT: "Promise kept in part",
    kinds.PROMISE_BROKEN: "Promise broken",
    kinds.PROMISE_CANCELLED: "Promise cancelled",
    kinds.PLAN_AGREED: "Plan agreed",
    kinds.PLAN_APPROVED: "Plan approved",
    kinds.PLAN_DECLINED: "Plan declined",
    kinds.PLAN_KEPT: "Plan kept to the end",
    kinds.PLAN_BROKEN: "Plan broken",
    kinds.PLAN_CANCELLED: "Plan cancelled",
    kinds.INSTALMENT_KEPT: "Instalment paid",
    kinds.DISPUTE_OPENED: "Dispute opened",
    kinds.DISPUTE_RESOLVED: "Dispute resolved",
}
_TONES = {
    kinds.PROMISE_BROKEN: "bad",
    kinds.PLAN_BROKEN: "bad",
    kinds.PROMISE_KEPT: "good",
    kinds.PLAN_KEPT: "good",
    kinds.INSTALMENT_KEPT: "good",
    kinds.PROMISE_PART_KEPT: "warn",
    events.RECOVERY_RECEIVED: "good",
    events.RECOVERY_RETURNED: "bad",
}
_EVENT_ICONS = {
    "promise": "promise",
    "plan": "plan",
    "instalment": "plan",
    "dispute": "dispute",
    "hold": "hold",
    "service": "line",
}
_CHANNEL_ICONS = {
    "call": "phone",
    "sms": "message",
    "email": "mail",
    "letter": "letter",
    "in_app": "message",
    "visit": "user",
}
_MONEY_NOUNS = frozenset({"fee", "promise", "plan", "instalment", "dispute", "recovery", "write_off", "commission"})
_AMOUNTS = ("amount", "total")
#: Payload entries that identify rather than tell.
_SILENT = frozenset(
    {
        *_AMOUNTS,
        "hold",
        "first",
        "item",
        "item_kind",
        "interaction",
        "promise",
        "plan",
        "dispute",
        "notice",
        "key",
        "digest",
        "fee",
    }
    | {"starts_on", "reason", "status", "bill_refs"}
)
#: Of one payload; the audit trail shows all of it.
MOST_TOLD = 3
#: Holds that come with an agreement are told by it.
_AGREED = ("promise", "plan", "dispute")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: when, what, how much, by whom."""

    at: datetime
    group: str
    icon: str
    title: str
    detail: str = ""
    text: str = ""
    amount: Decimal | None = None
    actor: str = ""
    tone: str = ""
    policy: str = ""
    #: The day alone is known, not the moment.
    whole_day: bool = False
    order: tuple[int, int] = field(default=(0, 0))

    @property
    def day(self) -> date:
        """Its day on the desk's clock."""
        return self.at.date()


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: list[Entry]
    show: str
    #: How many to ask for to see more; none when this is everything.
    more: int | None


def timeline(
    *, account: Account, as_of: date, zone: ZoneInfo, outcomes: Mapping[str, str], show: str = "all", most: int = 60
) -> Timeline:
    """The newest ``most`` entries up to ``as_of``, narrowed to ``show``; at most nine queries, however much there is.

    ``outcomes`` has the words for the codes of dispositions; an older system's own codes are shown as they are.
    """
    entries = [entry for source in _sources(account, as_of, zone, outcomes, show, most + 1) for entry in source]
    entries.sort(key=lambda entry: (entry.at, entry.order), reverse=True)
    entries = [replace(entry, at=entry.at.astimezone(zone)) for entry in entries[: most + 1]]
    return Timeline(entries=entries[:most], show=show, more=most * 4 if len(entries) > most else None)


def _sources(
    account: Account, as_of: date, zone: ZoneInfo, outcomes: Mapping[str, str], show: str, most: int
) -> Iterator[Iterable[Entry]]:
    if show in {"all", TALKS}:
        yield _talks(account.interactions.select_related("agent").order_by("-at", "-pk")[:most], outcomes)
        yield _notes(account.notes.order_by("-at", "-pk")[:most])
    if show in {"all", MONEY}:
        yield _bills(account.bills.filter(issued_on__lte=as_of).order_by("-issued_on", "-pk")[:most], zone)
        yield _payments(account.payments.filter(received_on__lte=as_of).order_by("-received_on", "-pk")[:most], zone)
        yield _adjustments(account.adjustments.filter(on__lte=as_of).order_by("-on", "-pk")[:most], zone)
    if show in {"all", NOTICES}:
        yield _notices(account.notices.defer("body", "address").order_by("-pk")[:most], zone)
    if show in {"all", SYSTEM}:
        yield _orders(account.service_orders.select_related("service").order_by("-pk")[:most], zone)
    if show in {"all", MONEY, SYSTEM}:
        told = (
            account.events.exclude(kind__in=_TOLD_BY_ROWS)
            .exclude(kind__startswith="dunning.notice")
            .exclude(kind__startswith="dunning.order")
            .exclude(kind=events.HOLD_PLACED, reason__in=_AGREED)
            .exclude(kind=events.HOLD_LIFTED, payload__hold_reason__in=_AGREED)
        )
        yield [entry for entry in _events(told.order_by("-pk")[:most]) if show in {"all", entry.group}]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


def _talks(rows: QuerySet[Interaction], outcomes: Mapping[str, str]) -> Iterator[Entry]:
    for row in rows:
        outcome = outcomes.get(row.disposition) or _in_words(row.disposition)
        inbound = row.direction == Interaction.Direction.INBOUND
        icon = "phone-in" if inbound and row.kind == Interaction.Kind.CALL else _CHANNEL_ICONS.get(row.kind, "message")
        said = [row.get_direction_display().lower(), row.number]
        if row.duration_seconds:
            said.append(f"{row.duration_seconds // 60}:{row.duration_seconds % 60:02d} min")
        yield Entry(
            at=row.at,
            group=TALKS,
            icon=icon,
            title=": ".join(part for part in (row.get_kind_display(), outcome[:1].lower() + outcome[1:]) if part),
            detail=" · ".join(part for part in said if part),
            text=row.note,
            actor=str(row.agent) if row.agent else "",
            tone="good" if row.right_party else "",
            order=(5, row.pk),
        )


def _notes(rows: QuerySet[Note]) -> Iterator[Entry]:
    for row in rows:
        yield Entry(
            at=row.at, group=TALKS, icon="note", title="Note", text=row.text, actor=_who(row.by), order=(6, row.pk)
        )


def _bills(rows: QuerySet[Bill], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        cancelled = row.status == Bill.Status.CANCELLED
        yield Entry(
            at=_midnight(row.issued_on, zone),
            group=MONEY,
            icon="bill",
            title=f"Bill {row.ref}" + (", cancelled" if cancelled else ""),
            detail=f"due {row.due_on.day} {row.due_on:%b %Y}",
            amount=row.amount,
            whole_day=True,
            order=(1, row.pk),
        )


def _payments(rows: QuerySet[Payment], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        back = row.reverses_id is not None
        yield Entry(
            at=_midnight(row.received_on, zone),
            group=MONEY,
            icon="back" if back else "money",
            title="Payment returned" if back else "Payment",
            detail=" · ".join(
                part for part in (_in_words(row.method), f"for {row.bill_ref}" if row.bill_ref else "") if part
            ),
            amount=row.amount,
            tone="bad" if back else "good",
            whole_day=True,
            order=(2, row.pk),
        )


def _adjustments(rows: QuerySet[Adjustment], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        title = {
            Adjustment.Kind.DISPUTE: "Credit for an upheld dispute",
            Adjustment.Kind.WRITE_OFF: "Written off",
        }.get(Adjustment.Kind(row.kind), "Credit" if row.amount < 0 else "Charge")
        yield Entry(
            at=_midnight(row.on, zone),
            group=MONEY,
            icon="bill",
            title=title,
            detail=" · ".join(part for part in (row.reason, row.bill_ref) if part),
            amount=abs(row.amount),
            whole_day=True,
            order=(3, row.pk),
        )


def _notices(rows: QuerySet[Notice], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        moment = row.delivered_at or row.sent_at
        detail = [row.get_state_display().lower(), row.reason]
        if row.pay_by:
            detail.append(f"pay before {row.pay_by.day} {row.pay_by:%b}")
        yield Entry(
            at=moment or _midnight(row.made_on, zone),
            group=NOTICES,
            icon=_CHANNEL_ICONS.get(row.channel, "message"),
            title=f"{_in_words(row.step_code)} by {_CHANNEL_WORDS.get(row.channel, row.channel)}",
            detail=" · ".join(part for part in detail if part),
            amount=row.amount or None,
            tone={"bounced": "bad", "failed": "bad", "doubtful": "warn", "delivered": "good"}.get(row.state, ""),
            whole_day=moment is None,
            order=(4, row.pk),
        )


def _orders(rows: QuerySet[ServiceOrder], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        moment = row.confirmed_at or row.sent_at
        limit = row.kind == ServiceOrder.Kind.LIMIT
        name = row.service.number or row.service.ref
        yield Entry(
            at=moment or _midnight(row.made_on, zone),
            group=SYSTEM,
            icon="line",
            title=f"{_in_words(row.rung)}: {name}" if limit else f"Restore service: {name}",
            detail=" · ".join(part for part in (row.get_state_display().lower(), row.reason) if part),
            tone="bad" if row.state == ServiceOrder.State.FAILED else ("warn" if limit else "good"),
            whole_day=moment is None,
            order=(7, row.pk),
        )


def _events(rows: QuerySet[AccountEvent]) -> Iterator[Entry]:
    for row in rows:
        noun = row.kind.split(".")[1] if row.kind.count(".") >= 2 else ""
        amount = next((row.payload[name] for name in _AMOUNTS if row.payload.get(name)), None)
        yield Entry(
            at=row.at,
            group=MONEY if noun in _MONEY_NOUNS else SYSTEM,
            icon=_EVENT_ICONS.get(noun, "gear"),
            title=title_of(row.kind),
            detail=" · ".join(part for part in (_in_words(row.reason), told(row)) if part),
            amount=_decimal(amount),
            actor=_who(row.actor),
            tone=_TONES.get(row.kind, ""),
            policy=row.policy,
            order=(8, row.pk),
        )


def title_of(kind: str) -> str:
    """An event's kind in words: ``dunning.step.taken`` is *Step taken*."""
    return _TITLES.get(kind) or _in_words(" ".join(kind.split(".")[1:]))


def told(event: AccountEvent) -> str:
    """What the payload tells beside ids and amounts."""
    payload = event.payload
    if "from" in payload and "to" in payload:
        return f"{_said(payload['from'])} → {_said(payload['to'])}"
    said = [
        f"{_said(name)} {_said(value)}"
        for name, value in payload.items()
        if name not in _SILENT and isinstance(value, str | int) and value not in ("", event.reason)
    ]
    return " · ".join(said[:MOST_TOLD])


def _said(value: object) -> str:
    """A code in words, a date as people write it, anything else as it is."""
    text = str(value)
    if re.fullmatch(r"[a-z]+(_[a-z]+)*", text):
        return text.replace("_", " ")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        on = date.fromisoformat(text)
        return f"{on.day} {on:%b %Y}"
    return text


_CHANNEL_WORDS = {"sms": "SMS", "email": "e-mail", "letter": "letter", "in_app": "in-app message", "call": "call"}


def _who(actor: str) -> str:
    """``agent:nadia`` is nadia; policies and the desk speak for themselves."""
    kind, _, name = actor.partition(":")
    return name if kind == "agent" else actor.replace(":", " ")


def _in_words(code: str) -> str:
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _decimal(value: object) -> Decimal | None:
    text = str(value or "")
    return Decimal(text) if text.replace(".", "", 1).lstrip("-").isdigit() else None
