"""The time machine for a policy: a book's files replayed day by day in a scratch database, every day run and delivered.

The scratch database is made on the same server, migrated, filled through the same import, run through the same day,
delivered through the in-memory gateway; then it is dropped. Segments and the effects of holds are those of the desk.
Every fact counts from its own date, because everything that is asked is asked as of a day.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.models import Min
from psycopg import sql

from accounts import business_day, events, settling
from accounts.importing.landing import Report, import_folder
from accounts.models import Account, AccountEvent
from accounts.refusals import Refused
from agents import calls, confirmations
from collections_desk import journey, resource
from collections_desk.book import BOOK
from dunning import kinds, policy_file, reading, rulebook, writing
from dunning.deliver import deliver
from dunning.gate.packs import shipped
from dunning.gateways.memory import MemoryGateway
from dunning.models import BillStep, CaseStep, HoldRule, Notice, PolicyVersion, Segment, ServiceOrder
from dunning.roads import CHANNELS, Roads

ACTOR = "desk:replay"


class CannotReplay(Refused):
    """The dates, an account or the policy make no replay."""

    code = "invalid"


class LocalMemory(MemoryGateway):
    """The in-memory gateway, taking a whole batch inside the transaction that notes it: nothing leaves the process."""

    def hand_over_many(self, handed: Sequence[Any]) -> list[Any]:
        return [self.hand_over(one) for one in handed]


@dataclass(frozen=True, slots=True)
class Replayed:
    """The days on which anything happened, every account as at the end, and what the import refused."""

    days: list[dict[str, Any]]
    accounts: dict[str, Any]
    imported: Report
    database: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"days": self.days, "accounts": self.accounts}


@dataclass(frozen=True, slots=True)
class Order:
    """What to replay."""

    folder: Path
    first: date
    last: date
    policies: Sequence[str]
    skip: Collection[date] = ()
    trace: Sequence[str] = ()
    keep: bool = False
    #: Rule packs that decide; without any, nothing is held back.
    packs: tuple[str, ...] = ()
    progress: Callable[[date], None] = field(default=lambda _day: None)


def replay(order: Order) -> Replayed:
    """Run it. Raises ``CannotReplay``, ``CannotImport`` or ``writing.CannotWrite`` with nothing left behind."""
    if unknown_packs := sorted(set(order.packs) - set(shipped())):
        raise CannotReplay(f"There is no rule pack {', '.join(unknown_packs)}: {', '.join(sorted(shipped()))}.")
    if order.last < order.first:
        raise CannotReplay("--to is before --from.")
    ours: dict[Any, list[Any]] = {model: list(model._default_manager.order_by("pk")) for model in (Segment, HoldRule)}
    with scratch_database(keep=order.keep) as name, journey.gathering():
        eve = order.first - timedelta(days=1)
        for model, rows in ours.items():
            model._default_manager.all().delete()
            model._default_manager.bulk_create(rows)
        for policy in order.policies:
            version = writing.save_draft(policy_file.read(policy), actor=ACTOR, at=noon(eve))
            writing.publish(version, actor=ACTOR, at=noon(eve))
        business_day.move_to(eve)
        imported = import_folder(order.folder, BOOK, on=eve, at=noon(eve), actor=ACTOR)
        unknown = set(order.trace) - set(Account.objects.filter(ref__in=order.trace).values_list("ref", flat=True))
        if unknown:
            raise CannotReplay(f"There is no account {sorted(unknown)[0]} to trace.")
        settling.settle(as_of=eve, at=noon(eve), actor=ACTOR)
        journey.react_to_all(as_of=eve, at=noon(eve))
        traced = list(Account.objects.filter(ref__in=order.trace).values_list("pk", flat=True))
        days = []
        for day in _days(order.first, order.last):
            order.progress(day)
            if report := _play(day, order, traced):
                days.append(report)
        everyone = list(Account.objects.order_by("pk").values_list("pk", flat=True))
        accounts = resource.account_resources(everyone, as_of=business_day.last_run() or order.last)
        return Replayed(days, dict(sorted(accounts.items())), imported, name if order.keep else "")


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=offset) for offset in range((last - first).days + 1))


def _later_today(day: date, moment: datetime) -> datetime | None:
    """The next moment of that day at which something that rules held back may leave."""
    due = [
        model.objects.filter(state="pending", send_at__gt=moment, send_at__lte=reading.end_of(day)).aggregate(
            next=Min("send_at")
        )["next"]
        for model in (Notice, ServiceOrder)
    ]
    return min((one for one in due if one is not None), default=None)


def noon(day: date) -> datetime:
    """Noon of a day in the operator's zone: the replay's clock stands there."""
    return datetime.combine(day, time(12), tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))


def _play(day: date, order: Order, traced: Sequence[int]) -> dict[str, Any] | None:
    """One day: run, deliver, and what happened; nothing when nothing did."""
    handed = 0
    if day not in order.skip:
        journey.run_day(as_of=day, at=noon(day), keeps_figures=False)
        road = LocalMemory()
        roads = Roads(
            dict.fromkeys(CHANNELS, road),
            road,
            careful=bool(order.packs),
            talks=calls.talks_of,
            agreements=confirmations.standing,
            only_packs=order.packs or None,
        )
        # What the day's reactions ask for leaves on the same day.
        moment: datetime | None = noon(day)
        while moment is not None:
            while deliver(as_of=day, at=moment, roads=roads) and journey.react_to_all(as_of=day, at=moment):
                continue
            moment = _later_today(day, moment) if roads.careful else None
        handed = len(road.messages)
    report: dict[str, Any] = {"date": day.isoformat()}
    found: dict[str, Any] = {
        "steps": _steps(day),
        "status": _changes(day, events.STATUS_CHANGED, "account_id"),
        "services": _changes(day, events.SERVICE_CHANGED, "service_id"),
    }
    if not (any(found.values()) or handed or traced):
        return None
    report |= found | {"notices": handed}
    if traced:
        report["trace"] = resource.account_resources(traced, as_of=business_day.last_run() or day)
    return report


def _steps(day: date) -> list[dict[str, str]]:
    """Every step taken, waiting since today, or withdrawn today, by account."""
    rows: list[tuple[str, int, str, str, str]] = []
    done = CaseStep.objects.filter(done_on=day).values_list("account__ref", "pk", "code", "action", "result")
    waiting = CaseStep.objects.filter(came_on=day, done_on=None).values_list(
        "account__ref", "pk", "code", "action", "result"
    )
    rows += [*done, *waiting]
    seen = set()
    for ref, pk, code, result in BillStep.objects.filter(on=day).values_list("account__ref", "pk", "code", "result"):
        if (ref, code) not in seen:
            seen.add((ref, code))
            rows.append((ref, -pk, code, "notify", result))
    withdrawn = AccountEvent.objects.filter(on=day, kind__in=[kinds.NOTICE_WITHDRAWN, kinds.ORDER_WITHDRAWN])
    for ref, pk, kind, payload, reason in withdrawn.values_list("account__ref", "pk", "kind", "payload", "reason"):
        action = "notify" if kind == kinds.NOTICE_WITHDRAWN else "limit"
        rows.append((ref, pk + 2**40, payload["step"], action, f"withdrawn: {reason}"))
    return [
        {"account_id": ref, "step": code, "action": action, "result": result}
        for ref, _order, code, action, result in sorted(rows)
    ]


def _changes(day: date, kind: str, key: str) -> list[dict[str, str]]:
    rows = AccountEvent.objects.filter(on=day, kind=kind).order_by("account__ref", "pk")
    return [
        {key: payload.get("service") or ref, "from": payload["from"], "to": payload["to"]}
        for ref, payload in rows.values_list("account__ref", "payload")
    ]


def published_policies() -> list[str]:
    """The policies in force in this database, as YAML."""
    versions = PolicyVersion.objects.filter(state=PolicyVersion.State.PUBLISHED).order_by("policy__code")
    return [writing.export(version) for version in versions]


@contextmanager
def scratch_database(*, keep: bool) -> Iterator[str]:
    """A migrated database beside ours; the process works in it until the end, then it is dropped (or kept)."""
    home = connection.settings_dict["NAME"]
    name = f"{home}_replay_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _switch(name)
    try:
        call_command("migrate", verbosity=0, interactive=False)
        yield name
    finally:
        _switch(home)
        if not keep:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _switch(name: str) -> None:
    connection.close()
    rulebook.forget()
    connection.settings_dict["NAME"] = name
