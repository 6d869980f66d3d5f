from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from accounts.importing.files import FIELD_LIMIT, Broken, CsvFile, Fields, FileRefused, RowList


@pytest.fixture
def read(tmp_path: Path):
    def read(content: str | bytes) -> list[tuple[int, Fields]]:
        path = tmp_path / "some.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(CsvFile(path).rows())

    return read


def test_rows_come_with_the_line_they_start_on_across_quoted_newlines_and_blank_lines(read):
    rows = read('id,note\n1,"two\nlines"\n\n2,"a ""word"""\r\n3,x')
    assert rows == [(2, ["1", "two\nlines"]), (5, ["2", 'a "word"']), (6, ["3", "x"])]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "some.csv"
    path.write_bytes(b'\xef\xbb\xbf"id",note\r\n1,x\r\n')
    assert CsvFile(path).columns == ("id", "note")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_is_refused(read, content):
    with pytest.raises(FileRefused, match="empty"):
        read(content)


def test_short_and_long_rows_say_which_column_is_short_and_how_many_fields_there_are(read):
    (_, short), (_, long), (_, good) = read("a,b,c\n1,2\n1,2,3,4\n1,2,3\n")
    assert isinstance(short, Broken)
    assert (short.at, short.reason) == (2, "the row has 2 fields, the header 3")
    assert isinstance(long, Broken)
    assert (long.at, long.reason) == (3, "the row has 4 fields, the header 3")
    assert good == ["1", "2", "3"]


def test_a_quote_that_is_never_closed_costs_its_own_row_alone(read):
    rows = read('a,b\n1,"open\n2,y\n3,z\n')
    assert [(line, isinstance(fields, Broken)) for line, fields in rows] == [(2, True), (3, False), (4, False)]
    assert rows[0][1].reason == "a quote is never closed"


def test_a_quote_that_ends_in_the_middle_of_a_field_costs_its_own_row_alone(read):
    rows = read('a,b\n1,"open\n2,"y"\n3,z\n')
    assert [(line, isinstance(fields, Broken)) for line, fields in rows] == [(2, True), (3, False), (4, False)]


def test_a_field_of_a_megabyte_is_refused_by_its_column(read):
    (line, fields), (_, after) = read("a,b,c\n1," + "x" * 1_048_576 + ",3\n4,5,6\n")
    assert (line, fields.at) == (2, 1)
    assert fields.reason == f"a field is longer than {FIELD_LIMIT:,} characters"
    assert after == ["4", "5", "6"]


def test_bytes_that_are_no_utf_8_are_marked_and_the_row_keeps_its_shape(read):
    assert read(b"a,b\n1,caf\xe9\n") == [(2, ["1", "caf\ufffd"])]


def test_memory_stays_flat_with_a_line_that_never_ends(tmp_path):
    path = tmp_path / "some.csv"
    with path.open("wb") as stream:
        stream.write(b"a,b\n1,")
        for _ in range(64):
            stream.write(b"x" * 1_048_576)
        stream.write(b"\n2,y\n")
    tracemalloc.start()
    rows = [(line, isinstance(fields, Broken)) for line, fields in CsvFile(path).rows()]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == [(2, True), (3, False)]
    assert peak < 16 * 1_048_576


def test_a_source_can_be_read_twice(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("a\n1\n2\n")
    source = CsvFile(path)
    assert list(source.rows()) == list(source.rows()) == [(2, ["1"]), (3, ["2"])]


def test_a_list_reads_like_a_file_with_every_column_that_any_object_names():
    source = RowList([{"id": "1", "ok": True}, {"id": 2, "amount": None}])
    assert source.columns == ("id", "ok", "amount")
    assert list(source.rows()) == [(0, ["1", "true", ""]), (1, ["2", "", ""])]


def test_a_floating_point_number_in_a_list_is_refused():
    ((_, fields),) = RowList([{"amount": 0.1}]).rows()
    assert isinstance(fields, Broken)
    assert fields.at == 0
