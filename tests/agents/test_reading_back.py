"""What is read to customers can be said in every language there is, with amounts and days as they are written there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from agents import reading_back
from agents.instalments import Instalment, quote

LATE: dict[str, Any] = {"until": date(2027, 1, 20), "total": Decimal("160.00")}
FIELDS: dict[str, dict[str, Any]] = {
    "promise": {"amount": Decimal("40.00"), "due_on": date(2027, 1, 5)},
    "extension": LATE,
    "settlement": {
        "balance": Decimal("160.00"),
        "amount": Decimal("120.00"),
        "discount": Decimal("40.00"),
        "pay_by": date(2027, 1, 5),
    },
    "hardship": {"review_on": date(2027, 3, 1), "token": Decimal(5), "every": "month", "first_on": date(2027, 1, 5)},
    "downgrade": {"service": "S1", "product": "Basic", "from_fee": Decimal(49), "to_fee": Decimal(19)},
}
for _what in ("plan", "consolidation"):
    _parts = quote(total=Decimal("100.00"), count=3, first_on=date(2027, 1, 31), every="month", currency="EUR")
    FIELDS[_what] = {**reading_back.of_instalments(_parts, every="month", down_payment=None), "accounts": "A1, A2"}


def test_the_languages_are_those_of_the_notices() -> None:
    assert reading_back.languages() == ("ar", "de", "en", "es", "fr", "hi")


@pytest.mark.parametrize("what", sorted(FIELDS))
@pytest.mark.parametrize("language", reading_back.languages())
def test_everything_that_is_agreed_is_named_in_every_language(what: str, language: str) -> None:
    fields = FIELDS[what]
    spoken = reading_back.say(what, language=language, currency="EUR", waits=True, **fields)
    shorter = reading_back.say(what, language=language, currency="EUR", **fields)

    assert "$" not in spoken.text
    assert len(spoken.text) > len(shorter.text)
    assert spoken.rtl == (language == "ar")
    english = reading_back.say(what, language="en", currency="EUR", waits=True, **fields)
    assert (spoken.text == english.text) == (language == "en")
    digits = "".join(sign for sign in spoken.text if sign.isdigit())
    for value in fields.values():
        if isinstance(value, Decimal):
            assert f"{value:.2f}".replace(".", "") in digits


def test_amounts_have_the_decimals_of_their_currency() -> None:
    said = {
        currency: reading_back.say(
            "promise", language="en-GB", currency=currency, amount=amount, due_on=date(2027, 1, 5)
        ).text
        for currency, amount in (("JPY", Decimal(16000)), ("KWD", Decimal("160.125")), ("IQD", Decimal("1000.250")))
    }

    assert "¥16,000 by" in said["JPY"]
    assert "KWD\N{NO-BREAK SPACE}160.125 by" in said["KWD"]
    assert "1,000.250 by" in said["IQD"]


def test_equal_payments_are_said_in_one_breath_and_the_last_where_it_differs() -> None:
    parts = quote(total=Decimal("100.00"), count=3, first_on=date(2027, 1, 31), every="month", currency="EUR")

    said = reading_back.say(
        "plan", language="en-GB", currency="EUR", **reading_back.of_instalments(parts, every="month", down_payment=None)
    ).text

    assert "Number of payments: 3. Each is €33.33, and the last is €33.34." in said
    assert "The first is due on 31 January 2027, the last on 31 March 2027." in said


def test_a_down_payment_is_said_first_and_counts_among_no_instalments() -> None:
    parts = [Instalment(date(2027, 1, 1), Decimal(40))] + [Instalment(date(2027, m, 1), Decimal(30)) for m in (2, 3)]

    fields = reading_back.of_instalments(parts, every="month", down_payment=Decimal(40))
    said = reading_back.say("plan", language="en-GB", currency="EUR", **fields).text

    assert said.startswith("First you pay €40.00 on 1 January 2027. Number of payments: 2. Each is €30.00. ")
    assert "That is €100.00 in all." in said


def test_a_single_payment_names_its_day_and_no_period() -> None:
    fields = reading_back.of_instalments([Instalment(date(2027, 1, 1), Decimal(40))], every="month", down_payment=None)

    said = reading_back.say("plan", language="en-GB", currency="EUR", **fields).text

    assert said.startswith("You pay €40.00 on 1 January 2027. That is €40.00 in all.")


@pytest.mark.parametrize(
    ("tag", "language"), [("de-AT", "de"), ("pt", "en"), ("", "en"), ("AR", "ar"), ("hi_IN", "hi")]
)
def test_a_language_without_words_is_spoken_to_in_english(tag: str, language: str) -> None:
    assert reading_back.language_of(tag) == language


def test_the_mark_of_what_was_heard_changes_with_every_word() -> None:
    one = reading_back.say("extension", language="en", currency="EUR", **LATE)
    other = reading_back.say("extension", language="en", currency="EUR", **{**LATE, "total": Decimal("160.01")})

    assert one.heard == reading_back.say("extension", language="en", currency="EUR", **LATE).heard
    assert one.heard != other.heard
