"""A real short message centre beside the test, in a process of its own."""

from __future__ import annotations

import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parents[2]


class MessageCentre:
    """What it was sent, in order, and a line to tell it what to do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.taken: list[dict[str, Any]] = []
        self.brought = self.refused = self.heard = 0
        assert process.stdout is not None
        self.port: int = json.loads(process.stdout.readline())["port"]
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def url(self) -> str:
        return f"smpp://desk:secret@127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "taken" in said:
                self.taken.append(said)
            self.brought += "brought" in said
            self.refused += "refused" in said
            self.heard += "heard" in said

    def tell(self, **command: Any) -> None:
        """Returns once it was heard."""
        before = self.heard
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        self.wait(lambda: self.heard > before)

    def wait(self, holds: Any, *, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.01)


@contextmanager
def message_centre() -> Iterator[MessageCentre]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.dunning.message_centre_server"],
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield MessageCentre(process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def tls_before(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A port that speaks TLS before one that does not, as centres are commonly run."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_let_in, args=(door, port, context), daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def _let_in(door: socket.socket, port: int, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = door.accept()
        except OSError:
            return
        try:
            caller = context.wrap_socket(plain, server_side=True)
        except OSError:  # hung up at the sight of the certificate
            plain.close()
            continue
        threading.Thread(
            target=_join, args=(caller, socket.create_connection(("127.0.0.1", port))), daemon=True
        ).start()


def _join(caller: ssl.SSLSocket, centre: socket.socket) -> None:
    """One thread for both ways: a TLS socket is not for two."""
    with caller, centre:
        caller.settimeout(10)
        while True:
            ready = [caller] if caller.pending() else select.select([caller, centre], [], [])[0]
            for side in ready:
                try:
                    said = side.recv(65536)
                    if not said:
                        return
                    (centre if side is caller else caller).sendall(said)
                except OSError:
                    return
