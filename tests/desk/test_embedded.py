"""The servers come with their first user, go with their last, and survive what is done to them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from collections_desk import embedded
from tests.desk import running


@pytest.fixture
def var() -> Path:
    # Not tmp_path: the folder of a test has too long a name for a socket, and that is a test of its own.
    with tempfile.TemporaryDirectory(prefix="desk-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        yield place / "var"
        assert running.eventually(lambda: not running.processes_of(place / "var"), seconds=15)


def connect(var: Path) -> psycopg.Connection:
    return psycopg.connect(
        host=str(embedded.short(var) / "postgres"), user="postgres", dbname=embedded.DATABASE, autocommit=True
    )


class TestUsers:
    def test_the_servers_stop_with_their_last_user(self, var):
        with running.user_of(var):
            with running.user_of(var):
                assert len(running.postmasters(var)) == 1
            with connect(var) as session:
                assert session.execute("SELECT 1").fetchone() == (1,)
        assert running.eventually(lambda: not running.processes_of(var), seconds=embedded.GRACE_SECONDS + 5)

    def test_those_who_start_at_the_same_moment_share_one_server(self, var):
        users = [running.start_user(var) for _ in range(6)]
        said = [user.stdout.readline() for user in users]
        counted = len(running.guardians(var)), len(running.postmasters(var)), len(running.matching(var, "redis-server"))
        for user in users:
            user.communicate("\n", timeout=30)
        assert said == ["running\n"] * 6
        assert counted == (2, 1, 1)

    def test_who_comes_while_they_are_being_stopped_gets_servers(self, var):
        for _ in range(3):
            with running.user_of(var) as user:
                user.communicate("\n", timeout=30)
            # the moment in which the guardian gives up is about now
            running.eventually(lambda: False, seconds=embedded.GRACE_SECONDS)
        with running.user_of(var), connect(var) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)

    def test_a_killed_user_does_not_keep_them(self, var):
        with running.user_of(var) as user:
            user.kill()
        assert running.eventually(lambda: not running.processes_of(var), seconds=embedded.GRACE_SECONDS + 5)

    def test_release_returns_when_they_are_gone(self, var):
        script = "from collections_desk import embedded as e; e.ensure_running(); e.release(); print('released')"
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, cwd=running.BASE_DIR, env=running.surroundings(var), capture_output=True, text=True, check=True
        )
        assert done.stdout == "released\n"
        assert running.processes_of(var) == {}

    def test_what_the_environment_brings_is_not_started(self, var):
        given = {"DATABASE_URL": "postgresql://desk@elsewhere/desk", "REDIS_URL": "redis://elsewhere"}
        script = "from collections_desk import embedded as e; e.ensure_running(); print(len(e.held))"
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, cwd=running.BASE_DIR, env=running.surroundings(var, **given), capture_output=True, text=True
        )
        assert done.stdout == "0\n"
        assert not var.exists()


class TestCrashes:
    def test_rows_survive_a_killed_database_that_comes_back_by_itself(self, var):
        with running.user_of(var):
            with connect(var) as session:
                session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            running.kill(running.postmasters(var))
            with running.user_of(var), connect(var) as session:
                assert session.execute("SELECT answer FROM kept").fetchone() == (42,)

    def test_a_killed_guardian_takes_its_server_along_and_the_next_start_recovers(self, var):
        with running.user_of(var):
            with connect(var) as session:
                session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            running.kill(running.guardians(var))
            assert running.eventually(lambda: not running.postmasters(var), seconds=10)
        with running.user_of(var), connect(var) as session:
            assert session.execute("SELECT answer FROM kept").fetchone() == (42,)

    def test_everything_killed_at_once_recovers(self, var):
        with running.user_of(var) as user:
            with connect(var) as session:
                session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            running.kill([user.pid, *running.guardians(var), *running.postmasters(var)])
        with running.user_of(var), connect(var) as session:
            assert session.execute("SELECT answer FROM kept").fetchone() == (42,)

    def test_a_first_start_that_was_cut_off_is_begun_anew(self, var):
        half = var / "postgres.new"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("18\n")
        with running.user_of(var), connect(var) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)

    def test_what_cannot_start_is_said_in_a_sentence(self, var):
        (var / "postgres").mkdir(parents=True)
        (var / "postgres" / "PG_VERSION").write_text("18\n")
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate"],
            cwd=running.BASE_DIR,
            env=running.surroundings(var),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("The embedded PostgreSQL does not start (")
        assert len(done.stderr.splitlines()) == 1


class TestPlaces:
    @pytest.mark.parametrize("name", ["with a space & more", "deep" * 30], ids=["space", "too-long-for-a-socket"])
    def test_any_folder_will_do(self, var, name):
        place = var / name
        with running.user_of(place), connect(place) as session:
            assert session.execute("SELECT current_database()").fetchone() == (embedded.DATABASE,)
        assert running.eventually(lambda: not running.processes_of(place), seconds=10)
        if embedded.short(place) != place:
            embedded.short(place).unlink()

    def test_a_link_of_somebody_else_is_refused(self, var):
        place = var / ("deep" * 30)
        link = embedded.short(place)
        link.symlink_to("/")
        try:
            with pytest.raises(embedded.CannotStart, match="is in the way"):
                embedded.shorten(place)
        finally:
            link.unlink()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
    def test_roots_closed_home_will_do(self, var):
        var.mkdir(mode=0o700)
        with running.user_of(var / "inside"), connect(var / "inside") as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
            owners = {os.stat(f"/proc/{pid}").st_uid for pid in running.postmasters(var / "inside")}
        assert owners == {embedded.server_uid(var / "inside")}
        assert 0 not in owners
        assert stat.S_IMODE(var.stat().st_mode) == 0o700

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
    def test_programs_out_of_reach_are_copied_to_where_they_can_run(self, var):
        site = var / "site"
        (site / "part").mkdir(parents=True)
        (site / "part" / "program").write_text("#!/bin/sh\necho ran\n")
        site.chmod(0o700)
        nobody = embedded.server_uid(var)
        copy = embedded.runnable(site, ["part"], uid=nobody)
        try:
            assert copy != site
            assert embedded.reachable(copy / "part" / "program", uid=nobody)
            assert subprocess.check_output([copy / "part" / "program"], user=nobody, text=True) == "ran\n"
            assert embedded.runnable(site, ["part"], uid=0) == site
        finally:
            subprocess.run(["rm", "-r", str(copy)], check=True)

    def test_nobody_else_reaches_the_data(self, var):
        with running.user_of(var):
            assert stat.S_IMODE((var / "postgres").stat().st_mode) == 0o700
            assert stat.S_IMODE((var / "redis").stat().st_mode) == 0o700
