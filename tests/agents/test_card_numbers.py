"""No card number is kept, wherever somebody types it (PCI-01)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.business_day import move_to
from accounts.models import Account, AccountEvent, Bill, Hold
from agents import calls, disputes, plans, promises, queue
from agents.card_numbers import CannotKeepCard, without_cards
from agents.instalments import Instalment
from agents.models import Agent, Dispute, Interaction, Note, Plan, Promise, WorkItem
from dunning.gate.checks.cards import masked
from tests.desk.machines import caller
from tests.factories import TODAY, make_agent, make_item, moment, owing

CARD = "4111 1111 1111 1111"
SAID = f"Customer read out {CARD} 12/28, cvv 123"
SAFE = "Customer read out **** **** **** 1111 12/28, cvv ***"


@pytest.fixture
def account() -> Account:
    return owing("100.00")


@pytest.fixture
def nadia(account: Account) -> Agent:
    """An agent who holds the account."""
    agent = make_agent()
    make_item(account)
    queue.claim_next(agent=agent, at=timezone.now())
    return agent


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("4111111111111111", "************1111"),
        ("4111-1111-1111-1111 12/28 123", "****-****-****-1111 12/28 ***"),
        ("4111.1111.1111.1111", "****.****.****.1111"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "* * * * * * * * * * * * 1 1 1 1"),
        ("4111\u00a01111\u00a01111\u00a01111", "****\u00a0****\u00a0****\u00a01111"),
        ("\u0664\u0661\u0661\u0661 1111 1111 1111", "**** **** **** 1111"),
        ("amex 378282246310005", "amex ***********0005"),
        ("mastercard 5555555555554444 and 2223003122003222", "mastercard ************4444 and ************3222"),
        ("diners 30569309025904", "diners **********5904"),
        ("4111111111111111 123", "************1111 ***"),
        ("security code is 1234", "security code is ****"),
    ],
)
def test_a_card_number_is_masked_but_for_its_last_four(text: str, kept: str) -> None:
    assert masked(text) == (kept, True)


@pytest.mark.parametrize(
    "text",
    [
        "4111****1111",
        "Order 4111111111111112",
        "IMEI 356938035643809",
        "SIM 8944500102198304826",
        "IBAN GB82 WEST 1234 5698 7654 32, DE89 3704 0044 0532 0130 00",
        "IBAN FR14 2004 1010 0505 0001 3M02 606",
        "call +4915112345678 or +49 151 12345678",
        "from 2026-11-22 to 2026-12-22 10:59",
        "Paid 100.00 on bill 20261122000017",
        "",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert masked(text) == (text, False)


def test_a_number_of_thirteen_digits_behind_a_plus_is_a_telephone_and_behind_nothing_a_card() -> None:
    assert masked("4222222222222") == ("*********2222", True)
    assert masked("+4222222222222") == ("+4222222222222", False)


@given(st.text(alphabet="0123456789 -+*/a", max_size=80))
def test_what_is_proposed_may_be_kept(text: str) -> None:
    proposal, found = masked(text)

    assert masked(proposal) == (proposal, False)
    assert found == (proposal != text)
    assert len(proposal) == len(text)


@given(st.text(alphabet="0123456789", min_size=15, max_size=15), st.text(alphabet=" -.", min_size=0, max_size=1))
def test_of_the_ten_ends_of_a_visa_number_exactly_one_is_a_card(digits: str, gap: str) -> None:
    begins = f"4{digits[1:]}"
    grouped = [gap.join((begins[:4], begins[4:8], begins[8:12], begins[12:] + end)) for end in "0123456789"]

    assert sum(masked(number)[1] for number in grouped) == 1


def test_a_long_text_of_digits_is_read_in_no_time() -> None:
    text = "4 " * 20_000

    started = timezone.now()
    masked(text)

    assert timezone.now() - started < timedelta(seconds=5)


def test_the_refusal_says_what_may_be_kept() -> None:
    with pytest.raises(CannotKeepCard, match="none may be kept") as refusal:
        without_cards(SAID)

    assert (refusal.value.code, refusal.value.masked) == ("refused", SAFE)
    assert CARD not in str(refusal.value)


@pytest.mark.django_db
class TestOperations:
    """Everything that keeps words refuses a card number, and keeps nothing at all then."""

    def refused(self, act: Any) -> None:
        before = AccountEvent.objects.count()
        with pytest.raises(CannotKeepCard):
            act()
        kept = [rows.objects.count() for rows in (Note, Interaction, Dispute, Promise, Plan, Hold)]
        assert (AccountEvent.objects.count(), sum(kept)) == (before, 0)

    def test_a_note(self, account: Account) -> None:
        self.refused(
            lambda: calls.add_note(account_id=account.pk, text=SAID, actor="agent:n", as_of=TODAY, at=moment())
        )

    def test_the_note_of_a_call(self, account: Account) -> None:
        self.refused(
            lambda: calls.log(
                account_id=account.pk, agent=make_agent(), direction="inbound", disposition="rpc_refused", number="",
                right_party=True, started_at=moment(), duration_seconds=60, note=SAID, as_of=TODAY, at=moment(),
            )
        )  # fmt: skip

    def test_a_dispute(self, account: Account) -> None:
        terms: dict[str, Any] = {
            "account_id": account.pk, "bill_ref": "", "amount": Decimal("10.00"), "actor": "agent:n", "as_of": TODAY,
            "at": moment(),
        }  # fmt: skip
        self.refused(lambda: disputes.open_dispute(**terms, note=SAID))
        self.refused(lambda: disputes.open_dispute(**terms, reason=CARD))

    def test_what_was_said_when_a_dispute_was_decided(self, account: Account) -> None:
        dispute = disputes.open_dispute(
            account_id=account.pk, bill_ref="", amount=Decimal("10.00"), actor="agent:n", as_of=TODAY, at=moment()
        )
        with pytest.raises(CannotKeepCard):
            disputes.resolve(
                dispute_id=dispute.pk, outcome="rejected", actor="agent:n", as_of=TODAY, at=moment(), note=SAID
            )
        dispute.refresh_from_db()
        assert (dispute.resolved_on, dispute.note) == (None, "")

    def test_a_promise(self, account: Account) -> None:
        self.refused(
            lambda: promises.make(
                account_id=account.pk, amount=Decimal("10.00"), due_on=TODAY, actor="agent:n", as_of=TODAY, at=moment(),
                note=SAID,
            )
        )  # fmt: skip

    def test_a_plan(self, account: Account) -> None:
        self.refused(
            lambda: plans.agree(
                account_id=account.pk, instalments=[Instalment(TODAY, Decimal("100.00"))], actor="agent:n", agent=None,
                as_of=TODAY, at=moment(), note=SAID,
            )
        )  # fmt: skip


@pytest.mark.django_db
class TestDesk:
    """An agent types it."""

    def page(self, nadia: Agent) -> tuple[Client, WorkItem]:
        client = Client()
        client.force_login(nadia)
        return client, WorkItem.objects.get(claimed_by=nadia)

    def test_the_form_comes_back_masked_and_is_saved_like_that(self, account: Account, nadia: Agent) -> None:
        client, item = self.page(nadia)

        answer = client.post(f"/accounts/{account.ref}/note/", {"item": item.pk, "text": SAID})

        shown = answer.content.decode()
        assert answer.status_code == 422
        assert SAFE in shown
        assert "It is masked now" in shown
        assert CARD not in shown
        assert not Note.objects.exists()

        assert client.post(f"/accounts/{account.ref}/note/", {"item": item.pk, "text": SAFE}).status_code == 302
        assert Note.objects.get().text == SAFE

    def test_the_note_of_a_hold_is_masked_too(self, account: Account, nadia: Agent) -> None:
        client, item = self.page(nadia)

        answer = client.post(
            f"/accounts/{account.ref}/hold/",
            {"item": item.pk, "reason": "hardship", "starts_on": timezone.now().date().isoformat(), "note": SAID},
        )

        assert (answer.status_code, SAFE in answer.content.decode()) == (422, True)
        assert not Hold.objects.exists()

    def test_what_is_half_typed_is_kept_masked(self, account: Account, nadia: Agent) -> None:
        client, item = self.page(nadia)

        client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk, "act": "note", "text": SAID})

        item.refresh_from_db()
        assert item.draft["note"]["text"] == SAFE


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("notes", {"text": SAID}),
        ("holds", {"reason": "hardship", "note": SAID}),
        ("disputes", {"amount": "10.00", "reason": "other", "note": SAID}),
    ],
)
def test_the_interface_answers_refused_and_says_what_may_be_kept(
    account: Account, path: str, body: dict[str, Any]
) -> None:
    move_to(TODAY)

    bill = {"bill_id": Bill.objects.get().ref} if path == "disputes" else {}

    answer = caller().post(f"/api/v1/accounts/{account.ref}/{path}/", body | bill)

    assert (answer.status_code, answer.data["code"]) == (422, "refused")
    assert SAFE in answer.data["detail"]
    assert CARD not in answer.data["detail"]
