"""E-mail through a relay.

SMTP is spoken command by command, because only the moment of failure tells what may be repeated: until the line that
ends the content has left, the relay has nothing; after it, a lost connection is unclear; and a relay knows no keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as INTERNET
from email.utils import format_datetime, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from dunning.gateways.base import Enclosure, Message, NotTaken, Outcome, Unclear

# One address, no list, no display name, nothing that could end a line.
_ADDRESS = re.compile(r"[^\s<>@,;:\"()\\\x00-\x1f\x7f]+@[^\s<>@,;:\"()\\\x00-\x1f\x7f]+\.?")
_READY_FOR_CONTENT = 354
_TOO_BIG = 552
_LONGEST_LINE = 998  # RFC 5322, 2.1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Relay:
    """Where e-mail is handed over. `starttls` means: or not at all."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    starttls: bool = False
    ca_file: str | None = None
    timeout_seconds: float = 20.0

    @classmethod
    def from_url(cls, url: str) -> Relay:
        """`smtp://user:password@host:587?starttls=1&timeout=20&ca_file=…`, or `smtps://` for TLS from the first
        byte.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("An e-mail relay is given as smtp://host:port or smtps://host:port")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := options.keys() - {"starttls", "timeout", "ca_file"}:
            raise ValueError(f"Unknown options of the e-mail relay: {', '.join(sorted(unknown))}")
        implicit_tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if implicit_tls else 25),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            implicit_tls=implicit_tls,
            starttls=options.get("starttls", "0") in {"1", "true", "yes"},
            ca_file=options.get("ca_file"),
            timeout_seconds=float(options.get("timeout", "20")),
        )


class SmtpGateway:
    """One connection for many messages; it is opened when first needed and again when the relay has hung up in
    between.
    """

    knows_keys = False

    def __init__(
        self, relay: Relay, *, sender: str, now: Callable[[], datetime], list_unsubscribe: str | None = None
    ) -> None:
        """`sender`: `Name <address>`; `now` is asked for the Date header alone; `list_unsubscribe`: a mailto: or https:
        URL.
        """
        name, address = parseaddr(sender)
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"Not an e-mail address to send from: {sender!r}")
        self._relay = relay
        self._sender_name, self._sender = name, address
        self._now = now
        self._list_unsubscribe = list_unsubscribe
        self._line: smtplib.SMTP | None = None

    def hand_over(self, message: Message, /) -> Outcome:
        if not _ADDRESS.fullmatch(message.to):
            return Outcome("rejected", None, "not an e-mail address")
        try:
            content = self._content(message)
        except (MessageError, ValueError) as problem:
            return Outcome("rejected", None, f"cannot be written as an e-mail: {problem}")
        if not message.to.isascii() and not self._speaks_unicode_addresses():
            return Outcome("rejected", None, "the relay takes no addresses outside ASCII")
        line = self._ready_line(message, len(content))
        if isinstance(line, Outcome):
            return line
        refusal = self._address(line, message)
        return refusal or self._give(line, content, message_id(message.key, self._sender))

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                line.quit()
            line.close()

    def _content(self, message: Message) -> bytes:
        mail = EmailMessage(policy=INTERNET)
        user, _, domain = self._sender.rpartition("@")
        mail["From"] = Address(self._sender_name, user, domain)
        mail["To"] = message.to
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = format_datetime(self._now())
        mail["Message-ID"] = message_id(message.key, self._sender)
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
        if message.unsubscribe_url:
            mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        elif self._list_unsubscribe:
            mail["List-Unsubscribe"] = f"<{self._list_unsubscribe}>"
        mail.set_content(message.text)
        if message.html is not None:
            mail.add_alternative(message.html, subtype="html")
            _show(mail, [one for one in message.enclosures if one.content_id])
        if message.attachment:
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", message.ref) or "letter"
            mail.add_attachment(message.attachment, maintype="application", subtype="pdf", filename=f"{name}.pdf")
        for one in message.enclosures:
            if not one.content_id:
                kind, _, subtype = one.media_type.partition("/")
                mail.add_attachment(one.content, maintype=kind, subtype=subtype, filename=one.name)
        # Last: every part that is put around the text takes such headers inside with it.
        mail["Content-Language"] = " ".join(message.language.split())
        # A URL has no place to fold at, and folded by force it is read by nobody.
        longest = _LONGEST_LINE if message.unsubscribe_url else INTERNET.max_line_length
        content = mail.as_bytes(policy=INTERNET.clone(utf8=not message.to.isascii(), max_line_length=longest))
        return re.sub(rb"(?m)^\.", b"..", content if content.endswith(b"\r\n") else content + b"\r\n")

    def _ready_line(self, message: Message, size: int) -> smtplib.SMTP | Outcome:
        """A line on which MAIL FROM has been accepted. A line kept from before may have died unnoticed: then a fresh
        one, once.
        """
        kept = self._line is not None
        try:
            line = self._line or self._connect()
            options = [f"size={size}"] if line.has_extn("size") else []
            if not message.to.isascii():
                options += ["SMTPUTF8", "BODY=8BITMIME"]
            code, said = line.mail(self._sender, options)
        except (smtplib.SMTPException, OSError) as problem:
            self._hang_up()
            if kept:
                return self._ready_line(message, size)
            raise NotTaken(_said(problem)) from problem
        if 200 <= code < 300:
            return line
        if code == 421 and kept:
            self._hang_up()
            return self._ready_line(message, size)
        if code == _TOO_BIG:
            self._reset(line)
            return Outcome("rejected", None, _answer(code, said))
        # Refusing our own sender says nothing about the customer.
        self._hang_up()
        raise NotTaken(_answer(code, said))

    def _address(self, line: smtplib.SMTP, message: Message) -> Outcome | None:
        """RCPT and DATA: None when the relay waits for the content, an outcome when it never will."""
        refused_address = True
        try:
            code, said = line.rcpt(message.to)
            if 200 <= code < 300:
                refused_address = False
                code, said = line.docmd("DATA")
                if code == _READY_FOR_CONTENT:
                    return None
        except (smtplib.SMTPException, OSError) as problem:
            self._hang_up()
            raise NotTaken(_said(problem)) from problem
        if 500 <= code < 600:
            self._reset(line)
            nobody = refused_address and _nobody_there(code, said)
            return Outcome("unreachable" if nobody else "rejected", None, _answer(code, said))
        self._hang_up()
        raise NotTaken(_answer(code, said))

    def _give(self, line: smtplib.SMTP, content: bytes, reference: str) -> Outcome:
        try:
            line.send(content)
        except (smtplib.SMTPException, OSError) as problem:
            # The full stop that makes it a message has not left yet.
            self._hang_up()
            raise NotTaken(_said(problem)) from problem
        try:
            line.send(b".\r\n")
            code, said = line.getreply()
        except (smtplib.SMTPException, OSError) as problem:
            self._hang_up()
            raise Unclear(_said(problem)) from problem
        if 200 <= code < 300:
            return Outcome("accepted", reference, _answer(code, said))
        if 500 <= code < 600:
            self._reset(line)
            return Outcome("rejected", None, _answer(code, said))
        self._hang_up()
        if code < 0:
            raise Unclear("the relay's answer could not be read")
        raise NotTaken(_answer(code, said))

    def _connect(self) -> smtplib.SMTP:
        relay = self._relay
        tls = ssl.create_default_context(cafile=relay.ca_file)
        own_name = self._sender.rpartition("@")[2]
        line: smtplib.SMTP
        if relay.implicit_tls:
            line = smtplib.SMTP_SSL(relay.host, relay.port, own_name, timeout=relay.timeout_seconds, context=tls)
        else:
            line = smtplib.SMTP(relay.host, relay.port, own_name, timeout=relay.timeout_seconds)
        try:
            line.ehlo_or_helo_if_needed()
            if relay.starttls:
                line.starttls(context=tls)
                line.ehlo()
            if relay.user:
                line.login(relay.user, relay.password)
        except BaseException:
            line.close()
            raise
        self._line = line
        return line

    def _speaks_unicode_addresses(self) -> bool:
        try:
            return (self._line or self._connect()).has_extn("smtputf8")
        except (smtplib.SMTPException, OSError) as problem:
            self._hang_up()
            raise NotTaken(_said(problem)) from problem

    def _reset(self, line: smtplib.SMTP) -> None:
        """Keeps the line for the next message; one that cannot be reset is given up."""
        try:
            code, _ = line.rset()
        except (smtplib.SMTPException, OSError):
            code = -1
        if code != 250:
            self._hang_up()

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


def _show(mail: EmailMessage, pictures: list[Enclosure]) -> None:
    """Puts pictures beside the HTML that shows them, which is the last part so far."""
    shown = list(mail.iter_parts())[-1]
    assert isinstance(shown, EmailMessage)
    for one in pictures:
        kind, _, subtype = one.media_type.partition("/")
        cid = f"<{one.content_id}>"
        shown.add_related(one.content, maintype=kind, subtype=subtype, cid=cid, filename=one.name, disposition="inline")


def message_id(key: str, sender: str) -> str:
    """The same for the same key, so that a bounce can be traced and a mailbox may drop a double."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"


def _nobody_there(code: int, said: bytes) -> bool:
    """Whether a refusal of the address is about the address (RFC 3463: 5.1.x, and mailboxes that are switched off), not
    about us or our content.
    """
    extended = re.match(rb"5\.(\d{1,3})\.(\d{1,3})\b", said.strip())
    if extended is None:
        return code in (550, 551, 553)
    return extended[1] == b"1" or extended.groups() == (b"2", b"1")


def _answer(code: int, said: bytes) -> str:
    return f"{code} {' '.join(said.decode('utf-8', 'replace').split())}"[:300]


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:300]
