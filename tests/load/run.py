"""A run: people and accounts, locust, and the comparison."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from django.utils import timezone

from accounts.business_day import business_date
from tests.load import people, served

LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def main(arguments: Sequence[str]) -> int:
    """0: nobody's account was another's at the same time and none was lost."""
    given = _parser().parse_args(arguments)
    if not _answers(given.url):
        print(f"No desk answers at {given.url}: start one there first (make serve).", file=sys.stderr)
        return 2
    at = timezone.now()
    added = people.fill(given.accounts, as_of=business_date(at=at), at=at)
    sessions = people.hire(given.agents, at=at)
    print(f"{given.agents} agents, {given.accounts} accounts ({added} added), {given.seconds} s at {given.url}")
    since = timezone.now()
    try:
        told = _drive(given, sessions)
    finally:
        people.dismiss(sessions)
    verdict = served.compare(told["served"], sessions, since=since)
    print(f"{'':26}{'requests':>10}{'failed':>8}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
    for name, row in told["times"].items():
        print(
            f"{name:26}{row['requests']:>10}{row['failures']:>8}{row['p50']:>9.0f}{row['p99']:>9.0f}{row['most']:>9.0f}"
        )
    print(f"served {verdict.served}, claims in the audit trail {verdict.claims}, nothing free {verdict.nothing}")
    for word, found in (("doubles", verdict.doubles), ("losses", verdict.lost), ("unexplained", verdict.unexplained)):
        print(f"{word} {len(found)}" + (f": {'; '.join(found[:5])}" if found else ""))
    return 1 if verdict.doubles or verdict.lost else 0


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz/", timeout=10).ok
    except requests.RequestException:
        return False


def _drive(given: argparse.Namespace, sessions: Mapping[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "served.json"
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
        command += ["--host", given.url, "-u", str(given.agents), "-r", str(max(1, given.agents // 5))]
        command += ["-t", f"{given.seconds}s", "--stop-timeout", "20", "--loglevel", "WARNING"]
        environment = os.environ | {
            "LOAD_SESSIONS": json.dumps(sessions),
            "LOAD_SERVED": str(told),
            "LOAD_PACE": str(given.pace),
            "LOAD_PAGES": "1" if given.pages else "",
        }
        said = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        if not told.exists():
            raise RuntimeError(said.stderr[-2_000:])
        answer: dict[str, Any] = json.loads(told.read_text())
        return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the desk listens")
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--accounts", type=int, default=10_000, help="in the queue when it begins")
    parser.add_argument("--pace", type=float, default=5, help="seconds from one Next of an agent to the following")
    parser.add_argument("--pages", action="store_true", help="open the account page too")
    return parser
