"""Read what customers wrote by mail: from a mailbox, from a mail server's pipe, or from a maildir."""

from __future__ import annotations

import logging
import os
import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from mailbox import Error, Maildir
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from accounts import business_day
from collections_desk import clock
from dunning import inbound, receipts
from dunning.gateways import mailbox
from dunning.gateways.mail_in import MOST_READ, read_mail

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Read the mailbox of DESK_INBOX_URL, again and again; --once for a single pass, --stdin for one mail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--stdin", action="store_true", help="one mail, as a mail server's pipe hands it over")
        source.add_argument("--maildir", metavar="DIR", help="the new mails of a maildir; kept ones move to cur")
        parser.add_argument("--once", action="store_true", help="one pass over the mailbox")
        parser.add_argument("--every", type=int, default=30, metavar="SECONDS", help="between two passes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stdin"]:
            _keep_or_keep_waiting(sys.stdin.buffer.read(MOST_READ))
            return
        if options["maildir"]:
            self._say(*_read_maildir(options["maildir"]))
            return
        try:
            box = mailbox.Mailbox.from_url(settings.DESK_INBOX_URL)
        except ValueError as problem:
            raise CommandError(f"DESK_INBOX_URL: {problem}") from problem
        while True:
            try:
                self._say(*mailbox.read(box, _kept))
            except mailbox.MailboxUnusable as problem:
                if options["once"]:
                    raise CommandError(f"The mailbox: {problem}") from problem
                log.warning("The mailbox cannot be read; it is tried again: %s", problem)
            if options["once"]:
                return
            time.sleep(options["every"])

    def _say(self, kept: int, refused: int) -> None:
        self.stdout.write(f"{kept} read" + (f", {refused} left to a person" if refused else ""))


def keep(content: bytes, received_at: datetime) -> None:
    """One mail into the desk, committed when this returns."""
    at = clock.business_now()
    as_of = business_day.business_date(at=at)
    told = read_mail(content, received_at=min(received_at, at))
    if isinstance(told, list):
        receipts.take(told, as_of=as_of, at=at)
    else:
        inbound.receive(told, as_of=as_of, at=at)


def _keep_or_keep_waiting(content: bytes) -> None:
    """A mail server hands over again later what ends with EX_TEMPFAIL, and sends back what ends with any other code."""
    try:
        keep(content, clock.business_now())
    except DatabaseError as problem:
        raise CommandError(f"Not kept, to be handed over again: {problem}", returncode=os.EX_TEMPFAIL) from problem


def _kept(content: bytes, received_at: datetime) -> bool:
    """False for a mail that the desk cannot keep: it is logged, and must not keep back the others."""
    try:
        keep(content, received_at)
    except Exception:
        log.exception("A mail could not be kept")
        return False
    return True


def _read_maildir(folder: str) -> tuple[int, int]:
    try:
        box = Maildir(folder, create=False)
        names = [name for name in sorted(box.keys()) if box.get_message(name).get_subdir() == "new"]
    except (Error, OSError) as problem:
        raise CommandError(f"{folder} is no maildir") from problem
    kept = 0
    for name in names:
        mail = box.get_message(name)
        if _kept(box.get_bytes(name)[:MOST_READ], datetime.fromtimestamp(mail.get_date(), tz=UTC)):
            mail.set_subdir("cur")
            mail.add_flag("S")
            box[name] = mail
            kept += 1
    return kept, len(names) - kept
