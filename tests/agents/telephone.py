"""A telephone system on loopback: remembers what it was asked, answers as it is told."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "what the telephone system and the desk know"


class Telephone(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.signed: list[bool] = []
        self.answer: Callable[[Answering], None] = lambda request: request.say(200, {"id": "call-1"})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/calls"


class Answering(BaseHTTPRequestHandler):
    server: Telephone

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        proof = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.server.asked.append(json.loads(body))
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.server.signed.append(hmac.compare_digest(proof, self.headers["X-Signature"]))
        self.server.answer(self)

    def say(self, status: int, content: object = None) -> None:
        body = json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def telephone() -> Iterator[Telephone]:
    """The system, answering until the block ends."""
    server = Telephone()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
