from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dunning.gateways.base import Message, NetworkOrder, NotTaken, Unclear
from dunning.gateways.network_http import NetworkHttpGateway
from dunning.gateways.opening import open_message_gateway
from dunning.gateways.push_http import PushHttpGateway
from dunning.gateways.receipts import verify_signature
from dunning.gateways.sms_http import SmsHttpGateway
from dunning.gateways.voice_http import VoiceHttpGateway

SECRET = "the provider's secret"
TEXT = Message(
    key="notice:42/sms", channel="sms", to="+441512345678", subject="", text="Zahlen Sie bitte, ₹5 नमस्ते",
    language="de", ref="A-1001",
)  # fmt: skip
ORDER = NetworkOrder(key="order:7", service_ref="S1", account_ref="A-1001", rung="suspended", reason="step suspend")


class Provider(ThreadingHTTPServer):
    """A far side on loopback: remembers what it was sent, answers as it is told."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[Answering], None] = lambda request: request.say(200, {"id": "p-1"})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/messages"

    @property
    def only_body(self) -> dict:
        [(_, body)] = self.requests
        return json.loads(body)


class Answering(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        self.server.answer(self)

    def say(self, status: int, content: object = None, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *parts: object) -> None:
        """The tests look at what arrived instead."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def sms(provider) -> Iterator[SmsHttpGateway]:
    with contextlib.closing(
        SmsHttpGateway(provider.url, secret=SECRET, sender="Northwind", timeout_seconds=0.4)
    ) as road:
        yield road


@pytest.fixture
def network(provider) -> Iterator[NetworkHttpGateway]:
    with contextlib.closing(NetworkHttpGateway(provider.url, secret=SECRET, timeout_seconds=0.4)) as road:
        yield road


def test_a_text_message_arrives_with_our_key_and_a_signature(provider, sms):
    outcome = sms.hand_over(TEXT)
    [(headers, body)] = provider.requests
    assert (outcome.state, outcome.provider_ref) == ("accepted", "p-1")
    assert json.loads(body) == {
        "key": "notice:42/sms", "to": "+441512345678", "text": "Zahlen Sie bitte, ₹5 नमस्ते", "language": "de",
        "ref": "A-1001", "sender": "Northwind",
    }  # fmt: skip
    assert headers["Idempotency-Key"] == "notice:42/sms"
    assert verify_signature(body, headers["X-Signature"], SECRET)
    assert not verify_signature(body, headers["X-Signature"], "another secret")


def test_the_same_message_again_is_the_same_request(provider, sms):
    sms.hand_over(TEXT)
    provider.answer = lambda request: request.say(409, {"id": "p-1", "detail": "seen before"})
    outcome = sms.hand_over(TEXT)
    (first_headers, first), (second_headers, second) = provider.requests
    assert (outcome.state, outcome.provider_ref) == ("accepted", "p-1")
    assert first == second
    assert first_headers["Idempotency-Key"] == second_headers["Idempotency-Key"]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_without_a_body_is_accepted(provider, sms, status):
    provider.answer = lambda request: request.say(status)
    assert sms.hand_over(TEXT).state == "accepted"


@pytest.mark.parametrize("status", [400, 410, 413, 422])
def test_a_refusal_of_this_message_is_final(provider, sms, status):
    provider.answer = lambda request: request.say(status, {"detail": "no such number"})
    outcome = sms.hand_over(TEXT)
    assert outcome.state == "rejected"
    assert outcome.detail.startswith(f"{status} ")
    assert "no such number" in outcome.detail


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 408, 429, 500, 503])
def test_a_refusal_of_us_or_of_the_moment_says_nothing_about_the_customer(provider, sms, status):
    provider.answer = lambda request: request.say(status, {}, Location="/elsewhere")
    with pytest.raises(NotTaken, match=str(status)):
        sms.hand_over(TEXT)
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "120"}, timedelta(minutes=2)),
        ({"Retry_After": "99999999"}, timedelta(days=7)),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "-5"}, None),
        ({}, None),
    ],
)
def test_too_many_requests_says_how_long_to_wait(provider, sms, headers, wait):
    provider.answer = lambda request: request.say(429, {}, **headers)
    with pytest.raises(NotTaken) as raised:
        sms.hand_over(TEXT)
    assert raised.value.retry_after == wait


def test_a_date_to_come_back_is_measured_on_the_providers_own_clock(provider, sms):
    def answer(request: Answering) -> None:
        request.send_response_only(503)
        request.send_header("Date", "Wed, 19 Aug 2026 09:00:00 GMT")
        request.send_header("Retry-After", "Wed, 19 Aug 2026 09:10:00 GMT")
        request.send_header("Content-Length", "0")
        request.end_headers()

    provider.answer = answer
    with pytest.raises(NotTaken) as raised:
        sms.hand_over(TEXT)
    assert raised.value.retry_after == timedelta(minutes=10)


@pytest.mark.parametrize("status", [502, 504])
def test_a_proxy_that_lost_the_answer_leaves_it_unclear(provider, sms, status):
    provider.answer = lambda request: request.say(status)
    with pytest.raises(Unclear, match=str(status)):
        sms.hand_over(TEXT)


def hang(request: Answering) -> None:
    time.sleep(0.8)
    request.close_connection = True


def hang_up(request: Answering) -> None:
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)


def stop_in_the_middle(request: Answering) -> None:
    request.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id": "p')
    hang_up(request)


def talk_nonsense(request: Answering) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    hang_up(request)


@pytest.mark.parametrize("answer", [hang, hang_up, stop_in_the_middle, talk_nonsense])
def test_a_line_lost_after_the_message_left_is_unclear_and_may_be_repeated(provider, sms, answer):
    provider.answer = answer
    with pytest.raises(Unclear):
        sms.hand_over(TEXT)
    provider.answer = lambda request: request.say(200, {"id": "p-1"})
    assert sms.knows_keys
    assert sms.hand_over(TEXT).state == "accepted"
    assert len({body for _, body in provider.requests}) == 1


@pytest.mark.parametrize("body", [b"<html>Please sign in</html>", b"[]", b'"fine"', b"\xff\xfe"])
def test_a_success_that_is_no_json_object_is_unclear(provider, sms, body):
    provider.answer = lambda request: request.say(200, body)
    with pytest.raises(Unclear):
        sms.hand_over(TEXT)


def test_a_provider_that_is_not_there_has_nothing(provider):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        contextlib.closing(SmsHttpGateway(f"http://127.0.0.1:{port}", secret=SECRET, timeout_seconds=1)) as road,
        pytest.raises(NotTaken),
    ):
        road.hand_over(TEXT)


def test_proxies_of_the_environment_are_not_used(provider, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with contextlib.closing(SmsHttpGateway(provider.url, secret=SECRET)) as road:
        assert road.hand_over(TEXT).state == "accepted"


@pytest.mark.parametrize("url", ["ftp://provider.example", "provider.example", "https://"])
def test_a_url_that_is_no_web_address_is_refused(url):
    with pytest.raises(ValueError, match="http"):
        SmsHttpGateway(url, secret=SECRET)


def test_an_order_arrives_and_is_confirmed(provider, network):
    provider.answer = lambda request: request.say(200, {"state": "confirmed", "id": "o-9"})
    outcome = network.hand_over(ORDER)
    assert (outcome.state, outcome.provider_ref) == ("confirmed", "o-9")
    assert provider.only_body == {
        "key": "order:7", "service_ref": "S1", "account_ref": "A-1001", "rung": "suspended", "reason": "step suspend",
    }  # fmt: skip
    [(headers, body)] = provider.requests
    assert headers["Idempotency-Key"] == "order:7"
    assert verify_signature(body, headers["X-Signature"], SECRET)


@pytest.mark.parametrize(
    ("status", "content", "state"),
    [
        (202, {"state": "accepted", "id": "o-9"}, "accepted"),
        (202, None, "accepted"),
        (409, {"state": "confirmed"}, "confirmed"),
        (200, {"state": "rejected", "detail": "unknown line"}, "rejected"),
        (422, {"detail": "unknown line"}, "rejected"),
    ],
)
def test_the_network_answers_now_or_later(provider, network, status, content, state):
    provider.answer = lambda request: request.say(status, content)
    assert network.hand_over(ORDER).state == state


def test_a_state_nobody_knows_is_unclear(provider, network):
    provider.answer = lambda request: request.say(200, {"state": "perhaps"})
    with pytest.raises(Unclear, match="perhaps"):
        network.hand_over(ORDER)


# The app, and calls that a machine makes ------------------------------------------------------------------------------


def test_a_message_in_the_app_names_the_account_and_is_signed(provider):
    with contextlib.closing(PushHttpGateway(provider.url, secret=SECRET)) as road:
        outcome = road.hand_over(replace(TEXT, channel="in_app", subject="Your bill"))
    assert (outcome.state, outcome.provider_ref) == ("accepted", "p-1")
    [(headers, body)] = provider.requests
    assert verify_signature(body, headers["X-Signature"], SECRET)
    assert provider.only_body["to"] == "A-1001"
    assert provider.only_body["title"] == "Your bill"


def test_a_customer_without_the_app_is_not_tried_again(provider):
    provider.answer = lambda request: request.say(410, {"detail": "no device"})
    with contextlib.closing(PushHttpGateway(provider.url, secret=SECRET)) as road:
        assert road.hand_over(TEXT).state == "unreachable"


def test_a_call_says_what_to_speak_and_when_it_may_ring(provider):
    call = replace(
        TEXT,
        channel="voice",
        allowed_from=datetime(2026, 3, 10, 9, tzinfo=timezone(timedelta(hours=2))),
        allowed_until=datetime(2026, 3, 10, 20, tzinfo=UTC),
    )
    with contextlib.closing(VoiceHttpGateway(provider.url, secret=SECRET, caller="+12025550100")) as road:
        assert road.hand_over(call).state == "accepted"
    said = provider.only_body
    assert (said["script"], said["language"], said["to"]) == (TEXT.text, "de", TEXT.to)
    assert (said["allowed_from"], said["allowed_until"]) == ("2026-03-10T07:00:00+00:00", "2026-03-10T20:00:00+00:00")
    assert said["caller"] == "+12025550100"


@pytest.mark.parametrize(("status", "state"), [(422, "unreachable"), (410, "unreachable"), (400, "rejected")])
def test_a_number_that_cannot_be_called_reaches_nobody(provider, status, state):
    provider.answer = lambda request: request.say(status, {})
    with contextlib.closing(VoiceHttpGateway(provider.url, secret=SECRET)) as road:
        assert road.hand_over(TEXT).state == state


@pytest.mark.parametrize("road_class", [SmsHttpGateway, PushHttpGateway, VoiceHttpGateway])
def test_a_far_side_that_lies_is_believed_nothing(provider, road_class):
    for content in (b"<html>Sign in to the hotel</html>", b"[1, 2]", b'"ok"'):
        provider.answer = lambda request, content=content: request.say(200, content)
        with contextlib.closing(road_class(provider.url, secret=SECRET)) as road, pytest.raises(Unclear):
            road.hand_over(TEXT)


@pytest.mark.parametrize(("channel", "road_class"), [("in_app", PushHttpGateway), ("voice", VoiceHttpGateway)])
def test_the_settings_name_the_app_and_the_caller_by_url(channel, road_class):
    road = open_message_gateway("https://provider.example/x", channel=channel, now=lambda: datetime.now(UTC))
    assert isinstance(road, road_class)
    assert road.knows_keys
    with pytest.raises(ValueError, match="smtp"):
        open_message_gateway("smtp://provider.example", channel=channel, now=lambda: datetime.now(UTC))
