from __future__ import annotations

import pytest

from accounts.importing import columns
from accounts.importing.columns import BadValue, Kind

GOOD = [
    (columns.NEW_ID, "B-1.a_b:c"),
    (columns.NEW_ID, "x" * 64),
    (columns.ID, "desk-1"),
    (columns.DATE, "2024-02-29"),
    (columns.BOOLEAN, "false"),
    (columns.WHOLE_NUMBER, "0"),
    (columns.COUNTRY, "GB"),
    (columns.CURRENCY, "KWD"),
    (columns.LANGUAGE, "pt-BR"),
    (columns.TIME_ZONE, "Asia/Kolkata"),
    (columns.amount(), "-12.50"),
    (columns.amount(at_least=0), "0"),
    (columns.amount(above=0), "0.01"),
    (columns.amount(), "999999999999999.99"),
]
BAD = [
    (columns.NEW_ID, "desk-1"),
    (columns.NEW_ID, "x" * 65),
    (columns.NEW_ID, "a b"),
    (columns.NEW_ID, "a\n"),
    (columns.NEW_ID, "é"),
    (columns.DATE, "2026-02-30"),
    (columns.DATE, "20260201"),
    (columns.DATE, "01/02/2026"),
    (columns.DATE, "2026-1-1"),
    (columns.DATE, "9999-12-31"),
    (columns.DATE, "\uff12\uff10\uff12\uff16-01-01"),
    (columns.BOOLEAN, "True"),
    (columns.WHOLE_NUMBER, "-1"),
    (columns.COUNTRY, "us"),
    (columns.COUNTRY, "UK"),
    (columns.CURRENCY, "XXQ"),
    (columns.CURRENCY, "usd"),
    (columns.LANGUAGE, "english please"),
    (columns.TIME_ZONE, "Mars/Olympus"),
    (columns.amount(), "1,000.00"),
    (columns.amount(), "1e3"),
    (columns.amount(), "NaN"),
    (columns.amount(), "inf"),
    (columns.amount(), "1.234"),
    (columns.amount(), "+1"),
    (columns.amount(), ".5"),
    (columns.amount(), "\u0663"),
    (columns.amount(), "1000000000000000"),
    (columns.amount(at_least=0), "-0.01"),
    (columns.amount(above=0), "0.00"),
    (columns.one_of(["email", "phone"]), "fax"),
    (columns.text(3), "four"),
    (columns.text(9), "nul\0"),
    (columns.text(9), "\ufffd"),
    (columns.text(9), "\ud800"),
]


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_what_is_right_is_taken_as_it_stands(kind: Kind, text: str):
    assert kind.parse(text, "USD") == text


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_what_is_wrong_is_refused_with_words(kind: Kind, text: str):
    with pytest.raises(BadValue, match=r"^\w"):
        kind.parse(text, "USD")


@pytest.mark.parametrize(
    ("currency", "taken", "refused"), [("JPY", "12", "12.5"), ("USD", "12.34", "12.345"), ("KWD", "12.345", "12.3456")]
)
def test_an_amount_has_no_more_decimals_than_its_currency(currency: str, taken: str, refused: str):
    assert columns.amount().parse(taken, currency) == taken
    with pytest.raises(BadValue, match="decimals"):
        columns.amount().parse(refused, currency)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00+00:00"),
        ("2026-01-31T09:30:00+05:30", "2026-01-31T04:00:00+00:00"),
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
    ],
)
def test_a_moment_becomes_utc(text: str, moment: str):
    assert columns.MOMENT.parse(text, "") == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+10:00"])
def test_what_is_no_moment_is_refused(text: str):
    with pytest.raises(BadValue, match="moment"):
        columns.MOMENT.parse(text, "")


def test_text_loses_the_space_around_it_and_keeps_its_lines():
    assert columns.text(20).parse("  two\nlines ", "") == "two\nlines"
