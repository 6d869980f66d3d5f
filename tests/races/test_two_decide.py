"""Two people who decide on the same rule, market or text at once: one of them does, and the other is told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts.refusals import Refused
from dunning import notice_texts, rule_packs
from dunning.models import MarketPacks, NoticeText, PackChange

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Each in a thread and on a connection of its own, begun together; what each came to, or its refusal."""
    together = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            together.wait(10)
            return act()
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def refusals(found: list[Any]) -> list[Refused]:
    return [one for one in found if isinstance(one, Refused)]


def most(value: int, by: str) -> PackChange:
    return rule_packs.change(
        pack="US-FED", rule="US-FREQ-01", parameter="most", value=value, reason="x", actor=by, at=AT
    )


def test_one_change_is_agreed_to_or_refused_but_not_both() -> None:
    row = most(9, "agent:ada")
    found = at_once(
        lambda: rule_packs.approve(change_id=row.pk, actor="agent:bob", at=AT),
        lambda: rule_packs.refuse(change_id=row.pk, actor="agent:cem", at=AT),
    )
    [refusal] = refusals(found)
    assert refusal.code == "conflict"
    row.refresh_from_db()
    assert row.state in (PackChange.State.IN_FORCE, PackChange.State.REFUSED)


def test_of_two_waiting_changes_of_a_value_one_is_agreed_to() -> None:
    first, second = most(9, "agent:ada"), most(10, "agent:ada")
    found = at_once(
        lambda: rule_packs.approve(change_id=first.pk, actor="agent:bob", at=AT),
        lambda: rule_packs.approve(change_id=second.pk, actor="agent:cem", at=AT),
    )
    [refusal] = refusals(found)
    assert "Another value is in force" in str(refusal)
    assert PackChange.objects.filter(state=PackChange.State.IN_FORCE).count() == 1


def test_two_stricter_values_follow_each_other() -> None:
    found = at_once(lambda: most(5, "agent:ada"), lambda: most(3, "agent:bob"))
    assert refusals(found) == []
    in_force = PackChange.objects.filter(state=PackChange.State.IN_FORCE)
    assert in_force.count() <= 1
    # Whoever came second was judged by what the first had set: five after three is looser, and waits.
    assert rule_packs.in_force().packs["US-FED"].rule("US-FREQ-01").params.most == 3


def test_a_market_is_decided_on_once() -> None:
    rule_packs.choose(market="US", packs=[], reason="We left", actor="agent:ada", at=AT)

    def agree(agree: bool, by: str) -> MarketPacks:
        return rule_packs.agree_to_choice(market="US", seen=[], agree=agree, actor=by, at=AT)

    [refusal] = refusals(at_once(lambda: agree(True, "agent:bob"), lambda: agree(False, "agent:cem")))
    assert refusal.code == "conflict"


def draft(by: str, seen: datetime | None = None) -> NoticeText:
    content = {**notice_texts.shipped()["en"]["reminder"], "subject": by}
    return notice_texts.draft(
        template="reminder", language="en", tone="plain", content=content, registration={}, actor=by, at=AT, seen=seen
    )


def test_a_text_is_put_in_use_once_and_two_first_drafts_are_one() -> None:
    [refusal] = refusals(at_once(lambda: draft("agent:ada"), lambda: draft("agent:bob")))
    assert refusal.code == "conflict"
    row = NoticeText.objects.get()

    def publish(by: str) -> NoticeText:
        return notice_texts.publish(text_id=row.pk, actor=by, at=AT, reason="x", seen=AT)

    [refusal] = refusals(at_once(lambda: publish("agent:ada"), lambda: publish("agent:bob")))
    assert refusal.code == "conflict"
    assert NoticeText.objects.get().state == NoticeText.State.PUBLISHED
