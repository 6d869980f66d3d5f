"""A mailbox over IMAP: what is unseen is read, and marked as seen once it is kept. No message is ever deleted.

A mail that cannot be kept is flagged, stays unseen, and is left to a person: it must not keep back the others.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from dunning.gateways.mail_in import MOST_READ

TIMEOUT = 30
_UID = re.compile(rb"\d+")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where replies arrive."""

    host: str
    port: int
    user: str
    password: str
    folder: str
    tls: bool

    @classmethod
    def from_url(cls, url: str) -> Mailbox:
        """``imaps://user:password@host:port/folder``; ``imap://`` without TLS, for a server beside the desk.

        Raises ``ValueError``, with what is wrong and without the password.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("imap", "imaps") or not parts.hostname or not parts.username:
            raise ValueError("A mailbox is imaps://user:password@host/folder")
        tls = parts.scheme == "imaps"
        return cls(
            host=parts.hostname,
            port=parts.port or (993 if tls else 143),
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            folder=unquote(parts.path.strip("/")) or "INBOX",
            tls=tls,
        )


class MailboxUnusable(Exception):
    """The server cannot be reached, or refuses us; nothing was read."""


def read(mailbox: Mailbox, keep: Callable[[bytes, datetime], bool]) -> tuple[int, int]:
    """Give every unseen mail to ``keep``; how many were kept, and how many it could not keep.

    Raises ``MailboxUnusable``. What was kept before is seen then, and everything else comes again.
    """
    kept = refused = 0
    try:
        line = _opened(mailbox)
        try:
            for uid, content, received_at in _unseen(line):
                if keep(content, received_at):
                    line.uid("STORE", uid, "+FLAGS", r"(\Seen)")
                    kept += 1
                else:
                    line.uid("STORE", uid, "+FLAGS", r"(\Flagged)")
                    refused += 1
        finally:
            line.logout()
    except (imaplib.IMAP4.error, OSError) as problem:
        raise MailboxUnusable(f"{type(problem).__name__}: {problem}"[:300]) from problem
    return kept, refused


def _opened(mailbox: Mailbox) -> imaplib.IMAP4:
    line: imaplib.IMAP4
    if mailbox.tls:
        line = imaplib.IMAP4_SSL(mailbox.host, mailbox.port, ssl_context=ssl.create_default_context(), timeout=TIMEOUT)
    else:
        line = imaplib.IMAP4(mailbox.host, mailbox.port, timeout=TIMEOUT)
    line.login(mailbox.user, mailbox.password)
    folder = mailbox.folder.replace("\\", "\\\\").replace('"', '\\"')
    answer, said = line.select(f'"{folder}"')
    if answer != "OK":
        raise imaplib.IMAP4.error(f"there is no folder {mailbox.folder}: {said!r}")
    return line


def _unseen(line: imaplib.IMAP4) -> Iterator[tuple[str, bytes, datetime]]:
    """The beginning of each, oldest first; looking marks nothing."""
    _answer, found = line.uid("SEARCH", "UNSEEN UNFLAGGED")
    for uid in _UID.findall(found[0] or b"" if found else b""):
        _answer, parts = line.uid("FETCH", uid.decode(), f"(INTERNALDATE BODY.PEEK[]<0.{MOST_READ}>)")
        whole = [part for part in parts if isinstance(part, tuple)]
        if whole:
            yield uid.decode(), whole[0][1], _received_at(b" ".join(_flat(parts)))


def _flat(parts: list[bytes | tuple[bytes, bytes]]) -> Iterator[bytes]:
    """What the server said around the content."""
    for part in parts:
        yield part[0] if isinstance(part, tuple) else part


def _received_at(said: bytes) -> datetime:
    """When the server took it in. Raises ``imaplib.IMAP4.error`` for a server that does not say."""
    found = re.search(rb'INTERNALDATE "([^"]+)"', said)
    if found is None:
        raise imaplib.IMAP4.error("the server does not say when a mail arrived")
    return datetime.strptime(found.group(1).decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
