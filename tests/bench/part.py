"""One measurement: work done in a process of its own, so that its peak memory is its own; and the table of them all."""

from __future__ import annotations

import math
import multiprocessing
import resource
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from django.db import connections

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table. ``count`` things took ``seconds``; ``floor`` is what the same things took there."""

    part: str
    accounts: int
    count: int
    of: str
    seconds: float
    #: Seconds of the floor for as many; none where there is no floor.
    floor: float | None = None
    aim: str = ""
    peak_mib: float | None = None
    note: str = ""

    @property
    def rate(self) -> float:
        return self.count / self.seconds if self.seconds else math.inf


def apart(work: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> tuple[Answer, float]:
    """Do the work in a forked process; its answer, and the peak memory in MiB of the largest process it took."""
    connections.close_all()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        return pool.submit(_weighed, work, args, kwargs).result()


def _weighed(work: Callable[..., Answer], args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[Answer, float]:
    answer = work(*args, **kwargs)
    connections.close_all()
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return answer, largest / 1024  # Linux counts in KiB


def say(text: str) -> None:
    """How far the run is, beside the table."""
    print(text, file=sys.stderr, flush=True)


_HEADINGS = ("part", "accounts", "done", "seconds", "per second", "times floor", "growth", "aim", "peak MiB", "note")


def table(lines: Iterable[Line]) -> str:
    """All lines as Markdown, parts together, each with its growth exponent from the size before."""
    lines = list(lines)
    rows = [_HEADINGS]
    for part in dict.fromkeys(line.part for line in lines):
        before: Line | None = None
        for line in (line for line in lines if line.part == part):
            rows.append(_cells(line, before))
            before = line
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADINGS))]
    texts = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = " | ".join("-" * width for width in widths)
    return "\n".join(f"| {text} |" for text in [texts[0], rule, *texts[1:]])


def _cells(line: Line, before: Line | None) -> tuple[str, ...]:
    growth = ""
    if before is not None and before.accounts < line.accounts and before.count != line.count:
        growth = f"{math.log(line.seconds / before.seconds) / math.log(line.accounts / before.accounts):.2f}"
    return (
        line.part,
        f"{line.accounts:,}",
        f"{line.count:,} {line.of}",
        f"{line.seconds:.2f}",
        f"{line.rate:,.0f}",
        f"{line.seconds / line.floor:.2f}" if line.floor else "",
        growth,
        line.aim,
        f"{line.peak_mib:.0f}" if line.peak_mib else "",
        line.note,
    )
