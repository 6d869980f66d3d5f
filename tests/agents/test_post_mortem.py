"""The page of what was written off: figures by hand, what led to it, the accounts behind each row."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import keeping
from accounts.business_day import move_to
from accounts.models import Account
from agents import post_mortem
from agents.models import Agent, Interaction
from agents.post_mortem import PostMortem, WrittenOff
from dunning import cases, policy_file, writing
from dunning.gateways.base import Outcome
from dunning.models import Case, Notice, PolicyVersion, Segment, WriteOff
from tests.factories import (
    make_account,
    make_agent,
    make_bill,
    make_customer,
    make_payment,
    moment,
    settled,
)
from tests.journeys.story import Story, at
from tests.journeys.test_reach import Telling

pytestmark = pytest.mark.django_db

#: Session, person, roles, business date, currencies, segments, written off, paid, what led to it, the page's accounts.
QUERIES = 10

#: Reminded on day 2, warned on day 4, barred on day 12, with agents on day 13, given up on day 40.
SHORT = """
code: short
name: Short
priority: 100
applies_to: {}
enters: {min_amount: "1.00", min_days: 1}
exits: {max_amount: "0.00"}
min_gap_days: 1
calendar: {country: US, roll: next_working_day}
steps:
  - {code: reminder, day: 2, action: notify, channels: [sms, email], template: reminder}
  - {code: warning, day: 4, action: notify, channels: [sms, letter], template: suspension-warning, pay_by_days: 4}
  - {code: bar, day: 12, action: limit, rung: outgoing_barred, warned_by: warning, notice_days: 4}
  - {code: desk, day: 13, action: transfer_to_collections}
  - {code: give-up, day: 40, action: write_off}
"""
UNREACHABLE = {"phone": "", "email": "", "address": ""}


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


#: Forty days past due: the day of the write-off.
GIVEN_UP = mar(41)


def told(policy: str = SHORT) -> Story:
    return Story(mar(2), policy=policy)


def owes(story: Story, ref: str, amount: str = "50.00", **columns: Any) -> Account:
    """An account with one service and one bill that is due on 1 March."""
    account = story.account(ref, **columns)
    story.service(f"S{ref}", ref)
    story.bill(mar(1), amount, ref=f"B{ref}", account=ref, tax_amount=Decimal(amount) / 5)
    return account


def quietly(story: Story, *, until: date) -> None:
    """Days on which nothing is due go by; the last of them is run."""
    story.days_without_a_run(until=until - timedelta(days=1))
    story.days_pass(until=until)


def spoken_to(ref: str, day: date) -> None:
    Interaction.objects.create(
        ref=f"I{ref}", account=Account.objects.get(ref=ref), direction="outbound", disposition="rpc_refuses",
        right_party=True, at=at(day),
    )  # fmt: skip


def report(**asked: Any) -> PostMortem:
    return post_mortem.read(**{"first": mar(1), "last": GIVEN_UP + timedelta(days=60), "currency": "USD"} | asked)


def row_of(ref: str, **asked: Any) -> WrittenOff:
    return next(row for row in report(**asked).rows if row.account_ref == ref)


def found(ref: str) -> dict[str, str]:
    return {finding.code: finding.words for finding in row_of(ref).findings}


def groups(read: PostMortem, code: str) -> dict[str, tuple[int, Decimal]]:
    table = next(table for table in read.tables if table.code == code)
    return {group.label: (group.sums.accounts, group.sums.amount) for group in table.groups}


@pytest.fixture
def three() -> Story:
    """A1 was told, barred and spoken to; A2 could not be told anything; A3 paid on its tenth day."""
    Segment.objects.all().delete()  # billing's own segments, then
    story = told()
    owes(story, "A1", "50.00", product="fibre", segment="consumer")
    owes(story, "A2", "30.00", product="mobile", customer=UNREACHABLE)
    owes(story, "A3", "40.00", product="mobile", segment="consumer")
    story.days_pass(until=mar(10))
    story.pays("40.00", account="A3")
    story.days_pass(until=mar(14))
    spoken_to("A1", mar(20))
    quietly(story, until=GIVEN_UP)
    return story


# --- what was written off ---------------------------------------------------------------------------------------------


def test_the_totals_are_those_of_the_rows_and_the_tax_is_the_journals(three: Story) -> None:
    read = report()
    assert [(row.account_ref, row.on, row.days_past_due) for row in read.rows] == [
        ("A2", GIVEN_UP, 40),
        ("A1", GIVEN_UP, 40),
    ]
    totals = read.totals
    assert (totals.accounts, totals.amount, totals.tax, totals.average_age) == (2, 80, 16, 40)
    assert (totals.recovered, totals.credited, totals.net) == (0, 0, 80)
    assert [(month, sums.accounts, sums.amount) for month, sums in read.months] == [(date(2026, 4, 1), 2, 80)]


def test_what_was_paid_since_is_recovered_and_what_went_back_is_not(three: Story) -> None:
    payment = three.pays("20.00", account="A1")
    three.days_pass(until=GIVEN_UP + timedelta(days=1))
    assert (row_of("A1").recovered, row_of("A1").net, report().totals.net) == (20, 30, 60)

    three.takes_back(payment)
    three.days_pass(until=GIVEN_UP + timedelta(days=2))
    assert (row_of("A1").recovered, row_of("A1").net) == (0, 50)


def test_a_credit_of_billing_takes_its_place_and_is_no_recovery(three: Story) -> None:
    three.adjusts("-15.00", account="A1", bill_ref="BA1")
    row = row_of("A1")
    assert (row.amount, row.credited, row.recovered, row.net) == (50, 15, 0, 35)


def test_what_comes_back_takes_the_place_of_the_oldest_write_off_first() -> None:
    account = make_account(currency="USD")
    for month, amount in ((1, "60.00"), (2, "40.00")):
        day = date(2026, month, 20)
        make_bill(account, amount, issued_on=date(2026, month, 1), due_on=date(2026, month, 10))
        settled(account, as_of=day)
        cases.write_off(account_id=account.pk, actor="agent:ruth", as_of=day, at=moment(day), reason="gone away")
    make_payment(account, "75.00", date(2026, 3, 1))
    settled(account, as_of=date(2026, 3, 1))

    read = report(first=date(2026, 1, 1))
    later = report(first=date(2026, 2, 1))

    assert [(row.amount, row.recovered) for row in read.rows] == [(40, 15), (60, 60)]
    assert (read.totals.accounts, read.totals.write_offs, read.totals.net) == (1, 2, 25)
    assert [(row.amount, row.recovered) for row in later.rows] == [(40, 15)]


def test_every_table_says_what_it_is_grouped_by(three: Story) -> None:
    read = report()
    assert groups(read, "segment") == {"consumer": (1, 50), "None": (1, 30)}
    assert groups(read, "product") == {"fibre": (1, 50), "mobile": (1, 30)}
    assert groups(read, "policy") == {"short@1": (2, 80)}
    assert groups(read, "reason") == {"give-up": (2, 80)}
    assert groups(read, "contact") == {"Never reached": (1, 30), "A conversation up to 30 days before": (1, 50)}
    assert groups(read, "age") == {"31-60": (2, 80)}
    assert groups(read, "reach") == {"Phone and e-mail": (1, 50), "Nothing that works": (1, 30)}
    shares = {group.key: group.share for table in read.tables if table.code == "product" for group in table.groups}
    assert shares == {"fibre": Decimal("62.5"), "mobile": Decimal("37.5")}


def test_a_segment_of_the_desk_is_shown_by_its_name() -> None:
    Segment.objects.all().delete()
    rule = {"all": [{"fact": "product", "is": "fibre"}]}
    Segment.objects.create(code="fibre", name="Fibre at home", rule=rule)
    story = told()
    owes(story, "A1", product="fibre", segment="consumer")
    story.days_pass(until=GIVEN_UP)
    assert groups(report(), "segment") == {"Fibre at home": (1, 50)}
    assert report().choices["segment"] == [("fibre", "Fibre at home")]


def test_a_period_and_a_currency_stand_alone(three: Story) -> None:
    euro = make_account(currency="EUR")
    make_bill(euro, "70.00")
    settled(euro, as_of=GIVEN_UP)
    cases.write_off(account_id=euro.pk, actor="agent:ruth", as_of=GIVEN_UP, at=at(GIVEN_UP), reason="gone away")

    assert post_mortem.currencies(first=mar(1), last=GIVEN_UP) == ["USD", "EUR"]
    assert report(currency="EUR").totals.amount == 70
    assert report().totals.amount == 80
    assert report(last=GIVEN_UP - timedelta(days=1)).rows == []
    assert report(first=GIVEN_UP + timedelta(days=1)).rows == []


def test_narrowed_both_groups_are(three: Story) -> None:
    read = report(narrowed={"segment": "consumer"})
    assert ([row.account_ref for row in read.rows], read.paid) == (["A1"], 1)
    read = report(narrowed={"product": "fibre"})
    assert ([row.account_ref for row in read.rows], read.paid) == (["A1"], 0)
    assert read.choices["product"] == [("fibre", "fibre"), ("mobile", "mobile")]
    assert [row.account_ref for row in report(narrowed={"segment": post_mortem.NONE}).rows] == ["A2"]


# --- what led to it ---------------------------------------------------------------------------------------------------


def test_an_account_that_was_told_limited_and_spoken_to_leaves_nothing_to_find(three: Story) -> None:
    course = row_of("A1").course
    assert found("A1") == {}
    assert (course.notices, course.delivered, course.warnings_delivered, course.conversations) == (2, 2, 1, 1)
    assert (course.due_on, course.limited_on, course.handed_over_on) == (mar(1), mar(13), mar(14))
    assert (course.started_late, course.messages_cost) == (0, Decimal("0.10"))


def test_an_account_that_nothing_reached_shows_it_all(three: Story) -> None:
    assert found("A2") == {
        "never_reached": "No notice was ever made.",
        "never_spoken_to": "Nobody ever spoke with the customer.",
        "not_warned": "No warning arrived, so the limit that was due never ran.",
        "never_limited": "The service was never limited: no warning had arrived.",
    }


def test_those_that_paid_are_the_other_side(three: Story) -> None:
    told = {lesson.code: (lesson.accounts, lesson.of, lesson.paid, lesson.paid_of) for lesson in report().lessons}
    assert told == {
        "never_spoken_to": (1, 2, 1, 1),
        "never_reached": (1, 2, 0, 1),
        "not_warned": (1, 2, 0, 1),
        "never_limited": (1, 2, 0, 1),
    }


def test_what_happens_after_the_write_off_changes_no_finding(three: Story) -> None:
    spoken_to("A2", GIVEN_UP + timedelta(days=1))
    assert "never_spoken_to" in found("A2")


def test_notices_that_bounce_on_the_only_channel_are_found() -> None:
    story = told(SHORT.replace("[sms, email]", "[sms]").replace("[sms, letter]", "[sms]"))
    owes(story, "A1")
    road = Telling(lambda message: Outcome("unreachable", detail="no such number"))
    while story.today < GIVEN_UP:
        story.run(story.today + timedelta(days=1))
        story.deliver(road=road)
    assert row_of("A1").course.bounced == 1
    assert found("A1")["one_channel"] == "1 notice bounced, and no other channel was tried."
    assert row_of("A1").keys["reach"] == "E-mail, no phone"


def test_a_second_channel_that_was_tried_is_no_finding() -> None:
    story = told()
    owes(story, "A1")
    road = Telling(lambda message: Outcome("unreachable" if message.channel == "sms" else "delivered", message.key))
    while story.today < GIVEN_UP:
        story.run(story.today + timedelta(days=1))
        story.deliver(road=road)
    course = row_of("A1").course
    assert (course.notices, course.bounced, course.delivered, course.channels_tried) == (3, 1, 2, 3)
    assert "one_channel" not in found("A1")


def test_a_protected_service_and_a_kept_one_say_why_nothing_was_limited() -> None:
    story = told()
    owes(story, "A1")
    owes(story, "A2")
    Account.objects.get(ref="A1").services.update(protected=True)
    story.days_pass(until=mar(9))
    service = Account.objects.get(ref="A2").services.get()
    keeping.keep(
        service_id=service.pk, until=mar(60), reason="on order", actor="agent:ruth", as_of=mar(9), at=at(mar(9))
    )
    story.days_pass(until=GIVEN_UP)
    told_of = {lesson.code: lesson.often for lesson in report().lessons}
    assert told_of["never_limited"] == (("the service is protected", 1), ("the service was kept", 1))
    assert row_of("A2").course.limited_on is None


def test_a_long_hold_is_found_with_its_reasons_and_overlapping_days_count_once() -> None:
    story = told(SHORT)
    owes(story, "A1")
    story.days_pass(until=mar(5))
    story.hold("hardship", until=mar(24))
    story.days_pass(until=mar(15))
    story.hold("vulnerability_review", until=mar(34))
    # The clock stands for the twenty days of hardship.
    story.days_pass(until=GIVEN_UP + timedelta(days=20))
    course = row_of("A1").course
    assert (course.held_days, course.held_for) == (30, ("hardship", "vulnerability_review"))
    assert found("A1")["held_long"] == "30 days on hold (hardship, vulnerability review)."


def test_two_broken_promises_without_a_plan_are_found() -> None:
    story = told()
    owes(story, "A1")
    for number in (5, 15):
        story.days_pass(until=mar(number))
        story.promise("50.00", by=mar(number + 3))
    story.days_pass(until=GIVEN_UP + timedelta(days=20))
    assert found("A1")["no_plan"] == "2 promises broken, and no plan was agreed."


def test_a_plan_broken_before_its_second_instalment_is_found() -> None:
    story = told(SHORT.replace("day: 40", "day: 60"))
    owes(story, "A1")
    story.days_pass(until=mar(5))
    story.plan((mar(8), "25.00"), (mar(15), "25.00"))
    story.days_pass(until=mar(90))
    assert found("A1")["plan_broken"] == "A plan was broken before its second instalment."
    assert row_of("A1").course.plans == 1


def test_a_dispute_lost_after_a_long_time_is_found() -> None:
    story = told(SHORT.replace("day: 40", "day: 60"))
    owes(story, "A1")
    story.bill(mar(2), "20.00", ref="B2", account="A1")
    story.days_pass(until=mar(5))
    dispute = story.dispute("20.00", bill="B2")
    story.days_pass(until=mar(40))
    story.resolve(dispute, "rejected")
    story.days_pass(until=mar(75))
    assert found("A1")["dispute_lost"] == "A dispute was decided against the customer after 35 days."


AGENCY = SHORT.replace(
    "  - {code: give-up, day: 40,",
    """  - {code: placement, day: 100, action: notify, channels: [sms], template: placement-notice, pay_by_days: 4}
  - {code: agency, day: 120, action: place_with_agency, agency: northside, warned_by: placement, notice_days: 4}
  - {code: give-up, day: 140,""",
)


def test_an_agency_that_came_late_or_never_is_found() -> None:
    story = told(AGENCY)
    owes(story, "A1")
    owes(story, "A2", customer={"phone": ""})
    story.days_pass(until=mar(14))
    quietly(story, until=mar(101))
    quietly(story, until=mar(121))
    quietly(story, until=mar(141))
    placed = row_of("A1", last=mar(150)).course.placed_on
    assert placed is not None
    words = {row.account_ref: {finding.code: finding.words for finding in row.findings}
             for row in report(last=mar(150)).rows}  # fmt: skip
    handed_over = mar(14)
    assert words["A1"]["placed_late"] == (
        f"Placed with an agency {(placed - handed_over).days} days after the hand-over to agents."
    )
    assert words["A2"]["never_placed"] == "127 days with agents and never placed with an agency."


def test_dunning_that_began_late_is_found() -> None:
    story = told()
    story.days_without_a_run(until=mar(14))
    owes(story, "A1")
    story.days_pass(until=mar(60))
    # The reminder was due on 3 March and came on the first day that was run, the 15th.
    assert found("A1")["started_late"] == "The first step came 12 days after its day."


def test_a_policy_that_presses_nobody_of_this_product_is_found_and_so_is_none_at_all() -> None:
    for_fibre = (", rung: outgoing_barred", ", action: transfer_to_collections")
    policy = SHORT
    for words in for_fibre:
        policy = policy.replace(words, f"{words}, only_if: {{product: [fibre]}}")
    story = told(policy)
    owes(story, "A1", product="mobile")
    owes(story, "A2", product="fibre")
    story.days_pass(until=GIVEN_UP)
    alone = make_account(ref="A3", currency="USD")
    make_bill(alone, "9.00", due_on=mar(1))
    settled(alone, as_of=GIVEN_UP)
    cases.write_off(account_id=alone.pk, actor="agent:ruth", as_of=GIVEN_UP, at=at(GIVEN_UP), reason="too small")

    assert found("A1")["no_step"] == "Every step that presses passed it over."
    assert "no_step" not in found("A2")
    assert found("A3")["no_step"] == "No policy ever had a case of it."
    assert row_of("A3").keys["policy"] == post_mortem.NONE


def test_messages_that_cost_more_than_a_tenth_are_found_where_costs_are_known() -> None:
    story = told(SHORT.replace("[sms, letter]", "[letter]"))
    owes(story, "A1", "5.00")
    story.days_pass(until=GIVEN_UP)
    # One SMS at 0.05 and one letter at 0.95.
    assert row_of("A1").course.messages_cost == Decimal("1.00")
    assert found("A1")["small"] == "Its messages cost 20 % of the amount."
    WriteOff.objects.update(currency="EUR")
    assert "small" not in {finding.code for row in report(currency="EUR").rows for finding in row.findings}


# --- many -------------------------------------------------------------------------------------------------------------


def version() -> PolicyVersion:
    saved = writing.save_draft(policy_file.read(SHORT), actor="admin:ada", at=at(mar(1)))
    writing.publish(saved, actor="admin:ada", at=at(mar(1)))
    return saved


def in_case(under: PolicyVersion, amount: str = "20.00") -> Account:
    account = make_account(currency="USD", customer=make_customer(phone="+12025550100"))
    make_bill(account, amount, due_on=mar(1))
    settled(account, as_of=mar(5))
    case = Case.objects.create(account=account, version=under, opened_on=mar(2), warnings_from=mar(2))
    Notice.objects.create(
        account=account, customer=account.customer, case=case, key=f"{case.pk}.reminder.0.sms", channel="sms",
        step_code="reminder", template="reminder", currency="USD", made_on=mar(3), bill_refs=[account.bills.get().ref],
        amount=Decimal(amount), state="delivered", sent_at=at(mar(3)), delivered_at=at(mar(3)),
    )  # fmt: skip
    return account


def many(written_off: int, paid: int, *, spoken: int) -> None:
    """So many given up by a supervisor and so many that paid, of whom so many were spoken to."""
    under = version()
    for _ in range(written_off):
        account = in_case(under)
        cases.write_off(account_id=account.pk, actor="agent:ruth", as_of=mar(20), at=at(mar(20)), reason="gone away")
    for number in range(paid):
        account = in_case(under)
        if number < spoken:
            spoken_to(account.ref, mar(8))
        make_payment(account, "20.00", mar(10))
        settled(account, as_of=mar(10))
        assert cases.review(account_ids=[account.pk], as_of=mar(10), at=at(mar(10))) == 1


def test_shares_of_both_groups_are_compared_once_there_are_enough() -> None:
    many(20, 25, spoken=20)
    (silent,) = report().lessons
    assert silent.code == "never_spoken_to"
    assert (silent.share, silent.paid_share, silent.amount) == (100, 20, 400)
    assert silent.words == "100 % of 20 written off, 20 % of 25 that paid: 80 points more."


# --- the page ---------------------------------------------------------------------------------------------------------


ADDRESS = "/supervise/write-offs/"


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def sofia() -> Client:
    return signed_in(make_agent("supervisor", username="sofia"))


def test_supervisors_and_admins_get_in_and_agents_do_not() -> None:
    for address in (ADDRESS, f"{ADDRESS}accounts.csv"):
        assert signed_in(make_agent()).get(address).status_code == 403
        assert signed_in(make_agent("admin")).get(address).status_code == 200
    assert signed_in(make_agent("supervisor")).get(ADDRESS).status_code == 200


def test_the_page_is_in_the_navigation_of_supervisors(sofia: Client) -> None:
    assert f'href="{ADDRESS}"' in sofia.get("/supervise/").content.decode()
    assert f'href="{ADDRESS}"' not in signed_in(make_agent()).get("/queue/").content.decode()


def test_nothing_written_off_is_said_in_words(sofia: Client) -> None:
    move_to(GIVEN_UP)
    page = sofia.get(ADDRESS).content.decode()
    assert "Nothing was written off from 1 Nov 2025 to 10 Apr 2026" in page


def test_the_page_tells_the_figures_the_findings_and_links_the_accounts(sofia: Client, three: Story) -> None:
    page = sofia.get(ADDRESS).content.decode()
    assert "$80.00" in page
    assert "$16.00" in page
    assert "What would have had to be different" in page
    assert "A second channel for the suspension warning would have been needed." in page
    assert "1 of 2" in page
    assert "too few" in page
    assert 'href="/accounts/A1/"' in page
    assert 'href="/accounts/A3/"' not in page


def test_a_row_leads_to_the_accounts_behind_it_and_the_address_keeps_the_rest(sofia: Client, three: Story) -> None:
    asked = {"from": "2026-03-01", "to": "2026-04-30", "currency": "USD"}
    for by, key, ref in (
        ("contact", "Never reached", "A2"),
        ("segment", post_mortem.NONE, "A2"),
        ("product", "fibre", "A1"),
        ("finding", "not_warned", "A2"),
    ):
        answer = sofia.get(ADDRESS, asked | {"by": by, "is": key})
        assert [account.ref for _row, account in answer.context["rows"]] == [ref]
        assert answer.context["report"].totals.accounts == 2
        assert f"from=2026-03-01&amp;to=2026-04-30&amp;currency=USD&amp;by={by}" in answer.content.decode()
    assert "No account of this kind" in sofia.get(ADDRESS, asked | {"by": "reason", "is": "x"}).content.decode()


def test_a_period_that_cannot_be_read_is_said_and_the_last_months_are_shown(sofia: Client, three: Story) -> None:
    for asked, fault in (
        ({"from": "yesterday"}, "“yesterday” is not a date."),
        ({"from": "2026-04-02", "to": "2026-04-01"}, "The period ends before it begins."),
        ({"from": "1900-01-01"}, "A period has up to 3660 days."),
    ):
        answer = sofia.get(ADDRESS, asked)
        assert fault in answer.content.decode()
        assert answer.context["question"].first == date(2025, 11, 1)


def test_the_page_costs_the_same_for_few_and_many(sofia: Client, three: Story) -> None:
    with CaptureQueriesContext(connection) as few:
        sofia.get(ADDRESS)
    connection.queries_log.clear()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dunning_policyversion SET state = 'retired'")
    many(8, 8, spoken=4)
    with CaptureQueriesContext(connection) as more:
        answer = sofia.get(ADDRESS)
    assert answer.context["report"].totals.accounts == 10
    assert len(few) == len(more) == QUERIES


def test_the_list_has_pages(sofia: Client) -> None:
    move_to(GIVEN_UP)
    many(51, 0, spoken=0)
    first, second = sofia.get(ADDRESS), sofia.get(ADDRESS, {"page": "2"})
    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 1)
    assert "1\N{EN DASH}50 of 51" in first.content.decode()


def test_many_reasons_fold_after_the_tenth(sofia: Client) -> None:
    move_to(GIVEN_UP)
    for number in range(12):
        account = make_account(currency="USD")
        make_bill(account, "10.00", due_on=mar(1))
        settled(account, as_of=GIVEN_UP)
        reason = f"reason {number}"
        cases.write_off(account_id=account.pk, actor="agent:ruth", as_of=GIVEN_UP, at=at(GIVEN_UP), reason=reason)
    page = sofia.get(ADDRESS).content.decode()
    assert "2 more</summary>" in page
    assert "reason 11" in page


def test_the_file_has_the_accounts_of_the_list_and_no_cell_that_runs(sofia: Client, three: Story) -> None:
    account = make_account(ref="=A9", currency="USD", product="+cmd|' /C calc'!A0")
    make_bill(account, "10.00", due_on=mar(1))
    settled(account, as_of=GIVEN_UP)
    cases.write_off(account_id=account.pk, actor="agent:ruth", as_of=GIVEN_UP, at=at(GIVEN_UP), reason="@gone, away")

    answer = sofia.get(f"{ADDRESS}accounts.csv")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))

    assert [row["account_id"] for row in rows] == ["'=A9", "A2", "A1"]
    assert (rows[0]["product"], rows[0]["reason"]) == ("'+cmd|' /C calc'!A0", "'@gone, away")
    assert (rows[2]["amount"], rows[2]["tax"], rows[2]["net"], rows[2]["policy"]) == (
        "50.00",
        "10.00",
        "50.00",
        "short@1",
    )
    assert "No warning arrived" in rows[1]["findings"]
    only = sofia.get(f"{ADDRESS}accounts.csv", {"by": "product", "is": "fibre"}).content.decode()
    assert [row["account_id"] for row in csv.DictReader(only.splitlines())] == ["A1"]
