"""What a body may hold: JSON without surprises, fields that take one type each, and no field that nobody asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser

from accounts.importing.columns import EARLIEST, LATEST
from accounts.models.fields import REF_PATTERN

#: Characters of a text that a person writes.
LONGEST_TEXT = 10_000

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,3})?")
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")
#: Escapes that may be halves of a pair; alone, they are nothing that can be stored or answered.
_HALF_OF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:?[0-9]{2})?")


class TooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is too large: send it in parts."


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: no NaN, numbers exact, a name once in an object, at most as large as settings allow."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(most + 1)
        if len(content) > most:
            raise TooLarge
        if not content.strip():
            return {}
        try:
            text = content.decode("utf-8")
            body = json.loads(text, parse_float=_number, parse_constant=_no_number, object_pairs_hook=_object)
            if _HALF_OF_A_CHARACTER.search(text):
                json.dumps(body, ensure_ascii=False, default=str).encode("utf-8")
            return body
        except RecursionError:
            raise exceptions.ParseError("The body is nested too deeply.") from None
        except UnicodeError:
            raise exceptions.ParseError("The body is not JSON: it holds bytes or escapes that are no text.") from None
        except ValueError as error:
            raise exceptions.ParseError(f"The body is not JSON: {str(error)[:200]}.") from None


def _number(text: str) -> Decimal:
    if not _PLAIN_NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]} is not a plain number")
    return Decimal(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:40]!r} stands twice in one object")
        found[name] = value
    return found


class Body(serializers.Serializer[Any]):
    """An object; a field that it does not have is refused by name."""

    def to_internal_value(self, given: Any) -> Any:
        if isinstance(given, Mapping):
            unknown = [str(name) for name in given if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields) or "none"
                raise serializers.ValidationError(
                    {name[:100]: f"Unknown field; there are: {known}." for name in unknown[:20]}
                )
        return super().to_internal_value(given)


class Text(serializers.CharField):
    """Text, and nothing that could be made into text."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", LONGEST_TEXT)
        super().__init__(**options)

    def to_internal_value(self, given: Any) -> str:
        if not isinstance(given, str):
            self.fail("invalid")
        if any(ord(letter) < 32 and letter not in "\t\n\r" for letter in given):
            raise serializers.ValidationError("Holds a control character.")
        return super().to_internal_value(given)


class Ref(serializers.RegexField):
    """An operator's own id."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 64)
        super().__init__(re.compile(REF_PATTERN.removesuffix("$") + r"\Z"), **options)

    def to_internal_value(self, given: Any) -> str:
        if not isinstance(given, str):
            self.fail("invalid")
        return str(super().to_internal_value(given))


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,3})?$", "example": "40.00"})
class Amount(serializers.Field[Decimal, Any, str, Any]):
    """An amount as text with a dot; whether it is one of the account's currency is the operation's to say."""

    default_error_messages = {
        "invalid": 'Write an amount as text, such as "40.00": digits, a dot, at most three decimals.',
    }

    def to_internal_value(self, given: Any) -> Decimal:
        if not isinstance(given, str) or not _AMOUNT.fullmatch(given):
            self.fail("invalid")
        return Decimal(given)

    def to_representation(self, value: Decimal) -> str:
        return str(value)


@extend_schema_field({"type": "string", "format": "date", "example": "2026-08-31"})
class Day(serializers.Field[date, Any, str, Any]):
    """A date of the calendar; years that are slips of the pen are refused."""

    default_error_messages = {"invalid": "Write a date as 2026-01-31."}

    def to_internal_value(self, given: Any) -> date:
        if not isinstance(given, str) or not _DAY.fullmatch(given):
            self.fail("invalid")
        try:
            day = date.fromisoformat(given)
        except ValueError:
            self.fail("invalid")
        if not EARLIEST <= day <= LATEST:
            raise serializers.ValidationError(f"Is not between {EARLIEST} and {LATEST}.")
        return day

    def to_representation(self, value: date) -> str:
        return value.isoformat()


@extend_schema_field({"type": "string", "format": "date-time", "example": "2026-08-04T15:30:00Z"})
class Moment(serializers.Field[datetime, Any, str, Any]):
    """A moment; without an offset it is UTC."""

    default_error_messages = {"invalid": "Write a moment as 2026-01-31T09:30:00Z."}

    def to_internal_value(self, given: Any) -> datetime:
        if not isinstance(given, str) or not _MOMENT.fullmatch(given):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(given.upper())
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")
        if not EARLIEST <= moment.date() <= LATEST:
            raise serializers.ValidationError(f"Is not between {EARLIEST} and {LATEST}.")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class Whole(serializers.IntegerField):
    """A whole number, written as one."""

    def to_internal_value(self, given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int):
            self.fail("invalid")
        return super().to_internal_value(given)


class WholeInAddress(serializers.IntegerField):
    """A whole number of a query, where everything is text."""

    def to_internal_value(self, given: Any) -> int:
        if not isinstance(given, str) or not re.fullmatch(r"[0-9]{1,9}", given):
            self.fail("invalid")
        return super().to_internal_value(given)


class YesNo(serializers.BooleanField):
    """True or false, not yes, 1 or "on"."""

    def to_internal_value(self, given: Any) -> bool:
        if not isinstance(given, bool):
            self.fail("invalid", input=given)
        return given


class OneOf(serializers.ChoiceField):
    """One of the words given, as text."""

    def to_internal_value(self, given: Any) -> Any:
        if not isinstance(given, str):
            self.fail("invalid_choice", input=given)
        return super().to_internal_value(given)
