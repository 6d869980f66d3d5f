"""Figures in the page's language: titles, units, formulas and why there is no value, with their numbers in place."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils import translation

from agents import figure_words, kpis
from agents.kpi_formulas import Figure
from agents.kpis import Asked, Kpi
from agents.period import Period
from agents.scopes import Sums
from agents.words import said


def of_nothing(kpi: Kpi) -> list[Figure]:
    """What a figure says of an empty book."""
    found = kpi.figure(Asked(Sums(), Period(date(2026, 3, 10), 30)))
    return list(found.values()) if isinstance(found, dict) else [found]


@pytest.mark.parametrize("language", ["de", "ar"])
def test_every_figure_has_its_title_its_formula_and_its_reason_in_the_pages_language(language: str) -> None:
    with translation.override(language):
        untitled = [kpi.title for kpi in kpis.CATALOGUE if said(kpi.title) == kpi.title]
        formulas = {kpi.formula for kpi in kpis.CATALOGUE}
        sentences = [one.formula for kpi in kpis.CATALOGUE for one in of_nothing(kpi)]
        reasons = {sentence.rpartition(": ")[2] for sentence in sentences if ": " in sentence}
        unsaid = [text for text in (*formulas, *reasons) if figure_words.of_formula(text) == text]

    assert untitled == []
    assert unsaid == []


def test_numbers_stay_where_they_belong() -> None:
    formula = "receivables / sales of the last 90 days * 90 days"

    assert figure_words.of_formula(formula) == formula
    with translation.override("de"):
        assert figure_words.of_formula(formula) == "Forderungen / Umsatz der letzten 90 Tage * 90 Tage"
        assert figure_words.of_formula("fewer than 30 customers answered") == "weniger als 30 Kunden haben geantwortet"


def test_what_nobody_knows_stays_as_it_is() -> None:
    with translation.override("de"):
        assert figure_words.of_formula("apples / pears * 100") == "apples / pears * 100"
