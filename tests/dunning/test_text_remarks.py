"""What the checks of words say to the texts of notices while they are written and before a policy is published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from agents.models import WordCheck
from dunning import notice_texts, text_forms, text_remarks, writing
from dunning.notice_texts import Key
from tests.dunning.test_writing import residential
from tests.factories import TODAY, make_agent, moment

pytestmark = pytest.mark.django_db


def final_notice(**parts: Any) -> dict[str, Any]:
    return {**notice_texts.shipped()["en"]["final-notice"], **parts}


def checks_of(content: dict[str, Any]) -> dict[str, str]:
    found = text_remarks.of_text(Key("final-notice", "en"), content, today=TODAY)
    return {one.check: one.severity for one in found}


@pytest.fixture
def desk() -> Client:
    client = Client()
    client.force_login(make_agent("admin"))
    return client


def test_the_texts_that_ship_neither_threaten_nor_press_nor_shout() -> None:
    templates = [name for name in notice_texts.template_names() if not name.startswith("_")]
    # On a day on which the bill of the sample fell due on a 31st: two numbers stand side by side.
    found = text_remarks.of_templates(templates, today=date(2026, 3, 2))
    assert [one for one in found if one.severity != "note"] == []


def test_a_threat_is_named_with_its_channels_and_words() -> None:
    content = final_notice(sms=["$operator_name: pay $total_due or you will be arrested.", "$ask_to_pay_short"])
    [remark] = [
        one for one in text_remarks.of_text(Key("final-notice", "en"), content, today=TODAY) if one.check == "arrest-en"
    ]
    assert remark.severity == "breach"
    assert remark.channels == ("sms",)
    assert "you will be arrested" in remark.excerpt


def test_a_short_text_that_asks_for_money_says_how_much() -> None:
    content = final_notice(sms=["$operator_name: account $account_ref is overdue.", "$ask_to_pay_short"])
    assert checks_of(content)["no-amount"] == "warn"
    assert "no-amount" not in checks_of(final_notice())


def test_what_is_switched_off_says_nothing() -> None:
    loud = final_notice(in_app=["FINAL WARNING: pay $total_due on $account_ref.", "$ask_to_pay_short"])
    assert {"shouting", "urgency-en"} <= set(checks_of(loud))
    WordCheck.objects.filter(code="shouting").update(active=False)
    assert "shouting" not in checks_of(loud)


def test_a_new_word_of_the_admin_counts_at_once() -> None:
    WordCheck.objects.create(code="own", title="Ours", kinds=["notice"], severity="warn", words=["it is not too late"])
    assert checks_of(final_notice())["own"] == "warn"


class TestInTheAdmin:
    def posted(self, content: dict[str, Any]) -> dict[str, str]:
        return {part.name: text_forms.typed(part, content) for part in text_forms.parts_of(content, shared=False)}

    def test_they_are_told_while_it_is_written(self, desk: Client) -> None:
        content = final_notice(sms=["$operator_name: $total_due. Act now or else.", "$ask_to_pay_short"])
        answer = desk.post("/admin/dunning/noticetext/text/en/final-notice/plain/measure/", self.posted(content))
        assert "urgency-en" in answer.content.decode()

    def test_they_are_told_before_it_is_put_in_use_and_do_not_forbid_it(self, desk: Client) -> None:
        content = final_notice(in_app=["PAY RIGHT NOW: $total_due on $account_ref.", "$ask_to_pay_short"])
        draft = notice_texts.draft(
            template="final-notice", language="en", tone="plain", content=content, registration={}, actor="agent:x",
            at=moment(),
        )  # fmt: skip
        address = "/admin/dunning/noticetext/text/en/final-notice/plain/publish/"
        page = desk.get(address)
        assert "shouting" in page.content.decode()
        desk.post(address, {"reason": "Louder", "seen": draft.changed_at.isoformat()})
        draft.refresh_from_db()
        assert draft.state == "published"

    def test_a_policy_that_is_to_be_published_names_what_its_texts_say(self, desk: Client) -> None:
        content = final_notice(in_app=["PAY RIGHT NOW: $total_due on $account_ref.", "$ask_to_pay_short"])
        row = notice_texts.draft(
            template="final-notice", language="en", tone="plain", content=content, registration={}, actor="agent:x",
            at=moment(),
        )  # fmt: skip
        notice_texts.publish(text_id=row.pk, actor="agent:x", at=moment(), reason="Louder")
        version = writing.save_draft(residential(), actor="import", at=moment())
        page = desk.get(f"/admin/dunning/policyversion/{version.pk}/publish/").content.decode()
        assert "final-notice (en)" in page
        assert "shouting" in page
