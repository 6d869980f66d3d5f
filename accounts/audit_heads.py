"""The head of the chain, given out: a short signed text that others keep, and that the chain must contain ever after.

Whoever owns the database can rewrite the history and every seal over it; then the chain proves itself again. It does
not contain a head any more that was given out before, and nobody without the key can make one that was not.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from django.conf import settings
from django.db import connection, transaction

from accounts import audit, events
from accounts.audit import Head, Problem, Progress, Verdict
from accounts.business_day import business_date
from accounts.models import Seal, SealedHead
from accounts.refusals import Refused

TITLE = "Collections Desk: head of the event chain, version 1"

_TEXT = re.compile(
    rf"""(?P<signed>{re.escape(TITLE)}
events: (?P<events>\d{{1,18}})
seal: (?P<seal>\d{{1,18}})
last event: (?P<last>-?\d{{1,19}})
sealed at: (?P<sealed_at>\S+)
hash: sha256 (?P<hash>[0-9a-f]{{64}})
given out at: (?P<given_at>\S+)
given out by: (?P<given_by>[^\n]+)
key: (?P<key>[0-9a-f]{{16}})
)signature: ed25519 (?P<signature>[A-Za-z0-9+/=]+)\n?"""
)


class CannotGiveOut(Refused):
    """There is no head to give out, or no key to sign it with."""


class CannotRead(Refused):
    """The text is no head, or the key is none."""

    code = "invalid"


def give_out(*, by: str, at: datetime) -> SealedHead:
    """Seal what was written so far, sign the head of the chain and keep that it was given out; an event tells of it.

    Raises ``CannotGiveOut`` where nothing is sealed, or where the key cannot be read.
    """
    audit.seal(at=at)
    key = _signing_key()
    last = Seal.objects.defer("event_ids", "digests").order_by("-pk").first()
    if last is None:
        raise CannotGiveOut("Nothing is sealed yet: there is no head to give out.")
    told = {
        "seal": last,
        "events": _events_up_to(last.pk),
        "hash": last.hash,
        "key_id": key_id(key.public_key()),
        "given_by": by,
        "given_at": at,
    }
    signature = key.sign(_signed(SealedHead(**told)).encode())
    with transaction.atomic():
        head = SealedHead.objects.create(**told, signature=signature)
        events.record(
            account_id=None,
            kind=events.HEAD_GIVEN_OUT,
            actor=by,
            at=at,
            on=business_date(at=at),
            payload={"head": head.pk, "seal": last.pk, "events": head.events, "key": head.key_id},
        )
    return head


def text(head: SealedHead) -> str:
    """The head as it is given out and kept: lines for a person, the last one the signature over those above it."""
    return f"{_signed(head)}signature: ed25519 {base64.b64encode(bytes(head.signature)).decode()}\n"


def check(kept: str, public_key: Ed25519PublicKey, *, workers: int = 1, say: Progress | None = None) -> Verdict:
    """Whether the key signed that text, and the chain of today is whole and contains exactly that head.

    Raises ``CannotRead`` for a text that is no head at all.
    """
    found = read(kept)
    if found.key_id != key_id(public_key):
        detail = f"it was signed with the key {found.key_id}, and this key is {key_id(public_key)}"
        return Verdict(0, 0, Problem(None, "other_key", detail))
    try:
        public_key.verify(found.signature, found.signed)
    except InvalidSignature:
        return Verdict(0, 0, Problem(None, "bad_signature", "the head is not what was signed"))
    return audit.verify(heads=[found.head], workers=workers, say=say)


@dataclass(frozen=True, slots=True)
class Kept:
    """A head as its text has it, its signature not looked at yet."""

    head: Head
    key_id: str
    given_by: str
    signed: bytes
    signature: bytes


def read(kept: str) -> Kept:
    """What the text says. Raises ``CannotRead`` where it is no head, or only a part of one."""
    found = _TEXT.fullmatch(kept.replace("\r\n", "\n").strip() + "\n")
    if found is None:
        raise CannotRead("This is no head of the event chain: it begins and ends as it was given out, or not at all.")
    try:
        signature = base64.b64decode(found["signature"], validate=True)
        given_at = datetime.fromisoformat(found["given_at"])
    except ValueError:
        raise CannotRead("This is no head of the event chain: a line of it cannot be read.") from None
    head = Head(int(found["events"]), int(found["last"]), bytes.fromhex(found["hash"]), given_at)
    return Kept(head, found["key"], found["given_by"], found["signed"].encode(), signature)


def public_key() -> Ed25519PublicKey:
    """The key with which everybody can check what this desk gives out."""
    return _signing_key().public_key()


def public_text() -> str:
    """The same as PEM, for a file beside the heads."""
    return public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(pem: str) -> Ed25519PublicKey:
    """Raises ``CannotRead`` for anything but an Ed25519 public key as PEM."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise CannotRead("This is no Ed25519 public key as PEM.")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """By which a key is named: the first bytes of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _signed(head: SealedHead) -> str:
    return (
        f"{TITLE}\n"
        f"events: {head.events}\n"
        f"seal: {head.seal_id}\n"
        f"last event: {head.seal.last_event_id}\n"
        f"sealed at: {_moment(head.seal.sealed_at)}\n"
        f"hash: sha256 {bytes(head.hash).hex()}\n"
        f"given out at: {_moment(head.given_at)}\n"
        f"given out by: {head.given_by}\n"
        f"key: {head.key_id}\n"
    )


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _events_up_to(seal: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(cardinality(event_ids)) FROM accounts_seal WHERE id <= %s", [seal])
        return int(cursor.fetchone()[0])


def _signing_key() -> Ed25519PrivateKey:
    """The desk's key, made on first use; whoever reads it can sign heads, so only its owner may."""
    path = Path(settings.DESK_AUDIT_KEY)
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        _make(path)
        pem = path.read_bytes()
    except OSError as problem:
        raise CannotGiveOut(f"The key that signs heads cannot be read: {problem.strerror}.") from None
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CannotGiveOut("The key that signs heads is no Ed25519 key as PEM without a password.")
    return key


def _make(path: Path) -> None:
    """A new key, whole or not at all; where another process was first, its key counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(made)
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
