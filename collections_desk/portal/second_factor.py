"""The one question before anything is shown: who asks, how often, and for how long the answer holds.

The link alone proves little: messages are forwarded and phones change hands. A private customer is asked for the date
of birth, else the postal code; a business for the postal code, else the last digits of its phone. Five wrong answers in
an hour shut the page for an hour, for everybody who has the link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils.crypto import constant_time_compare, get_random_string

from accounts.models import Account, Customer
from agents.models import PortalVisit

MOST_WRONG = 5
WITHIN = timedelta(hours=1)
SHUT_FOR = timedelta(hours=1)
OPEN_FOR = timedelta(minutes=30)
#: Digits of a phone number that are asked for.
DIGITS = 4
_SESSION = "portal"


class Factor(StrEnum):
    """What is asked."""

    BIRTH_DATE = "birth_date"
    POSTAL_CODE = "postal_code"
    PHONE_DIGITS = "phone_digits"


def factor_of(customer: Customer) -> Factor | None:
    """What this customer is asked; none where too little is known of them."""
    if customer.kind == Customer.Kind.RESIDENTIAL and customer.birth_date is not None:
        return Factor.BIRTH_DATE
    if _plain(customer.postal_code):
        return Factor.POSTAL_CODE
    return Factor.PHONE_DIGITS if len(_digits(customer.phone)) >= DIGITS else None


def answer_in(factor: Factor, form: Mapping[str, str]) -> str | None:
    """What was filled in, written as ``_expected`` writes it; none for an answer that is none."""
    if factor is Factor.BIRTH_DATE:
        try:
            return date(*(int(form.get(part, "").strip()) for part in ("year", "month", "day"))).isoformat()
        except (ValueError, OverflowError):
            return None
    given = form.get("answer", "")[:60]
    return (_digits(given)[-DIGITS:] if factor is Factor.PHONE_DIGITS else _plain(given)) or None


def judge(account: Account, factor: Factor, answer: str, *, at: datetime) -> bool:
    """Whether the answer is right; the try is kept. A page that is shut judges nothing.

    Tries of one account are judged one after the other, so that many at once are still counted.
    """
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        if shut_until(account, at=at) is not None:
            return False
        passed = constant_time_compare(answer, _expected(factor, account.customer))
        PortalVisit.objects.create(account=account, at=at, passed=passed)
    return passed


def shut_until(account: Account, *, at: datetime) -> datetime | None:
    """Until when the page is shut; none while it is open."""
    wrong = _wrong(account, at)
    if len(wrong) < MOST_WRONG or wrong[0] - wrong[MOST_WRONG - 1] > WITHIN:
        return None
    until = wrong[0] + SHUT_FOR
    return until if until > at else None


def tries_left(account: Account, *, at: datetime) -> int:
    """How many wrong answers the page still takes before it shuts."""
    return max(MOST_WRONG - sum(tried > at - WITHIN for tried in _wrong(account, at)), 0)


def _wrong(account: Account, at: datetime) -> list[datetime]:
    """The latest wrong answers since a right one, latest first."""
    latest = PortalVisit.objects.filter(account=account, at__gt=at - WITHIN - SHUT_FOR).order_by("-at", "-pk")
    wrong: list[datetime] = []
    for tried, passed in latest.values_list("at", "passed")[:MOST_WRONG]:
        if passed:
            break
        wrong.append(tried)
    return wrong


def _expected(factor: Factor, customer: Customer) -> str:
    if factor is Factor.BIRTH_DATE:
        return customer.birth_date.isoformat() if customer.birth_date else ""
    return _plain(customer.postal_code) if factor is Factor.POSTAL_CODE else _digits(customer.phone)[-DIGITS:]


def _plain(code: str) -> str:
    """A postal code without what people leave out."""
    return re.sub(r"[\W_]", "", code).upper()


def _digits(number: str) -> str:
    return re.sub(r"[^0-9]", "", number)


# The session. Forms carry a ticket of it, because a page that sends no referrer sends no origin either.


def let_in(session: SessionBase, account: Account, *, at: datetime) -> None:
    """Remember that this browser answered, for half an hour and for this account alone."""
    session.cycle_key()
    session[_SESSION] = {
        "account": account.ref,
        "until": (at + OPEN_FOR).timestamp(),
        "ticket": get_random_string(32),
    }


def is_in(session: SessionBase, account: Account, *, at: datetime) -> bool:
    """Whether this browser answered for the account, and not too long ago."""
    visit = session.get(_SESSION) or {}
    return visit.get("account") == account.ref and at.timestamp() < visit.get("until", 0)


def was_in(session: SessionBase) -> bool:
    return _SESSION in session


def ticket(session: SessionBase) -> str:
    return str(session[_SESSION]["ticket"])


def has_ticket(session: SessionBase, given: str) -> bool:
    """Whether a form comes from a page that this very visit was shown."""
    return constant_time_compare(given, ticket(session))


def let_out(session: SessionBase) -> None:
    session.pop(_SESSION, None)
