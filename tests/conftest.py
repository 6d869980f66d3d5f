from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings as property_settings

from collections_desk import embedded
from collections_desk.celery import app

# What holds for every example does not depend on how busy the machine is.
property_settings.register_profile("desk", deadline=None)
property_settings.load_profile("desk")


def pytest_configure() -> None:
    """Every test process holds its share of the embedded servers, where they are the ones used."""
    embedded.ensure_running()
    # A desk may be running on the same Redis: its worker must not get the tests' tasks, nor its pages their cache.
    app.conf.broker_url = "memory://"
    settings.CACHES["default"]["KEY_PREFIX"] = f"desk-test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # slow on purpose otherwise
    DatabaseOperations.sql_flush = _flush


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in a browser that failed is run once more, and the report says so: see docs/decisions/0021."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


#: What data migrations put there (roles, dispositions) outlives the clean-up, so that no test depends on another's.
_SEEDED = frozenset(
    {
        "agents_complaintclock", "agents_criterion", "agents_disposition", "agents_disputeclock", "agents_samplingrule",
        "agents_scorecard", "agents_wordcheck", "auth_group", "auth_group_permissions", "auth_permission",
        "django_content_type", "dunning_holdrule", "dunning_segment",
    }
)  # fmt: skip
_flush_of_django = DatabaseOperations.sql_flush


def _flush(operations: DatabaseOperations, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
    """The clean-up after a test whose transactions really committed.

    The history refuses TRUNCATE; for one statement the session acts as a replica, for which such triggers sleep.
    """
    truncate = _flush_of_django(operations, style, [table for table in tables if table not in _SEEDED], **options)
    return ["SET LOCAL session_replication_role = replica", *truncate]
