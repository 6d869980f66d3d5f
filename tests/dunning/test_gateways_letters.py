from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dunning.gateways.base import Message, NotTaken
from dunning.gateways.letters_folder import LIST_NAME, LettersFolderGateway, file_name

PAGE = b"%PDF-1.7 one page"
LETTER = Message(
    key="notice:42/letter", channel="letter", to="Sarah Reed\n14 Station Road\nBristol", subject="Final notice",
    text="…", language="en", attachment=PAGE, ref="A-1001",
)  # fmt: skip


def print_run(folder: Path) -> list[dict[str, str]]:
    with (folder / LIST_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_letter_is_written_and_listed(tmp_path):
    outcome = LettersFolderGateway(tmp_path / "print").hand_over(LETTER)
    [row] = print_run(tmp_path / "print")
    assert outcome.state == "accepted"
    assert outcome.provider_ref == row["file"] == file_name(LETTER.key)
    assert (tmp_path / "print" / row["file"]).read_bytes() == PAGE
    assert row["key"] == "notice:42/letter"
    assert row["to"] == "Sarah Reed | 14 Station Road | Bristol"
    assert row["sha256"] == hashlib.sha256(PAGE).hexdigest()


def test_the_same_letter_again_is_accepted_and_printed_once(tmp_path):
    for _ in range(2):
        assert LettersFolderGateway(tmp_path).hand_over(LETTER).state == "accepted"
    assert len(print_run(tmp_path)) == 1


def test_a_letter_the_print_house_has_taken_is_not_printed_again(tmp_path):
    road = LettersFolderGateway(tmp_path)
    (tmp_path / road.hand_over(LETTER).provider_ref).unlink()
    for again in (road, LettersFolderGateway(tmp_path)):
        assert again.hand_over(LETTER).state == "accepted"
    assert [path.name for path in tmp_path.iterdir()] == [LIST_NAME]


def test_a_power_cut_between_file_and_list_is_made_good(tmp_path):
    road = LettersFolderGateway(tmp_path)
    road.hand_over(LETTER)
    text = (tmp_path / LIST_NAME).read_bytes()
    (tmp_path / LIST_NAME).write_bytes(text[:-20])  # half of the last line
    second = replace(LETTER, key="notice:43/letter")
    fresh = LettersFolderGateway(tmp_path)
    fresh.hand_over(second)
    fresh.hand_over(LETTER)
    assert [row["key"] for row in print_run(tmp_path)] == ["notice:43/letter", "notice:42/letter"]
    assert not list(tmp_path.glob(".*"))


def test_a_new_print_run_begins_when_the_list_is_taken_away(tmp_path):
    road = LettersFolderGateway(tmp_path)
    road.hand_over(LETTER)
    (tmp_path / LIST_NAME).unlink()
    road.hand_over(replace(LETTER, key="next"))
    assert [row["key"] for row in print_run(tmp_path)] == ["next"]


def test_several_processes_share_one_folder(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from dunning.gateways.base import Message\n"
        "from dunning.gateways.letters_folder import LettersFolderGateway\n"
        "road = LettersFolderGateway(Path(sys.argv[1]))\n"
        "for n in range(40):\n"
        "    road.hand_over(Message(key=f'k{n}', channel='letter', to='x', subject='', text='', language='en',"
        " attachment=b'%PDF', ref='r'))\n"
    )
    root = Path(__file__).parents[2]
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=root) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert sorted(row["key"] for row in print_run(tmp_path)) == sorted(f"k{n}" for n in range(40))
    assert len(list(tmp_path.glob("*.pdf"))) == 40


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b", ".", "", "x" * 500, "नोटिस", "A:1"])
def test_no_key_leads_out_of_the_folder(tmp_path, key):
    folder = tmp_path / "print"
    name = LettersFolderGateway(folder).hand_over(replace(LETTER, key=key)).provider_ref
    assert (folder / name).resolve().parent == folder.resolve()
    assert len(name) < 120


def test_keys_that_look_alike_get_files_of_their_own():
    names = {file_name(key).lower() for key in ("a:b", "a/b", "a-b", "A-b")}
    assert len(names) == 4


def test_the_list_starts_no_formula_in_a_spreadsheet(tmp_path):
    LettersFolderGateway(tmp_path).hand_over(replace(LETTER, to='=HYPERLINK("http://x")', ref="+1"))
    [row] = print_run(tmp_path)
    assert row["to"].startswith("'=")
    assert row["ref"] == "'+1"


def test_a_letter_without_a_page_is_rejected(tmp_path):
    assert LettersFolderGateway(tmp_path).hand_over(replace(LETTER, attachment=None)).state == "rejected"


def test_a_folder_that_cannot_be_written_takes_nothing(tmp_path):
    (tmp_path / "print").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(NotTaken):
        LettersFolderGateway(tmp_path / "print").hand_over(LETTER)
