"""The benchmark measures every part; how long they take is for ``make bench`` to say."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.desk.running import BASE_DIR

PARTS = (
    "import: land, settle, post",
    "import: the same file again",
    "floor: COPY with our keys",
    "claim and complete, 1 at once",
    "claim and complete, 8 at once",
    "floor: decided by ledger",
    "floor: decided, amounts kept",
    "decide on 1 (ledger)",
    "decide on 2 (ledger)",
    "the whole day on 2 (ledger)",
    "dry run of a day (ledger)",
    "dry run of 30 days (ledger)",
    "figures: first build",
    "page: figures",
    "page: accounts behind one",
    "trail: sealed",
    "trail: proven on 1",
    "trail: proven on 2",
    "contact gate",
    "words: sms",
    "words: email",
)


def test_measures_every_part_beside_its_floor():
    # A process of its own: it works in databases that it makes, and forks.
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--accounts", "200"],
        cwd=BASE_DIR,
        env=os.environ.copy(),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in run.stdout.splitlines() if "|" in line]
    named = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}
    beside = [part for part in PARTS if "(ledger)" in part or part.startswith(("import", "claim", "figures", "trail"))]
    assert set(PARTS) <= named.keys()
    assert all(float(row["seconds"]) >= 0 and row["accounts"] == "200" for row in named.values())
    assert all(float(named[part]["times floor"]) > 0 for part in beside)
    # Both decide the same book, with something to do in it.
    assert all(int(named[part]["note"].split()[0]) > 0 for part in ("floor: decided by ledger", "decide on 1 (ledger)"))
