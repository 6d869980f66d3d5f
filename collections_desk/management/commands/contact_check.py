"""Ask the contact gate about one account."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.business_day import business_date, calendar_date
from accounts.importing.columns import EARLIEST, LATEST
from accounts.models import Account
from agents import calls
from collections_desk.clock import business_now
from collections_desk.resource import decision_resource
from dunning.gate.decision import Decision

CHANNELS = ("call", "sms", "email", "letter")


def moment(text: str) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    try:
        given = datetime.fromisoformat(text)
        moment = (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a moment such as 2026-08-04T18:30:00-04:00") from None
    if not EARLIEST <= moment.date() <= LATEST:
        raise ArgumentTypeError(f"{text!r} is not between {EARLIEST} and {LATEST}")
    return moment


class Command(BaseCommand):
    help = "Says whether the customer of an account may be contacted on a channel, now or at a moment, and why not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="ACCOUNT")
        parser.add_argument("--channel", choices=CHANNELS, required=True)
        parser.add_argument("--at", type=moment, metavar="ISO8601", help="now unless given; without an offset, UTC")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, account: str, channel: str, at: datetime | None, **options: Any) -> None:
        now = business_now()
        # No id of the book holds a NUL, and no database takes one.
        account_id = Account.objects.filter(ref=account.replace("\0", "")).values_list("pk", flat=True).first()
        if account_id is None:
            raise CommandError(f"There is no account {account}.", returncode=2)
        # Of another moment the day of that moment is meant: what held then, or will.
        as_of = business_date(at=now) if at is None else calendar_date(at=at)
        decision = calls.ask_gate(account_id=account_id, channel=channel, at=at or now, as_of=as_of)
        if options["json"]:
            self.stdout.write(json.dumps(decision_resource(decision)))
        else:
            self.stdout.write(in_words(decision))


def in_words(decision: Decision) -> str:
    """For a person: the outcome, then why, then what would help."""
    lines = [decision.outcome + (f" until {decision.next_allowed_at.isoformat()}" if decision.next_allowed_at else "")]
    lines += [f"  {reason}" for reason in decision.reasons]
    if decision.rule_ids:
        lines.append(f"  Rules: {', '.join(decision.rule_ids)} ({', '.join(decision.pack_versions)})")
    if decision.requires:
        lines.append(f"  Needs: {', '.join(decision.requires)}")
    if decision.override != "none":
        lines.append(f"  May be overridden by a {decision.override}, with a reason.")
    return "\n".join(lines)
