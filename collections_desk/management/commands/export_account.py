"""Everything about one account in one file, for a regulator or a court."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Account
from accounts.refusals import Refused
from agents import account_file
from collections_desk.clock import business_now

ACTOR = "desk:command"


class Command(BaseCommand):
    help = "Prints the file of an account, with its trail, the seals and a signed head. Taking it out is an event."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="ACCOUNT")
        form = parser.add_mutually_exclusive_group(required=True)
        form.add_argument("--json", dest="form", action="store_const", const="json", help="every column, for a machine")
        form.add_argument("--pdf", dest="form", action="store_const", const="pdf", help="to read and to file")
        parser.add_argument("--out", type=Path, metavar="FILE", help="instead of standard output")

    def handle(self, *args: Any, account: str, form: str, out: Path | None, **options: Any) -> None:
        # No id of the book holds a NUL, and no database takes one.
        found = Account.objects.select_related("customer", "parent").filter(ref=account.replace("\0", "")).first()
        if found is None:
            raise CommandError(f"There is no account {account}.", returncode=2)
        try:
            file = account_file.take_out(found, by=ACTOR, at=business_now(), form=form, with_support=True)
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        told = account_file.pdf(file) if form == "pdf" else account_file.as_json(file)
        if out is None:
            sys.stdout.buffer.write(told)
            return
        try:
            out.write_bytes(told)
        except OSError as problem:
            raise CommandError(f"{out}: {problem.strerror}.", returncode=2) from None
