"""The database itself refuses to rewrite the history, whoever asks."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from accounts import audit, events
from accounts.models import AccountEvent, PendingEvent, Seal
from tests.factories import TODAY, make_account, moment

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> AccountEvent:
    account = make_account()
    events.record(account_id=account.pk, kind="desk.note.added", actor="agent:nadia", at=moment(), on=TODAY, react=True)
    audit.seal(at=moment())
    with (
        connection.cursor() as cursor
    ):  # a check of a foreign key that waits for the commit would refuse TRUNCATE first
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return AccountEvent.objects.get()


@pytest.mark.parametrize("table", ["accounts_accountevent", "accounts_seal"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {} SET id = id WHERE true"]
)
def test_rewriting_is_refused_and_nothing_is_lost(event: AccountEvent, table: str, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))
    assert AccountEvent.objects.count() == Seal.objects.count() == 1


def test_the_orm_is_refused_too(event: AccountEvent) -> None:
    for rewrite in (
        lambda: AccountEvent.objects.update(reason=F("actor")),
        lambda: event.save(update_fields=["actor"]),
        lambda: AccountEvent.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rewrite()


def test_what_waits_for_a_reaction_may_go(event: AccountEvent) -> None:
    assert PendingEvent.objects.all().delete()[0] == 1
