"""A text as it travels over SMPP: the GSM alphabet or UCS-2, in one message or in parts that the phone joins again."""

from __future__ import annotations

from dataclasses import dataclass

#: GSM 03.38, in the order of its codes; the escape sign stands at 0x1B.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_CODES = {sign: bytes([code]) for code, sign in enumerate(_BASIC) if code != _ESCAPE}
_ESCAPED = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
_CODES |= {sign: bytes([_ESCAPE, code]) for sign, code in _ESCAPED.items()}
_SIGNS = {code: sign for sign, code in _ESCAPED.items()}

#: ``data_coding`` of SMPP 3.4: the network's own alphabet, Latin 1, UCS-2.
GSM7, LATIN1, UCS2 = 0, 3, 8
#: ``esm_class``: the text begins with a header.
WITH_HEADER = 0x40
MOST_PARTS = 255


@dataclass(frozen=True, slots=True)
class Parts:
    """What is submitted for one text, in this order."""

    contents: tuple[bytes, ...]
    data_coding: int

    @property
    def esm_class(self) -> int:
        return WITH_HEADER if len(self.contents) > 1 else 0


def parts_of(text: str, *, reference: int) -> Parts:
    """The text in as few messages as carry it: 160 or 70 places alone, 153 or 67 in each part of a longer one.

    ``reference`` (0 to 255) is what the phone joins the parts by. Raises ValueError for more than 255 parts.
    """
    if all(sign in _CODES for sign in text):
        return _split([_CODES[sign] for sign in text], GSM7, alone=160, each=153, reference=reference)
    # A sign outside the basic plane takes two places, which are never parted.
    return _split([sign.encode("utf-16-be") for sign in text], UCS2, alone=140, each=134, reference=reference)


def _split(signs: list[bytes], data_coding: int, *, alone: int, each: int, reference: int) -> Parts:
    whole = b"".join(signs)
    if len(whole) <= alone:
        return Parts((whole,), data_coding)
    pieces = [b""]
    for sign in signs:
        if len(pieces[-1]) + len(sign) > each:
            pieces.append(b"")
        pieces[-1] += sign
    if len(pieces) > MOST_PARTS:
        raise ValueError(f"longer than {MOST_PARTS} messages")
    header = bytes([5, 0, 3, reference, len(pieces)])
    return Parts(tuple(header + bytes([place]) + piece for place, piece in enumerate(pieces, start=1)), data_coding)


def text_of(content: bytes, data_coding: int) -> str:
    """What a phone sent us, read; what cannot be read becomes the replacement sign."""
    if data_coding == UCS2:
        return content.decode("utf-16-be", "replace")
    if data_coding == LATIN1:
        return content.decode("latin-1")
    if data_coding not in (0, 1):
        return content.decode("utf-8", "replace")
    read, escaped = [], False
    for code in content:
        if escaped:
            read.append(_SIGNS.get(code, "�"))
            escaped = False
        elif code == _ESCAPE:
            escaped = True
        else:
            read.append(_BASIC[code] if code < len(_BASIC) else "�")
    return "".join(read)


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of which message this is, by its header."""

    reference: int
    of: int
    number: int


def header_of(content: bytes) -> tuple[Place | None, bytes]:
    """The header's word on parts, and the text after the header."""
    length = content[0] + 1 if content else 0
    header, rest = content[1:length], content[length:]
    while len(header) >= 2:
        kind, size = header[0], header[1]
        body, header = header[2 : 2 + size], header[2 + size :]
        if kind == 0 and len(body) == 3:
            return Place(body[0], body[1], body[2]), rest
        if kind == 8 and len(body) == 4:
            return Place(body[0] << 8 | body[1], body[2], body[3]), rest
    return None, rest
