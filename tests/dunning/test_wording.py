from __future__ import annotations

import itertools
import re
import shutil
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dunning.text_messages import plain_signs, sms_cost, sms_segments
from dunning.wording import (
    CHANNELS,
    BillLine,
    InstalmentLine,
    NoticeFacts,
    WordingError,
    load_wordings,
    notice_body,
    read_wordings,
    standard_wordings,
    word_notice,
    wording_contents,
)
from dunning.wording_facts import CONSEQUENCES
from dunning.wording_texts import PHRASES, WORDINGS

LANGUAGES = ("ar", "de", "en", "es", "fr", "hi")
TEMPLATES = (
    "upcoming", "reminder", "suspension-warning", "final-notice", "placement-notice", "promise-confirmation",
    "plan-confirmation", "restored", "general", "paid-thanks", "call-back", "dispute-received", "hardship-help", "help",
    "extension-confirmation", "settlement-offer", "settlement-paid", "plan-broken", "dispute-upheld",
    "dispute-rejected", "complaint-received", "complaint-answered",
)  # fmt: skip
BARE_TEMPLATES = ("stop-confirmation",)
TONED = (
    "reminder.gentle", "suspension-warning.gentle", "final-notice.gentle", "general.gentle", "final-notice.firm",
)  # fmt: skip
SHORT = ("sms", "in_app", "voice")
ASKING = ("upcoming", "reminder", "suspension-warning", "final-notice", "placement-notice", "general")

JULY = BillLine(
    ref="B-7", issued_on=date(2026, 7, 15), due_on=date(2026, 8, 1),
    amount=Decimal("89.90"), paid=Decimal("30.00"), open=Decimal("59.90"),
)  # fmt: skip
AUGUST = BillLine(
    ref="B-8", issued_on=date(2026, 7, 20), due_on=date(2026, 8, 5),
    amount=Decimal("1020"), paid=Decimal(0), open=Decimal("1020"),
)  # fmt: skip
BARE = NoticeFacts(
    customer_name="Sarah Reed", operator_name="Northwind Mobile", account_ref="A-1001", language="en-GB",
    currency="EUR", bills=(JULY, AUGUST), total_due=Decimal("1079.90"), help_phone="0800 555 0100",
)  # fmt: skip
FULL = replace(
    BARE,
    pay_by=date(2026, 8, 25),
    consequence="outgoing_barred",
    pay_url="https://pay.example/t/Ab3",
    bank_name="Example Bank",
    iban="DE89 3704 0044 0532 0130 00",
    services=("0151 2345678",),
    agency_name="Northside",
    promised_amount=Decimal("50"),
    promised_on=date(2026, 8, 20),
    instalments=(
        InstalmentLine(due_on=date(2026, 9, 1), amount=Decimal("500")),
        InstalmentLine(due_on=date(2026, 10, 1), amount=Decimal("579.90")),
    ),
    extended_until=date(2026, 9, 10),
    settled_amount=Decimal("300"),
    settled_balance=Decimal("412.50"),
    settled_by=date(2026, 9, 2),
    disputed_amount=Decimal("24.50"),
    disputed_bill="B-7",
    credited_amount=Decimal("24.50"),
    advice="Advice Line, 0800 555 0199",
    regulator="the Communications Ombudsman",
    opt_out_url="https://pay.example/stop/Ab3",
)


def everything(facts: NoticeFacts):
    for language, name, channel in itertools.product(LANGUAGES, (*TEMPLATES, *BARE_TEMPLATES, *TONED), CHANNELS):
        template, _, tone = name.partition(".")
        said = word_notice(template=template, channel=channel, facts=replace(facts, language=language), tone=tone)
        yield language, name, channel, said


def test_the_shipped_texts_are_complete_in_every_language():
    languages = standard_wordings().languages
    assert set(languages) == set(LANGUAGES)
    for language in languages.values():
        own = {"validation-notice"} if language.code in {"en", "es"} else set()
        assert set(language.templates) == {*TEMPLATES, *BARE_TEMPLATES, *TONED, *own}, language.code


@pytest.mark.parametrize(
    "facts",
    [FULL, BARE, replace(FULL, bills=(JULY,)), replace(BARE, bills=(JULY,)), replace(BARE, bills=())],
    ids=["all facts", "bare facts", "one bill", "one bill, bare", "no bill"],
)
def test_every_template_can_be_said_on_every_channel_in_every_language(facts):
    for language, template, channel, said in everything(facts):
        where = (language, template, channel)
        assert said.language == language, where
        assert said.subject.strip(), where
        assert said.text.strip(), where
        assert "$" not in said.subject + said.text, where
        assert "None" not in said.text, where
        assert (said.html is not None) == (channel == "email"), where


def test_every_message_says_how_to_get_help():
    for language, template, channel, said in everything(FULL):
        if template not in BARE_TEMPLATES:
            assert "0800 555 0100" in said.text.replace("\u00a0", " "), (language, template, channel)


def test_every_message_that_asks_for_money_says_how_to_pay():
    for language, template, channel, said in everything(FULL):
        if standard_wordings().languages[language].templates[template].pays and channel in {"sms", "email", "letter"}:
            assert "https://pay.example/t/Ab3" in said.text, (language, template, channel)


def test_every_text_message_ends_with_the_way_out_and_every_email_has_one():
    for language, template, channel, said in everything(FULL):
        if template in BARE_TEMPLATES:
            continue
        if channel == "sms":
            assert "STOP" in said.text[-35:], (language, template)
            assert "\n" not in said.text
        if channel == "email":
            assert "https://pay.example/stop/Ab3" in said.text, (language, template)
    assert "STOP" in word_notice(template="reminder", channel="email", facts=BARE).text


@pytest.mark.parametrize("consequence", CONSEQUENCES)
@pytest.mark.parametrize(
    ("language", "day", "in_sms"),
    [
        ("en-GB", "25 August", "25 August"),
        ("es", "25 de agosto", "25 de agosto"),
        ("de", "25. August", "25. August"),
        ("hi", "25 अगस्त", "25 अगस्त"),
        # The û of "août" is not in the cheap alphabet.
        ("fr", "25 août", "25/08"),
        ("ar", "25 أغسطس", "25 أغسطس"),
        ("ar-EG", "\u0662\u0665 أغسطس", "\u0662\u0665 أغسطس"),
    ],
)
def test_a_warning_names_the_date_before_which_to_pay_and_the_same_date_as_the_day_of_effect(
    language, day, in_sms, consequence
):
    facts = replace(FULL, language=language, consequence=consequence)
    for template, channel in itertools.product(ASKING, CHANNELS):
        text = word_notice(template=template, channel=channel, facts=facts).text
        assert text.count(in_sms if channel == "sms" else day) >= 2, (template, channel)


def test_the_english_warning_reads_as_the_settled_example():
    said = word_notice(template="suspension-warning", channel="sms", facts=FULL)
    assert said.text == (
        "Northwind Mobile: €1,079.90 is overdue on account A-1001. "
        "Please pay before 25 August; on 25 August we pause outgoing calls. "
        "Pay: https://pay.example/t/Ab3 Need more time? Call 0800 555 0100. Reply STOP to opt out."
    )


def test_without_a_date_nothing_is_threatened():
    said = word_notice(template="suspension-warning", channel="email", facts=replace(FULL, pay_by=None))
    assert "pause" not in said.text
    assert "as soon as you can" in said.text


def test_one_message_lists_all_bills_with_what_was_paid_and_what_is_left():
    for channel in ("email", "letter"):
        text = word_notice(template="final-notice", channel=channel, facts=FULL).text
        for part in ("B-7", "€89.90", "€30.00", "€59.90", "B-8", "€1,020.00", "€1,079.90", "1 Aug 2026"):
            assert part in text
    html = word_notice(template="final-notice", channel="email", facts=FULL).html
    for part in ("B-7", "Paid: €30.00", "Amount: €89.90", "€59.90", "B-8", "€1,020.00", "€1,079.90", "Due: 1 Aug 2026"):
        assert part in html


def test_bills_are_listed_oldest_due_first():
    body = notice_body(template="reminder", channel="letter", facts=replace(FULL, bills=(AUGUST, JULY)))
    assert [row[0] for row in body.table.rows] == ["B-7", "B-8"]


def test_a_plan_lists_its_instalments():
    body = notice_body(template="plan-confirmation", channel="letter", facts=FULL)
    assert body.table.rows == (("1", "1 Sept 2026", "€500.00"), ("2", "1 Oct 2026", "€579.90"))
    assert body.table.total == "€1,079.90"
    assert "25 August 2026" not in dict(body.transfer).values()


@pytest.mark.parametrize(
    ("language", "currency", "amount", "written"),
    [
        ("de", "EUR", "1234.5", "1.234,50\u00a0€"),
        ("en-US", "USD", "1234.5", "$1,234.50"),
        ("hi", "INR", "123456.5", "₹1,23,456.50"),
        ("hi-IN", "INR", "12345678.9", "₹1,23,45,678.90"),
        ("de-AT", "EUR", "1234.5", "€\u00a01.234,50"),
        ("de-CH", "CHF", "1234.5", "CHF\u00a01\u2019234.50"),
        ("es-MX", "MXN", "1234.5", "$1,234.50"),
        ("es-ES", "EUR", "1234.5", "1.234,50\u00a0€"),
        ("fr-FR", "EUR", "1234.5", "1\u202f234,50\u00a0€"),
        ("fr-CA", "CAD", "1234.5", "1\u00a0234,50\u00a0$"),
        ("ar-AE", "AED", "1234.5", "1,234.50\u00a0د.إ."),
        ("ar-EG", "EGP", "1234.5", "\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0660\u00a0ج.م."),
        ("en-US", "JPY", "1234", "¥1,234"),
        ("en-US", "KWD", "1.5", "KWD\u00a01.500"),
    ],
)
def test_amounts_are_written_as_in_the_customers_country(language, currency, amount, written):
    facts = replace(BARE, language=language, currency=currency, total_due=Decimal(amount))
    assert written in word_notice(template="general", channel="email", facts=facts).text


def test_the_country_of_the_language_tag_chooses_how_dates_are_written():
    british = word_notice(template="reminder", channel="email", facts=FULL).text
    american = word_notice(template="reminder", channel="email", facts=replace(FULL, language="en-US")).text
    assert "25 August 2026" in british
    assert "August 25, 2026" in american


@pytest.mark.parametrize("tag", ["pt", "pt-BR", "tlh", "", "x" * 40, "../de"])
def test_another_language_is_answered_in_english(tag):
    said = word_notice(template="reminder", channel="email", facts=replace(FULL, language=tag))
    assert said.language == "en"
    assert said.text.startswith("Dear Sarah Reed,")


def test_an_unknown_template_says_what_the_general_one_says():
    for language, channel in itertools.product(LANGUAGES, CHANNELS):
        facts = replace(FULL, language=language)
        unknown = word_notice(template="house-special", channel=channel, facts=facts)
        assert unknown == word_notice(template="general", channel=channel, facts=facts)


def test_an_unknown_channel_is_refused():
    with pytest.raises(ValueError, match="fax"):
        word_notice(template="reminder", channel="fax", facts=FULL)


@pytest.mark.parametrize("field", ["customer_name", "operator_name", "account_ref", "help_phone"])
def test_a_notice_without_someone_to_call_is_refused(field):
    with pytest.raises(ValueError, match=field):
        word_notice(template="reminder", channel="sms", facts=replace(FULL, **{field: " \n"}))


class Reader(HTMLParser):
    """What a mail program would show and open."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, text):
        self.shown += text


def test_what_customers_are_called_never_becomes_markup():
    evil = "<script>alert(\"1\")</script> & 'Co'"
    facts = replace(FULL, customer_name=evil, bills=(replace(JULY, ref="<b>7"),), services=("<i>x",))
    reader = Reader()
    reader.feed(word_notice(template="final-notice", channel="email", facts=facts).html)
    assert not {"script", "b", "i"} & set(reader.tags)
    assert f"Dear {evil}," in reader.shown
    assert "<b>7" in reader.shown


def test_fields_inside_values_are_not_filled_in():
    said = word_notice(template="reminder", channel="email", facts=replace(FULL, customer_name="$total_due ${iban}"))
    assert said.text.startswith("Dear $total_due ${iban},")


def test_a_name_stays_on_its_line_and_reads_in_its_order():
    name = "Eve\r\nBcc: all@example.com\u202eevil\x00"
    said = word_notice(template="reminder", channel="email", facts=replace(FULL, customer_name=name))
    assert said.text.startswith("Dear Eve Bcc: all@example.comevil,\n")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.example/ b", "https://", "data:text/html,x", "http://["]
)
def test_only_a_web_address_is_offered_for_paying(url):
    said = word_notice(template="reminder", channel="email", facts=replace(FULL, pay_url=url, opt_out_url=url))
    reader = Reader()
    reader.feed(said.html)
    assert reader.links == []
    assert url not in said.text
    assert "IBAN DE89" in said.text


@pytest.mark.parametrize("language", ["en-GB", "es", "es-MX", "de", "de-AT", "fr", "fr-CA", "en-IN"])
def test_text_messages_stay_in_the_cheap_alphabet_and_within_two_segments_in_every_month(language):
    currency = "INR" if language == "en-IN" else "EUR"
    for month in range(1, 13):
        day = date(2026, month, 25)
        facts = replace(FULL, language=language, currency=currency, pay_by=day, promised_on=day)
        facts = replace(facts, wait_until=day, answer_by=day, bills=(replace(JULY, due_on=day),))
        for name in (*TEMPLATES, *BARE_TEMPLATES, *TONED):
            template, _, tone = name.partition(".")
            text = word_notice(template=template, channel="sms", facts=facts, tone=tone).text
            length = sms_segments(text)
            assert (length.alphabet, length.segments) <= ("GSM-7", 2), text


def test_no_text_that_may_stand_in_a_text_message_spoils_the_cheap_alphabet():
    short = {name for name in PHRASES if name.endswith(("_short", "_sms"))} | {
        "from_collector", "help_signpost", "suspension_date",
    }  # fmt: skip
    for language in standard_wordings().languages.values():
        texts = [text for template in language.templates.values() for text in template.sms]
        texts += [language.phrases[name] for name in sorted(short)]
        texts += [pair[1] for pair in language.consequences.values()]
        if language.code in {"ar", "hi"}:
            assert not language.gsm7
            continue
        for one in (one.template for text in texts for one in text.alternatives):
            assert sms_segments(plain_signs(one)).alphabet == "GSM-7", (language.code, one)


@pytest.mark.parametrize(("language", "most"), [("ar", 6), ("hi", 6)])
def test_text_messages_in_other_scripts_stay_short(language, most):
    for template in (*TEMPLATES, *BARE_TEMPLATES):
        text = word_notice(template=template, channel="sms", facts=replace(FULL, language=language)).text
        assert sms_segments(text).segments <= most, text


def test_a_name_in_a_text_message_keeps_its_letters_and_loses_only_the_signs_of_print():
    facts = replace(FULL, operator_name="Châtel \u201cMobile\u201d\u00a0\u2013 Nord")
    text = word_notice(template="reminder", channel="sms", facts=facts).text
    assert text.startswith('Châtel "Mobile" - Nord: ')
    assert sms_segments(text).alphabet == "UCS-2"


@pytest.mark.parametrize(
    ("text", "alphabet", "places", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # 152 + a sign of two places: it moves to the next part, so two parts of 153 do not hold 306 here.
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("ñé", "GSM-7", 2, 1),
        ("í", "UCS-2", 1, 1),
        ("क" * 70, "UCS-2", 70, 1),
        ("क" * 71, "UCS-2", 71, 2),
        ("क" * 134, "UCS-2", 134, 2),
        ("😀" * 35, "UCS-2", 70, 1),
        ("क" * 66 + "😀" * 34, "UCS-2", 134, 3),
        ("a" * 153 + "€" + "a" * 151, "GSM-7", 306, 2),
        ("a" * 158 + "€", "GSM-7", 160, 1),
        ("a" * 159 + "€", "GSM-7", 161, 2),
        ("[]{}" * 20, "GSM-7", 160, 1),
        ("क" * 69 + "😀", "UCS-2", 71, 2),
        ("क" * 67 + "😀" * 33 + "क", "UCS-2", 134, 2),
        ("Ç", "GSM-7", 1, 1),
        ("ç", "UCS-2", 1, 1),
        ("\u2019", "UCS-2", 1, 1),
        ("a" * 459, "GSM-7", 459, 3),
        ("a" * 460, "GSM-7", 460, 4),
    ],
)
def test_the_length_of_a_text_message_is_counted_as_the_network_bills_it(text, alphabet, places, segments):
    length = sms_segments(text)
    assert (length.alphabet, length.places, length.segments) == (alphabet, places, segments)


def test_a_text_message_costs_its_segments():
    assert sms_cost("a" * 160, Decimal("0.075")) == (sms_segments("a" * 160), Decimal("0.075"))
    assert sms_cost("a" * 161, Decimal("0.075"))[1] == Decimal("0.150")
    assert sms_cost("क" * 71, Decimal("0.02"))[1] == Decimal("0.04")


@pytest.fixture
def own_texts(tmp_path: Path) -> Path:
    folder = tmp_path / "wordings"
    shutil.copytree(WORDINGS, folder)
    return folder


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("reminder", "$account_ref", "$acount_ref", "unknown field acount_ref"),
        ("reminder", "$account_ref", "$iban", "iban may be missing"),
        ("reminder", "$account_ref", "5 $ off", "lone \\$"),
        ("reminder", '- "$get_help"', '- "Bye."', "must say \\$get_help"),
        ("reminder", '- "$ask_to_pay_short"', '- "Pay."', "must say \\$ask_to_pay_short"),
        ("reminder", "table: bills", "table: chairs", "table is one of"),
        ("reminder", "table: bills", "tabel: bills", "tabel"),
        ("reminder", "subject:", "subject: [", "reminder.yaml"),
        ("_phrases", "on $pay_by_day we suspend", "then we suspend", "suspended must say before when to pay"),
        ("_phrases", "Reply STOP", "Reply HALT", "STOP"),
        ("_phrases", 'payee: "Payee"', 'payer: "Payee"', "payee, payer"),
        ("_phrases", "with a personal message for", "about your debt of $total_due,", "must not say \\$total_due"),
        ("_phrases", "You can also call us on $help_phone", "Go to $pay_url", "pay_url"),
        ("reminder", "pays: true", "pays: true\nvoice: ['Pay on $pay_short']", "voice cannot speak \\$pay_short"),
        ("reminder", "pays: true", "pays: true\nbare: true", "a bare notice asks for nothing"),
        ("reminder.gentle", '- "$get_help"', '- "$ask_to_pay $get_help"', "opening or closing offers help before"),
        ("reminder.gentle", "About your account", "Pay $total_due now", "the subject asks for nothing"),
        ("validation-notice", "$validation_ends", "soon", "must say \\$validation_ends"),
        ("validation-notice", "  credits:", "  credit:", "credit, credits"),
        ("validation-notice", "tear_off:", "coupon:", "coupon, tear_off"),
    ],
)  # fmt: skip
def test_a_text_that_could_not_be_said_is_refused_when_it_is_loaded(own_texts, file, old, new, complaint):
    rewrite(own_texts / "en" / f"{file}.yaml", old, new)
    with pytest.raises(WordingError, match=complaint):
        load_wordings(own_texts)


@pytest.mark.parametrize("missing", ["en/general.yaml", "de/_phrases.yaml"])
def test_what_every_language_needs_must_be_there(own_texts, missing):
    (own_texts / missing).unlink()
    with pytest.raises(WordingError, match=re.escape(missing.split("/")[0])):
        load_wordings(own_texts)


@pytest.mark.parametrize("name", ["reminder.polite.yaml", "nothing.gentle.yaml"])
def test_a_tone_that_is_none_or_stands_beside_nothing_is_refused(own_texts, name):
    shutil.copy(own_texts / "en" / "reminder.gentle.yaml", own_texts / "en" / name)
    with pytest.raises(WordingError, match="a tone is one of"):
        load_wordings(own_texts)


def test_texts_from_elsewhere_are_put_over_the_files_and_checked_like_them():
    contents = wording_contents()
    contents["en"]["reminder"] = {**contents["en"]["reminder"], "sms": ["Own words.", "$ask_to_pay_short"]}
    said = word_notice(template="reminder", channel="sms", facts=FULL, wordings=read_wordings(contents))
    assert said.text.startswith("Own words. ")
    contents["en"]["reminder"]["sms"] = ["Own words."]
    with pytest.raises(WordingError, match="en/reminder: sms must say"):
        read_wordings(contents)


def test_the_texts_of_an_operator_are_used(own_texts):
    rewrite(own_texts / "en" / "reminder.yaml", "It may simply have slipped by.", "No hurry.")
    said = word_notice(template="reminder", channel="email", facts=FULL, wordings=load_wordings(own_texts))
    assert "No hurry." in said.text


def test_a_template_only_the_fallback_language_has_is_said_in_it(own_texts):
    for path in (own_texts / "hi").glob("final-notice*.yaml"):
        path.unlink()
    facts = replace(FULL, language="hi")
    assert (
        word_notice(template="final-notice", channel="sms", facts=facts, wordings=load_wordings(own_texts)).language
        == "en"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_email_fetches_nothing_and_runs_as_its_language_does(language):
    for template in TEMPLATES:
        facts = replace(FULL, language=language)
        html = word_notice(template=template, channel="email", facts=facts).html
        assert not re.search(r"\bsrc=|url\(|<link|<script|@import|<img", html), template
        reader = Reader()
        reader.feed(html)
        assert set(reader.links) <= {"https://pay.example/t/Ab3"}, template
        direction = "rtl" if language == "ar" else "ltr"
        assert html.count(f'dir="{direction}"') == 3, template
        assert 'name="color-scheme" content="light dark"' in html
        start, end = ("right", "left") if language == "ar" else ("left", "right")
        assert f'align="{start}"' in html
        has_amounts = standard_wordings().languages[language].templates[template].table != "none"
        assert (f'align="{end}"' in html) == has_amounts, template


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_an_inbox_shows_beside_the_subject_names_no_amount(language):
    for template in TEMPLATES:
        body = notice_body(template=template, channel="email", facts=replace(FULL, language=language))
        assert body.preview
        assert not re.search(r"\d", body.preview.replace("A-1001", "")), template
        html = word_notice(template=template, channel="email", facts=replace(FULL, language=language)).html
        assert html.index(escape(body.preview)) < html.index(escape(body.greeting)), template


@pytest.mark.parametrize("phone", ["0800 555 0100", "+971 4 555 0100"])
def test_the_groups_of_a_number_keep_their_order_in_a_text_that_runs_from_right_to_left(phone):
    facts = replace(FULL, language="ar", help_phone=phone)
    for channel in ("sms", "email", "letter", "in_app"):
        text = word_notice(template="reminder", channel=channel, facts=facts).text.replace("\u00a0", " ")
        assert f"\u2066{phone}\u2069" in text, channel
    assert phone in word_notice(template="reminder", channel="voice", facts=facts).text
    assert "\u2066" not in word_notice(template="reminder", channel="sms", facts=replace(facts, language="en")).text


def test_the_first_of_a_month_is_an_ordinal_in_french():
    facts = replace(FULL, language="fr", pay_by=date(2026, 9, 1))
    assert "avant le 1er septembre 2026" in word_notice(template="reminder", channel="email", facts=facts).text
    assert "avant le 1er septembre ;" in word_notice(template="reminder", channel="sms", facts=facts).text
    late = replace(facts, pay_by=date(2026, 9, 11))
    assert "avant le 11 septembre 2026" in word_notice(template="reminder", channel="email", facts=late).text
