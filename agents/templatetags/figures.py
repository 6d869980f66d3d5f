"""Figures as people read them: a value in its unit, a change with its sign, a trend in a line.

Nothing here reads the clock or the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache

from babel.numbers import NumberPattern, format_currency, format_decimal, parse_pattern
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from agents import figure_words
from agents.reporting import Line
from agents.templatetags.desk import NONE, day, spaced
from agents.words import from_left, said

register = template.Library()

#: Languages whose way of writing numbers is known here.
_LOCALES = frozenset({"en", "de", "ar"})
_WIDTH, _HEIGHT, _EDGE = 120, 24, 2
_MOST_POINTS = 30
#: What costs are of one unit of money: cents are too coarse.
_FINE_MONEY = Decimal(10)


def _locale() -> str:
    language = (get_language() or "en").partition("-")[0]
    return language if language in _LOCALES else "en"


@cache
def _pattern(text: str) -> NumberPattern:
    """A page has a thousand numbers and a few ways to write them."""
    return parse_pattern(text)


def _number(value: Decimal, decimals: int) -> str:
    pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
    return str(format_decimal(value, format=_pattern(pattern), locale=_locale()))


@register.simple_tag
def in_unit(value: Decimal | None, unit: str, currency: str = "") -> str:
    """``43.2 %``, ``12.5 days``, ``€0.0412``; a dash for none."""
    if value is None:
        return NONE
    if unit == "money":
        if not currency:
            return _number(value, 2)
        if abs(value) >= _FINE_MONEY:
            return spaced(format_currency(value, currency, locale=_locale()))
        fine = round(value, 4).normalize()
        return spaced(format_currency(fine, currency, locale=_locale(), decimal_quantization=False))
    if unit == "%":
        return f"{_number(value, 1)}\N{NO-BREAK SPACE}%"
    if unit in ("", "count", "number"):
        return _number(value, 0 if value == value.to_integral_value() else 1)
    return f"{_number(value, 1)}\N{NO-BREAK SPACE}{said(unit)}"


@register.simple_tag
def changed(line: Line, currency: str = "") -> str:
    """A change with its sign; of a rate in points, so that nobody takes it for a share of itself."""
    if line.change is None:
        return NONE
    sign = "+" if line.change > 0 else "\N{MINUS SIGN}" if line.change < 0 else "±"
    size = abs(line.change)
    if line.kpi.unit == "%":
        points = _("points")
        return f"{from_left(sign + _number(size, 1))}\N{NO-BREAK SPACE}{points}"
    if line.kpi.unit == "money":
        return from_left(f"{sign}{in_unit(size, line.kpi.unit, currency)}")
    number, space, unit = in_unit(size, line.kpi.unit, currency).partition("\N{NO-BREAK SPACE}")
    return f"{from_left(sign + number)}{space}{unit}"


@register.filter
def plain_number(value: Decimal | None) -> str:
    """With groups of thousands and no more decimals than it has."""
    if value is None:
        return NONE
    return str(format_decimal(value, format=_pattern("#,##0.###"), locale=_locale()))


@register.filter
def in_words(formula: str) -> str:
    """A formula, or why there is no value, in the page's language."""
    return figure_words.of_formula(formula)


@register.simple_tag
def sparkline(line: Line, currency: str = "") -> SafeString | str:
    """The trend as one small line, which says in words what it shows; nothing for fewer than two days."""
    points = line.points
    if len(points) < 2:
        return ""
    unit = line.kpi.unit
    (first_on, first), (last_on, last) = points[0], points[-1]
    says = _("from %(first)s on %(begin)s to %(last)s on %(end)s, between %(least)s and %(most)s") % {
        "first": in_unit(first, unit, currency),
        "begin": day(first_on),
        "last": in_unit(last, unit, currency),
        "end": day(last_on),
        "least": in_unit(min(value for _on, value in points), unit, currency),
        "most": in_unit(max(value for _on, value in points), unit, currency),
    }
    drawn = _drawn(_thinned(points))
    x, y = drawn[-1]
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><polyline points="{}"/>'
        '<circle cx="{}" cy="{}" r="2"/></svg>',
        _WIDTH, _HEIGHT, says, " ".join(f"{left},{top}" for left, top in drawn), x, y,
    )  # fmt: skip


def _thinned(points: Sequence[tuple[date, Decimal]]) -> Sequence[tuple[date, Decimal]]:
    """No more days than the line can show, the first and the last among them."""
    step = -(-len(points) // _MOST_POINTS)
    return points if step <= 1 else [points[0], *list(points)[:0:-step][::-1]]


def _drawn(points: Sequence[tuple[date, Decimal]]) -> list[tuple[float, float]]:
    """Where each day stands: days without a record leave their room."""
    begin = points[0][0]
    span = max((points[-1][0] - begin).days, 1)
    least = min(value for _on, value in points)
    height = max(value for _on, value in points) - least
    wide, high = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE
    return [
        (
            round(_EDGE + (on - begin).days * wide / span, 1),
            round(_EDGE + (high - float((value - least) / height) * high if height else high / 2), 1),
        )
        for on, value in points
    ]
