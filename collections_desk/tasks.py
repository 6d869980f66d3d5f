"""What beat starts and workers carry: ids and dates only; the work itself is in rows and may be taken again."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from accounts import business_day
from agents import calls, confirmations, report_sending, reports, restating
from collections_desk import clock, dry_runs, journey, webhooks
from dunning import decide, deliver
from dunning.roads import mail_road, roads_from_settings
from dunning.sharding import Shard

__all__ = [
    "call_webhooks", "close_day", "deliver_due", "dry_run", "react", "restate_figures", "run_shard", "send_reports",
    "start_day", "start_figures",
]  # fmt: skip


#: A desk that was down for up to so many days goes on by itself; one further back is somebody's look into the past.
CATCH_UP_DAYS = 7


def is_due(*, today: date, hour: int) -> bool:
    """Whether beat should run ``today``: at midnight, or when a run was missed or killed within the last days."""
    last = business_day.last_run()
    if business_day.completed() == today or (last is not None and last > today):
        return False
    return hour == 0 or (last is not None and (today - last).days <= CATCH_UP_DAYS)


@shared_task(name="collections_desk.tasks.start_day", ignore_result=True)
def start_day(**_later: Any) -> None:
    """Open today's run where it has not come to its end, and spread it over the workers; also resumes a killed one."""
    at = clock.business_now()
    today = business_day.calendar_date(at=at)
    if not is_due(today=today, hour=at.astimezone(ZoneInfo(settings.DESK_TIME_ZONE)).hour):
        return
    with journey.gathering():
        journey.open_day(as_of=today, at=at)
    shards = settings.DESK_SHARDS
    for number in range(shards):
        run_shard.delay(as_of=today.isoformat(), number=number, of=shards)


@shared_task(name="collections_desk.tasks.run_shard", ignore_result=True)
def run_shard(*, as_of: str, number: int, of: int, **_later: Any) -> None:
    """Decide one part of the book; the last part to end closes the day."""
    day, at = date.fromisoformat(as_of), clock.business_now()
    if business_day.last_run() != day:
        return
    with journey.gathering():
        decide.run(as_of=day, at=at, shard=Shard(number, of))
    if journey.is_decided(as_of=day):
        close_day.delay(as_of=as_of)


@shared_task(name="collections_desk.tasks.close_day", ignore_result=True)
def close_day(*, as_of: str, **_later: Any) -> None:
    """Reactions, the queue in order, the seal; once is enough, twice does no harm."""
    day = date.fromisoformat(as_of)
    if business_day.completed() != day and business_day.last_run() == day:
        with journey.gathering():
            journey.close_day(as_of=day, at=clock.business_now())


@shared_task(name="collections_desk.tasks.react", ignore_result=True)
def react(**_later: Any) -> None:
    """The sweep: events whose nudge was lost, or was too large for the process that caused them."""
    at = clock.business_now()
    journey.react_to_all(as_of=business_day.business_date(at=at), at=at)


@shared_task(name="collections_desk.tasks.deliver", ignore_result=True)
def deliver_due(**_later: Any) -> None:
    """Send what is due."""
    at = clock.business_now()
    roads = roads_from_settings(now=clock.business_now, talks=calls.talks_of, agreements=confirmations.standing)
    try:
        deliver.deliver(as_of=business_day.business_date(at=at), at=at, roads=roads, now=clock.business_now)
    finally:
        roads.close()


@shared_task(name="collections_desk.tasks.dry_run", ignore_result=True)
def dry_run(*, run_id: int, **_later: Any) -> None:
    """Try a policy on the book, as somebody asked in the admin."""
    dry_runs.carry_out(run_id, at=clock.business_now(), now=clock.business_now)


def start_figures(*, as_of: date, days: int) -> bool:
    """Ask a worker for the figures of a day and length; false when the broker cannot be reached."""
    try:
        restate_figures.delay(as_of=as_of.isoformat(), days=days)
    except OperationalError:
        return False
    return True


@shared_task(name="collections_desk.tasks.restate_figures", ignore_result=True)
def restate_figures(*, as_of: str, days: int, **_later: Any) -> None:
    """Compute the figures of a day again, as somebody asked on their page."""
    at = clock.business_now()
    today = business_day.business_date(at=at)
    restating.carry_out(as_of=date.fromisoformat(as_of), days=days, business_date=today, at=at)


@shared_task(name="collections_desk.tasks.send_reports", ignore_result=True)
def send_reports(**_later: Any) -> None:
    """Make the mails of reports whose day is recorded and whose hour has come, and send what is due."""
    at = clock.business_now()
    reports.fall_due(at=at)
    road = mail_road(now=clock.business_now)
    try:
        report_sending.send_due(at=at, road=road, now=clock.business_now)
    finally:
        road.close()


@shared_task(name="collections_desk.tasks.call_webhooks", ignore_result=True)
def call_webhooks(**_later: Any) -> None:
    """Tell other systems what they asked to hear."""
    webhooks.send_due(clock.business_now())
