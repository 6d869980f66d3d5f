"""The one door: the graph of the design, alone and in bulk, with an event for every move."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from django.db import transaction

from accounts import events, status
from accounts.models import Account, PendingEvent, Service
from accounts.models.account import AccountStatus, ServiceStatus
from accounts.status import Move
from tests.factories import TODAY, kinds_of, make_account, make_bill, make_payment, make_service, moment, settled

pytestmark = pytest.mark.django_db

AT = {"actor": "agent:nadia", "at": moment(), "on": TODAY}

ACCOUNT_MOVES = {
    ("current", "overdue"), ("overdue", "collections"), ("collections", "agency"),
    ("overdue", "current"), ("collections", "current"), ("agency", "current"),
    ("collections", "overdue"), ("agency", "collections"),
    ("agency", "written_off"),
    ("overdue", "written_off"), ("collections", "written_off"),
    ("current", "closed"), ("written_off", "closed"),
    ("closed", "overdue"), ("written_off", "overdue"),
}  # fmt: skip


def test_the_graph_of_accounts_is_the_designs() -> None:
    assert status.graph(Account) == ACCOUNT_MOVES


def test_the_graph_of_services_goes_down_any_number_of_rungs_and_back_to_active_but_from_the_last() -> None:
    rungs = ServiceStatus.values
    down = {(one, other) for i, one in enumerate(rungs) for other in rungs[i + 1 :]}
    back = {(rung, "active") for rung in rungs[1:-1]}
    assert status.graph(Service) == down | back


@pytest.mark.parametrize(("source", "target"), list(product(AccountStatus.values, repeat=2)))
def test_one_account_moves_along_the_graph_only(source: str, target: str) -> None:
    account = make_account(status=source)
    if (source, target) in ACCOUNT_MOVES:
        moved = status.move_account(account_id=account.pk, target=target, reason="because", policy="p@1", **AT)
        event = account.events.get()
        assert moved.status == target
        assert (event.kind, event.reason, event.policy) == (events.STATUS_CHANGED, "because", "p@1")
        assert event.payload == {"from": source, "to": target}
        assert PendingEvent.objects.filter(event=event).exists()
    else:
        with pytest.raises(status.CannotMove):
            status.move_account(account_id=account.pk, target=target, reason="because", **AT)
        assert not account.events.exists()
    assert Account.objects.values_list("status", flat=True).get() == (
        target if (source, target) in ACCOUNT_MOVES else source
    )


def test_many_move_at_once_each_with_its_event() -> None:
    late = [make_account(status="overdue") for _ in range(3)]
    paid = make_account(status="collections")
    status.move_accounts(
        [
            *(Move(one.pk, "overdue", "collections", "handed over") for one in late),
            Move(paid.pk, "collections", "current"),
        ],
        **AT,
    )
    assert set(Account.objects.values_list("pk", "status")) == {
        *((one.pk, "collections") for one in late),
        (paid.pk, "current"),
    }
    assert all(kinds_of(account) == [events.STATUS_CHANGED] for account in [*late, paid])


def test_one_wrong_move_among_many_changes_nothing() -> None:
    one, other = make_account(status="overdue"), make_account(status="current")
    with pytest.raises(status.CannotMove):
        status.move_accounts([Move(one.pk, "overdue", "collections"), Move(other.pk, "current", "agency")], **AT)
    assert set(Account.objects.values_list("status", flat=True)) == {"overdue", "current"}


def test_an_account_that_is_no_longer_where_it_was_read_changes_nothing_even_when_the_caller_goes_on() -> None:
    one, other = make_account(status="overdue"), make_account(status="closed")
    with transaction.atomic(), pytest.raises(status.CannotMove):
        status.move_accounts([Move(one.pk, "overdue", "collections"), Move(other.pk, "current", "overdue")], **AT)
    assert set(Account.objects.values_list("status", flat=True)) == {"overdue", "closed"}
    assert not one.events.exists()


def test_no_moves_write_nothing() -> None:
    status.move_accounts([], **AT)
    status.move_services([], **AT)


def test_services_move_to_what_the_network_confirmed() -> None:
    account = make_account()
    one, other = make_service(account), make_service(account, status="suspended")
    status.move_services([Move(one.pk, "active", "suspended"), Move(other.pk, "suspended", "suspended")], **AT)
    assert set(Service.objects.values_list("status", flat=True)) == {"suspended"}
    event = account.events.get()
    assert (event.kind, event.payload) == (
        events.SERVICE_CHANGED,
        {"service": one.ref, "from": "active", "to": "suspended"},
    )


def test_a_disconnected_service_does_not_come_back() -> None:
    service = make_service(make_account(), status="disconnected")
    with pytest.raises(status.CannotMove):
        status.move_services([Move(service.pk, "disconnected", "active")], **AT)


@pytest.mark.parametrize(
    ("standing", "overdue", "past_due", "owes_nothing", "closed", "settled_to"),
    [
        ("current", 1, 1, False, False, "overdue"),
        ("closed", 1, 1, False, True, "overdue"),
        ("written_off", 1, 1, False, False, "overdue"),
        ("collections", 1, 1, False, False, "collections"),
        ("agency", 1, 1, False, False, "agency"),
        ("overdue", 0, 0, True, False, "current"),
        ("collections", 0, 0, False, False, "current"),
        ("agency", 0, 0, False, False, "current"),
        ("overdue", 0, 5, False, False, "overdue"),  # everything contested: a dispute alone cures nothing
        ("current", 0, 5, False, False, "current"),  # nor does it make overdue
        ("written_off", 0, 0, True, True, "written_off"),
        ("current", 0, 0, True, True, "closed"),
        ("current", 0, 0, False, True, "current"),
        ("closed", 0, 0, True, True, "closed"),
    ],
)
def test_what_follows_from_the_amounts(
    standing: str, overdue: int, past_due: int, owes_nothing: bool, closed: bool, settled_to: str
) -> None:
    assert settled_to == status.settled_status(
        status=standing, overdue=overdue, past_due=past_due, owes_nothing=owes_nothing, closed=closed
    )


@pytest.mark.parametrize(
    ("standing", "past_due", "owes_nothing", "written_off", "settled_to"),
    [
        ("written_off", 0, True, 5, "written_off"),
        ("written_off", 0, True, 0, "closed"),
        ("written_off", 0, False, 0, "written_off"),  # a bill that is not due yet
        ("closed", 0, True, 5, "overdue"),  # a recovery went back: on from there
        ("overdue", 0, True, 5, "written_off"),
        ("collections", 0, True, 5, "written_off"),
        ("overdue", 0, True, 0, "current"),
        ("overdue", 1, False, 5, "overdue"),
        ("closed", 0, True, 0, "closed"),
    ],
)
def test_what_follows_from_what_was_written_off(
    standing: str, past_due: int, owes_nothing: bool, written_off: int, settled_to: str
) -> None:
    assert settled_to == status.settled_status(
        status=standing, overdue=past_due, past_due=past_due, owes_nothing=owes_nothing, closed=False,
        written_off=written_off,
    )  # fmt: skip


def test_one_that_left_and_pays_its_last_bill_is_cured_and_closed_at_once() -> None:
    account = make_account(closed_on=date(2026, 1, 1))
    make_bill(account)
    settled(account)
    assert Account.objects.values_list("status", flat=True).get() == "overdue"
    make_payment(account, "100")
    settled(account)
    assert Account.objects.values_list("status", flat=True).get() == "closed"
    moves = [event.payload["to"] for event in account.events.filter(kind=events.STATUS_CHANGED).order_by("pk")]
    assert moves == ["overdue", "current", "closed"]
