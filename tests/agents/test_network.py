"""The network page: what is listed, what each button does, who may press it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, Service
from agents.models import Agent, WorkItem
from collections_desk import journey
from collections_desk.replay import LocalMemory
from dunning import asking, deliver, kinds, policy_file, receipts, writing
from dunning.gateways.base import NetworkOrder, NotTaken, Outcome
from dunning.models import Case, Notice, PolicyVersion, ServiceOrder
from dunning.roads import Roads
from tests.factories import TODAY, kinds_of, make_account, make_agent, make_service, moment, owing
from tests.journeys.ledger import POLICY

pytestmark = pytest.mark.django_db

#: Session, person, roles, four counts and the rows; twice the session where the page is opened anew.
QUERIES = 8


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def limited_case(status: str = "active", *, on: Any = TODAY, **columns: Any) -> Service:
    """A service of an account in an open case."""
    account = owing("100.00", "60.00", as_of=on, **columns)
    service = make_service(account, number="+442079460002", status=status)
    version = PolicyVersion.objects.first()
    if version is None:
        version = writing.save_draft(policy_file.read(POLICY), actor="admin:ada", at=moment())
        writing.publish(version, actor="admin:ada", at=moment())
    Case.objects.create(account=account, version=version, opened_on=on, warnings_from=on)
    return service


def order(service: Service, state: str = "failed", **columns: Any) -> ServiceOrder:
    given = {
        "account": service.account, "service": service, "case": service.account.cases.first(), "kind": "limit",
        "rung": "suspended", "step_code": "suspend", "state": state, "made_on": TODAY, "attempts": 3,
        "reason": "the network is down",
    }  # fmt: skip
    given |= columns
    given.setdefault("key", f"1.suspend.{ServiceOrder.objects.count()}.{service.pk}")
    return ServiceOrder.objects.create(**given)


def warned(service: Service) -> None:
    """The final notice reached the customer long ago, and its day has passed."""
    account = service.account
    Notice.objects.create(
        account=account, customer=account.customer, case=account.cases.get(), key=f"1.final.0.{account.pk}",
        step_code="final", template="final-notice", channel="email", currency=account.currency, made_on=TODAY,
        bill_refs=list(account.bills.values_list("ref", flat=True)), pay_by=TODAY - timedelta(days=1),
        state="delivered", sent_at=moment() - timedelta(days=9), counts_from=moment() - timedelta(days=8),
        delivered_at=moment() - timedelta(days=8),
    )  # fmt: skip


def stuck() -> list[ServiceOrder]:
    return list(asking.stuck(at=moment()))


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


NOW: dict[str, Any] = {"actor": "agent:sofia", "as_of": TODAY, "at": moment()}


class Refusing:
    """A network that is down."""

    knows_keys = True

    def hand_over(self, handed: NetworkOrder, /) -> Outcome:
        raise NotTaken("503")

    def close(self) -> None:
        """Nothing is open."""


def hand_over(road: Any) -> None:
    roads = Roads(dict.fromkeys(("sms", "email", "letter", "in_app"), LocalMemory()), road, careful=False)
    with journey.gathering():
        journey.react_to_all(as_of=TODAY, at=moment())
        deliver.deliver(as_of=TODAY, at=moment(), roads=roads)
        journey.react_to_all(as_of=TODAY, at=moment())


# What is listed.


@pytest.mark.parametrize(
    ("state", "columns", "listed"),
    [
        ("handing_over", {"lease_until": moment() - hours(1)}, True),
        ("handing_over", {"lease_until": moment() + hours(0.05)}, False),
        ("sent", {"sent_at": moment() - hours(5)}, True),
        ("sent", {"sent_at": moment() - hours(3)}, False),
        ("pending", {"send_at": moment() - hours(2), "attempts": 0}, True),
        ("pending", {"send_at": moment() - hours(0.5), "attempts": 0}, False),
        ("pending", {"send_at": moment() + hours(0.5), "attempts": 2}, True),
        ("pending", {"send_at": moment() + hours(9), "attempts": 0}, False),
        ("failed", {}, True),
        ("confirmed", {"sent_at": moment() - hours(9)}, False),
        ("withdrawn", {}, False),
    ],
)
def test_what_hangs_or_failed_is_listed(state: str, columns: dict[str, Any], listed: bool) -> None:
    order(limited_case(), state, **columns)
    assert bool(stuck()) is listed
    assert asking.waiting(at=moment()).exists() is (state == "pending" and columns["send_at"] > moment() + hours(1))


def test_what_failed_leaves_the_list_when_it_is_history() -> None:
    service = limited_case()
    failed = order(service)
    later = order(service, "confirmed", kind="restore", rung="active")
    assert stuck() == []
    later.delete()
    assert stuck() == [failed]
    Case.objects.update(closed_on=TODAY, close_reason="paid")
    assert stuck() == []


def test_a_restore_that_failed_stays_until_the_service_is_active() -> None:
    service = limited_case("suspended")
    Case.objects.update(closed_on=TODAY, close_reason="paid")
    failed = order(service, kind="restore", rung="active", step_code="")
    assert stuck() == [failed]
    failed.delete()
    order(limited_case(), kind="restore", rung="active", step_code="")
    assert stuck() == []


def test_a_service_that_the_network_reports_elsewhere_is_listed_until_something_is_under_way() -> None:
    service = limited_case("suspended")
    assert not asking.differing().exists()  # never reported
    Service.objects.update(reported_status="suspended")
    assert not asking.differing().exists()
    Service.objects.update(reported_status="active")
    assert list(asking.differing()) == [service]
    order(service, "sent", sent_at=moment())
    assert not asking.differing().exists()


def test_a_confirmation_is_the_networks_latest_report() -> None:
    service = limited_case("outgoing_barred")
    Service.objects.update(reported_status="outgoing_barred")
    order(service, "sent", key="k", sent_at=moment())
    receipts.confirm_order(key="k", confirmed=True, detail="", as_of=TODAY, at=moment())
    assert Service.objects.values_list("status", "reported_status").get() == ("suspended", "suspended")
    assert not asking.differing().exists()


def test_limited_without_debt_or_case_is_listed_and_nothing_else() -> None:
    paid = make_service(make_account(), status="throttled")
    limited_case("suspended")  # a case is open
    make_service(owing(), status="suspended")  # something is past due
    make_service(make_account(status="written_off"), status="suspended")
    make_service(make_account(), status="disconnected")
    parent = owing()
    make_service(make_account(parent=parent), status="suspended")  # its payer owes
    alone = make_service(make_account(parent=parent, pays_itself=True), status="suspended")
    assert list(asking.left_limited()) == [paid, alone]


def test_a_child_past_due_keeps_its_parents_line_limited() -> None:
    parent = make_account()
    service = make_service(parent, status="suspended")
    child = owing()
    Account.objects.filter(pk=child.pk).update(parent=parent)
    assert not asking.left_limited().exists()
    Account.objects.filter(pk=child.pk).update(pays_itself=True)
    assert list(asking.left_limited()) == [service]


# What can be done.


def test_a_failed_order_is_asked_again_with_its_key_and_carried_out() -> None:
    service = limited_case()
    warned(service)
    failed = order(service, sent_at=moment() - hours(30))
    asking.ask_again(order_id=failed.pk, **NOW)
    hand_over(LocalMemory())
    row = ServiceOrder.objects.get()
    assert (row.key, row.state) == (failed.key, "confirmed")
    assert Service.objects.get().status == "suspended"


def test_an_order_that_failed_again_is_listed_again() -> None:
    service = limited_case("suspended")
    Case.objects.update(closed_on=TODAY, close_reason="paid")
    failed = order(service, kind="restore", rung="active", step_code="", attempts=12)
    asking.ask_again(order_id=failed.pk, **NOW)
    assert stuck() == []
    hand_over(Refusing())
    row = stuck()[0]
    assert (row.pk, row.state, row.attempts, row.reason) == (failed.pk, "pending", 1, "503")
    asking.ask_again(order_id=failed.pk, **NOW)
    hand_over(LocalMemory())
    assert Service.objects.get().status == "active"
    assert stuck() == []
    assert kinds_of(service.account, kinds.ORDER_ASKED_AGAIN) == [kinds.ORDER_ASKED_AGAIN] * 2


@pytest.mark.parametrize(
    ("state", "columns"),
    [
        ("confirmed", {}),
        ("withdrawn", {}),
        ("handing_over", {"lease_until": moment() + hours(0.05)}),
    ],
)
def test_what_ended_or_is_on_its_way_is_neither_asked_again_nor_given_up(state: str, columns: dict[str, Any]) -> None:
    row = order(limited_case(), state, **columns)
    with pytest.raises(asking.CannotAsk):
        asking.ask_again(order_id=row.pk, **NOW)
    with pytest.raises(asking.CannotGiveUp):
        asking.give_up(order_id=row.pk, why="gone", **NOW)
    assert ServiceOrder.objects.get().state == state


def test_what_does_not_apply_any_more_is_not_asked_again() -> None:
    service = limited_case()
    limit, give_back = order(service), order(service, kind="restore", rung="active")
    with pytest.raises(asking.CannotAsk, match="active already"):
        asking.ask_again(order_id=give_back.pk, **NOW)
    order(service, "confirmed")
    with pytest.raises(asking.CannotAsk, match="later order"):
        asking.ask_again(order_id=limit.pk, **NOW)
    Case.objects.update(closed_on=TODAY, close_reason="paid")
    with pytest.raises(asking.CannotAsk, match="case is closed"):
        asking.ask_again(order_id=limit.pk, **NOW)


def test_giving_up_withdraws_and_makes_a_task_and_the_step_does_not_come_again() -> None:
    service = limited_case()
    row = order(service, "sent", sent_at=moment() - hours(5))
    asking.give_up(order_id=row.pk, why="number ported away", **NOW)
    with journey.gathering():
        journey.react_to_all(as_of=TODAY, at=moment())
    row.refresh_from_db()
    assert (row.state, row.reason) == ("withdrawn", "given up: number ported away")
    task = WorkItem.objects.get(kind="task")
    assert task.reason == f"the network did not limit {service.ref}: number ported away"
    assert stuck() == []


def test_a_difference_is_asked_for_ours_and_ends_with_the_answer() -> None:
    service = limited_case("suspended")
    Service.objects.update(reported_status="active")
    asked = asking.ask_for_ours(service_id=service.pk, **NOW)
    assert (asked.kind, asked.rung, asked.step_code) == ("limit", "suspended", "")
    with pytest.raises(asking.CannotAsk):
        asking.ask_for_ours(service_id=service.pk, **NOW)
    hand_over(LocalMemory())
    assert ServiceOrder.objects.get().state == "confirmed"
    assert Service.objects.values_list("status", "reported_status").get() == ("suspended", "suspended")


def test_a_difference_without_a_case_is_no_reason_to_limit() -> None:
    service = make_service(make_account(), status="suspended", reported_status="active")
    with pytest.raises(asking.CannotAsk, match="No case is open"):
        asking.ask_for_ours(service_id=service.pk, **NOW)
    limited = make_service(make_account(), status="active", reported_status="suspended")
    assert asking.ask_for_ours(service_id=limited.pk, **NOW).kind == "restore"


def test_what_was_left_limited_is_restored_once() -> None:
    service = make_service(make_account(), status="suspended")
    asking.restore(service_id=service.pk, **NOW)
    with pytest.raises(asking.CannotAsk):
        asking.restore(service_id=service.pk, **NOW)
    hand_over(LocalMemory())
    assert Service.objects.get().status == "active"
    with pytest.raises(asking.CannotAsk):
        asking.restore(service_id=make_service(owing(), status="suspended").pk, **NOW)


# The page.

LISTS = ("stuck", "differing", "limited", "waiting")


@pytest.mark.parametrize("shown", LISTS)
def test_an_empty_list_says_so_in_words(shown: str) -> None:
    page = signed_in(make_agent("supervisor")).get(f"/supervise/network/?list={shown}").content.decode()
    words = {
        "stuck": "The network did everything it was asked",
        "differing": "The network reports what we believe",
        "limited": "Nobody who has paid is still limited",
        "waiting": "No order waits",
    }
    assert words[shown] in page


def test_agents_neither_see_nor_press() -> None:
    service = limited_case("suspended")
    row, agent = order(service), signed_in(make_agent())
    assert agent.get("/supervise/network/").status_code == 403
    assert "/supervise/network/" not in agent.get("/queue/").content.decode()
    for address in (f"orders/{row.pk}/again/", f"orders/{row.pk}/give-up/", f"services/{service.ref}/again/",
                    f"services/{service.ref}/restore/"):  # fmt: skip
        assert agent.post(f"/supervise/network/{address}", {"why": "x"}).status_code == 403
        assert signed_in(make_agent("supervisor")).get(f"/supervise/network/{address}").status_code == 405
    assert ServiceOrder.objects.get().state == "failed"


def test_a_supervisor_sees_why_tries_again_and_gives_up() -> None:
    first, second = order(limited_case()), order(limited_case(), reason="unknown subscriber")
    client = signed_in(make_agent("supervisor"))
    page = client.get("/supervise/network/").content.decode()
    for said in (first.account.ref, "The network is down", "Unknown subscriber", "suspended"):
        assert said in page
    assert "2 to look at in the network" in client.get("/supervise/").content.decode()
    client.post(f"/supervise/network/orders/{first.pk}/again/", {"list": "stuck"})
    empty = client.post(f"/supervise/network/orders/{second.pk}/give-up/", {"why": " "}, follow=True)
    assert "Say why it is given up." in empty.content.decode()
    client.post(f"/supervise/network/orders/{second.pk}/give-up/", {"why": "ported"})
    states = dict(ServiceOrder.objects.values_list("pk", "state"))
    assert states == {first.pk: "pending", second.pk: "withdrawn"}
    gone = client.post(f"/supervise/network/orders/{second.pk}/again/", {"list": "stuck"}, follow=True)
    assert "This order is withdrawn already." in gone.content.decode()
    assert client.post("/supervise/network/orders/999999/again/").status_code == 404


@pytest.mark.parametrize("shown", LISTS)
def test_the_page_costs_the_same_for_one_line_and_for_sixty(shown: str) -> None:
    client = signed_in(make_agent("supervisor"))

    def one_more() -> None:
        order(limited_case())
        order(limited_case(), "pending", send_at=timezone.now() + hours(9), attempts=0)
        make_service(make_account(), status="throttled", reported_status="active")

    one_more()
    client.get("/supervise/network/")
    with CaptureQueriesContext(connection) as few:
        client.get(f"/supervise/network/?list={shown}")
    for _ in range(59):
        one_more()
    with CaptureQueriesContext(connection) as many:
        page = client.get(f"/supervise/network/?list={shown}")
    assert len(few) == len(many) == QUERIES
    assert page.content.decode().count("<tr>") == 51  # fifty a page, and the head
    assert client.get(f"/supervise/network/?list={shown}&page=2").content.decode().count("<tr>") == 11
