"""What the account's page says of the customer's wishes: the channels, times and places, who speaks, support, habits.

Whoever may not see support needs learns that there is one, and no more: it is left out here, not in the template.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from accounts import wishes
from accounts.models import Consent, ContactPreference, Customer, Representative, Vulnerability
from agents.forms import WEEKDAYS
from dunning import habits
from dunning.habits import Explained

_DAYS = dict(WEEKDAYS)
_WORKING_DAYS, _EVERY_DAY = [1, 2, 3, 4, 5], 7


@dataclass(frozen=True, slots=True)
class ChannelShown:
    """A channel as a chip: ``good`` allowed, ``bad`` stopped, nothing where nobody said."""

    channel: str
    label: str
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class NeedShown:
    """A support need. Without a row to act on, it is only known that there is one."""

    words: str
    needs: list[str]
    row: Vulnerability | None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class CustomerZone:
    channels: list[ChannelShown]
    #: What else was allowed or stopped: for a purpose, or one number.
    also: list[tuple[str, str]]
    preferences: list[tuple[ContactPreference, str]]
    speakers: list[Representative]
    needs: list[NeedShown]
    review_until: date
    habit: Explained | None


def customer_zone(customer: Customer, *, sees_support: bool, as_of: date, at: datetime) -> CustomerZone:
    """Five queries, one more the first time somebody is explained in a while."""
    consents = wishes.consents_in_force(customer_id=customer.pk, at=at)
    standing = customer.vulnerabilities.filter(ended_on=None, noted_on__lte=as_of).order_by("-noted_on", "-pk")
    return CustomerZone(
        channels=_channels(consents),
        also=[_also(row, at) for row in consents if row.purpose != Consent.Purpose.SERVICE or row.value],
        preferences=[
            (row, words_of(row)) for row in customer.preferences.filter(wishes.covering(at)).order_by("starts_at", "pk")
        ],
        speakers=list(customer.representatives.filter(wishes.speaking(at)).order_by("since", "pk")),
        needs=_needs(list(standing), sees_support=sees_support, as_of=as_of),
        review_until=as_of + wishes.LONGEST_REVIEW,
        habit=habits.explain(customer.pk, at=at),
    )


def _channels(consents: list[Consent]) -> list[ChannelShown]:
    said = {row.channel: row for row in consents if row.purpose == Consent.Purpose.SERVICE and not row.value}
    shown = []
    for channel, label in Consent.Channel.choices:
        row = said.get(channel)
        if row is None:
            tone, words = "", "nothing said"
        else:
            tone, words = ("good", "allowed") if row.given else ("bad", "stopped")
            words += f" since {row.at.day} {row.at:%b %Y}" + (f", {row.source}" if row.source else "")
        shown.append(ChannelShown(channel, label, tone, words))
    return shown


def _also(row: Consent, at: datetime) -> tuple[str, str]:
    """Tone and words: ``Call, recorded or automatic calls and messages: allowed until 1 Mar 2027``."""
    ended = row.until is not None and row.until <= at
    state = ("ended" if ended else "allowed") if row.given else "stopped"
    until = f" until {row.until.day} {row.until:%b %Y}" if row.until and not ended else ""
    about = [str(row.get_channel_display())]
    if row.purpose != Consent.Purpose.SERVICE:
        about.append(str(row.get_purpose_display()).lower())
    if row.value:
        about.append(row.value)
    return ("good" if state == "allowed" else "bad"), f"{', '.join(about)}: {state}{until}"


def words_of(row: ContactPreference) -> str:
    """A preference in words: ``Not Mo to Fr, 9:00 to 13:00``."""
    if row.kind == ContactPreference.Kind.CEASE:
        return f"No contact at all, received {row.starts_at.day} {row.starts_at:%b %Y}"
    if row.kind == ContactPreference.Kind.CHANNEL:
        return f"Prefers {row.get_channel_display()}"
    lead = "Only" if row.wanted else "Not"
    if row.kind == ContactPreference.Kind.PLACE:
        return f"{lead} {str(row.get_place_display()).lower()}"
    days = "" if len(row.weekdays) in (0, _EVERY_DAY) else _days(row.weekdays)
    hours = f"{row.opens:%H:%M} to {row.closes:%H:%M}" if row.opens and row.closes else ""
    return f"{lead} {', '.join(part for part in (days, hours) if part) or 'any day'}"


def _days(weekdays: list[int]) -> str:
    if weekdays == _WORKING_DAYS:
        return f"{_DAYS[1]} to {_DAYS[5]}"
    return " ".join(_DAYS[day] for day in weekdays)


def _needs(rows: list[Vulnerability], *, sees_support: bool, as_of: date) -> list[NeedShown]:
    if not rows:
        return []
    if not sees_support:
        return [NeedShown(wishes.CATEGORIES[wishes.SUPPORT], [], None)]
    return [
        NeedShown(
            words=wishes.CATEGORIES.get(row.category) or row.category.replace("_", " ").capitalize(),
            needs=[wishes.NEEDS.get(code, code.replace("_", " ")) for code in row.needs],
            row=row,
            overdue=row.review_on is not None and row.review_on < as_of,
        )
        for row in rows
    ]
