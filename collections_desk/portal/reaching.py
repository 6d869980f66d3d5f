"""How, when and in which language the customer wants to hear from us, as they choose it on their page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.http import QueryDict

from accounts import wishes
from accounts.models import Account, Consent, ContactPreference
from accounts.refusals import Refused
from collections_desk.portal.asking import actor
from collections_desk.portal.texts import LANGUAGES, Words

SOURCE = "customer's page"
#: What each channel is called there.
_NAMES = {
    Consent.Channel.CALL: "reach_call",
    Consent.Channel.SMS: "reach_sms",
    Consent.Channel.EMAIL: "reach_email",
    Consent.Channel.LETTER: "reach_letter",
    Consent.Channel.IN_APP: "reach_in_app",
}


class CannotChoose(Refused):
    """What was filled in makes no sense."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class ChannelShown:
    code: str
    label: str
    allowed: bool
    preferred: bool


@dataclass(frozen=True, slots=True)
class TimeShown:
    key: int
    text: str


@dataclass(frozen=True, slots=True)
class Reach:
    """The page: the channels with what holds of each, the times that do not suit, the language."""

    channels: list[ChannelShown]
    prefers_any: bool
    times: list[TimeShown]
    weekdays: list[tuple[int, str]]
    #: As the page offers it; empty for one that it does not, which ``other_language`` names.
    language: str
    other_language: str


def reach(account: Account, words: Words, *, at: datetime) -> Reach:
    """What holds at that moment; three queries."""
    refused = _refused(account, at)
    standing = list(account.customer.preferences.filter(wishes.covering(at)).order_by("starts_at", "pk"))
    language = _spoken(account)
    preferred = {row.channel for row in standing if row.kind == ContactPreference.Kind.CHANNEL}
    return Reach(
        channels=[
            ChannelShown(channel.value, words[name], channel not in refused, channel in preferred)
            for channel, name in _NAMES.items()
        ],
        prefers_any=not preferred,
        times=[TimeShown(row.pk, _time(row, words)) for row in standing if _is_unwanted_time(row)],
        weekdays=[(number, words.weekday(number)) for number in range(1, 8)],
        language=language if language in LANGUAGES else "",
        other_language=words.language_name(account.customer.language),
    )


def choose(account: Account, chosen: QueryDict, *, as_of: date, at: datetime) -> None:
    """Bring everything to what the page says; what is as before writes nothing. Raises ``CannotChoose``."""
    now: dict[str, Any] = {"actor": actor(account), "as_of": as_of, "at": at}
    customer = account.customer_id
    weekdays, opens, closes = _times_in(chosen)
    with transaction.atomic():
        allowed = set(chosen.getlist("channels"))
        refused = _refused(account, at)
        stopped = [code for code in Consent.Channel.values if code not in allowed and code not in refused]
        started = [code for code in Consent.Channel.values if code in allowed and code in refused]
        wishes.stop(customer_id=customer, channels=stopped, source=SOURCE, **now)
        wishes.start(customer_id=customer, channels=started, source=SOURCE, **now)
        _prefer(account, chosen.get("preferred", ""), now)
        if weekdays or opens:
            wishes.note_preference(
                customer_id=customer,
                kind=ContactPreference.Kind.TIME,
                weekdays=weekdays,
                opens=opens,
                closes=closes,
                source=SOURCE,
                **now,
            )
        language = chosen.get("language", "")
        # Who is written to in that language already keeps their country's way of it.
        if language in LANGUAGES and language != _spoken(account):
            wishes.state_language(customer_id=customer, language=language, **now)


def stop_all(account: Account, *, as_of: date, at: datetime) -> None:
    """Nothing more, on any channel."""
    wishes.stop(
        customer_id=account.customer_id,
        channels=Consent.Channel.values,
        source=SOURCE,
        actor=actor(account),
        as_of=as_of,
        at=at,
    )


def remove_time(account: Account, key: str, *, as_of: date, at: datetime) -> None:
    """A time suits them again; one that is not theirs, or gone already, changes nothing."""
    standing = account.customer.preferences.filter(wishes.covering(at), kind=ContactPreference.Kind.TIME)
    found = standing.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 18 else None
    if found is not None:
        wishes.end_preference(preference_id=found.pk, actor=actor(account), as_of=as_of, at=at)


def _prefer(account: Account, channel: str, now: dict[str, Any]) -> None:
    kind = ContactPreference.Kind.CHANNEL
    if channel in Consent.Channel.values:
        wishes.note_preference(
            customer_id=account.customer_id, kind=kind, channel=channel, wanted=True, source=SOURCE, **now
        )
        return
    for former in account.customer.preferences.filter(wishes.covering(now["at"]), kind=kind).order_by("pk"):
        wishes.end_preference(preference_id=former.pk, **now)


def _times_in(chosen: QueryDict) -> tuple[Sequence[int], time | None, time | None]:
    weekdays = [int(day) for day in chosen.getlist("weekdays") if day in set("1234567")]
    opens, closes = (_clock(chosen.get(name, "")) for name in ("opens", "closes"))
    if (opens is None) != (closes is None) or (opens is not None and opens == closes):
        raise CannotChoose("Give a beginning and another end.")
    return weekdays, opens, closes


def _clock(text: str) -> time | None:
    try:
        return time.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise CannotChoose("That is no time of the day.") from None


def _refused(account: Account, at: datetime) -> Collection[str]:
    """The channels that were stopped altogether."""
    return {
        row.channel
        for row in wishes.consents_in_force(customer_id=account.customer_id, at=at)
        if row.purpose == Consent.Purpose.SERVICE and not row.value and not row.given
    }


def _spoken(account: Account) -> str:
    """The language they are written to in, without its country."""
    return account.customer.language.replace("_", "-").split("-")[0].lower()


def _is_unwanted_time(row: ContactPreference) -> bool:
    return row.kind == ContactPreference.Kind.TIME and not row.wanted


def _time(row: ContactPreference, words: Words) -> str:
    days = ", ".join(words.weekday(day) for day in row.weekdays) or words["reach_every_day"]
    if row.opens is None or row.closes is None:
        return words.say("reach_not_days", days=days)
    return words.say("reach_not", days=days, opens=f"{row.opens:%H:%M}", closes=f"{row.closes:%H:%M}")
