"""Reports by mail: those that are due, or those of a recorded day, through the configured gateway."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from agents import report_sending, reports
from collections_desk import clock
from dunning.roads import mail_road


class Command(BaseCommand):
    help = "Send the reports that are due now, or with --as-of those of a day that was recorded, whatever the hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", type=date.fromisoformat, metavar="DATE", help="of this day, as it was recorded")
        parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and to whom; send nothing")

    def handle(self, *args: Any, as_of: date | None, dry_run: bool, **options: Any) -> None:
        at = clock.business_now()
        if dry_run:
            for one in reports.due(at=at, as_of=as_of):
                self.stdout.write(_in_words(one))
            return
        if as_of is None:
            reports.fall_due(at=at)
        else:
            reports.make_of_day(as_of=as_of, at=at)
        road = mail_road(now=clock.business_now)
        try:
            ended = report_sending.send_due(at=clock.business_now(), road=road, now=clock.business_now)
        finally:
            road.close()
        self.stdout.write(", ".join(f"{count} {state}" for state, count in sorted(ended.items())) or "nothing was due")


def _in_words(one: reports.Due) -> str:
    """One line a report: who gets it, and who does not for which reason; addresses are not printed."""
    if one.as_of is None:
        return f"{one.schedule.pk} {one.schedule.title}: waits until a day is recorded"
    told = []
    for recipient in one.recipients:
        who = recipient.agent.username if recipient.agent is not None else f"address {recipient.pk}"
        why = reports.objection(one.schedule, recipient.agent, recipient.address)
        told.append(f"{who} (not sent: {why})" if why else who)
    return f"{one.schedule.pk} {one.schedule.title}, {one.as_of}: {', '.join(told) or 'nobody is left to send it to'}"
