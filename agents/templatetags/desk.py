"""Amounts, moments, icons and score bars for the desk's pages, as people write them in the language of the page.

Nothing here reads the clock or the database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency
from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import Bill
from accounts.models.account import ServiceStatus
from accounts.money import quantize
from accounts.position import bucket_of
from agents import rights
from agents.words import from_left, of_code, of_reason
from agents.words import said as said_words
from agents.words import within as within_words
from dunning.gate.checks.frequency import Allowance

register = template.Library()

#: Parts of a score are told apart by six colours; words stand beside every one.
PART_COLOURS = 6
#: The same part has the same colour in every row; what comes first in any order has that of a warning.
_ON_TOP = frozenset({"crisis", "callback", "pinned"})
_COLOURS = {
    "amount": 1, "chance": 2, "age": 3, "waiting": 3, "value": 4, "vulnerable": 4, "broken_promises": 5, "silence": 6,
    "crisis": 5, "callback": 5, "pinned": 5,
}  # fmt: skip
#: Stands where there is no amount or date.
NONE = "\N{EN DASH}"


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency sign and exactly the currency's decimals; a dash for none."""
    if amount is None:
        return NONE
    return spaced(format_currency(quantize(amount, currency), currency, locale=_locale(), currency_digits=True))


def spaced(written: str) -> str:
    """A written amount whose sign ends in a letter, with a space between the two: ``AED 12.00``."""
    return _apart(_SIGN.sub("\\1\N{NO-BREAK SPACE}", written))


_SIGN = re.compile(r"^(-?[A-Z]{2,})(?=\d)")
#: Languages whose way of writing amounts and dates is known here; the page has no others.
_LOCALES = frozenset({"en", "de", "ar"})
_RIGHT_TO_LEFT = frozenset({"ar"})
_ARABIC = re.compile(r"[\u0600-\u06ff]")


def _locale() -> str:
    """Whose way of writing amounts and dates the page follows."""
    language = (get_language() or "en").partition("-")[0]
    return language if language in _LOCALES else "en"


def _apart(written: str) -> str:
    """Set apart from the words around it where they run from right to left, so that no sign changes its side."""
    if _locale() not in _RIGHT_TO_LEFT:
        return written
    bare = written.replace("\N{RIGHT-TO-LEFT MARK}", "")
    if bare.isascii() or not _ARABIC.search(bare):
        return f"\N{LEFT-TO-RIGHT ISOLATE}{bare}\N{POP DIRECTIONAL ISOLATE}"
    return f"\N{FIRST STRONG ISOLATE}{written}\N{POP DIRECTIONAL ISOLATE}"


@register.filter
def plain(amount: Decimal | None, currency: str) -> str:
    """An amount as the forms take it: a dot, the currency's decimals, no grouping."""
    return "" if amount is None else f"{quantize(amount, currency):f}"


@register.filter
def day(value: date | None) -> str:
    """``14 Nov 2026``."""
    if value is None:
        return NONE
    if (locale := _locale()) == "en":
        return f"{value.day} {value:%b %Y}"
    return _apart(format_date(value, "d MMM y", locale=locale))


@register.filter
def short_day(value: date | None) -> str:
    """``Sat 14 Nov``: for dates near enough to need no year."""
    if value is None:
        return NONE
    if (locale := _locale()) == "en":
        return f"{value:%a} {value.day} {value:%b}"
    return _apart(format_skeleton("MMMEd", value, locale=locale))


@register.simple_tag
def clock(moment: datetime | None, zone: ZoneInfo | None = None) -> str:
    """``14 Nov, 09:05`` in that zone, or in the one of the moment."""
    if moment is None:
        return NONE
    shown = moment.astimezone(zone) if zone else moment
    if (locale := _locale()) == "en":
        return f"{shown.day} {shown:%b, %H:%M}"
    return _apart(f"{format_skeleton('MMMd', shown.date(), locale=locale)}, {shown:%H:%M}")


@register.filter
def days_since(due_on: date | None, as_of: date) -> int:
    """Days past due on ``as_of``; 0 when nothing is past due."""
    return 0 if due_on is None else max((as_of - due_on).days, 0)


@register.filter
def bucket(days: int) -> str:
    """The ageing bucket of so many days past due."""
    return said_words(bucket_of(days)) if days <= 0 else from_left(bucket_of(days))


@register.filter
def span(moment: datetime | None, at: datetime) -> str:
    """How far apart two moments are, in the largest unit that says enough: ``4 min``, ``3 h``, ``12 d``."""
    if moment is None:
        return NONE
    apart = abs(at - moment)
    if apart < timedelta(hours=1):
        return _("%(count)s min") % {"count": apart.seconds // 60}
    if apart < timedelta(days=2):
        return _("%(count)s h") % {"count": apart // timedelta(hours=1)}
    return _("%(count)s d") % {"count": apart.days}


@register.filter
def minutes(seconds: int | None) -> str:
    """A talk's length as ``3:07``."""
    return "" if not seconds else f"{seconds // 60}:{seconds % 60:02d}"


@register.filter
def hours(seconds: int | None) -> str:
    """Hours and minutes as ``3:07``; a dash for none."""
    return NONE if seconds is None else f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


_CHANNELS = {"sms": "SMS", "email": "E-mail", "in_app": "In-app"}


@register.filter
def words(code: str) -> str:
    """A code as a person reads it: ``outgoing_barred`` is *Outgoing barred*."""
    if code in _CHANNELS:
        return said_words(_CHANNELS[code])
    return of_code(code)


@register.filter
def said(text: object) -> str:
    """A choice of a row or a line of a list, in the language of the page."""
    return said_words(text)


@register.filter
def reason(text: object) -> str:
    """Why an account is in the queue."""
    return of_reason(text)


@register.filter
def within(text: object) -> str:
    """The same inside a sentence."""
    return within_words(text)


@register.filter
def listed(texts: Sequence[object]) -> str:
    """Several, one after the other."""
    return ", ".join(within_words(text) for text in texts)


@register.filter
def undo_key(tags: str) -> str:
    """Of a message's tag, by what it is taken back."""
    return tags.partition("@")[0] if "@" in tags else ""


@register.filter
def undo_until(tags: str) -> str:
    """Of a message's tag, until when it can be taken back."""
    return tags.partition("@")[2].partition(" ")[0]


@register.simple_tag
def page_language() -> str:
    """The language of the page's own words, as ``lang`` takes it."""
    return _locale()


@register.simple_tag
def page_direction() -> str:
    """Into which direction they run."""
    return "rtl" if _locale() in _RIGHT_TO_LEFT else "ltr"


@register.filter
def may(user: Any, act: str) -> bool:
    """Whether the user's role allows the act: for what a page offers; the views decide for themselves."""
    return rights.may(user, act)


@register.filter
def field_class(field: BoundField) -> str:
    """The ``aria-describedby`` ids of a field: its hint and its errors, whichever it has."""
    ids = [f"{field.auto_id}-hint"] if field.help_text else []
    return " ".join([*ids, f"{field.auto_id}-errors"] if field.errors else ids)


@register.simple_tag
def control(field: BoundField, **attributes: str) -> SafeString:
    """The field's control, tied to its hint and errors for whoever cannot see them beside it."""
    attrs: dict[str, Any] = {name.replace("_", "-"): value for name, value in attributes.items()}
    described = field_class(field)
    if described:
        attrs["aria-describedby"] = described
    if field.errors:
        attrs["aria-invalid"] = "true"
    return field.as_widget(attrs=attrs)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A drawing of the sprite; silent to screen readers unless it is given a label."""
    href = f"{static('desk/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, href)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)


@register.inclusion_tag("agents/_score.html")
def score_bar(parts: Sequence[Mapping[str, Any]], listed: bool = False) -> dict[str, Any]:
    """The parts of a score, side by side to scale; with ``listed`` each also as a line of words."""
    drawn = []
    offset = 0
    for place, part in enumerate(sorted(parts, key=lambda part: -part["points"])):
        points = int(part["points"])
        short = re.sub(r": \d+ points?$", "", part["text"])
        colour = _COLOURS.get(part["name"], min(place + 1, PART_COLOURS))
        # What comes first in any order is drawn as wide as the most that is weighed: the rest stays to be seen.
        width = min(max(points, 0), 50) if part["name"] in _ON_TOP else max(points, 0)
        drawn.append({**part, "short": short, "x": offset, "width": width, "colour": colour})
        offset += width
    return {"parts": drawn, "total": max(offset, 1), "listed": listed}


@register.simple_tag
def lengths(value: Decimal | int, largest: Decimal | int) -> int:
    """The width of a bar on a scale of 1,000."""
    return int(value * 1000 / largest) if largest else 0


@register.simple_tag
def paid(bill: Bill, currency: str) -> str:
    """What was paid and credited of a bill."""
    return money(bill.amount - bill.open_amount, currency) if bill.amount > bill.open_amount else NONE


@register.simple_tag
def rung(status: str) -> int:
    """How far a service is limited: 0 for active."""
    return ServiceStatus.values.index(status)


@register.filter
def actor(name: str) -> str:
    """``agent:nadia`` is nadia; policies, files and the desk are named as they are."""
    kind, _, who = name.partition(":")
    return who if kind == "agent" else name.replace(":", " ")


@register.filter
def isoday(value: date | str | None) -> str:
    """A date of a form, which is text once it was typed, in words."""
    if isinstance(value, str):
        try:
            return day(date.fromisoformat(value))
        except ValueError:
            return value
    return "…" if value is None else day(value)


@register.filter
def acts(listed: str) -> list[list[str]]:
    """``"promise Promise p,plan Plan i"`` as rows of three words."""
    return [row.split() for row in listed.split(",")]


@register.filter
def bar_top(rate: float) -> float:
    """Where the bar of a rate begins, in a drawing twenty high; something is left of it however low."""
    return round(20 - max(rate, 0.04) * 20, 1)


@register.simple_tag
def allowed(one: Allowance) -> str:
    """How far a limit on contacts is used up: ``3 of 7 calls in 7 days``."""
    said = {"used": one.used, "most": one.most, "days": one.days}
    if one.calls_alone:
        return (
            _("%(used)s of %(most)s calls today") % said
            if one.days == 1
            else _("%(used)s of %(most)s calls in %(days)s days") % said
        )
    return (
        _("%(used)s of %(most)s contacts today") % said
        if one.days == 1
        else _("%(used)s of %(most)s contacts in %(days)s days") % said
    )


@register.filter
def strips(parts: Sequence[Any]) -> list[tuple[Any, int, int]]:
    """The parts of an amount side by side on a scale of 1,000: each with where it begins and how wide it is."""
    total = sum((part.amount for part in parts), Decimal(0))
    drawn, begins = [], 0
    for part in parts:
        width = round(part.amount * 1000 / total) if total else 0
        drawn.append((part, begins, width))
        begins += width
    return drawn


@register.filter
def percent(rate: float) -> str:
    """A rate as ``43 %``."""
    return f"{round(rate * 100)} %"


@register.filter
def faulty(field: BoundField) -> SafeString:
    """The control of the column that was refused."""
    return field.as_widget(attrs={"aria-invalid": "true"})


@register.filter
def foremost(parts: Sequence[Mapping[str, Any]]) -> str:
    """The heaviest part of a score, in words."""
    return str(max(parts, key=lambda part: int(part["points"]), default={"text": ""})["text"])
