"""What the agents were served, beside what the audit trail says: nothing twice at once, nothing lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.models import AccountEvent
from agents import kinds, queue
from agents.models import WorkItem


@dataclass(frozen=True, slots=True)
class Verdict:
    served: int
    nothing: int
    claims: int
    #: Accounts that two agents held at the same time, in the order of the audit trail.
    doubles: list[str]
    #: Served over HTTP without a claim in the audit trail, or claimed and never served.
    unexplained: list[str]
    #: Items that were claimed in the run and are now neither open nor done by who had them.
    lost: list[str]


def compare(served: Sequence[Mapping[str, Any]], names: Collection[str], *, since: datetime) -> Verdict:
    """Read the audit trail since the run began."""
    actors = {f"agent:{name}" for name in names}
    rows = AccountEvent.objects.filter(
        kind__in=[kinds.ITEM_CLAIMED, kinds.ITEM_RELEASED, kinds.ITEM_COMPLETED],
        on__gte=since.date() - timedelta(days=2),
        at__gte=since,
        actor__in=actors,
    ).values_list("account_id", "account__ref", "kind", "actor", "at", "payload__item")
    by_account: dict[int, list[tuple[str, str, str, datetime, int]]] = defaultdict(list)
    claimed: set[tuple[str, str]] = set()
    items: dict[int, str] = {}
    claims = 0
    for account_id, ref, kind, actor, at, item in rows.order_by("pk"):
        by_account[account_id].append((kind, actor, ref, at, item))
        items[int(item)] = ref
        if kind == kinds.ITEM_CLAIMED:
            claims += 1
            claimed.add((actor, ref))
    told = {(f"agent:{row['agent']}", row["account"]) for row in served if row["account"]}
    done = WorkItem.objects.filter(pk__in=items).values_list("pk", "done_at", "done_by", "claimed_by")
    lost = [items[pk] for pk, done_at, done_by, holder in done if done_at is not None and done_by is None]
    lost += [items[pk] for pk in items.keys() - {row[0] for row in done}]
    return Verdict(
        served=len([row for row in served if row["account"]]),
        nothing=len([row for row in served if not row["account"]]),
        claims=claims,
        doubles=[double for rows in by_account.values() for double in _doubles(rows)],
        unexplained=[f"{actor} {ref}" for actor, ref in sorted(told ^ claimed)],
        lost=lost,
    )


def _doubles(rows: Sequence[tuple[str, str, str, datetime, int]]) -> list[str]:
    """Claims while another still held the account."""
    found = []
    holder, since = "", None
    for kind, actor, ref, at, _item in rows:
        if kind == kinds.ITEM_CLAIMED:
            expired = since is not None and at >= since + queue.LEASE
            if holder and holder != actor and not expired:
                found.append(f"{ref}: {holder}, then {actor}")
            holder, since = actor, at
        elif actor == holder:
            holder, since = "", None
    return found
