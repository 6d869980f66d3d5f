"""A confirmation of what was agreed: asked for in the transaction of the act, gone a minute later, or never.

The notice waits until ``leaves_at``, so that taking the act back takes the message back with it; then it passes the
contact gate like every other. What it says is said anew at the moment it leaves: the room that keeps the agreement
tells what stands through ``Agreements``, and what is over is not confirmed any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts import business_day, events, wishes
from accounts.models import Account, ContactPreference
from dunning import cases, contact, kinds, reading
from dunning.models import Confirmation, Notice
from dunning.wording_facts import InstalmentLine

ACTOR = "desk:confirmations"

#: A slip is taken back within so long: before that nothing leaves the house.
WAITS = timedelta(seconds=60)
#: On which channel somebody hears from us who prefers none of them.
CHANNELS = ("email", "sms", "letter", "in_app")

#: What is confirmed, and so goes by the rules of what a customer asked for.
TEMPLATES = frozenset(
    {
        "promise-confirmation", "plan-confirmation", "extension-confirmation", "settlement-offer", "settlement-paid",
        "dispute-received", "dispute-upheld", "dispute-rejected", "plan-broken", "restored", "complaint-received",
        "complaint-answered",
    }
)  # fmt: skip


class UnknownWords(ValueError):
    """No text speaks of that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """What a confirmation says beside the account's own facts; what is None is not spoken of.

    The names are those of ``wording_facts.NoticeFacts``.
    """

    promised_amount: Decimal | None = None
    promised_on: date | None = None
    instalments: tuple[InstalmentLine, ...] = ()
    extended_until: date | None = None
    settled_amount: Decimal | None = None
    #: What it is taken for.
    settled_balance: Decimal | None = None
    settled_by: date | None = None
    disputed_amount: Decimal | None = None
    disputed_bill: str | None = None
    credited_amount: Decimal | None = None
    disputed_rest: Decimal | None = None
    outcome_words: str | None = None
    answer_by: date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands now: what it says, or why there is nothing left to confirm."""

    wording: Mapping[str, Any] = field(default_factory=dict)
    over: str = ""


#: How those agreements stand, by the confirmation's key; asked with pairs of key and template.
Agreements = Callable[[Collection[tuple[str, str]]], Mapping[str, Standing]]


def nothing_agreed(asked: Collection[tuple[str, str]]) -> Mapping[str, Standing]:
    """Where no agreements are kept: what was written down when it was asked for is said."""
    return {}


def confirm(
    *,
    account_id: int,
    template: str,
    wording: Mapping[str, Any],
    key: str,
    actor: str,
    as_of: date,
    at: datetime,
    leaves_at: datetime | None = None,
) -> Notice | None:
    """Ask for a confirmation to the account's customer; it leaves a minute from now, or at ``leaves_at``.

    ``wording`` has the names of ``Agreed``; ``instalments`` are pairs of day and amount, or rows that have ``due_on``
    and ``amount``. The same ``key`` again is the same notice. None where no channel reaches the customer. Call it in
    the transaction of the act. Raises ``UnknownWords`` for a template or a value that no text knows.
    """
    if template not in TEMPLATES:
        raise UnknownWords(f"Nothing is confirmed with the text {template!r}")
    written = _written(wording)
    with transaction.atomic():
        cases.lock([account_id])
        if (asked := _notices(key).first()) is not None:
            return asked
        account = Account.objects.select_related("customer").get(pk=account_id)
        channels = channels_for(account, as_of=as_of, at=at)
        if not channels:
            return None
        Confirmation.objects.get_or_create(
            key=key,
            defaults={
                "account": account,
                "template": template,
                "wording": written,
                "asked_by": actor[:80],
                "asked_at": at,
            },
        )
        return Notice.objects.create(
            account=account,
            customer=account.customer,
            key=f"{key}.{channels[0]}",
            step_code=contact.CONFIRMATION,
            template=template,
            channel=channels[0],
            fallbacks=channels[1:],
            language=account.customer.language,
            currency=account.currency,
            made_on=as_of,
            send_at=leaves_at or at + WAITS,
        )


def withdraw(*, key_prefix: str, reason: str, at: datetime, actor: str = ACTOR) -> int:
    """Take back what has not left of the confirmations with that key, or one that goes on from it; how many.

    Of ``confirm.dispute.D1``, also ``confirm.dispute.D1.received``. In the transaction of the act.
    """
    with transaction.atomic():
        waiting = Notice.objects.select_for_update().filter(
            step_code=contact.CONFIRMATION, state="pending", key__startswith=f"{key_prefix}."
        )
        # A dot belongs to ids too: what follows is a channel, or one word and a channel.
        rows = [row for row in waiting.order_by("pk") if row.key[len(key_prefix) + 1 :].count(".") <= 1]
        for row in rows:
            row.state, row.reason, row.send_at = "withdrawn", reason[:200], None
            row.save(update_fields=["state", "reason", "send_at"])
        on = business_day.business_date(at=at)
        events.record_many(
            [
                events.EventRow(
                    row.account_id,
                    kinds.NOTICE_WITHDRAWN,
                    actor,
                    at,
                    on,
                    reason[:300],
                    payload={"key": row.key, "step": row.step_code, "channel": row.channel},
                )
                for row in rows
            ]
        )
    return len(rows)


def channels_for(account: Account, *, as_of: date, at: datetime) -> list[str]:
    """The channels on which the account's customer can be written to, the one they prefer first."""
    facts = reading.read([account.pk], as_of=as_of)[account.pk]
    wished = ContactPreference.objects.filter(
        wishes.covering(at), customer=account.customer_id, kind=ContactPreference.Kind.CHANNEL
    )
    order = dict.fromkeys((*wished.order_by("-starts_at").values_list("channel", flat=True), *CHANNELS))
    reachable = facts.reachable()
    return [channel for channel in order if channel in CHANNELS and channel in reachable]


class Leaving:
    """What the confirmations of a batch say at this moment. Two queries for all of them, none where there are none."""

    def __init__(self, notices: Sequence[Notice], agreements: Agreements) -> None:
        keys = {_key_of(row): row.template for row in notices if row.step_code == contact.CONFIRMATION}
        kept = Confirmation.objects.filter(key__in=keys).values_list("key", "wording") if keys else ()
        self._wording: dict[str, Mapping[str, Any]] = dict(kept)
        self._standing = agreements(sorted(keys.items())) if keys else {}

    def over(self, notice: Notice) -> str:
        """Why there is nothing left to confirm; nothing where there is."""
        found = self._standing.get(_key_of(notice))
        return found.over if found is not None else ""

    def agreed(self, notice: Notice) -> Agreed | None:
        """What the notice says; None for one that confirms nothing."""
        if notice.step_code != contact.CONFIRMATION:
            return None
        key = _key_of(notice)
        found = self._standing.get(key)
        return _read(_written(found.wording) if found is not None and found.wording else self._wording.get(key, {}))


def _key_of(notice: Notice) -> str:
    return notice.key.rpartition(".")[0]


def _notices(key: str) -> QuerySet[Notice]:
    return Notice.objects.filter(key__in=[f"{key}.{channel}" for channel in CHANNELS]).order_by("pk")


# As it is kept: amounts and days as text -----------------------------------------------------------------------------

_NAMES = frozenset(one.name for one in fields(Agreed))
_AMOUNTS = frozenset(
    {
        "promised_amount", "settled_amount", "settled_balance", "disputed_amount", "credited_amount", "disputed_rest",
    }
)  # fmt: skip
_DAYS = frozenset({"promised_on", "extended_until", "settled_by", "answer_by"})


def _written(wording: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := wording.keys() - _NAMES:
        raise UnknownWords(f"No confirmation speaks of {', '.join(sorted(unknown))}")
    said: dict[str, Any] = {}
    for name, value in wording.items():
        if name == "instalments":
            parts = [(part.due_on, part.amount) if hasattr(part, "due_on") else tuple(part) for part in value]
            said[name] = [[day.isoformat(), str(amount)] for day, amount in parts]
        elif value is not None:
            said[name] = value.isoformat() if name in _DAYS else str(value)
    return said


def _read(said: Mapping[str, Any]) -> Agreed:
    values: dict[str, Any] = dict(said)
    for name in values.keys() & _AMOUNTS:
        values[name] = Decimal(values[name])
    for name in values.keys() & _DAYS:
        values[name] = date.fromisoformat(values[name])
    if "instalments" in values:
        values["instalments"] = tuple(
            InstalmentLine(due_on=date.fromisoformat(day), amount=Decimal(amount))
            for day, amount in values["instalments"]
        )
    return Agreed(**values)
