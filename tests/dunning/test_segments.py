"""Segments: the vocabulary of rules, how they are checked and told, and which accounts meet them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from accounts import events
from accounts.models import Account, AccountEvent, Vulnerability
from dunning import kinds, segment_rules, segments, writing
from dunning.models import Case, CaseStep, Notice, PolicyVersion, Segment
from dunning.segment_rules import FACTS, check, describe, tidy
from tests.dunning.test_writing import residential
from tests.factories import (
    TODAY,
    make_account,
    make_customer,
    make_payment,
    make_service,
    moment,
    owing,
)

ago = timedelta


def rule(fact: str, **asked: Any) -> dict[str, Any]:
    return {"all": [{"fact": fact, **asked}]}


def reasons(said: Any) -> list[str]:
    return [str(problem) for problem in check(said)]


# --- The rules --------------------------------------------------------------------------------------------------------

SOME_VALUE: dict[str, Any] = {"text": "x", "number": 1, "days": 1, "amount": "1.00", "truth": True}


def every_condition() -> list[dict[str, Any]]:
    conditions = []
    for fact in FACTS.values():
        for operator in fact.operators:
            value = SOME_VALUE.get(fact.type) or fact.choices[0][0]
            conditions.append({"fact": fact.name, operator: [value] if operator in segment_rules.OF_MANY else value})
    return conditions


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, 'must be a map of one key, "all" or "any", with a list of conditions'),
        ({}, 'must be a map of one key, "all" or "any", with a list of conditions'),
        ({"all": [], "any": []}, 'must be a map of one key, "all" or "any", with a list of conditions'),
        ({"all": []}, "all: must be a list of at least one condition"),
        ({"all": [{}]}, "all[0]: names no fact"),
        ({"all": ["country"]}, "all[0]: must be a map of a fact, an operator and its value, or a group"),
        (rule("tenure"), "all[0].fact: is unknown; known: customer_kind"),
        (rule("tenure_days"), "all[0]: says one of at_least, at_most about days with us"),
        (rule("tenure_days", at_least=1, at_most=2), "all[0]: says one of at_least, at_most about days with us"),
        (rule("tenure_days", begins_with="3"), "all[0]: says one of at_least, at_most about days with us"),
        (rule("tenure_days", at_least="365"), "all[0].at_least: must be a whole number from 0"),
        (rule("tenure_days", at_least=-1), "all[0].at_least: must be a whole number from 0"),
        (rule("tenure_days", at_least=True), "all[0].at_least: must be a whole number from 0"),
        (rule("vulnerable", **{"is": "yes"}), "all[0].is: must be true or false"),
        (rule("vulnerability", **{"is": "grave"}), "all[0].is: must be of low, medium, high"),
        (rule("product", is_any_of=[]), "all[0].is_any_of: must be a list of 1 to 200 values"),
        (rule("product", is_any_of="fiber"), "all[0].is_any_of: must be a list of 1 to 200 values"),
        (rule("product", **{"is": " "}), "all[0].is: must be text of 1 to 64 characters"),
        (rule("past_due", at_least="-1"), 'all[0].at_least: must be an amount such as "10.00"'),
        (rule("past_due", at_least={}), "all[0].at_least: must name at least one currency"),
        (rule("past_due", at_least={"JPY": "1.5"}), "all[0].at_least: JPY: more decimals than JPY has (0)"),
        (rule("past_due", at_least={"XXX": "1"}), "all[0].at_least: XXX: 'XXX' is not an ISO 4217 currency in use"),
        ({"any": [{"all": [{"any": [{"all": [{}]}]}]}]}, "any[0].all[0].any[0]: is nested more than 3 deep"),
        ({"all": [{"fact": "country", "is": "DE"}] * 41}, "has 41 conditions; at most 40 can be read"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_where_it_is(said: Any, expected: str) -> None:
    assert len(reasons(said)) == 1
    assert reasons(said)[0].startswith(expected)


def test_every_fact_can_be_asked_with_every_operator_it_offers() -> None:
    for condition in every_condition():
        assert reasons({"all": [condition]}) == [], condition
        assert describe({"all": [condition]})


def test_a_rule_is_told_in_plain_words() -> None:
    said = {
        "all": [
            {"fact": "customer_kind", "is": "residential"},
            {"fact": "tenure_days", "at_least": 1826},
            {
                "any": [
                    {"fact": "past_due", "at_least": {"USD": "100.00", "EUR": "90.00"}},
                    {"fact": "service_kind", "is_any_of": ["tv", "mobile"]},
                    {"fact": "vulnerable", "is": False},
                ]
            },
        ]
    }
    assert describe(said) == (
        "customer kind is residential, and days with us at least 1,826, and (past due amount at least USD 100.00 or "
        "EUR 90.00, or any service kind is TV or mobile, or the customer is not known to be vulnerable)"
    )


def test_a_rule_is_kept_in_one_form() -> None:
    said = {
        "any": [
            {"at_least": 10, "fact": "past_due"},
            {"fact": "product", "is_any_of": ["fiber", "fiber ", "tv"]},
            {"all": [{"fact": "open_amount", "at_most": {"EUR": 5.5}}]},
        ]
    }
    assert check(said) == []
    assert tidy(said) == {
        "any": [
            {"fact": "past_due", "at_least": "10"},
            {"fact": "product", "is_any_of": ["fiber", "tv"]},
            {"all": [{"fact": "open_amount", "at_most": {"EUR": "5.5"}}]},
        ]
    }
    assert tidy(tidy(said)) == tidy(said)


# --- Each fact, in the database ---------------------------------------------------------------------------------------


def kept(code: str = "some", said: dict[str, Any] | None = None, **columns: Any) -> Segment:
    segment = Segment(code=code, name=code.title(), rule=said or rule("country", **{"is": "GB"}), **columns)
    segments.keep(segment, actor="agent:ada", at=moment())
    return segment


@pytest.fixture(autouse=True)
def no_segments(request: pytest.FixtureRequest) -> None:
    """Only the test's own: what a fresh desk begins with is another matter."""
    if "django_db" in {mark.name for mark in request.node.iter_markers()}:
        request.getfixturevalue("db")
        Segment.objects.all().delete()


def meets(account: Account, said: dict[str, Any]) -> bool:
    """Whether it meets the rule: asked for a chunk, and of the whole book, which must agree."""
    assert check(said) == []
    among = [segments.SegmentRow("it", "It", said)]
    in_chunk = segments.memberships([account.pk], as_of=TODAY, among=among)[account.pk] == ("it",)
    of_book = account.ref in {row.ref for row in segments.sample(said, as_of=TODAY, limit=100)}
    assert in_chunk is of_book
    assert segments.count(said, as_of=TODAY) == len(segments.sample(said, as_of=TODAY, limit=100))
    return in_chunk


def version() -> PolicyVersion:
    return writing.save_draft(residential(), actor="agent:ada", at=moment())


def case_of(account: Account, closed: int | None = None, *, reason: str = "paid", **columns: Any) -> Case:
    """An episode that was closed that many days ago, after three weeks; or one still open."""
    closed_on = None if closed is None else TODAY - ago(days=closed)
    opened_on = (closed_on or TODAY) - ago(days=21)
    return Case.objects.create(
        **{
            "account": account,
            "version": PolicyVersion.objects.first() or version(),
            "opened_on": opened_on,
            "closed_on": closed_on,
            "close_reason": reason if closed_on else "",
            "warnings_from": opened_on,
            **columns,
        }
    )


def event_of(account: Account, kind: str, on: date, **payload: Any) -> None:
    events.record(account_id=account.pk, kind=kind, actor="test", at=moment(on), on=on, payload=payload)


def notice_of(account: Account, made: int, **columns: Any) -> Notice:
    on = TODAY - ago(days=made)
    number = Notice.objects.count()
    return Notice.objects.create(
        **{
            "account": account,
            "customer": account.customer,
            "key": f"notice-{number}",
            "step_code": f"step{number}",
            "template": "reminder",
            "channel": "sms",
            "currency": account.currency,
            "made_on": on,
            "state": "delivered",
            "delivered_at": moment(on),
            **columns,
        }
    )


def with_services() -> Account:
    account = make_account()
    make_service(account, kind="mobile", monthly_fee=Decimal("20.00"))
    make_service(account, kind="tv", monthly_fee=Decimal("10.00"))
    make_service(account, kind="broadband", monthly_fee=Decimal("99.00"), status="disconnected")
    return account


def with_payments() -> Account:
    """One that holds, of 40 days ago; one of 10 days ago that bounced five days later; one of the year before."""
    account = make_account(opened_on=TODAY - ago(days=900))
    make_payment(account, "30.00", TODAY - ago(days=500))
    make_payment(account, "30.00", TODAY - ago(days=40))
    bounced = make_payment(account, "30.00", TODAY - ago(days=10))
    make_payment(account, "30.00", TODAY - ago(days=5), reverses=bounced)
    make_payment(account, "30.00", TODAY + ago(days=1))
    return account


def with_cases() -> Account:
    """Two that ended paid, one of them after a limit; one below the exit amount; one too long ago; one open."""
    account = make_account()
    case_of(account, 400)
    hard = case_of(account, 200)
    CaseStep.objects.create(
        account=account, case=hard, code="bar", action="limit", result="taken", came_on=TODAY, done_on=TODAY
    )
    gentle = case_of(account, 120)
    CaseStep.objects.create(
        account=account, case=gentle, code="bar", action="limit", result="nothing_to_do", came_on=TODAY, done_on=TODAY
    )
    case_of(account, 100, reason="below_exit_amount")
    case_of(account, 731, reason="written_off")
    case_of(account)
    return account


def with_history() -> Account:
    account = make_account()
    event_of(account, "agents.promise.broken", TODAY - ago(days=364))
    event_of(account, "agents.promise.broken", TODAY - ago(days=365))
    event_of(account, "agents.promise.kept", TODAY)
    for days, source, target in (
        (10, "current", "overdue"),
        (9, "overdue", "collections"),
        (8, "collections", "overdue"),
        (7, "overdue", "current"),
        (6, "current", "overdue"),
        (400, "current", "overdue"),
    ):
        event_of(account, events.STATUS_CHANGED, TODAY - ago(days=days), **{"from": source, "to": target})
    return account


def with_notices() -> Account:
    """Answered after a fortnight; not answered; the same on two channels; too young to tell; failed; a year old."""
    account = make_account()
    notice_of(account, 100)
    make_payment(account, "10.00", TODAY - ago(days=86))
    notice_of(account, 50, step_code="warn")
    notice_of(account, 50, step_code="warn", channel="email", state="sent", delivered_at=None, counts_from=moment())
    notice_of(account, 13)
    notice_of(account, 60, state="failed", delivered_at=None)
    notice_of(account, 366)
    return account


def vulnerable(severity: str = "medium", noted: int = 100) -> Account:
    account = make_account()
    for grade, days in ((severity, noted), ("low", noted)):
        Vulnerability.objects.create(
            customer=account.customer, category=grade + severity, severity=grade, noted_on=TODAY - ago(days=days)
        )
    return account


FOUND: list[tuple[str, Callable[[], Account], dict[str, Any], bool]] = [
    ("kind", lambda: make_account(customer=make_customer(kind="business")), {"is": "business"}, True),
    ("country", lambda: make_account(), {"is_any_of": ["DE", "GB"]}, True),
    ("country", lambda: make_account(), {"is_none_of": ["DE", "GB"]}, False),
    ("country", lambda: make_account(), {"is_not": "DE"}, True),
    ("region", lambda: make_account(customer=make_customer(region="BY")), {"is": "BY"}, True),
    ("language", lambda: make_account(customer=make_customer(language="de-AT")), {"begins_with": "de"}, True),
    ("language", lambda: make_account(customer=make_customer(language="de_AT")), {"begins_with": "d%"}, False),
    ("age_years", lambda: make_account(customer=make_customer(birth_date=date(1960, 3, 10))), {"at_least": 66}, True),
    ("age_years", lambda: make_account(customer=make_customer(birth_date=date(1960, 3, 11))), {"at_least": 66}, False),
    ("age_years", lambda: make_account(), {"at_most": 200}, False),
    ("vulnerable", vulnerable, {"is": True}, True),
    ("vulnerable", lambda: vulnerable(noted=-1), {"is": True}, False),
    ("vulnerable", lambda: make_account(), {"is": False}, True),
    ("vulnerability", lambda: vulnerable("high"), {"is": "high"}, True),
    ("vulnerability", lambda: vulnerable("high"), {"is": "low"}, False),
    ("vulnerability", lambda: make_account(), {"is_not": "high"}, True),
    ("product", lambda: make_account(product="fiber_500"), {"begins_with": "fiber"}, True),
    ("billing_segment", lambda: make_account(segment="gold"), {"is": "gold"}, True),
    ("currency", lambda: make_account(currency="JPY"), {"is": "JPY"}, True),
    ("payment_method", lambda: make_account(payment_method="sepa"), {"is_not": "sepa"}, False),
    ("tenure_days", lambda: make_account(opened_on=TODAY - ago(days=365)), {"at_least": 365}, True),
    ("tenure_days", lambda: make_account(opened_on=TODAY - ago(days=364)), {"at_least": 365}, False),
    ("tenure_days", lambda: make_account(opened_on=None), {"at_most": 1000}, False),
    ("has_parent", lambda: make_account(parent=make_account()), {"is": True}, True),
    ("has_parent", lambda: make_account(), {"is": True}, False),
    ("services", with_services, {"is": 2}, True),
    ("services", lambda: make_account(), {"at_most": 0}, True),
    ("service_kind", with_services, {"is": "tv"}, True),
    ("service_kind", with_services, {"is": "broadband"}, False),
    ("service_kind", with_services, {"is_not": "tv"}, False),
    ("service_kind", with_services, {"is_any_of": ["fixed", "mobile"]}, True),
    ("service_kind", with_services, {"is_none_of": ["fixed", "other"]}, True),
    ("service_kind", lambda: make_account(), {"is_not": "tv"}, True),
    ("monthly_fee", with_services, {"at_least": "30.00"}, True),
    ("monthly_fee", with_services, {"at_least": "30.01"}, False),
    ("open_amount", lambda: owing("70.00"), {"at_least": "70"}, True),
    ("past_due", lambda: owing("70.00"), {"at_least": "70.001"}, False),
    ("past_due", lambda: owing("70.00"), {"at_least": {"USD": "100.00", "EUR": "70.00"}}, True),
    ("past_due", lambda: owing("70.00"), {"at_least": {"USD": "1.00"}}, False),
    ("past_due", lambda: make_account(), {"at_most": "0"}, True),
    ("days_past_due", lambda: owing("70.00"), {"at_least": (TODAY - date(2025, 10, 15)).days}, True),
    ("days_past_due", lambda: owing("70.00"), {"at_least": (TODAY - date(2025, 10, 15)).days + 1}, False),
    ("days_past_due", lambda: make_account(), {"at_most": 0}, True),
    ("unapplied", lambda: make_account(unapplied=Decimal("5.00")), {"at_least": "5.00"}, True),
    ("cases_opened", with_cases, {"is": 4}, True),
    ("times_past_due", with_history, {"is": 2}, True),
    ("days_since_payment", with_payments, {"at_least": 40}, True),
    ("days_since_payment", with_payments, {"at_least": 41}, False),
    ("days_since_payment", lambda: make_account(opened_on=TODAY - ago(days=90)), {"at_least": 90}, True),
    ("payments", with_payments, {"is": 1}, True),
    ("reversed_payments", with_payments, {"is": 1}, True),
    ("broken_promises", with_history, {"is": 1}, True),
    ("unanswered_notices", with_notices, {"is": 1}, True),
    ("self_cure_percent", with_cases, {"is": 50}, True),
    ("self_cure_percent", lambda: make_account(), {"is": 50}, True),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("fact", "account", "asked", "expected"), FOUND)
def test_a_fact_is_what_it_says(
    fact: str, account: Callable[[], Account], asked: dict[str, Any], expected: bool
) -> None:
    name = "customer_kind" if fact == "kind" else fact
    assert meets(account(), rule(name, **asked)) is expected


def test_every_fact_has_its_case_above() -> None:
    assert {"customer_kind" if fact == "kind" else fact for fact, *_ in FOUND} == set(FACTS)


@pytest.mark.django_db
def test_the_self_cure_estimate_counts_what_ended_paid_without_a_limit() -> None:
    account = make_account()
    case_of(account, 30)
    case_of(account, 90)
    case_of(account, 150, reason="written_off")
    assert meets(account, rule("self_cure_percent", **{"is": 67}))


@pytest.mark.django_db
def test_every_condition_there_is_can_be_put_to_the_book_at_once() -> None:
    account = make_account()
    conditions = every_condition()
    groups = [conditions[at : at + 40] for at in range(0, len(conditions), 40)]
    among = [segments.SegmentRow(str(at), "", {"any": group}) for at, group in enumerate(groups)]
    assert all(check(row.rule) == [] for row in among)
    assert segments.memberships([account.pk], as_of=TODAY, among=among)[account.pk]


@pytest.mark.django_db
def test_conditions_nest() -> None:
    young, old = make_account(product="tv", opened_on=TODAY), make_account(product="tv")
    said = {
        "all": [
            {"fact": "product", "is": "tv"},
            {"any": [{"fact": "tenure_days", "at_most": 30}, {"all": [{"fact": "past_due", "at_least": "1"}]}]},
        ]
    }
    assert meets(young, said)
    assert not meets(old, said)


@pytest.mark.django_db
def test_values_never_become_sql() -> None:
    account = make_account(product="'); DROP TABLE accounts_account; --")
    assert meets(account, rule("product", **{"is": "'); DROP TABLE accounts_account; --"}))
    assert not meets(account, rule("product", begins_with="%s %(ids)s"))


# --- Which accounts are in which --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_account_is_in_every_active_segment_it_meets_in_their_order() -> None:
    kept("british")
    kept("rich", rule("past_due", at_least="50.00"))
    kept("off", active=False)
    kept("german", rule("country", **{"is": "DE"}))
    Segment.objects.filter(code="rich").update(position=0)
    Segment.objects.filter(code="british").update(position=1)
    poor, rich = make_account(), owing("80.00")
    found = segments.memberships([rich.pk, poor.pk], as_of=TODAY)
    assert found == {rich.pk: ("rich", "british"), poor.pk: ("british",)}


@pytest.mark.django_db
def test_without_segments_nothing_is_asked_but_which_there_are(django_assert_num_queries: Any) -> None:
    account = make_account()
    with django_assert_num_queries(1):
        assert segments.memberships([account.pk], as_of=TODAY) == {account.pk: ()}


@pytest.mark.django_db
def test_many_accounts_and_segments_are_one_query(django_assert_num_queries: Any) -> None:
    accounts = [make_account().pk for _ in range(20)]
    for number, condition in enumerate(every_condition()[:15]):
        kept(f"s{number}", {"all": [condition]})
    with django_assert_num_queries(2):
        assert len(segments.memberships(accounts, as_of=TODAY)) == 20


@pytest.mark.django_db
def test_the_book_is_counted_for_all_segments_at_once(django_assert_num_queries: Any) -> None:
    owing("80.00")
    make_account()
    make_account(customer=make_customer(country="DE"))
    rules = [rule("country", **{"is": "GB"}), rule("past_due", at_least="1")]
    with django_assert_num_queries(1):
        assert segments.counts(rules, as_of=TODAY) == (3, [2, 1])
    assert [segments.count(said, as_of=TODAY) for said in rules] == [2, 1]


@pytest.mark.django_db
def test_a_look_shows_those_that_owe_the_most_with_what_was_asked() -> None:
    little, much = owing("20.00"), owing("300.00", product="tv")
    look = segments.look(rule("product", is_any_of=["tv", "fiber"]), as_of=TODAY)
    assert (look.count, look.of) == (1, 2)
    assert look.sample == ((much.ref, much.customer.name, "EUR", Decimal("300.00"), ("tv",)),)
    both = segments.sample(rule("past_due", at_least="1"), as_of=TODAY, limit=1)
    assert [row.ref for row in both] == [much.ref]
    assert {row.ref for row in segments.sample(rule("past_due", at_least="1"), as_of=TODAY)} == {little.ref, much.ref}


@pytest.mark.django_db
def test_a_long_search_is_stopped_and_leaves_the_connection_as_it_was() -> None:
    def sleep() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1.2)")

    with pytest.raises(segments.TookTooLong), segments.at_most(1):
        sleep()
    with segments.at_most(1):
        assert segments.count(rule("country", **{"is": "GB"}), as_of=TODAY) == 0
    sleep()


# --- Kept and removed -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_change_of_a_segment_is_an_event_of_the_desk() -> None:
    segment = kept("some", rule("past_due", at_least=5))
    assert (segment.changed_by, segment.changed_at) == ("agent:ada", moment())
    assert segment.rule == rule("past_due", at_least="5")
    segments.remove(segment, actor="agent:bob", at=moment(hour=13))
    made, removed = AccountEvent.objects.filter(kind=kinds.SEGMENT_CHANGED).order_by("pk")
    assert (made.account_id, made.actor, made.payload) == (
        None,
        "agent:ada",
        {"segment": "some", "position": 0, "active": True, "rule": rule("past_due", at_least="5")},
    )
    assert (removed.actor, removed.payload) == ("agent:bob", {"segment": "some", "removed": True})


@pytest.mark.django_db
def test_a_new_segment_comes_last() -> None:
    assert [kept(code).position for code in ("a", "b", "c")] == [0, 1, 2]


@pytest.mark.django_db
def test_a_rule_that_cannot_be_asked_is_not_kept() -> None:
    with pytest.raises(segments.CannotKeep, match="names no fact"):
        kept("some", {"all": [{}]})
    assert not Segment.objects.exists()


def naming(code: str, *, in_step: bool) -> dict[str, Any]:
    document = residential()
    if in_step:
        document["steps"][0]["only_if"] = {"segment": ["other", code]}
    else:
        document["applies_to"] = {**document.get("applies_to", {}), "segment": ["other", code]}
    return document


@pytest.mark.django_db
@pytest.mark.parametrize("in_step", [False, True])
@pytest.mark.parametrize("published", [False, True])
def test_a_segment_that_a_policy_names_keeps_its_code_and_stays(in_step: bool, published: bool) -> None:
    segment = kept("some")
    draft = writing.save_draft(naming("some", in_step=in_step), actor="agent:ada", at=moment())
    if published:
        PolicyVersion.objects.filter(pk=draft.pk).update(state="published")
    with pytest.raises(segments.CannotRemove, match=f"named by {draft}"):
        segments.remove(segment, actor="agent:ada", at=moment())
    segment.code = "another"
    with pytest.raises(segments.CannotKeep, match=f"named by {draft}"):
        segments.keep(segment, actor="agent:ada", at=moment())
    segment.refresh_from_db()
    segment.name = "Renamed"
    segments.keep(segment, actor="agent:ada", at=moment())
    assert Segment.objects.get().name == "Renamed"


@pytest.mark.django_db
def test_a_retired_version_holds_a_segment_only_while_cases_are_pinned_to_it() -> None:
    segment = kept("some")
    draft = writing.save_draft(naming("some", in_step=True), actor="agent:ada", at=moment())
    pinned = case_of(make_account(), version=draft)
    for state in ("published", "retired"):
        PolicyVersion.objects.filter(pk=draft.pk).update(state=state)
    assert segments.named_by("some") == [str(draft)]
    Case.objects.filter(pk=pinned.pk).update(closed_on=TODAY)
    assert segments.named_by("some") == []
    segments.remove(segment, actor="agent:ada", at=moment())
    assert not Segment.objects.exists()


# --- What a fresh desk begins with ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_segments_to_begin_with_can_be_asked_and_are_added_once() -> None:
    migration = importlib.import_module("dunning.migrations.0006_segments_to_begin_with")
    make_account(customer=make_customer(kind="business"))
    for _ in range(2):
        migration.add_segments(apps, connection.schema_editor())
    rows = segments.active()
    assert [row.code for row in rows] == [code for code, _name, _rule in migration.SEGMENTS]
    for row in rows:
        assert check(row.rule) == []
        assert tidy(row.rule) == row.rule
    assert segments.counts([row.rule for row in rows], as_of=TODAY)[0] == 1
