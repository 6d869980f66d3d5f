"""Files for tests: real ones, and those that pretend."""

from __future__ import annotations

import zipfile
import zlib
from email.message import EmailMessage
from io import BytesIO

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), colour: str = "teal") -> bytes:
    made = BytesIO()
    Image.new("RGB", size, colour).save(made, kind)
    return made.getvalue()


def pdf(*objects: bytes, ending: bytes = b"\n%%EOF\n") -> bytes:
    """A small document; ``objects`` are put into it as they are."""
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>", *objects]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, part) for number, part in enumerate(parts, start=1))
    return b"%PDF-1.7\n" + body + b"trailer << /Root 1 0 R >>\nstartxref\n0" + ending


def packed(content: bytes, entries: bytes = b"/Type /ObjStm /N 1 /First 4") -> bytes:
    """A stream of a document, packed."""
    inside = zlib.compress(content)
    head = b"<< %s /Filter /FlateDecode /Length %d >>" % (entries, len(inside))
    return head + b"\nstream\n" + inside + b"\nendstream"


def archive(name: str = "run.exe", content: bytes = b"MZ") -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as folder:
        folder.writestr(name, content)
    return made.getvalue()


def mail(*attached: tuple[str, bytes], text: str = "I never left the country.") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "frida@example.com", "billing@example.com", "My bill"
    message["Date"] = "Mon, 09 Mar 2026 10:00:00 +0000"
    message.set_content(text)
    for name, content in attached:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()
