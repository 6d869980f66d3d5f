"""What the figures are made of, from small books whose answers can be done by hand, and scope by scope."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Bill, BusinessDate, Fee, Hold, Payment
from agents import ageing, kpis, measures, scopes, standing
from agents.models import (
    Agent,
    Complaint,
    Cost,
    Interaction,
    Plan,
    Promise,
    Standing,
    Stretch,
    Survey,
    Team,
    Undo,
    WorkItem,
)
from agents.period import Period
from agents.scopes import EVERYTHING, Scope, Sums
from dunning.models import (
    Agency,
    Arm,
    Assignment,
    Case,
    Commission,
    Experiment,
    GateDecision,
    Notice,
    Placement,
    Policy,
    PolicyVersion,
    ServiceOrder,
)
from tests import factories
from tests.agents.made_up_ledger import make

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 31)
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
numbers = count(1)


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def noon(days: int) -> datetime:
    return NOON - timedelta(days=days)


def a_late_account(amount: str = "100", *, late: int = 45, **columns: Any) -> Account:
    account = factories.make_account(**columns)
    factories.make_bill(account, amount, issued_on=days_ago(late + 15), due_on=days_ago(late))
    return account


def a_call(
    account: Account, disposition: str, *, days: int = 0, agent: Agent | None = None, **facts: Any
) -> Interaction:
    facts = {"direction": "outbound", "at": noon(days), "right_party": disposition.startswith("rpc_"), **facts}
    return Interaction.objects.create(
        ref=f"I{next(numbers)}", account=account, disposition=disposition, agent=agent, **facts
    )


def a_case(
    account: Account, *, opened: date, closed: date | None = None, policy: str = "residential", **more: Any
) -> Case:
    version, _ = PolicyVersion.objects.get_or_create(
        policy=Policy.objects.get_or_create(code=policy)[0], number=1, defaults={"created_at": NOON}
    )
    return Case.objects.create(
        account=account, version=version, opened_on=opened, closed_on=closed, warnings_from=opened, **more
    )


def a_notice(account: Account, *, days: int, **columns: Any) -> Notice:
    return Notice.objects.create(
        **{
            "account": account,
            "customer": account.customer,
            "key": f"n{next(numbers)}",
            "step_code": "warning",
            "template": "suspension-warning",
            "channel": "sms",
            "currency": account.currency,
            "made_on": days_ago(days),
            "state": "sent",
            "sent_at": noon(days),
            **columns,
        }
    )


def a_decision(account: Account, outcome: str, *rules: str, **columns: Any) -> GateDecision:
    return GateDecision.objects.create(
        **{
            "account": account,
            "customer": account.customer,
            "action": "call",
            "automated": False,
            "actor": "desk:queue",
            "at": NOON,
            "outcome": outcome,
            "rule_ids": list(rules),
            "facts_digest": "0" * 64,
            **columns,
        }
    )


def a_complaint(account: Account, *, days: int = 3, **columns: Any) -> Complaint:
    return Complaint.objects.create(
        **{
            "ref": f"K{next(numbers)}",
            "account": account,
            "received_on": days_ago(days),
            "channel": "call",
            "category": "conduct",
            "acknowledge_by": TODAY,
            "answer_by": TODAY,
            "taken_by": "agent:nadia",
            **columns,
        }
    )


def parts_of(name: str, **question: Any) -> tuple[str | None, str | None, str | None]:
    figure = kpis.compute(**{"as_of": TODAY, "days": 30, "business_date": date(2026, 12, 31), **question})["kpis"][name]
    return figure["value"], figure["numerator"], figure["denominator"]


class TestConversations:
    def test_only_calls_we_made_count_as_attempts(self) -> None:
        account, other = a_late_account(), a_late_account()
        for disposition in ("no_answer", "voicemail", "rpc_promise"):
            a_call(account, disposition)
        a_call(other, "no_answer")
        a_call(other, "rpc_refused", direction="inbound")
        assert parts_of("contact_rate") == ("50.0000", "2", "4")
        assert parts_of("contact_rate_accounts") == ("50.0000", "1", "2")
        assert parts_of("rpc_rate_attempts") == ("25.0000", "1", "4")
        assert parts_of("rpc_rate_accounts") == ("100.0000", "2", "2")
        assert parts_of("rpc_rate") == ("66.6667", "2", "3")

    def test_a_payment_came_of_the_last_conversation_of_thirty_days(self) -> None:
        soon, later, none, gone = (a_late_account() for _ in range(4))
        a_call(soon, "rpc_promise", days=20)
        a_call(soon, "rpc_promise", days=12)
        a_call(soon, "no_answer", days=11)
        factories.make_payment(soon, "10", days_ago(10))
        a_call(later, "rpc_promise", days=36)
        factories.make_payment(later, "10", days_ago(6))
        a_call(none, "rpc_promise", days=33)
        factories.make_payment(none, "10", days_ago(2))  # 31 days on
        a_call(gone, "rpc_promise", days=9)
        back = factories.make_payment(gone, "10", days_ago(8))
        factories.make_payment(gone, "10", days_ago(7), reverses=back)
        assert parts_of("latency_median") == ("16.0000", None, "2")  # 2 and 30 days
        assert parts_of("latency_p90")[0] == "27.2000"
        assert parts_of("latency_first_median")[0] == "20.0000"  # 10 and 30 days
        assert parts_of("latency_unattributed") == ("33.3333", "1", "3")

    def test_one_conversation_was_enough_where_it_was_paid_or_planned_and_nobody_called_again(self) -> None:
        paid, planned, called_again, silent, still_owing, too_late = (a_late_account() for _ in range(6))
        for account in (paid, planned, called_again, silent, still_owing, too_late):
            a_call(account, "rpc_promise", days=20)
        factories.make_payment(paid, "100", days_ago(6))
        factories.make_bill(paid, "50", issued_on=days_ago(25), due_on=days_ago(10))  # fell due after the call
        Plan.objects.create(ref="L1", account=planned, made_on=days_ago(20), made_by="agent:nadia")
        factories.make_payment(called_again, "100", days_ago(18))
        a_call(called_again, "no_answer", days=7)
        factories.make_payment(still_owing, "99", days_ago(18))
        factories.make_payment(too_late, "100", days_ago(5))
        assert parts_of("first_contact_resolution") == ("33.3333", "2", "6")

    def test_an_outcome_that_was_taken_back_counts_as_the_call_it_was(self) -> None:
        given_anew, left, plain = (a_late_account() for _ in range(3))
        nadia = factories.make_agent(username="nadia")
        a_call(given_anew, "rpc_promise", agent=nadia, undone_at=NOON, duration_seconds=60)
        a_call(given_anew, "voicemail", agent=nadia, duration_seconds=60)
        a_call(left, "rpc_promise", agent=nadia, undone_at=NOON, duration_seconds=60)
        a_call(plain, "rpc_refused", agent=nadia, duration_seconds=60)
        for account in (given_anew, left):
            factories.make_payment(account, "10", TODAY)
        assert parts_of("contact_rate") == ("66.6667", "2", "3")
        assert parts_of("rpc_rate") == ("50.0000", "1", "2")
        assert parts_of("rpc_rate_accounts") == ("33.3333", "1", "3")
        assert parts_of("latency_median")[0] is None
        assert parts_of("first_contact_resolution", as_of=TODAY + timedelta(days=14))[2] == "1"
        assert parts_of("outside_hours")[2] == "3"
        Complaint.objects.create(
            ref="K1", account=left, received_on=TODAY, channel="call", category="conduct", acknowledge_by=TODAY,
            answer_by=TODAY, taken_by="agent:nadia",
        )  # fmt: skip
        assert parts_of("complaint_rate_contacts")[2] == "3"
        found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]["heat_map"]
        assert found == {"1": {"12": {"attempts": 3, "right_party": 1}}}

    def test_a_promise_that_was_a_slip_was_never_made(self) -> None:
        account = a_late_account()
        nadia = factories.make_agent(username="nadia")
        a_call(account, "rpc_promise", agent=nadia)
        slip, withdrawn = (
            Promise.objects.create(
                ref=f"R{next(numbers)}", account=account, amount=10, made_on=days_ago(day), due_on=TODAY,
                status="cancelled", settled_on=days_ago(day), taken_by="agent:nadia",
            )
            for day in (0, 1)
        )  # fmt: skip
        for promise, undone_at in ((slip, NOON), (withdrawn, None)):
            Undo.objects.create(
                agent=nadia, account=account, act="promise", rows={"promise": [promise.ref]}, said="", done_at=NOON,
                until=NOON, undone_at=undone_at,
            )  # fmt: skip
        assert parts_of("ptp_rate") == ("100.0000", "1", "1")
        assert parts_of("promises_taken_back") == ("100.0000", "1", "1")
        funnel = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]["promise_funnel"]
        assert funnel[0] == {"name": "made", "n": 1, "amount": "10.00"}

    def test_promised_amounts_are_a_share_of_what_the_people_reached_have_past_due(self) -> None:
        reached, not_reached = a_late_account("200"), a_late_account("900")
        a_call(reached, "rpc_promise")
        a_call(not_reached, "no_answer")
        for amount in (20, 50):
            Promise.objects.create(
                ref=f"R{next(numbers)}", account=reached, amount=amount, made_on=TODAY, due_on=TODAY, taken_by="import"
            )
        assert parts_of("ptp_rate_amount") == ("25.0000", "50.00", "200.00")

    def test_what_was_kept_by_amount_never_counts_more_than_was_promised(self) -> None:
        account = a_late_account("500")
        for status, paid in (("kept", 130), ("part_kept", 60), ("broken", 0)):
            Promise.objects.create(
                ref=f"R{next(numbers)}", account=account, amount=100, paid=paid, status=status, made_on=days_ago(20),
                due_on=days_ago(10), settled_on=days_ago(6), taken_by="agent:nadia",
            )  # fmt: skip
        Promise.objects.create(
            ref=f"R{next(numbers)}", account=account, amount=100, status="cancelled", made_on=days_ago(20),
            due_on=days_ago(10), settled_on=days_ago(12), taken_by="agent:nadia",
        )  # fmt: skip
        assert parts_of("kept_rate_amount") == ("53.3333", "160.00", "300.00")
        assert parts_of("kept_rate") == ("33.3333", "1", "3")
        assert parts_of("promises_taken_back") == ("25.0000", "1", "4")

    @pytest.mark.parametrize(("percent", "kept"), [(100, "0"), (95, "1")])
    def test_a_desk_may_take_less_than_all_for_kept(self, percent: int, kept: str, settings: Any) -> None:
        settings.PROMISE_KEPT_PERCENT = percent
        account = a_late_account("500")
        Promise.objects.create(
            ref="R1", account=account, amount=100, made_on=days_ago(20), due_on=days_ago(10), taken_by="import"
        )
        factories.make_payment(account, "97", days_ago(8))
        assert parts_of("kept_rate")[1:] == (kept, "1")
        assert parts_of("kept_rate_amount") == ("97.0000", "97.00", "100.00")


class TestWarningsAndLimits:
    def test_a_warning_worked_where_what_it_named_was_paid_in_a_week(self) -> None:
        paid, partly, late, not_a_limit, too_soon = (a_late_account() for _ in range(5))
        for account in (paid, partly, late):
            a_notice(account, days=20, amount=100, consequence="suspended")
            a_notice(account, days=15, amount=100, consequence="suspended")
        a_notice(not_a_limit, days=20, amount=100, consequence="agency")
        a_notice(too_soon, days=6, amount=100, consequence="suspended")
        factories.make_payment(paid, "100", days_ago(13))
        factories.make_payment(partly, "40", days_ago(20))
        factories.make_payment(late, "100", days_ago(12))
        assert parts_of("suspension_effectiveness") == ("33.3333", "1", "3")
        assert parts_of("suspension_effectiveness_some") == ("66.6667", "2", "3")

    def test_a_limit_is_in_error_where_nothing_undisputed_was_past_due_the_evening_before(self) -> None:
        owing, paid_before, paid_the_same_day, disputed, child = (a_late_account() for _ in range(5))
        parent = a_late_account()
        Bill.objects.filter(account=child).delete()
        factories.make_payment(paid_before, "100", days_ago(6))
        factories.make_payment(paid_the_same_day, "100", days_ago(5))
        Hold.objects.create(
            ref="H1", account=disputed, reason="dispute", starts_on=days_ago(9), placed_by="agent:nadia"
        )
        of_parent = a_case(parent, opened=days_ago(30))
        for account in (owing, paid_before, paid_the_same_day, disputed, child):
            ServiceOrder.objects.create(
                account=account, service=factories.make_service(account), key=f"o{next(numbers)}", kind="limit",
                rung="suspended", made_on=days_ago(6), state="confirmed", confirmed_at=noon(5),
                case=of_parent if account is child else None,
            )  # fmt: skip
        assert parts_of("suspension_wrongly") == ("40.0000", "2", "5")


class TestPeople:
    def test_few_answers_are_hidden_and_the_mean_with_them(self) -> None:
        account = a_late_account()
        for number in range(31):
            answered = None if number == 30 else noon(2)
            Survey.objects.create(
                account=account, about="call", asked_at=noon(3), answered_at=answered,
                score=None if answered is None else 5 if number < 24 else 2,
            )  # fmt: skip
        assert parts_of("csat") == ("80.0000", "24", "30")
        assert parts_of("csat_mean") == ("4.4000", "132", "30")
        assert parts_of("csat_response_rate") == ("96.7742", "30", "31")
        Survey.objects.filter(score=2).first().delete()  # type: ignore[union-attr]
        assert parts_of("csat") == (None, "24", "29")
        assert parts_of("csat_mean")[0] is None

    def test_complaints_by_accounts_and_by_contacts(self) -> None:
        account, other, sent_to = (a_late_account() for _ in range(3))
        a_call(account, "no_answer")
        a_call(account, "rpc_refused")
        a_call(other, "no_answer", direction="inbound")
        a_notice(sent_to, days=1)
        first = a_complaint(account, state="closed", closed_on=days_ago(1), outcome="partly_upheld")
        a_complaint(account, days=2, repeats=first)
        a_complaint(account, days=90, state="closed", closed_on=days_ago(5), outcome="rejected")
        a_complaint(account, days=90, state="closed", closed_on=days_ago(5), outcome="withdrawn")
        assert parts_of("complaint_rate") == ("1000.0000", "2", "2")
        assert parts_of("complaint_rate_contacts") == ("666.6667", "2", "3")
        assert parts_of("complaint_upheld_rate") == ("50.0000", "1", "2")
        assert parts_of("complaint_repeat_rate") == ("50.0000", "1", "2")
        assert parts_of("complaint_days") == ("57.3333", "172", "3")

    def test_occupancy_and_utilization_print_how_they_were_made(self) -> None:
        team = factories.make_team("North")
        nadia = factories.make_agent(username="nadia", team=team)
        account = a_late_account()
        a_call(account, "rpc_refused", agent=nadia, duration_seconds=135 * 60, wrap_seconds=15 * 60)
        start = NOON - timedelta(hours=8)
        for what, begun, minutes in (("work", 0, 200), ("break", 200, 60), ("training", 260, 220)):
            begun_at = start + timedelta(minutes=begun)
            Stretch.objects.create(
                agent=nadia, what=what, begun_at=begun_at, seen_at=begun_at,
                ended_at=begun_at + timedelta(minutes=minutes),
            )  # fmt: skip
        for scope in (None, Scope("team", "North"), Scope("agent", "nadia")):
            assert parts_of("occupancy", scope=scope) == ("75.0000", "2.50", "3.33")
            assert parts_of("utilization", scope=scope) == ("41.6667", "3.33", "8")
        found = kpis.compute(as_of=TODAY, days=1, business_date=TODAY)["kpis"]["occupancy"]
        assert found["formula"].startswith("(talk + hold + wrap-up) / (talk + hold + wrap-up + available)")
        tomorrow = kpis.compute(as_of=TODAY + timedelta(days=1), days=1, business_date=TODAY)["kpis"]
        assert tomorrow["occupancy"]["value"] is None

    def test_a_stretch_counts_within_the_period_and_until_the_agent_was_last_seen(self) -> None:
        nadia = factories.make_agent(username="nadia")
        midnight = datetime(2026, 3, 31, tzinfo=UTC)
        Stretch.objects.create(
            agent=nadia, begun_at=midnight - timedelta(hours=5), seen_at=midnight + timedelta(hours=1)
        )
        assert parts_of("utilization", days=1) == ("100.0000", "1", "1")

    def test_refusals_overrides_and_hours(self) -> None:
        account = a_late_account()
        tokyo = a_late_account(customer=factories.make_customer(timezone="Asia/Tokyo"))
        a_decision(account, "ALLOW")
        a_decision(account, "HOLD", "GB-HOURS-01", actor="agent:nadia")
        a_decision(account, "BLOCK", "GB-HOURS-01", "DESK-CAP-01")
        a_decision(account, "BLOCK", "DESK-CAP-01", overridden_by="agent:sara")
        a_call(account, "no_answer")
        a_call(account, "no_answer", at=NOON.replace(hour=21))
        a_call(account, "no_answer", at=NOON.replace(hour=6), direction="inbound")
        a_call(tokyo, "no_answer", at=NOON)  # nine in the evening there
        assert parts_of("blocked_rate") == ("75.0000", "3", "4")
        assert parts_of("override_rate") == ("25.0000", "1", "4")
        assert parts_of("outside_hours") == ("66.6667", "2", "3")
        found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]
        assert found["compliance"] == [
            {"rule": "DESK-CAP-01", "blocked": 2, "overridden": 1},
            {"rule": "GB-HOURS-01", "blocked": 2, "overridden": 0},
        ]
        assert found["outside_hours"] == 2


class TestMoney:
    def test_what_collecting_costs(self) -> None:
        nadia = factories.make_agent(username="nadia")
        account = a_late_account()
        factories.make_payment(account, "200", days_ago(1))
        for kind, amount, since in (
            ("agent_hour", "18", 400), ("agent_hour", "20", 10), ("call_minute", "0.05", 400), ("sms", "0.08", 400),
            ("letter", "1", 400), ("overhead_month", "31", 400),
        ):  # fmt: skip
            Cost.objects.create(kind=kind, currency="EUR", amount=amount, from_on=days_ago(since))
        a_call(account, "rpc_promise", agent=nadia, duration_seconds=600)
        Stretch.objects.create(agent=nadia, begun_at=noon(1), seen_at=noon(1) + timedelta(hours=2))
        ended = noon(11) + timedelta(hours=1)
        Stretch.objects.create(agent=nadia, begun_at=noon(11), seen_at=ended, ended_at=ended)
        a_notice(account, days=1, segments=2)
        a_notice(account, days=1, channel="letter")
        a_notice(account, days=1, channel="email")  # has no price
        agency = Agency.objects.create(code="northside", name="Northside", commission_percent=20)
        placed = Placement.objects.create(ref="PL1", account=account, agency=agency, amount=100, placed_on=days_ago(20))
        Commission.objects.create(
            placement=placed, payment=Payment.objects.get(), on=days_ago(1), collected=200, amount=40
        )
        # 40 + 18 of pay, half a euro of call, 0.16 + 1 of messages, 40 of commission, 30 days of March's 31.
        assert parts_of("cost_per_unit_collected") == ("0.6483", "129.66", "200.00")
        cost = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]["cost"]
        assert cost == {
            "pay": "58.00", "calls": "0.50", "messages": "1.16", "commission": "40.00", "overhead": "30.00",
            "total": "129.66", "collected": "200.00",
        }  # fmt: skip
        assert parts_of("recovery_rate_net") == ("60.0000", "60.00", "100.00")

    def test_pay_follows_the_time_that_accounts_took(self) -> None:
        nadia = factories.make_agent(username="nadia")
        mobile, fibre = a_late_account(product="mobile"), a_late_account(product="fibre")
        Cost.objects.create(kind="agent_hour", currency="EUR", amount=20, from_on=days_ago(400))
        Stretch.objects.create(agent=nadia, begun_at=noon(1), seen_at=noon(1) + timedelta(hours=2))
        a_call(mobile, "rpc_refused", agent=nadia, duration_seconds=900)
        a_call(fibre, "rpc_refused", agent=nadia, duration_seconds=300)
        for scope, cost in (
            (None, "40.00"),
            (Scope("product", "mobile"), "30.00"),
            (Scope("product", "fibre"), "10.00"),
        ):
            assert parts_of("cost_per_unit_collected", scope=scope)[1] == cost

    def test_churn_by_whom_and_compared_with_the_others(self) -> None:
        stayed, left, written_off, cut_off = (factories.make_account() for _ in range(4))
        for account in (stayed, left, written_off, cut_off):
            a_case(account, opened=days_ago(150), closed=days_ago(100))
        _other, other_left, new = (factories.make_account() for _ in range(3))
        for account in (left, written_off, cut_off, other_left):
            account.closed_on = days_ago(20)
            account.save(update_fields=["closed_on"])
        new.opened_on = days_ago(30)
        new.save(update_fields=["opened_on"])
        bill = factories.make_bill(written_off, "50", issued_on=days_ago(300), due_on=days_ago(280))
        factories.make_adjustment(written_off, "-50", days_ago(30), kind="write_off", bill_ref=bill.ref)
        ServiceOrder.objects.create(
            account=cut_off, service=factories.make_service(cut_off), key="o1", kind="limit", rung="disconnected",
            made_on=days_ago(40), state="confirmed", confirmed_at=noon(39),
        )  # fmt: skip
        assert parts_of("churn_after_collections") == ("75.0000", "3", "4")
        assert parts_of("churn_voluntary") == ("25.0000", "1", "4")
        assert parts_of("churn_involuntary") == ("50.0000", "2", "4")
        assert parts_of("retention") == ("25.0000", "1", "4")
        assert parts_of("churn_of_others") == ("50.0000", "1", "2")

    def test_liquidation_is_judged_once_its_days_are_over(self) -> None:
        agency = Agency.objects.create(code="northside", name="Northside", commission_percent=20)
        placed, refused, too_soon = (a_late_account() for _ in range(3))
        for account, days, reason in ((placed, 45, ""), (refused, 45, "unknown"), (too_soon, 20, "")):
            Placement.objects.create(
                ref=f"PL{next(numbers)}", account=account, agency=agency, amount=200, placed_on=days_ago(days),
                refused_reason=reason,
            )  # fmt: skip
        inside = factories.make_payment(placed, "50", days_ago(15))
        factories.make_payment(placed, "70", days_ago(14))
        Commission.objects.create(
            placement=Placement.objects.get(account=placed), payment=inside, on=days_ago(15), collected=50, amount=10
        )
        assert parts_of("liquidation_30") == ("25.0000", "50.00", "200.00")
        assert parts_of("liquidation_30_net") == ("20.0000", "40.00", "200.00")
        assert parts_of("liquidation_60")[0] is None

    def test_write_offs_and_what_came_back(self) -> None:
        account = factories.make_account()
        old = factories.make_bill(account, "300", issued_on=days_ago(500), due_on=days_ago(480))
        new = factories.make_bill(account, "100", issued_on=days_ago(200), due_on=days_ago(180))
        factories.make_adjustment(account, "-300", days_ago(400), kind="write_off", bill_ref=old.ref)
        factories.make_adjustment(account, "-100", days_ago(10), kind="write_off", bill_ref=new.ref)
        factories.make_payment(account, "30", days_ago(5), bill_ref=new.ref)
        factories.make_payment(account, "20", days_ago(4), bill_ref=old.ref)
        factories.make_bill(factories.make_account(), "900", issued_on=days_ago(100), due_on=days_ago(80))
        assert parts_of("bad_debt_ratio") == ("5.0000", "50.00", "1000.00")
        assert parts_of("bad_debt_ratio_of_bills") == ("7.0000", "70.00", "1000.00")
        assert parts_of("recovery_after_write_off") == ("30.0000", "30.00", "100.00")

    def test_write_offs_that_are_added_back_are_what_would_be_open_without_them(self) -> None:
        account, paid_before, of_a_fee, earlier = (factories.make_account() for _ in range(4))
        bills = [
            factories.make_bill(each, "100", issued_on=days_ago(90), due_on=days_ago(70))
            for each in (account, paid_before, earlier)
        ]
        factories.make_adjustment(account, "-100", days_ago(10), kind="write_off", bill_ref=bills[0].ref)
        factories.make_payment(account, "30", days_ago(5))
        factories.make_adjustment(paid_before, "-100", days_ago(10), kind="write_off", bill_ref=bills[1].ref)
        factories.make_payment(paid_before, "100", days_ago(12))  # arrived after the write-off, which found nothing
        fee = Fee.objects.create(ref="F1", account=of_a_fee, kind="late_fee", on=days_ago(40), amount=10)
        factories.make_adjustment(of_a_fee, "-10", days_ago(10), kind="write_off", fee_ref=fee.ref)
        factories.make_adjustment(earlier, "-100", days_ago(31), kind="write_off", bill_ref=bills[2].ref)
        assert parts_of("cei") == ("100.0000", "200.00", "200.00")
        assert parts_of("cei_without_write_offs") == ("65.0000", "130.00", "200.00")
        assert parts_of("cei_monthly_sales_without_write_offs") == ("65.0000", "130.00", "200.00")
        assert parts_of("recovery_rate") == ("65.0000", "130.00", "200.00")

    def test_a_write_off_of_a_bill_that_is_none_any_more_counts_nothing(self) -> None:
        account = factories.make_account()
        bill = factories.make_bill(account, "100", issued_on=days_ago(90), due_on=days_ago(70))
        factories.make_adjustment(account, "-100", days_ago(10), kind="write_off", bill_ref=bill.ref)
        factories.make_bill(account, "100", issued_on=days_ago(20), due_on=TODAY)
        Bill.objects.filter(pk=bill.pk).update(status="draft")
        assert parts_of("bad_debt_ratio") == ("0.0000", "0.00", "100.00")
        assert parts_of("bad_debt_ratio_of_bills") == ("0.0000", "0.00", "100.00")
        assert parts_of("cei_without_write_offs")[1] == parts_of("cei")[1]

    def test_months_of_bills_and_what_was_paid_of_them(self) -> None:
        account = factories.make_account()
        january = factories.make_bill(account, "100", issued_on=date(2026, 1, 5), due_on=date(2026, 1, 20))
        factories.make_bill(account, "50", issued_on=date(2026, 2, 5), due_on=date(2026, 2, 20))
        factories.make_payment(account, "40", date(2026, 2, 4), bill_ref=january.ref)
        factories.make_payment(account, "60", date(2026, 2, 5), bill_ref=january.ref)
        found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]["vintages"]
        assert found == [
            {
                "month": "2026-01",
                "billed": "100.00",
                "collected_pct": {"30": "40.00", "60": "100.00", "90": "100.00"},
                "one_in": 1,
            },
            {
                "month": "2026-02",
                "billed": "50.00",
                "collected_pct": {"30": "0.00", "60": "0.00", "90": "0.00"},
                "one_in": 1,
            },
        ]

    def test_rounded_shares_of_a_roll_come_to_a_hundred(self) -> None:
        start = days_ago(30)
        for number in range(3):
            account = factories.make_account()
            bill = factories.make_bill(
                account, "10", issued_on=start - timedelta(days=30), due_on=start - timedelta(days=5)
            )
            if number == 1:
                factories.make_payment(account, "10", days_ago(2))
            if number == 2:
                factories.make_adjustment(account, "-10", days_ago(2), kind="write_off", bill_ref=bill.ref)
        found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY + timedelta(days=9), pictures=True)
        assert found["pictures"]["roll_matrix"] == {
            "1-30": {
                "31-60": {"share": "33.34", "amount": "10.00"},
                "paid": {"share": "33.33", "amount": "10.00"},
                "written_off": {"share": "33.33", "amount": "10.00"},
            }
        }


class TestFunnelsAndMaps:
    def test_from_the_queue_to_a_kept_promise(self) -> None:
        accounts = [a_late_account() for _ in range(4)]
        for account in accounts:
            factories.make_item(account, created_at=noon(40))
        WorkItem.objects.filter(account=accounts[3]).update(done_at=noon(35))
        for account in accounts[:2]:
            a_call(account, "no_answer", at=datetime(2026, 3, 30, 9, 30, tzinfo=UTC))  # a Monday
        a_call(accounts[0], "rpc_promise")
        Promise.objects.create(
            ref="R1", account=accounts[0], amount=30, made_on=days_ago(12), due_on=days_ago(9), status="kept", paid=30,
            settled_on=days_ago(9), taken_by="agent:nadia",
        )  # fmt: skip
        found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]
        assert [(step["name"], step["n"]) for step in found["contact_funnel"]] == [
            ("queue", 3), ("attempted", 2), ("connected", 1), ("right_party", 1), ("promise", 1), ("kept", 1),
        ]  # fmt: skip
        assert [(step["name"], step["n"], step["amount"]) for step in found["promise_funnel"]] == [
            ("made", 1, "30.00"), ("fell_due", 1, "30.00"), ("kept", 1, "30.00"), ("part_kept", 0, "0.00"),
            ("broken", 0, "0.00"),
        ]  # fmt: skip
        assert found["heat_map"] == {
            "0": {"9": {"attempts": 2, "right_party": 0}},
            "1": {"12": {"attempts": 1, "right_party": 1}},
        }

    def test_the_curve_of_what_was_past_due_has_the_weeks_that_were_kept(self) -> None:
        a_late_account("70", late=20)
        for days in (0, 7, 8, 21):
            standing.record(on=days_ago(days), business_date=date(2026, 12, 31))
        found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY, pictures=True)["pictures"]["ageing"]
        assert [(row["on"], row["buckets"]["1-30"]) for row in found] == [
            ("2026-03-10", "0.00"),
            ("2026-03-24", "70.00"),
            ("2026-03-31", "70.00"),
        ]


class TestStanding:
    def test_from_the_stored_amounts_it_is_what_the_facts_say(self) -> None:
        account = a_late_account("100", late=95)
        factories.make_bill(account, "60", issued_on=days_ago(20), due_on=TODAY)
        factories.make_bill(account, "30", issued_on=days_ago(40), due_on=days_ago(30))
        on_time = factories.make_account()
        factories.make_bill(on_time, "60", issued_on=days_ago(20), due_on=TODAY)
        factories.settled(account, on_time, as_of=TODAY)
        assert standing.record(on=TODAY, business_date=TODAY) == 1
        columns = list(Standing.objects.values_list("account", "amounts", "days_past_due"))
        assert standing.record(on=TODAY, business_date=date(2026, 12, 31)) == 1
        assert list(Standing.objects.values_list("account", "amounts", "days_past_due")) == columns
        assert columns == [(account.pk, [60, 30, 0, 0, 100, 0], 95)]

    def test_a_day_on_which_nobody_was_late_is_known_as_well(self) -> None:
        """Everybody late 90 days ago was cured 60 days ago, and is not late now: known, not "not kept"."""
        cured = a_late_account("100", late=95)
        factories.make_payment(cured, "100", days_ago(70))
        for days in (0, 60, 90):
            standing.record(on=days_ago(days), business_date=date(2026, 12, 31))
        assert parts_of("cure_sustained_60") == ("100.0000", "1", "1")
        assert parts_of("cure_sustained_90") == (None, None, None)


# Scope by scope -------------------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> date:
    """Two currencies, teams, segments, policies and arms, over made-up ledgers; settled at the day it returns."""
    on = date(2026, 2, 20)
    BusinessDate.objects.create(on=on)
    files = make(accounts=30, seed=7)
    dollars = make(accounts=8, seed=8, currency="USD")
    for name, rows in dollars.rows.items():
        renamed = [{column: _renamed(column, value) for column, value in row.items()} for row in rows]
        files.rows[name].extend(renamed)
    files.write(tmp_path)
    call_command("import_book", str(tmp_path))
    teams = [Team.objects.create(name=name) for name in ("North", "South")]
    homes = dict(zip(("nadia", "omar", "sara"), [*teams, None], strict=True))
    people = [factories.make_agent(username=name, team=team) for name, team in homes.items()]
    policies = ["residential", "business"]
    versions = {}
    for code in policies:
        policy = Policy.objects.create(code=code)
        versions[code] = PolicyVersion.objects.create(policy=policy, number=1, created_at=NOON, state="published")
    trial = Experiment.objects.create(
        code="gentle", name="Gentle", policy=Policy.objects.get(code="residential"), starts_on=on, ends_on=on,
        created_by="agent:sara", created_at=NOON,
    )  # fmt: skip
    arms = [Arm.objects.create(experiment=trial, code=code, role="holdout", share=10) for code in ("a", "b")]
    for number, account in enumerate(Account.objects.order_by("pk")):
        if number % 3:
            team, done_at = teams[number % 2] if number % 5 else None, None if number % 4 else NOON
            factories.make_item(account, team=team, done_at=done_at)
        if number % 2:
            Case.objects.create(
                account=account, version=versions[policies[number // 2 % 2]], opened_on=date(2025, 9, 1),
                closed_on=date(2025, 11, 10) if number % 4 == 1 else None, warnings_from=date(2025, 9, 1),
                segment=["", "loyal", "new"][number % 3],
            )  # fmt: skip
        if number % 7 == 0:
            Assignment.objects.create(experiment=trial, arm=arms[number % 2], account=account, on=on, overdue=10)
        if number % 5 == 0:
            a_decision(
                account,
                "BLOCK",
                "R1",
                actor=f"agent:{people[number % 3].username}",
                at=datetime(2026, 2, 10, 9, tzinfo=UTC),
            )
            a_complaint(account, received_on=date(2026, 2, 11), about=people[number % 3])
            a_notice(account, sent_at=datetime(2026, 2, 3, 8, tzinfo=UTC), days=0, amount=10, consequence="suspended")
        if number % 4 == 0:
            Survey.objects.create(
                account=account, about="call", asked_at=datetime(2026, 2, 1, 9, tzinfo=UTC), score=number % 5 + 1,
                answered_at=datetime(2026, 2, 2, 9, tzinfo=UTC), agent=people[number % 3],
            )  # fmt: skip
    for number, call in enumerate(Interaction.objects.order_by("pk")):
        call.agent = [*people, None][number % 4]
        call.wrap_seconds = 30
        call.save(update_fields=["agent", "wrap_seconds"])
    for number, promise in enumerate(Promise.objects.order_by("pk")):
        promise.taken_by = f"agent:{people[number % 3].username}"
        promise.save(update_fields=["taken_by"])
    for person in people:
        begun = datetime(2026, 2, 12, 8, tzinfo=UTC)
        Stretch.objects.create(agent=person, begun_at=begun, seen_at=begun + timedelta(hours=6))
    for currency in ("EUR", "USD"):
        Cost.objects.create(kind="agent_hour", currency=currency, amount=20, from_on=date(2025, 1, 1))
        Cost.objects.create(kind="sms", currency=currency, amount="0.1", from_on=date(2025, 1, 1))
        Cost.objects.create(kind="overhead_month", currency=currency, amount=56, from_on=date(2025, 1, 1))
    for days in (0, 7, 30, 60, 67, 90, 97, 120):
        standing.record(on=on - timedelta(days=days), business_date=date(2026, 12, 31))
    return on


def _renamed(column: str, value: str) -> str:
    names = column.endswith("_id") or column == "ref"
    return f"U{value}" if names and value else value


def test_every_scope_has_the_figures_that_it_has_alone(book: date) -> None:
    rows = list(kpis.every_scope(as_of=book, windows=(7, 30), business_date=book, at=NOON))
    scopes_found = {str(row.scope) for row in rows}
    assert {"all", "team:North", "team:", "agent:sara", "segment:loyal", "policy:business"} <= scopes_found
    assert {"product:mobile", "arm:gentle / a", "arm:"} <= scopes_found
    assert {row.currency for row in rows} == {"EUR", "USD"}
    assert len(rows) == len({(row.days, row.currency, row.scope) for row in rows})
    for row in rows:
        alone = kpis.compute(
            as_of=book, days=row.days, currency=row.currency, business_date=book, scope=row.scope, pictures=True
        )
        told = (row.days, row.currency, str(row.scope))
        assert row.receivables == alone["receivables"], told
        assert row.kpis == alone["kpis"], told
        assert row.pictures == alone["pictures"], told
        assert set(row.kpis) == {kpi.name for kpi in kpis.CATALOGUE if row.scope.dimension in kpi.scopes}


def test_a_day_that_is_over_is_counted_for_every_scope_from_the_facts(book: date) -> None:
    on = book - timedelta(days=25)
    rows = list(kpis.every_scope(as_of=on, windows=(30,), business_date=book, at=NOON))
    for row in rows:
        if row.scope.dimension in ("all", "team"):
            alone = kpis.compute(
                as_of=on, days=30, currency=row.currency, business_date=book, scope=row.scope, pictures=True
            )
            assert (row.receivables, row.kpis, row.pictures) == (
                alone["receivables"], alone["kpis"], alone["pictures"],
            ), str(row.scope)  # fmt: skip


def counted(book: date) -> scopes.Parts:
    period = Period(book, 30)
    with (
        scopes.laid_out() as parts,
        ageing.read(
            end=book,
            starts=[period.start],
            business_date=book,
            say=lambda *_: None,
            every_account=False,
        ),
    ):
        measures.of_day(parts, as_of=book, with_pictures=True, say=lambda *_: None)
        measures.of_period(parts, period=period, with_pictures=True, say=lambda *_: None)
    return parts


def test_the_sums_of_the_members_are_the_sums_of_the_whole(book: date) -> None:
    """All but accounts that two teams had to do with, which each of them counts, and people's time, which has none."""
    parts = counted(book)
    for currency in ("EUR", "USD"):
        every = parts.every(currency)
        for dimension in scopes.OF_ACCOUNTS:
            members = [sums for scope, sums in every.items() if scope.dimension == dimension]
            assert len(members) > 1
            together = Sums()
            for member in members:
                together.add(member)

            def additive(sums: Sums, dimension: str = dimension) -> dict[tuple[str, ...], Decimal]:
                shared = ("accounts_",) if dimension == "team" else ()
                return close(sums, leave_out=lambda key: key in parts.desk or key[0].startswith(shared))

            assert len(additive(together)) > 100
            assert additive(together) == additive(every[EVERYTHING]), (currency, dimension)


def close(sums: Sums, *, leave_out: Callable[[tuple[str, ...]], bool]) -> dict[tuple[str, ...], Decimal]:
    """Shares of pay are divisions: equal to the millionth."""
    return {key: round(amount, 6) for key, amount in sums.items() if round(amount, 6) and not leave_out(key)}


def test_rates_of_the_whole_are_made_of_sums_and_are_no_averages(book: date) -> None:
    found = {
        str(row.scope): row.kpis
        for row in kpis.every_scope(as_of=book, windows=(30,), business_date=book, at=NOON)
        if row.currency == "EUR"
    }
    for name in ("dso", "cei", "recovery_rate", "rpc_rate", "kept_rate", "wadd_overdue"):
        parts = [figures[name] for scope, figures in found.items() if scope.startswith("team:")]
        whole = found["all"][name]
        for part in ("numerator", "denominator"):
            assert sum(Decimal(figure[part]) for figure in parts) == Decimal(whole[part]), name
        values = [Decimal(figure["value"]) for figure in parts if figure["value"] is not None]
        if name in ("dso", "cei", "recovery_rate"):
            assert len(values) > 1
            assert round(sum(values) / len(values), 4) != Decimal(whole["value"]), name


def test_counting_asks_no_query_an_account(book: date) -> None:
    with CaptureQueriesContext(connection) as asked:
        list(kpis.every_scope(as_of=book, windows=(30,), business_date=book, at=NOON))
    before = len(asked)
    for account in Account.objects.all()[:15]:
        for _ in range(3):
            other = factories.make_account(currency=account.currency)
            factories.make_bill(other, "20", issued_on=date(2025, 12, 1), due_on=date(2025, 12, 20))
            factories.make_payment(other, "5", date(2026, 2, 1))
            a_call(other, "rpc_refused", at=datetime(2026, 2, 1, 9, tzinfo=UTC))
    with CaptureQueriesContext(connection) as asked:
        list(kpis.every_scope(as_of=book, windows=(30,), business_date=book, at=NOON))
    # The books of one more day: who was reached on it and paid, which has five queries.
    assert len(asked) <= before + 5


def test_progress_is_told(book: date) -> None:
    told: list[tuple[str, int, int]] = []
    list(kpis.every_scope(
        as_of=book, windows=(7, 30), business_date=book, at=NOON, say=lambda *said: told.append(said)
    ))  # fmt: skip
    assert {"the day itself", "7 days", "30 days"} <= {what for what, _, _ in told}
    assert all(0 <= done <= of for _, done, of in told)


class TestWhoMayLook:
    def test_a_supervisor_of_all_teams_and_finance_may_look_at_everything(self) -> None:
        for role in ("supervisor", "manager", "finance", "admin"):
            allowed = scopes.allowed(factories.make_agent(role))
            assert allowed.covers(EVERYTHING)
            assert allowed.covers(Scope("agent", "nadia"))

    def test_one_kept_to_a_team_sees_the_team_and_its_people(self) -> None:
        team, other = factories.make_team("North"), factories.make_team("South")
        factories.make_agent(username="nadia", team=team)
        factories.make_agent(username="omar", team=other)
        allowed = scopes.allowed(factories.make_agent("supervisor", team=team, all_teams=False))
        assert allowed.covers(Scope("team", "North"))
        assert allowed.covers(Scope("agent", "nadia"))
        for crossing in (EVERYTHING, Scope("team", "South"), Scope("agent", "omar"), Scope("team"), Scope("product")):
            assert not allowed.covers(crossing)
        lost = scopes.allowed(factories.make_agent("supervisor", all_teams=False))
        assert not lost
        assert not lost.covers(Scope("team"))

    @pytest.mark.parametrize("role", ["agent", "specialist", "team_lead"])
    def test_an_agent_sees_nobodys_figures_here(self, role: str) -> None:
        agent = factories.make_agent(role, username="nadia", team=factories.make_team("North"))
        allowed = scopes.allowed(agent)
        assert not allowed
        assert not any(allowed.covers(scope) for scope in (EVERYTHING, Scope("team", "North"), Scope("agent", "nadia")))
