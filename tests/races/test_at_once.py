"""A payment and a limit at the same moment, receipts that are faster than answers: one outcome, and the right one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import settling
from accounts.models import Account, Payment, Service
from collections_desk import journey
from collections_desk.replay import LocalMemory
from dunning import deliver, receipts
from dunning.gateways.base import Message, NetworkOrder, Outcome, Unclear
from dunning.gateways.memory import MemoryGateway
from dunning.gateways.receipts import Receipt
from dunning.models import Notice, ServiceOrder
from dunning.roads import Roads
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2026, 3, 25)


class Network:
    """The network: where each service stands after each order, and what happens while one is on its way."""

    knows_keys = True

    def __init__(self, meanwhile: Callable[[NetworkOrder], None] = lambda _order: None) -> None:
        self.meanwhile = meanwhile
        self.stands: dict[str, str] = {}
        self.lock = threading.Lock()

    def hand_over(self, order: NetworkOrder, /) -> Outcome:
        self.meanwhile(order)
        with self.lock:
            self.stands[order.service_ref] = order.rung
        return Outcome("confirmed", order.key)

    def close(self) -> None:
        """Nothing is open."""


def roads(network: Any, messages: Any = None) -> Roads:
    message = messages or LocalMemory()
    return Roads(dict.fromkeys(("sms", "email", "letter", "in_app"), message), network, careful=False)


def send(network: Any, *, minutes: int = 0, messages: Any = None) -> None:
    """One pass of a worker, as the worker makes it."""
    moment = at(DAY) + timedelta(minutes=minutes)
    deliver.deliver(as_of=DAY, at=moment, roads=roads(network, messages))


def pay(account: str) -> None:
    """As the API posts a payment: facts, amounts and status in one transaction, reactions after it."""
    with transaction.atomic():
        row = Account.objects.get(ref=account)
        Payment.objects.create(ref=f"P{row.pk}", account=row, received_on=DAY, amount=Decimal(100))
        settling.mark_unsettled([row.pk])
        settling.settle(as_of=DAY, at=at(DAY), account_ids=[row.pk])
    with journey.gathering():
        journey.react_to_all(as_of=DAY, at=at(DAY))


def elsewhere(work: Callable[..., Any], *parts: Any) -> Any:
    """Done in another thread, on a connection of its own."""

    def run() -> Any:
        try:
            return work(*parts)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=60)


@pytest.fixture
def limits_are_due() -> list[str]:
    """Six accounts whose lines are to be limited today; the orders are made, nothing was sent yet."""
    story = Story(DAY - timedelta(days=23))
    accounts = [f"A{number}" for number in range(6)]
    for account in accounts:
        story.account(account)
        story.service(f"S-{account}", account)
        story.bill(DAY - timedelta(days=24), "100.00", account=account)
    story.days_pass(until=DAY - timedelta(days=1))
    story.run(DAY)
    assert ServiceOrder.objects.filter(state="pending", kind="limit").count() == len(accounts)
    return accounts


def outcome(account: str, network: Network) -> tuple[str, str, list[str]]:
    """Our status of the service, the network's, and its orders."""
    service = Service.objects.get(ref=f"S-{account}")
    orders = ServiceOrder.objects.filter(service=service).order_by("pk").values_list("kind", "state")
    return service.status, network.stands.get(service.ref, "active"), [f"{kind} {state}" for kind, state in orders]


def test_paid_just_before_the_limit_leaves_nothing_is_asked_of_the_network(limits_are_due: list[str]) -> None:
    network = Network()
    pay("A0")
    send(network)
    assert outcome("A0", network) == ("active", "active", ["limit withdrawn"])
    assert outcome("A1", network) == ("outgoing_barred", "outgoing_barred", ["limit confirmed"])


def test_paid_while_the_limit_is_on_its_way_the_line_is_restored_after_it(limits_are_due: list[str]) -> None:
    """And no other worker may overtake the limit with the restore."""

    def meanwhile(order: NetworkOrder) -> None:
        if order.account_ref == "A0" and order.rung != "active":
            elsewhere(pay, "A0")
            elsewhere(send, network)
            assert network.stands.get("S-A0") is None, "the restore overtook the limit"

    network = Network(meanwhile)
    send(network)
    send(network)
    assert outcome("A0", network) == ("active", "active", ["limit confirmed", "restore confirmed"])


def test_paid_after_an_answer_was_lost_the_line_is_restored_all_the_same(limits_are_due: list[str]) -> None:
    class Lost(Network):
        def hand_over(self, order: NetworkOrder, /) -> Outcome:
            super().hand_over(order)
            if order.rung != "active":
                raise Unclear("the line went dead")
            return Outcome("confirmed", order.key)

    network = Lost()
    send(network)
    assert network.stands["S-A0"] == "outgoing_barred"
    pay("A0")
    send(network)
    assert outcome("A0", network) == ("active", "active", ["limit withdrawn", "restore confirmed"])


def test_payments_and_limits_at_the_same_moment_every_line_ends_active_at_both_ends(limits_are_due: list[str]) -> None:
    network = Network()
    workers = [lambda: send(network), lambda: send(network)]
    workers += [lambda account=account: pay(account) for account in limits_are_due]
    start = threading.Barrier(len(workers))

    def go(work: Callable[[], None]) -> None:
        try:
            start.wait(timeout=60)
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(workers)) as pool:
        for done in [pool.submit(go, work) for work in workers]:
            done.result(timeout=120)
    send(network, minutes=10)
    for account in limits_are_due:
        ours, theirs, orders = outcome(account, network)
        assert (ours, theirs) == ("active", "active"), account
        assert orders in (["limit withdrawn"], ["limit confirmed", "restore confirmed"]), account
        assert Account.objects.get(ref=account).status == "current"


def test_a_confirmation_that_comes_after_that_of_the_restore_limits_nothing(limits_are_due: list[str]) -> None:
    class Slow(Network):
        def hand_over(self, order: NetworkOrder, /) -> Outcome:
            super().hand_over(order)
            return Outcome("accepted", order.key)

    network = Slow()
    send(network)
    pay("A0")
    send(network)
    limit, restore = ServiceOrder.objects.filter(service__ref="S-A0").order_by("pk").values_list("key", flat=True)
    for key in (restore, limit):
        assert receipts.confirm_order(key=key, confirmed=True, detail="", as_of=DAY, at=at(DAY))
    assert outcome("A0", network)[0] == "active"


@pytest.mark.parametrize("state", ["delivered", "bounced"])
def test_a_receipt_that_is_faster_than_the_answer_it_belongs_to_stands(state: str) -> None:
    story = Story(DAY - timedelta(days=5))
    story.account(customer={"address": ""})
    story.bill(DAY - timedelta(days=4), "100.00")
    story.days_pass(until=DAY - timedelta(days=1))
    story.run(DAY)

    class Quick:
        knows_keys = True

        def hand_over(self, message: Message, /) -> Outcome:
            if message.channel == "email":
                told = Receipt(key=message.key, provider_ref=None, state=state, at=at(DAY))  # type: ignore[arg-type]
                elsewhere(lambda: receipts.take([told], as_of=DAY, at=at(DAY)))
            return Outcome("accepted", f"ref-{message.key}")

        def close(self) -> None:
            """Nothing is open."""

    send(MemoryGateway(), messages=Quick())
    reminders = Notice.objects.filter(step_code="reminder").order_by("pk")
    first = reminders[0]
    assert (first.channel, first.state, first.provider_ref) == ("email", state, f"ref-{first.key}")
    assert first.sent_at is not None
    # A bounce goes on to the next channel, once.
    assert reminders.count() == (2 if state == "bounced" else 1)
