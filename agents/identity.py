"""Who is on the line: details asked and ticked in a call, before anything about a debt is said.

Kept are the codes of what matched and what did not, never an answer. A check passes when enough details beside the name
match and none failed twice; after three that fail nobody is verified in that call any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise as Words
from django.utils.translation import gettext_lazy as _

from accounts import events
from accounts.models import Account, Bill, ContactPoint, Payment, Representative
from accounts.money import plain
from accounts.refusals import Refused
from agents import kinds, rights
from agents.models import Agent, IdentityCheck, LiveCall
from agents.words import within

CUSTOMER, REPRESENTATIVE = "customer", "representative"
NAME = "full_name"
#: Every detail that may be asked, in the order in which it is.
DETAILS: dict[str, str | Words] = {
    NAME: _("Full name"),
    "birth_date": _("Date of birth"),
    "postal_code": _("Postal code"),
    "address": _("Address"),
    "email": _("E-mail"),
    "account_number": _("Account number"),
    "last_bill": _("Amount of the last bill"),
    "last_payment": _("Last payment"),
    "service_number": _("A number of theirs"),
}
#: So many that fail end it for the call.
MOST_FAILURES = 3
#: A call in one of these states is over for the desk.
CLOSED = (LiveCall.State.LOGGED, LiveCall.State.FAILED)


class CannotCheck(Refused):
    """The check cannot be made like this."""


@dataclass(frozen=True, slots=True)
class Detail:
    """Something to ask, and what the answer is compared with."""

    code: str
    words: str
    on_file: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the check of a call has come."""

    matched: frozenset[str]
    failed: Counter[str]
    passed: bool
    #: Too much failed: not in this call any more.
    ended: bool

    @property
    def begun(self) -> bool:
        """Whether anything was asked yet."""
        return bool(self.matched or self.failed)


def live_call(*, agent: Agent) -> LiveCall | None:
    """The call that this agent is in, or has not said yet what came of it. One query."""
    return (
        LiveCall.objects.exclude(state__in=CLOSED)
        .select_related("account__customer", "identity")
        .filter(agent=agent)
        .first()
    )


def parties(account: Account, *, at: datetime) -> list[Representative]:
    """Who else may be told about the debt: checked by their own name."""
    return list(
        Representative.objects.filter(Q(until=None) | Q(until__gt=at), customer_id=account.customer_id)
        .filter(may_be_told=True, since__lte=at)
        .order_by("pk")
    )


def details_on_file(
    account: Account, *, as_of: date, number: str = "", speaks: Representative | None = None
) -> list[Detail]:
    """What may be asked, only what is on file; ``number`` is the one that was dialled, which proves nothing."""
    customer = account.customer
    points = [
        point
        for point in ContactPoint.objects.filter(customer=customer).order_by("pk")
        if point.valid_to is None or point.valid_to >= as_of
    ]
    bill = (
        Bill.objects.filter(account=account, issued_on__lte=as_of, status=Bill.Status.ISSUED)
        .order_by("-issued_on", "-pk")
        .first()
    )
    payment = (
        Payment.objects.filter(account=account, received_on__lte=as_of, reverses=None)
        .order_by("-received_on", "-pk")
        .first()
    )
    numbers = [row for row in account.services.order_by("pk").values_list("number", flat=True)[:12] if row]
    currency = account.currency
    found = {
        NAME: f"{speaks.name}, {within(speaks.get_role_display())}" if speaks else customer.name,
        "birth_date": f"{customer.birth_date.day} {customer.birth_date:%b %Y}" if customer.birth_date else "",
        "postal_code": customer.postal_code,
        "address": _joined([customer.address, *_values(points, ContactPoint.Kind.ADDRESS)]),
        "email": _joined([customer.email, *_values(points, ContactPoint.Kind.EMAIL)]),
        "account_number": account.ref,
        "last_bill": f"{plain(bill.amount, currency)} {currency}, {bill.issued_on:%d %b}" if bill else "",
        "last_payment": f"{plain(payment.amount, currency)} {currency}, {payment.received_on:%d %b}" if payment else "",
        "service_number": _joined(each for each in numbers if _digits(each) != _digits(number)),
    }
    return [Detail(code, str(DETAILS[code]), value) for code, value in found.items() if value]


def _values(points: Iterable[ContactPoint], kind: str) -> list[str]:
    return [point.value for point in points if point.kind == kind]


def _joined(values: Iterable[str]) -> str:
    return " · ".join(dict.fromkeys(value for value in values if value))


def _digits(number: str) -> str:
    return "".join(letter for letter in number if letter.isdigit())


def wanted(details: Collection[Detail]) -> int:
    """How many must match beside the name: what is set, or all there are where that is fewer."""
    beside = sum(detail.code != NAME for detail in details)
    return max(1, min(int(settings.DESK_IDENTITY_DETAILS), beside))


def standing(call: LiveCall) -> Standing:
    """How far the check of that call has come. One query."""
    matched: set[str] = set()
    failed: Counter[str] = Counter()
    passed = False
    for check in IdentityCheck.objects.filter(
        account_id=call.account_id, agent_id=call.agent_id, at__gte=call.begun_at
    ).order_by("at", "pk"):
        matched |= set(check.matched)
        failed.update(check.failed)
        passed = check.passed
    ended = not passed and (failed.total() >= MOST_FAILURES or any(count > 1 for count in failed.values()))
    return Standing(frozenset(matched), failed, passed, ended)


def check(
    *,
    account_id: int,
    agent: Agent,
    matched: Collection[str],
    failed: Collection[str],
    as_of: date,
    at: datetime,
    representative_id: int | None = None,
) -> IdentityCheck:
    """Keep what matched and what did not, together with what was asked in the same call before.

    ``representative_id``: somebody whom the customer, or a court, let be told. Raises ``CannotCheck``.
    """
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True, of=("self",)).select_related("customer").get(
            pk=account_id
        )  # fmt: skip
        call = LiveCall.objects.select_for_update().exclude(state__in=CLOSED).filter(agent=agent).first()
        if call is not None and call.account_id != account_id:
            call = None
        speaks = _who_speaks(account, representative_id, at)
        details = details_on_file(account, as_of=as_of, number=call.number if call else "", speaks=speaks)
        unknown = {*matched, *failed} - {detail.code for detail in details}
        if unknown:
            raise CannotCheck(f"Not on file, so not to be asked: {', '.join(sorted(unknown))}.", code="invalid")
        if set(matched) & set(failed):
            raise CannotCheck("A detail matches or it does not.", code="invalid")
        if not matched and not failed:
            raise CannotCheck("Tick what was asked.", code="invalid")
        before = standing(call) if call else Standing(frozenset(), Counter(), False, False)
        if before.ended:
            raise CannotCheck(
                "Too much did not match: nobody is verified in this call any more. Say nothing, and end it."
            )
        in_all = before.failed + Counter(set(failed))
        good = (before.matched | set(matched)) - {NAME}
        named = NAME not in failed and (NAME not in in_all or NAME in matched or NAME in before.matched)
        passed = (
            len(good - set(failed)) >= wanted(details)
            and named
            and all(count == 1 for count in in_all.values())
            and in_all.total() < MOST_FAILURES
        )
        kept = IdentityCheck.objects.create(
            account=account,
            agent=agent,
            party=REPRESENTATIVE if speaks else CUSTOMER,
            matched=[code for code in DETAILS if code in matched],
            failed=[code for code in DETAILS if code in failed],
            passed=passed,
            at=at,
        )
        if call is not None:
            call.identity = kept
            call.save(update_fields=["identity"])
        events.record(
            account_id=account_id,
            kind=kinds.IDENTITY_CHECKED,
            actor=rights.actor(agent),
            at=at,
            on=as_of,
            payload={
                "call": call and call.ref,
                "party": kept.party,
                "passed": passed,
                "matched": kept.matched,
                "failed": kept.failed,
            },
        )
    return kept


def _who_speaks(account: Account, representative_id: int | None, at: datetime) -> Representative | None:
    if representative_id is None:
        return None
    for speaks in parties(account, at=at):
        if speaks.pk == representative_id:
            return speaks
    raise CannotCheck("This person may not be told about the debt.", code="forbidden")


def passed(call: LiveCall) -> bool:
    """Whether somebody who may be told was verified in that call; no query when it was read by ``live_call``."""
    return call.identity is not None and call.identity.passed


def passed_for(*, account_id: int, agent: Agent, at: datetime) -> bool:
    """Whether the agent is in a call about this account, or another of the same customer, and verified them in it."""
    call = live_call(agent=agent)
    if call is None or call.begun_at > at or not passed(call):
        return False
    return is_about(call, account_id)


def is_about(call: LiveCall, account_id: int) -> bool:
    """Whether the call is with the customer of that account."""
    if call.account_id == account_id:
        return True
    return Account.objects.filter(pk=account_id, customer_id=call.account.customer_id).exists()
