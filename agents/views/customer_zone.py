"""What the account's page says of the customer's wishes: the channels, times and places, who speaks, support, habits.

Whoever may not see support needs learns that there is one, and no more: it is left out here, not in the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts import wishes
from accounts.models import Consent, ContactPreference, Customer, Representative, Vulnerability
from agents.forms import WEEKDAYS
from agents.words import said, within
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


def wishes_of(customer: Customer, *, as_of: date, at: datetime) -> dict[str, QuerySet[Any]]:
    """What ``customer_zone`` is told, to be read with other lists of the page."""
    return {
        "consents": wishes.consents_by(customer_id=customer.pk, at=at),
        "preferences": customer.preferences.filter(wishes.covering(at)).order_by("starts_at", "pk"),
        "speakers": customer.representatives.filter(wishes.speaking(at)).order_by("since", "pk"),
        "needs": customer.vulnerabilities.filter(ended_on=None, noted_on__lte=as_of).order_by("-noted_on", "-pk"),
    }


def customer_zone(
    customer: Customer, lists: Mapping[str, list[Any]], *, sees_support: bool, as_of: date, at: datetime
) -> CustomerZone:
    """``lists`` as ``wishes_of`` reads them. One query, one more the first time somebody is explained in a while."""
    consents: list[Consent] = lists["consents"]
    return CustomerZone(
        channels=_channels(consents),
        also=[_also(row, at) for row in consents if row.purpose != Consent.Purpose.SERVICE or row.value],
        preferences=[(row, words_of(row)) for row in lists["preferences"]],
        speakers=lists["speakers"],
        needs=_needs(lists["needs"], sees_support=sees_support, as_of=as_of),
        review_until=as_of + wishes.LONGEST_REVIEW,
        habit=habits.explain(customer.pk, at=at),
    )


def _channels(consents: list[Consent]) -> list[ChannelShown]:
    latest = {row.channel: row for row in consents if row.purpose == Consent.Purpose.SERVICE and not row.value}
    shown = []
    for channel, label in Consent.Channel.choices:
        row = latest.get(channel)
        if row is None:
            tone, words = "", _("nothing said")
        else:
            tone = "good" if row.given else "bad"
            since = _("allowed since %(day)s") if row.given else _("stopped since %(day)s")
            words = since % {"day": _day(row.at)} + (f", {said(row.source)}" if row.source else "")
        shown.append(ChannelShown(channel, label, tone, words))
    return shown


def _also(row: Consent, at: datetime) -> tuple[str, str]:
    """Tone and words: ``Call, recorded or automatic calls and messages: allowed until 1 Mar 2027``."""
    ended = row.until is not None and row.until <= at
    if not row.given:
        state = _("stopped")
    elif ended:
        state = _("ended")
    else:
        state = _("allowed until %(day)s") % {"day": _day(row.until)} if row.until else _("allowed")
    about = [said(row.get_channel_display())]
    if row.purpose != Consent.Purpose.SERVICE:
        about.append(within(row.get_purpose_display()))
    if row.value:
        about.append(row.value)
    return ("good" if row.given and not ended else "bad"), f"{', '.join(about)}: {state}"


def words_of(row: ContactPreference) -> str:
    """A preference in words: ``Not Mo to Fr, 9:00 to 13:00``."""
    if row.kind == ContactPreference.Kind.CEASE:
        return _("No contact at all, received %(day)s") % {"day": _day(row.starts_at)}
    if row.kind == ContactPreference.Kind.CHANNEL:
        return _("Prefers %(channel)s") % {"channel": said(row.get_channel_display())}
    if row.kind == ContactPreference.Kind.PLACE:
        return _only(row, within(row.get_place_display()))
    days = "" if len(row.weekdays) in (0, _EVERY_DAY) else _days(row.weekdays)
    hours = (
        _("%(opens)s to %(closes)s") % {"opens": f"{row.opens:%H:%M}", "closes": f"{row.closes:%H:%M}"}
        if row.opens and row.closes
        else ""
    )
    return _only(row, ", ".join(part for part in (days, hours) if part) or _("any day"))


def _only(row: ContactPreference, when: str) -> str:
    return (_("Only %(when)s") if row.wanted else _("Not %(when)s")) % {"when": when}


def _day(moment: datetime) -> str:
    return date_format(moment, "j M Y")


def _days(weekdays: list[int]) -> str:
    if weekdays == _WORKING_DAYS:
        return _("%(opens)s to %(closes)s") % {"opens": _DAYS[1], "closes": _DAYS[5]}
    return " ".join(str(_DAYS[day]) for day in weekdays)


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
