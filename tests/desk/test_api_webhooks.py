from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from accounts.business_day import move_to
from accounts.models import Account, AccountEvent
from agents.models import Webhook, WebhookCall
from collections_desk import webhooks
from tests.desk.machines import caller
from tests.factories import TODAY, moment, owing

pytestmark = pytest.mark.django_db


class Listener(ThreadingHTTPServer):
    """Somebody who is told; answers with ``status`` and keeps what came."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.heard: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/told?x=1"


class Answering(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def listener(settings: Any) -> Iterator[Listener]:
    settings.DESK_WEBHOOK_PRIVATE = True
    with Listener() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def account() -> Account:
    move_to(TODAY)
    return owing()


def make_webhook(url: str, *events: str) -> Webhook:
    return Webhook.objects.create(
        url=url, events=list(events), secret="s" * 16, created_by="agent:x", created_at=moment()
    )


def status_events(account: Account) -> list[AccountEvent]:
    return list(account.events.filter(kind="accounts.status.changed"))


def test_an_event_is_told_signed_and_once(listener: Listener, account: Account) -> None:
    make_webhook(listener.url, "accounts.status")
    make_webhook(listener.url, "agents.promise")
    events = status_events(account)

    webhooks.queue_for(events, at=moment())
    webhooks.queue_for(events, at=moment())
    assert webhooks.send_due(moment()) == 1
    assert webhooks.send_due(moment()) == 0

    [(headers, body)] = listener.heard
    told = json.loads(body)
    assert (told["event_id"], told["account_id"], told["kind"]) == (events[0].pk, account.ref, events[0].kind)
    assert headers["X-Signature"] == "sha256=" + hmac.new(b"s" * 16, body, hashlib.sha256).hexdigest()
    assert headers["Host"] == f"127.0.0.1:{listener.server_port}"
    assert WebhookCall.objects.get().state == "sent"


@pytest.mark.parametrize("status", [301, 400, 410, 500])
def test_what_is_not_taken_is_tried_later_and_later_then_given_up(
    listener: Listener, account: Account, status: int
) -> None:
    listener.status = status
    make_webhook(listener.url, "accounts")
    webhooks.queue_for(status_events(account), at=moment())
    at = moment()
    waits = []
    while (call := WebhookCall.objects.get()).state == "pending":
        assert call.send_at is not None
        waits.append(call.send_at - at)
        at = call.send_at
        assert webhooks.send_due(at - timedelta(seconds=1)) == 0
        webhooks.send_due(at)

    assert waits == [timedelta(0), *webhooks.WAITS]
    assert (call.state, len(listener.heard), call.reason) == ("dead", 8, f"answered {status}")
    admin = caller("admin")
    [letter] = admin.get("/api/v1/webhooks/dead-letters/").data["results"]
    listener.status = 200
    assert admin.post(f"/api/v1/webhooks/dead-letters/{letter['call_id']}/send/").status_code == 204
    assert admin.post(f"/api/v1/webhooks/dead-letters/{letter['call_id']}/send/").status_code == 404
    assert webhooks.send_due(moment() + timedelta(days=3650)) == 1


def test_a_call_that_somebody_makes_is_nobody_elses(listener: Listener, account: Account) -> None:
    make_webhook(listener.url, "accounts")
    webhooks.queue_for(status_events(account), at=moment())
    assert len(webhooks._take(moment())) == 1
    assert webhooks._take(moment()) == []
    assert len(webhooks._take(moment() + webhooks.LEASE)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "http:///x", "example.com", "http://user:word@example.com/",
        "http://127.0.0.1/", "http://10.1.2.3/", "http://169.254.169.254/", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
        "http://0.0.0.0/", "http://[fe80::1]/", "http://x:99999/", "http://[", "http://100.64.0.1/",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_called_is_refused(url: str, settings: Any) -> None:
    settings.DESK_WEBHOOK_PRIVATE = False
    answer = caller("admin").post("/api/v1/webhooks/", {"url": url, "events": ["agents"]})
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")
    assert not Webhook.objects.exists()


def test_a_name_of_a_private_address_is_refused_when_it_is_called(
    listener: Listener, account: Account, settings: Any
) -> None:
    settings.DESK_WEBHOOK_PRIVATE = False
    make_webhook(f"http://localhost:{listener.server_port}/", "accounts")
    webhooks.queue_for(status_events(account), at=moment())
    assert webhooks.send_due(moment()) == 0
    assert listener.heard == []
    assert "private" in WebhookCall.objects.get().reason


def test_the_secret_is_shown_once() -> None:
    admin = caller("admin")
    made = admin.post(
        "/api/v1/webhooks/", {"url": "https://crm.example.com/desk", "events": ["agents.promise", "agents.promise"]}
    )
    assert (made.status_code, made.data["events"], len(made.data["secret"])) == (201, ["agents.promise"], 43)
    shown = admin.get(f"/api/v1/webhooks/{made.data['webhook_id']}/").data
    assert "secret" not in shown
    assert admin.get("/api/v1/webhooks/").data["results"] == [shown]
    assert admin.delete(f"/api/v1/webhooks/{made.data['webhook_id']}/").status_code == 204
    assert admin.get(f"/api/v1/webhooks/{made.data['webhook_id']}/").status_code == 404


@pytest.mark.parametrize("role", ["agent", "supervisor", "integration"])
def test_webhooks_are_for_admins(role: str) -> None:
    client = caller(role)
    assert client.get("/api/v1/webhooks/").status_code == 403
    assert client.post("/api/v1/webhooks/", {"url": "https://x.example", "events": ["a"]}).status_code == 403
    assert client.delete("/api/v1/webhooks/1/").status_code == 403
