"""A book whose days are closed, and reports ordered of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from accounts import business_day, settling
from accounts.models import Account
from agents import reports, snapshots
from agents.models import Agent, ReportSchedule
from agents.reports import Terms
from tests.factories import TODAY, make_account, make_agent, make_bill, moment


def late(amount: str = "100.00", **columns: Any) -> Account:
    """An account with a bill that is past due since the end of January."""
    account = make_account(**columns)
    make_bill(account, amount, issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    return account


def close(day: date = TODAY) -> None:
    """The close of a business day, as the day's run does it."""
    business_day.move_to(day)
    settling.settle(as_of=day, at=moment(day))
    snapshots.close(as_of=day, at=moment(day, 1))
    business_day.complete(day)


def supervisor(**columns: Any) -> Agent:
    """Somebody who may look at everything, with an address."""
    person = make_agent("supervisor", **columns)
    if "email" not in columns:
        person.email = f"{person.username}@northwind.example"
        person.save(update_fields=["email"])
    return person


def many(people: int, schedules: int) -> None:
    """So many reports of today, each to so many people, made and not sent yet."""
    late()
    readers = [supervisor() for _ in range(people)]
    for number in range(schedules):
        ordered(readers[0], people=readers, title=f"Report {number}", parts=["figures", "ageing"])
    close(TODAY)
    reports.fall_due(at=moment(TODAY, 8))


def ordered(by: Agent, at: datetime | None = None, **terms: Any) -> ReportSchedule:
    """A report of every day at seven, to whoever orders it, unless told otherwise."""
    wanted = {"title": "The day", "every": "day", "hour": 7, "people": [by], **terms}
    return reports.order(Terms(**wanted), by=by, at=at or moment(TODAY, 6))
