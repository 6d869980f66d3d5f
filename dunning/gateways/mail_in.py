"""A mail as it arrived: what the customer wrote, or what became of one of ours.

Headers and parts come from strangers: nothing here fails on what they hold, and no more is read than the start.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage, Message
from email.utils import getaddresses
from html.parser import HTMLParser
from typing import Literal

from dunning.gateways.base import Incoming
from dunning.gateways.receipts import LONGEST_DETAIL, Receipt

#: So much of a mail is read; a reply is in its beginning.
MOST_READ = 512 * 1024
MOST_TEXT = 20_000
GATEWAY = "mailbox"

_ID = re.compile(r"<[^<>\s]{3,250}>")


def read_mail(content: bytes, *, received_at: datetime) -> Incoming | list[Receipt]:
    """One mail: a message, or, from a relay about mails of ours, receipts (none where it only says that it waits)."""
    mail = email.message_from_bytes(content[:MOST_READ], policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    if _is_report(mail):
        return list(_receipts(mail, received_at))
    sender = _addresses(mail, "from")
    return Incoming(
        gateway=GATEWAY,
        provider_ref=_own_id(mail, content),
        channel="email",
        sender=sender[0] if sender else "",
        recipient=next(iter(_addresses(mail, "delivered-to", "x-original-to", "to")), ""),
        text=_text(mail)[:MOST_TEXT],
        subject=_header(mail, "subject")[:300],
        received_at=received_at,
        references=tuple(_ID.findall(f"{_header(mail, 'references')} {_header(mail, 'in-reply-to')}")),
        automatic=_automatic(mail, sender[0] if sender else ""),
    )


def _header(mail: Message, name: str) -> str:
    """All of them, decoded as far as they can be; no NUL, which no database keeps."""
    try:
        values = mail.get_all(name, [])
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        values = [value for key, value in mail.raw_items() if key.lower() == name]  # the parser gave up on it
    said = " ".join(" ".join(str(value).split()) for value in values)
    return said.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _addresses(mail: Message, *names: str) -> list[str]:
    found = getaddresses([_header(mail, name) for name in names])
    return [address for _, address in found if "@" in address and len(address) <= 254]


def _own_id(mail: Message, content: bytes) -> str:
    named = _ID.search(_header(mail, "message-id"))
    return named.group()[:200] if named else f"<{hashlib.sha256(content).hexdigest()}>"


def _automatic(mail: Message, sender: str) -> Literal["", "auto_reply", "bounce"]:
    """RFC 3834, and what mail programs wrote before it."""
    local = sender.partition("@")[0].lower()
    if local in ("mailer-daemon", "postmaster") or _header(mail, "return-path").strip() == "<>":
        return "bounce" if local in ("mailer-daemon", "postmaster") else "auto_reply"
    submitted = _header(mail, "auto-submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return "auto_reply"
    if any(_header(mail, name) for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "list-id")):
        return "auto_reply"
    return "auto_reply" if _header(mail, "precedence").lower() in ("bulk", "junk", "list", "auto_reply") else ""


# The words ----------------------------------------------------------------------------------------------------------


def _text(mail: EmailMessage) -> str:
    """The plain part; else the HTML one without its tags and quotations."""
    parts = [part for part in mail.walk() if not part.is_multipart() and part.get_filename() is None]
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and (said := _decoded(part)).strip():
                return said if kind == "text/plain" else _without_tags(said)
    return ""


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    content = content[: MOST_TEXT * 8]
    try:
        said = content.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        said = content.decode("utf-8", "replace")
    return said.replace("\x00", "")


class _Plain(HTMLParser):
    """Text of a page; lines where a reader sees them, nothing of what it quotes."""

    _silent = frozenset({"style", "script", "head", "title", "blockquote"})
    _lines = frozenset({"br", "p", "div", "tr", "li", "hr", "h1", "h2", "h3"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._muted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._muted += tag in self._silent
        if tag in self._lines:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._muted = max(0, self._muted - (tag in self._silent))
        if tag in self._lines:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._muted:
            self.said.append(data)


def _without_tags(page: str) -> str:
    plain = _Plain()
    plain.feed(page)
    plain.close()
    return re.sub(r"\n\s*\n+", "\n\n", "".join(plain.said)).strip()


# What became of ours ------------------------------------------------------------------------------------------------

#: RFC 3464; delayed and relayed ones end nothing.
_ENDS: dict[str, Literal["delivered", "bounced"]] = {"failed": "bounced", "delivered": "delivered"}


def _is_report(mail: EmailMessage) -> bool:
    return any(part.get_content_type() == "message/delivery-status" for part in mail.walk())


def _receipts(mail: EmailMessage, at: datetime) -> Iterator[Receipt]:
    """A receipt for the mail that a report is about, found by its Message-ID."""
    about = _about(mail)
    if about is None:
        return
    for part in mail.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        groups = part.get_payload()
        for group in groups if isinstance(groups, list) else []:
            if isinstance(group, Message) and (state := _ENDS.get(_header(group, "action").strip().lower())):
                said = _header(group, "diagnostic-code") or _header(group, "status")
                detail = re.sub(r"\S+@\S+", "(address)", said)[:LONGEST_DETAIL]
                yield Receipt(key=None, provider_ref=about, state=state, at=at, detail=detail)


def _about(mail: EmailMessage) -> str | None:
    """The Message-ID of the mail that came back: its headers are the last part of the report."""
    for part in mail.walk():
        if part.get_content_type() == "text/rfc822-headers":
            found = re.search(r"^message-id:\s*(<[^<>\s]+>)", _decoded(part), re.I | re.M)
            if found:
                return found.group(1)
        if part.get_content_type() == "message/rfc822":
            for inner in part.walk():
                if named := _ID.search(_header(inner, "message-id")):
                    return named.group()
    return None
