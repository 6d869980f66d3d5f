"""One command runs the desk, and leaves nothing when it is told to stop."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from collections_desk import embedded, processes
from tests.desk import running
from tests.dunning.message_centre import message_centre


@pytest.fixture(scope="module")
def var():
    with tempfile.TemporaryDirectory(prefix="desk-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "var"


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(var, port, **settings):
    """The desk on `port`, once it has said so; whatever is still left at the end is killed."""
    log = var.parent / f"serve-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=running.BASE_DIR,
            env=running.surroundings(var, **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    process.said = log.read_text
    try:
        assert running.eventually(
            lambda: "The desk is on" in log.read_text() or process.poll() is not None, seconds=300
        )
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()
        running.kill(list(running.processes_of(var)))


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_and_leaves_no_process(var, port, number):
    with served(var, port) as desk:
        assert get(port, "/healthz/")[0] == 200
        status, _, body = get(port, "/readyz/")
        assert (status, json.loads(body)) == (200, {"status": "ready", "database": "ok", "redis": "ok"})
        assert b'desk_up{dependency="database"} 1.0' in get(port, "/metrics/")[2]
        begun = time.monotonic()
        desk.send_signal(number)
        assert desk.wait(timeout=10) == 0
        assert running.processes_of(var) == {}
        assert time.monotonic() - begun < 10


def test_static_files_are_collected_and_kept_for_ever(var, port):
    with served(var, port) as desk:
        manifest = json.loads((var / "static" / "staticfiles.json").read_text())
        status, headers, _ = get(port, "/static/" + manifest["paths"]["admin/css/base.css"])
        assert status == 200
        assert "immutable" in {name.lower(): value for name, value in headers}["cache-control"]
        desk.terminate()
        desk.wait(timeout=10)


def test_a_child_that_dies_is_started_again(var, port):
    with served(var, port) as desk:
        assert not running.matching(var, "listen_sms")  # no message centre is named
        for words in (["granian", "collections_desk.wsgi"], ["celery", " beat "]):
            running.kill(running.matching(var, *words))
            assert running.eventually(lambda words=words: not running.matching(var, *words), seconds=5)
            assert running.eventually(lambda words=words: bool(running.matching(var, *words)), seconds=20)
        assert "web ended with code -9; starting it again in 2 s" in desk.said()
        assert running.eventually(lambda: answers(port), seconds=60)
        desk.terminate()
        assert desk.wait(timeout=10) == 0
        assert running.processes_of(var) == {}


def answers(port):
    try:
        return get(port, "/healthz/")[0] == 200
    except OSError:
        return False


def test_who_listens_to_the_message_centre_is_started_with_them_and_started_again(var, port):
    with message_centre() as centre, served(var, port, DESK_SMS_URL=f"{centre.url}?timeout=2") as desk:
        centre.tell(text=[{"from": "15550001", "content": b"STOP".hex()}])
        centre.wait(lambda: centre.brought == 1, seconds=60)
        running.kill(running.matching(var, "manage.py listen_sms"))
        # By the time there is another the centre knows that the first is gone.
        assert running.eventually(lambda: not running.matching(var, "manage.py listen_sms"), seconds=5)
        assert running.eventually(lambda: bool(running.matching(var, "manage.py listen_sms")), seconds=20)
        centre.tell(text=[{"from": "15550002", "content": b"HELP".hex()}])
        centre.wait(lambda: centre.brought == 2, seconds=60)
        # What the centre got a word for is kept.
        with psycopg.connect(embedded.database_url(var)) as session:
            said = session.execute("SELECT sender, text FROM dunning_inboundmessage ORDER BY id").fetchall()
        assert said == [("+15550001", "STOP"), ("+15550002", "HELP")]
        assert "sms ended with code -9; starting it again in 2 s" in desk.said()
        desk.terminate()
        assert desk.wait(timeout=10) == 0
        assert running.processes_of(var) == {}


def test_a_killed_supervisor_leaves_no_process(var, port):
    with served(var, port) as desk:
        assert len(running.processes_of(var)) > 5
        desk.kill()
        desk.wait()
        assert running.eventually(lambda: not running.processes_of(var), seconds=15), running.processes_of(var)


def test_a_taken_port_is_one_sentence_and_nothing_is_done(var):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=running.BASE_DIR,
            env=running.surroundings(var),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == f"Cannot listen on 127.0.0.1:{port} (Address already in use): choose another with --port.\n"


def test_importing_the_settings_starts_nothing(var):
    elsewhere = var.parent / "untouched"
    script = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'collections_desk.settings'; import django; django.setup()"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=running.BASE_DIR, env=running.surroundings(elsewhere), check=True
    )
    assert sorted(os.listdir(elsewhere)) == ["secret-key"]
    assert (elsewhere / "secret-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DESK_DEBUG", "maybe", "DESK_DEBUG: 'maybe' is neither true nor false."),
        ("DESK_TIME_ZONE", "Mars/Base", "DESK_TIME_ZONE: 'Mars/Base' is not a time zone, such as Europe/Madrid."),
        ("DESK_WORKERS", "0", "DESK_WORKERS: '0' is less than 1."),
        ("DESK_SECRET_KEY", "short", "DESK_SECRET_KEY: its value is shorter than 50 characters."),
        ("DATABASE_URL", "sqlite:///desk", "DATABASE_URL: its value does not begin with postgresql://."),
        ("REDIS_URL", "localhost:6379", "REDIS_URL: its value does not begin with redis:// or rediss:// or unix://."),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(var, name, value, sentence):
    given = {"DATABASE_URL": "postgresql://desk@elsewhere/desk", "REDIS_URL": "redis://elsewhere", name: value}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=running.BASE_DIR,
        env=running.surroundings(var, **given),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (2, sentence + "\n")


def test_a_mailbox_is_read_where_one_is_named(settings):
    settings.DESK_INBOX_URL = ""
    assert "mail" not in {child.name for child in processes.children_of(host="127.0.0.1", port=8000)}
    settings.DESK_INBOX_URL = "imap://desk:word@127.0.0.1:1/replies"
    assert "mail" in {child.name for child in processes.children_of(host="127.0.0.1", port=8000)}
