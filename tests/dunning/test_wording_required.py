"""Words that a market or a customer's circumstances require, and what a call may say to whom."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunning.limit_facts import COURT
from dunning.wording import (
    CHANNELS,
    BillLine,
    InstalmentLine,
    NoticeFacts,
    ValidationFacts,
    notice_body,
    standard_wordings,
    word_notice,
)
from dunning.wording_facts import CONSEQUENCES
from dunning.wording_texts import PLAIN, TONES

LANGUAGES = sorted(standard_wordings().languages)
BILL = BillLine(
    ref="B-7", issued_on=date(2026, 7, 15), due_on=date(2026, 8, 1),
    amount=Decimal("89.90"), paid=Decimal("30.00"), open=Decimal("59.90"),
)  # fmt: skip
FACTS = NoticeFacts(
    customer_name="Sarah Reed", operator_name="Northwind Mobile", account_ref="A-1001", language="en-GB",
    currency="EUR", bills=(BILL,), total_due=Decimal("59.90"), help_phone="0800 555 0100",
    pay_by=date(2026, 8, 25), consequence="suspended", pay_url="https://pay.example/t/Ab3",
    advice="Advice Line, 0800 555 0199", opt_out_url="https://pay.example/stop/Ab3",
)  # fmt: skip
DEBT = ValidationFacts(
    creditor="Northwind Mobile", itemized_on=date(2026, 7, 2), amount_then=Decimal("500"), interest=Decimal("0"),
    fees=Decimal("25.10"), payments=Decimal("100"), credits=Decimal("0"), ends_on=date(2026, 10, 1),
    collector_address=("P.O. Box 121", "Pasadena, CA 91101"), consumer_address=("2323 Park St", "Bethesda, MD 20815"),
    dispute_url="https://collector.example/dispute",
)  # fmt: skip
ITEMIZED = replace(
    FACTS, language="en-US", currency="USD", bills=(), total_due=DEBT.amount_now, validation=DEBT,
    operator_name="Harbour Recovery",
)  # fmt: skip


# --- Tone -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["reminder", "suspension-warning", "final-notice", "general"])
def test_a_gentle_notice_offers_help_before_it_asks_and_still_says_what_happens_when(language, template):
    facts = replace(FACTS, language=language)
    for channel in ("sms", "in_app", "email", "letter"):
        text = word_notice(template=template, channel=channel, facts=facts, tone="gentle").text.replace("\u00a0", " ")
        plain = word_notice(template=template, channel=channel, facts=facts).text
        long, short = standard_wordings().languages[language].consequences["suspended"]
        warning = short if channel in {"sms", "in_app"} else long
        asks = warning.alternatives[0].template.replace("\u00a0", " ").split("$")[0]
        assert text != plain
        assert text.index("0800 555 0100") < text.rindex(asks), (channel, text)


# Words that press, in the tone for people who can bear no pressure.
PRESSURE = {
    "ar": ("فورًا", "عاجل", "الإشعار الأخير", "إجراء", "قانوني"),
    "de": ("sofort", "unverzüglich", "umgehend", "letzte mahnung", "dringend", "gericht", "überfällig"),
    "en": ("immediately", "urgent", "final notice", "legal", "must pay", "overdue", "failure"),
    "es": ("inmediat", "urgent", "último aviso", "aviso final", "legal", "vencid"),
    "fr": ("immédiat", "urgent", "dernier rappel", "mise en demeure", "en retard", "impayé"),
    "hi": ("तुरंत", "अंतिम सूचना", "क़ानूनी", "बकाया"),
}


@pytest.mark.parametrize("channel", ["sms", "email", "letter", "in_app"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_where_the_law_asks_for_it_a_warning_names_the_courts_in_every_language(language, channel):
    words = standard_wordings().languages[language].phrases["court_recourse"].alternatives[0].template
    facts = replace(FACTS, language=language)
    for names_court, consequence in itertools.product((True, False), ("suspended", None)):
        said = replace(facts, names_court=names_court, consequence=consequence)
        text = word_notice(template="suspension-warning", channel=channel, facts=said).text
        assert (" ".join(words.split()) in " ".join(text.split())) is (names_court and consequence is not None)
    assert any(word in words.lower() for word in COURT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_gentle_notice_has_no_word_that_presses(language):
    for name, channel in itertools.product(standard_wordings().languages[language].templates, CHANNELS):
        template, _, tone = name.partition(".")
        if tone == "gentle":
            said = word_notice(template=template, channel=channel, facts=replace(FACTS, language=language), tone=tone)
            text = f"{said.subject} {said.text}".lower()
            assert not [word for word in PRESSURE[language] if word in text], (name, channel)


def test_a_tone_that_nobody_wrote_is_the_plain_one_of_the_same_language():
    facts = replace(FACTS, language="de")
    plain = word_notice(template="reminder", channel="email", facts=facts)
    assert word_notice(template="reminder", channel="email", facts=facts, tone="firm") == plain
    assert word_notice(template="reminder", channel="email", facts=facts, tone=PLAIN) == plain
    assert word_notice(template="reminder", channel="email", facts=facts, tone="gentle") != plain


def test_an_unknown_template_is_the_general_one_in_the_tone_asked_for():
    said = word_notice(template="house-special", channel="email", facts=FACTS, tone="gentle")
    assert said == word_notice(template="general", channel="email", facts=FACTS, tone="gentle")
    assert said != word_notice(template="general", channel="email", facts=FACTS)


@pytest.mark.parametrize("name", ["reminder.gentle", "_phrases", "../en/reminder"])
def test_a_template_code_cannot_reach_another_file(name):
    assert word_notice(template=name, channel="sms", facts=FACTS) == word_notice(
        template="general", channel="sms", facts=FACTS
    )


# --- Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_to_stop_says_only_that(language):
    for channel in CHANNELS:
        said = word_notice(template="stop-confirmation", channel=channel, facts=replace(FACTS, language=language))
        for word in ("59", "A-1001", "STOP", "0800", "https://"):
            assert word not in said.text, (channel, word)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["paid-thanks", "call-back", "dispute-received", "hardship-help", "help"])
def test_an_answer_asks_for_no_money(language, template):
    for channel in CHANNELS:
        said = word_notice(template=template, channel=channel, facts=replace(FACTS, language=language))
        assert "59" not in said.text.replace("0159", "").replace("555", ""), channel
        assert "/t/Ab3" not in said.text, channel


def test_the_answer_to_paid_names_the_day_until_which_nothing_more_is_asked():
    said = word_notice(template="paid-thanks", channel="sms", facts=replace(FACTS, wait_until=date(2026, 8, 26)))
    assert "Nothing more is needed from you until 26 August." in said.text


# --- Required words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_debt_collector_says_so_in_full_at_first_and_briefly_later(language, channel):
    phrases = standard_wordings().languages[language].phrases
    in_full = phrases["mini_miranda" if channel in {"email", "letter"} else "mini_miranda_short"].say({})
    briefly = phrases["from_collector"].say({})
    facts = replace(FACTS, language=language)

    def said(disclosure: str) -> str:
        worded = word_notice(
            template="reminder", channel=channel, facts=replace(facts, collector_disclosure=disclosure)
        )
        return " ".join(worded.text.split())

    def plain(text: str) -> str:
        return " ".join(text.split()).replace("\u2019", "'") if channel == "sms" else " ".join(text.split())

    assert said("initial").count(plain(in_full)) == 1
    assert plain(briefly) in said("later")
    assert plain(in_full) not in said("later")
    assert plain(briefly) not in said("")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pointer_to_free_advice_is_in_every_letter_and_where_asked_for_in_short_messages(language):
    facts = replace(FACTS, language=language)
    for template in standard_wordings().languages[language].templates:
        if "." in template or template in {"stop-confirmation", "validation-notice"}:
            continue
        for channel in ("email", "letter"):
            text = word_notice(template=template, channel=channel, facts=facts).text
            assert text.count("Advice Line") == 1, (template, channel)
        for channel in ("sms", "in_app", "voice"):
            text = word_notice(template=template, channel=channel, facts=replace(facts, help_signpost=True)).text
            assert text.count("Advice Line") == 1, (template, channel)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", CHANNELS)
def test_the_first_day_of_a_limit_is_said_when_it_is_known(language, channel):
    facts = replace(FACTS, language=language, consequence=None, suspension_on=date(2026, 9, 17))
    assert "17" in word_notice(template="reminder", channel=channel, facts=facts).text
    assert "17" not in word_notice(template="reminder", channel=channel, facts=replace(facts, suspension_on=None)).text


# --- Calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_says_nothing_of_the_account_before_the_listener_has_confirmed_who_they_are(language):
    facts = replace(FACTS, language=language, collector_disclosure="initial")
    for name in standard_wordings().languages[language].templates:
        template, _, tone = name.partition(".")
        if template == "validation-notice":
            continue
        said = word_notice(template=template, channel="voice", facts=facts, tone=tone)
        opening, *rest = said.text.split("\n\n")
        assert opening == said.opening
        assert "Northwind Mobile" in opening
        assert "Sarah Reed" in opening
        assert "1" in opening
        assert "9" in opening
        assert rest
        for word in ("59", "A-1001", "B-7", "€", "EUR", "0800"):
            assert word not in opening, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_speaks_no_address_of_a_page_and_ends_with_the_keys(language):
    for template in standard_wordings().template_codes() - {"validation-notice"}:
        said = word_notice(template=template, channel="voice", facts=replace(FACTS, language=language))
        assert "http" not in said.text
        assert "STOP" not in said.text
        assert not set("\u2066\u2069\u200f") & set(said.text)
        if template != "stop-confirmation":
            last = said.text.split("\n\n")[-1]
            assert {"2", "3", "9"} <= set(last), template


# --- The notice that itemizes a debt: 12 CFR 1006.34 ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en-US",
            ["We are trying to collect a debt that you owe to Northwind Mobile", "October 1, 2026", "July 2, 2026"],
        ),
        ("es-US", ["una deuda que usted tiene con Northwind Mobile", "1 de octubre de 2026", "2 de julio de 2026"]),
    ],
)
@pytest.mark.parametrize("channel", ["email", "letter"])
def test_the_validation_notice_names_creditor_dates_amounts_and_rights(language, words, channel):
    said = word_notice(template="validation-notice", channel=channel, facts=replace(ITEMIZED, language=language))
    text = said.text.replace("\u00a0", " ")
    for word in (*words, "Harbour Recovery", "P.O. Box 121", "A-1001", "500.00", "25.10", "100.00", "425.10"):
        assert word in text, word
    assert text.count("0.00") >= 2 + 2  # interest and credits are written as zero, beside 500.00 and 100.00
    assert "https://pay.example/t/Ab3" not in text  # nothing may overshadow the rights


def test_its_letter_ends_with_a_form_to_send_back_and_its_email_says_where_to_dispute():
    letter = notice_body(template="validation-notice", channel="letter", facts=ITEMIZED)
    assert letter.tear_off is not None
    assert [len(below) for _, below in letter.tear_off.boxes] == [3, 0]
    assert letter.tear_off.mail_to == ("Harbour Recovery", "P.O. Box 121", "Pasadena, CA 91101")
    assert letter.tear_off.sent_by == ("Sarah Reed", "2323 Park St", "Bethesda, MD 20815")
    email = notice_body(template="validation-notice", channel="email", facts=ITEMIZED)
    assert email.tear_off is None
    assert any("https://collector.example/dispute" in paragraph for paragraph in email.closing)


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        (replace(ITEMIZED, validation=None), "needs its parts"),
        (replace(ITEMIZED, total_due=Decimal("425.11")), "425.10, and 425.11"),
        (replace(ITEMIZED, validation=replace(DEBT, creditor=" ")), "names the creditor"),
        (replace(ITEMIZED, validation=replace(DEBT, collector_address=())), "names the creditor"),
        (replace(ITEMIZED, validation=replace(DEBT, dispute_url="javascript:x")), "electronically"),
    ],
)
def test_a_validation_notice_that_lacks_a_part_is_not_said(facts, complaint):
    with pytest.raises(ValueError, match=complaint):
        word_notice(template="validation-notice", channel="email", facts=facts)


# --- Whatever loads can be said ---------------------------------------------------------------------------------------

days = st.dates(date(2020, 1, 1), date(2100, 1, 1))
amounts = st.decimals(Decimal("0.01"), Decimal("9999999"), places=2)
names = st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda name: any(sign.isalnum() for sign in name))
bills = st.builds(BillLine, ref=names, issued_on=days, due_on=days, amount=amounts, paid=amounts, open=amounts)
facts_of_any_kind = st.builds(
    NoticeFacts,
    customer_name=names, operator_name=names, account_ref=names,
    language=st.sampled_from(
        ["ar", "ar-EG", "ar-AE", "de-AT", "en", "en-IN", "es-MX", "fr", "fr-CA", "fr-CH", "hi-IN", "pt", "x"]
    ),
    currency=st.sampled_from(["EUR", "USD", "INR", "JPY", "KWD", "EGP", "CAD"]),
    bills=st.lists(bills, max_size=3).map(tuple), total_due=amounts, help_phone=names,
    pay_by=st.none() | days, consequence=st.none() | st.sampled_from(CONSEQUENCES),
    pay_url=st.none() | st.just("https://pay.example/t/1"), iban=st.none() | names,
    services=st.tuples() | st.tuples(names),
    agency_name=st.none() | names, promised_amount=st.none() | amounts, promised_on=st.none() | days,
    instalments=st.lists(st.builds(InstalmentLine, due_on=days, amount=amounts), max_size=3).map(tuple),
    advice=st.none() | names, regulator=st.none() | names, help_signpost=st.booleans(), suspension_on=st.none() | days,
    wait_until=st.none() | days, answer_by=st.none() | days, extended_until=st.none() | days,
    settled_amount=st.none() | amounts, settled_balance=st.none() | amounts, settled_by=st.none() | days,
    disputed_amount=st.none() | amounts, disputed_bill=st.none() | names, credited_amount=st.none() | amounts,
    collector_disclosure=st.sampled_from(["", "initial", "later"]),
)  # fmt: skip


@given(
    facts=facts_of_any_kind,
    template=st.sampled_from(sorted(standard_wordings().template_codes() - {"validation-notice"})),
    channel=st.sampled_from(CHANNELS),
    tone=st.sampled_from(["", PLAIN, *TONES]),
)
def test_whatever_loads_can_be_said(facts, template, channel, tone):
    said = word_notice(template=template, channel=channel, facts=facts, tone=tone)
    assert said.subject.strip()
    assert said.text.strip()
    assert said.language == facts.language.split("-")[0] or said.language == "en"
    assert (said.html is not None) == (channel == "email")
