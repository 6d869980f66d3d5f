"""What a file is, by its own bytes: never by its name, nor by what its sender says of it. Pure.

Accepted is what proves something about a bill and runs nowhere: documents, pictures, plain text, mails. A file that is
two things at once, carries a program, or cannot be looked into is refused, with words for whoever wants to add it.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from email import message_from_bytes, policy
from io import BytesIO

from accounts.refusals import Refused


class CannotTake(Refused):
    """Not a file that is kept; the text says why, and what would be."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class FileType:
    content_type: str
    endings: tuple[str, ...]
    name: str

    @property
    def is_picture(self) -> bool:
        return self.content_type.startswith("image/")


PDF = FileType("application/pdf", ("pdf",), "PDF")
PNG = FileType("image/png", ("png",), "PNG")
JPEG = FileType("image/jpeg", ("jpg", "jpeg"), "JPEG")
WEBP = FileType("image/webp", ("webp",), "WebP")
HEIC = FileType("image/heic", ("heic", "heif"), "HEIC")
TEXT = FileType("text/plain", ("txt",), "Text")
MAIL = FileType("message/rfc822", ("eml",), "E-mail")
TYPES = (PDF, PNG, JPEG, WEBP, HEIC, TEXT, MAIL)
BY_CONTENT_TYPE = {kind.content_type: kind for kind in TYPES}
#: For the file chooser of a page.
ACCEPT = ",".join(f".{ending}" for kind in TYPES for ending in kind.endings)
#: For people.
ACCEPTED = "PDF, PNG, JPEG, WebP, HEIC, plain text and e-mail (.eml)"

#: More pixels than any camera in a pocket makes: what claims more is meant to fill a memory.
MOST_PIXELS = 120_000_000
#: What a PDF may come to once its parts are unpacked.
MOST_UNPACKED = 64 * 1024 * 1024
#: Mails in mails in mails.
DEEPEST = 4
LONGEST_NAME = 120

#: Endings of what runs, or is shown by a browser as a page of ours: they stand nowhere in a name.
_RUNS = frozenset(
    [
        "7z", "apk", "app", "asp", "aspx", "bat", "bin", "cgi", "cmd", "com", "cpl", "dll", "dmg", "docm", "exe", "gz",
        "hta", "htm", "html", "iso", "jar", "js", "jse", "lnk", "mhtml", "msi", "msp", "php", "pif", "ps1", "py", "rar",
        "reg", "scr", "sh", "shtml", "svg", "svgz", "sys", "tar", "url", "vb", "vbe", "vbs", "wsf", "xhtml", "xlsm",
        "xml", "zip",
    ]
)  # fmt: skip
#: Words of pages and programs, too long to come about by chance in a picture.
_MARKUP = re.compile(r"<(?:script|html|svg|iframe|body|!doctype)[\s>/]|<\?(?:php|xml)", re.IGNORECASE)
_IN_PICTURES = re.compile(rb"<(?:script|html|svg|iframe|!doctype)[\s>]|<\?php", re.IGNORECASE)
#: What begins like this is a program or an archive.
_PROGRAMS = (
    b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa", b"#!", b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b",
)  # fmt: skip

_UNSAFE_IN_NAME = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')


def looked_at(name: str, content: bytes) -> tuple[str, FileType]:
    """The name under which it may be kept, and what it is. Raises ``CannotTake``."""
    return _looked_at(name, content, depth=0)


def _looked_at(name: str, content: bytes, *, depth: int) -> tuple[str, FileType]:
    kept = clean_name(name)
    if not content:
        raise CannotTake(f"{kept} is empty.")
    kind = type_of(content)
    if kind is None:
        raise CannotTake(f"{kept} is none of what can be kept: {ACCEPTED}.")
    ending = kept.rpartition(".")[2].lower()
    if ending not in kind.endings:
        raise CannotTake(f"{kept} is named as one thing and is another: it is {kind.name}.")
    _check(kept, kind, content, depth)
    return kept, kind


def clean_name(name: str) -> str:
    """The name without folders, invisible signs and tricks. Raises ``CannotTake`` for one that hides what runs."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Signs that turn the direction of writing make "gpj.exe" look like "exe.jpg".
    visible = "".join(sign for sign in last if unicodedata.category(sign) not in {"Cf", "Cc", "Cs", "Co", "Cn"})
    tidy = " ".join(_UNSAFE_IN_NAME.sub("_", visible).split()).strip(". ")
    stem, dot, ending = tidy.rpartition(".")
    if not dot or not stem:
        raise CannotTake(f"{tidy or 'A file without a name'} has no ending that says what it is: {ACCEPTED}.")
    inner = [part.lower().strip() for part in stem.split(".")[1:]]
    if hidden := next((part for part in inner if part in _RUNS), ""):
        raise CannotTake(f"{tidy} has two endings, and .{hidden} is one of what is not kept.")
    return f"{stem[: LONGEST_NAME - len(ending) - 1].rstrip('. ')}.{ending}"


def type_of(content: bytes) -> FileType | None:
    """What the first bytes say; none for everything that is not kept."""
    if content.startswith(b"%PDF-"):
        return PDF
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    if content[4:8] == b"ftyp" and content[8:12] in {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"}:
        return HEIC
    if content.startswith(_PROGRAMS) or (text := _as_text(content)) is None:
        return None
    if _MAIL_BEGINS.match(text) and _is_mail(content):
        return MAIL
    # Readers of documents begin anywhere in the first kilobyte.
    return None if _MARKUP.search(text) or "%PDF-" in text[:1024] else TEXT


_MAIL_BEGINS = re.compile(r"(?:From |[A-Za-z][A-Za-z0-9-]{1,60}:[ \t])")


def _as_text(content: bytes) -> str | None:
    """The text of those bytes; none where they are no text."""
    for encoding in ("utf-16",) if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if any(ord(sign) < 32 and sign not in "\t\n\r\f" for sign in text) else text
    return None


def _is_mail(content: bytes) -> bool:
    head = message_from_bytes(content[:65_536], policy=policy.default)
    return "from" in head and ("date" in head or "received" in head or "message-id" in head)


def _check(name: str, kind: FileType, content: bytes, depth: int) -> None:
    if kind is MAIL:
        _check_mail(name, content, depth)
        return
    if kind is not TEXT and zipfile.is_zipfile(BytesIO(content)):
        raise CannotTake(f"{name} is an archive as well as {kind.name}: two things at once are not kept.")
    if kind is PDF:
        _check_pdf(name, content)
    elif kind.is_picture:
        _check_picture(name, kind, content)


# Pictures -----------------------------------------------------------------------------------------------------------


def _check_picture(name: str, kind: FileType, content: bytes) -> None:
    if _IN_PICTURES.search(content):
        raise CannotTake(f"{name} carries a page or a script inside the picture.")
    if b"%PDF-" in content[:65_536]:
        raise CannotTake(f"{name} is a document as well as a picture: two things at once are not kept.")
    if kind is PNG:
        _check_png(name, content)
    elif (kind is JPEG and not _jpeg_ends(content)) or (kind is WEBP and not _webp_ends(content)):
        raise CannotTake(f"{name} is cut short, or goes on after the picture's end.")


def _webp_ends(content: bytes) -> bool:
    said = struct.unpack("<I", content[4:8])[0] + 8
    return said in {len(content), len(content) - 1}


def _check_png(name: str, content: bytes) -> None:
    """Chunk by chunk to the last, after which there is nothing."""
    place = 8
    while place + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if place == 8:
            if kind != b"IHDR" or length != 13:
                break
            width, height = struct.unpack(">II", content[16:24])
            if width * height > MOST_PIXELS:
                raise CannotTake(f"{name} is {width} by {height} pixels: send a smaller picture.")
        place += 12 + length
        if kind == b"IEND":
            if place == len(content):
                return
            break
    raise CannotTake(f"{name} is cut short, or goes on after the picture's end.")


def _jpeg_ends(content: bytes) -> bool:
    """Whether it ends as a picture does. Telephones add a little of their own; a program is more than that."""
    end = content.rfind(b"\xff\xd9")
    rest = content[end + 2 :]
    return end > 0 and (not rest.strip(b"\x00") or (len(rest) < 65_536 and not rest.startswith(_PROGRAMS)))


# PDF ----------------------------------------------------------------------------------------------------------------

#: What a document does by itself, or carries inside: scripts, programs, other files, forms that send themselves.
_ACTIVE = {
    b"/JavaScript": "a script",
    b"/Launch": "a program to start",
    b"/EmbeddedFile": "other files",
    b"/RichMedia": "a film or a game",
    b"/SubmitForm": "a form that sends itself",
    b"/ImportData": "an order to read other files",
    b"/XFA": "a form with scripts",
    b"/GoToE": "other files",
}
_ACTIVE_NAMES = re.compile(
    b"(?:" + b"|".join([*map(re.escape, _ACTIVE), b"/EmbeddedFiles", b"/JS"]) + b")(?![A-Za-z0-9])"
)
#: Those that do not come about by chance where anything may stand.
_LONG_NAMES = re.compile(b"|".join(re.escape(name) for name in _ACTIVE if len(name) > 5))
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"stream\r?\n")


def _check_pdf(name: str, content: bytes) -> None:
    """No script, no program, no file inside it, also where they are packed or their names are spelt in code."""
    if b"%%EOF" not in content[-2048:]:
        raise CannotTake(f"{name} is cut short: it has no end.")
    outside, packed = _streams(name, content)
    plain = _spelt_out(outside)
    if re.search(rb"/Encrypt(?![A-Za-z0-9])", plain):
        raise CannotTake(f"{name} is locked, so nobody can look into it: send it without a password.")
    found = _ACTIVE_NAMES.search(plain) or next(filter(None, map(_long_name, [content, *packed])), None)
    if found:
        carried = _ACTIVE.get(found.group().removesuffix(b"s"), "a script")
        raise CannotTake(f"{name} carries {carried}: print it to a new PDF and send that.")


def _long_name(content: bytes) -> re.Match[bytes] | None:
    return _LONG_NAMES.search(_spelt_out(content))


def _spelt_out(content: bytes) -> bytes:
    """Names as they are meant: ``/J#61vaScript`` is ``/JavaScript``."""
    if b"#" not in content:
        return content
    return _ESCAPED.sub(lambda found: bytes([int(found.group(1), 16)]), content)


def _streams(name: str, content: bytes) -> tuple[bytes, list[bytes]]:
    """The document without its streams, and the streams unpacked. Raises ``CannotTake`` for too much, or unreadable."""
    outside: list[bytes] = []
    packed: list[bytes] = []
    place = left = 0
    unpacked = 0
    while found := _STREAM.search(content, place):
        head = content[max(content.rfind(b"obj", left, found.start()), left) : found.start()]
        if not head.rstrip().endswith(b">>"):
            place = found.end()
            continue
        end = content.find(b"endstream", found.end())
        if end < 0:
            break
        outside.append(content[left : found.start()])
        spelt = _spelt_out(head)
        filters = re.findall(rb"/(\w+Decode)\b", spelt)
        objects = re.search(rb"/ObjStm(?![A-Za-z0-9])", spelt) is not None
        if filters == [b"FlateDecode"] and not re.search(rb"/Subtype\s*/Image", spelt):
            part = _inflated(content[found.end() : end], MOST_UNPACKED - unpacked)
            unpacked += len(part)
            if unpacked >= MOST_UNPACKED:
                raise CannotTake(f"{name} unpacks to more than can be looked through: print it to a new PDF.")
            packed.append(part)
            if objects:
                outside.append(part)
        elif objects and filters:
            raise CannotTake(f"{name} is packed in a way that cannot be looked into: print it to a new PDF.")
        elif objects:
            outside.append(content[found.end() : end])
        place = left = end
    outside.append(content[left:])
    return b"\n".join(outside), packed


def _inflated(content: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, max(most, 1))
    except zlib.error:
        return b""


# Mails --------------------------------------------------------------------------------------------------------------


def _check_mail(name: str, content: bytes, depth: int) -> None:
    """What is attached to a mail runs nowhere either; pictures and documents are looked at like files of their own."""
    if depth >= DEEPEST:
        raise CannotTake(f"{name} holds mails in mails, deeper than is looked.")
    for part in message_from_bytes(content, policy=policy.default).walk():
        attached, inside = part.get_filename(), part.get_payload(decode=True)
        if attached is None or not isinstance(inside, bytes) or not inside:
            continue
        kept = clean_name(attached)
        kind = type_of(inside)
        if (
            kept.rpartition(".")[2].lower() in _RUNS
            or inside.startswith(_PROGRAMS)
            or zipfile.is_zipfile(BytesIO(inside))
        ):
            raise CannotTake(f"{kept}, attached to {name}, is none of what can be kept: {ACCEPTED}.")
        if kind is not None:
            _check(f"{kept}, attached to {name},", kind, inside, depth + 1)
