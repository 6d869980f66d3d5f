"""The kinds of columns: text in, the text that PostgreSQL is given out, or why not. Pure.

A parser answers canonical text rather than a Python value, because all that is done with it here is COPY; what compares
values is SQL over the staged rows. Values repeat (dates, codes), so callers parse each distinct one once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Literal
from zoneinfo import available_timezones

from accounts.models.fields import DESK_PREFIX
from accounts.money import BadAmount, UnknownCurrency, exponent, parse_amount


class BadValue(ValueError):
    """Not a value of its column; the text finishes a sentence that begins with the column's name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A parser and the type its text has in PostgreSQL.

    ``parse`` takes the field and the account's currency; only kinds with ``by_currency`` look at the latter, and they
    are parsed once the account is known. Raises ``BadValue``.
    """

    sql: str
    parse: Callable[[str, str], str]
    by_currency: bool = False


_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?")
_WHOLE = re.compile(r"[0-9]{1,9}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
#: NUL, control characters other than tab and line ends, halves of characters, and what a decoder leaves where bytes
#: were no UTF-8.
_DAMAGED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")

#: Dates outside are slips of the pen, and arithmetic on them would leave the calendar.
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


def _old_id(text: str, _currency: str) -> str:
    if not _ID.fullmatch(text):
        raise BadValue("is not an id: 1 to 64 letters, digits and . _ : -")
    return text


def _new_id(text: str, _currency: str) -> str:
    if text.startswith(DESK_PREFIX):
        raise BadValue(f"begins with {DESK_PREFIX}, which is kept for what the desk makes itself")
    return _old_id(text, _currency)


def _date(text: str, _currency: str) -> str:
    if not _DATE.fullmatch(text):
        raise BadValue("is not a date such as 2026-01-31")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadValue("is no day of the calendar") from None
    if not EARLIEST <= day <= LATEST:
        raise BadValue(f"is not between {EARLIEST} and {LATEST}")
    return text


def _moment(text: str, _currency: str) -> str:
    """ISO 8601; without an offset it is UTC, a date alone is its first moment."""
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue("is not a moment such as 2026-01-31T09:30:00Z") from None
    if not EARLIEST <= moment.date() <= LATEST:
        raise BadValue(f"is not between {EARLIEST} and {LATEST}")
    return moment.isoformat()


def _boolean(text: str, _currency: str) -> str:
    if text not in {"true", "false"}:
        raise BadValue("is neither true nor false")
    return text


def _whole(text: str, _currency: str) -> str:
    if not _WHOLE.fullmatch(text):
        raise BadValue("is not a whole number of at most nine digits")
    return text


def _country(text: str, _currency: str) -> str:
    if text not in COUNTRIES:
        raise BadValue("is not an ISO 3166 country code such as US")
    return text


def _currency_code(text: str, _currency: str) -> str:
    try:
        exponent(text)
    except UnknownCurrency:
        raise BadValue("is not an ISO 4217 currency such as EUR") from None
    return text


def _language(text: str, _currency: str) -> str:
    if len(text) > 12 or not _LANGUAGE.fullmatch(text):
        raise BadValue("is not a language tag such as en or pt-BR")
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(text: str, _currency: str) -> str:
    if text not in _zones():
        raise BadValue("is not an IANA time zone such as Europe/Madrid")
    return text


def damage(value: str) -> str:
    """What is wrong with the bytes of a field, or nothing."""
    found = _DAMAGED.search(value)
    if found is None:
        return ""
    return "holds bytes that are not UTF-8" if found[0] == "\ufffd" else "holds a NUL or another control character"


def shown(value: str) -> str:
    """The field with what no database or terminal takes made visible."""
    return _DAMAGED.sub("\ufffd", value)


def text(limit: int) -> Kind:
    """Free text of at most ``limit`` characters, without surrounding space."""

    def parse(value: str, _currency: str) -> str:
        if wrong := damage(value):
            raise BadValue(wrong)
        value = value.strip()
        if len(value) > limit:
            raise BadValue(f"is {len(value):,} characters long; at most {limit:,} are kept")
        return value

    return Kind("text", parse)


def one_of(values: Iterable[str]) -> Kind:
    """One of the words given."""
    known = tuple(values)

    def parse(value: str, _currency: str) -> str:
        if value not in known:
            raise BadValue(f"is none of {', '.join(known)}")
        return value

    return Kind("text", parse)


def parse_money(value: str, currency: str) -> Decimal:
    """An amount of ``currency``: a dot, no grouping, no exponent. Raises ``BadValue``."""
    if not _AMOUNT.fullmatch(value):
        raise BadValue("is not an amount such as 1234.50")
    try:
        return parse_amount(value, currency)
    except BadAmount as bad:
        raise BadValue(f"is not an amount of {currency}: {bad}") from None


@cache
def _plain(currency: str) -> re.Pattern[str]:
    places = exponent(currency)
    return re.compile(rf"[0-9]{{1,15}}(\.[0-9]{{1,{places}}})?" if places else "[0-9]{1,15}")


def amount(*, at_least: Literal[0] | None = None, above: Literal[0] | None = None) -> Kind:
    """An amount in the account's currency, bounded below where money cannot be negative."""

    def parse(value: str, currency: str) -> str:
        # Most amounts are plain and positive: that much can be seen without making numbers of them.
        if _plain(currency).fullmatch(value) and (above is None or value.strip("0.")):
            return value
        found = parse_money(value, currency)
        if at_least is not None and found < at_least:
            raise BadValue("is negative")
        if above is not None and found <= above:
            raise BadValue("is not more than zero")
        return value

    return Kind("numeric(18,3)", parse, by_currency=True)


#: The id of something the file itself brings.
NEW_ID = Kind("text", _new_id)
#: The id of something named; the desk may have made it.
ID = Kind("text", _old_id)
DATE = Kind("date", _date)
MOMENT = Kind("timestamptz", _moment)
BOOLEAN = Kind("boolean", _boolean)
WHOLE_NUMBER = Kind("integer", _whole)
COUNTRY = Kind("text", _country)
CURRENCY = Kind("text", _currency_code)
LANGUAGE = Kind("text", _language)
TIME_ZONE = Kind("text", _time_zone)

_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
#: ISO 3166-1 alpha-2, and XK, which is in use for Kosovo.
COUNTRIES = frozenset(_COUNTRIES.split())
