"""Dry runs as the engine leaves them, for pages and publishing."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from typing import Any

from accounts import business_day
from dunning import writing
from dunning.models import DryRun, PolicyVersion
from tests.factories import moment


def limit(account: str, rung: str = "suspended", **more: Any) -> dict[str, Any]:
    return {
        "account_id": account, "name": f"Customer {account}", "service_id": f"S-{account}", "rung": rung,
        "amount": "84.10", "currency": "USD", "step": "suspend", **more,
    }  # fmt: skip


def whose(account: str, name: str, amount: str) -> dict[str, str]:
    return {
        "account_id": account, "name": name, "amount": amount, "currency": "USD", "rung": "suspended",
        "on": "2026-03-10",
    }  # fmt: skip


RESULT: dict[str, Any] = {
    "days": [
        {
            "date": "2026-03-10",
            "steps": {"reminder": 1_204, "suspend": 1, "extra": 2},
            "messages": {"sms": 1_200, "letter": 4},
            "limits": [limit("A1"), limit("A7", rung="outgoing_barred", name="=cmd|' /C calc'!A0")],
            "fees": {"USD": "5.00"},
            "restores": 3,
        },
        {
            "date": "2026-03-11",
            "steps": {"suspend": 1},
            "messages": {"email": 10},
            "limits": [limit("A2")],
            "fees": {"USD": "2.50", "EUR": "1.00"},
            "restores": 0,
        },
    ],
    "published": [
        {
            "date": "2026-03-10",
            "steps": {"suspend": 5},
            "messages": {"sms": 900},
            "limits": [limit(f"B{number}") for number in range(5)],
            "fees": {},
            "restores": 0,
        }
    ],
    "difference": {"suspend": -3, "reminder": 1_204, "extra": 2},
    "accounts": {"reviewed": 15_000, "entering": 31, "open": 4_020},
    "costs": {
        "sms": {"count": 1_200, "each": "0.05", "total": "60.00"},
        "letter": {"count": 4, "each": "0.95", "total": "3.80"},
        "email": {"count": 10, "each": "0.001", "total": "0.01"},
    },
    "cost_currency": "USD",
    "reach": {
        "accounts": 74, "of": 4_020, "percent": "1.8", "allowed_percent": "5", "exceeded": False, "on": "2026-03-10",
    },
    "limited_only_now": [whose("A1", "Maria", "84.10")],
    "limited_no_more": [whose("B1", "Jo", "12.00")],
}  # fmt: skip


def today() -> date:
    """The business date that the pages ask for."""
    return business_day.business_date(at=datetime.now(tz=UTC))


def result(**changed: Any) -> dict[str, Any]:
    return {**copy.deepcopy(RESULT), **changed}


def too_far() -> dict[str, Any]:
    """A result whose reach the desk does not allow."""
    return result(reach={**RESULT["reach"], "accounts": 800, "percent": "19.9", "exceeded": True})


def make_dry_run(version: PolicyVersion, **columns: Any) -> DryRun:
    """A run of the version as it stands that found ``RESULT``, on the business date, unless told otherwise."""
    document = writing.document_of(version)
    on = columns.pop("as_of", None) or today()
    return DryRun.objects.create(
        **{
            "version": version, "document": document, "digest": writing.digest_of(document), "as_of": on, "days": 2,
            "state": "done", "asked_by": "agent:ada", "asked_at": moment(on), "started_at": moment(on),
            "finished_at": moment(on), "accounts_total": 15_000, "accounts_done": 15_000, "result": result(),
            **columns,
        }
    )  # fmt: skip
