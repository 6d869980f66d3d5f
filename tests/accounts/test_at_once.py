"""Several lists with one question: what comes back is what each list alone would have given."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts import at_once
from accounts.models import Account, AccountEvent, Bill, ContactPreference, Service
from tests.factories import make_account, make_bill, make_customer, make_service

pytestmark = pytest.mark.django_db


def test_every_list_comes_as_it_would_alone_with_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    account = make_account()
    make_bill(account, "999999999999999.999", due_on=date(2026, 2, 15))
    make_bill(account, "0.50", due_on=date(2026, 1, 15))
    make_service(account, monthly_fee=Decimal("12.500"))
    make_service(account)
    AccountEvent.objects.create(
        account=account, kind="a.b.c", actor="x", at=datetime(2026, 3, 1, 12, 30, 0, 123456, UTC), on=date(2026, 3, 1),
        payload={"amount": "1.10", "share": 0.1, "none": None, "of": ["a", {"b": True}]},
    )  # fmt: skip
    asked = {
        "bills": Bill.objects.filter(account=account).order_by("due_on"),
        "one": Bill.objects.order_by("-due_on")[:1],
        "services": Service.objects.select_related("account__customer").order_by("pk"),
        "events": AccountEvent.objects.all(),
        "nothing": Bill.objects.none(),
        "accounts": Account.objects.annotate(many=Count("bills"), name=F("customer__name")),
    }

    with django_assert_num_queries(1):
        found = at_once.rows(**asked)
        assert {row.account.customer.name for row in found["services"]} == {account.customer.name}

    for name, queryset in asked.items():
        assert [row.__dict__ | {"_state": None} for row in _bare(found[name])] == [
            row.__dict__ | {"_state": None} for row in _bare(queryset)
        ]
    assert found["bills"][1].amount == Decimal("999999999999999.999")
    assert (found["accounts"][0].many, found["accounts"][0].name) == (2, account.customer.name)


def _bare(rows: Iterable[Any]) -> list[Any]:
    found = list(rows)
    for row in found:
        row._state.fields_cache.clear()
    return found


def test_times_of_the_day_and_lists_keep_their_kind() -> None:
    customer = make_customer()
    ContactPreference.objects.create(
        customer=customer, kind="time", weekdays=[1, 2], opens="09:00", closes="13:30",
        starts_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip

    (found,) = at_once.rows(rows=ContactPreference.objects.all())["rows"]

    assert (found.opens, found.closes, found.weekdays) == (
        ContactPreference.objects.get().opens,
        ContactPreference.objects.get().closes,
        [1, 2],
    )


def test_no_list_at_all_asks_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert at_once.rows(nothing=Bill.objects.none()) == {"nothing": []}


def test_questions_in_sql_keep_their_order_and_the_kind_of_their_columns() -> None:
    questions = {
        "numbers": at_once.Question(
            "SELECT n FROM generate_series(3, 1, -1) AS n WHERE n >= %(least)s", [at_once.AS_IS]
        ),
        "day": at_once.Question(
            "SELECT DATE '2026-02-28', 1.10::numeric, '{a,b}'::text[]", [at_once.DAY, at_once.AMOUNT, at_once.AS_IS]
        ),
        "none": at_once.Question("SELECT 1 WHERE false", [at_once.AS_IS]),
    }
    with connection.cursor() as cursor:
        found = at_once.tuples(cursor, questions, {"least": 2})

    assert found == {
        "numbers": [(3,), (2,)],
        "day": [(date(2026, 2, 28), Decimal("1.10"), ["a", "b"])],
        "none": [],
    }
