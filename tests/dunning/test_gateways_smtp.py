from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from dunning.gateways.base import Message, NotTaken, Unclear
from dunning.gateways.smtp import Relay, SmtpGateway

LETTER = Message(
    key="notice:42", channel="email", to="sarah@example.com", subject="Your bill", text="Dear Sarah,\n.\nडॉट\n",
    html="<p>Dear Sarah</p>", language="en", ref="A-1001/42",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostOffice:
    """A relay that keeps what it takes and refuses as it is told."""

    def __init__(self) -> None:
        self.taken: list[email.message.EmailMessage] = []
        self.peers: list[tuple] = []
        self.sender_answer = self.recipient_answer = self.content_answer = ""

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return self.sender_answer or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.content_answer:
            return self.content_answer
        self.peers.append(session.peer)
        self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 queued as 7F3"


@contextlib.contextmanager
def relay(office: PostOffice, **options) -> Iterator[int]:
    port = free_port()
    controller = Controller(office, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


def gateway(port: int, options: str = "", login: str = "", **more) -> SmtpGateway:
    return SmtpGateway(
        Relay.from_url(f"smtp://{login}127.0.0.1:{port}?timeout=2{options}"),
        sender="Northwind Mobile <billing@northwind.example>",
        now=lambda: datetime(2026, 8, 19, 9, tzinfo=UTC),
        **more,
    )


def test_an_email_arrives_whole(office):
    with (
        relay(office) as port,
        contextlib.closing(gateway(port, list_unsubscribe="mailto:stop@northwind.example")) as road,
    ):
        outcome = road.hand_over(replace(LETTER, attachment=b"%PDF-1.7 x"))
    [mail] = office.taken
    assert outcome.state == "accepted"
    assert outcome.provider_ref == mail["Message-ID"]
    assert mail["From"] == "Northwind Mobile <billing@northwind.example>"
    assert mail["To"] == "sarah@example.com"
    assert mail["Date"] == "Wed, 19 Aug 2026 09:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == "<mailto:stop@northwind.example>"
    assert mail.get_body(("plain",)).get_content().splitlines() == ["Dear Sarah,", ".", "डॉट"]
    assert mail.get_body(("html",)).get_content().strip() == "<p>Dear Sarah</p>"
    [pdf] = mail.iter_attachments()
    assert pdf.get_filename() == "A-1001-42.pdf"
    assert pdf.get_content() == b"%PDF-1.7 x"


def test_the_same_notice_has_the_same_message_id_and_another_has_another(office):
    with relay(office) as port, contextlib.closing(gateway(port)) as road:
        for key in ("a", "a", "b"):
            road.hand_over(replace(LETTER, key=key))
    first, second, third = (mail["Message-ID"] for mail in office.taken)
    assert first == second != third


def test_one_connection_carries_many_messages(office):
    with relay(office) as port, contextlib.closing(gateway(port)) as road:
        for number in range(5):
            assert road.hand_over(replace(LETTER, key=f"n{number}")).state == "accepted"
    assert len(office.taken) == 5
    assert len(set(office.peers)) == 1


def test_a_refused_recipient_does_not_spoil_the_line_for_the_next(office):
    with relay(office) as port, contextlib.closing(gateway(port)) as road:
        road.hand_over(LETTER)
        office.recipient_answer = "550 5.1.1 no such user"
        refused = road.hand_over(replace(LETTER, key="x"))
        office.recipient_answer = ""
        assert road.hand_over(replace(LETTER, key="y")).state == "accepted"
    assert (refused.state, refused.detail) == ("unreachable", "550 5.1.1 no such user")
    assert len(set(office.peers)) == 1


@pytest.mark.parametrize(
    ("place", "answer", "state"),
    [
        ("recipient_answer", "450 greylisted", None),
        ("recipient_answer", "553 bad mailbox", "unreachable"),
        ("recipient_answer", "550 user unknown", "unreachable"),
        ("recipient_answer", "550 5.2.1 mailbox disabled", "unreachable"),
        ("recipient_answer", "550 5.7.1 we do not like your network", "rejected"),
        ("recipient_answer", "554 no", "rejected"),
        ("recipient_answer", "452 4.2.2 mailbox full", None),
        ("content_answer", "451 try later", None),
        ("content_answer", "554 looks like spam", "rejected"),
        ("sender_answer", "451 try later", None),
        ("sender_answer", "550 you may not send", None),
        ("sender_answer", "552 too big", "rejected"),
    ],
)
def test_what_the_relay_says_decides_between_later_and_never(office, place, answer, state):
    setattr(office, place, answer)
    with relay(office) as port, contextlib.closing(gateway(port)) as road:
        if state is None:
            with pytest.raises(NotTaken, match=answer):
                road.hand_over(LETTER)
        else:
            assert road.hand_over(LETTER).state == state
    assert office.taken == []


def test_a_relay_that_is_not_there_has_nothing():
    with pytest.raises(NotTaken):
        gateway(free_port()).hand_over(LETTER)


def test_after_a_restart_of_the_relay_the_next_message_goes_on_a_fresh_line(office):
    port = free_port()
    road = gateway(port)
    for _ in range(2):
        controller = Controller(office, hostname="127.0.0.1", port=port)
        controller.start()
        assert road.hand_over(LETTER).state == "accepted"
        controller.stop()
    with pytest.raises(NotTaken):
        road.hand_over(LETTER)
    road.close()
    road.close()
    assert len(office.taken) == 2


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_wrong_password_says_nothing_about_the_customer(office):
    def check(server, session, envelope, mechanism, data: LoginPassword):
        return AuthResult(success=(data.login, data.password) == (b"desk", b"s@cret"), handled=False)

    with relay(office, authenticator=check, auth_required=True, auth_require_tls=False) as port:
        with pytest.raises(NotTaken, match="535"):
            gateway(port, login="desk:wrong@").hand_over(LETTER)
        with contextlib.closing(gateway(port, login="desk:s%40cret@")) as road:
            assert road.hand_over(LETTER).state == "accepted"


def test_without_the_tls_that_was_asked_for_nothing_is_said(office):
    with relay(office) as port, pytest.raises(NotTaken, match="STARTTLS"):
        gateway(port, "&starttls=1").hand_over(LETTER)
    assert office.taken == []


@pytest.mark.parametrize(
    "address",
    ["", "sarah", "a@b@c", "a@b.example, c@d.example", "Sarah <a@b.example>", "a@b.example\r\nBcc: c@d.example"],
)
def test_what_is_no_single_address_never_leaves(office, address):
    with relay(office) as port:
        assert gateway(port).hand_over(replace(LETTER, to=address)).state == "rejected"
    assert office.taken == []


def test_a_subject_cannot_add_headers(office):
    with relay(office) as port, contextlib.closing(gateway(port)) as road:
        road.hand_over(replace(LETTER, subject="Hello\r\nBcc: other@example.com"))
    [mail] = office.taken
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello Bcc: other@example.com"


def test_an_address_outside_ascii_goes_where_it_is_understood(office):
    with relay(office, enable_SMTPUTF8=True) as port, contextlib.closing(gateway(port)) as road:
        assert road.hand_over(replace(LETTER, to="सारा@example.com")).state == "accepted"
    assert office.taken[0]["To"] == "सारा@example.com"
    with relay(office, enable_SMTPUTF8=False) as port, contextlib.closing(gateway(port)) as road:
        assert road.hand_over(replace(LETTER, to="सारा@example.com")).state == "rejected"


class DyingRelay:
    """Speaks SMTP up to a command, then hangs up or falls silent."""

    def __init__(self, dies_at: bytes, *, silently: bool) -> None:
        self.dies_at, self.silently = dies_at, silently
        self.content = b""
        self.done = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        line, _ = self.socket.accept()
        with line, line.makefile("rb") as words:
            line.sendall(b"220 hello\r\n")
            while command := words.readline():
                verb = command.strip().upper()[:4]
                if verb == self.dies_at:
                    break
                if verb == b"DATA":
                    line.sendall(b"354 go on\r\n")
                    while (row := words.readline()) not in (b".\r\n", b""):
                        self.content += row
                    if self.dies_at == b".":
                        break
                line.sendall(b"250 fine\r\n")
            if self.silently:
                self.done.wait(10)

    def close(self) -> None:
        self.done.set()
        self.thread.join(10)
        self.socket.close()


@pytest.mark.parametrize("silently", [False, True])
@pytest.mark.parametrize(
    ("dies_at", "error"),
    [(b"EHLO", NotTaken), (b"MAIL", NotTaken), (b"RCPT", NotTaken), (b"DATA", NotTaken), (b".", Unclear)],
)
def test_only_a_line_lost_after_the_content_is_unclear(dies_at, error, silently):
    with contextlib.closing(DyingRelay(dies_at, silently=silently)) as dying:
        road = SmtpGateway(
            Relay(host="127.0.0.1", port=dying.port, timeout_seconds=0.4),
            sender="billing@northwind.example",
            now=lambda: datetime(2026, 8, 19, 9, tzinfo=UTC),
        )
        with pytest.raises(error):
            road.hand_over(LETTER)
        assert bool(dying.content) == (dies_at == b".")


def test_a_relay_is_given_as_a_url():
    relay = Relay.from_url("smtps://desk:p%40ss@mail.example?timeout=5&ca_file=/etc/ca.pem")
    assert relay == Relay(
        host="mail.example",
        port=465,
        user="desk",
        password="p@ss",
        implicit_tls=True,
        ca_file="/etc/ca.pem",
        timeout_seconds=5,
    )
    assert "p@ss" not in repr(relay)


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example?startls=1"])
def test_a_url_that_is_no_relay_is_refused(url):
    with pytest.raises(ValueError, match="relay"):
        Relay.from_url(url)


def test_an_email_relay_knows_no_keys():
    assert SmtpGateway.knows_keys is False


# TLS: a certificate made for the test, checked against the file that the settings name -------------------------------


def secure(url: str) -> SmtpGateway:
    return SmtpGateway(
        Relay.from_url(url), sender="billing@northwind.example", now=lambda: datetime(2026, 8, 19, 9, tzinfo=UTC)
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Requiring AUTH:UserWarning")
def test_tls_from_the_first_byte(office, certificate):
    trusted, other, context = certificate
    with relay(office, ssl_context=context) as port:
        with contextlib.closing(secure(f"smtps://127.0.0.1:{port}?timeout=3&ca_file={trusted}")) as road:
            assert road.hand_over(LETTER).state == "accepted"
        for distrusting in (f"&ca_file={other}", ""):
            road = secure(f"smtps://127.0.0.1:{port}?timeout=3{distrusting}")
            with contextlib.closing(road), pytest.raises(NotTaken, match="certificate"):
                road.hand_over(LETTER)
        road = secure(f"smtps://localhost:{port}?timeout=3&ca_file={trusted}")
        with contextlib.closing(road), pytest.raises(NotTaken, match="Hostname"):
            road.hand_over(LETTER)
    assert len(office.taken) == 1


def test_tls_begun_in_the_middle_carries_the_password_and_the_mail(office, certificate):
    trusted, other, context = certificate
    seen: list[tuple[bytes, bytes, bool]] = []

    def check(server, session, envelope, mechanism, data: LoginPassword) -> AuthResult:
        seen.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == b"s3cret")

    options = {"tls_context": context, "require_starttls": True, "authenticator": check, "auth_require_tls": True}
    with relay(office, **options) as port:
        url = f"smtp://desk:s3cret@127.0.0.1:{port}?timeout=3&starttls=1"
        with contextlib.closing(secure(f"{url}&ca_file={trusted}")) as road:
            assert road.hand_over(LETTER).state == "accepted"
        with contextlib.closing(secure(f"{url}&ca_file={other}")) as road, pytest.raises(NotTaken, match="certificate"):
            road.hand_over(LETTER)
        road = secure(f"smtp://desk:s3cret@127.0.0.1:{port}?timeout=3")
        with contextlib.closing(road), pytest.raises(NotTaken):  # without TLS it takes neither password nor mail
            road.hand_over(LETTER)
    assert seen == [(b"desk", b"s3cret", True)]
    assert len(office.taken) == 1


def test_a_relay_without_tls_gets_nothing_where_tls_is_asked_for(office, certificate):
    with relay(office) as port:
        url = f"smtp://127.0.0.1:{port}?timeout=3&starttls=1&ca_file={certificate[0]}"
        with contextlib.closing(secure(url)) as road, pytest.raises(NotTaken, match="STARTTLS"):
            road.hand_over(LETTER)
    assert office.taken == []
