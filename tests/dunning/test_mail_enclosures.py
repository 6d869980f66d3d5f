"""Pictures inside a mail, files beside it and the one-click end of a subscription, on every road that mails take."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
from typing import Any

import pytest

from dunning.gateways.base import Enclosure, Message
from dunning.mail_provider import open_mail_provider
from dunning.models import OutboxMessage
from dunning.outbox import OutboxGateway
from tests.dunning.test_gateways_http import Provider
from tests.dunning.test_gateways_http import provider as provider
from tests.dunning.test_gateways_smtp import PostOffice, gateway, relay
from tests.factories import moment

PICTURE = Enclosure(name="chart.png", media_type="image/png", content=b"\x89PNG picture", content_id="chart-1@report")
TABLE = Enclosure(name="figures.xlsx", media_type="application/vnd.ms-excel", content=b"PK table")
STOP = f"https://desk.northwind.example/reports/stop/{'x' * 120}/"
REPORT = Message(
    key="report.1", channel="email", to="omar@northwind.example", subject="The week", text="In words",
    html='<p>The week</p><img src="cid:chart-1@report" alt="Bars">', language="de", ref="report-1",
    enclosures=(PICTURE, TABLE), unsubscribe_url=STOP,
)  # fmt: skip


def test_a_relay_gets_pictures_beside_the_html_that_shows_them_and_files_beside_the_mail() -> None:
    office = PostOffice()
    with relay(office) as port, contextlib.closing(gateway(port)) as road:
        assert road.hand_over(REPORT).state == "accepted"

    [mail] = office.taken
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "application/vnd.ms-excel",
    ]  # fmt: skip
    picture = next(part for part in mail.walk() if part.get_content_type() == "image/png")
    assert (picture["Content-ID"], picture.get_content_disposition()) == ("<chart-1@report>", "inline")
    assert picture.get_content() == PICTURE.content
    [table] = mail.iter_attachments()
    assert (table.get_filename(), table.get_content()) == ("figures.xlsx", TABLE.content)
    assert mail["Content-Language"] == "de"


def test_the_address_that_ends_a_subscription_is_one_line_and_whole() -> None:
    office = PostOffice()
    with relay(office) as port, contextlib.closing(gateway(port, list_unsubscribe="mailto:stop@x.example")) as road:
        road.hand_over(REPORT)

    [mail] = office.taken
    assert mail["List-Unsubscribe"] == f"<{STOP}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"\nList-Unsubscribe: <{STOP}>\n" in mail.as_string(policy=mail.policy.clone(max_line_length=998))


def test_a_provider_gets_the_same(provider: Provider) -> None:
    provider.answer = lambda request: request.say(
        200, {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1", "To": REPORT.to}
    )
    url = f"anymail://postmark?server_token=t&timeout=1&api_url={provider.url}/"
    with contextlib.closing(open_mail_provider(url, sender="Northwind <billing@northwind.example>")) as road:
        road.hand_over(REPORT)

    said: dict[str, Any] = provider.only_body
    files = {one["Name"]: one for one in said["Attachments"]}
    assert b64decode(files["chart.png"]["Content"]) == PICTURE.content
    assert files["chart.png"]["ContentID"] == "cid:chart-1@report"
    assert b64decode(files["figures.xlsx"]["Content"]) == TABLE.content
    assert "ContentID" not in files["figures.xlsx"]
    headers = {one["Name"]: one["Value"] for one in said["Headers"]}
    assert headers["List-Unsubscribe"] == f"<{STOP}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.django_db
def test_kept_inside_the_desk_it_shows_its_pictures_by_itself() -> None:
    OutboxGateway("email", now=moment).hand_over(REPORT)

    [kept] = OutboxMessage.objects.all()
    assert f'src="data:image/png;base64,{b64encode(PICTURE.content).decode()}"' in kept.html
    assert (kept.to, kept.subject) == ("omar@northwind.example", "The week")
