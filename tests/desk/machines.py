"""A caller of the API: somebody with a role, or a machine, and their token."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from agents.models import Agent
from tests.factories import make_agent


def caller(role: str = "agent", *, user: Agent | None = None, **columns: Any) -> APIClient:
    """A client with the token of a user of that role, or of the user given; ``user`` of the client is theirs."""
    user = user or (machine() if role == "integration" else make_agent(role, **columns))
    client = APIClient(HTTP_AUTHORIZATION=f"Token {Token.objects.get_or_create(user=user)[0].key}")
    client.user = user  # type: ignore[attr-defined]
    return client


def machine() -> Agent:
    """A user without a role, in the group that brings facts."""
    user = Agent.objects.create(username="billing")
    user.groups.add(Group.objects.get(name="integration"))
    return user
