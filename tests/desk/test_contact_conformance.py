"""May this person be contacted: books written as files, imported, and asked by the command and by the API.

Each row is what the rules say of one customer at one moment, from the first import on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.test import APIClient

from tests.factories import make_agent

pytestmark = pytest.mark.django_db

NEW_YORK, LOS_ANGELES, LONDON, KOLKATA = (
    ZoneInfo(name) for name in ("America/New_York", "America/Los_Angeles", "Europe/London", "Asia/Kolkata")
)
#: Files whose rows are about a customer, not about an account.
OF_CUSTOMERS = ("contacts", "consents", "vulnerabilities")
CHANNELS = ("call", "sms", "email", "letter")

Row = Mapping[str, Any]

PEOPLE: dict[str, dict[str, str]] = {
    "new_york": {"country": "US", "region": "NY", "city": "Albany", "postal_code": "12207", "phone": "+15185550123"},
    "nyc": {"country": "US", "region": "NY", "city": "Brooklyn", "postal_code": "11201", "phone": "+17185550123"},
    "boston": {"country": "US", "region": "MA", "city": "Boston", "postal_code": "02108", "phone": "+16175550123"},
    "seattle": {"country": "US", "region": "WA", "city": "Seattle", "postal_code": "98101", "phone": "+12065550123"},
    "miami": {"country": "US", "region": "FL", "city": "Miami", "postal_code": "33101", "phone": "+13055550123"},
    "los_angeles": {"country": "US", "region": "CA", "city": "Los Angeles", "phone": "+12135550123"},
    "austin": {"country": "US", "region": "TX", "city": "Austin", "postal_code": "78701", "phone": "+15125550123"},
    "honolulu": {"country": "US", "region": "HI", "city": "Honolulu", "phone": "+18085550123"},
    "london": {"country": "GB", "city": "London", "phone": "+447700900123"},
    "mumbai": {"country": "IN", "region": "MH", "city": "Mumbai", "phone": "+919820012345"},
    "berlin": {"country": "DE", "city": "Berlin", "phone": "+4915112345678"},
    "madrid": {"country": "ES", "city": "Madrid", "phone": "+34600000001"},
    "sao_paulo": {"country": "BR", "region": "SP", "city": "São Paulo", "phone": "+5511987654321"},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Told:
    """One row: who, what is on file about them, what is asked, and what is expected."""

    says: str
    who: str = "new_york"
    customer: Row = field(default_factory=dict)
    files: Mapping[str, Iterable[Row]] = field(default_factory=dict)
    channel: str = "call"
    at: str
    zone: ZoneInfo = NEW_YORK
    outcome: str = "ALLOW"
    rule: str = ""
    until: str | None = None
    requires: str = ""
    role: str = "first_party"

    def moment(self, text: str) -> datetime:
        given = datetime.fromisoformat(text)
        return given if given.tzinfo else given.replace(tzinfo=self.zone)


def calls(
    *at: str, disposition: str = "no_answer", kind: str = "call", zone: ZoneInfo = NEW_YORK, **more: Any
) -> list[Row]:
    """Lines of the call log; wall times are those of ``zone``."""
    return [
        {
            "at": (m if (m := datetime.fromisoformat(text)).tzinfo else m.replace(tzinfo=zone)).isoformat(),
            "kind": kind,
            "direction": "outbound",
            "disposition": disposition,
            **more,
        }
        for text in at
    ]


def daily(first: str, count: int, **more: Any) -> list[Row]:
    begin = datetime.fromisoformat(first)
    return calls(*[(begin + timedelta(days=n)).isoformat() for n in range(count)], **more)


def hold(reason: str, starts_on: str, ends_on: str = "") -> dict[str, list[Row]]:
    return {"holds": [{"hold_id": "H1", "reason": reason, "starts_on": starts_on, "ends_on": ends_on}]}


def log(*rows: Row) -> dict[str, list[Row]]:
    return {"interactions": list(rows)}


def care(severity: str, category: str = "health", noted_on: str = "2026-01-01", **more: Any) -> dict[str, list[Row]]:
    return {"vulnerabilities": [{"category": category, "severity": severity, "noted_on": noted_on, **more}]}


def consent(channel: str, given: bool, at: str, **more: Any) -> dict[str, list[Row]]:
    return {"consents": [{"channel": channel, "given": str(given).lower(), "at": at, **more}]}


def two_accounts(contacts: int, talked: bool = False) -> dict[str, list[Row]]:
    """A second account of the same customer, with as many contacts about each, or a conversation about the second."""
    about: list[Row] = [
        {**row, "account_id": ref} for ref in ("A1", "A2") for row in daily("2026-11-20T10:00", contacts)
    ]
    if talked:
        about += [{**row, "account_id": "A2"} for row in calls("2026-11-22T10:00", disposition="rpc_refused")]
    return {
        "accounts": [{"account_id": ref, "customer_id": "C1", "currency": "USD"} for ref in ("A1", "A2")],
        "interactions": about,
    }


LA_HOME = {"region": "CA", "city": "Los Angeles", "phone": "+12125550143"}
PHOENIX = {"region": "AZ", "city": "Phoenix", "postal_code": "85001", "phone": "+12135550143"}
FLORIDA_CODE = {"region": "", "city": "", "postal_code": "", "phone": "+18505550143"}
GUAM = {"region": "GU", "city": "", "postal_code": "", "phone": "+12125550143"}

ZONES = [
    Told(
        says="GLB-TZ 1",
        customer=LA_HOME,
        at="2026-11-23T10:59",
        outcome="HOLD",
        until="2026-11-23T11:00",
        rule="US-TIME-01",
    ),
    Told(says="GLB-TZ 2", customer=LA_HOME, at="2026-11-23T11:00"),
    Told(says="GLB-TZ 3 before nine", customer=LA_HOME, at="2026-11-23T20:59"),
    Told(
        says="GLB-TZ 3 at nine",
        customer=LA_HOME,
        at="2026-11-23T21:00",
        outcome="HOLD",
        until="2026-11-24T11:00",
        rule="US-TIME-01",
    ),
    Told(says="GLB-TZ 4 last day of summer time", at="2026-10-31T12:30Z"),
    Told(
        says="GLB-TZ 4 summer time ended",
        at="2026-11-01T12:30Z",
        outcome="HOLD",
        until="2026-11-01T13:00Z",
        rule="US-TIME-01",
    ),
    Told(says="GLB-TZ 5 winter", at="2027-03-13T12:30Z", outcome="HOLD", until="2027-03-13T13:00Z", rule="US-TIME-01"),
    Told(says="GLB-TZ 5 summer time began", at="2027-03-14T12:30Z"),
    Told(
        says="GLB-TZ 6 January",
        customer=PHOENIX,
        at="2027-01-12T15:30Z",
        outcome="HOLD",
        until="2027-01-12T16:00Z",
        rule="US-TIME-01",
    ),
    Told(says="GLB-TZ 6 July", customer=PHOENIX, at="2027-07-13T15:30Z"),
    Told(
        says="GLB-TZ 7",
        customer=FLORIDA_CODE,
        at="2027-01-12T08:30",
        outcome="HOLD",
        until="2027-01-12T09:00",
        rule="US-TIME-01",
    ),
    Told(
        says="E10 New York and Guam in winter, early",
        customer=GUAM,
        at="2026-11-23T16:59",
        outcome="HOLD",
        until="2026-11-23T17:00",
        rule="US-TIME-01",
    ),
    Told(says="E10 New York and Guam in winter, the last minute", customer=GUAM, at="2026-11-23T20:59"),
    Told(
        says="E10 New York and Honolulu",
        customer={"region": "HI", "city": "Honolulu", "postal_code": "", "phone": "+12125550143"},
        at="2026-11-23T12:59",
        outcome="HOLD",
        until="2026-11-23T13:00",
        rule="US-TIME-01",
    ),
    Told(
        says="the second number counts as well",
        who="los_angeles",
        files={"contacts": [{"contact_id": "K1", "kind": "phone", "value": "+12125550143"}]},
        at="2026-11-23T21:00",
        outcome="HOLD",
        until="2026-11-24T11:00",
        rule="US-TIME-01",
    ),
]

HOURS = [
    Told(says="US-TIME-01 Honolulu 20:30", who="honolulu", at="2026-11-24T06:30Z"),
    Told(
        says="US-TIME-01 SMS released at 21:05",
        channel="sms",
        at="2026-11-24T21:05",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-TIME-01",
    ),
    Told(says="US-TIME-01 SMS queued at 20:50", channel="sms", at="2026-11-24T20:50"),
    Told(says="US-TIME-01 Thanksgiving", at="2026-11-26T10:00"),
    Told(
        says="US-TIME-01 midnight", at="2026-11-24T00:00", outcome="HOLD", until="2026-11-24T08:00", rule="US-TIME-01"
    ),
    Told(says="US-TIME-01 a letter has no hour", channel="letter", at="2026-11-24T00:00"),
    Told(
        says="US-TIME-01 e-mail has",
        channel="email",
        at="2026-11-24T21:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-TIME-01",
    ),
    Told(says="US-TIME-01 eight sharp", at="2026-11-24T08:00:00"),
    Told(
        says="US-TIME-01 a second before",
        at="2026-11-24T07:59:59",
        outcome="HOLD",
        until="2026-11-24T08:00",
        rule="US-TIME-01",
    ),
    Told(
        says="US-ST-FL-01 SMS 21:30",
        who="miami",
        channel="sms",
        at="2026-11-24T21:30",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-ST-FL-01",
    ),
    Told(
        says="US-ST-FL-01 e-mail 22:00 is the federal hours' alone",
        who="miami",
        channel="email",
        at="2026-11-24T22:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-TIME-01",
    ),
    Told(
        says="US-ST-CA-01 21:05",
        who="los_angeles",
        zone=LOS_ANGELES,
        at="2026-11-24T21:05",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-ST-CA-01",
    ),
    Told(
        says="US-ST-WA-01 07:45",
        who="seattle",
        zone=LOS_ANGELES,
        at="2026-11-24T07:45",
        outcome="HOLD",
        until="2026-11-24T08:00",
        rule="US-TIME-01",
    ),
    Told(
        says="US-ST-MA-02",
        who="boston",
        at="2026-11-24T21:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-ST-MA-02",
    ),
    Told(
        says="IN-HOURS-01 07:59:59",
        who="mumbai",
        zone=KOLKATA,
        at="2026-11-23T07:59:59",
        outcome="HOLD",
        until="2026-11-23T08:00",
        rule="IN-HOURS-01",
    ),
    Told(says="IN-HOURS-01 08:00", who="mumbai", zone=KOLKATA, at="2026-11-23T08:00:00"),
    Told(says="IN-HOURS-01 18:59:59", who="mumbai", zone=KOLKATA, at="2026-11-23T18:59:59"),
    Told(
        says="IN-HOURS-01 19:00",
        who="mumbai",
        zone=KOLKATA,
        at="2026-11-25T19:00:00",
        outcome="HOLD",
        until="2026-11-26T08:00",
        rule="IN-HOURS-01",
    ),
    Told(
        says="IN-HOURS-01 SMS 19:00",
        who="mumbai",
        zone=KOLKATA,
        channel="sms",
        at="2026-11-25T19:00:00",
        outcome="HOLD",
        until="2026-11-26T08:00",
        rule="IN-HOURS-01",
    ),
    Told(
        says="IN-HOURS-01 Independence Day",
        who="mumbai",
        zone=KOLKATA,
        at="2026-08-15T11:00",
        outcome="HOLD",
        until="2026-08-16T08:00",
        rule="IN-HOURS-01",
    ),
    Told(
        says="UK Sunday after the clocks went forward",
        who="london",
        at="2027-03-28T07:30Z",
        outcome="HOLD",
        until="2027-03-28T09:00Z",
        rule="UK-CONT-01",
    ),
    Told(
        says="UK Saturday 07:30 GMT",
        who="london",
        at="2027-03-27T07:30Z",
        outcome="HOLD",
        until="2027-03-27T08:00Z",
        rule="UK-CONT-01",
    ),
    Told(
        says="UK Christmas Day",
        who="london",
        zone=LONDON,
        at="2026-12-25T12:00",
        outcome="HOLD",
        until="2026-12-27T10:00",
        rule="UK-CONT-01",
    ),
    Told(
        says="UK substitute holiday",
        who="london",
        zone=LONDON,
        at="2026-12-28T12:00",
        outcome="HOLD",
        until="2026-12-29T08:00",
        rule="UK-CONT-01",
    ),
    Told(says="UK 20:59", who="london", zone=LONDON, at="2026-11-24T20:59"),
    Told(
        says="UK 21:00",
        who="london",
        zone=LONDON,
        at="2026-11-24T21:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="UK-CONT-01",
    ),
    Told(
        says="E12 midnight SMS",
        channel="sms",
        at="2026-11-24T00:00:00",
        outcome="HOLD",
        until="2026-11-24T08:00",
        rule="US-TIME-01",
    ),
    Told(says="E11 Thanksgiving is no holiday for a call", at="2026-11-26T12:00"),
]

APRIL = [f"2026-04-0{day}T10:00" for day in range(1, 8)]

FREQUENCY = [
    Told(says="US-FREQ-01 the 7th", files=log(*calls(*APRIL[:6])), at="2026-04-07T12:00"),
    Told(
        says="US-FREQ-01 the 8th",
        files=log(*calls(*APRIL)),
        at="2026-04-07T18:00",
        outcome="HOLD",
        until="2026-04-08T08:00",
        rule="US-FREQ-01",
    ),
    Told(
        says="US-FREQ-01 two were not connected",
        files=log(
            *calls(*APRIL[:5]),
            *calls("2026-04-05T15:00", disposition="busy"),
            *calls("2026-04-06T10:00", disposition="disconnected_number"),
        ),
        at="2026-04-07T18:00",
    ),
    Told(
        says="US-FREQ-01 voicemail counts",
        files=log(*calls(*APRIL, disposition="voicemail")),
        at="2026-04-07T18:00",
        outcome="HOLD",
        until="2026-04-08T08:00",
        rule="US-FREQ-01",
    ),
    Told(
        says="US-FREQ-01 somebody else's number",
        files=log(
            *calls("2026-11-16T10:00", "2026-11-18T10:00", number="+12025550199"),
            *calls("2026-11-19T10:00", disposition="wrong_number", number="+12025550199"),
            *calls(*[f"2026-11-1{d}T14:00" for d in range(5, 10)], "2026-11-20T10:00", number="+15185550123"),
        ),
        at="2026-11-20T16:00",
    ),
    Told(
        says="US-FREQ-01 texts are no calls",
        files=log(*calls("2026-04-01T10:00", "2026-04-03T10:00", kind="sms", disposition=""), *calls(*APRIL[:6])),
        at="2026-04-07T12:00",
    ),
    Told(
        says="US-FREQ-01 calls the customer made do not count",
        files=log(*calls(*APRIL[:6]), *calls("2026-04-06T15:00", direction="inbound")),
        at="2026-04-07T12:00",
    ),
    Told(
        says="E2 at 00:01 of day 8",
        files=log(*calls("2026-04-01T20:59"), *calls(*APRIL[:6], "2026-04-06T15:00")[1:]),
        at="2026-04-08T00:01",
        outcome="HOLD",
        until="2026-04-08T08:00",
        rule="US-TIME-01",
    ),
    Told(
        says="E2 at 08:00 of day 8",
        files=log(*calls("2026-04-01T20:59"), *calls(*APRIL[:6], "2026-04-06T15:00")[1:]),
        at="2026-04-08T08:00",
    ),
    Told(
        says="US-FREQ-02 called in, six days later",
        files=log(*calls("2026-08-13T12:00", disposition="rpc_refused", direction="inbound")),
        at="2026-08-19T12:00",
        outcome="HOLD",
        until="2026-08-20T08:00",
        rule="US-FREQ-02",
    ),
    Told(
        says="US-FREQ-02 called in, seven days later",
        files=log(*calls("2026-08-13T12:00", disposition="rpc_refused", direction="inbound")),
        at="2026-08-20T12:00",
    ),
    Told(
        says="US-FREQ-02 outbound conversation",
        files=log(*calls("2026-08-14T12:00", disposition="rpc_promise")),
        at="2026-08-20T12:00",
        outcome="HOLD",
        until="2026-08-21T08:00",
        rule="US-FREQ-02",
    ),
    Told(
        says="US-FREQ-02 a code of another system",
        files=log(*calls("2026-08-14T12:00", disposition="rpc_other")),
        at="2026-08-20T12:00",
        outcome="HOLD",
        until="2026-08-21T08:00",
        rule="US-FREQ-02",
    ),
    Told(
        says="US-FREQ-02 leap year, 1 March",
        files=log(*calls("2028-02-24T12:00", disposition="rpc_refused")),
        at="2028-03-01T12:00",
        outcome="HOLD",
        until="2028-03-02T08:00",
        rule="US-FREQ-02",
    ),
    Told(
        says="US-FREQ-02 leap year, 2 March",
        files=log(*calls("2028-02-24T12:00", disposition="rpc_refused")),
        at="2028-03-02T12:00",
    ),
    Told(
        says="GLB-DAY 2 another year",
        files=log(*calls("2027-02-24T12:00", disposition="rpc_refused")),
        at="2027-03-02T12:00",
        outcome="HOLD",
        until="2027-03-03T08:00",
        rule="US-FREQ-02",
    ),
    Told(
        says="US-FREQ-02 somebody else answered: no conversation",
        files=log(*calls("2026-08-14T12:00", disposition="third_party")),
        at="2026-08-17T12:00",
    ),
    Told(
        says="US-FREQ-02 a text may be sent meanwhile",
        channel="sms",
        files=log(*calls("2026-08-14T12:00", disposition="rpc_refused")),
        at="2026-08-17T12:00",
    ),
    Told(
        says="US-FREQ-03 consent in writing",
        files={
            **consent("call", True, "2026-06-04T12:00:00-04:00", purpose="extra_calls"),
            **log(
                *[r for d in ("08", "09", "10") for r in calls(f"2026-06-{d}T09:00", f"2026-06-{d}T12:00")][:6],
                *calls("2026-06-08T15:00", "2026-06-09T15:00"),
            ),
        },
        at="2026-06-11T12:00",
    ),
    Told(
        says="US-FREQ-03 asked on Friday, on Monday",
        files={
            **log(*calls("2026-04-03T12:00", disposition="rpc_callback")),
            **consent("call", True, "2026-04-03T12:01:00-04:00", purpose="extra_calls"),
        },
        at="2026-04-06T12:00",
    ),
    Told(
        says="US-FREQ-03 E5 a conversation ended it",
        files={
            **log(*calls("2026-04-03T12:00", "2026-04-06T12:00", disposition="rpc_callback")),
            **consent("call", True, "2026-04-03T12:01:00-04:00", purpose="extra_calls"),
        },
        at="2026-04-08T12:00",
        outcome="HOLD",
        until="2026-04-13T08:00",
        rule="US-FREQ-02",
    ),
    Told(
        says="US-FREQ-04 four minutes after",
        files=log(*calls("2026-11-24T12:00")),
        at="2026-11-24T12:04",
        outcome="HOLD",
        until="2026-11-24T14:00",
        rule="US-FREQ-04",
    ),
    Told(
        says="US-FREQ-04 more than ten in all",
        files=log(
            *daily("2026-11-18T10:00", 6),
            *calls(
                "2026-11-18T12:00",
                "2026-11-19T12:00",
                "2026-11-20T12:00",
                "2026-11-21T12:00",
                kind="email",
                disposition="",
            ),
            *calls("2026-11-22T12:00", kind="email", disposition=""),
        ),
        at="2026-11-24T12:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-FREQ-04",
    ),
    Told(
        says="US-FREQ-04 two calls today",
        files=log(*calls("2026-11-24T09:00", "2026-11-24T12:00")),
        at="2026-11-24T16:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-FREQ-04",
    ),
    Told(
        says="E6 busy ten times",
        files=log(*calls(*[f"2026-11-24T{h:02}:00" for h in range(9, 19)], disposition="busy")),
        at="2026-11-24T18:10",
        outcome="HOLD",
        until="2026-11-24T18:30",
        rule="US-FREQ-04",
    ),
    Told(
        says="E6 half an hour after the last",
        files=log(*calls(*[f"2026-11-24T{h:02}:00" for h in range(9, 19)], disposition="busy")),
        at="2026-11-24T18:30",
    ),
    Told(
        says="E3 +6 days",
        files=log(*calls("2026-11-10T12:00", disposition="rpc_refused")),
        at="2026-11-16T12:00",
        outcome="HOLD",
        until="2026-11-17T08:00",
        rule="US-FREQ-02",
    ),
    Told(says="E3 +7 days", files=log(*calls("2026-11-10T12:00", disposition="rpc_refused")), at="2026-11-17T12:00"),
    Told(
        says="MA voicemail and SMS, another SMS",
        who="boston",
        channel="sms",
        files=log(
            *calls("2026-11-20T12:00", disposition="voicemail"), *calls("2026-11-21T12:00", kind="sms", disposition="")
        ),
        at="2026-11-24T12:00",
        outcome="HOLD",
        until="2026-11-27T08:00",
        rule="US-ST-MA-01",
    ),
    Told(
        says="MA two busy signals",
        who="boston",
        files=log(*calls("2026-11-22T12:00", "2026-11-23T12:00", disposition="busy")),
        at="2026-11-24T12:00",
    ),
    Told(
        says="NYC call, e-mail, letter; an SMS",
        who="nyc",
        channel="sms",
        files={
            **consent("sms", True, "2026-09-01T12:00:00Z"),
            **log(
                *calls("2026-11-20T12:00"),
                *calls("2026-11-21T12:00", kind="email", disposition=""),
                *calls("2026-11-22T12:00", kind="letter", disposition=""),
            ),
        },
        at="2026-11-24T12:00",
        outcome="HOLD",
        until="2026-11-27T08:00",
        rule="US-ST-NYC-01",
    ),
    Told(
        says="NYC SMS without consent",
        who="nyc",
        channel="sms",
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-ST-NYC-02",
    ),
    Told(
        says="NYC SMS with consent",
        who="nyc",
        channel="sms",
        files=consent("sms", True, "2026-09-01T12:00:00Z"),
        at="2026-11-24T12:00",
    ),
    Told(
        says="NYC before 1 September 2026, two",
        who="nyc",
        files=log(*calls("2026-08-28T12:00", "2026-08-29T12:00")),
        at="2026-08-31T12:00",
        outcome="HOLD",
        rule="US-ST-NYC-01",
        until="2026-09-01T08:00",
    ),
    Told(
        says="E18 NYC the minute before",
        who="nyc",
        files=log(*calls("2026-08-28T12:00", "2026-08-29T12:00")),
        at="2026-08-31T20:59",
        outcome="HOLD",
        rule="US-ST-NYC-01",
        until="2026-09-01T08:00",
    ),
    Told(
        says="E18 NYC from 1 September 2026, the third",
        who="nyc",
        files=log(*calls("2026-08-28T12:00", "2026-08-29T12:00")),
        at="2026-09-01T12:00",
    ),
    Told(
        says="WA fourth e-mail of an agency",
        who="seattle",
        zone=LOS_ANGELES,
        channel="email",
        role="third_party",
        files={
            **consent("email", True, "2026-10-01T12:00:00Z"),
            **log(
                *calls(
                    "2026-11-20T12:00",
                    "2026-11-21T12:00",
                    "2026-11-22T12:00",
                    kind="email",
                    disposition="",
                    zone=LOS_ANGELES,
                )
            ),
        },
        at="2026-11-24T12:00",
        outcome="HOLD",
        rule="US-ST-WA-01",
        until="2026-11-27T08:00",
    ),
    Told(
        says="WA in its own name",
        who="seattle",
        zone=LOS_ANGELES,
        channel="email",
        files=log(
            *calls(
                "2026-11-20T12:00",
                "2026-11-21T12:00",
                "2026-11-22T12:00",
                kind="email",
                disposition="",
                zone=LOS_ANGELES,
            )
        ),
        at="2026-11-24T12:00",
    ),
    Told(
        says="TX the 8th in 7 days",
        who="austin",
        zone=ZoneInfo("America/Chicago"),
        files=log(*daily("2026-11-18T10:00", 7, zone=ZoneInfo("America/Chicago"))),
        at="2026-11-24T16:00",
        outcome="HOLD",
        until="2026-11-25T08:00",
        rule="US-FREQ-01",
    ),
    Told(
        says="IN third call of a day",
        who="mumbai",
        zone=KOLKATA,
        files=log(*calls("2026-11-23T09:00", "2026-11-23T12:00", zone=KOLKATA)),
        at="2026-11-23T16:00",
        outcome="HOLD",
        rule="IN-HOURS-01",
    ),
    Told(
        says="UK eighth call of a week",
        who="london",
        zone=LONDON,
        files=log(*daily("2026-11-17T10:00", 7, zone=LONDON)),
        at="2026-11-23T16:00",
        outcome="HOLD",
        until="2026-11-24T08:00",
        rule="UK-CONT-01",
    ),
    Told(
        says="BR eighth call of a week",
        who="sao_paulo",
        zone=ZoneInfo("America/Sao_Paulo"),
        files=log(*daily("2026-11-17T10:00", 7, zone=ZoneInfo("America/Sao_Paulo"))),
        at="2026-11-23T16:00",
        outcome="HOLD",
        until="2026-11-24T08:00",
        rule="DESK-CALLS",
    ),
    Told(
        says="a business has no federal cap",
        customer={"kind": "business"},
        files=log(*calls(*APRIL)),
        at="2026-04-07T18:00",
    ),
    Told(
        says="US-SCOPE a business keeps the hours",
        customer={"kind": "business"},
        at="2026-04-07T21:30",
        outcome="HOLD",
        until="2026-04-08T08:00",
        rule="US-TIME-01",
    ),
]

PEOPLE_AND_HOLDS = [
    Told(
        says="US-MEDIA-01 stop calling",
        files=consent("call", False, "2026-11-01T12:00:00Z"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-MEDIA-01",
    ),
    Told(
        says="US-MEDIA-01 e-mail goes on",
        channel="email",
        files=consent("call", False, "2026-11-01T12:00:00Z"),
        at="2026-11-24T12:00",
    ),
    Told(
        says="US-MEDIA-01 SMS goes on",
        channel="sms",
        files=consent("call", False, "2026-11-01T12:00:00Z"),
        at="2026-11-24T12:00",
    ),
    Told(
        says="US-MEDIA-01 before they said so",
        files=consent("call", False, "2026-11-01T12:00:00Z"),
        at="2026-10-20T12:00",
    ),
    Told(
        says="US-MEDIA-01 the only number",
        channel="sms",
        files=consent("sms", False, "2026-11-01T12:00:00Z", value="+15185550123"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-MEDIA-01",
    ),
    Told(
        says="US-MEDIA-01 another number",
        channel="sms",
        files=consent("sms", False, "2026-11-01T12:00:00Z", value="+12025550101"),
        at="2026-11-24T12:00",
    ),
    Told(
        says="taken back",
        channel="sms",
        files={
            "consents": [
                {"channel": "sms", "given": "false", "at": "2026-11-01T12:00:00Z"},
                {"channel": "sms", "given": "true", "at": "2026-11-10T12:00:00Z"},
            ]
        },
        at="2026-11-24T12:00",
    ),
    Told(
        says="E14 opted out, at the moment of sending",
        channel="sms",
        files=consent("sms", False, "2026-11-24T16:59:00Z"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-MEDIA-01",
    ),
    Told(
        says="US-PLACE-01 work number, nobody asked for it",
        customer={"phone": ""},
        files={
            "contacts": [
                {"contact_id": "K1", "kind": "phone", "value": "+15185550199", "use": "work", "preferred": "true"}
            ]
        },
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-PLACE-01",
    ),
    Told(
        says="US-PLACE-01 the employer forbids it",
        customer={"phone": ""},
        files={
            "contacts": [
                {"contact_id": "K1", "kind": "phone", "value": "+15185550199", "use": "work", "permitted": "false"}
            ]
        },
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-PLACE-01",
    ),
    Told(
        says="US-PLACE-01 use my work line",
        customer={"phone": ""},
        files={
            "contacts": [
                {"contact_id": "K1", "kind": "phone", "value": "+15185550199", "use": "work", "permitted": "true"}
            ]
        },
        at="2026-11-24T12:00",
    ),
    Told(
        says="E22 shared number, call",
        customer={"phone": ""},
        files={"contacts": [{"contact_id": "K1", "kind": "phone", "value": "+15185550199", "shared": "true"}]},
        at="2026-11-24T12:00",
        outcome="REQUIRE",
        requires="verify_identity",
        rule="GLB-SHARED",
    ),
    Told(
        says="E22 shared number, SMS",
        customer={"phone": ""},
        channel="sms",
        files={"contacts": [{"contact_id": "K1", "kind": "phone", "value": "+15185550199", "shared": "true"}]},
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="GLB-SHARED",
    ),
    Told(
        says="E17 nowhere, SMS",
        channel="sms",
        customer={"country": "", "region": "", "city": "", "postal_code": "", "phone": "5550123"},
        at="2026-11-24T12:00Z",
        outcome="BLOCK",
        rule="GLB-TZ",
    ),
    Told(
        says="E17 nowhere, call",
        customer={"country": "", "region": "", "city": "", "postal_code": "", "phone": "5550123"},
        at="2026-11-24T12:00Z",
        outcome="WARN",
        rule="GLB-TZ",
        requires="ask_where",
    ),
    Told(
        says="E23 deceased",
        files=hold("deceased", "2026-11-01"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="GLB-DECEASED",
        requires="find_executor",
    ),
    Told(
        says="E24 seventeen",
        customer={"birth_date": "2009-06-01"},
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="GLB-MINOR",
        requires="find_guardian",
    ),
    Told(says="E24 of age", customer={"birth_date": "2008-11-24"}, at="2026-11-24T12:00"),
    Told(
        says="E25 bankruptcy",
        channel="letter",
        files=hold("bankruptcy", "2026-11-01"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="US-BK-01",
    ),
    Told(
        says="E25 insolvency in the United Kingdom",
        who="london",
        zone=LONDON,
        channel="letter",
        files=hold("bankruptcy", "2026-11-01"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="UK-INS-01",
    ),
    Told(
        says="E15 taken back from it",
        channel="sms",
        files={
            "placements": [
                {
                    "placement_id": "P1",
                    "agency": "northside",
                    "amount": "50.00",
                    "placed_on": "2026-10-01",
                    "recalled_on": "2026-11-10",
                }
            ]
        },
        at="2026-11-24T12:00",
    ),
    Told(
        says="a promise holds the call",
        files={"promises": [{"promise_id": "P1", "amount": "50.00", "due_on": "2026-11-28", "made_on": "2026-11-20"}]},
        at="2026-11-21T12:00",
        outcome="BLOCK",
        rule="HOLD-promise",
    ),
    Told(
        says="hardship",
        files=hold("hardship", "2026-11-01"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="HOLD-hardship",
    ),
    Told(says="hardship after its last day", files=hold("hardship", "2026-11-01", "2026-11-23"), at="2026-11-24T12:00"),
    Told(says="hardship before its first day", files=hold("hardship", "2026-12-01"), at="2026-11-24T12:00"),
    Told(
        says="UK-BS-01 day 60",
        who="london",
        zone=LONDON,
        channel="sms",
        files=hold("breathing_space", "2027-01-01", "2027-03-01"),
        at="2027-03-01T12:00",
        outcome="BLOCK",
        rule="UK-BS-01",
    ),
    Told(
        says="UK-BS-01 day 61",
        who="london",
        zone=LONDON,
        channel="sms",
        files=hold("breathing_space", "2027-01-01", "2027-03-01"),
        at="2027-03-02T12:00",
    ),
    Told(
        says="UK-BS-01 leap, day 60",
        who="london",
        zone=LONDON,
        channel="letter",
        files=hold("breathing_space", "2028-01-01", "2028-02-29"),
        at="2028-02-29T12:00",
        outcome="BLOCK",
        rule="UK-BS-01",
    ),
    Told(
        says="UK-BS-01 before it began",
        who="london",
        zone=LONDON,
        channel="sms",
        files=hold("breathing_space", "2027-01-01", "2027-03-01"),
        at="2026-12-31T12:00",
    ),
    Told(
        says="vulnerability review lets the call be made",
        files=hold("vulnerability_review", "2026-11-01"),
        at="2026-11-24T12:00",
    ),
    Told(
        says="a dispute lets the call be made",
        files={"disputes": [{"dispute_id": "D1", "amount": "50.00", "opened_on": "2026-11-10", "bill_id": "B1"}]},
        at="2026-11-24T12:00",
    ),
    Told(says="VUL-04 V1 is normal", files=care("low"), at="2026-11-24T12:00"),
    Told(
        says="VUL-04 V2 automated SMS",
        channel="sms",
        files=care("medium"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="VUL-04",
    ),
    Told(says="VUL-04 V2 a person calls", files=care("medium"), at="2026-11-24T12:00", outcome="WARN", rule="VUL-04"),
    Told(says="VUL-04 V3 call", files=care("high"), at="2026-11-24T12:00", outcome="BLOCK", rule="VUL-04"),
    Told(
        says="VUL-04 V3 letter",
        channel="letter",
        files=care("high"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="VUL-04",
    ),
    Told(
        says="VUL-04 the day to look again has passed",
        channel="sms",
        files=care("medium", review_on="2026-06-01"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="VUL-04",
    ),
    Told(
        says="VUL-04 in the United Kingdom",
        who="london",
        zone=LONDON,
        files=care("high"),
        at="2026-11-24T12:00",
        outcome="BLOCK",
        rule="VUL-04",
    ),
    Told(says="no phone", customer={"phone": ""}, at="2026-11-24T12:00", outcome="BLOCK", rule="DESK-ADDRESS"),
    Told(
        says="the number is not in service",
        files=log(*calls("2026-11-20T12:00", disposition="disconnected_number", number="+15185550123")),
        at="2026-11-24T12:00",
    ),
    Told(
        says="E21 three contacts on each of two accounts",
        files=two_accounts(3),
        at="2026-11-24T12:00",
        outcome="WARN",
        rule="GLB-PERSON",
    ),
    Told(says="E21 each account has its own quiet days", files=two_accounts(0, talked=True), at="2026-11-24T12:00"),
    Told(
        says="a promise for all that is past due",
        files={"promises": [{"promise_id": "P1", "amount": "50.00", "due_on": "2026-11-28", "made_on": "2026-11-20"}]},
        channel="sms",
        at="2026-11-21T12:00",
        outcome="BLOCK",
        rule="HOLD-promise",
    ),
    Told(says="far in the future", at="2126-11-24T12:00"),
]

MIDDAY = {
    "new_york": NEW_YORK, "boston": NEW_YORK, "seattle": LOS_ANGELES, "miami": NEW_YORK, "los_angeles": LOS_ANGELES,
    "austin": ZoneInfo("America/Chicago"), "honolulu": ZoneInfo("Pacific/Honolulu"), "london": LONDON,
    "mumbai": KOLKATA, "berlin": ZoneInfo("Europe/Berlin"), "madrid": ZoneInfo("Europe/Madrid"),
    "sao_paulo": ZoneInfo("America/Sao_Paulo"),
}  # fmt: skip
SANE = [
    Told(says=f"plain {who} {channel}", who=who, channel=channel, zone=zone, at="2026-11-25T12:00")
    for who, zone in MIDDAY.items()
    for channel in CHANNELS
]


def write_book(folder: Path, told: Told) -> None:
    """The book of one customer with one overdue bill, and what else the row says."""
    person = {
        "customer_id": "C1", "name": "Ann Example", "address": "1 Main Street", "email": "ann@example.com",
        **PEOPLE[told.who], **told.customer,
    }  # fmt: skip
    day = told.moment(told.at).date()
    files: dict[str, list[dict[str, Any]]] = {
        "customers": [person],
        "accounts": [{"account_id": "A1", "customer_id": "C1", "currency": "USD"}],
        "bills": [
            {
                "bill_id": "B1",
                "account_id": "A1",
                "amount": "50.00",
                "issued_on": min(str(day - timedelta(days=60)), "2026-10-01"),
                "due_on": min(str(day - timedelta(days=30)), "2026-10-15"),
            }
        ],
    }
    for name, rows in told.files.items():
        files[name] = [
            {
                **({"interaction_id": f"I{number}"} if name == "interactions" else {}),
                **({"customer_id": "C1"} if name in OF_CUSTOMERS else {"account_id": "A1"}),
                **row,
            }
            for number, row in enumerate(rows)
        ]
    for name, rows in files.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(
                file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)), restval=""
            )
            writer.writeheader()
            writer.writerows(rows)


def ask(told: Told) -> dict[str, Any]:
    out = StringIO()
    at = told.moment(told.at).isoformat()
    call_command("contact_check", "A1", "--channel", told.channel, "--at", at, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


@pytest.mark.parametrize("told", [*ZONES, *HOURS, *FREQUENCY, *PEOPLE_AND_HOLDS, *SANE], ids=lambda told: told.says)
def test_the_gate_answers_as_the_rules_say(told: Told, tmp_path: Path, settings: Any) -> None:
    settings.DESK_COLLECTOR_ROLE = told.role
    write_book(tmp_path, told)
    call_command("import_book", str(tmp_path), stdout=StringIO())
    answer = ask(told)
    until = told.moment(told.until) if told.until else None
    given = answer["next_allowed_at"] and datetime.fromisoformat(answer["next_allowed_at"])
    assert answer["outcome"] == told.outcome, answer
    assert not told.rule or any(rule.startswith(told.rule) for rule in answer["rule_ids"]), answer
    assert not told.until or given == until, answer
    assert not told.requires or told.requires in answer["requires"], answer
    assert told.outcome in ("HOLD",) or given is None, answer
    assert told.outcome != "ALLOW" or answer["rule_ids"] == [], answer


BOTH_DOORS = [ZONES[0], ZONES[1], FREQUENCY[1], FREQUENCY[9], PEOPLE_AND_HOLDS[0], SANE[0], SANE[1]]


@pytest.mark.parametrize("told", BOTH_DOORS, ids=lambda told: told.says)
def test_the_api_answers_as_the_command(told: Told, tmp_path: Path) -> None:
    write_book(tmp_path, told)
    call_command("import_book", str(tmp_path), stdout=StringIO())
    client = APIClient()
    client.force_authenticate(make_agent(role="supervisor"))
    address = "/api/v1/accounts/A1/contact-check/"

    answer = client.get(address, {"channel": told.channel, "at": told.moment(told.at).isoformat()})

    assert answer.status_code == 200
    assert answer.json() == ask(told)


class TestOddQuestions:
    @pytest.fixture
    def client(self, tmp_path: Path) -> APIClient:
        write_book(tmp_path, SANE[0])
        call_command("import_book", str(tmp_path), stdout=StringIO())
        client = APIClient()
        client.force_authenticate(make_agent())
        return client

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"channel": "call"}, 200),
            ({"channel": "call", "at": "2026-11-24T12:00:00"}, 200),
            ({"channel": "call", "at": "9999-12-31T23:59:59Z"}, 400),
            ({"channel": "call", "at": "0001-01-01T00:00:00Z"}, 400),
            ({"channel": "fax"}, 400),
            ({"channel": "call", "at": "soon"}, 400),
            ({}, 400),
        ],
    )
    def test_the_api_answers_or_says_why_not(self, client: APIClient, asked: dict[str, str], status: int) -> None:
        answer = client.get("/api/v1/accounts/A1/contact-check/", asked)
        assert answer.status_code == status, answer.content

    def test_an_account_that_is_none(self, client: APIClient) -> None:
        assert client.get("/api/v1/accounts/nobody/contact-check/", {"channel": "call"}).status_code == 404

    @pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
    def test_the_command_knows_no_such_day(self, client: APIClient, at: str) -> None:
        with pytest.raises(CommandError, match="is not between"):
            call_command("contact_check", "A1", "--channel", "call", "--at", at)

    @pytest.mark.parametrize("at", ["2999-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "2027-03-14T02:30:00-05:00"])
    def test_the_command_answers_near_the_ends_of_time(self, client: APIClient, at: str) -> None:
        out = StringIO()
        call_command("contact_check", "A1", "--channel", "call", "--at", at, "--json", stdout=out)
        assert json.loads(out.getvalue())["outcome"]


def test_a_call_about_the_parents_debt_is_judged_by_the_parents_customer(tmp_path: Path) -> None:
    told = Told(
        says="a family",
        at="2026-11-24T12:00",
        files={
            "accounts": [
                {"account_id": "A1", "customer_id": "C1", "currency": "USD", "parent_account_id": ""},
                {"account_id": "A2", "customer_id": "C1", "currency": "USD", "parent_account_id": "A1"},
            ]
        },
    )
    write_book(tmp_path, told)
    call_command("import_book", str(tmp_path), stdout=StringIO())
    out = StringIO()
    call_command(
        "contact_check", "A2", "--channel", "call", "--at", told.moment(told.at).isoformat(), "--json", stdout=out
    )
    assert json.loads(out.getvalue())["outcome"] == "ALLOW"
