"""What customers of the demo say of us: through the real operations, and once however often a day is lived."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.models import Complaint, Interaction, Survey
from collections_desk.demo import judging
from tests.factories import TODAY, make_agent, make_customer, moment, owing

pytestmark = pytest.mark.django_db


def lived(days: int = 0) -> dict[str, Any]:
    on = TODAY + timedelta(days=days)
    return {"as_of": on, "at": moment(on, 18)}


def test_a_day_of_the_demo_has_answers_and_a_complaint_and_is_the_same_lived_twice() -> None:
    nadia, pia = make_agent(), make_agent()
    for number in range(30):
        account = owing("50.00", customer=make_customer(email=f"c{number}@example.com"))
        talk = Interaction.objects.create(
            ref=f"I{number}", account=account, agent=nadia, direction="outbound", disposition="rpc_refused",
            right_party=True, at=moment(),
        )  # fmt: skip
        Survey.objects.create(account=account, about="call", agent=nadia, interaction=talk, asked_at=moment())

    for _ in range(2):
        judging.judge(**lived())

    answered = Survey.objects.filter(answered_at__isnull=False)
    assert 5 <= answered.count() < 30
    assert set(answered.values_list("score", flat=True)) <= {1, 2, 3, 4, 5}
    complaint = Complaint.objects.get()
    assert complaint.assigned_to == pia, "somebody else than who talked to them"


def test_the_supervisor_answers_most_of_them_after_some_days() -> None:
    nadia = make_agent()
    make_agent()
    for day in range(8):
        account = owing("50.00", customer=make_customer(email=f"d{day}@example.com"))
        on = lived(day)
        Interaction.objects.create(
            ref=f"J{day}", account=account, agent=nadia, direction="outbound", disposition="rpc_refused",
            right_party=True, at=on["at"] - timedelta(hours=2),
        )  # fmt: skip
        judging.judge(**on)
    judging.judge(**lived(12))

    closed = Complaint.objects.filter(state="closed")
    assert Complaint.objects.count() == 8
    assert closed.exists()
    assert set(closed.values_list("closed_by", flat=True)) == {"agent:supervisor"}
    assert all(row.answer and (row.cause or row.outcome == "rejected") for row in closed)
