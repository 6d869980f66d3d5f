"""How long a text message is in the units the network bills. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_TWO_PLACES = frozenset("^{}\\[~]|€\f")

#: Signs of print and the plain ones that say the same. Letters are never changed: a name is spelt as it is spelt.
_PLAIN_SIGNS = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "\u2026": "...", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmsLength:
    """How a text travels: places are septets in GSM-7 and 16-bit units in UCS-2."""

    alphabet: Literal["GSM-7", "UCS-2"]
    places: int
    segments: int


def sms_segments(text: str) -> SmsLength:
    """How many messages the network counts and bills: 160 or 70 places alone, 153 or 67 in each part of a longer one; a
    sign of two places is never cut in two. An empty text is one message.
    """
    if all(sign in _GSM7 or sign in _GSM7_TWO_PLACES for sign in text):
        widths = [2 if sign in _GSM7_TWO_PLACES else 1 for sign in text]
        return SmsLength("GSM-7", sum(widths), _parts(widths, alone=160, each=153))
    widths = [2 if ord(sign) > 0xFFFF else 1 for sign in text]
    return SmsLength("UCS-2", sum(widths), _parts(widths, alone=70, each=67))


def sms_cost(text: str, per_segment: Decimal) -> tuple[SmsLength, Decimal]:
    """The length of a text message and what the network bills for it, in the currency of `per_segment`."""
    length = sms_segments(text)
    return length, length.segments * per_segment


def plain_signs(text: str) -> str:
    """The text with plain quotation marks, dashes and spaces, so that they alone do not cost it the cheap alphabet."""
    return text.translate(_PLAIN_SIGNS)


def _parts(widths: Sequence[int], *, alone: int, each: int) -> int:
    if sum(widths) <= alone:
        return 1
    parts, used = 1, 0
    for width in widths:
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return parts
