"""What was agreed is confirmed once, a minute later, as it stands then, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import wishes
from accounts.models import Account, UnreachableAddress
from agents import confirmations, promises
from agents.models import Instalment, Plan, Promise
from dunning import confirming, deliver
from dunning.gateways.memory import MemoryGateway
from dunning.models import Confirmation, GateDecision, Notice
from dunning.roads import CHANNELS, Roads
from tests.factories import TODAY, make_account, make_bill, make_customer, moment, settled

pytestmark = pytest.mark.django_db

NOW = moment(hour=12)
#: What is said in a test is said by a person.
AGENT = "agent:nadia"


class Road(MemoryGateway):
    """Takes a batch inside the transaction that notes it, as the outbox does."""

    def hand_over_many(self, handed: Sequence[Any]) -> list[Any]:
        return [self.hand_over(one) for one in handed]


def owing(**customer: object) -> Account:
    columns = {"email": "sarah@customers.example", "phone": "+442079460018", "language": "en-GB", **customer}
    account = make_account(customer=make_customer(**columns), currency="GBP")
    make_bill(account, "100.00", due_on=date(2026, 2, 15))
    settled(account)
    return account


def promised(account: Account, amount: str = "40.00") -> Promise:
    """Made by phone, and asked to be confirmed, in one breath."""
    made = Promise.objects.create(
        ref=f"desk-{account.pk:032}", account=account, amount=Decimal(amount), made_on=TODAY,
        due_on=TODAY + timedelta(days=7), taken_by=AGENT,
    )  # fmt: skip
    confirmations.of_promise(made, actor=AGENT, as_of=TODAY, at=NOW)
    return made


def leaves(at: datetime, *, careful: bool = False) -> list[str]:
    """What one pass hands over, channel and text."""
    road = Road()
    roads = Roads(dict.fromkeys(CHANNELS, road), road, careful=careful, agreements=confirmations.standing)
    deliver.deliver(as_of=TODAY, at=at, roads=roads)
    return [f"{message.channel}: {message.text}" for message in road.messages]


def a_minute_later() -> datetime:
    return NOW + timedelta(seconds=60)


def test_a_promise_by_phone_is_confirmed_by_one_mail_a_minute_later() -> None:
    promised(owing())
    assert leaves(NOW + timedelta(seconds=59)) == []
    [mail] = leaves(a_minute_later())
    assert mail.startswith("email: Dear")
    assert "You will pay £40.00 by 17 March 2026." in mail
    assert leaves(NOW + timedelta(hours=1)) == [], "once"


def test_a_promise_taken_back_within_the_minute_is_never_confirmed() -> None:
    promise = promised(owing())
    gone = confirmations.take_back("promise", promise.ref, reason="taken back", at=NOW + timedelta(seconds=30))
    assert gone == 1
    assert leaves(a_minute_later()) == []
    notice = Notice.objects.get()
    assert (notice.state, notice.reason, notice.send_at) == ("withdrawn", "taken back", None)
    assert "dunning.notice.withdrawn" in set(notice.account.events.values_list("kind", flat=True))


def test_what_ended_meanwhile_is_not_confirmed_though_nobody_took_it_back() -> None:
    promise = promised(owing())
    Promise.objects.filter(pk=promise.pk).update(status=Promise.Status.CANCELLED)
    assert leaves(a_minute_later()) == []
    assert Notice.objects.get().reason == "the promise is cancelled by now"


def test_what_is_said_is_what_stands_when_it_leaves() -> None:
    promise = promised(owing())
    Promise.objects.filter(pk=promise.pk).update(amount=Decimal("55.00"), due_on=date(2026, 3, 20))
    [mail] = leaves(a_minute_later())
    assert "You will pay £55.00 by 20 March 2026." in mail


def test_the_same_key_again_is_the_same_notice() -> None:
    account = owing()
    asked = {"account_id": account.pk, "template": "restored", "wording": {}, "key": "confirm.restored.1"}
    now = {"actor": AGENT, "as_of": TODAY, "at": NOW}
    one, other = confirming.confirm(**asked, **now), confirming.confirm(**asked, **now)
    assert one == other
    assert Notice.objects.count() == Confirmation.objects.count() == 1


def test_a_promise_of_a_file_is_not_confirmed() -> None:
    account = owing()
    made = Promise.objects.create(
        ref="P-77", account=account, amount=Decimal(40), made_on=TODAY, due_on=TODAY, taken_by="import"
    )
    assert confirmations.of_promise(made, actor="import", as_of=TODAY, at=NOW) is None
    assert leaves(a_minute_later()) == []


def test_it_goes_where_the_customer_prefers_to_be_written_to() -> None:
    account = owing()
    wishes.note_preference(
        customer_id=account.customer_id, kind="channel", channel="sms", actor=AGENT, as_of=TODAY, at=NOW
    )
    promised(account)
    [text] = leaves(a_minute_later())
    assert text.startswith("sms: ")


def test_a_mail_address_that_bounced_meanwhile_turns_it_into_a_text_message() -> None:
    account = owing()
    promised(account)
    UnreachableAddress.objects.create(kind="email", value=account.customer.email, since=NOW, reason="bounced")
    [text] = leaves(a_minute_later())
    assert text.startswith("sms: ")


def test_nobody_is_written_to_whom_no_channel_reaches() -> None:
    account = owing(email="", phone="")
    wishes.stop(customer_id=account.customer_id, channels=["in_app"], actor=AGENT, as_of=TODAY, at=moment(hour=9))
    promised(account)
    assert not Notice.objects.exists()


def test_a_plan_is_confirmed_with_its_days_and_amounts_in_the_customers_language() -> None:
    account = owing(language="de", country="DE")
    plan = Plan.objects.create(ref="desk-plan", account=account, made_on=TODAY, made_by=AGENT)
    days = (date(2026, 4, 1), date(2026, 5, 1))
    Instalment.objects.bulk_create(
        Instalment(plan=plan, account=account, position=at, due_on=day, amount=Decimal(50))
        for at, day in enumerate(days, start=1)
    )
    confirmations.of_plan(plan, actor=AGENT, as_of=TODAY, at=NOW)
    [mail] = leaves(a_minute_later())
    assert "2 Raten" in mail
    assert "01.04.2026" in mail
    assert "01.05.2026" in mail


def test_a_plan_that_waits_for_approval_is_not_confirmed_yet() -> None:
    plan = Plan.objects.create(
        ref="desk-plan", account=owing(), made_on=TODAY, made_by=AGENT, status=Plan.Status.PENDING_APPROVAL
    )
    assert confirmations.of_plan(plan, actor=AGENT, as_of=TODAY, at=NOW) is None


def test_it_passes_the_gate_and_what_the_gate_said_is_kept() -> None:
    promised(owing())
    assert len(leaves(a_minute_later(), careful=True)) == 1
    decision = GateDecision.objects.get()
    assert (decision.notice_id, decision.outcome) == (Notice.objects.get().pk, "ALLOW")


def test_who_asked_us_to_stop_on_a_channel_hears_on_another() -> None:
    account = owing()
    promised(account)
    wishes.stop(customer_id=account.customer_id, channels=["email"], actor="customer", as_of=TODAY, at=NOW)
    said = leaves(a_minute_later(), careful=True)
    assert [one.partition(":")[0] for one in said] == ["sms"]


def test_who_asked_us_to_stop_everywhere_hears_nothing_and_why_is_kept() -> None:
    account = owing()
    promised(account)
    wishes.stop(
        customer_id=account.customer_id, channels=["email", "sms", "letter", "in_app"], actor="customer", as_of=TODAY,
        at=NOW,
    )  # fmt: skip
    assert leaves(a_minute_later(), careful=True) == []
    notice = Notice.objects.get()
    assert (notice.state, notice.reason) == ("withdrawn", "no usable address on any channel")


def test_taking_back_a_dispute_takes_back_what_confirms_it_and_nothing_of_another() -> None:
    account = owing()
    now = {"actor": AGENT, "as_of": TODAY, "at": NOW}
    for ref in ("D", "D.1"):
        confirming.confirm(
            account_id=account.pk, template="dispute-received", wording={}, key=f"confirm.dispute.{ref}.received", **now
        )
    assert confirming.withdraw(key_prefix="confirm.dispute.D", reason="opened by mistake", at=NOW) == 1
    assert Notice.objects.get(state="withdrawn").key == "confirm.dispute.D.received.email"


@pytest.mark.parametrize(
    ("template", "wording"), [("final-notice", {}), ("promise-confirmation", {"promised_amout": Decimal(1)})]
)
def test_what_no_confirmation_says_is_refused_at_once(template: str, wording: dict[str, object]) -> None:
    with pytest.raises(confirming.UnknownWords):
        confirming.confirm(
            account_id=owing().pk, template=template, wording=wording, key="confirm.x.1", actor=AGENT, as_of=TODAY,
            at=NOW,
        )  # fmt: skip


def test_a_promise_cancelled_by_an_agent_takes_its_confirmation_with_it() -> None:
    account = owing()
    made = promises.make(
        account_id=account.pk, amount=Decimal(40), due_on=TODAY + timedelta(days=3), actor=AGENT, as_of=TODAY, at=NOW
    )
    assert Notice.objects.get().state == "pending"
    promises.cancel(promise_id=made.pk, actor=AGENT, as_of=TODAY, at=NOW + timedelta(seconds=20))
    assert leaves(a_minute_later()) == []
