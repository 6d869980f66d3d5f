"""What a note is judged by: words in the languages of the desk, and whose words they are."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from agents import word_checks
from agents.models import WordCheck
from agents.text_shapes import digest_of, without_name
from agents.tone_checks import Reader, is_reported, judge_for_reader, judge_note
from dunning.tone import Lexicon

pytestmark = pytest.mark.django_db
ON = date(2026, 3, 2)


@pytest.fixture
def lexicon() -> Lexicon:
    return word_checks.in_use()


def judged(text: str, lexicon: Lexicon) -> dict[str, str]:
    return {found.check: found.severity for found in judge_note(text, lexicon=lexicon)}


class TestTheSeededWords:
    @pytest.mark.parametrize(
        ("text", "check", "severity"),
        [
            ("Told him he will be arrested if he does not pay.", "arrest-en", "breach"),
            ("I said we would garnish his wages.", "seizure-en", "breach"),
            ("Warned her: we know where you live.", "visit-en", "breach"),
            ("Explained this will ruin your credit.", "credit-en", "warn"),
            ("He is a liar.", "insult-en", "breach"),
            ("Same old story again, sob story about the car.", "contempt-en", "warn"),
            ("She is a Jehovah's Witness.", "special-en", "warn"),
            ("Informed his wife that he has a debt of 200.", "third-party-en", "warn"),
            ("Wir schicken den Gerichtsvollzieher.", "seizure-de", "breach"),
            ("Ihm gesagt, er wird verhaftet.", "arrest-de", "breach"),
            ("Er ist ein Lügner und Schmarotzer.", "insult-de", "breach"),
            ("Seiner Frau von der Forderung erzählt.", "third-party-de", "warn"),
            ("Le dije que será detenido.", "arrest-es", "breach"),
            ("Es un sinvergüenza.", "insult-es", "breach"),
            ("Dije a su esposa que tiene una deuda.", "third-party-es", "warn"),
            ("मैंने कहा कि पुलिस भेज देंगे।", "arrest-hi", "breach"),
            ("यह आदमी झूठा है।", "insult-hi", "breach"),
            ("Banda pagal hai.", "insult-hi", "breach"),
            ("पत्नी को बकाया के बारे में बताया।", "third-party-hi", "warn"),
            ("Has diabetes and cannot work.", "health-detail", "warn"),
            ("Card 4111 1111 1111 1111 given.", "card-number", "breach"),
        ],
    )
    def test_are_found(self, text: str, check: str, severity: str, lexicon: Lexicon) -> None:
        assert judged(text, lexicon)[check] == severity

    @pytest.mark.parametrize(
        "text",
        [
            "Customer will pay 120.00 on Friday, wants a receipt by e-mail.",
            "Spoke with the customer. Lost the job in May; plan over six months agreed, first on 1 June.",
            "No answer, voicemail left with name and number only.",
            "Kundin zahlt am 3. den offenen Betrag, bittet um Ratenzahlung.",
            "La clienta pide un plazo hasta el día 15.",
            "ग्राहक शुक्रवार को भुगतान करेंगे।",
            "Familiar with the tariff; asked for a cheaper one. Needs large print.",
        ],
    )
    def test_leave_plain_notes_alone(self, text: str, lexicon: Lexicon) -> None:
        assert judged(text, lexicon) == {}

    def test_every_check_that_is_built_in_has_its_row(self) -> None:
        assert set(WordCheck.objects.values_list("code", flat=True)) >= word_checks.BUILT_IN

    def test_an_illness_is_shown_where_it_stands(self, lexicon: Lexicon) -> None:
        note = f"{'Called twice. ' * 20}Has epilepsy, needs time."
        [found] = [one for one in judge_note(note, lexicon=lexicon) if one.check == "health-detail"]
        assert "epilepsy" in found.excerpt
        assert len(found.excerpt) < 200

    def test_a_card_number_is_masked_in_the_excerpt(self, lexicon: Lexicon) -> None:
        [found] = judge_note("Card 4111 1111 1111 1111 given.", lexicon=lexicon)
        assert "4111 1111" not in found.excerpt


class TestWhoseWords:
    @pytest.mark.parametrize(
        ("text", "severity"),
        [
            ("Customer said our last agent was an idiot.", "warn"),
            ("Cust called me an idiot and hung up.", "warn"),
            ('Shouted "you are all idiots" and hung up.', "warn"),
            ("I told him he is an idiot.", "breach"),
            ('I told him "you are an idiot".', "breach"),
            ("Customer said he would pay. He is an idiot.", "breach"),
            ("Customer said he would pay, I told him he is an idiot.", "breach"),
        ],
    )
    def test_what_the_customer_said_weighs_one_step_less(self, text: str, severity: str, lexicon: Lexicon) -> None:
        assert judged(text, lexicon)["insult-any"] == severity

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("Kunde nannte mich Lügner.", "Lügner"),
            ("Die Kundin hat gesagt, wir seien Gauner.", "Gauner"),
            ("El cliente dijo que somos unos ladrones.", "ladrones"),
            ("ग्राहक ने कहा कि हम चोर हैं।", "चोर"),
        ],
    )
    def test_in_every_language_of_the_notes(self, text: str, word: str) -> None:
        assert is_reported(text, text.index(word), text.index(word) + len(word))

    def test_the_worst_of_several_counts(self, lexicon: Lexicon) -> None:
        assert judged("Customer said I am a liar. He is a liar.", lexicon)["insult-en"] == "breach"

    def test_what_is_kept_weighs_the_same_whoever_said_it(self, lexicon: Lexicon) -> None:
        found = judged("Customer said he is gay and has cancer.", lexicon)
        assert found == {"special-any": "warn", "health-detail": "warn"}


class TestTheReader:
    def judged(self, lexicon: Lexicon, **said: object) -> set[str]:
        asked = {"tone": "", "has_gentle": True, "consequence": "suspended", **said}
        reader = asked.pop("reader")
        return {
            one.check
            for one in judge_for_reader("Please pay.", reader=reader, lexicon=lexicon, **asked)  # type: ignore[arg-type]
        }

    def test_firm_words_to_somebody_in_need_are_a_breach(self, lexicon: Lexicon) -> None:
        reader = Reader(sent_on=ON, in_need=True)
        assert self.judged(lexicon, reader=reader) == {"firm-to-vulnerable"}
        assert self.judged(lexicon, reader=reader, tone="gentle") == set()
        assert self.judged(lexicon, reader=reader, consequence="") == set()
        assert self.judged(lexicon, reader=Reader(sent_on=ON, in_need=False)) == set()

    def test_a_gentle_tone_that_nobody_wrote_is_not_gentle(self, lexicon: Lexicon) -> None:
        reader = Reader(sent_on=ON, in_need=True)
        assert self.judged(lexicon, reader=reader, tone="gentle", has_gentle=False) == {"firm-to-vulnerable"}

    @pytest.mark.parametrize(("days", "found"), [(0, True), (10, True), (11, False)])
    def test_a_threat_days_after_a_kept_promise_is_told(self, days: int, found: bool, lexicon: Lexicon) -> None:
        reader = Reader(sent_on=ON, in_need=False, kept_on=ON - timedelta(days=days))
        assert ("harsh-after-kept" in self.judged(lexicon, reader=reader)) is found


class TestTheSameText:
    def digest(self, text: str, name: str = "Ana", language: str = "en-GB") -> str:
        return digest_of(text, name=name, language=language, beside=("final",))

    def test_copies_differ_in_names_figures_dates_and_links_only(self) -> None:
        one = "Dear Ana, pay $44.90 before 25 August: https://x/y. Account A-10042, +1 202 555 0143."
        other = "Dear Bo Li, pay $1,044.90 before 3 September: https://x/z. Account A-77, +1 202 555 0199."
        assert self.digest(one) == self.digest(other, "Bo Li")
        assert self.digest(one) != self.digest(one.replace("pay", "kindly pay"))

    def test_also_in_german_and_hindi(self) -> None:
        assert self.digest("Zahlen Sie 44,90 € vor dem 25. August.", language="de") == self.digest(
            "Zahlen Sie 1.044,90 € vor dem 3. März.", language="de"
        )
        assert self.digest("५ सितंबर तक ₹1,200 दें", language="hi") == self.digest("१२ अगस्त तक ₹200 दें", language="hi")

    def test_a_name_is_taken_out_and_a_short_one_harms_nothing(self) -> None:
        assert "Ana" not in without_name("Dear Ana Miller, Ana", "Ana")
        assert without_name("A plan", "A") == "A plan"


def test_the_checks_are_put_together_once_and_anew_when_a_row_changes(lexicon: Lexicon) -> None:
    assert word_checks.in_use() is lexicon
    WordCheck.objects.filter(code="insult-en").update(severity="note")
    anew = word_checks.in_use()
    assert anew is not lexicon
    assert judged("He is a liar.", anew) == {"insult-en": "note"}
    assert word_checks.fingerprint(anew) != word_checks.fingerprint(lexicon)
