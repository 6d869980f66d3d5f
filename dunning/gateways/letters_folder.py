"""Print runs in a folder that the print house fetches from: one folder a run, moved into place when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dunning.gateways.base import NotTaken
from dunning.gateways.print_run import UNFINISHED, Run, files_of, is_forgotten


class LettersFolderGateway:
    """Writes runs into one folder; several processes on one machine may share it."""

    knows_keys = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unfinished = folder / UNFINISHED

    def lay_out(self, run: Run, /) -> None:
        with _not_taken():
            self._unfinished.mkdir(parents=True, exist_ok=True)
            for left in self._unfinished.iterdir():
                if is_forgotten(left.name, at=run.made_at):
                    shutil.rmtree(left, ignore_errors=True)
            place = self._unfinished / run.name
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for name, content in files_of(run):
                with (place / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            _settle(place)

    def release(self, name: str, /) -> str:
        with _not_taken():
            os.rename(self._unfinished / name, self._folder / name)
            _settle(self._folder)
        return name

    def discard(self, name: str, /) -> None:
        shutil.rmtree(self._unfinished / name, ignore_errors=True)

    def is_waiting(self, name: str, /) -> bool:
        return (self._unfinished / name).is_dir()

    def close(self) -> None:
        """Nothing is open between two runs."""


@contextmanager
def _not_taken() -> Iterator[None]:
    # Either the rename happened or it did not: a failed write is never in doubt.
    try:
        yield
    except OSError as problem:
        raise NotTaken(f"{type(problem).__name__}: {problem.strerror}") from problem


def _settle(folder: Path) -> None:
    """What the folder lists survives a power cut."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
