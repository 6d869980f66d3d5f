"""E-mail through a mail provider's interface, and what the provider tells later in its own form."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.test import Client

from accounts.models import Consent, UnreachableAddress
from dunning.gateways.base import Message, NotTaken, Unclear
from dunning.mail_provider import KEY, MailProviderGateway, open_mail_provider
from dunning.models import Notice
from tests.dunning.test_gateways_http import Provider
from tests.dunning.test_gateways_http import provider as provider
from tests.factories import TODAY, moment, owing

SENDER = "Northwind Mobile <billing@northwind.example>"
MAIL = Message(
    key="17.warning.0.email", channel="email", to="sarah@example.com", subject="Your bill", text="Dear Sarah, नमस्ते",
    html="<p>Dear Sarah</p>", language="en", ref="A-1001", attachment=b"%PDF-1.7 page",
)  # fmt: skip


@pytest.fixture
def postmark(provider: Provider) -> Iterator[MailProviderGateway]:
    provider.answer = lambda request: request.say(
        200, {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1", "To": MAIL.to}
    )
    url = f"anymail://postmark?server_token=t&timeout=1&api_url={provider.url}/"
    with contextlib.closing(open_mail_provider(url, sender=SENDER)) as road:
        yield road


def test_a_mail_arrives_whole_with_our_key_and_our_message_id(provider, postmark):
    outcome = postmark.hand_over(MAIL)
    assert (outcome.state, outcome.provider_ref) == ("accepted", "pm-1")
    said = provider.only_body
    headers = {one["Name"]: one["Value"] for one in said["Headers"]}
    assert (said["From"], said["To"], said["Subject"]) == (SENDER, "sarah@example.com", "Your bill")
    assert (said["TextBody"], said["HtmlBody"]) == ("Dear Sarah, नमस्ते", "<p>Dear Sarah</p>")
    assert said["Metadata"] == {KEY: MAIL.key}
    assert headers["Message-ID"].endswith("@northwind.example>")
    assert headers["Auto-Submitted"] == "auto-generated"
    assert said["Attachments"][0]["Name"] == "A-1001.pdf"
    assert not said["TrackOpens"]


def test_another_provider_takes_the_same_mail(provider):
    provider.answer = lambda request: request.say(
        200, {"id": "<mg-1@northwind.example>", "message": "Queued. Thank you."}
    )
    url = f"anymail://mailgun?api_key=k&sender_domain=northwind.example&timeout=1&api_url={provider.url}/"
    with contextlib.closing(open_mail_provider(url, sender=SENDER)) as road:
        assert road.hand_over(MAIL).provider_ref == "<mg-1@northwind.example>"
    [(headers, body)] = provider.requests
    form = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=policy.default)
    fields = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
    assert fields["to"].get_content().strip() == MAIL.to
    assert fields[f"v:{KEY}"].get_content().strip() == MAIL.key


def test_a_recipient_whom_the_provider_does_not_write_to_any_more_is_unreachable(provider, postmark):
    words = (
        "You tried to send to recipient(s) that have been marked as inactive.\n"
        f"Found inactive addresses: {MAIL.to}.\n"
        "Inactive recipients are ones that have generated a hard bounce or a spam complaint."
    )
    refusal = {"ErrorCode": 406, "Message": words}
    provider.answer = lambda request: request.say(422, refusal)
    assert postmark.hand_over(MAIL).state == "unreachable"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_is_not_about_the_mail_is_tried_later(provider, postmark, status):
    provider.answer = lambda request: request.say(status, {"Message": "no"})
    with pytest.raises(NotTaken, match=str(status)):
        postmark.hand_over(MAIL)


@pytest.mark.parametrize(
    ("status", "content"), [(502, {}), (504, {}), (200, b"<html>Sign in</html>"), (200, {"odd": 1})]
)
def test_an_answer_that_does_not_say_whether_it_was_taken_is_unclear(provider, postmark, status, content):
    provider.answer = lambda request: request.say(status, content)
    with pytest.raises(Unclear):
        postmark.hand_over(MAIL)


def test_a_provider_that_falls_silent_is_unclear_and_one_that_is_not_there_has_nothing(provider, postmark):
    provider.answer = lambda request: request.connection.close()
    with pytest.raises(Unclear):
        postmark.hand_over(MAIL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"anymail://postmark?server_token=t&api_url=http://127.0.0.1:{probe.getsockname()[1]}/"
    with contextlib.closing(open_mail_provider(nowhere, sender=SENDER)) as road, pytest.raises(NotTaken):
        road.hand_over(MAIL)


def test_a_refused_mail_is_not_tried_again_and_the_reason_names_no_customer(provider, postmark):
    provider.answer = lambda request: request.say(400, {"Message": "bad"})
    outcome = postmark.hand_over(MAIL)
    assert outcome.state == "rejected"
    assert "Sarah" not in outcome.detail


@pytest.mark.parametrize("url", ["anymail://carrier_pigeon?x=1", "anymail://mailgun", "anymail://a/../b", "smtp://x"])
def test_a_provider_that_cannot_be_used_is_refused_at_the_start(url):
    with pytest.raises(ValueError, match="provider"):
        open_mail_provider(url, sender=SENDER)


def test_an_address_that_is_none_is_not_handed_over(provider, postmark):
    assert postmark.hand_over(replace(MAIL, to="a@b@c, d")).state in ("rejected", "unreachable")
    assert provider.requests == []


# What it tells later --------------------------------------------------------------------------------------------------

MAILGUN = "anymail://mailgun?api_key=k&webhook_signing_key=signing"


@pytest.fixture
def sent(db: None) -> Notice:
    account = owing("100.00", as_of=TODAY)
    return Notice.objects.create(
        account=account, customer=account.customer, key=MAIL.key, step_code="warning", template="warning",
        channel="email", currency="USD", made_on=TODAY, state="sent", sent_at=moment(), address=MAIL.to,
        provider_ref="<mg-1@northwind.example>", fallbacks=["letter"],
    )  # fmt: skip


def event(kind: str, *, key: str = "signing", **more: Any) -> dict[str, Any]:
    stamp, token = "1773144000", "a" * 50
    signature = hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    told = {
        "event": kind, "timestamp": 1773144000.5, "id": "e1", "recipient": MAIL.to,
        "message": {"headers": {"message-id": "mg-1@northwind.example"}}, "user-variables": {KEY: MAIL.key}, **more,
    }  # fmt: skip
    return {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": told}


def tell(settings: Any, content: Any, url: str = MAILGUN, **headers: str) -> Any:
    settings.GATEWAYS = {**settings.GATEWAYS, "email": {"url": url}}
    provider = url.partition("://")[2].partition("?")[0]
    body = content if isinstance(content, str) else json.dumps(content)
    return Client().post(f"/callbacks/mail/{provider}/", body, content_type="application/json", headers=headers)


def test_a_delivery_is_noted_once(settings, sent):
    assert tell(settings, event("delivered")).json() == {"taken": 1, "stopped": 0}
    assert tell(settings, event("delivered")).json() == {"taken": 0, "stopped": 0}
    sent.refresh_from_db()
    assert sent.state == "delivered"
    assert sent.delivered_at.timestamp() == 1773144000.5


def test_a_bounce_marks_the_address_and_the_next_channel_is_tried(settings, sent):
    more = {"severity": "permanent", "delivery-status": {"code": 550, "message": "no such user"}, "reason": "bounce"}
    assert tell(settings, event("failed", **more)).json()["taken"] == 1
    sent.refresh_from_db()
    assert sent.state == "bounced"
    assert UnreachableAddress.objects.filter(kind="email", value=MAIL.to).exists()
    assert Notice.objects.get(key="17.warning.0.letter").state == "pending"


def test_a_delay_changes_nothing(settings, sent):
    assert tell(settings, event("failed", severity="temporary")).json()["taken"] == 0
    sent.refresh_from_db()
    assert sent.state == "sent"


@pytest.mark.parametrize("kind", ["complained", "unsubscribed"])
def test_a_complaint_stops_mails_to_this_customer_at_once(settings, sent, kind):
    assert tell(settings, event(kind)).json() == {"taken": 0, "stopped": 1}
    consent = Consent.objects.filter(customer=sent.customer, channel="email").latest("pk")
    assert not consent.given


def test_news_that_nobody_signed_is_refused(settings, sent):
    assert tell(settings, event("delivered", key="another")).status_code == 403
    assert tell(settings, {"hello": 1}).status_code == 403
    sent.refresh_from_db()
    assert sent.state == "sent"


def test_a_provider_that_does_not_sign_shows_its_password(settings, sent):
    news = {"RecordType": "Delivery", "MessageID": "x", "Recipient": MAIL.to, "DeliveredAt": "2026-03-10T12:00:00Z",
            "Metadata": {KEY: MAIL.key}, "Details": "ok", "Tag": ""}  # fmt: skip
    url = "anymail://postmark?server_token=t&webhook_secret=desk:word"
    assert tell(settings, news, url).status_code == 403
    assert tell(settings, news, url, authorization="Basic ZGVzazp3b3Jk").json()["taken"] == 1


def test_only_the_provider_of_the_settings_is_heard_and_only_where_it_can_prove_itself(settings, sent):
    settings.GATEWAYS = {**settings.GATEWAYS, "email": {"url": MAILGUN}}
    assert Client().post("/callbacks/mail/postmark/", "{}", content_type="application/json").status_code == 404
    assert tell(settings, event("delivered"), "anymail://mailgun?api_key=k").status_code == 400
    assert Client().head("/callbacks/mail/mailgun/").status_code == 200
