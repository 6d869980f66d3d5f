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

from django.db.models import Q, QuerySet
from django.utils.timezone import localtime

from accounts import events
from accounts.models import Account, AccountEvent, Adjustment, Bill, Payment
from agents import kinds
from agents.event_words import icon_of, noun_of, title_of, tone_of
from agents.models import Interaction, Note
from dunning import kinds as dunning_kinds
from dunning.models import Notice, ServiceOrder

TALKS, MONEY, NOTICES, SYSTEM = "talks", "money", "notices", "system"
#: What the page can be narrowed to, with the words for it.
SHOWS = (("all", "All"), (TALKS, "Talks"), (MONEY, "Money"), (NOTICES, "Notices"), (SYSTEM, "System"))

#: Rows tell these better than their events do.
_TOLD_BY_ROWS = (
    kinds.CALL_LOGGED,
    kinds.CONTACT_RECORDED,
    kinds.NOTE_ADDED,
    kinds.ITEM_QUEUED,
    kinds.ITEM_CLAIMED,
    kinds.ITEM_RELEASED,
    events.MONEY_MOVED,
    events.PERSONAL_DATA_READ,
)

_CHANNEL_ICONS = {
    "call": "phone",
    "sms": "message",
    "email": "mail",
    "letter": "letter",
    "in_app": "message",
    "voice": "phone",
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
        "message",
        "intent",
        "confidence",
        "of",
    }
    | {"starts_on", "reason", "status", "bill_refs"}
    | {"consent", "preference", "representative", "vulnerability", "one_address", "may_be_told", "stated_on"}
)
#: Of one payload; the audit trail shows all of it.
MOST_TOLD = 3
#: What customers write back.
_MESSAGES = "dunning.message."
#: The few events of a group that is told by rows otherwise.
_ONLY = {TALKS: Q(kind__startswith=_MESSAGES), NOTICES: Q(kind=dunning_kinds.NOTICE_RESENT)}
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
    told = (
        account.events.exclude(kind__in=_TOLD_BY_ROWS)
        .exclude(~Q(kind=dunning_kinds.NOTICE_RESENT), kind__startswith="dunning.notice")
        .exclude(kind__startswith="dunning.order")
        .exclude(kind=events.HOLD_PLACED, reason__in=_AGREED)
        .exclude(kind=events.HOLD_LIFTED, payload__hold_reason__in=_AGREED)
        .filter(_ONLY.get(show, Q()))
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
        if row.override_code:
            said.append(f"although the gate said no: {_in_words(row.override_code.lower())}")
        yield Entry(
            at=row.at,
            group=TALKS,
            icon=icon,
            title=": ".join(part for part in (row.get_kind_display(), outcome[:1].lower() + outcome[1:]) if part),
            detail=" · ".join(part for part in said if part),
            text=row.note,
            actor=str(row.agent) if row.agent else "",
            tone="warn" if row.override_code else "good" if row.right_party else "",
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
        amount = next((row.payload[name] for name in _AMOUNTS if row.payload.get(name)), None)
        yield Entry(
            at=row.at,
            group=_group_of(row.kind),
            icon=icon_of(row.kind),
            title=title_of(row.kind),
            detail=" · ".join(part for part in (_in_words(row.reason), told(row)) if part),
            amount=_decimal(amount),
            actor=_who(row.actor),
            tone=tone_of(row.kind),
            policy=row.policy,
            order=(8, row.pk),
        )


def _group_of(kind: str) -> str:
    if kind == dunning_kinds.NOTICE_RESENT:
        return NOTICES
    if kind.startswith(_MESSAGES):
        return TALKS
    return MONEY if noun_of(kind) in _MONEY_NOUNS else SYSTEM


def told(event: AccountEvent) -> str:
    """What the payload tells beside ids and amounts."""
    payload = event.payload
    if "from" in payload and "to" in payload:
        return f"{_said(payload['from'])} → {_said(payload['to'])}"
    said = [
        f"{_said(name)} {_said(value)}"
        for name, value in payload.items()
        if name not in _SILENT and _is_told(value) and value not in ("", event.reason)
    ]
    return " · ".join(said[:MOST_TOLD])


def _is_told(value: object) -> bool:
    """Words and numbers; that something is so, or is not, says nothing without its column."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _said(value: object) -> str:
    """A code in words, a date or moment as people write it, anything else as it is."""
    text = str(value)
    if re.fullmatch(r"[a-z]+(_[a-z]+)*", text):
        return text.replace("_", " ")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        on = date.fromisoformat(text)
        return f"{on.day} {on:%b %Y}"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", text):
        at = localtime(datetime.fromisoformat(text))
        return f"{at.day} {at:%b, %H:%M}"
    return text


_CHANNEL_WORDS = {
    "sms": "SMS",
    "email": "e-mail",
    "letter": "letter",
    "in_app": "in-app message",
    "voice": "automatic call",
    "call": "call",
}


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
