"""Keeping a service: until a day it is not limited, whatever the policy says.

For a customer whose line must stay on while something is cleared up, without a hold that would also stop notices. The
last look before an order leaves (``dunning.deliver``) reads the day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db import transaction

from accounts import events
from accounts.models import Account, Service
from accounts.refusals import Refused

#: Further ahead is a decision about the account: a hold, or a protected service.
MOST_DAYS = 90


class CannotKeep(Refused):
    """The service cannot be kept until that day."""

    code = "invalid"


class CannotLetGo(Refused):
    """The service is not kept."""

    code = "conflict"


def is_kept(service: Service, *, as_of: date) -> bool:
    """Whether the service is not limited on that day."""
    return service.keep_until is not None and service.keep_until >= as_of


def keep(*, service_id: int, until: date, reason: str, actor: str, as_of: date, at: datetime) -> Service:
    """Do not limit the service up to and including ``until``; a later or earlier day replaces the one before.

    Raises ``CannotKeep`` for a day before ``as_of`` or more than ``MOST_DAYS`` after it.
    """
    if until < as_of:
        raise CannotKeep("The day to keep it until has passed.")
    if until > as_of + timedelta(days=MOST_DAYS):
        raise CannotKeep(f"A service is kept {MOST_DAYS} days at most.")
    with transaction.atomic():
        service = _locked(service_id)
        if service.keep_until == until:
            return service
        payload = {"service": service.ref, "until": until, "before": service.keep_until}
        _write(service, until, events.SERVICE_KEPT, reason, payload, actor=actor, as_of=as_of, at=at)
    return service


def let_go(*, service_id: int, reason: str, actor: str, as_of: date, at: datetime) -> Service:
    """From ``as_of`` on the policy decides again. Raises ``CannotLetGo`` when the service is not kept."""
    with transaction.atomic():
        service = _locked(service_id)
        if not is_kept(service, as_of=as_of):
            raise CannotLetGo("This service is not kept.")
        payload = {"service": service.ref, "before": service.keep_until}
        _write(service, None, events.SERVICE_LET_GO, reason, payload, actor=actor, as_of=as_of, at=at)
    return service


def _locked(service_id: int) -> Service:
    """The service, behind the lock of its account as everything that is about to leave for it."""
    account_id = Service.objects.values_list("account_id", flat=True).get(pk=service_id)
    Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
    return Service.objects.select_for_update().get(pk=service_id)


def _write(
    service: Service,
    until: date | None,
    kind: str,
    reason: str,
    payload: Mapping[str, object],
    *,
    actor: str,
    as_of: date,
    at: datetime,
) -> None:
    service.keep_until = until
    service.save(update_fields=["keep_until"])
    events.record(
        account_id=service.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload=payload,
        react=True,
    )
