"""Databases and processes beside the test's own, and far sides that count what reaches them."""

from __future__ import annotations

import email
import email.policy
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection
from psycopg import sql

BASE_DIR = Path(__file__).resolve().parents[2]


class Database:
    """A database on the test's own server, reached by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def url(self) -> str:
        return _url(self.name)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as line:
            return line.execute(query, parameters or None).fetchall()

    def copy(self, name: str) -> Database:
        """Another database with the same rows; nobody may be connected to this one."""
        return _create(f"{self.name}_{name}", template=self.name)

    def drop(self) -> None:
        with psycopg.connect(_url("postgres"), autocommit=True) as line:
            line.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """``manage.py`` with that command, on this database."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=BASE_DIR,
            env={**os.environ, "DATABASE_URL": self.url, "REDIS_URL": settings.REDIS_URL, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def manage(self, *command: str, **environment: str) -> str:
        """The same, waited for; its output. Fails when the command does."""
        process = self.start(*command, **environment)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out


def empty_database(name: str) -> Database:
    """A database with the tables and nothing in them, copied from the test's own."""
    own = connection.settings_dict["NAME"]
    connection.close()
    with psycopg.connect(_url("postgres"), autocommit=True) as line:
        # A page that a browser still had open when its test ended may have left its connection behind.
        line.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [own])
    return _create(f"{own}_{name}", template=own)


def _create(name: str, *, template: str) -> Database:
    database = Database(name)
    database.drop()
    with psycopg.connect(_url("postgres"), autocommit=True) as line:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        line.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    # What an earlier run of a desk of that name noted of its channels is not this one's.
    with redis.Redis.from_url(settings.REDIS_URL) as kept:
        for key in kept.scan_iter(f"desk:{name}:*"):
            kept.delete(key)
    return database


def _url(name: str) -> str:
    """The connection that the tests use, to another database."""
    own = connection.settings_dict
    host, user = own["HOST"] or own["OPTIONS"].get("host", ""), own["USER"]
    if host.startswith("/"):  # a socket: the embedded server's
        return f"postgresql://{user}:@/{name}?host={host}"
    password = f":{own['PASSWORD']}" if own["PASSWORD"] else ""
    place = urlsplit(f"//{user}{password}@{host}:{own['PORT'] or 5432}").netloc
    return urlunsplit(("postgresql", place, f"/{name}", "", ""))


def wait_until(holds: Any, *, seconds: float = 60.0) -> None:
    """Poll until ``holds()``; fails when it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


class Provider(ThreadingHTTPServer):
    """Takes text messages and network orders, de-duplicated by their key; counts every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.requests: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Answering(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        assert json.loads(body)["key"] == key
        self.server.requests[key] += 1
        answer = json.dumps({"id": f"provider-{key}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *parts: object) -> None:
        """Silent."""


@contextmanager
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class PostOffice:
    """A mail relay's memory: what it took, by message id."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.taken[str(mail["Message-ID"])] += 1
        return "250 queued"


@contextmanager
def relay() -> Iterator[tuple[PostOffice, str]]:
    """A relay that takes everything, and its URL."""
    office = PostOffice()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield office, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()
