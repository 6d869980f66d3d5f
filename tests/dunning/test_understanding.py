"""What messages are taken for: every example in the files of words, and what is shared by all languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from dunning import understanding
from dunning.understanding import (
    CALL_ME,
    CANNOT_PAY,
    CERTAIN,
    DISPUTE,
    FOLDER,
    HELP,
    OPT_IN,
    OPT_OUT,
    PAID,
    UNCLEAR,
    WRONG_PERSON,
    Understanding,
    WordsError,
    cut,
    examples_of,
    load_words,
    squashed,
    standard_words,
)  # fmt: skip

FILES = sorted(FOLDER.glob("*.yaml"))
EXAMPLES = [(path.stem, wanted, text) for path in FILES for wanted, text in examples_of(path)]

#: Sentences that were written after the words were settled, as people type them.
HELD_OUT = [
    ("en", PAID, "hello i payed this bill last tuesday with my card"),
    ("en", UNCLEAR, "when i have paid will my line be back"),
    ("en", CANNOT_PAY, "money is tight, can not pay the whole thing, payment plan?"),
    ("en", OPT_OUT, "Kindly stop sending me these texts!!"),
    ("en", WRONG_PERSON, "Sorry, you've got the wrong number"),
    ("es", PAID, "buenos dias, ya he pagado el recibo"),
    ("es", CANNOT_PAY, "este mes no puedo pagar, estoy sin trabajo"),
    ("es", OPT_OUT, "no me manden mas mensajes"),
    ("fr", PAID, "bonjour, j'ai payé la semaine dernière"),
    ("fr", CALL_ME, "pouvez vous me rappeler svp"),
    ("fr", UNCLEAR, "je n'ai jamais payé en retard"),
    ("de", PAID, "Hallo, die Rechnung hab ich schon am Freitag bezahlt"),
    ("de", CANNOT_PAY, "kann leider erst am 1. zahlen, hab grad kein geld"),
    ("de", OPT_OUT, "Schreiben Sie mir nie wieder"),
    ("hi", PAID, "bhai maine kal bill bhar diya hai"),
    ("hi", CALL_ME, "कृपया मुझे फोन करें"),
    ("ar", PAID, "السلام عليكم لقد دفعت الفاتورة أمس"),
    ("ar", WRONG_PERSON, "الرقم غلط لا أعرف هذا الشخص"),
]


def read(text: str, *, hint: str = "", subject: str = "") -> Understanding:
    return understanding.understand(text, subject=subject, language_hint=hint, languages=standard_words())


@pytest.mark.parametrize(("language", "wanted", "text"), EXAMPLES)
def test_every_example_is_taken_for_what_its_file_says(language: str, wanted: str, text: str) -> None:
    said = read(text, hint=language)

    assert wanted.removeprefix("hint:") in said.hints if wanted.startswith("hint:") else said.intent == wanted
    assert said.language == language


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_language_has_a_dozen_examples_of_everything_that_is_acted_on(path: Path) -> None:
    told = examples_of(path)
    count = {wanted: sum(each == wanted for each, _ in told) for wanted, _ in told}
    assert [name for name in (OPT_OUT, PAID, CALL_ME, DISPUTE, CANNOT_PAY, WRONG_PERSON) if count[name] < 12] == []
    assert count[OPT_IN] >= 4
    assert count[HELP] >= 5
    assert count[UNCLEAR] >= 12
    assert {"hint:bereavement", "hint:job_loss", "hint:illness", "hint:abuse", "hint:crisis"} <= set(count)


@pytest.mark.parametrize(("language", "wanted", "text"), HELD_OUT)
def test_sentences_that_are_in_no_file_are_understood(language: str, wanted: str, text: str) -> None:
    assert (read(text).intent, read(text).language) == (wanted, language)


@pytest.mark.parametrize("word", ["stop", "quit", "end", "revoke", "opt out", "optout", "cancel", "unsubscribe"])
@pytest.mark.parametrize("language", ["", *standard_words()])
def test_the_words_that_the_law_names_are_certain_however_they_are_written(word: str, language: str) -> None:
    for written in (word, word.upper(), f" {word.title()}! ", ".".join(word), f"“{word}”", f"{word}\n\nAnna Arendt"):
        said = read(written, hint=language)
        assert (said.intent, said.keyword, said.confidence) == (OPT_OUT, True, CERTAIN), written


@pytest.mark.parametrize(
    "text",
    [
        "pls don't text me anymore", "leave me alone", "Lassen Sie mich in Ruhe", "laissez-moi tranquille",
        "Déjenme en paz", "मुझे परेशान मत करो", "اتركوني وشأني",
    ],
)  # fmt: skip
def test_a_wish_in_other_words_is_a_reading_that_a_person_decides(text: str) -> None:
    said = read(text)
    assert (said.intent, said.keyword) == (OPT_OUT, False)
    assert said.confidence <= understanding.VAGUE


@pytest.mark.parametrize(
    "text",
    [
        "I did not pay", "don't stop", "No he pagado", "Je n'ai pas payé", "Ich habe nicht bezahlt",
        "मैंने भुगतान नहीं किया", "لم أدفع", "Stop the service on my second line in June", "the endless bill",
    ],
)  # fmt: skip
def test_a_negation_is_no_statement(text: str) -> None:
    assert read(text).intent == UNCLEAR


def test_several_things_at_once_are_not_certain_and_all_named() -> None:
    said = read("I paid this already, stop texting me")
    assert (said.intent, said.also) == (OPT_OUT, (PAID,))
    mixed = read("This bill is wrong, please call me")
    assert (mixed.intent, mixed.also, mixed.confidence) == (DISPUTE, (CALL_ME,), understanding.MIXED)


def test_a_hint_is_told_beside_what_is_asked_for_and_a_crisis_comes_first() -> None:
    said = read("I cannot pay, I lost my job and I can't go on")
    assert (said.intent, said.hints) == (CANNOT_PAY, ("crisis", "job_loss"))


QUOTED = {
    "en": "On Tue, 3 Mar 2026 at 10:00, Northwind Telecom\n<billing@northwind.example> wrote:",
    "es": "El mar, 3 mar 2026 a las 10:00, Northwind (<billing@northwind.example>) escribió:",
    "fr": "Le mar. 3 mars 2026 à 10:00, Northwind <billing@northwind.example> a écrit :",
    "de": "Am Di., 3. März 2026 um 10:00 Uhr schrieb Northwind <billing@northwind.example>:",
    "hi": "मंगल, 3 मार्च 2026 को 10:00 बजे Northwind <billing@northwind.example> ने लिखा:",
    "ar": "في الثلاثاء، 3 مارس 2026 كتب Northwind <billing@northwind.example>:",
}


@pytest.mark.parametrize("language", list(QUOTED))
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_is_answered_is_not_what_they_say(language: str, newline: str) -> None:
    """Our own notice says "reply STOP" and "if you have paid": neither is theirs."""
    ours = "\n> You owe 100. If you have paid, ignore this.\n> Reply STOP to stop.\n"
    text = f"xyz 123\n\n{QUOTED[language]}{ours}".replace("\n", newline)
    assert cut(text, languages=standard_words()) == "xyz 123"
    assert read(text).intent == UNCLEAR


def test_an_answer_below_the_quotation_is_found() -> None:
    text = (
        "On Tue, 3 Mar 2026 at 10:00, Northwind <billing@northwind.example> wrote:\n> Reply STOP\n\nI paid yesterday\n"
    )
    assert read(text).intent == PAID


@pytest.mark.parametrize(
    "signature", ["-- \nStop & End Ltd", "Sent from my iPhone", "Von meinem iPhone gesendet", "Envoyé de mon iPhone"]
)
def test_the_signature_says_nothing(signature: str) -> None:
    assert cut(f"I paid\n\n{signature}", languages=standard_words()) == "I paid"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Automatic reply: your bill", "I paid yesterday"), ("Out of office", "Back on Monday"),
        ("Abwesenheitsnotiz", "Ich bin bis 12. nicht im Büro"), ("Réponse automatique", "STOP"),
        ("", "This is an automatic reply. I am away until Monday."),
    ],
)  # fmt: skip
def test_an_automatic_reply_is_no_reply(subject: str, text: str) -> None:
    assert read(text, subject=subject).intent == understanding.AUTO_REPLY


def test_the_subject_may_be_a_stop_and_nothing_else() -> None:
    assert read("", subject="Unsubscribe").keyword
    assert read("thank you", subject="Re: STOP").keyword
    assert read("thank you", subject="AW: Re: stop").keyword
    assert read("thank you", subject="Re: Paid").intent == UNCLEAR


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", {"PAID": PAID, "CALL ME": CALL_ME, "DISPUTE": DISPUTE, "CANNOT PAY": CANNOT_PAY}),
        ("es", {"PAGADO": PAID, "LLAMADA": CALL_ME, "RECLAMO": DISPUTE, "NO PUEDO PAGAR": CANNOT_PAY}),
        ("fr", {"PAYÉ": PAID, "APPEL": CALL_ME, "LITIGE": DISPUTE, "DIFFICULTÉ": CANNOT_PAY}),
        ("de", {"BEZAHLT": PAID, "ANRUF": CALL_ME, "FALSCH": DISPUTE, "KANN NICHT ZAHLEN": CANNOT_PAY}),
        ("hi", {"भुगतान किया": PAID, "कॉल करें": CALL_ME, "बिल ग़लत": DISPUTE, "भुगतान कठिन": CANNOT_PAY}),
        ("ar", {"دفعت": PAID, "اتصلوا بي": CALL_ME, "اعتراض": DISPUTE, "لا أستطيع الدفع": CANNOT_PAY}),
    ],
)  # fmt: skip
def test_the_words_that_our_help_text_offers_are_understood(language: str, words: dict[str, str]) -> None:
    offered = (understanding.FOLDER.parent / "wordings" / language / "help.yaml").read_text(encoding="utf-8")
    for word, wanted in words.items():
        assert word in offered
        assert (read(word, hint=language).intent, read(word, hint=language).keyword) == (wanted, True)


def test_a_word_of_several_languages_takes_the_customers() -> None:
    assert read("STOP", hint="de").language == "de"
    assert read("STOP", hint="pt-BR").language == "en"
    assert read("baja", hint="en").language == "es"
    assert read("12345", hint="hi").language == "hi"
    assert read("میں نے ادائیگی کر دی ہے", hint="").language == ""


def test_letters_that_do_not_show_and_a_flood_of_words_do_no_harm() -> None:
    assert squashed("\u200bS\u00adT\u200dO\ufeffP") == "stop" or read("\u200bS\u00adT\u200dO\ufeffP").keyword
    assert read("paid " * 100_000).intent in (PAID, UNCLEAR)
    assert read("").intent == UNCLEAR
    assert read("\x00\ud800").intent == UNCLEAR


def test_a_file_that_makes_no_sense_is_refused_by_name(tmp_path: Path) -> None:
    words = FILES[0].read_text(encoding="utf-8")
    (tmp_path / "xx.yaml").write_text(words.replace("  paid:", "  bribe:"), encoding="utf-8")
    with pytest.raises(WordsError, match=r"xx\.yaml: bribe"):
        load_words(tmp_path)
    (tmp_path / "xx.yaml").write_text("own_words: a\n", encoding="utf-8")
    with pytest.raises(WordsError, match="intents"):
        load_words(tmp_path)
