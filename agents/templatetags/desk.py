"""Amounts, moments, icons and score bars for the desk's pages. Nothing here reads the clock or the database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import format_currency
from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Bill
from accounts.models.account import ServiceStatus
from accounts.money import quantize
from accounts.position import bucket_of
from agents import rights
from agents.instalments import Instalment

register = template.Library()

#: Parts of a score are told apart by six colours; words stand beside every one.
PART_COLOURS = 6
#: Stands where there is no amount or date.
NONE = "\N{EN DASH}"


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency sign and exactly the currency's decimals; a dash for none."""
    if amount is None:
        return NONE
    written = format_currency(quantize(amount, currency), currency, locale="en", currency_digits=True)
    # A sign that ends in a letter stands apart from the amount: AED 12.00.
    return _SIGN.sub("\\1\N{NO-BREAK SPACE}", written)


_SIGN = re.compile(r"^(-?[A-Z]{2,})(?=\d)")


@register.filter
def plain(amount: Decimal | None, currency: str) -> str:
    """An amount as the forms take it: a dot, the currency's decimals, no grouping."""
    return "" if amount is None else f"{quantize(amount, currency):f}"


@register.filter
def day(value: date | None) -> str:
    """``14 Nov 2026``."""
    return NONE if value is None else f"{value.day} {value:%b %Y}"


@register.filter
def short_day(value: date | None) -> str:
    """``Sat 14 Nov``: for dates near enough to need no year."""
    return NONE if value is None else f"{value:%a} {value.day} {value:%b}"


@register.simple_tag
def clock(moment: datetime | None, zone: ZoneInfo | None = None) -> str:
    """``14 Nov, 09:05`` in that zone, or in the one of the moment."""
    if moment is None:
        return NONE
    shown = moment.astimezone(zone) if zone else moment
    return f"{shown.day} {shown:%b, %H:%M}"


@register.filter
def days_since(due_on: date | None, as_of: date) -> int:
    """Days past due on ``as_of``; 0 when nothing is past due."""
    return 0 if due_on is None else max((as_of - due_on).days, 0)


@register.filter
def bucket(days: int) -> str:
    """The ageing bucket of so many days past due."""
    return bucket_of(days)


@register.filter
def span(moment: datetime | None, at: datetime) -> str:
    """How far apart two moments are, in the largest unit that says enough: ``4 min``, ``3 h``, ``12 d``."""
    if moment is None:
        return NONE
    apart = abs(at - moment)
    if apart < timedelta(hours=1):
        return f"{apart.seconds // 60} min"
    if apart < timedelta(days=2):
        return f"{apart // timedelta(hours=1)} h"
    return f"{apart.days} d"


@register.filter
def minutes(seconds: int | None) -> str:
    """A talk's length as ``3:07``."""
    return "" if not seconds else f"{seconds // 60}:{seconds % 60:02d}"


_CHANNELS = {"sms": "SMS", "email": "E-mail", "in_app": "In-app"}


@register.filter
def words(code: str) -> str:
    """A code as a person reads it: ``outgoing_barred`` is *Outgoing barred*."""
    if code in _CHANNELS:
        return _CHANNELS[code]
    text = str(code).replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


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
        colour = min(place + 1, PART_COLOURS)
        drawn.append({**part, "short": short, "x": offset, "width": max(points, 0), "colour": colour})
        offset += max(points, 0)
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
def read_back(instalments: Sequence[Instalment], currency: str) -> str:
    """What the agent reads to the customer before agreeing: every amount and date, equal ones in one breath."""
    if not instalments:
        return ""
    if len(instalments) == 1:
        return f"You pay {money(instalments[0].amount, currency)} on {day(instalments[0].due_on)}."
    first, *rest = instalments
    told = [f"You pay {money(first.amount, currency)} on {day(first.due_on)}"]
    equal = [part for part in rest if part.amount == rest[0].amount]
    last = rest[-1]
    if len(equal) == len(rest):
        again = "once more" if len(rest) == 1 else f"then {len(rest)} times"
        told.append(f"{again} {money(last.amount, currency)}, the last on {day(last.due_on)}")
    else:
        told.append(f"then {len(rest) - 1} times {money(rest[0].amount, currency)}" if len(rest) > 1 else "")
        told.append(f"and at the end {money(last.amount, currency)} on {day(last.due_on)}")
    return ", ".join(part for part in told if part) + "."


@register.filter
def bar_top(rate: float) -> float:
    """Where the bar of a rate begins, in a drawing twenty high; something is left of it however low."""
    return round(20 - max(rate, 0.04) * 20, 1)


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
