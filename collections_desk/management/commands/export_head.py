"""Give out the head of the event chain, for somebody who keeps it elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit_heads
from accounts.refusals import Refused
from collections_desk.clock import business_now

ACTOR = "desk:command"


class Command(BaseCommand):
    help = "Seals what was written, and prints the signed head of the chain; keep it where this desk cannot reach it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--public-key", action="store_true", help="print the key that checks heads instead: once, for the auditor"
        )

    def handle(self, *args: Any, public_key: bool, **options: Any) -> None:
        try:
            told = (
                audit_heads.public_text()
                if public_key
                else audit_heads.text(audit_heads.give_out(by=ACTOR, at=business_now()))
            )
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        self.stdout.write(told, ending="")
