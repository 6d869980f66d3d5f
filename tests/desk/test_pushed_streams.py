"""What is pushed to browsers, over the real web server: pages stay quick beside it, and it ends when the desk does."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from pathlib import Path

from agents import streams
from tests.desk import running
from tests.desk.test_processes import get, port, served, var

__all__ = ["port", "var"]

#: Two processes serve the web.
PROCESSES = 2
#: Far less than a stream lasts, and enough for a machine that does much else.
ON_A_BUSY_MACHINE = 20
SIGN_IN = """
from django.contrib.auth.models import Group
from django.test import Client
from agents.models import Agent
sam, _ = Agent.objects.get_or_create(username="sam")
sam.groups.add(Group.objects.get(name="supervisor"))
client = Client()
client.force_login(sam)
print("session", client.cookies["sessionid"].value)
"""


def signed_in(var: Path) -> str:
    """The cookie of a supervisor of that desk."""
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", SIGN_IN],
        cwd=running.BASE_DIR,
        env=running.surroundings(var),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (session,) = (line.split()[1] for line in said.splitlines() if line.startswith("session "))
    return f"sessionid={session}"


def listening(port: int, cookie: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/supervise/floor/stream/", headers={"Cookie": cookie})
    return connection.getresponse()


def told(answer: http.client.HTTPResponse) -> bytes:
    """The first change that is told."""
    while not (line := answer.readline()).startswith(b"data: "):
        assert line, "the stream ended"
    return line


def test_pages_are_served_beside_all_streams_and_those_end_when_the_desk_is_told_to_stop(var: Path, port: int) -> None:
    with served(var, port) as desk:
        cookie = signed_in(var)
        asked = [listening(port, cookie) for _ in range(PROCESSES * streams.MOST + 4)]
        taken = [answer for answer in asked if answer.status == 200]
        assert 1 <= len(taken) <= PROCESSES * streams.MOST
        assert {answer.status for answer in asked} == {200, 503}
        for answer in taken:
            assert b'"people"' in told(answer)
        for _ in range(8):
            begun = time.monotonic()
            assert get(port, "/healthz/")[0] == 200
            assert time.monotonic() - begun < ON_A_BUSY_MACHINE

        begun = time.monotonic()
        desk.send_signal(signal.SIGTERM)
        for answer in taken:
            # Raises IncompleteRead where the process was killed instead of ending what it had begun.
            answer.read()
        assert time.monotonic() - begun < ON_A_BUSY_MACHINE
        # The worker may take its time; what is pushed must not.
        assert desk.wait(timeout=30) == 0
        assert running.processes_of(var) == {}
