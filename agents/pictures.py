"""Matrices, curves, funnels and maps, from the same sums as the figures.

Plain JSON: amounts are text with the currency's decimals, shares text in per cent with two; counts are numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from accounts import money
from accounts.position import BUCKETS
from agents.scopes import Sums

#: Where the balance of a bucket may have gone beside the buckets.
ENDS = ("paid", "closed", "written_off")


def of(sums: Sums, currency: str, *, sampled_one_in: int = 1, kept: Iterable[str] = ()) -> dict[str, Any]:
    """Every picture of a scope's sums. ``kept``: the days of the curve of which it is kept where accounts stood."""
    return {
        "roll_matrix": roll_matrix(sums, currency),
        "vintages": vintages(sums, currency, sampled_one_in=sampled_one_in),
        "ageing": ageing(sums, currency, kept=kept),
        "promise_funnel": promise_funnel(sums, currency),
        "contact_funnel": contact_funnel(sums),
        "heat_map": heat_map(sums),
        "suspension": {
            "warned": sums.count("warned"),
            "paid_in_7": sums.count("warned_paid"),
            "suspended": sums.count("limited"),
            "wrongly": sums.count("limited_wrongly"),
        },
        "cost": cost(sums, currency),
        "compliance": [
            {"rule": rule, "blocked": int(count), "overridden": sums.count("rule_overridden", rule)}
            for (rule,), count in sums.family("rule_refused").items()
        ],
        "outside_hours": sums.count("outside_hours"),
    }


def roll_matrix(sums: Sums, currency: str) -> dict[str, dict[str, dict[str, str]]]:
    """Where the balance of each bucket went, accounts by their worst bucket; every row comes to 100.00 exactly."""
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for (was, became), amount in sums.family("matrix").items():
        found[was][became] = amount
    return {
        was: {
            became: {"share": f"{share:.2f}", "amount": money.plain(found[was][became], currency)}
            for became, share in _shares(found[was]).items()
        }
        for was in BUCKETS
        if was in found
    }


def _shares(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    """Per cent with two decimals that come to 100: what rounding leaves over goes to those it cut the most."""
    ordered = {name: amounts[name] for name in (*BUCKETS, *ENDS) if name in amounts}
    whole, cent = sum(ordered.values(), Decimal(0)), Decimal("0.01")
    exact = {name: amount * 100 / whole for name, amount in ordered.items()}
    cut = {name: share // cent * cent for name, share in exact.items()}
    left = int((100 - sum(cut.values(), Decimal(0))) / cent)
    for name in sorted(exact, key=lambda name: cut[name] - exact[name])[:left]:
        cut[name] += cent
    return cut


def vintages(sums: Sums, currency: str, *, sampled_one_in: int = 1) -> list[dict[str, Any]]:
    """Of the bills of each month, oldest first, what was paid within so many days of issue.

    A month whose youngest bills are not that old has less than it will have. ``one_in``: of how many accounts one was
    followed.
    """
    return [
        {
            "month": month,
            "billed": money.plain(billed, currency),
            "collected_pct": {
                days: f"{sums.of('vintage_paid', month, days) * 100 / billed:.2f}" for days in ("30", "60", "90")
            },
            "one_in": sampled_one_in,
        }
        for (month,), billed in sums.family("vintage_billed").items()
        if billed > 0
    ]


def ageing(sums: Sums, currency: str, *, kept: Iterable[str]) -> list[dict[str, Any]]:
    """What was past due, by bucket, week by week, oldest first; weeks that were not kept are left out."""
    return [
        {
            "on": day,
            "buckets": {bucket: money.plain(sums.of("ageing", bucket, day), currency) for bucket in BUCKETS[1:]},
        }
        for day in sorted(kept)
    ]


def promise_funnel(sums: Sums, currency: str) -> list[dict[str, Any]]:
    """Promises made; those that fell due, and what became of them."""

    def step(name: str, count: Decimal, amount: Decimal) -> dict[str, Any]:
        return {"name": name, "n": int(count), "amount": money.plain(amount, currency)}

    counts = {state: count for (state,), count in sums.family("judged_count").items()}
    amounts = {state: amount for (state,), amount in sums.family("judged").items()}
    nothing = Decimal(0)
    return [
        step("made", sums.of("promises_made"), sums.of("promises_made_amount")),
        step("fell_due", sum(counts.values(), nothing), sum(amounts.values(), nothing)),
        *(
            step(state, counts.get(state, nothing), amounts.get(state, nothing))
            for state in ("kept", "part_kept", "broken")
        ),
    ]


def contact_funnel(sums: Sums) -> list[dict[str, Any]]:
    """Accounts on their way from the queue to a kept promise."""
    steps = {
        "queue": "accounts_queued",
        "attempted": "accounts_called",
        "connected": "accounts_connected",
        "right_party": "accounts_right_party",
        "promise": "accounts_promised",
        "kept": "accounts_kept",
    }
    return [{"name": name, "n": sums.count(counted)} for name, counted in steps.items()]


def heat_map(sums: Sums) -> dict[str, dict[str, dict[str, int]]]:
    """Calls we made by weekday (0 is Monday) and hour of the operator."""
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    attempts = sums.family("heat_attempts")
    for weekday, hour in sorted(attempts, key=lambda place: (int(place[0]), int(place[1]))):
        found[weekday][hour] = {
            "attempts": int(attempts[weekday, hour]),
            "right_party": sums.count("heat_right_party", weekday, hour),
        }
    return dict(found)


def cost(sums: Sums, currency: str) -> dict[str, str]:
    """What collecting cost, by what it went to, and what it brought."""
    parts = {
        "pay": sums.of("cost_pay"),
        "calls": sums.of("cost_calls"),
        "messages": sums.of("cost_messages"),
        "commission": sums.of("commission"),
        "overhead": sums.of("cost_overhead"),
    }
    whole = {**parts, "total": sum(parts.values(), Decimal(0)), "collected": sums.of("received")}
    return {name: money.plain(amount, currency) for name, amount in whole.items()}
