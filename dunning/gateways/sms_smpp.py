"""Text messages over SMPP 3.4, the network's own protocol.

Whoever sends is bound as a transmitter, whoever listens (``SmppListener``) as a receiver: so receipts and replies come
to the one process that keeps them, and are acknowledged only once they are kept. SMPP knows no key: a line lost after a
submission leaves it unclear whether the message was taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from smpplib import consts, exceptions, smpp
from smpplib.client import Client

from dunning.gateways.base import Incoming, Message, NotTaken, Outcome, Unclear
from dunning.gateways.receipts import Receipt, ReceiptState
from dunning.gateways.sms_alphabet import Place, header_of, parts_of, text_of

_NUMBER = re.compile(r"\+?[0-9]{4,15}")
#: ``esm_class`` of what comes in: a receipt, or a text that begins with a header.
_IS_RECEIPT, _HAS_HEADER = 0x04, 0x40
#: ``registered_delivery``: tell us the end, whatever it is.
_TELL_US = 1
#: Asks the far side to bring it again later.
_LATER = consts.SMPP_ESME_RX_T_APPN

_BUSY = frozenset({consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL})
BUSY_FOR = timedelta(seconds=30)
_NOBODY_THERE = frozenset({consts.SMPP_ESME_RINVDSTADR})
#: About this message, for good. Everything else is about us or the moment.
_NEVER = frozenset(
    {
        consts.SMPP_ESME_RINVMSGLEN, consts.SMPP_ESME_RSUBMITFAIL, consts.SMPP_ESME_RX_P_APPN,
        consts.SMPP_ESME_RX_R_APPN,
    }
)  # fmt: skip
#: A message of which parts were taken is finished rather than begun anew: wait so long, so often.
_PART_WAITS_SECONDS, _PART_TRIES = 1.0, 10

#: What a receipt's state means; the rest (ACCEPTD, ENROUTE, UNKNOWN) is no end.
_ENDS: dict[str, ReceiptState] = {
    "DELIVRD": "delivered", "UNDELIV": "bounced", "EXPIRED": "failed", "DELETED": "failed", "REJECTD": "failed",
}  # fmt: skip
_STATES = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 8: "REJECTD"}

_LINE_LOST = (exceptions.ConnectionError, OSError)
_LINE_USELESS = (*_LINE_LOST, exceptions.PDUError, exceptions.UnknownCommandError, ValueError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Centre:
    """The short message centre: where it is reached and as whom."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    source: str = ""
    system_type: str = ""
    tls: bool = False
    ca_file: str | None = None
    timeout_seconds: float = 10.0
    #: Some centres name a message in hexadecimal when they take it, and in decimal when it has arrived.
    decimal_receipts: bool = False

    @classmethod
    def from_url(cls, url: str) -> Centre:
        """`smpp://user:password@host:2775?source=Northwind&receipt_ids=decimal&timeout=10`; `smpps://` for TLS."""
        parts = urlsplit(url)
        if parts.scheme not in {"smpp", "smpps"} or not parts.hostname or not parts.username:
            raise ValueError("A message centre is given as smpp://user:password@host:port")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        known = {"source", "system_type", "timeout", "ca_file", "receipt_ids"}
        if unknown := options.keys() - known:
            raise ValueError(f"Unknown options of the message centre: {', '.join(sorted(unknown))}")
        return cls(
            host=parts.hostname,
            port=parts.port or 2775,
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            source=options.get("source", ""),
            system_type=options.get("system_type", ""),
            tls=parts.scheme == "smpps",
            ca_file=options.get("ca_file"),
            timeout_seconds=float(options.get("timeout", "10")),
            decimal_receipts=options.get("receipt_ids") == "decimal",
        )


class _Line(Client):  # type: ignore[misc]  # the library is not typed
    """A connection that checks whom it talks to, and hears when the centre ends the session: the library's does not."""

    def __init__(self, centre: Centre) -> None:
        super().__init__(
            centre.host,
            centre.port,
            timeout=centre.timeout_seconds,
            logger_name="dunning.gateways.smpp",
            allow_unknown_opt_params=True,
        )
        self.centre = centre

    def _create_socket(self) -> socket.socket:
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.settimeout(self.timeout)
        if not self.centre.tls:
            return plain
        checks = ssl.create_default_context(cafile=self.centre.ca_file)
        return checks.wrap_socket(plain, server_hostname=self.centre.host)

    def connect(self) -> None:
        """Raises what the system says: to the library a certificate that nobody vouches for is a refused connection."""
        self._socket = self._create_socket()
        self._socket.connect((self.host, self.port))
        self.state = consts.SMPP_CLIENT_STATE_OPEN

    def poll(self, *_: Any) -> None:
        """Act on what came meanwhile. Under TLS a packet may be read already that the system knows no more of."""
        while self._has_more():
            self.read_once(auto_send_enquire_link=False)

    def _has_more(self) -> bool:
        line = self._socket
        if isinstance(line, ssl.SSLSocket) and line.pending():
            return True
        return bool(select.select([line], [], [], 0)[0])

    def read_pdu(self) -> Any:
        packet = super().read_pdu()
        if packet.command == "unbind":
            answer = smpp.make_pdu("unbind_resp", client=self)
            answer.sequence = packet.sequence
            self.send_pdu(answer)
            raise exceptions.ConnectionError("the centre ended the session")
        return packet

    def let_go(self) -> None:
        """Closed at once, without a word to the far side."""
        self.state = consts.SMPP_CLIENT_STATE_OPEN
        self.disconnect()


def _connected(centre: Centre, command: str) -> _Line:
    line = _Line(centre)
    try:
        line.connect()
        getattr(line, f"bind_{command}")(
            system_id=centre.user, password=centre.password, system_type=centre.system_type
        )
    except BaseException:
        line.let_go()
        raise
    return line


def _hang_up(line: _Line | None) -> None:
    if line is None:
        return
    with contextlib.suppress(*_LINE_USELESS):
        line.unbind()
    line.let_go()


class SmppGateway:
    """Submits text messages on one line, bound when first needed and again when the centre has hung up in between."""

    knows_keys = False

    def __init__(self, centre: Centre, *, sender: str = "") -> None:
        self._centre = centre
        self._source = centre.source or "".join(sign for sign in sender if sign.isascii() and sign.isalnum())[:11]
        self._line: _Line | None = None

    def hand_over(self, message: Message, /) -> Outcome:
        if not _NUMBER.fullmatch(message.to):
            return Outcome("unreachable", None, "not a telephone number")
        mark = hashlib.sha256(message.key.encode()).digest()
        try:
            parts = parts_of(message.text, reference=mark[0])
        except ValueError as problem:
            return Outcome("rejected", None, str(problem))
        line = self._ready_line()
        reference = ""
        for place, content in enumerate(parts.contents, start=1):
            last = place == len(parts.contents)
            for tried in range(1, _PART_TRIES + 1):
                answer = self._submit(
                    line,
                    message.to,
                    short_message=content,
                    data_coding=parts.data_coding,
                    esm_class=parts.esm_class,
                    # One text, one receipt: that of its last part.
                    registered_delivery=_TELL_US if last else 0,
                    user_message_reference=int.from_bytes(mark[:2], "big"),
                )
                if answer.status not in _BUSY or place == 1 or tried == _PART_TRIES:
                    break
                time.sleep(_PART_WAITS_SECONDS)
            if (refusal := self._refusal(answer.status)) is not None:
                if place > 1:
                    # The first parts are with the centre: the phone may show what it has.
                    raise Unclear(f"part {place} of {len(parts.contents)}: {refusal}")
                if isinstance(refusal, NotTaken):
                    raise refusal
                return refusal
            reference = provider_ref(_text(answer.message_id))
        return Outcome("accepted", reference)

    def close(self) -> None:
        line, self._line = self._line, None
        _hang_up(line)

    def _ready_line(self) -> _Line:
        """A bound line. One kept from before may have died, or been unbound by the centre: then a fresh one."""
        if self._line is not None:
            try:
                self._line.poll()
                return self._line
            except _LINE_USELESS:
                self._let_go()
        try:
            self._line = _connected(self._centre, "transmitter")
        except _LINE_USELESS as problem:
            raise NotTaken(f"no line: {_said(problem)}") from problem
        return self._line

    def _submit(self, line: _Line, to: str, **what: Any) -> Any:
        try:
            sent = line.send_message(
                source_addr=self._source,
                **_type_of_source(self._source),
                destination_addr=to.removeprefix("+"),
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                **what,
            )
            while True:
                answer = line.read_pdu()
                if answer.sequence == sent.sequence and answer.command in ("submit_sm_resp", "generic_nack"):
                    return answer
                if answer.command == "enquire_link":
                    back = smpp.make_pdu("enquire_link_resp", client=line)
                    back.sequence = answer.sequence
                    line.send_pdu(back)
        except _LINE_USELESS as problem:
            # The submission is one packet: where the line broke within it, nobody can tell.
            self._let_go()
            raise Unclear(f"the line was lost: {_said(problem)}") from problem

    def _refusal(self, status: int) -> Outcome | NotTaken | None:
        if status == consts.SMPP_ESME_ROK:
            return None
        detail = f"0x{status:02X} {consts.DESCRIPTIONS.get(status, 'unknown answer')}"
        if status in _NOBODY_THERE:
            return Outcome("unreachable", None, detail)
        if status in _NEVER:
            return Outcome("rejected", None, detail)
        return NotTaken(detail, retry_after=BUSY_FOR if status in _BUSY else None)

    def _let_go(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.let_go()


#: Keeps a receipt or a message; False asks the far side to bring it again.
Keep = Callable[[Receipt | Incoming], bool]


class SmppListener:
    """Bound as a receiver: reads receipts and replies and acknowledges each once ``keep`` has returned."""

    def __init__(self, centre: Centre, *, now: Callable[[], datetime], keep: Keep) -> None:
        self._centre, self._now, self._keep = centre, now, keep
        self._line: _Line | None = None
        self._silent = False
        self._unfinished: dict[tuple[str, str, int, int], dict[int, str]] = {}

    def listen(self) -> None:
        """Wait for one packet, at most the time-out; then ask whether the far side is still there.

        Raises ConnectionError when it is not; the next call binds again.
        """
        try:
            line = self._line or self._bind()
            try:
                line.read_once(auto_send_enquire_link=False)
                self._silent = False
            except TimeoutError:
                if self._silent:
                    raise
                self._silent = True
                line.send_pdu(smpp.make_pdu("enquire_link", client=line))
        except _LINE_USELESS as problem:
            self._let_go()
            raise ConnectionError(_said(problem)) from problem

    def close(self) -> None:
        line, self._line = self._line, None
        _hang_up(line)

    def _bind(self) -> _Line:
        line = _connected(self._centre, "receiver")
        line.set_message_received_handler(self._take)
        self._line, self._silent = line, False
        return line

    def _let_go(self) -> None:
        line, self._line = self._line, None
        self._unfinished.clear()  # what was not joined comes again
        if line is not None:
            line.let_go()

    def _take(self, *, pdu: Any) -> int:
        if pdu.command != "deliver_sm":
            return int(consts.SMPP_ESME_ROK)
        content = pdu.short_message or pdu.message_payload or b""
        if pdu.esm_class & _IS_RECEIPT:
            receipt = self._receipt(pdu, content)
            kept = receipt is None or self._keep(receipt)
        else:
            incoming = self._incoming(pdu, content)
            kept = incoming is None or self._keep(incoming)
        return int(consts.SMPP_ESME_ROK) if kept else int(_LATER)

    def _receipt(self, pdu: Any, content: bytes) -> Receipt | None:
        told = content.decode("latin-1")
        found = re.search(r"\bid:(\S+)", told)
        reference = _text(pdu.receipted_message_id) or (found.group(1) if found else "")
        said = re.search(r"\bstat:(\S+)", told)
        state = said.group(1).upper()[:7] if said else _STATES.get(pdu.message_state or 0, "")
        if not reference or state not in _ENDS:
            return None
        if self._centre.decimal_receipts and reference.isdigit():
            reference = f"{int(reference):x}"
        error = re.search(r"\berr:(\S+)", told)
        detail = " ".join(part for part in (state, f"error {error.group(1)}" if error else "") if part)
        return Receipt(
            key=None, provider_ref=provider_ref(reference), state=_ENDS[state], at=self._now(), detail=detail
        )

    def _incoming(self, pdu: Any, content: bytes) -> Incoming | None:
        """A whole message, or None while parts of it are missing."""
        sender, recipient = _number(pdu.source_addr, pdu.source_addr_ton), _text(pdu.destination_addr)
        place: Place | None = None
        if pdu.esm_class & _HAS_HEADER:
            place, content = header_of(content)
        elif pdu.sar_total_segments:
            place = Place(pdu.sar_msg_ref_num or 0, pdu.sar_total_segments, pdu.sar_segment_seqnum or 1)
        text = text_of(content, pdu.data_coding or 0)
        if place is not None and place.of > 1:
            key = (sender, recipient, place.reference, place.of)
            parts = self._unfinished.setdefault(key, {})
            parts[place.number] = text
            if len(parts) < place.of:
                return None
            del self._unfinished[key]
            text = "".join(parts[number] for number in sorted(parts))
        at = self._now()
        # SMPP names no message that comes in: sender, text and minute do. The same again within it is a repeat.
        mark = hashlib.sha256("\x00".join((sender, recipient, text, f"{at:%Y%m%d%H%M}")).encode()).hexdigest()[:32]
        return Incoming(
            gateway="sms",
            provider_ref=f"smpp:{mark}",
            channel="sms",
            sender=sender,
            recipient=recipient,
            text=text.replace("\x00", ""),
            received_at=at,
        )


def provider_ref(message_id: str) -> str:
    """How a notice keeps the centre's id: with the road's name, for ids such as ``17`` are everybody's."""
    return f"smpp:{message_id.lower()}"


def _type_of_source(source: str) -> dict[str, int]:
    if not source.isdigit():
        return {"source_addr_ton": consts.SMPP_TON_ALNUM, "source_addr_npi": consts.SMPP_NPI_UNK}
    if len(source) <= 6:  # a short code
        return {"source_addr_ton": consts.SMPP_TON_NWSPEC, "source_addr_npi": consts.SMPP_NPI_UNK}
    return {"source_addr_ton": consts.SMPP_TON_INTL, "source_addr_npi": consts.SMPP_NPI_ISDN}


def _number(address: Any, ton: int) -> str:
    text = _text(address)
    return f"+{text}" if ton == consts.SMPP_TON_INTL and text.isdigit() else text


def _text(value: Any) -> str:
    return value.decode("latin-1").rstrip("\x00") if isinstance(value, bytes) else str(value or "")


def _said(problem: Exception) -> str:
    words = next((part for part in problem.args if isinstance(part, str)), "")
    return f"{type(problem).__name__}: {' '.join(words.split())}"[:300]
