"""``verify_audit``, ``export_head`` and ``export_account``: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.core.management import CommandError, call_command

from accounts import audit, events
from accounts.models import AccountEvent
from tests.accounts.test_audit import resealed, rewrite, write
from tests.factories import make_account, make_customer, moment, owing

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key(settings: Any, tmp_path: Path) -> Path:
    settings.DESK_AUDIT_KEY = str(tmp_path / "audit-key")
    return tmp_path / "audit-key"


def told(command: str, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def ids() -> list[int]:
    written = write(make_account(), 5)
    audit.seal(at=moment())
    return written


def test_a_whole_history_is_told_in_a_sentence_and_as_json(ids: list[int]) -> None:
    write(make_account())
    assert told("verify_audit") == (
        0, "5 events under 1 seals: all as sealed.\n1 event is newer than the last seal: not sealed yet.\n",
    )  # fmt: skip
    code, answer = told("verify_audit", "--json")
    assert (code, json.loads(answer)) == (0, {"events": 5, "seals": 1, "ok": True, "first_problem": None})


def test_a_touched_row_is_named_and_the_command_ends_with_one(ids: list[int]) -> None:
    rewrite("UPDATE accounts_accountevent SET reason = 'x' WHERE id = %s", ids[2])

    assert told("verify_audit") == (1, f"Event {ids[2]}: changed: the event differs from what was sealed\n")
    code, answer = told("verify_audit", "--json")
    problem = {"event_id": ids[2], "kind": "changed", "detail": "the event differs from what was sealed"}
    assert (code, json.loads(answer)["first_problem"]) == (1, problem)


def test_a_head_that_was_kept_catches_who_sealed_anew(ids: list[int], tmp_path: Path) -> None:
    code, head = told("export_head")
    (tmp_path / "head.txt").write_text(head)
    code, pem = told("export_head", "--public-key")
    (tmp_path / "key.pem").write_text(pem)
    asked = ("verify_audit", "--head", str(tmp_path / "head.txt"), "--public-key", str(tmp_path / "key.pem"))

    code, answer = told(*asked)
    assert code == 0
    assert "The head that was kept is in it." in answer

    rewrite("UPDATE accounts_accountevent SET reason = 'x' WHERE id = %s", ids[2])
    rewrite("DELETE FROM accounts_sealedhead")
    resealed()
    assert told("verify_audit")[0] == 0
    code, answer = told(*asked)
    assert code == 1
    assert f"Event {ids[4]}: head_missing" in answer


def test_an_edited_head_is_a_finding_and_a_file_that_is_none_is_refused(ids: list[int], tmp_path: Path) -> None:
    head = tmp_path / "head.txt"
    head.write_text(told("export_head")[1].replace("events: 5", "events: 6"))
    code, answer = told("verify_audit", "--head", str(head), "--json")
    assert (code, json.loads(answer)["first_problem"]["kind"]) == (1, "bad_signature")

    head.write_text("something else")
    for path in (head, tmp_path / "nowhere"):
        with pytest.raises(CommandError) as refusal:
            call_command("verify_audit", "--head", str(path))
        assert refusal.value.returncode == 2


def test_openssl_checks_a_head_as_the_manual_says(ids: list[int], tmp_path: Path) -> None:
    (tmp_path / "head.txt").write_text(told("export_head")[1])
    (tmp_path / "audit-key.pem").write_text(told("export_head", "--public-key")[1])
    script = (
        "sed '$d' head.txt > signed && tail -1 head.txt | sed 's/^signature: ed25519 //' | base64 -d > signature && "
        "openssl pkeyutl -verify -pubin -inkey audit-key.pem -rawin -in signed -sigfile signature"
    )
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)


def test_without_events_there_is_no_head(db: None) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("export_head")
    assert refusal.value.returncode == 2


def test_an_accounts_file_is_written_as_json_and_as_pdf_and_both_are_events(tmp_path: Path) -> None:
    account = owing("100.00", ref="A-9", customer=make_customer(name="Frida Fjord"))

    told("export_account", "A-9", "--json", "--out", str(tmp_path / "a.json"))
    told("export_account", "A-9", "--pdf", "--out", str(tmp_path / "a.pdf"))

    file = json.loads((tmp_path / "a.json").read_text())
    assert (file["account_id"], file["customer"]["name"], file["bills"][0]["amount"]) == (
        "A-9",
        "Frida Fjord",
        "100.00",
    )
    document = pypdfium2.PdfDocument(tmp_path / "a.pdf")
    assert "Frida Fjord" in document[0].get_textpage().get_text_bounded()
    reads = AccountEvent.objects.filter(account=account, kind=events.PERSONAL_DATA_READ).order_by("pk")
    assert [read.payload["format"] for read in reads] == ["json", "pdf"]
    with pytest.raises(CommandError) as refusal:
        call_command("export_account", "nobody", "--json")
    assert refusal.value.returncode == 2
