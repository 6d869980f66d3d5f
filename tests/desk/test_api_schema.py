from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from rest_framework.test import APIClient

from tests.desk.machines import caller
from tests.factories import owing

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"


def test_the_document_in_docs_is_the_one_the_code_makes_without_a_warning() -> None:
    made = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)
    assert made.getvalue() == DOCUMENT.read_text(encoding="utf-8"), (
        "run: manage.py spectacular --file docs/openapi.yaml"
    )


def test_every_operation_says_what_it_takes_answers_and_refuses() -> None:
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/api/v1/"):
                continue
            assert operation["summary"], (method, path)
            assert any(status in operation["responses"] for status in ("200", "201", "204")), (method, path)
            assert "403" in operation["responses"], (method, path)
            for status, answer in operation["responses"].items():
                assert status == "204" or answer["content"], (method, path, status)


@pytest.mark.django_db
def test_the_schema_and_its_page_are_open_to_read() -> None:
    assert APIClient().get("/api/schema/").status_code == 200
    page = APIClient().get("/api/docs/")
    assert page.status_code == 200
    assert "https://" not in page.content.decode()


@pytest.mark.django_db
def test_an_answer_has_the_fields_of_its_schema() -> None:
    shape = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))["components"]["schemas"]["AccountResource"]
    assert set(caller().get(f"/api/v1/accounts/{owing().ref}/").data) == set(shape["properties"])
