"""Letters leave together: a print run is laid out in full, then written down, then released; whole or not at all.

What a worker that died left behind tells by itself how far it had come. Laid out and not written down: its letters are
still waiting, and the rest is swept away one day. Written down and still laid out: not released, so its letters wait
again. Written down and not laid out any more: released, so its letters have left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import transaction
from django.db.models import F

from dunning import cases
from dunning.gateways.base import Message, NotTaken, Outcome, Unclear
from dunning.gateways.print_run import PrintHouse, Run
from dunning.models import Notice, PrintRun
from dunning.roads import Roads

#: Letters in one run, at most.
MOST = 500
CHANNEL = "letter"


class Leaving(Protocol):
    """What a run needs of the pass that its letters are in."""

    at: datetime
    clock: Callable[[], datetime]
    roads: Roads
    ended: Counter[str]

    def intend(self, row: Any, now: datetime) -> bool: ...
    def retry(self, row: Any, detail: str, wait: timedelta | None) -> None: ...
    def later(self, row: Any, detail: str, send_at: datetime) -> None: ...
    def still_ours(self, row: Any) -> bool: ...
    def take(self, row: Any, outcome: Outcome, at: datetime) -> None: ...
    def write_down(self, rows: Sequence[Any]) -> None: ...
    def tell(self, rows: Sequence[Any], at: datetime) -> None: ...


@dataclass(slots=True)
class _Letter:
    row: Notice
    message: Message


class PrintRuns:
    """The letters of one pass."""

    def __init__(self, leaving: Leaving) -> None:
        self._pass = leaving
        self._gathered: list[_Letter] = []
        self._since: datetime | None = None

    def gather(self, row: Notice, message: Message) -> None:
        self._since = self._since or self._pass.clock()
        self._gathered.append(_Letter(row, message))

    def leave(self, *, waited: timedelta = timedelta(0)) -> None:
        """Hand over what is gathered; with ``waited``, only a full run or letters that have waited so long."""
        if self._since is None:
            return
        if waited and len(self._gathered) < MOST and self._pass.clock() - self._since < waited:
            return
        letters, self._gathered, self._since = self._gathered, [], None
        for start in range(0, len(letters), MOST):
            self._leave(letters[start : start + MOST])

    def _leave(self, letters: list[_Letter]) -> None:
        leaving, breaker = self._pass, self._pass.roads.breakers[CHANNEL]
        house: PrintHouse = leaving.roads.messages[CHANNEL]
        now = leaving.clock()
        if not breaker.lets_through(at=now):
            free = breaker.free_at() or now + timedelta(minutes=1)
            for letter in letters:
                leaving.later(letter.row, "the gateway rests after failures", free)
            return
        while letters:
            run = Run.of(tuple(letter.message for letter in letters), at=now)
            try:
                house.lay_out(run)
            except NotTaken as problem:
                self._not_taken(letters, problem, tried=False)
                return
            going = self._write_down(run, letters, now)
            if len(going) == len(letters):
                self._release(house, run, letters)
                return
            # One of them was withdrawn, or its account is moving: the run without it.
            house.discard(run.name)
            letters = going

    def _write_down(self, run: Run, letters: Sequence[_Letter], now: datetime) -> list[_Letter]:
        """Commit that these are about to leave, all of them or none; those that may."""
        before = [(letter.row.attempts, letter.row.state, letter.row.lease_until) for letter in letters]
        with transaction.atomic():
            going = [letter for letter in letters if self._pass.intend(letter.row, now)]
            if len(going) == len(letters):
                PrintRun.objects.create(name=run.name, made_at=now, letters=len(letters), sheets=run.sheets)
                for letter in letters:
                    letter.row.print_run = run.name
                Notice.objects.filter(pk__in=[letter.row.pk for letter in letters]).update(print_run=run.name)
                return going
            transaction.set_rollback(True)
        for letter, kept in zip(letters, before, strict=True):
            letter.row.attempts, letter.row.state, letter.row.lease_until = kept
        return going

    def _release(self, house: PrintHouse, run: Run, letters: Sequence[_Letter]) -> None:
        leaving = self._pass
        try:
            name = house.release(run.name)
        except NotTaken as problem:
            self._not_taken(letters, problem, tried=True)
            with transaction.atomic():
                _forget(run.name)
        except Unclear as problem:
            # Whether it still lies there will tell: the next pass looks.
            leaving.roads.note_failure(CHANNEL, problem.detail, at=leaving.clock())
            leaving.ended["waiting"] += len(letters)
        else:
            leaving.roads.note_success(CHANNEL, at=leaving.clock())
            with transaction.atomic():
                cases.lock({letter.row.account_id for letter in letters})
                ours = [letter.row for letter in letters if leaving.still_ours(letter.row)]
                self._sent(ours, name, leaving.clock())
                PrintRun.objects.filter(name=run.name).update(handed_over_at=leaving.clock())

    def _sent(self, rows: Sequence[Notice], name: str, at: datetime) -> None:
        for row in rows:
            self._pass.take(row, Outcome("accepted", name[:120]), at)
        self._pass.write_down(rows)
        self._pass.tell(rows, at)

    def _not_taken(self, letters: Sequence[_Letter], problem: NotTaken, *, tried: bool) -> None:
        self._pass.roads.note_failure(CHANNEL, problem.detail, at=self._pass.clock())
        if not tried:  # written down as tries all the same, so that somebody looks one day
            Notice.objects.filter(pk__in=[letter.row.pk for letter in letters]).update(attempts=F("attempts") + 1)
        for letter in letters:
            letter.row.attempts += not tried
            self._pass.retry(letter.row, problem.detail, problem.retry_after)

    def recover(self) -> None:
        """Runs whose worker died between writing down and the end."""
        leaving = self._pass
        house: Any = leaving.roads.messages.get(CHANNEL)
        left = Notice.objects.filter(state="handing_over", channel=CHANNEL, lease_until__lt=leaving.at)
        for name in left.exclude(print_run="").order_by().values_list("print_run", flat=True).distinct():
            if not hasattr(house, "is_waiting"):
                continue
            try:
                waiting = house.is_waiting(name)
            except NotTaken:
                continue  # the next pass may learn it
            with transaction.atomic():
                stuck = left.filter(print_run=name).select_related("customer")
                rows = list(stuck.select_for_update(skip_locked=True, of=("self",)))
                if waiting:
                    for row in rows:
                        leaving.later(row, "the worker stopped before the run was released", leaving.at)
                    _forget(name)
                else:
                    self._sent(rows, name, leaving.clock())
                    PrintRun.objects.filter(name=name).update(handed_over_at=leaving.clock())
            if waiting:
                house.discard(name)


def _forget(name: str) -> None:
    """A run that was never released never was."""
    Notice.objects.filter(print_run=name).update(print_run="")
    PrintRun.objects.filter(name=name).delete()
