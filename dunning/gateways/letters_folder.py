"""Print files for the print house: one PDF a letter, and `print-run.csv`, which lists them in the order they came.

The list is the memory: what it names was handed over, also after the print house has taken the file away. A letter is
written under a temporary name, moved into place, and listed last, so that every listed file is complete.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
import re
from pathlib import Path

from dunning.gateways.base import Message, NotTaken, Outcome

LIST_NAME = "print-run.csv"
COLUMNS = ("file", "key", "ref", "language", "bytes", "sha256", "to")


class LettersFolderGateway:
    """Writes letters into one folder; several processes on one machine may share it."""

    knows_keys = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: set[str] = set()
        self._read_to = 0

    def hand_over(self, message: Message, /) -> Outcome:
        if not message.attachment:
            return Outcome("rejected", None, "a letter without a page")
        name = file_name(message.key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / LIST_NAME).open("a+b") as print_run:
                fcntl.flock(print_run, fcntl.LOCK_EX)
                self._read_on(print_run)
                if name not in self._listed:
                    self._write(name, message.attachment)
                    self._list(print_run, name, message)
        except OSError as problem:
            # Either the list names the letter or it does not: a failed write is never in doubt.
            raise NotTaken(f"{type(problem).__name__}: {problem.strerror}") from problem
        return Outcome("accepted", name)

    def close(self) -> None:
        """Nothing is open between two letters."""

    def _read_on(self, print_run: io.BufferedRandom) -> None:
        """Reads what others have listed since; a half-written last line, left by a power cut, is cut off."""
        size = print_run.seek(0, os.SEEK_END)
        if size < self._read_to:  # a new list was begun
            self._read_to, self._listed = 0, set()
        print_run.seek(self._read_to)
        added = print_run.read()
        whole = added[: added.rfind(b"\n") + 1]
        if len(whole) < len(added):
            print_run.truncate(self._read_to + len(whole))
        self._listed.update(row[0] for row in csv.reader(io.StringIO(whole.decode(), newline="")) if row)
        self._read_to += len(whole)

    def _write(self, name: str, pdf: bytes) -> None:
        part = self._folder / f".{name}.{os.getpid()}.part"
        try:
            with part.open("wb") as file:
                file.write(pdf)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._folder / name)
        finally:
            part.unlink(missing_ok=True)

    def _list(self, print_run: io.BufferedRandom, name: str, message: Message) -> None:
        pdf = message.attachment or b""
        line = io.StringIO(newline="")
        writer = csv.writer(line)
        if self._read_to == 0:
            writer.writerow(COLUMNS)
        checksum = hashlib.sha256(pdf).hexdigest()
        to = " | ".join(message.to.split("\n"))
        writer.writerow(
            [_plain(cell) for cell in (name, message.key, message.ref, message.language, len(pdf), checksum, to)]
        )
        content = line.getvalue().encode()
        print_run.write(content)
        print_run.flush()
        os.fsync(print_run.fileno())
        self._listed.add(name)
        self._read_to += len(content)


def file_name(key: str) -> str:
    """A file name that is safe everywhere and different for different keys, also where case is not."""
    return (
        f"{re.sub(r'[^A-Za-z0-9._-]+', '-', key).strip('.-')[:80]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.pdf"
    )


def _plain(cell: object) -> str:
    """One line, and never a formula: the list is opened in spreadsheets."""
    text = " ".join(str(cell).split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
