"""What a dry run found, as sentences, tables and files; from the kept result and from nothing else."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.journals import harmless

_LIMITED = {
    "throttled": "slowed down",
    "outgoing_barred": "barred from calling out",
    "suspended": "suspended",
    "disconnected": "disconnected",
}
_CHANNELS = {
    "sms": "SMS", "email": "E-mail", "letter": "Letter", "in_app": "Message in the app", "voice": "Automatic call",
}  # fmt: skip


def headline(result: Mapping[str, Any]) -> str:
    """The finding in one sentence: who is limited more or less than today, how many messages, what they cost."""
    parts = _limits_said(result)
    sent = sum(line.sent for line in messages(result))
    parts.append(f"{sent:,} message{'' if sent == 1 else 's'}")
    if sent:
        parts.append(f"{cost(result)} {result.get('cost_currency', '')}".strip())
    return f"{'; '.join(parts)}."


def _limits_said(result: Mapping[str, Any]) -> list[str]:
    now = Counter(limit["rung"] for limit in limits(result["days"]))
    if result.get("published") is None:
        return [f"{count:,} {_LIMITED.get(rung, rung)}" for rung, count in now.items()] or ["Nobody is limited"]
    today = Counter(limit["rung"] for limit in limits(result["published"]))
    changed = [(rung, now[rung] - today[rung]) for rung in (*_LIMITED, *sorted({*now, *today} - {*_LIMITED}))]
    said = [
        f"{abs(change):,} {'more' if change > 0 else 'fewer'} {_LIMITED.get(rung, rung)}"
        for rung, change in changed
        if change
    ]
    if not said:
        return ["As many limited as with today's version"]
    return [*said[:-1], f"{said[-1]} than with today's version"]


class MessageLine(NamedTuple):
    channel: str
    sent: int
    each: str
    total: str

    @property
    def spoken(self) -> str:
        """The channel as people call it."""
        return _CHANNELS.get(self.channel, self.channel)


def messages(result: Mapping[str, Any]) -> list[MessageLine]:
    """Messages by channel over all days, with what one and all of them cost."""
    sent: Counter[str] = Counter()
    for day in result["days"]:
        sent.update(day.get("messages") or {})
    costs = result.get("costs") or {}
    return [
        MessageLine(
            channel, count, str(costs.get(channel, {}).get("each", "")), str(costs.get(channel, {}).get("total", ""))
        )
        for channel, count in sorted(sent.items())
    ]


def cost(result: Mapping[str, Any]) -> Decimal:
    """What all messages cost together, in ``cost_currency``."""
    return sum((Decimal(str(line["total"])) for line in (result.get("costs") or {}).values()), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class StepTable:
    """How often each step is taken: a row for each day, a column for each step in the order of the policy."""

    codes: list[str]
    rows: list[tuple[str, list[int], int]]
    totals: list[int]
    total: int


def steps(result: Mapping[str, Any], order: Sequence[str]) -> StepTable:
    """The table of steps by day; ``order`` is that of the policy, steps it does not know stand at the end."""
    counted = {day["date"]: Counter(day.get("steps") or {}) for day in result["days"]}
    codes = _in_order({code for day in counted.values() for code in day}, order)
    rows = [(day, [count[code] for code in codes], count.total()) for day, count in counted.items()]
    totals = [sum(row[1][place] for row in rows) for place in range(len(codes))]
    return StepTable(codes, rows, totals, sum(totals))


class StepDifference(NamedTuple):
    code: str
    this: int
    today: int
    change: int


def differences(result: Mapping[str, Any], order: Sequence[str]) -> list[StepDifference]:
    """Each step with how often this and today's version take it; none where nothing is published."""
    if result.get("published") is None:
        return []
    this, today = (_taken(result[which]) for which in ("days", "published"))
    said: Mapping[str, int] = result.get("difference") or {}
    return [
        StepDifference(code, this[code], today[code], said.get(code, this[code] - today[code]))
        for code in _in_order({*this, *today, *said}, order)
    ]


def _taken(days: Iterable[Mapping[str, Any]]) -> Counter[str]:
    taken: Counter[str] = Counter()
    for day in days:
        taken.update(day.get("steps") or {})
    return taken


def _in_order(codes: Collection[str], order: Sequence[str]) -> list[str]:
    return [*(code for code in order if code in codes), *sorted(set(codes) - set(order))]


def limits(days: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every limit of those days with its ``date`` and its rung in words (``spoken``), in their order."""
    return in_words({"date": day["date"], **limit} for day in days for limit in day.get("limits") or ())


def in_words(limits: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same limits, each with its rung in words (``spoken``)."""
    return [{**limit, "spoken": _LIMITED.get(limit["rung"], limit["rung"])} for limit in limits]


def found_limits(result: Mapping[str, Any], *, words: str) -> list[dict[str, Any]]:
    """The limits in which each of the words stands: in the account's id, the name, the rung, the step or the date."""
    wanted = words.casefold().split()
    named = ("date", "account_id", "name", "service_id", "rung", "spoken", "step")
    return [
        limit
        for limit in limits(result["days"])
        if all(any(word in str(limit.get(key, "")).casefold() for key in named) for word in wanted)
    ]


def fees(result: Mapping[str, Any]) -> list[tuple[str, Decimal]]:
    """Fees by currency over all days."""
    charged: dict[str, Decimal] = {}
    for day in result["days"]:
        for currency, amount in (day.get("fees") or {}).items():
            charged[currency] = charged.get(currency, Decimal(0)) + Decimal(str(amount))
    return sorted(charged.items())


def restores(result: Mapping[str, Any]) -> int:
    """How many services are given back over all days."""
    return sum(int(day.get("restores") or 0) for day in result["days"])


def steps_file(result: Mapping[str, Any], order: Sequence[str]) -> str:
    """CSV: a line for each day and step, with how often it is taken."""
    table = steps(result, order)
    return _csv(
        ("date", "step", "count"),
        ((day, code, count) for day, counts, _ in table.rows for code, count in zip(table.codes, counts, strict=True)),
    )


def limits_file(result: Mapping[str, Any]) -> str:
    """CSV: a line for each service that would be limited; no cell is a formula to a spreadsheet."""
    columns = ("date", "account_id", "name", "service_id", "rung", "amount", "currency", "step")
    return _csv(columns, ([limit.get(key, "") for key in columns] for limit in limits(result["days"])))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return written.getvalue()
