"""Databases made for a measurement, beside the one that is configured, and dropped after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql


@contextmanager
def migrated() -> Iterator[str]:
    """An empty desk; the process works in it until the end."""
    with _database(f"{connection.settings_dict['NAME']}_bench_{os.getpid()}", template="template1") as name:
        call_command("migrate", verbosity=0, interactive=False)
        yield name


@contextmanager
def copy_of(template: str, name: str) -> Iterator[str]:
    """The same rows again, to be worked on and thrown away. Nobody may be connected to the template."""
    with _database(f"{template}_{name}", template=template) as copied:
        yield copied


@contextmanager
def _database(name: str, *, template: str) -> Iterator[str]:
    before = connection.settings_dict["NAME"]
    _work_in("postgres")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    _work_in(name)
    try:
        yield name
    finally:
        _work_in("postgres")
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        _work_in(before)


def _work_in(name: str) -> None:
    connections.close_all()
    connection.settings_dict["NAME"] = name
