"""A policy file becomes a draft, or the published version."""

from __future__ import annotations

import argparse
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.refusals import Refused
from collections_desk.management.policy_files import document_in
from dunning import writing


class Command(BaseCommand):
    help = "Creates or updates the draft of a policy from a YAML file; --publish puts it in force as well."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.yaml")
        parser.add_argument("--publish", action="store_true", help="put it in force for cases that open from now on")

    def handle(self, *args: object, file: Path, publish: bool, **options: object) -> None:
        document = document_in(file)
        for template in writing.unknown_templates(document):
            self.stderr.write(f"{file}: nobody wrote a template {template}; the general wording is used.")
        if publish and (version := writing.same_as_published(document)):
            self.stdout.write(f"{version} is published and says the same already.")
            return
        try:
            with transaction.atomic():
                version = writing.save_draft(document, actor="import", at=timezone.now())
                if publish:
                    version = writing.publish(version, actor="import", at=timezone.now())
        except Refused as refusal:
            raise CommandError(f"{file}: {refusal}", returncode=2) from refusal
        self.stdout.write(f"{version} is {'published' if publish else 'a draft'} with {version.steps.count()} steps.")
