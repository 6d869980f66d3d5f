from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts import wishes
from accounts.models import Account, ContactPoint
from agents import calls, kinds, queue
from agents.calls import CannotCall, CannotOverride, Override
from agents.models import Agent, Interaction
from agents.timeline import timeline
from dunning.models import GateDecision
from tests.factories import make_agent, make_customer, make_item, owing

pytestmark = pytest.mark.django_db

NUMBER = "+15185550123"
NOON = datetime(2026, 3, 12, 16, tzinfo=UTC)
NIGHT = datetime(2026, 3, 13, 3, tzinfo=UTC)
WHY = Override("CONSUMER_ASKED_INFO", "Asked by letter to be rung about the final bill.")


@pytest.fixture
def account() -> Account:
    customer = make_customer(country="US", region="NY", timezone="America/New_York", phone=NUMBER)
    return owing("100.00", customer=customer)


def holding(account: Account, role: str, *, at: datetime = NOON) -> Agent:
    """Somebody of that role who has the account in their hands."""
    person = make_agent(role=role)
    if not account.work_items.filter(done_at=None).exists():
        make_item(account)
    assert queue.claim(account_id=account.pk, agent=person, at=at) is not None
    return person


def called(account: Account, agent: Agent, at: datetime = NOON, override: Override | None = None) -> Interaction:
    return calls.log(
        account_id=account.pk, agent=agent, direction="outbound", disposition="no_answer", number=NUMBER,
        right_party=False, started_at=at, duration_seconds=20, as_of=at.date(), at=at, override=override,
    )  # fmt: skip


def seven_calls(account: Account) -> None:
    for day in range(7):
        Interaction.objects.create(
            ref=f"I{day}", account=account, direction="outbound", disposition="no_answer", number=NUMBER,
            at=NOON - timedelta(days=6 - day, hours=3),
        )  # fmt: skip


class TestWhoMayGoOn:
    def test_a_supervisor_with_a_reason_of_the_rules_and_words(self, account: Account) -> None:
        seven_calls(account)
        call = called(account, holding(account, "supervisor"), override=WHY)

        assert call.override_code == "CONSUMER_ASKED_INFO"
        kept = GateDecision.objects.get(account=account)
        assert (kept.outcome, kept.rule_ids[0]) == ("HOLD", "US-FREQ-01")
        assert (kept.override_code, kept.override_reason) == (WHY.code, WHY.reason)
        assert kept.overridden_by == kept.actor

    def test_not_an_agent(self, account: Account) -> None:
        seven_calls(account)
        with pytest.raises(CannotOverride, match="supervisor"):
            called(account, holding(account, "agent"), override=WHY)
        assert Interaction.objects.filter(override_code="CONSUMER_ASKED_INFO").count() == 0

    def test_not_for_a_reason_of_their_own(self, account: Account) -> None:
        seven_calls(account)
        with pytest.raises(CannotOverride, match="CONSUMER_ASKED_INFO"):
            called(account, holding(account, "supervisor"), override=Override("BECAUSE", "I want to"))

    @pytest.mark.parametrize("words", ["", "   "])
    def test_not_without_words(self, account: Account, words: str) -> None:
        seven_calls(account)
        with pytest.raises(CannotOverride, match="in words"):
            called(account, holding(account, "supervisor"), override=Override(WHY.code, words))

    def test_not_where_only_the_legal_department_may(self, account: Account) -> None:
        with pytest.raises(CannotOverride, match="legal"):
            called(account, holding(account, "supervisor", at=NIGHT), at=NIGHT, override=WHY)

    def test_not_where_nobody_may(self, account: Account) -> None:
        wishes.stop(
            customer_id=account.customer_id, channels=["call"], actor="desk:test", as_of=NOON.date(),
            at=NOON - timedelta(days=1),
        )  # fmt: skip
        with pytest.raises(CannotOverride, match="Nobody"):
            called(account, holding(account, "supervisor"), override=WHY)

    def test_without_one_the_supervisor_is_refused_as_everybody(self, account: Account) -> None:
        seven_calls(account)
        with pytest.raises(CannotCall):
            called(account, holding(account, "supervisor"))

    def test_where_nothing_stood_in_the_way_nothing_was_overridden(self, account: Account) -> None:
        call = called(account, holding(account, "supervisor"), override=WHY)

        assert call.override_code == ""
        assert GateDecision.objects.get(account=account).override_code == ""


def test_what_is_done_in_the_call_itself_does_not_keep_anybody_from_dialling(account: Account) -> None:
    account.customer.phone = ""
    account.customer.save(update_fields=["phone"])
    ContactPoint.objects.create(
        ref="K1", customer=account.customer, kind=ContactPoint.Kind.PHONE, value=NUMBER, shared=True
    )
    called(account, holding(account, "agent"))

    kept = GateDecision.objects.get(account=account)
    assert (kept.outcome, kept.rule_ids) == ("REQUIRE", ["GLB-SHARED"])


def test_a_refused_override_keeps_what_the_gate_said(account: Account) -> None:
    seven_calls(account)
    with pytest.raises(CannotOverride):
        called(account, holding(account, "agent"), override=WHY)

    kept = GateDecision.objects.get(account=account)
    assert (kept.outcome, kept.override_code) == ("HOLD", "")


def test_the_call_counts_and_the_timeline_says_that_the_gate_said_no(account: Account) -> None:
    seven_calls(account)
    called(account, holding(account, "supervisor"), override=WHY)

    later = calls.ask_gate(
        account_id=account.pk, channel="call", at=NOON + timedelta(hours=3), as_of=NOON.date(), number=NUMBER
    )
    assert "At most 7 calls in 7 days; there were 8." in later.reasons
    event = account.events.get(kind=kinds.CALL_LOGGED)
    assert event.payload["override"] == WHY.code
    assert event.payload["gate"]["outcome"] == "HOLD"
    shown = timeline(account=account, as_of=NOON.date(), zone=UTC, outcomes={})  # type: ignore[arg-type]
    assert any("although the gate said no: Consumer asked info" in entry.detail for entry in shown.entries)


class TestAtTheDoors:
    """The moment is now here: whoever is in the quiet after a conversation may not be called at any hour."""

    @pytest.fixture
    def quiet(self, account: Account) -> Account:
        Interaction.objects.create(
            ref="talk", account=account, direction="inbound", disposition="rpc_refused", right_party=True,
            at=timezone.now() - timedelta(days=1),
        )  # fmt: skip
        account.customer.timezone = _where_it_is_noon()
        account.customer.save(update_fields=["timezone"])
        return account

    def _form(self, quiet: Account, agent: Agent, **more: str) -> int:
        client = Client()
        client.force_login(agent)
        item = quiet.work_items.get(done_at=None)
        typed = {
            "item": str(item.pk), "direction": "outbound", "disposition": "no_answer", "number": NUMBER,
            "override_code": WHY.code, "override_reason": WHY.reason, **more,
        }  # fmt: skip
        return client.post(f"/accounts/{quiet.ref}/call/", typed).status_code

    def test_an_agents_forged_form_is_refused(self, quiet: Account) -> None:
        assert self._form(quiet, holding(quiet, "agent", at=timezone.now())) == 422
        assert not Interaction.objects.filter(disposition="no_answer").exists()

    def test_a_supervisors_form_goes_on(self, quiet: Account) -> None:
        assert self._form(quiet, holding(quiet, "supervisor", at=timezone.now())) == 302
        assert Interaction.objects.get(disposition="no_answer").override_code == WHY.code

    @pytest.mark.parametrize(("role", "status"), [("agent", 403), ("supervisor", 201)])
    def test_the_api_asks_the_same(self, quiet: Account, role: str, status: int) -> None:
        person = holding(quiet, role, at=timezone.now())
        client = APIClient(headers={"Authorization": f"Token {Token.objects.create(user=person).key}"})
        body = {
            "number": NUMBER, "direction": "outbound", "disposition": "no_answer", "right_party": False,
            "started_at": timezone.now().isoformat(), "override": {"code": WHY.code, "reason": WHY.reason},
        }  # fmt: skip
        answer = client.post(f"/api/v1/accounts/{quiet.ref}/calls/", body, format="json")

        assert answer.status_code == status
        assert Interaction.objects.filter(override_code=WHY.code).exists() == (status == 201)


def _where_it_is_noon() -> str:
    """A zone in which it is about midday at this moment: the hour of the test is no part of it."""
    offset = (12 - timezone.now().hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"
