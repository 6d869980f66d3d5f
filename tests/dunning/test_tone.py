"""How a text speaks: words in every script, shouting, sentences, amounts; and how easily it is read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dunning.readability import (
    english_syllables,
    german_syllables,
    longest_sentence,
    reading_ease,
    sentences,
    spanish_syllables,
)
from dunning.tone import (
    BREACH,
    NOTES,
    NOTICES,
    WARN,
    Lexicon,
    Rule,
    RuleError,
    around,
    compiled,
    judge_notice,
    milder,
    names_amount,
    shouting,
)

BOTH = frozenset({NOTES, NOTICES})
BUILT_IN = ("shouting", "exclamation-marks", "long-sentence", "hard-to-read", "no-amount", "card-number")


def words(*said: str, **columns: object) -> Lexicon:
    return Lexicon([Rule(**{"code": "w", "severity": WARN, "where": BOTH, "words": said, **columns})])  # type: ignore[arg-type]


def found(lexicon: Lexicon, text: str, language: str = "") -> list[str]:
    return [text[hit.begin : hit.end] for hit in lexicon.hits(text, where=NOTES, language=language)]


def judged(text: str, *, language: str = "en", channel: str = "sms", amount: str | None = None) -> dict[str, str]:
    lexicon = Lexicon([Rule(code=code, severity=WARN, where=frozenset({NOTICES})) for code in BUILT_IN])
    asked = Decimal(amount) if amount else None
    return {
        one.check: one.excerpt
        for one in judge_notice(text, language=language, channel=channel, lexicon=lexicon, amount=asked)
    }


class TestWords:
    @pytest.mark.parametrize(
        ("word", "text", "stands"),
        [
            ("be arrested", "You will BE  ARRESTED!", True),
            ("be arrested", "to be. Arrested last year", False),
            ("liar", "He is a liar.", True),
            ("liar", "The familiar liars\u2019 club", False),
            ("garnish*", "we garnished it", True),
            ("self harm", "self-harm", True),
            ("lügner", "Ein LUGNER", True),
            ("arschlöcher", "Arschlöcher", True),
            ("última oportunidad", "Ultima oportunidad para pagar", True),
            ("झूठा", "ग्राहक झूठा है।", True),
            ("झूठा", "झूठापन", False),
            ("गिरफ्तार", "आपको गिरफ़्तार किया जाएगा", True),
            ("पुलिस भेज*", "हम पुलिस भेजेंगे", True),
            ("पागल", "पा\u200dगल", True),
            ("can't pay", "he can\u2019t pay", True),
        ],
    )
    def test_they_are_whole_words_in_any_script(self, word: str, text: str, stands: bool) -> None:
        assert bool(found(words(word), text)) is stands

    def test_words_of_another_language_are_not_looked_for_where_the_language_is_known(self) -> None:
        lexicon = words("sofort", languages=frozenset({"de"}))
        assert found(lexicon, "Sofort zahlen", "de-AT") == ["Sofort"]
        assert found(lexicon, "Sofort zahlen", "en") == []
        assert found(lexicon, "Sofort zahlen") == ["Sofort"]

    def test_they_are_looked_for_only_where_they_belong(self) -> None:
        lexicon = words("urgent", where=frozenset({NOTICES}))
        assert lexicon.hits("urgent", where=NOTES) == []

    def test_patterns_are_looked_for_in_any_case(self) -> None:
        assert found(words(patterns=(r"\btold (?:his|her) wife\b",)), "TOLD his wife") == ["TOLD his wife"]

    @pytest.mark.parametrize("pattern", ["(", "a*", ""])
    def test_a_pattern_that_is_none_or_finds_everything_is_refused(self, pattern: str) -> None:
        with pytest.raises(RuleError):
            compiled(pattern, "mine")

    def test_one_step_less_is_a_note_at_the_least(self) -> None:
        assert [milder(BREACH), milder(WARN), milder("note")] == [WARN, "note", "note"]

    def test_a_card_number_is_never_shown(self) -> None:
        text = "card 4111 1111 1111 1111 said by the customer"
        assert "1111 1111 1111" not in around(text, 0, 4)


class TestShouting:
    @pytest.mark.parametrize("text", ["PAY NOW OR ELSE", "This is your FINAL WARNING.", "ZAHLEN SIE SOFORT"])
    def test_words_in_capitals_behind_each_other_shout(self, text: str) -> None:
        assert shouting(text) is not None

    @pytest.mark.parametrize(
        "text",
        [
            "Reply STOP to opt out.",
            "IBAN GB33BUKB20201555555555",
            "Answer CALL ME or CANNOT PAY.",
            "अभी भुगतान करें",
            "The UK and EU.",
        ],
    )
    def test_abbreviations_answers_and_scripts_without_capitals_do_not(self, text: str) -> None:
        assert shouting(text) is None

    def test_exclamation_marks_are_counted(self) -> None:
        assert "exclamation-marks" in judged("Pay now!!")
        assert "exclamation-marks" in judged("Hello! Pay! Now!")
        assert "exclamation-marks" not in judged("Thank you! See you.")


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("USD 44.90 is overdue on A-10042", "44.900"),
            ("Bitte zahlen Sie 1.234,50 €", "1234.500"),
            ("₹1,23,456.00", "123456.000"),
            ("₹१,२३,४५६", "123456.000"),
            ("¥1200", "1200.000"),
            ("BHD 4.125", "4.125"),
            ("1 234,50 €", "1234.500"),
            ("₹44.90 31 जनवरी को देय था", "44.900"),
        ],
    )
    def test_a_number_is_found_however_its_country_writes_it(self, text: str, amount: str) -> None:
        assert names_amount(text, Decimal(amount))

    def test_another_number_is_not_it(self) -> None:
        assert not names_amount("Account A-4490, call 44", Decimal("44.900"))

    def test_a_short_text_needs_it_and_a_letter_has_its_table(self) -> None:
        assert "no-amount" in judged("Your account is overdue.", amount="44.90")
        assert "no-amount" not in judged("Your account is overdue.", channel="letter", amount="44.90")
        assert "no-amount" not in judged("Thank you.")


class TestReadability:
    @pytest.mark.parametrize(("word", "count"), [("please", 1), ("table", 2), ("agreed", 2), ("overdue", 3)])
    def test_syllables_of_english(self, word: str, count: int) -> None:
        assert abs(english_syllables(word) - count) <= 1

    @pytest.mark.parametrize(
        ("word", "count"), [("Rechnung", 2), ("überfällig", 4), ("Ratenzahlung", 4), ("vereinbaren", 4), ("neue", 2)]
    )
    def test_syllables_of_german(self, word: str, count: int) -> None:
        assert german_syllables(word) == count

    @pytest.mark.parametrize(
        ("word", "count"), [("factura", 3), ("guitarra", 3), ("día", 2), ("ciudad", 2), ("aéreo", 4), ("muy", 1)]
    )
    def test_syllables_of_spanish(self, word: str, count: int) -> None:
        assert spanish_syllables(word) == count

    def test_a_day_number_ends_no_sentence(self) -> None:
        assert sentences("Am 25. August pausieren wir. Zahlen Sie 44,90. Danke!") == [
            "Am 25. August pausieren wir", "Zahlen Sie 44,90", "Danke",
        ]  # fmt: skip

    def test_a_key_to_press_does(self) -> None:
        assert len(sentences("Zum Sprechen drücken Sie 2. Um es zu hören, drücken Sie 3.")) == 2

    def test_flesch_of_a_text_counted_by_hand(self) -> None:
        """Ten sentences of six words of one syllable each: 206.835 - 84.6 - 6.09."""
        text = "The cat sat on the mat. " * 10
        assert reading_ease(text, "en-GB") == pytest.approx(206.835 - 84.6 - 1.015 * 6)

    def test_amstad_of_a_text_counted_by_hand(self) -> None:
        """Words of two syllables, five in a sentence: 180 - 5 - 58.5 * 2."""
        text = "Kinder spielen immer wieder Karten. " * 12
        assert reading_ease(text, "de") == pytest.approx(180 - 5 - 58.5 * 2)

    def test_fernandez_huerta_of_a_text_counted_by_hand(self) -> None:
        """Words of two syllables, five in a sentence: 206.84 - 60 * 2 - 1.02 * 5."""
        text = "Todos comen pasta cada lunes. " * 12
        assert reading_ease(text, "es") == pytest.approx(206.84 - 120 - 5.1)

    @pytest.mark.parametrize("language", ["hi", "ar", "fr"])
    def test_no_formula_is_made_up_where_none_is_in_use(self, language: str) -> None:
        assert reading_ease("word " * 100 + ".", language) is None

    def test_a_short_text_is_not_measured(self) -> None:
        assert reading_ease("Notwithstanding aforementioned considerations, remuneration is obligatory.", "en") is None

    def test_officialese_is_hard_to_read(self) -> None:
        text = (
            "Notwithstanding aforementioned contractual considerations, remuneration of outstanding obligations "
            "necessitates immediate consideration by the undersigned organisation's administrative department. "
        ) * 4
        assert "Flesch 1948" in judged(text, channel="email")["hard-to-read"]

    def test_a_sentence_without_an_end_is_told(self) -> None:
        words_of_it, _ = longest_sentence(f"Short. {'and so on ' * 15}.")
        assert words_of_it == 45
        assert judged("and so on " * 15)["long-sentence"].startswith("45")
