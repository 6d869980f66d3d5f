"""A running desk with a demo book, from nothing, in one command."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts import business_day
from collections_desk import clock, processes
from collections_desk.demo.colleagues import at_work
from collections_desk.demo.loading import PEOPLE, Plan, hurried, load, make_people


class Command(BaseCommand):
    help = "Loads a demo book once, runs its last weeks for real, and serves the desk until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts", type=int, default=5_000, metavar="N", help="size of the book (default 5000)")
        parser.add_argument("--port", type=int, default=8000, metavar="P", help="the port to listen on (default 8000)")
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")

    def handle(self, *args: Any, accounts: int, host: str, port: int, **options: Any) -> None:
        started = time.monotonic()
        try:
            processes.require_free_port(host=host, port=port)
            self.stdout.write("Preparing the database")
            call_command("migrate", interactive=False, verbosity=0)
            today = business_day.calendar_date(at=clock.business_now())
            plan = Plan.kept_in(settings.VAR_DIR / "demo", accounts=accounts, today=today)
            if plan.accounts != accounts:
                kept = f"Keeping the demo book of {plan.accounts:,} accounts: another one needs an empty database"
                self.stdout.write(f"{kept} and no {plan.folder}.")
            if plan.is_loaded():
                make_people(plan.password)
            else:
                with hurried():
                    load(plan, say=self.stdout.write)
            os.environ["DESK_DEMO_PASSWORD"] = plan.password
            names = ", ".join(username for username, *_ in PEOPLE)
            lines = [
                f"The desk is on http://{processes.reached_at(host)}:{port} (stop it with Ctrl-C)",
                f"logins: {names}",
                f"password: {plan.password}",
                f"Ready after {time.monotonic() - started:.0f} seconds.",
            ]
            with at_work(clock.business_now):
                processes.run(host=host, port=port, lines=lines)
        except processes.PortTaken as problem:
            processes.refuse(problem)
