from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, Bill, RejectedRow
from dunning.models import Placement
from tests.accounts.bookfolder import BookFolder

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> BookFolder:
    folder = BookFolder(tmp_path)
    folder.base()
    return folder


def test_a_clean_import_prints_one_json_object_and_settles_what_it_brought(folder, capsys):
    call_command("import_book", str(folder.path), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "files": [
            {"file": "customers.csv", "rows": 2, "written": 2, "unchanged": 0, "rejected": 0},
            {"file": "accounts.csv", "rows": 3, "written": 3, "unchanged": 0, "rejected": 0},
            {"file": "bills.csv", "rows": 2, "written": 2, "unchanged": 0, "rejected": 0},
        ],
        "rejected": [],
    }
    assert Account.objects.get(ref="A1").open_amount == 50


def test_rejected_rows_are_told_and_end_with_status_one(folder, capsys):
    folder.write("bills", "bill_id,account_id,issued_on,due_on,amount\nB1,A1,2026-01-01,2026-01-20,ten\n")
    with pytest.raises(SystemExit) as ended:
        call_command("import_book", str(folder.path), "--json")
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["rejected"] == [
        {
            "file": "bills.csv",
            "line": 2,
            "column": "amount",
            "value": "ten",
            "reason": "is not an amount such as 1234.50",
        }
    ]

    row = RejectedRow.objects.get()
    row.row["amount"] = "10.00"
    row.save(update_fields=["row"])
    call_command("import_book", "--retry", "--json")
    assert json.loads(capsys.readouterr().out)["files"] == [
        {"file": "bills.csv", "rows": 1, "written": 1, "unchanged": 0, "rejected": 0}
    ]
    assert Account.objects.get(ref="A1").open_amount == 10


def test_a_dry_run_leaves_no_trace(folder, capsys):
    call_command("import_book", str(folder.path), "--dry-run")
    assert "bills.csv: 2 rows, 2 written" in capsys.readouterr().out
    assert not Bill.objects.exists()


@pytest.mark.parametrize("arguments", [["{empty}"], ["{empty}/nowhere"], []])
def test_nothing_to_import_ends_with_status_two_and_a_sentence(tmp_path, arguments):
    with pytest.raises(CommandError, match=r"\.$") as refused:
        call_command("import_book", *(argument.format(empty=tmp_path) for argument in arguments))
    assert refused.value.returncode == 2


def test_placements_come_last_and_bring_their_agencies(folder):
    folder.write(
        "placements",
        "placement_id,account_id,agency,amount,placed_on,recalled_on\n"
        "L1,A1,northside,50.00,2026-02-01,2026-02-20\nL2,A1,northside,50.00,2026-02-21,\n"
        "L3,A1,southside,50.00,2026-02-22,\nL4,A2,southside,-1,2026-02-22,\n",
    )
    with pytest.raises(SystemExit):
        call_command("import_book", str(folder.path))
    assert list(Placement.objects.order_by("ref").values_list("ref", "agency__code")) == [
        ("L1", "northside"),
        ("L2", "northside"),
    ]
