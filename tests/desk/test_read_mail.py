"""Customers' mails: from a real IMAP server on this machine, from a mail server's pipe, and from a maildir."""

from __future__ import annotations

import imaplib
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Account
from dunning.gateways import mailbox
from dunning.gateways.base import Incoming
from dunning.gateways.mail_in import MOST_READ, read_mail
from dunning.gateways.receipts import Receipt
from dunning.gateways.smtp import message_id
from dunning.models import InboundMessage, Notice
from tests.desk.running import BASE_DIR
from tests.factories import TODAY, make_customer, moment, owing
from tests.races.elsewhere import Database

pytestmark = pytest.mark.django_db

OURS = message_id("1.warning.0.email", "billing@northwind.example")


def mail(text: str = "I paid yesterday", **headers: str) -> EmailMessage:
    written = EmailMessage()
    given = {
        "From": "Anna <Anna@Example.org>", "To": "billing@northwind.example", "Subject": "Re: your bill",
        "Message-ID": "<1@example.org>", **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    for name, value in given.items():
        written[name] = value
    written.set_content(text)
    return written


def report(action: str = "failed", about: str = OURS) -> bytes:
    """As Postfix writes it."""
    return f"""From: MAILER-DAEMON@relay.example
To: billing@northwind.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="XX"

--XX
Content-Type: text/plain

I could not deliver it. STOP
--XX
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; anna@example.org
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <anna@example.org> unknown user

--XX
Content-Type: message/rfc822

Message-ID: {about}
Subject: Your bill

text
--XX--
""".encode()


def read(content: EmailMessage | bytes) -> Incoming | list[Receipt]:
    return read_mail(content if isinstance(content, bytes) else content.as_bytes(), received_at=moment())


def read_message(content: EmailMessage | bytes) -> Incoming:
    told = read(content)
    assert isinstance(told, Incoming)
    return told


@pytest.fixture
def account() -> Account:
    return owing(customer=make_customer(email="anna@example.org"))


@pytest.fixture
def sent(account: Account) -> Notice:
    return Notice.objects.create(
        account=account, customer=account.customer, key="1.warning.0.email", step_code="warning", template="reminder",
        channel="email", currency="EUR", made_on=TODAY, state="sent", address="anna@example.org", provider_ref=OURS,
        sent_at=moment(),
    )  # fmt: skip


# One mail -----------------------------------------------------------------------------------------------------------


def test_a_reply_says_what_it_answers_and_who_wrote_it() -> None:
    told = read_message(mail(References=f"<0@x> {OURS}", In_Reply_To=OURS))
    assert (told.sender, told.subject, told.provider_ref) == ("Anna@Example.org", "Re: your bill", "<1@example.org>")
    assert OURS in told.references
    assert (told.text.strip(), told.automatic) == ("I paid yesterday", "")


def test_a_page_is_read_without_its_tags_and_without_what_it_quotes() -> None:
    written = mail()
    written.clear_content()
    written.set_content(
        "<html><head><style>p{}</style></head><body><p>I paid&nbsp;it</p><div>Anna</div>"
        "<blockquote>reply STOP</blockquote></body></html>",
        subtype="html",
    )
    told = read_message(written).text
    assert "I paid" in told
    assert "STOP" not in told
    assert "p{}" not in told


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Auto_Submitted": "auto-replied"}, "auto_reply"), ({"X_Autoreply": "yes"}, "auto_reply"),
        ({"Precedence": "bulk"}, "auto_reply"), ({"Auto_Submitted": "no"}, ""),
        ({"From": "MAILER-DAEMON@relay.example"}, "bounce"),
    ],
)  # fmt: skip
def test_machines_are_known_by_their_headers(headers: dict[str, str], kind: str) -> None:
    assert read_message(mail(**headers)).automatic == kind


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00\xff\xfe", b"From: x\r\n\r\n", b"Content-Type: multipart/mixed\r\n\r\nnothing",
        b'Content-Type: text/plain; charset="nonsense"\r\nFrom: a@b.example\r\n\r\n\xff paid',
        b"From: =?utf-8?b?////?= <a@b.example>\r\nSubject: =?x?q?=\r\nMessage-ID: broken\r\n\r\npaid",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!", b"From: " + b"a" * 5000 + b"@b\r\n\r\nx",
        b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n", b"To: \xe9\r\nReferences: <\r\n\r\n\xe9",
    ],
)  # fmt: skip
def test_whatever_strangers_send_can_be_read(content: bytes) -> None:
    read(content)


def test_no_more_than_the_beginning_of_a_huge_mail_is_read() -> None:
    told = read_message(mail("paid " * 400_000))
    assert len(told.text) <= 20_000


def test_a_report_is_a_receipt_for_the_mail_it_is_about() -> None:
    told = read(report())
    assert isinstance(told, list)
    assert [(receipt.provider_ref, receipt.state) for receipt in told] == [(OURS, "bounced")]
    assert "anna@example.org" not in told[0].detail
    assert read(report("delayed")) == []
    assert read(report(about="")) == []


# Doors --------------------------------------------------------------------------------------------------------------


def test_a_mail_server_may_pipe_a_mail_in(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.TextIOWrapper(io.BytesIO(mail().as_bytes()))
    monkeypatch.setattr(sys, "stdin", piped)
    call_command("read_mail", "--stdin")
    assert InboundMessage.objects.get().account == account


def piped(mail_file: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    """As a mail server does it, for each mail: a process, and the mail on its standard input."""
    return subprocess.run(
        ["sh", "-c", 'cat "$0" | "$1" manage.py read_mail --stdin', str(mail_file), sys.executable],
        cwd=BASE_DIR,
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
    )


@pytest.mark.django_db(transaction=True)
def test_through_a_pipe_of_the_shell_a_mail_is_kept_once_or_asked_for_again(account: Account, tmp_path: Path) -> None:
    one = tmp_path / "one.eml"
    one.write_bytes(mail("STOP").as_bytes())
    here = Database(connection.settings_dict["NAME"]).url
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"postgresql://desk@127.0.0.1:{taken.getsockname()[1]}/desk"
    refused = piped(one, nowhere)
    assert (refused.returncode, refused.stdout) == (os.EX_TEMPFAIL, "")
    assert "to be handed over again" in refused.stderr
    assert "Traceback" not in refused.stderr
    for _ in range(2):
        done = piped(one, here)
        assert done.returncode == 0, done.stderr
    kept = InboundMessage.objects.get()
    assert (kept.account, kept.intent, kept.state) == (account, "opt_out", "acted")


def test_a_report_makes_the_notice_bounced(sent: Notice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(report())))
    call_command("read_mail", "--stdin")
    sent.refresh_from_db()
    assert sent.state == "bounced"
    assert not InboundMessage.objects.exists()


def test_a_maildir_is_read_once(account: Account, tmp_path: Path) -> None:
    box = Maildir(str(tmp_path / "box"))
    box.add(mail().as_bytes())
    out = io.StringIO()
    call_command("read_mail", "--maildir", str(tmp_path / "box"), stdout=out)
    call_command("read_mail", "--maildir", str(tmp_path / "box"), stdout=out)
    assert out.getvalue().split("\n")[:2] == ["1 read", "0 read"]
    assert InboundMessage.objects.count() == 1
    with pytest.raises(CommandError, match="no maildir"):
        call_command("read_mail", "--maildir", str(tmp_path / "nowhere"))


@pytest.fixture
def server() -> Iterator[str]:
    """An IMAP server of its own, on this machine; its mailbox begins empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("pymap")
    running = subprocess.Popen(
        [program, "--host", "127.0.0.1", "--port", str(port), "--no-tls", "dict", "--demo-data"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                line = imaplib.IMAP4("127.0.0.1", port)
                break
            except OSError:
                time.sleep(0.1)
        line.login("demouser", "demopass")
        line.create("replies")
        line.logout()
        yield f"imap://demouser:demopass@127.0.0.1:{port}/replies"
    finally:
        running.terminate()
        running.wait(10)


def put(server: str, *contents: bytes) -> None:
    box = mailbox.Mailbox.from_url(server)
    line = imaplib.IMAP4(box.host, box.port)
    line.login(box.user, box.password)
    for content in contents:
        at = imaplib.Time2Internaldate(datetime(2026, 3, 10, 9, tzinfo=UTC).timestamp())
        assert line.append(box.folder, "", at, content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))[0] == "OK"
    line.logout()


def marked(server: str) -> list[str]:
    box = mailbox.Mailbox.from_url(server)
    line = imaplib.IMAP4(box.host, box.port)
    line.login(box.user, box.password)
    line.select(box.folder, readonly=True)
    _, rows = line.fetch("1:*", "(FLAGS)")
    line.logout()
    return ["seen" if b"Seen" in row else "flagged" if b"Flagged" in row else "new" for row in rows if row]


def test_a_mailbox_is_read_over_imap_and_each_mail_is_seen_once_it_is_kept(
    sent: Notice, server: str, settings: Any
) -> None:
    settings.DESK_INBOX_URL = server
    put(server, mail(In_Reply_To=OURS).as_bytes(), mail("please call me", Message_ID="<2@example.org>").as_bytes())
    out = io.StringIO()

    call_command("read_mail", "--once", stdout=out)
    assert (out.getvalue(), marked(server)) == ("2 read\n", ["seen", "seen"])
    first = InboundMessage.objects.order_by("pk")[0]
    assert (first.account, first.answers, first.intent) == (sent.account, sent, "paid")
    assert first.received_at == datetime(2026, 3, 10, 9, tzinfo=UTC)

    put(server, report(), b"Subject: x\r\n\r\n" + b"x" * (MOST_READ + 1000))
    call_command("read_mail", "--once", stdout=out)
    sent.refresh_from_db()
    assert (sent.state, InboundMessage.objects.count()) == ("bounced", 3)
    call_command("read_mail", "--once", stdout=out)
    assert out.getvalue() == "2 read\n2 read\n0 read\n"


def test_what_cannot_be_kept_stays_unseen_and_keeps_nothing_back(server: str) -> None:
    put(server, b"Subject: bad\r\n\r\nbad", b"Subject: good\r\n\r\ngood")
    given: list[bytes] = []

    def keep(content: bytes, received_at: datetime) -> bool:
        given.append(content)
        return b"good" in content

    assert mailbox.read(mailbox.Mailbox.from_url(server), keep) == (1, 1)
    assert marked(server) == ["flagged", "seen"]
    assert mailbox.read(mailbox.Mailbox.from_url(server), keep) == (0, 0)
    assert len(given) == 2


def test_a_worker_that_dies_between_keeping_and_marking_reads_it_again(server: str) -> None:
    put(server, b"Subject: one\r\n\r\none")

    def die(content: bytes, received_at: datetime) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mailbox.read(mailbox.Mailbox.from_url(server), die)
    assert marked(server) == ["new"]


@pytest.mark.parametrize("url", ["", "http://x", "imap://host/x", "imaps://:pw@host"])
def test_an_address_that_is_no_mailbox_is_refused_without_its_password(url: str, settings: Any) -> None:
    settings.DESK_INBOX_URL = url
    with pytest.raises(CommandError, match="imaps://user:password@host/folder"):
        call_command("read_mail", "--once")


def test_a_mailbox_that_cannot_be_read_is_said_so(server: str, settings: Any) -> None:
    for wrong in (
        server.replace("demopass", "wrong"),
        server.replace("/replies", "/nowhere"),
        "imap://a:b@127.0.0.1:1/x",
    ):
        settings.DESK_INBOX_URL = wrong
        with pytest.raises(CommandError, match="The mailbox"):
            call_command("read_mail", "--once")
