"""Print the API token of a user."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.authtoken.models import Token

from agents.models import Agent


class Command(BaseCommand):
    help = "Prints the API token of a user, making one where there is none yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--renew", action="store_true", help="a new token; the old one opens nothing any more")

    def handle(self, *args: Any, username: str, renew: bool, **options: Any) -> None:
        user = Agent.objects.filter(username=username.replace("\0", "")).first()
        if user is None:
            raise CommandError(f"There is no user {username}.", returncode=2)
        if not user.is_active:
            raise CommandError(f"{username} is not active: their token would open nothing.", returncode=2)
        if renew:
            Token.objects.filter(user=user).delete()
        token, _made = Token.objects.get_or_create(user=user)
        self.stdout.write(token.key)
