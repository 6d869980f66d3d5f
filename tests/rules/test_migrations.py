"""Migrations: complete, one line of them a room, and flowing downward as imports do."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

#: Lowest first.
ROOMS = ("accounts", "dunning", "agents", "collections_desk")


@pytest.fixture
def loader() -> MigrationLoader:
    return MigrationLoader(None)


@pytest.mark.django_db
def test_no_model_has_changed_without_its_migration(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        call_command("makemigrations", "--check", "--dry-run", "--skip-checks", verbosity=1)
    except SystemExit:
        pytest.fail(capsys.readouterr().out)


def test_every_room_has_one_last_migration(loader: MigrationLoader) -> None:
    for room in ROOMS:
        leaves = loader.graph.leaf_nodes(room)
        assert len(leaves) == (1 if room in loader.migrated_apps else 0), leaves


def test_no_room_waits_for_one_above_it(loader: MigrationLoader) -> None:
    upward = [
        f"{room}.{name} → {wanted}"
        for (room, name), migration in loader.disk_migrations.items()
        if room in ROOMS
        for wanted, _ in migration.dependencies
        if wanted in ROOMS and ROOMS.index(wanted) > ROOMS.index(room)
    ]
    assert upward == []


def test_nothing_refers_to_a_table_of_a_room_above_it(loader: MigrationLoader) -> None:
    state = loader.project_state()
    upward = [
        f"{room}.{model}.{name} → {field.remote_field.model}"
        for (room, model), options in state.models.items()
        if room in ROOMS
        for name, field in options.fields.items()
        if field.is_relation and isinstance(field.remote_field.model, str)
        for wanted in [field.remote_field.model.lower().partition(".")[0]]
        if wanted in ROOMS and ROOMS.index(wanted) > ROOMS.index(room)
    ]
    assert upward == []
