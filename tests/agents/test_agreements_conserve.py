"""Whatever is paid, goes back and comes late: no cent is made or lost by an agreement."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Account, Adjustment, Fee, JournalEntry, Payment
from accounts.money import total
from accounts.position import position_of
from agents import extensions, plans, promises, rights, settlements
from tests.factories import TODAY, make_agent, make_payment, moment, owing, settled

#: A day, an amount in cents, and after how many days it goes back, if at all.
MONEY = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 45_000), st.none() | st.integers(0, 15)), min_size=0, max_size=5
)


def judged(account: Account, on: date) -> None:
    """Everything looks at the account, twice."""
    for _ in range(2):
        settled(account, as_of=on)
        for room in (promises, plans, settlements, extensions):
            room.review(account_ids=[account.pk], as_of=on, at=moment(on))
        settled(account, as_of=on)


def live(account: Account, money: list[tuple[int, int, int | None]], *, ends: int = 0) -> None:
    """Forty days: the money comes and goes, and each day on which something happens is judged, and the last ones."""
    back: dict[int, list[Payment]] = {}
    moves = {came for came, _, _ in money} | {came + back for came, _, back in money if back is not None}
    for day in sorted(moves | {ends + 1, 40}):
        on = TODAY + timedelta(days=day)
        for came, cents, returns in money:
            if came == day:
                payment = make_payment(account, str(Decimal(cents) / 100), on=on)
                if returns is not None:
                    back.setdefault(day + returns, []).append(payment)
        for payment in back.pop(day, []):
            make_payment(account, str(payment.amount), on=on, reverses=payment)
        judged(account, on)
        conserved(account, on)


def conserved(account: Account, on: date) -> None:
    """Bills and fees less credits and money are what is owed, and the journal says so too."""
    billed = total(list(account.bills.values_list("amount", flat=True)))
    let_go = total(list(Adjustment.objects.filter(account=account).values_list("amount", flat=True)))
    fees = total(list(Fee.objects.filter(account=account, waived_on=None).values_list("amount", flat=True)))
    came = total(list(Payment.objects.filter(account=account, reverses=None).values_list("amount", flat=True)))
    went = total(list(Payment.objects.filter(account=account).exclude(reverses=None).values_list("amount", flat=True)))
    position = position_of(account_id=account.pk, as_of=on)
    assert position.balance == billed + let_go + fees - came + went
    sums: dict[str, Decimal] = {}
    for entry in JournalEntry.objects.filter(account=account):
        sums[entry.debit_code] = sums.get(entry.debit_code, Decimal(0)) + entry.amount
        sums[entry.credit_code] = sums.get(entry.credit_code, Decimal(0)) - entry.amount
    assert sum(sums.values()) == 0
    assert sums.get("10100", Decimal(0)) == came - went
    assert sums.get("61100", Decimal(0)) == -let_go


class Conserved(TestCase):
    @property_settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(money=MONEY, settle=st.integers(20_000, 39_999), fee=st.integers(0, 3_000), days=st.integers(0, 14))
    def test_a_settlement_neither_makes_nor_loses_money(
        self, money: list[tuple[int, int, int | None]], settle: int, fee: int, days: int
    ) -> None:
        account, agent = owing("250.00", "150.00"), make_agent("manager")
        if fee:
            Fee.objects.create(
                ref=f"F-{account.pk}", account=account, kind="late_fee", on=TODAY, amount=Decimal(fee) / 100
            )
            settled(account)
        settlement = settlements.agree(
            account_id=account.pk,
            amount=Decimal(settle) / 100,
            pay_by=TODAY + timedelta(days=days),
            actor=rights.actor(agent),
            agent=agent,
            as_of=TODAY,
            at=moment(),
        )
        live(account, money, ends=days)
        settlement.refresh_from_db()
        assert settlement.status in ("kept", "broken")
        let_go = total(list(Adjustment.objects.filter(account=account).values_list("amount", flat=True)))
        if settlement.status == "broken":
            # Nothing is given to who did not pay in time.
            assert let_go == 0
        else:
            assert 0 <= -let_go <= settlement.balance - settlement.amount

    @property_settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(money=MONEY, count=st.integers(1, 6))
    def test_a_plan_holds_exactly_what_was_paid_towards_it(
        self, money: list[tuple[int, int, int | None]], count: int
    ) -> None:
        account, agent = owing("250.00", "150.00"), make_agent("supervisor")
        quote = plans.quote_for(
            account_id=account.pk,
            count=count,
            first_on=TODAY + timedelta(days=3),
            every="week",
            agent=agent,
            as_of=TODAY,
            at=moment(),
        )
        plan = plans.agree(
            account_id=account.pk,
            instalments=quote.instalments,
            actor=rights.actor(agent),
            agent=agent,
            as_of=TODAY,
            at=moment(),
        )
        live(account, money)
        plan.refresh_from_db()
        rows = list(plan.instalments.order_by("position"))
        assert sum(row.amount for row in rows) == 400
        assert all(0 <= row.paid <= row.amount for row in rows)
        # First in, first out: nothing is in a later one while an earlier is not full.
        assert all(each.paid == 0 or before.paid == before.amount for before, each in pairwise(rows))

    @property_settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(money=MONEY, days=st.integers(1, 30))
    def test_time_to_pay_ends_with_its_day_or_with_the_debt(
        self, money: list[tuple[int, int, int | None]], days: int
    ) -> None:
        account, agent = owing("250.00", "150.00"), make_agent()
        until = TODAY + timedelta(days=days)
        given_ = extensions.agree(
            account_id=account.pk,
            until=until,
            actor=rights.actor(agent),
            agent=agent,
            as_of=TODAY,
            at=moment(),
        )
        live(account, money, ends=days)
        given_.refresh_from_db()
        assert given_.status == "ended"
        assert given_.settled_on is not None
        assert given_.settled_on <= until + timedelta(days=1)
