"""Less than what is owed, taken for all of it: who may offer it, what it lets go of, and when it is void."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from accounts import holds, settling
from accounts.models import Account, Adjustment, Fee, Hold, JournalEntry, Payment, PendingEvent
from accounts.position import position_of
from agents import kinds, plans, promises, rights, settlements, write_offs
from agents.instalments import Instalment
from agents.models import Agent, Settlement, WorkItem
from agents.settlements import CannotCancelSettlement, CannotDecideSettlement, CannotSettle
from tests.factories import (
    TODAY,
    kinds_of,
    make_agent,
    make_bill,
    make_item,
    make_payment,
    make_team,
    moment,
    owing,
    settled,
)

pytestmark = pytest.mark.django_db

IN_TEN_DAYS = TODAY + timedelta(days=10)
#: ``owing`` makes bills that are due on 15 October 2025 and later: more than 60 days ago.
ALL = Decimal(400)


def offer(account: Account, amount: str, agent: Agent | None = None, **more: Any) -> Settlement:
    agent = agent or make_agent()
    return settlements.agree(
        **{
            "account_id": account.pk,
            "amount": Decimal(amount),
            "pay_by": IN_TEN_DAYS,
            "actor": rights.actor(agent),
            "agent": agent,
            "as_of": TODAY,
            "at": moment(),
            **more,
        }
    )


def decide(settlement: Settlement, agent: Agent, approve: bool = True, on: date = TODAY) -> Settlement:
    return settlements.decide(
        settlement_id=settlement.pk, approve=approve, agent=agent, as_of=on, at=moment(on), reason="looked at"
    )


def review(account: Account, on: date) -> Settlement:
    settled(account, as_of=on)
    settlements.review(account_ids=[account.pk], as_of=on, at=moment(on))
    settled(account, as_of=on)
    return account.settlements.get()


def reverse(payment: Payment, on: date) -> Payment:
    return make_payment(payment.account, str(payment.amount), on=on, reverses=payment)


def ledger(account: Account) -> dict[str, Decimal]:
    """Debits less credits of each code."""
    sums: dict[str, Decimal] = {}
    for entry in JournalEntry.objects.filter(account=account):
        sums[entry.debit_code] = sums.get(entry.debit_code, Decimal(0)) + entry.amount
        sums[entry.credit_code] = sums.get(entry.credit_code, Decimal(0)) - entry.amount
    return {code: amount for code, amount in sums.items() if amount}


def test_a_quote_says_what_is_let_go_of_fees_first() -> None:
    account = owing("385.00")
    Fee.objects.create(ref="F1", account=account, kind="late_fee", on=TODAY, amount=Decimal(15))
    terms: dict[str, Any] = {"account_id": account.pk, "pay_by": IN_TEN_DAYS, "as_of": TODAY, "at": moment()}

    quote = settlements.quote_for(amount=Decimal(360), agent=make_agent(), **terms)

    assert [quote.balance, quote.discount, quote.percent] == [400, 40, 10]
    assert [quote.fees_waived, quote.principal_waived] == [15, 25]
    assert (quote.within_authority, quote.wants, quote.refusals) == (True, [], [])
    assert not account.settlements.exists()


@pytest.mark.parametrize(
    ("role", "open_amount", "settle", "wants"),
    [
        ("agent", "400.00", "360.00", []),
        ("specialist", "400.00", "360.00", []),
        ("agent", "1000.00", "900.00", ["team_lead"]),
        ("agent", "400.00", "355.00", ["team_lead"]),
        ("team_lead", "1000.00", "750.00", []),
        ("team_lead", "1000.00", "749.00", ["supervisor"]),
        ("supervisor", "2000.00", "1000.00", []),
        ("supervisor", "4000.00", "2900.00", ["manager"]),
        ("manager", "6000.00", "1500.00", []),
        ("manager", "6000.00", "900.00", ["finance"]),
        ("admin", "6000.00", "900.00", ["finance"]),
        ("agent", "6000.00", "900.00", ["finance", "manager"]),
    ],
)
def test_each_role_lets_go_of_so_much_alone(role: str, open_amount: str, settle: str, wants: list[str]) -> None:
    settlement = offer(owing(open_amount), settle, make_agent(role))

    assert settlement.wants == wants
    assert settlement.status == ("pending_approval" if wants else "open")


def test_an_agent_settles_nothing_younger_than_sixty_days_alone() -> None:
    young = owing()
    make_bill(young, "400.00", due_on=TODAY - timedelta(days=59))
    old = owing()
    make_bill(old, "400.00", due_on=TODAY - timedelta(days=60))
    settled(young, old)

    refs = [account.bills.get(amount=400).ref for account in (young, old)]
    assert offer(young, "360.00", bill_refs=[refs[0]]).wants == ["team_lead"]
    assert offer(old, "360.00", bill_refs=[refs[1]]).wants == []


def test_two_people_decide_on_every_settlement_of_somebody_who_works_here() -> None:
    assert offer(owing("400.00", segment="staff"), "390.00").wants == ["finance", "manager"]


@pytest.mark.parametrize("amount", ["0.00", "400.00", "400.01", "-1.00", "1.001"])
def test_a_settlement_is_some_of_what_is_owed(amount: str) -> None:
    with pytest.raises(CannotSettle):
        offer(owing("400.00"), amount)


def test_an_offer_holds_for_fourteen_days_at_most() -> None:
    account = owing("400.00")

    with pytest.raises(CannotSettle, match="at most"):
        offer(account, "380.00", pay_by=TODAY + timedelta(days=15))
    with pytest.raises(CannotSettle, match="passed"):
        offer(account, "380.00", pay_by=TODAY - timedelta(days=1))

    assert offer(account, "380.00", pay_by=TODAY + timedelta(days=14)).status == "open"


@pytest.mark.parametrize(
    "reason", ["bankruptcy", "deceased", "legal", "fraud", "breathing_space", "manual", "vulnerability_review"]
)
def test_nobody_settles_a_debt_that_is_held(reason: str) -> None:
    account = owing("400.00")
    holds.place(account_id=account.pk, reason=reason, starts_on=TODAY, actor="x", as_of=TODAY, at=moment())

    with pytest.raises(CannotSettle, match="A hold stands in the way"):
        offer(account, "390.00", make_agent("admin"))
    assert not account.settlements.exists()


def test_hardship_is_what_settlements_are_for() -> None:
    account = owing("400.00")
    holds.place(
        account_id=account.pk, reason=Hold.Reason.HARDSHIP, starts_on=TODAY, actor="x", as_of=TODAY, at=moment()
    )

    assert offer(account, "390.00").status == "open"


def test_nobody_settles_what_is_disputed_or_agreed_about_already() -> None:
    disputed, promised, planned = owing("400.00"), owing("400.00"), owing("400.00")
    holds.place(
        account_id=disputed.pk,
        reason=Hold.Reason.DISPUTE,
        starts_on=TODAY,
        bill_refs=[disputed.bills.get().ref],
        amount=Decimal(10),
        actor="x",
        as_of=TODAY,
        at=moment(),
    )
    now: dict[str, Any] = {"actor": "agent:x", "as_of": TODAY, "at": moment()}
    promises.make(account_id=promised.pk, amount=Decimal(5), due_on=IN_TEN_DAYS, **now)
    parts = [Instalment(IN_TEN_DAYS, ALL)]
    plans.agree(account_id=planned.pk, instalments=parts, agent=None, **now)

    with pytest.raises(CannotSettle, match="is disputed"):
        offer(disputed, "380.00")
    with pytest.raises(CannotSettle, match="promised there already"):
        offer(promised, "380.00")
    with pytest.raises(CannotSettle, match="plan covers that already"):
        offer(planned, "380.00")


def test_while_it_is_offered_nothing_else_is_agreed_and_its_bills_are_left_alone() -> None:
    account = owing("400.00")
    settlement = offer(account, "380.00")

    assert settlement.hold is not None
    assert (settlement.hold.reason, settlement.hold.ends_on) == ("promise", IN_TEN_DAYS)
    with pytest.raises(CannotSettle, match="is offered there"):
        offer(account, "390.00")


def test_paid_in_time_the_rest_is_let_go_of_and_the_account_is_cured() -> None:
    account = owing("250.00", "150.00")
    offer(account, "360.00")
    make_payment(account, "360.00", on=IN_TEN_DAYS)

    settlement = review(account, IN_TEN_DAYS)
    again = settlements.review(account_ids=[account.pk], as_of=IN_TEN_DAYS, at=moment(IN_TEN_DAYS))

    assert (settlement.status, settlement.paid, again) == ("kept", 360, 0)
    assert (account.open_amount, account.unapplied) == (0, 0)
    assert Account.objects.get(pk=account.pk).status == "current"
    assert list(holds.in_force(account_id=account.pk, as_of=IN_TEN_DAYS)) == []
    # ACC-12: the bank and the discount against receivables.
    assert ledger(account) == {"10100": Decimal(360), "61100": Decimal(40), "40000": Decimal(-400)}
    event = account.events.get(kind=kinds.SETTLEMENT_KEPT)
    assert PendingEvent.objects.filter(event=event).exists()


def test_fees_of_the_desk_are_let_go_of_before_the_debt() -> None:
    account = owing("385.00")
    Fee.objects.create(ref="F1", account=account, kind="late_fee", on=TODAY, amount=Decimal(15))
    settled(account)
    offer(account, "360.00")
    make_payment(account, "360.00", on=IN_TEN_DAYS)

    review(account, IN_TEN_DAYS)

    position = position_of(account_id=account.pk, as_of=IN_TEN_DAYS)
    assert [position.open_amount, position.fees, position.balance] == [0, 0, 0]
    assert -sum(Adjustment.objects.filter(account=account).values_list("amount", flat=True)) == 25
    assert Fee.objects.get(ref="F1").waived_on == IN_TEN_DAYS


def test_of_a_fee_that_is_let_go_of_in_part_the_rest_stays_and_balances() -> None:
    account = owing("385.00")
    Fee.objects.create(ref="F1", account=account, kind="late_fee", on=TODAY, amount=Decimal(15))
    settled(account)
    offer(account, "390.00")
    payment = make_payment(account, "390.00", on=IN_TEN_DAYS)

    assert review(account, IN_TEN_DAYS).status == "kept"
    position = position_of(account_id=account.pk, as_of=IN_TEN_DAYS)
    assert [position.open_amount, position.fees, position.unapplied, position.balance] == [0, 5, 5, 0]

    reverse(payment, IN_TEN_DAYS + timedelta(days=1))
    assert review(account, IN_TEN_DAYS + timedelta(days=1)).status == "broken"
    assert position_of(account_id=account.pk, as_of=IN_TEN_DAYS + timedelta(days=1)).balance == 400


def test_not_paid_in_time_it_is_void_and_the_whole_is_owed_less_what_was_paid() -> None:
    account = owing("400.00")
    offer(account, "360.00")
    make_payment(account, "150.00", on=TODAY + timedelta(days=3))
    late = IN_TEN_DAYS + timedelta(days=1)

    assert review(account, IN_TEN_DAYS).status == "open"
    settlement = review(account, late)

    assert (settlement.status, settlement.paid, account.open_amount) == ("broken", 150, 250)
    assert not Adjustment.objects.filter(account=account).exists()
    assert kinds.SETTLEMENT_BROKEN in kinds_of(account)


def test_paid_a_day_late_it_is_a_part_payment_and_a_supervisors_to_decide() -> None:
    account = owing("400.00")
    offer(account, "360.00", pay_by=TODAY + timedelta(days=14))
    make_payment(account, "360.00", on=TODAY + timedelta(days=15))
    late = TODAY + timedelta(days=15)

    settlement = review(account, late)
    review(account, late + timedelta(days=1))

    assert (settlement.status, account.open_amount) == ("broken", 40)
    task = WorkItem.objects.get(account=account, kind=WorkItem.Kind.TASK, done_at=None)
    assert "a supervisor decides" in task.reason
    assert kinds_of(account).count(kinds.SETTLEMENT_PAID_LATE) == 1


def test_a_late_payment_after_it_was_found_void_is_told_once() -> None:
    account = owing("400.00")
    offer(account, "360.00")
    after = IN_TEN_DAYS + timedelta(days=5)
    assert review(account, IN_TEN_DAYS + timedelta(days=1)).status == "broken"

    make_payment(account, "360.00", on=after)
    review(account, after)
    review(account, after)

    assert kinds_of(account).count(kinds.SETTLEMENT_PAID_LATE) == 1


def test_money_that_came_in_time_and_was_told_late_still_settles() -> None:
    account = owing("400.00")
    offer(account, "360.00")
    after = IN_TEN_DAYS + timedelta(days=5)
    assert review(account, IN_TEN_DAYS + timedelta(days=1)).status == "broken"

    make_payment(account, "360.00", on=IN_TEN_DAYS)

    assert review(account, after).status == "kept"
    assert (account.open_amount, account.unapplied) == (0, 0)


def test_what_was_let_go_of_is_owed_again_when_the_payment_goes_back() -> None:
    account = owing("250.00", "150.00")
    offer(account, "360.00")
    payment = make_payment(account, "360.00", on=TODAY + timedelta(days=2))
    assert review(account, TODAY + timedelta(days=2)).status == "kept"

    reverse(payment, TODAY + timedelta(days=4))
    opened = review(account, TODAY + timedelta(days=4))
    assert (opened.status, account.open_amount, opened.paid) == ("open", 400, 0)
    assert opened.hold is not None
    assert opened.hold.ends_on == IN_TEN_DAYS

    make_payment(account, "360.00", on=TODAY + timedelta(days=6))
    assert review(account, TODAY + timedelta(days=6)).status == "kept"
    assert account.open_amount == 0
    assert ledger(account) == {"10100": Decimal(360), "61100": Decimal(40), "40000": Decimal(-400)}


def test_a_payment_that_goes_back_after_the_day_leaves_the_whole_owed() -> None:
    account = owing("400.00")
    offer(account, "360.00")
    payment = make_payment(account, "360.00", on=TODAY + timedelta(days=2))
    review(account, TODAY + timedelta(days=2))
    after = IN_TEN_DAYS + timedelta(days=30)

    reverse(payment, after)

    assert review(account, after).status == "broken"
    assert account.open_amount == 400
    assert Account.objects.get(pk=account.pk).status == "overdue"
    assert ledger(account) == {"12000": Decimal(400), "40000": Decimal(-400)}


def test_what_was_let_go_of_a_bill_that_billing_cancels_is_nobodys_to_spend() -> None:
    account = owing("400.00", "100.00")
    first = account.bills.order_by("due_on").first()
    assert first is not None
    offer(account, "360.00", bill_refs=[first.ref])
    make_payment(account, "360.00", on=TODAY, bill_ref=first.ref)
    assert review(account, TODAY).status == "kept"

    first.status, first.cancelled_on = "cancelled", TODAY + timedelta(days=1)
    first.save(update_fields=["status", "cancelled_on"])
    settling.mark_unsettled([account.pk])
    review(account, TODAY + timedelta(days=1))

    assert (account.open_amount, account.unapplied) == (0, 260)
    assert ledger(account)["10100"] == 360
    assert "61100" not in ledger(account)


def test_paid_in_full_there_is_nothing_to_let_go_of() -> None:
    account = owing("400.00")
    offer(account, "360.00")
    make_payment(account, "400.00", on=TODAY + timedelta(days=1))

    assert review(account, TODAY + timedelta(days=1)).status == "kept"
    assert not Adjustment.objects.filter(account=account).exists()


# Words ---------------------------------------------------------------------------------------------------------------


def test_it_waits_for_the_word_of_who_may_and_holds_meanwhile() -> None:
    account, lead = owing("400.00"), make_agent("team_lead")
    settlement = offer(account, "340.00")
    assert (settlement.status, settlement.wants) == ("pending_approval", ["team_lead"])
    assert [hold.reason for hold in holds.in_force(account_id=account.pk, as_of=TODAY)] == ["promise"]
    item = WorkItem.objects.get(account=account, kind=WorkItem.Kind.APPROVAL)

    decided = decide(settlement, lead)

    item.refresh_from_db()
    assert (decided.status, decided.wants) == ("open", [])
    assert decided.approvals == [{"by": rights.actor(lead), "role": "team_lead"}]
    assert item.done_at is not None


def test_somebody_who_may_more_may_give_the_word_too() -> None:
    assert decide(offer(owing("400.00"), "340.00"), make_agent("manager")).status == "open"


def test_finance_and_a_manager_decide_together_what_nobody_may_alone() -> None:
    account = owing("6000.00")
    settlement = offer(account, "900.00")
    finance, manager = make_agent("finance"), make_agent("manager")

    first = decide(settlement, finance)
    item = WorkItem.objects.get(account=account, kind=WorkItem.Kind.APPROVAL)
    assert (first.status, first.wants, item.done_at) == ("pending_approval", ["manager"], None)
    with pytest.raises(CannotDecideSettlement, match="agreed already"):
        decide(settlement, finance)

    assert decide(settlement, manager).status == "open"


def test_one_person_in_two_roles_is_not_two_people() -> None:
    both = make_agent("finance")
    both.groups.add(*make_agent("manager").groups.all())
    settlement = decide(offer(owing("6000.00"), "900.00"), Agent.objects.get(pk=both.pk))

    assert settlement.status == "pending_approval"
    assert len(settlement.wants) == 1


@pytest.mark.parametrize("role", ["agent", "specialist", "team_lead", "supervisor", "finance"])
def test_a_word_that_is_not_missing_is_refused(role: str) -> None:
    settlement = offer(owing("4000.00"), "2900.00", make_agent("supervisor"))
    assert settlement.wants == ["manager"]

    for approve in (True, False):
        with pytest.raises(CannotDecideSettlement) as refused:
            decide(settlement, make_agent(role), approve)
        assert refused.value.code == "forbidden"
    settlement.refresh_from_db()
    assert (settlement.status, settlement.approvals) == ("pending_approval", [])


def test_nobody_decides_on_what_they_asked_for_whatever_they_may() -> None:
    asking = make_agent("admin")
    settlement = offer(owing("6000.00"), "900.00", asking)

    with pytest.raises(CannotDecideSettlement, match="Somebody else"):
        decide(settlement, asking)


def test_a_team_lead_has_no_word_on_another_teams_account() -> None:
    account = owing("400.00")
    make_item(account, team=make_team())
    settlement = offer(account, "340.00")

    with pytest.raises(CannotDecideSettlement, match="another team"):
        decide(settlement, make_agent("team_lead", team=make_team()))


def test_declined_it_holds_no_longer_and_somebody_is_told() -> None:
    account = owing("400.00")
    settlement = decide(offer(account, "340.00"), make_agent("team_lead"), approve=False)

    assert settlement.status == "cancelled"
    assert list(holds.in_force(account_id=account.pk, as_of=TODAY)) == []
    task = WorkItem.objects.get(account=account, kind=WorkItem.Kind.TASK)
    assert task.reason.startswith("Tell the customer: the settlement was declined")
    assert not WorkItem.objects.filter(account=account, kind=WorkItem.Kind.APPROVAL, done_at=None).exists()
    with pytest.raises(CannotDecideSettlement, match="does not wait any more"):
        decide(settlement, make_agent("team_lead"))


def test_a_hold_that_came_meanwhile_stops_the_word() -> None:
    account = owing("400.00")
    settlement = offer(account, "340.00")
    holds.place(account_id=account.pk, reason="deceased", starts_on=TODAY, actor="x", as_of=TODAY, at=moment())

    with pytest.raises(CannotDecideSettlement, match="A hold stands in the way"):
        decide(settlement, make_agent("team_lead"))


def test_nobody_decided_in_time_it_is_cancelled() -> None:
    account = owing("400.00")
    offer(account, "340.00")

    assert review(account, IN_TEN_DAYS + timedelta(days=1)).status == "cancelled"
    assert not WorkItem.objects.filter(account=account, kind=WorkItem.Kind.APPROVAL, done_at=None).exists()


def test_a_write_off_waits_until_the_settlement_is_decided() -> None:
    account = owing("400.00")
    item = make_item(account, kind=WorkItem.Kind.APPROVAL, reason="write-off")
    offer(account, "340.00")

    with pytest.raises(write_offs.AlreadyDecided, match="a settlement"):
        write_offs.decide(
            item_id=item.pk, approve=True, reason="x", agent=make_agent("supervisor"), as_of=TODAY, at=moment()
        )


def test_an_offer_is_taken_back_once() -> None:
    account = owing("400.00")
    settlement = offer(account, "380.00")
    now: dict[str, Any] = {"settlement_id": settlement.pk, "actor": "agent:x", "as_of": TODAY, "at": moment()}

    assert settlements.cancel(**now).status == "cancelled"
    assert list(holds.in_force(account_id=account.pk, as_of=TODAY)) == []
    with pytest.raises(CannotCancelSettlement):
        settlements.cancel(**now)


def test_the_days_run_finds_all_that_are_over_with_the_queries_of_its_chunk() -> None:
    accounts = [owing("400.00") for _ in range(3)]
    for account in accounts:
        offer(account, "380.00")
    late = IN_TEN_DAYS + timedelta(days=1)

    assert settlements.review(as_of=late, at=moment(late)) == 3
    assert settlements.review(as_of=late, at=moment(late)) == 0
    total = Account.objects.filter(pk__in=[account.pk for account in accounts]).aggregate(all=Sum("open_amount"))
    assert total["all"] == 1200
