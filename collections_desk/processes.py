"""Web, worker and beat under one supervisor, in the foreground, until it is told to stop; and who listens to the
message centre, where the settings name one.

Each child leads a process group of its own, so a Ctrl-C reaches the supervisor alone and the children are stopped in
order; and the kernel tells each to stop when the supervisor dies, however it dies. One thread does it all: it reads
what the children say, notices who ended, and starts them again.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders

from agents import streams
from collections_desk import embedded

BASE_DIR = Path(__file__).resolve().parent.parent

QUIT_AFTER_SECONDS = 4.0  # a task may end in peace for so long, then it goes back to the queue
KILL_AFTER_SECONDS = 6.0
LONGEST_PAUSE_SECONDS = 30.0  # between two starts of a child that keeps ending


class PortTaken(Exception):
    """Nobody can listen on the port; the message is one sentence."""


@dataclass
class Child:
    """One of the processes: how it is started, and how often it had to be."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = 1.0
    unfinished: bytes = field(default=b"", repr=False)

    def start(self) -> subprocess.Popen[bytes]:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            cwd=BASE_DIR,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=embedded.dies_with_parent(signal.SIGTERM),
        )
        return self.process

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def clear(self) -> None:
        """Ends whatever is left of the child and of the processes it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run(*, host: str, port: int, lines: Iterable[str] = ()) -> int:
    """Serves the desk on `host`:`port` until SIGINT or SIGTERM, then returns 0 with no process left.

    `lines` are printed once the web answers. The database must be migrated. Raises PortTaken.
    """
    require_free_port(host=host, port=port)
    collect_static()
    return Supervisor(children_of(host=host, port=port), host=host, port=port, lines=lines).run()


def require_free_port(*, host: str, port: int) -> None:
    """Raises PortTaken, with a sentence, when `host`:`port` cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except (OSError, OverflowError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise PortTaken(f"Cannot listen on {host}:{port} ({why}): choose another with --port.") from None


def children_of(*, host: str, port: int) -> list[Child]:
    environment = {**os.environ, "DESK_COLLECTED_STATIC": "true", "PYTHONUNBUFFERED": "1"}
    environment.setdefault("DESK_PUBLIC_URL", f"http://{reached_at(host)}:{port}")
    python = [sys.executable, "-m"]
    web = [*python, "granian", "--interface", "wsgi", "--host", host, "--port", str(port), "--workers", "2"]
    web += ["--blocking-threads", str(streams.THREADS), "--respawn-failed-workers"]
    web += ["--workers-kill-timeout", "3", "--no-ws"]
    celery = [*python, "celery", "--quiet", "--app", "collections_desk.celery:app", "--no-color"]
    level = ["--loglevel", settings.CELERY_LOG_LEVEL]
    worker = [*celery, "worker", *level, "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", *level, "--scheduler", "celery.beat:Scheduler", "--pidfile="]
    children = [
        Child("web", [*web, "collections_desk.wsgi:application"], environment),
        Child("worker", worker, environment),
        Child("beat", beat, environment),
    ]
    if settings.GATEWAYS["sms"]["url"].startswith(("smpp://", "smpps://")):
        children.append(Child("sms", [sys.executable, "manage.py", "listen_sms"], environment))
    if settings.DESK_INBOX_URL:
        children.append(Child("mail", [sys.executable, "manage.py", "read_mail"], environment))
    return children


def reached_at(host: str) -> str:
    """The address under which this machine itself reaches a server on `host`."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{shown}]" if ":" in shown else shown


class Supervisor:
    """Starts the children, passes on what they say, starts them again, stops them."""

    def __init__(self, children: list[Child], *, host: str, port: int, lines: Iterable[str]) -> None:
        self.children = children
        self.host, self.port = host, port
        self.lines = list(lines)
        self.told_to_stop = 0
        self.ready = False
        self.selector = selectors.DefaultSelector()

    def run(self) -> int:
        before = {number: signal.signal(number, self.hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for child in self.children:
                self.start(child)
            while not self.told_to_stop:
                self.pass_on(timeout=0.2)
                self.start_again()
                self.announce()
            self.stop()
        finally:
            for child in self.children:
                child.clear()
            embedded.release()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 0

    def hear(self, number: int, frame: object) -> None:
        self.told_to_stop += 1

    def start(self, child: Child) -> None:
        output = child.start().stdout
        if output is not None:
            os.set_blocking(output.fileno(), False)
            self.selector.register(output, selectors.EVENT_READ, child)

    def pass_on(self, *, timeout: float) -> None:
        """Prints what the children said, a whole line at a time, each under its name."""
        for key, _ in self.selector.select(timeout):
            child: Child = key.data
            spoken = os.read(key.fd, 65_536)
            *lines, child.unfinished = (child.unfinished + spoken).split(b"\n")
            if not spoken:
                self.selector.unregister(key.fileobj)
                lines, child.unfinished = [child.unfinished] if child.unfinished else [], b""
            for line in lines:
                say(f"{child.name:<6} | {line.decode(errors='replace')}")

    def start_again(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.start_at:
                    self.start(child)
                continue
            code = child.process.poll()
            if code is None:
                continue
            child.clear()
            child.process = None
            child.pause = 1.0 if now - child.started_at > 60 else min(child.pause * 2, LONGEST_PAUSE_SECONDS)
            child.start_at = now + child.pause
            say(f"desk   | {child.name} ended with code {code}; starting it again in {child.pause:.0f} s")

    def announce(self) -> None:
        if not self.ready and answers(host=self.host, port=self.port):
            self.ready = True
            for line in self.lines:
                say(line)

    def stop(self) -> None:
        """TERM to each; QUIT to who is still busy after a while; what is left then is cleared."""
        say("desk   | stopping")
        begun = time.monotonic()
        for child in self.children:
            child.send(signal.SIGTERM)
        quit_sent = False
        while any(child.process is not None and child.process.poll() is None for child in self.children):
            self.pass_on(timeout=0.1)
            elapsed = time.monotonic() - begun
            if elapsed > QUIT_AFTER_SECONDS and not quit_sent:
                quit_sent = True
                for child in self.children:
                    child.send(signal.SIGQUIT)
            if elapsed > KILL_AFTER_SECONDS or self.told_to_stop > 2:
                break
        self.pass_on(timeout=0)


def answers(*, host: str, port: int) -> bool:
    """Whether the web answers at all, whatever it says."""
    connection = http.client.HTTPConnection(reached_at(host).strip("[]"), port, timeout=0.5)
    try:
        connection.request("GET", "/healthz/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def collect_static() -> None:
    """Collects and compresses the static files, unless that was done since the last change to any."""
    seal = settings.VAR_DIR / "static.collected"
    found = source_digest()
    if seal.exists() and seal.read_text(encoding="ascii") == found:
        return
    say("desk   | collecting static files")
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=BASE_DIR,
        env={**os.environ, "DESK_COLLECTED_STATIC": "true", "PYTHONWARNINGS": "ignore"},
        check=True,
    )
    seal.write_text(found, encoding="ascii")


def source_digest() -> str:
    """Changes with every static file that is added, removed or edited, in the desk or its libraries."""
    digest = hashlib.sha256(str(settings.STATIC_ROOT).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            changed = os.stat(storage.path(name))
            digest.update(f"{name} {changed.st_size} {changed.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def say(line: str) -> None:
    """Prints at once. Nobody may be listening any more; that is no reason to stop serving."""
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


def refuse(problem: Exception) -> NoReturn:
    """For commands: the sentence on standard error, nothing done, exit 2."""
    print(problem, file=sys.stderr)
    raise SystemExit(2)
