"""The one door to the state of an account and of a service: one at a time and in bulk, along the same graph.

The graph is the transitions on the models (django-fsm); nobody else calls them or writes the columns
(tests/rules/test_one_door.py). Every move writes its event in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import NamedTuple

from django.db import connection, models, transaction

from accounts import events
from accounts.models import Account, Service
from accounts.models.account import AccountStatus, ServiceStatus
from accounts.refusals import Refused

#: The rungs of the service ladder, mildest first.
LADDER = tuple(ServiceStatus.values)


class CannotMove(Refused):
    """The state machine has no such move from where the account or service stands."""

    code = "conflict"


class Move(NamedTuple):
    """One change of state to make: of an account or service, from where it was read, to where it goes."""

    pk: int
    source: str
    target: str
    reason: str = ""


@cache
def graph(model: type[models.Model]) -> frozenset[tuple[str, str]]:
    """The moves that the model's transitions allow, as (from, to)."""
    field = model._meta.get_field("status")
    return frozenset(
        (transition.source, transition.target)
        for transition in field.get_all_transitions(model)  # type: ignore[union-attr]
    )


def move_account(
    *, account_id: int, target: str, actor: str, at: datetime, on: date, reason: str, policy: str = ""
) -> Account:
    """Move one account, locked, along a transition; its event asks for a reaction.

    Raises ``CannotMove`` when the graph has no such move.
    """
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
        source = account.status
        if (source, target) not in graph(Account):
            raise CannotMove(f"The account is {account.get_status_display().lower()}: it cannot become {target}.")
        getattr(account, f"to_{target}")()
        account.save(update_fields=["status"])
        events.record(
            account_id=account.pk,
            kind=events.STATUS_CHANGED,
            actor=actor,
            at=at,
            on=on,
            reason=reason,
            policy=policy,
            payload={"from": source, "to": target},
            react=True,
        )
    return account


def move_accounts(moves: Sequence[Move], *, actor: str, at: datetime, on: date, policy: str = "") -> None:
    """Move many accounts, whose rows the caller holds locked, in one statement and with their events.

    Raises ``CannotMove`` and changes nothing when any move is not in the graph or an account is not where it was read.
    """
    _move_many(Account, moves)
    events.record_many(
        [
            events.EventRow(
                account_id=move.pk,
                kind=events.STATUS_CHANGED,
                actor=actor,
                at=at,
                on=on,
                reason=move.reason,
                policy=policy,
                payload={"from": move.source, "to": move.target},
                react=True,
            )
            for move in moves
        ]
    )


def move_services(moves: Sequence[Move], *, actor: str, at: datetime, on: date) -> None:
    """Move services to what the network confirmed; a service that is already there is left alone.

    Raises ``CannotMove`` for a move the ladder does not have.
    """
    moves = [move for move in moves if move.source != move.target]
    if not moves:
        return
    _move_many(Service, moves)
    where = dict(Service.objects.filter(pk__in=[move.pk for move in moves]).values_list("pk", "account_id"))
    refs = dict(Service.objects.filter(pk__in=where).values_list("pk", "ref"))
    events.record_many(
        [
            events.EventRow(
                account_id=where[move.pk],
                kind=events.SERVICE_CHANGED,
                actor=actor,
                at=at,
                on=on,
                reason=move.reason,
                payload={"service": refs[move.pk], "from": move.source, "to": move.target},
            )
            for move in moves
        ]
    )


def _move_many(model: type[models.Model], moves: Sequence[Move]) -> None:
    if not moves:
        return
    allowed = graph(model)
    if wrong := [move for move in moves if (move.source, move.target) not in allowed]:
        raise CannotMove(f"{wrong[0].source} cannot become {wrong[0].target}.")
    by_move: dict[tuple[str, str], list[int]] = defaultdict(list)
    for move in moves:
        by_move[move.source, move.target].append(move.pk)
    table = connection.ops.quote_name(model._meta.db_table)
    # A savepoint, so that a caller who goes on after a refusal keeps none of the moves.
    with transaction.atomic(), connection.cursor() as cursor:
        for (source, target), keys in by_move.items():
            cursor.execute(f"UPDATE {table} SET status = %s WHERE id = ANY(%s) AND status = %s", [target, keys, source])
            if cursor.rowcount != len(keys):
                raise CannotMove(f"{len(keys) - cursor.rowcount} of {len(keys)} were no longer {source}.")


def settled_status(
    *, status: str, overdue: int, past_due: int, owes_nothing: bool, closed: bool, written_off: int | None = None
) -> str:
    """The status that follows from the open amounts alone (thousandths); the same one when nothing follows.

    ``overdue`` is undisputed and past due, ``past_due`` includes what is contested: a dispute alone cures nothing.
    ``written_off`` is what is not recovered of what was ever written off, none where nothing was: while something
    stands, a debt that came later and is paid leaves the account where it was, and when nothing does, it is closed.
    """
    if overdue > 0 and status in (AccountStatus.CURRENT, AccountStatus.CLOSED, AccountStatus.WRITTEN_OFF):
        return AccountStatus.OVERDUE
    if written_off and status in (AccountStatus.CURRENT, AccountStatus.CLOSED):
        # A recovery went back. The graph leads there over overdue, where the next line takes it on.
        return AccountStatus.OVERDUE
    if past_due == 0 and status in (AccountStatus.OVERDUE, AccountStatus.COLLECTIONS, AccountStatus.AGENCY):
        return AccountStatus.WRITTEN_OFF if written_off else AccountStatus.CURRENT
    left = status == AccountStatus.CURRENT and closed
    recovered = status == AccountStatus.WRITTEN_OFF and written_off == 0
    return AccountStatus.CLOSED if owes_nothing and (left or recovered) else status
