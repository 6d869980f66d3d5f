"""An account's timeline: bills, payments, talks, notices, notes and events in one list, newest first.

Every source is read up to a limit, all of them with one query, so a page costs the same for a customer of a week and
one of ten years. What a row already tells (a payment, a call, a promise) is not told again by its event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max, Q, QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import at_once, events
from accounts.models import Account, AccountEvent, Adjustment, Bill, Payment
from agents import kinds, reasons
from agents.event_words import icon_of, noun_of, title_of, tone_of
from agents.models import Interaction, Note
from agents.words import from_left, of_code, within
from agents.words import said as in_page_words
from dunning import kinds as dunning_kinds
from dunning.models import Notice, ServiceOrder

TALKS, MONEY, NOTICES, SYSTEM = "talks", "money", "notices", "system"
#: What the page can be narrowed to, with the words for it.
SHOWS = (("all", "All"), (TALKS, "Talks"), (MONEY, "Money"), (NOTICES, "Notices"), (SYSTEM, "System"))

#: Rows tell these better than their events do.
_TOLD_BY_ROWS = (
    kinds.CALL_DIALLED,
    kinds.CALL_LOGGED,
    kinds.CONTACT_RECORDED,
    kinds.NOTE_ADDED,
    kinds.ITEM_QUEUED,
    kinds.ITEM_CLAIMED,
    kinds.ITEM_RELEASED,
    events.MONEY_MOVED,
    events.PERSONAL_DATA_READ,
    # What is said of a colleague's words is for who reviews them, not for everybody who opens the account.
    dunning_kinds.FINDING_MADE,
    dunning_kinds.FINDING_JUDGED,
)

#: Written when somebody looks or the account changes hands: no news to whoever has it open.
_NO_NEWS = (
    kinds.ITEM_QUEUED, kinds.ITEM_CLAIMED, kinds.ITEM_RELEASED, events.PERSONAL_DATA_READ,
    dunning_kinds.FINDING_MADE, dunning_kinds.FINDING_JUDGED,
)  # fmt: skip

_CHANNEL_ICONS = {
    "call": "phone",
    "sms": "message",
    "email": "mail",
    "letter": "letter",
    "in_app": "message",
    "voice": "phone",
    "visit": "user",
}
_MONEY_NOUNS = frozenset(
    {"fee", "fee_waiver", "promise", "plan", "instalment", "dispute", "recovery", "write_off", "commission"}
)
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
        "call",
        "promise",
        "plan",
        "dispute",
        "complaint",
        "survey",
        "repeats",
        "notice",
        "key",
        "digest",
        "fee",
        "message",
        "intent",
        "confidence",
        "of",
        "asked_by",
        "in_place_of",
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

    @property
    def key(self) -> str:
        """The same for the same entry however often it is shown."""
        return f"entry-{self.order[0]}-{self.order[1]}"


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: list[Entry]
    show: str
    #: How many to ask for to see more; none when this is everything.
    more: int | None


def timeline(
    *, account: Account, as_of: date, zone: ZoneInfo, outcomes: Mapping[str, str], show: str = "all", most: int = 60
) -> Timeline:
    """The newest ``most`` entries up to ``as_of``, narrowed to ``show``; one query, however much there is.

    ``outcomes`` has the words for the codes of dispositions; an older system's own codes are shown as they are.
    """
    sources = _sources(account, as_of, zone, outcomes, show, most + 1)
    found = at_once.rows(**{name: rows for name, (rows, _) in sources.items()})
    entries = [entry for name, (_, tell) in sources.items() for entry in tell(found[name])]
    entries.sort(key=lambda entry: (entry.at, entry.order), reverse=True)
    entries = [replace(entry, at=entry.at.astimezone(zone)) for entry in entries[: most + 1]]
    return Timeline(entries=entries[:most], show=show, more=most * 4 if len(entries) > most else None)


def news_since(account: Account, *, after: int) -> int | None:
    """The newest event behind that one which changes what the page shows; none where nothing does. One query."""
    newest: int | None = (
        account.events.filter(pk__gt=after).exclude(kind__in=_NO_NEWS).aggregate(newest=Max("pk"))["newest"]
    )
    return newest


def latest(account: Account) -> QuerySet[AccountEvent]:
    """The account's last event, whatever its kind: what ``news_since`` counts from."""
    return account.events.only("pk", "account_id").order_by("-pk")[:1]


#: What is read for a group, and how it is told.
_Source = tuple[QuerySet[Any], Callable[[Iterable[Any]], Iterable[Entry]]]


def _sources(
    account: Account, as_of: date, zone: ZoneInfo, outcomes: Mapping[str, str], show: str, most: int
) -> dict[str, _Source]:
    wanted: dict[str, _Source] = {}
    if show in {"all", TALKS}:
        talks = account.interactions.select_related("agent").order_by("-at", "-pk")[:most]
        wanted["talks"] = (talks, lambda rows: _talks(rows, outcomes))
        wanted["notes"] = (account.notes.filter(undone_at=None).order_by("-at", "-pk")[:most], _notes)
    if show in {"all", MONEY}:
        bills = account.bills.filter(issued_on__lte=as_of).order_by("-issued_on", "-pk")[:most]
        wanted["bills"] = (bills, lambda rows: _bills(rows, zone))
        payments = account.payments.filter(received_on__lte=as_of).order_by("-received_on", "-pk")[:most]
        wanted["payments"] = (payments, lambda rows: _payments(rows, zone))
        adjustments = account.adjustments.filter(on__lte=as_of).order_by("-on", "-pk")[:most]
        wanted["adjustments"] = (adjustments, lambda rows: _adjustments(rows, zone))
    if show in {"all", NOTICES}:
        notices = account.notices.defer("body", "address").order_by("-pk")[:most]
        wanted["notices"] = (notices, lambda rows: _notices(rows, zone))
    if show in {"all", SYSTEM}:
        orders = account.service_orders.select_related("service").order_by("-pk")[:most]
        wanted["orders"] = (orders, lambda rows: _orders(rows, zone))
    told = (
        account.events.exclude(kind__in=_TOLD_BY_ROWS)
        .exclude(~Q(kind=dunning_kinds.NOTICE_RESENT), kind__startswith="dunning.notice")
        .exclude(kind__startswith="dunning.order")
        .exclude(kind=events.HOLD_PLACED, reason__in=_AGREED)
        .exclude(kind=events.HOLD_LIFTED, payload__hold_reason__in=_AGREED)
        .filter(_ONLY.get(show, Q()))
    )
    wanted["events"] = (
        told.order_by("-pk")[:most],
        lambda rows: [entry for entry in _events(rows) if show in {"all", entry.group}],
    )
    return wanted


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


def _talks(rows: Iterable[Interaction], outcomes: Mapping[str, str]) -> Iterator[Entry]:
    for row in rows:
        outcome = outcomes.get(row.disposition) or _in_words(row.disposition)
        inbound = row.direction == Interaction.Direction.INBOUND
        icon = "phone-in" if inbound and row.kind == Interaction.Kind.CALL else _CHANNEL_ICONS.get(row.kind, "message")
        said = [within(row.get_direction_display()), from_left(row.number)]
        if row.duration_seconds:
            said.append(f"{row.duration_seconds // 60}:{row.duration_seconds % 60:02d} min")
        if row.undone_at:
            said.append(_("taken back: a slip"))
        if row.nonpayment_reason:
            said.append(within(reasons.words(row.nonpayment_reason)))
        if row.override_code:
            said.append(_("although the gate said no: %(why)s") % {"why": of_code(row.override_code.lower())})
        yield Entry(
            at=row.at,
            group=TALKS,
            icon=icon,
            title=": ".join(part for part in (in_page_words(row.get_kind_display()), within(outcome)) if part),
            detail=" · ".join(part for part in said if part),
            text=row.note,
            actor=str(row.agent) if row.agent else "",
            tone="warn" if row.override_code else "good" if row.right_party and not row.undone_at else "",
            order=(5, row.pk),
        )


def _notes(rows: Iterable[Note]) -> Iterator[Entry]:
    for row in rows:
        yield Entry(
            at=row.at,
            group=TALKS,
            icon="note",
            title=_("Note"),
            text=row.text,
            actor=_who(row.by),
            order=(6, row.pk),
        )


def _bills(rows: Iterable[Bill], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        cancelled = row.status == Bill.Status.CANCELLED
        yield Entry(
            at=_midnight(row.issued_on, zone),
            group=MONEY,
            icon="bill",
            title=(_("Bill %(ref)s, cancelled") if cancelled else _("Bill %(ref)s")) % {"ref": row.ref},
            detail=_("due %(day)s") % {"day": date_format(row.due_on, "j M Y")},
            amount=row.amount,
            whole_day=True,
            order=(1, row.pk),
        )


def _payments(rows: Iterable[Payment], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        back = row.reverses_id is not None
        yield Entry(
            at=_midnight(row.received_on, zone),
            group=MONEY,
            icon="back" if back else "money",
            title=_("Payment returned") if back else _("Payment"),
            detail=" · ".join(
                part
                for part in (of_code(row.method), _("for %(bill)s") % {"bill": row.bill_ref} if row.bill_ref else "")
                if part
            ),
            amount=row.amount,
            tone="bad" if back else "good",
            whole_day=True,
            order=(2, row.pk),
        )


def _adjustments(rows: Iterable[Adjustment], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        title = {
            Adjustment.Kind.DISPUTE: _("Credit for an upheld dispute"),
            Adjustment.Kind.WRITE_OFF: _("Written off"),
            Adjustment.Kind.SETTLEMENT: _("Let go in a settlement") if row.amount < 0 else _("Owed again"),
        }.get(Adjustment.Kind(row.kind), _("Credit") if row.amount < 0 else _("Charge"))
        yield Entry(
            at=_midnight(row.on, zone),
            group=MONEY,
            icon="bill",
            title=title,
            detail=" · ".join(part for part in (in_page_words(row.reason), row.bill_ref) if part),
            amount=abs(row.amount),
            whole_day=True,
            order=(3, row.pk),
        )


def _notices(rows: Iterable[Notice], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        moment = row.delivered_at or row.sent_at
        detail = [within(row.get_state_display()), row.reason]
        if row.pay_by:
            detail.append(_("pay before %(day)s") % {"day": date_format(row.pay_by, "j M")})
        yield Entry(
            at=moment or _midnight(row.made_on, zone),
            group=NOTICES,
            icon=_CHANNEL_ICONS.get(row.channel, "message"),
            title=_("%(notice)s by %(channel)s")
            % {
                "notice": of_code(row.step_code),
                "channel": in_page_words(_CHANNEL_WORDS.get(row.channel, row.channel)),
            },
            detail=" · ".join(part for part in detail if part),
            amount=row.amount or None,
            tone={"bounced": "bad", "failed": "bad", "doubtful": "warn", "delivered": "good"}.get(row.state, ""),
            whole_day=moment is None,
            order=(4, row.pk),
        )


def _orders(rows: Iterable[ServiceOrder], zone: ZoneInfo) -> Iterator[Entry]:
    for row in rows:
        moment = row.confirmed_at or row.sent_at
        limit = row.kind == ServiceOrder.Kind.LIMIT
        name = row.service.number or row.service.ref
        yield Entry(
            at=moment or _midnight(row.made_on, zone),
            group=SYSTEM,
            icon="line",
            title=f"{of_code(row.rung)}: {name}" if limit else _("Restore service: %(name)s") % {"name": name},
            detail=" · ".join(part for part in (within(row.get_state_display()), row.reason) if part),
            tone="bad" if row.state == ServiceOrder.State.FAILED else ("warn" if limit else "good"),
            whole_day=moment is None,
            order=(7, row.pk),
        )


def _events(rows: Iterable[AccountEvent]) -> Iterator[Entry]:
    for row in rows:
        amount = next((row.payload[name] for name in _AMOUNTS if row.payload.get(name)), None)
        yield Entry(
            at=row.at,
            group=_group_of(row.kind),
            icon=icon_of(row.kind),
            title=title_of(row.kind),
            detail=" · ".join(
                part
                for part in (
                    of_code(row.reason) if _is_code(row.reason) else in_page_words(_in_words(row.reason)),
                    told(row),
                )
                if part
            ),
            amount=_decimal(amount),
            actor=_in_whose_place(row),
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
        return within(of_code(text))
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        on = date.fromisoformat(text)
        return date_format(on, "j M Y")
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", text):
        at = localtime(datetime.fromisoformat(text))
        return date_format(at, "j M, H:i")
    return text


_CHANNEL_WORDS = {
    "sms": gettext_noop("SMS"),
    "email": gettext_noop("e-mail"),
    "letter": gettext_noop("letter"),
    "in_app": gettext_noop("in-app message"),
    "voice": gettext_noop("automatic call"),
    "call": gettext_noop("call"),
}


def _in_whose_place(row: AccountEvent) -> str:
    """Who did it; of what was decided in somebody's place, for whom."""
    whom = row.payload.get("in_place_of")
    if not whom:
        return _who(row.actor)
    return _("%(who)s for %(whom)s") % {"who": _who(row.actor), "whom": _who(str(whom))}


def _who(actor: str) -> str:
    """``agent:nadia`` is nadia; policies and the desk speak for themselves."""
    kind, _, name = actor.partition(":")
    return name if kind == "agent" else actor.replace(":", " ")


def _is_code(text: str) -> bool:
    return re.fullmatch(r"[a-z]+([_-][a-z]+)*", text) is not None


def _in_words(code: str) -> str:
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _decimal(value: object) -> Decimal | None:
    text = str(value or "")
    return Decimal(text) if text.replace(".", "", 1).lstrip("-").isdigit() else None
