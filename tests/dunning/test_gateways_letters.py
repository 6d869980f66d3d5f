"""Print runs: there whole or not at all, in a folder and over SFTP."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

import asyncssh
import pytest

from dunning.gateways.base import Message, NotTaken, Unclear
from dunning.gateways.letters_folder import LettersFolderGateway
from dunning.gateways.letters_sftp import Host, LettersSftpGateway
from dunning.gateways.opening import open_message_gateway
from dunning.gateways.print_run import UNFINISHED, Run, archive_of, file_name, files_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PAGES = b"%PDF-1.7 << /Type /Pages /Kids [1 0 R 2 0 R] /Count 2 >>"
LETTER = Message(
    key="notice:42/letter", channel="letter", to="Sarah Reed\n14 Station Road\nBristol", subject="Final notice",
    text="…", language="en", attachment=PAGES, ref="A-1001", paper="a4", country="GB",
)  # fmt: skip
RUN = Run.of((LETTER, replace(LETTER, key="notice:43/letter", ref="=A-1002", attachment=b"%PDF one page")), at=NOW)


# What is in a run -----------------------------------------------------------------------------------------------------


def test_a_run_lists_its_letters_with_what_is_needed_to_print_and_to_check_them():
    files = dict(files_of(RUN))
    manifest = json.loads(files["manifest.json"])
    first = manifest["letters"][0]
    assert (manifest["run"], manifest["count"], manifest["sheets"]) == (RUN.name, 2, 3)
    assert first["file"] == file_name(LETTER.key)
    assert (first["key"], first["account"], first["sheets"], first["paper"]) == (LETTER.key, "A-1001", 2, "a4")
    assert (first["country"], first["sha256"]) == ("GB", hashlib.sha256(PAGES).hexdigest())
    rows = list(csv.DictReader(io.StringIO(files["manifest.csv"].decode(), newline="")))
    assert [row["file"] for row in rows] == list(files)[:2]
    assert rows[0]["to"] == "Sarah Reed | 14 Station Road | Bristol"
    assert rows[1]["account"] == "'=A-1002"  # no formula
    assert all(files[row["file"]] for row in rows)


def test_sheets_that_somebody_counted_are_believed():
    assert Run.of((replace(LETTER, sheets=5),), at=NOW).sheets == 5


def test_the_same_run_gives_the_same_archive_and_another_another_name():
    assert archive_of(RUN) == archive_of(RUN)
    assert Run.of((LETTER,), at=NOW).name != RUN.name


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b\\c:d", "Ä", "x" * 300, "."])
def test_any_key_gives_a_harmless_file_name(key):
    name = file_name(key)
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith(".")
    assert len(name) < 120


def test_keys_that_differ_in_case_give_files_that_differ_without():
    assert file_name("A").lower() != file_name("a").lower()


# A folder -------------------------------------------------------------------------------------------------------------


def seen(folder: Path) -> list[str]:
    """What the print house fetches."""
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))


def test_a_run_lies_in_the_folder_once_it_is_released_and_not_before(tmp_path):
    house = LettersFolderGateway(tmp_path)
    house.lay_out(RUN)
    assert seen(tmp_path) == []
    assert house.is_waiting(RUN.name)
    assert house.release(RUN.name) == RUN.name
    assert seen(tmp_path) == [RUN.name]
    assert not house.is_waiting(RUN.name)
    assert {one.name: one.read_bytes() for one in (tmp_path / RUN.name).iterdir()} == dict(files_of(RUN))


def test_a_run_that_is_discarded_never_was(tmp_path):
    house = LettersFolderGateway(tmp_path)
    house.lay_out(RUN)
    house.discard(RUN.name)
    assert not house.is_waiting(RUN.name)
    with pytest.raises(NotTaken):
        house.release(RUN.name)
    assert seen(tmp_path) == []


def test_what_was_left_unfinished_is_swept_away_after_a_day_and_nothing_else(tmp_path):
    house = LettersFolderGateway(tmp_path)
    old = Run.of((LETTER,), at=NOW - timedelta(days=2))
    recent = Run.of((LETTER,), at=NOW - timedelta(hours=2))
    for run in (old, recent):
        house.lay_out(run)
    (tmp_path / UNFINISHED / "notes").mkdir()
    house.lay_out(RUN)
    assert not house.is_waiting(old.name)
    assert house.is_waiting(recent.name)
    assert (tmp_path / UNFINISHED / "notes").is_dir()


def test_a_folder_that_cannot_be_written_takes_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotTaken):
        LettersFolderGateway(tmp_path / "file" / "below").lay_out(RUN)


LAY_OUT_AND_RELEASE = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from dunning.gateways.base import Message
from dunning.gateways.letters_folder import LettersFolderGateway
from dunning.gateways.print_run import Run
house = LettersFolderGateway(Path(sys.argv[1]))
for number in range(1000):
    letters = tuple(
        Message(key=f"{number}.{place}", channel="letter", to="A\\nB", subject="", text="", language="en",
                attachment=b"%PDF" * 500, ref="A")
        for place in range(40)
    )
    run = Run.of(letters, at=datetime(2026, 3, 10, tzinfo=UTC))
    house.lay_out(run)
    house.release(run.name)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_runs_only(tmp_path):
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-c", LAY_OUT_AND_RELEASE, str(tmp_path)], cwd=root)
    deadline = time.monotonic() + 30
    while not tmp_path.exists() or len(seen(tmp_path)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for name in seen(tmp_path):
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        assert manifest["count"] == 40
        for letter in manifest["letters"]:
            content = (tmp_path / name / letter["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == letter["sha256"]


# SFTP -----------------------------------------------------------------------------------------------------------------


class Server:
    """An SFTP server in a thread, with its root at ``folder``; ``cut_after`` bytes the line goes dead."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key, self.port = folder, asyncssh.generate_private_key("ssh-ed25519"), 0
        self.cut_after: int | None = None
        self.cut_at_rename = ""
        self.connections = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def host_key(self) -> str:
        return self.key.export_public_key().decode().strip()

    def url(self, host_key: str = "", folder: str = "/runs", password: str = "secret") -> str:
        key = quote_plus(" ".join((host_key or self.host_key).split()[:2]))
        return f"sftp://desk:{password}@127.0.0.1:{self.port}{folder}?host_key={key}&timeout=5"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        server = self

        class Door(asyncssh.SSHServer):
            def connection_made(self, conn):
                server.connections += 1
                self.conn = conn

            def password_auth_supported(self):
                return True

            def validate_password(self, username, password):
                return (username, password) == ("desk", "secret")

        class Files(asyncssh.SFTPServer):
            def __init__(self, chan):
                super().__init__(chan, chroot=str(server.folder))
                self.line = chan.get_connection()
                self.written = 0

            def write(self, file_obj, offset, data):
                self.written += len(data)
                if server.cut_after is not None and self.written > server.cut_after:
                    self.line.abort()
                return super().write(file_obj, offset, data)

            def posix_rename(self, oldpath, newpath):
                if server.cut_at_rename == "before":
                    self.line.abort()
                    raise asyncssh.SFTPConnectionLost("cut")
                super().posix_rename(oldpath, newpath)
                if server.cut_at_rename == "after":
                    self.line.abort()

        listening = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Door, server_host_keys=[self.key], sftp_factory=Files
        )
        self.port = listening.get_port()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    (tmp_path / "runs").mkdir()
    with serving(tmp_path) as running:
        yield running


def test_a_run_is_one_archive_at_the_print_house_once_it_is_released(server):
    house = open_message_gateway(server.url(), channel="letter", now=lambda: NOW)
    assert isinstance(house, LettersSftpGateway)
    house.lay_out(RUN)
    assert seen(server.folder / "runs") == []
    assert house.is_waiting(RUN.name)
    name = house.release(RUN.name)
    assert seen(server.folder / "runs") == [name] == [f"{RUN.name}.zip"]
    assert not house.is_waiting(RUN.name)
    with zipfile.ZipFile(server.folder / "runs" / name) as archive:
        assert {one: archive.read(one) for one in archive.namelist()} == dict(files_of(RUN))


def test_a_print_house_with_another_key_gets_nothing(server):
    another = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(NotTaken, match="Host key"):
        LettersSftpGateway(Host.from_url(server.url(another))).lay_out(RUN)
    assert list((server.folder / "runs").iterdir()) == []


def test_a_wrong_password_and_nobody_there_are_tried_later(server):
    for url in (server.url(password="wrong"), server.url().replace(str(server.port), "1")):
        with pytest.raises(NotTaken):
            LettersSftpGateway(Host.from_url(url)).lay_out(RUN)


def test_the_way_out_of_the_print_houses_folder_is_closed(server, tmp_path):
    outside = tmp_path.parent / f"outside-{os.getpid()}"
    LettersSftpGateway(Host.from_url(server.url(folder=f"/../{outside.name}"))).lay_out(RUN)
    assert not outside.exists()


def test_a_line_cut_in_the_middle_leaves_no_run_and_the_next_try_is_whole(server):
    big = Run.of((replace(LETTER, attachment=os.urandom(400_000)),), at=NOW)
    house = LettersSftpGateway(Host.from_url(server.url()))
    server.cut_after = 100_000
    with pytest.raises(NotTaken):
        house.lay_out(big)
    assert seen(server.folder / "runs") == []
    server.cut_after = None
    house.lay_out(big)
    name = house.release(big.name)
    assert (server.folder / "runs" / name).read_bytes() == archive_of(big)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_line_cut_at_the_release_is_unclear_and_what_still_waits_tells_which(server, when):
    house = LettersSftpGateway(Host.from_url(server.url()))
    house.lay_out(RUN)
    server.cut_at_rename = when
    with pytest.raises(Unclear):
        house.release(RUN.name)
    assert house.is_waiting(RUN.name) == (when == "before")
    assert bool(seen(server.folder / "runs")) == (when == "after")


def test_what_is_unfinished_is_discarded_and_swept_away(server):
    house = LettersSftpGateway(Host.from_url(server.url()))
    old = Run.of((LETTER,), at=NOW - timedelta(days=2))
    house.lay_out(old)
    house.lay_out(RUN)
    assert not house.is_waiting(old.name)
    house.discard(RUN.name)
    house.discard(RUN.name)
    assert not house.is_waiting(RUN.name)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sftp://desk@host/runs", "key"),
        ("sftp://desk@host/runs?host_key=nonsense", "host key"),
        ("sftp://host/runs?host_key=x", "given as"),
        ("sftp://desk@host/runs?host_key=x&speed=3", "speed"),
    ],
)
def test_a_print_house_that_is_not_wholly_named_is_refused_at_the_start(url, says):
    with pytest.raises(ValueError, match=says):
        Host.from_url(url)
