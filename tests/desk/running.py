"""Processes to try the building with, and a count of what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]

USER = """
import sys
from collections_desk import embedded
embedded.ensure_running()
print("running", flush=True)
sys.stdin.readline()
"""


def surroundings(var: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who brings no servers and keeps everything in `var`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("DESK_", "DATABASE_", "REDIS_"))}
    return {**ours, "DESK_VAR_DIR": str(var), **more}


def start_user(var: Path) -> subprocess.Popen[str]:
    """A process that uses the servers until its standard input ends; it says `running` once they do."""
    return subprocess.Popen(
        [sys.executable, "-c", USER],
        cwd=BASE_DIR,
        env=surroundings(var),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def user_of(var: Path) -> Iterator[subprocess.Popen[str]]:
    with start_user(var) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            yield process
        finally:
            if process.poll() is None:
                process.communicate("\n", timeout=30)


def processes_of(var: Path) -> dict[int, str]:
    """Everything that runs for `var`, by process id: what carries it in its environment or stands in it."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            belongs = f"DESK_VAR_DIR={var}".encode() in (folder / "environ").read_bytes().split(b"\0")
            belongs = belongs or Path(os.readlink(folder / "cwd")).is_relative_to(var)
            if belongs:
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return {pid: command for pid, command in found.items() if command}


def matching(var: Path, *words: str) -> list[int]:
    return [pid for pid, command in processes_of(var).items() if all(word in command for word in words)]


def guardians(var: Path) -> list[int]:
    return matching(var, "collections_desk.embedded")


def postmasters(var: Path) -> list[int]:
    return matching(var, "bin/postgres", "-D")


def eventually(holds: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # its parent may have ended it meanwhile
            os.kill(pid, signal.SIGKILL)
