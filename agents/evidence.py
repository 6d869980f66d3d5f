"""Evidence of a dispute: looked at, kept, shown again to whoever may see the account.

What a file is, its bytes say (``file_types``). It is kept in the database, so that it is backed up, restored and erased
with the rest; nobody deletes it by hand. Whoever opens one leaves a line in the account's history.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from PIL import Image, ImageOps

from accounts import events
from agents import card_numbers, kinds
from agents.file_types import ACCEPTED, BY_CONTENT_TYPE, MOST_PIXELS, TEXT, CannotTake, looked_at
from agents.models import Dispute, DisputeEvidence

MEGABYTE = 1024 * 1024
#: The longer side of a picture beside its name, and of one that is looked at.
THUMBNAIL, SCREEN = 160, 1600
#: What small pictures are made of; phones' HEIC is kept, and opened where it came from.
_SHOWN = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


def add(*, dispute_id: int, name: str, content: bytes, actor: str, as_of: date, at: datetime) -> DisputeEvidence:
    """Keep a file with an open dispute; the same file again is the one that is there.

    Raises ``CannotTake`` for what cannot be kept, and for more than settings allow.
    """
    if len(content) > settings.DESK_EVIDENCE_FILE_MB * MEGABYTE:
        raise CannotTake(f"{name[:80]} is larger than {settings.DESK_EVIDENCE_FILE_MB} MB.")
    kept, kind = looked_at(name, content)
    if kind is TEXT:
        _refuse_cards(kept, content)
    with transaction.atomic():
        dispute = Dispute.objects.select_for_update(of=("self",)).get(pk=dispute_id)
        if dispute.resolved_on is not None:
            raise CannotTake("This dispute is decided: contesting again is a new one.", code="conflict")
        digest = sha256(content).hexdigest()
        known = listed(dispute).filter(sha256=digest).first()
        if known is not None:
            return known
        so_far = dispute.evidence.aggregate(files=Count("pk"), size=Sum("size", default=0))
        if so_far["files"] >= settings.DESK_EVIDENCE_FILES:
            raise CannotTake(f"A dispute has {settings.DESK_EVIDENCE_FILES} files at most.", code="refused")
        if so_far["size"] + len(content) > settings.DESK_EVIDENCE_DISPUTE_MB * MEGABYTE:
            raise CannotTake(
                f"The files of a dispute come to {settings.DESK_EVIDENCE_DISPUTE_MB} MB at most.", code="refused"
            )
        evidence = DisputeEvidence.objects.create(
            dispute=dispute,
            name=kept,
            content_type=kind.content_type,
            size=len(content),
            sha256=digest,
            content=content,
            added_by=actor,
            added_at=at,
        )
        _tell(evidence, kinds.EVIDENCE_ADDED, dispute=dispute, actor=actor, as_of=as_of, at=at)
    return evidence


def _refuse_cards(name: str, content: bytes) -> None:
    try:
        card_numbers.without_cards(content.decode("utf-8", "ignore"))
    except card_numbers.CannotKeepCard:
        raise CannotTake(f"There is a card number in {name}, and none may be kept: send it without.") from None


def check_size(file: UploadedFile[Any]) -> None:
    """Raises ``CannotTake`` for a file that is larger than one may be, before it is read."""
    if (file.size or 0) > settings.DESK_EVIDENCE_FILE_MB * MEGABYTE:
        raise CannotTake(f"{(file.name or '')[:80]} is larger than {settings.DESK_EVIDENCE_FILE_MB} MB.")


def add_files(
    *, dispute_id: int, files: Iterable[UploadedFile[Any]], actor: str, as_of: date, at: datetime
) -> list[DisputeEvidence]:
    """Keep what a form brought: all of it or nothing. Raises ``CannotTake``."""
    kept = []
    with transaction.atomic():
        for file in files:
            check_size(file)
            kept.append(
                add(
                    dispute_id=dispute_id,
                    name=file.name or "",
                    content=file.read(),
                    actor=actor,
                    as_of=as_of,
                    at=at,
                )
            )
    return kept


def listed(dispute: Dispute) -> QuerySet[DisputeEvidence]:
    """The dispute's files, oldest first, without what is in them."""
    return dispute.evidence.defer("content").order_by("added_at", "pk")


def opened(*, dispute: Dispute, evidence_id: int, actor: str, as_of: date, at: datetime) -> DisputeEvidence | None:
    """A file to be handed out, with what is in it; the account's history tells of it. None: not of this dispute."""
    with transaction.atomic():
        found = dispute.evidence.filter(pk=evidence_id).first()
        if found is not None:
            _tell(found, kinds.EVIDENCE_READ, dispute=dispute, actor=actor, as_of=as_of, at=at)
    return found


def has_thumbnail(evidence: DisputeEvidence) -> bool:
    """Whether a small picture can be made of it."""
    return evidence.content_type in _SHOWN


def redrawn(evidence: DisputeEvidence, *, longer_side: int) -> bytes | None:
    """A WebP of a picture, drawn anew and no larger than that: nothing but its dots is left of the file.

    None where it is no picture that can be drawn.
    """
    wanted = _SHOWN.get(evidence.content_type)
    if wanted is None:
        return None
    try:
        with Image.open(BytesIO(bytes(evidence.content)), formats=[wanted]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            picture.draft("RGB", (longer_side, longer_side))
            small = ImageOps.exif_transpose(picture).convert("RGB")
            small.thumbnail((longer_side, longer_side))
            drawn = BytesIO()
            small.save(drawn, "WEBP", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return drawn.getvalue()


def limits_in_words() -> str:
    """What may be added, for whoever chooses files."""
    return (
        f"{ACCEPTED}; {settings.DESK_EVIDENCE_FILE_MB} MB a file, {settings.DESK_EVIDENCE_FILES} files, "
        f"{settings.DESK_EVIDENCE_DISPUTE_MB} MB in all"
    )


def said_type(evidence: DisputeEvidence) -> str:
    """The type in a word."""
    kind = BY_CONTENT_TYPE.get(evidence.content_type)
    return kind.name if kind else evidence.content_type


def _tell(evidence: DisputeEvidence, kind: str, *, dispute: Dispute, actor: str, as_of: date, at: datetime) -> None:
    events.record(
        account_id=dispute.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        payload={"dispute": dispute.ref, "evidence": evidence.pk, "type": evidence.content_type, "size": evidence.size},
    )
