"""Score cards and sampling in the admin: a used card is copied, a rule's conditions are asked for one by one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents.models import Criterion, Review, SamplingRule, ScoreCard
from tests.agents.judged import a_call, card_of
from tests.factories import make_agent, make_team

pytestmark = pytest.mark.django_db


def browser(role: str) -> Client:
    person = make_agent(role)
    person.is_staff = True
    person.save(update_fields=["is_staff"])
    client = Client()
    client.force_login(person)
    return client


def card_form(card: ScoreCard, **more: Any) -> dict[str, Any]:
    rows = list(card.criteria.order_by("position"))
    given: dict[str, Any] = {
        "title": card.title, "pass_mark": card.pass_mark,
        "criteria-TOTAL_FORMS": len(rows), "criteria-INITIAL_FORMS": len(rows),
    }  # fmt: skip
    for at, row in enumerate(rows):
        for name in ("id", "position", "section", "code", "text", "help", "weight", "answers"):
            given[f"criteria-{at}-{name}"] = getattr(row, name)
        given[f"criteria-{at}-card"] = card.pk
    return given | more


def test_a_used_card_is_shown_copied_and_the_copy_edited_and_put_in_use() -> None:
    client = browser("admin")
    card = card_of(("kind", 10, "scale", False))
    a_call(card=card, state=Review.State.DONE)
    base = "/admin/agents/scorecard"

    shown = client.get(f"{base}/{card.pk}/change/").content.decode()
    assert 'name="criteria-0-text"' not in shown
    client.post(f"{base}/{card.pk}/change/", card_form(card, title="Otherwise", **{"criteria-0-text": "Otherwise"}))
    card.refresh_from_db()
    assert (card.title, card.criteria.get().text) == ("Card", "kind")

    assert client.get(f"{base}/{card.pk}/copy/").status_code == 200
    assert ScoreCard.objects.filter(code=card.code).count() == 1
    client.post(f"{base}/{card.pk}/copy/")
    draft = ScoreCard.objects.get(code=card.code, version=2)
    answer = client.post(
        f"{base}/{draft.pk}/change/", card_form(draft, title="Version two", **{"criteria-0-text": "Was kind to them"})
    )
    assert answer.status_code == 302, answer.content.decode()
    assert client.get(f"{base}/{draft.pk}/use/").status_code == 200
    assert not ScoreCard.objects.get(pk=draft.pk).active
    client.post(f"{base}/{draft.pk}/use/")

    draft.refresh_from_db()
    assert (draft.active, draft.title, draft.criteria.get().text) == (True, "Version two", "Was kind to them")
    assert draft.changed_by.startswith("agent:admin")
    assert client.post(f"{base}/{draft.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_new_card_waits_until_it_has_questions() -> None:
    client = browser("admin")
    given = {
        "code": "chat", "title": "A chat", "subject": "call", "pass_mark": 70,
        "criteria-TOTAL_FORMS": 0, "criteria-INITIAL_FORMS": 0,
    }  # fmt: skip
    client.post("/admin/agents/scorecard/add/", given)
    card = ScoreCard.objects.get(code="chat")
    assert (card.version, card.active) == (1, False)
    client.post(f"/admin/agents/scorecard/{card.pk}/use/")
    assert not ScoreCard.objects.get(pk=card.pk).active
    Criterion.objects.create(card=card, code="kind", text="Was kind")
    client.post(f"/admin/agents/scorecard/{card.pk}/use/")
    assert ScoreCard.objects.get(pk=card.pk).active


def rule_form(**more: Any) -> dict[str, Any]:
    card = ScoreCard.objects.get(subject="call", active=True)
    return {
        "code": "hard", "title": "Hard calls", "subject": "call", "card": card.pk, "percent": "12.5", "due_days": 3,
        "active": "on",
    } | more  # fmt: skip


def test_conditions_are_asked_one_by_one_and_kept_together() -> None:
    client = browser("admin")
    make_team("North")
    given = rule_form(conversation="on", survey_at_most="2", teams="North", dispositions="rpc_refused, rpc_hardship")
    answer = client.post("/admin/agents/samplingrule/add/", given)
    assert answer.status_code == 302, answer.content.decode()

    rule = SamplingRule.objects.get(code="hard")
    assert rule.conditions == {
        "conversation": True, "survey_at_most": 2, "teams": ["North"], "dispositions": ["rpc_refused", "rpc_hardship"]
    }  # fmt: skip
    shown = client.get(f"/admin/agents/samplingrule/{rule.pk}/change/").content.decode()
    assert "rpc_refused, rpc_hardship" in shown
    assert "12.5 %" in client.get("/admin/agents/samplingrule/").content.decode()
    client.post(f"/admin/agents/samplingrule/{rule.pk}/change/", rule_form(override="on"))
    rule.refresh_from_db()
    assert rule.conditions == {"override": True}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"percent": ""}, "Either a share"),
        ({"per_agent_week": "2"}, "Either a share"),
        ({"teams": "Nowhere"}, "No such team: Nowhere"),
        ({"dispositions": "gone"}, "No such outcome: gone"),
        ({"subject": "note"}, "This card is for other work"),
        ({"steps": "final"}, "Cannot be asked of this work: steps"),
        ({"subject": "notice", "percent": "", "per_agent_week": "2"}, "are no agent"),
    ],
)
def test_what_cannot_be_sampled_is_refused(wrong: dict[str, str], said: str) -> None:
    answer = browser("admin").post("/admin/agents/samplingrule/add/", rule_form(**wrong))
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not SamplingRule.objects.filter(code="hard").exists()


def test_supervisors_look_and_change_nothing() -> None:
    client = browser("supervisor")
    card, rule = ScoreCard.objects.get(subject="call", active=True), SamplingRule.objects.first()
    assert rule is not None
    for address in (f"scorecard/{card.pk}", f"samplingrule/{rule.pk}"):
        assert client.get(f"/admin/agents/{address}/change/").status_code == 200
        assert client.post(f"/admin/agents/{address}/change/", {}).status_code == 403
    for act in ("copy", "use"):
        assert client.post(f"/admin/agents/scorecard/{card.pk}/{act}/").status_code == 403
    assert ScoreCard.objects.filter(code=card.code).count() == 1
