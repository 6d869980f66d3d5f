"""Serves the desk: web, worker and beat in one command, against your servers or the embedded ones."""

from __future__ import annotations

import argparse

from django.core.management import call_command
from django.core.management.base import BaseCommand

from collections_desk import processes


class Command(BaseCommand):
    help = "Migrates the database, then runs web, worker and beat until SIGINT or SIGTERM."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="the port to listen on (default %(default)s)")

    def handle(self, *args: object, host: str, port: int, **options: object) -> None:
        try:
            processes.require_free_port(host=host, port=port)
            call_command("migrate", interactive=False, verbosity=0)
            shown = f"The desk is on http://{processes.reached_at(host)}:{port} (stop it with Ctrl-C)"
            processes.run(host=host, port=port, lines=[shown])
        except processes.PortTaken as problem:
            processes.refuse(problem)
