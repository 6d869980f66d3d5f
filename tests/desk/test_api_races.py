from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import Payment
from agents.models import ApiAnswer, Promise
from tests.desk.machines import caller
from tests.factories import make_account, owing

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count: int, act: Any) -> list[Any]:
    """What ``act`` answers to so many threads that start together."""
    start = Barrier(count)

    def run(_number: int) -> Any:
        start.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture
def token() -> str:
    return str(caller("admin").defaults["HTTP_AUTHORIZATION"])


def with_token(token: str) -> APIClient:
    return APIClient(HTTP_AUTHORIZATION=token)


def test_the_same_call_twice_at_the_same_moment_is_done_once(token: str) -> None:
    account = make_account()
    body = [{"payment_id": "P-1", "account_id": account.ref, "received_on": "2026-03-01", "amount": "40.00"}]

    def pay() -> Any:
        return with_token(token).post("/api/v1/payments/", body, HTTP_IDEMPOTENCY_KEY="once")

    answers = at_once(4, pay)

    assert [answer.status_code for answer in answers] == [201] * 4
    assert all(answer.data == answers[0].data for answer in answers)
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 3
    assert (Payment.objects.count(), ApiAnswer.objects.count()) == (1, 1)


def test_a_refusal_is_the_same_for_everybody_who_asked_at_once(token: str) -> None:
    account = owing("100.00")
    body = {"amount": "50.00", "due_on": account.bills.get().due_on.replace(year=2099).isoformat()}

    def promise() -> Any:
        return with_token(token).post(f"/api/v1/accounts/{account.ref}/promises/", body, HTTP_IDEMPOTENCY_KEY="p")

    answers = at_once(3, promise)

    # Refused for its date, and the refusal is kept: every caller gets the same one.
    assert {answer.status_code for answer in answers} == {422}
    assert not Promise.objects.exists()
