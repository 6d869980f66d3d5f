"""The two columns that recur in every room: the operator's own id, and an amount of money."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from django.db import models

#: Ids of the operator: 1 to 64 letters, digits and . _ : - (case-sensitive).
REF_PATTERN = r"^[A-Za-z0-9._:\-]{1,64}$"

#: Ids made by the desk itself; files may not use the prefix.
DESK_PREFIX = "desk-"


def ref(**options: Any) -> models.CharField[str, str]:
    """The operator's own id of a thing, unique within its kind."""
    options.setdefault("unique", True)
    return models.CharField(max_length=64, validators=[RegexValidator(REF_PATTERN)], **options)


def amount(**options: Any) -> models.DecimalField[Any, Any]:
    """An amount in the account's currency; three decimals hold every ISO 4217 currency in use exactly."""
    return models.DecimalField(max_digits=18, decimal_places=3, **options)
