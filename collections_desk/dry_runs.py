"""A policy tried on the live book: the question put together from every room, the answer as a file or a page wants it.

``simulate_policy`` asks here and now; the admin writes a ``DryRun`` and a worker carries it out, telling how far it is
and stopping when somebody asks it to. Nothing of the book is written or locked.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.models import Q
from kombu.exceptions import OperationalError

from accounts import business_day
from accounts.models import Account, AccountStatus
from accounts.money import from_mills, plain
from accounts.refusals import Refused
from agents import ahead
from dunning import choosing, simulation, writing
from dunning.models import DryRun
from dunning.policy import PolicyRules
from dunning.simulation import Ahead, Found, Names, Progress, Question

log = logging.getLogger(__name__)

#: Of the accounts that are limited only with, or only without, the version, so many are named.
MOST_NAMED = 500


class CannotSimulate(Refused):
    """The day lies before the business date: what was, cannot be tried."""

    code = "invalid"


class Cancelled(Exception):
    """Somebody asked the run to stop."""


@dataclass(frozen=True)
class Simulated:
    """What the version would bring, and what is published today."""

    rules: PolicyRules
    tried: Found
    today: Found
    names: Names
    #: Whether a version of the policy is published at all.
    replaces: bool
    accounts: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The answer of ``simulate_policy --json``."""
        return {
            "days": [
                {
                    "date": day.on.isoformat(),
                    "steps": dict(sorted(day.steps.items())),
                    "messages": dict(sorted(day.messages.items())),
                    "limits": [
                        {key: limit[key] for key in ("account_id", "service_id", "rung", "amount")}
                        for limit in simulation.limits_as_json(day, self.names)
                    ],
                }
                for day in self.tried.days
            ],
            "difference": simulation.difference(self.tried, self.today),
        }

    def in_full(self) -> dict[str, Any]:
        """The same with names, costs, reach and who is behind the difference: what a dry run keeps."""
        return {
            "days": _days(self.tried, self.names),
            "published": _days(self.today, self.names) if self.replaces else None,
            "difference": simulation.difference(self.tried, self.today),
            "accounts": dict(self.accounts),
            "costs": self.costs(),
            "cost_currency": settings.DESK_COST_CURRENCY,
            "reach": self.reach(),
            "limited_only_now": self._limited(self.tried, self.today),
            "limited_no_more": self._limited(self.today, self.tried),
        }

    def costs(self) -> dict[str, dict[str, Any]]:
        """By channel: how many messages, and what they cost (``DESK_CHANNEL_COSTS``)."""
        sent: Counter[str] = sum((day.messages for day in self.tried.days), Counter())
        each = {channel: Decimal(settings.DESK_CHANNEL_COSTS.get(channel, "0")) for channel in sent}
        return {
            channel: {"count": number, "each": f"{each[channel]:f}", "total": f"{each[channel] * number:.2f}"}
            for channel, number in sorted(sent.items())
        }

    def reach(self) -> dict[str, Any]:
        """The day on which most accounts would be limited, as a share of all open accounts."""
        on, most = max(
            ((day.on, len({limit.account_id for limit in day.limits})) for day in self.tried.days),
            key=lambda pair: pair[1],
        )
        of, allowed = self.accounts["open"], settings.DESK_BLAST_RADIUS_PERCENT
        percent = Decimal(100 * most) / of if of else Decimal(0)
        return {
            "on": on.isoformat(),
            "accounts": most,
            "of": of,
            "percent": f"{percent:.1f}",
            "allowed_percent": str(allowed),
            "exceeded": bool(allowed) and percent > allowed,
        }

    def _limited(self, one: Found, other: Found) -> list[dict[str, str]]:
        """Accounts that the one limits somewhere in the time and the other does not."""
        there = {limit.account_id for day in other.days for limit in day.limits}
        found: dict[int, dict[str, str]] = {}
        for day in one.days:
            for limit in day.limits:
                if limit.account_id not in there and limit.account_id not in found and len(found) < MOST_NAMED:
                    ref, name = self.names.accounts[limit.account_id]
                    found[limit.account_id] = {
                        "account_id": ref,
                        "name": name,
                        "amount": plain(from_mills(limit.amount), limit.currency),
                        "currency": limit.currency,
                        "rung": limit.rung,
                        "on": day.on.isoformat(),
                    }
        return sorted(found.values(), key=lambda row: row["account_id"])


def _days(found: Found, names: Names) -> list[dict[str, Any]]:
    return [
        {
            "date": day.on.isoformat(),
            "steps": dict(sorted(day.steps.items())),
            "messages": dict(sorted(day.messages.items())),
            "limits": list(simulation.limits_as_json(day, names)),
            "fees": {currency: plain(from_mills(amount), currency) for currency, amount in sorted(day.fees.items())},
            "restores": day.restores,
        }
        for day in found.days
    ]


def simulate(
    document: Mapping[str, Any],
    *,
    as_of: date,
    days: int,
    at: datetime,
    moves_cases: bool = False,
    progress: Progress = lambda _done, _of: None,
) -> Simulated:
    """Try a checked policy document on the book as it stands, beside what is published. Reads only.

    ``moves_cases``: as if the policy's open cases moved to it too, where their stage is in it.
    Raises ``CannotSimulate`` for a day before the business date.
    """
    stored_on = business_day.last_run()
    if stored_on is not None and as_of < stored_on:
        raise CannotSimulate(f"The business date is {stored_on}; what was before cannot be tried.")
    rules = writing.rules(document)
    after, until = stored_on or as_of - timedelta(days=1), as_of + timedelta(days=days - 1)
    today = choosing.in_force(as_of=as_of, until=until)
    ending = ahead.agreements_ending(after=after, until=until)
    tried = simulation.with_draft(today, rules)
    question = Question(
        strategies=[tried, today],
        first=as_of,
        days=days,
        at=at,
        stored_on=stored_on,
        ahead=Ahead(ending.holds, ahead.disputes_lost(after=after, until=until), ending.broken),
        moving=[{rules.code: rules}, {}] if moves_cases else (),
    )
    reviewed = 0

    def tell(done: int, of: int) -> None:
        nonlocal reviewed
        reviewed = of
        progress(done, of)

    found = simulation.simulate(question, tell)
    ended = Q(status__in=(AccountStatus.CLOSED, AccountStatus.WRITTEN_OFF))
    return Simulated(
        rules=rules,
        tried=found[0],
        today=found[1],
        names=simulation.names_of(found),
        replaces=any(other.code == rules.code for other in today.published),
        accounts={
            "reviewed": reviewed,
            "entering": found[0].entering,
            "open": Account.objects.exclude(ended).count(),
        },
    )


def start(run_id: int) -> bool:
    """Ask a worker to carry out a dry run; false when the broker cannot be reached."""
    try:
        current_app.send_task("collections_desk.tasks.dry_run", kwargs={"run_id": run_id}, ignore_result=True)
    except OperationalError:
        return False
    return True


def carry_out(run_id: int, *, at: datetime, now: Callable[[], datetime]) -> None:
    """Carry out a dry run that somebody asked for; does nothing for one that is taken, done or cancelled."""
    taken = DryRun.objects.filter(pk=run_id, state=DryRun.State.WAITING, cancel_asked=False)
    if not taken.update(state=DryRun.State.RUNNING, started_at=at, seen_at=at):
        return
    run = DryRun.objects.get(pk=run_id)

    def tell(done: int, of: int) -> None:
        going_on = DryRun.objects.filter(pk=run_id, state=DryRun.State.RUNNING, cancel_asked=False)
        if not going_on.update(accounts_done=done, accounts_total=of, seen_at=now()):
            raise Cancelled

    try:
        found = simulate(
            run.document, as_of=run.as_of, days=run.days, at=at, moves_cases=run.moves_cases, progress=tell
        )
    except Cancelled:
        _end(run_id, DryRun.State.CANCELLED, at=now())
    except Refused as refusal:
        _end(run_id, DryRun.State.FAILED, at=now(), problem=str(refusal))
    except Exception:
        log.exception("dry run %s failed", run_id)
        _end(run_id, DryRun.State.FAILED, at=now(), problem="It stopped on an error of the desk; the log has it.")
    else:
        _end(run_id, DryRun.State.DONE, at=now(), result=found.in_full())


def _end(run_id: int, state: str, *, at: datetime, **columns: Any) -> None:
    DryRun.objects.filter(pk=run_id, state=DryRun.State.RUNNING).update(state=state, finished_at=at, **columns)
