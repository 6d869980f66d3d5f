"""A policy as a file."""

from __future__ import annotations

import argparse

from django.core.management.base import BaseCommand, CommandError

from dunning import writing
from dunning.models import PolicyVersion


class Command(BaseCommand):
    help = "Prints the published version of a policy as YAML, its draft where none is published."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("code", metavar="CODE")

    def handle(self, *args: object, code: str, **options: object) -> None:
        states = PolicyVersion.State
        versions = PolicyVersion.objects.filter(policy__code=code).select_related("policy")
        version = versions.filter(state=states.PUBLISHED).first() or versions.filter(state=states.DRAFT).first()
        if version is None:
            raise CommandError(f"There is no policy {code} that is published or a draft.", returncode=2)
        self.stdout.write(writing.export(version), ending="")
