"""One pass over what is due to be sent, through the configured gateways."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts import business_day, settling
from agents import calls, confirmations
from collections_desk import clock, journey
from dunning import deliver
from dunning.roads import roads_from_settings


def moment(text: str) -> datetime:
    """A moment in ISO 8601; one without an offset is in the operator's zone."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))


class Command(BaseCommand):
    help = "Send what is due now (or at --at) through the configured gateways."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--at", type=moment, metavar="DATETIME")

    def handle(self, *args: Any, **options: Any) -> None:
        at = options["at"] or clock.business_now()
        as_of = business_day.business_date(at=at)
        now = (lambda: options["at"]) if options["at"] else clock.business_now
        roads = roads_from_settings(now=now, talks=calls.talks_of, agreements=confirmations.standing)
        try:
            with journey.gathering():
                # What a killed run left to react to comes first: nothing leaves for an account with news.
                settling.settle(as_of=as_of, at=at)
                journey.react_to_all(as_of=as_of, at=at)
                ended = deliver.deliver(as_of=as_of, at=at, roads=roads, now=now)
                journey.react_to_all(as_of=as_of, at=at)
        finally:
            roads.close()
        said = ", ".join(f"{count} {state}" for state, count in sorted(ended.items())) or "nothing was due"
        self.stdout.write(said)
