"""Every kind of event that the product writes reads as words, with a drawing that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils import timezone

from accounts import events
from accounts.models import AccountEvent
from agents import kinds
from agents.event_words import has_words, icon_of, title_of, tone_of
from agents.timeline import timeline
from dunning import kinds as dunning_kinds
from dunning import resending
from dunning.models import Notice
from tests.factories import owing

ROOMS = ("accounts", "dunning", "agents", "collections_desk")
KIND = re.compile(r"(accounts|dunning|agents)\.[a-z_]+\.[a-z_]+|portal\.[a-z_]+")


def written_kinds() -> Iterator[tuple[str, str]]:
    """Every constant of the product that names a kind of event, with the file it stands in."""
    for room in ROOMS:
        for path in sorted((Path(settings.BASE_DIR) / room).rglob("*.py")):
            if "migrations" in path.parts or path.name == "settings.py":  # which name functions, not kinds
                continue
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Assign):
                    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                    for value in values:
                        if isinstance(value, ast.Constant) and KIND.fullmatch(str(value.value)):
                            yield str(value.value), str(path.relative_to(settings.BASE_DIR))


KINDS = dict(written_kinds())


def test_the_kinds_are_found_where_the_rooms_keep_them() -> None:
    kept = {
        value
        for module in (events, kinds, dunning_kinds)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert kept <= set(KINDS)
    assert {"agents.contact.requested", "portal.opened", "agents.webhook.added"} <= set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_that_is_written_has_words_and_a_drawing(kind: str) -> None:
    icons = (Path(settings.BASE_DIR) / "static/desk/icons.svg").read_text()

    assert has_words(kind), f"{kind} of {KINDS[kind]} has no words"
    assert f'id="{icon_of(kind)}"' in icons
    assert tone_of(kind) in {"", "good", "warn", "bad"}


def test_no_two_kinds_read_the_same() -> None:
    titles = [title_of(kind) for kind in KINDS]
    assert len(set(titles)) == len(titles)


def test_a_kind_of_an_older_version_is_read_by_its_own_words() -> None:
    assert (title_of("dunning.step.let_pass"), icon_of("dunning.step.let_pass")) == ("Step let pass", "gear")


@pytest.mark.django_db
def test_a_notice_that_somebody_sent_again_stands_among_the_notices_with_who_did_it() -> None:
    at = timezone.now()
    account = owing("100.00", as_of=at.date())
    failed = Notice.objects.create(
        account=account, customer=account.customer, key="n1.sms", step_code="reminder", channel="sms", state="failed",
        reason="timed_out", made_on=at.date(),
    )  # fmt: skip
    resending.resend(notice_id=failed.pk, actor="agent:nadia", as_of=at.date(), at=at)

    for show in ("all", "notices"):
        shown = timeline(account=account, as_of=at.date(), zone=ZoneInfo("UTC"), outcomes={}, show=show)
        again = next(entry for entry in shown.entries if entry.title == "Notice sent again by hand")
        assert (again.actor, again.group, again.icon) == ("nadia", "notices", "message")
        assert "n1" not in again.detail
    for show in ("talks", "money", "system"):
        shown = timeline(account=account, as_of=at.date(), zone=ZoneInfo("UTC"), outcomes={}, show=show)
        assert "Notice sent again by hand" not in [entry.title for entry in shown.entries]


@pytest.mark.django_db
def test_what_customers_write_stands_among_the_talks_however_many_other_events_there_are() -> None:
    at = timezone.now()
    account = owing("100.00", as_of=at.date())
    said = {"message": 4711, "channel": "sms", "intent": "call_me", "confidence": "0.9"}
    events.record(
        account_id=account.pk, kind=dunning_kinds.MESSAGE_RECEIVED, actor="desk:inbound", at=at, on=at.date(),
        reason="Asks for a call", payload=said,
    )  # fmt: skip
    AccountEvent.objects.bulk_create(
        AccountEvent(account=account, kind="dunning.step.taken", actor="x", at=at + timedelta(hours=1), on=at.date())
        for _ in range(100)
    )

    shown = timeline(account=account, as_of=at.date(), zone=ZoneInfo("UTC"), outcomes={}, show="talks")

    assert [(entry.title, entry.detail) for entry in shown.entries] == [
        ("The customer wrote", "Asks for a call · channel sms")
    ]
