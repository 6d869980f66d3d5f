"""Heads of the chain: what whoever owns the database can make whole again, and what they cannot."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, connection, transaction

from accounts import audit, audit_heads, events
from accounts.models import AccountEvent, Seal, SealedHead
from tests.accounts.test_audit import resealed, rewrite, write
from tests.factories import make_account, moment


@pytest.fixture
def key(settings: Any, tmp_path: Path) -> Path:
    """Where the desk keeps the key that signs; made when it is first needed."""
    settings.DESK_AUDIT_KEY = str(tmp_path / "kept" / "audit-key")
    return tmp_path / "kept" / "audit-key"


@pytest.fixture
def ids(db: None, key: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of nine sealed events in three seals."""
    monkeypatch.setattr(audit, "BATCH", 3)
    return write(make_account(), 9)


def given_out() -> str:
    return audit_heads.text(audit_heads.give_out(by="agent:ruth", at=moment()))


def checked(text: str) -> audit.Verdict:
    return audit_heads.check(text, audit_heads.public_key())


def test_a_head_seals_what_was_written_and_is_found_in_the_chain(ids: list[int]) -> None:
    text = given_out()

    assert Seal.objects.count() == 3
    assert "events: 9\n" in text
    assert f"last event: {ids[8]}\n" in text
    assert checked(text).ok
    assert checked(text.replace("\n", "\r\n")).ok
    kept = SealedHead.objects.get()
    assert audit_heads.text(kept) == text
    event = AccountEvent.objects.get(kind=events.HEAD_GIVEN_OUT)
    assert (event.actor, event.payload["events"], event.payload["key"]) == ("agent:ruth", 9, kept.key_id)


def test_an_old_head_stays_in_the_chain_as_it_grows(ids: list[int]) -> None:
    first = given_out()
    write(make_account(), 7)
    second = given_out()

    assert first != second
    assert checked(first).ok
    assert checked(second).ok


@pytest.mark.parametrize(
    "tamper",
    [
        'UPDATE accounts_accountevent SET payload = \'{"amount": "1.00"}\' WHERE id = %s',
        "DELETE FROM accounts_accountevent WHERE id = %s",
        'UPDATE accounts_accountevent SET "on" = "on" - 30 WHERE id = %s',
    ],
)
def test_what_is_hidden_by_sealing_anew_is_caught_by_the_head_alone(ids: list[int], tamper: str) -> None:
    text = given_out()
    rewrite(tamper, ids[4])
    assert not audit.verify().ok

    rewrite("DELETE FROM accounts_sealedhead")
    resealed()

    assert audit.verify().ok
    problem = checked(text).first_problem
    assert problem is not None
    assert (problem.event_id, problem.kind) == (ids[8], "head_missing")


def test_a_chain_whose_end_was_cut_off_is_whole_but_for_the_head(ids: list[int]) -> None:
    text = given_out()
    rewrite("DELETE FROM accounts_sealedhead")
    rewrite("DELETE FROM accounts_accountevent WHERE id >= %s", ids[6])
    rewrite("DELETE FROM accounts_seal WHERE last_event_id >= %s", ids[6])

    assert audit.verify().ok
    assert checked(text).first_problem is not None


def test_the_same_events_under_other_seals_are_another_chain(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    text = given_out()
    monkeypatch.setattr(audit, "BATCH", 9)
    rewrite("DELETE FROM accounts_sealedhead")
    resealed()

    assert audit.verify().ok
    assert checked(text).first_problem is not None


@pytest.mark.parametrize(
    ("was", "edited"),
    [
        ("events: 9", "events: 8"),
        ("given out by: agent:ruth", "given out by: agent:rutger"),
        ("last event: ", "last event: 1"),
        ("seal: ", "seal: 1"),
    ],
)
def test_a_head_that_was_edited_is_no_head_of_ours(ids: list[int], was: str, edited: str) -> None:
    problem = checked(given_out().replace(was, edited)).first_problem
    assert problem is not None
    assert (problem.event_id, problem.kind) == (None, "bad_signature")


def test_one_digit_of_the_hash_is_enough(ids: list[int]) -> None:
    text = given_out()
    place = text.index("sha256 ") + 7
    edited = text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :]
    problem = checked(edited).first_problem
    assert problem is not None
    assert problem.kind == "bad_signature"


def test_a_head_that_another_key_signed_is_refused(ids: list[int]) -> None:
    text = given_out()
    problem = audit_heads.check(text, Ed25519PrivateKey.generate().public_key()).first_problem
    assert problem is not None
    assert problem.kind == "other_key"


@pytest.mark.parametrize("text", ["", "no head", "signature: ed25519 AAAA", "\0"])
def test_what_is_no_head_is_said_so(ids: list[int], text: str) -> None:
    with pytest.raises(audit_heads.CannotRead):
        checked(text)


def test_there_is_no_head_of_nothing(db: None, key: Path) -> None:
    with pytest.raises(audit_heads.CannotGiveOut):
        audit_heads.give_out(by="agent:ruth", at=moment())


def test_the_key_is_made_once_and_is_its_owners_alone(ids: list[int], key: Path) -> None:
    given_out()
    first = key.read_bytes()
    given_out()

    assert key.read_bytes() == first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path.name for path in key.parent.iterdir()] == [key.name]


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_that_is_none_is_said_so(ids: list[int], key: Path, content: bytes) -> None:
    key.parent.mkdir()
    key.write_bytes(content)
    with pytest.raises(audit_heads.CannotGiveOut):
        given_out()
    assert not SealedHead.objects.exists()


def test_the_public_key_travels_as_text(ids: list[int]) -> None:
    text = given_out()
    pem = audit_heads.public_text()

    assert audit_heads.check(text, audit_heads.read_public_key(pem)).ok
    with pytest.raises(audit_heads.CannotRead):
        audit_heads.read_public_key("no key")


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_given_out_is_never_rewritten(ids: list[int], statement: str) -> None:
    given_out()
    with connection.cursor() as cursor:  # a check that waits for the commit would refuse TRUNCATE first
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format("accounts_sealedhead"))
    assert SealedHead.objects.count() == 1
