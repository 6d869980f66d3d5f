from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import yaml

from agents import scripting
from agents.models import ScriptText
from agents.scripting import LANGUAGES, Script, Situation, Spoken

SPOKEN = Spoken(
    operator="Northwind", agent="Nadia", customer="Ann Example", account="A7", currency="EUR",
    overdue=Decimal("1234.50"), disputed=Decimal("20"), since=date(2026, 1, 5), promised=Decimal("60"),
    promised_on=date(2026, 2, 1), until=date(2026, 3, 17),
)  # fmt: skip


def said(situation: str = "first_contact", **more: Any) -> Script:
    given: dict[str, Any] = {"language": "en", "own_language": "en", "verified": True, "texts": [], **more}
    return scripting.script(situation=situation, spoken=SPOKEN, **given)


def everything(script: Script) -> str:
    return " ".join(f"{step.words} {step.own_words} {step.prompt} {step.warning}" for step in script.steps)


@pytest.mark.parametrize(
    ("facts", "situation"),
    [
        ({}, "first_contact"),
        ({"reminded": True}, "reminder_lapsed"),
        ({"days_past_due": 60, "reminded": True}, "reminder_lapsed"),
        ({"days_past_due": 61, "reminded": True}, "long_overdue"),
        ({"service_limited": True, "days_past_due": 90}, "service_limited"),
        ({"inbound": True, "service_limited": True}, "inbound"),
        ({"broken_promise": True, "inbound": True}, "broken_promise"),
        ({"broken_plan": True, "broken_promise": True}, "broken_plan"),
        ({"callback_agreed": True, "broken_promise": True}, "callback_agreed"),
        ({"vulnerable": True, "callback_agreed": True}, "vulnerable"),
        ({"disputed": True, "vulnerable": True}, "disputed"),
        ({"holds": frozenset({"payment_in_flight"}), "disputed": True}, "payment_on_its_way"),
        ({"holds": frozenset({"breathing_space", "payment_in_flight"})}, "hardship"),
        ({"represented_by": frozenset({"attorney"}), "broken_promise": True}, "represented"),
        ({"represented_by": frozenset({"carer"})}, "first_contact"),
        ({"holds": frozenset({"bankruptcy", "hardship"})}, "insolvent"),
        ({"holds": frozenset({"deceased", "bankruptcy"})}, "deceased"),
    ],
)
def test_the_first_situation_that_fits_is_taken(facts: dict[str, Any], situation: str) -> None:
    assert scripting.situation_of(replace(Situation(), **facts)) == situation


@pytest.mark.parametrize("situation", scripting.situations())
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_situation_is_worded_in_every_language(situation: str, language: str) -> None:
    script = said(situation, language=language, own_language=language, requires=scripting.sayable())

    assert script.title
    for step in script.steps:
        assert step.words, step.code
        assert not scripting.unknown_names(step.words)
        assert "{" not in step.words


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_names_only_steps_and_situations_that_there_are(language: str) -> None:
    written = yaml.safe_load((scripting.FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))

    assert written["language"] == language
    assert set(written["for"]) <= set(scripting.situations())
    for situation, steps in written["for"].items():
        assert set(steps) <= set(scripting.steps_of(situation)), situation
    for words in [*written["base"].values(), *(step for steps in written["for"].values() for step in steps.values())]:
        assert not scripting.unknown_names(words["words"])


def test_amounts_and_days_are_written_as_the_language_writes_them() -> None:
    german = everything(said(language="de", own_language="de"))

    assert "1.234,50\xa0€" in german
    assert "5. Januar" in german
    assert "€1,234.50" in everything(said())


def test_the_customers_language_stands_beside_the_desks_own() -> None:
    script = said("broken_promise", language="es-MX", own_language="en")
    reason = next(step for step in script.steps if step.code == "reason")

    assert (script.language, reason.title) == ("es", "Reason")
    assert reason.words.startswith("Habíamos acordado 60,00")
    assert reason.own_words.startswith("We had agreed on €60.00 by 1 February")
    assert reason.prompt.startswith("Neutral voice")
    assert said(language="pt", own_language="en").steps[0].own_words == ""


def test_what_discloses_does_not_leave_before_the_check() -> None:
    for situation in scripting.situations():
        script = said(situation, verified=False, requires=scripting.sayable())
        told = everything(script)
        for secret in ("1,234", "A7", "60.00", "20.00", "past its due date", "attempt to collect"):
            assert secret not in told, (situation, secret)
        for step in script.steps:
            if step.withheld:
                assert (step.words, step.own_words, step.prompt, step.warning, step.says) == ("", "", "", "", ())
    assert said(verified=False).withheld
    assert [step.code for step in said(verified=False).steps if not step.withheld] == ["verify"]


def test_of_a_death_everything_may_be_said_to_whoever_answers() -> None:
    script = said("deceased", verified=False)

    assert [step.code for step in script.steps] == ["verify", "listen", "close"]
    assert not script.withheld
    assert "1,234" not in everything(script)


def test_what_must_be_said_is_there_only_where_it_is_required() -> None:
    assert "mini_miranda" not in [step.code for step in said().steps]

    [step] = [
        step
        for step in said(language="es", requires=["from_a_debt_collector", "verify_identity"]).steps
        if step.code == "mini_miranda"
    ]
    assert step.words == "Esta llamada es de un cobrador de deudas."
    assert step.says == (("from_a_debt_collector", "This call is from a debt collector"),)


def test_whoever_knows_the_work_sees_the_warnings_alone() -> None:
    script = said("service_limited", hints=False)

    assert not any(step.prompt for step in script.steps)
    assert any("keep the service from limits" in step.warning for step in script.steps)


@pytest.mark.django_db
def test_the_admins_words_win_for_their_situation_and_language() -> None:
    def row(situation: str, step: str, words: str, prompt: str = "") -> None:
        ScriptText.objects.create(situation=situation, step=step, language="en", words=words, prompt=prompt)

    row("broken_promise", "reason", "About {promised}: what happened?", "Kindly")
    row("every", "reason", "Everybody hears this")
    row("every", "offer", "A cup of tea?")

    def words(situation: str) -> dict[str, str]:
        return {step.code: step.words for step in said(situation, texts=None).steps}

    assert words("broken_promise")["reason"] == "About €60.00: what happened?"
    # What a situation says of its own is not overwritten by what is for all.
    assert words("broken_promise")["offer"].startswith("Let us find")
    assert words("first_contact")["reason"] == "Everybody hears this"
    assert words("first_contact")["offer"] == "A cup of tea?"
    assert words("inbound")["reason"].startswith("Thank you for calling")


def test_a_name_that_nobody_knows_is_found() -> None:
    assert scripting.unknown_names("Dear {customer}, {salutation} {overdue} {x}") == ["salutation", "x"]
