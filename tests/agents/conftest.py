from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

#: What migrations put there stays; everything else goes.
_KEPT = {
    "agents_complaintclock", "agents_criterion", "agents_disposition", "agents_disputeclock", "agents_samplingrule",
    "agents_scorecard", "agents_wordcheck", "auth_group", "auth_group_permissions", "auth_permission",
    "django_content_type", "dunning_holdrule", "dunning_segment",
}  # fmt: skip


@pytest.fixture(scope="session")
def test_database(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, also in a run that has no marked test: pytest-django makes it for those alone.

    Without it such a run would work on, and empty, the database of ``DATABASE_URL``.
    """
    if any(item.get_closest_marker("django_db") for item in request.session.items):
        yield
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        yield
        teardown_databases(made, verbosity=0)


@pytest.fixture
def committed(test_database: None, django_db_blocker: Any) -> Iterator[None]:
    """A database in which transactions really commit, for tests of races; emptied afterwards.

    Django's own flush cannot do it: the history refuses TRUNCATE, except to a session that acts as a replica.
    """
    with django_db_blocker.unblock():
        yield
        tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} - _KEPT
        quoted = ", ".join(connection.ops.quote_name(table) for table in sorted(tables))
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"TRUNCATE {quoted}")
            cursor.execute("SET session_replication_role = DEFAULT")
        connection.close()
