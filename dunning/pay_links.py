"""What is open and how to pay it at once, sent because an agent chose to: a notice of the case like any other.

It waits the minute in which a slip is taken back, passes the gate, and says what is open when it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction

from accounts.models import Account
from accounts.refusals import Refused
from dunning import cases, confirming, reading
from dunning.confirming import WAITS
from dunning.models import Notice

#: The ``step_code`` of such a notice.
PAY_LINK = "pay-link"
TEMPLATE = "general"


class CannotSendLink(Refused):
    """Nothing is asked for on this account, or nobody can be reached that way."""


def send(*, account_id: int, as_of: date, at: datetime, channels: Sequence[str] = ("sms", "email")) -> Notice:
    """The link by the first of those channels that reaches the customer, once a day and channel.

    Raises ``CannotSendLink``.
    """
    with transaction.atomic():
        cases.lock([account_id])
        account = Account.objects.select_related("customer").get(pk=account_id)
        fact = reading.read([account_id], as_of=as_of)[account_id]
        if fact.case is None or not fact.judged(as_of):
            raise CannotSendLink("Nothing undisputed is past due here: there is nothing to send.")
        usable = [one for one in confirming.channels_for(account, as_of=as_of, at=at) if one in channels]
        if not usable:
            raise CannotSendLink("No number or address of theirs can be used for that.")
        notice, _ = Notice.objects.get_or_create(
            key=f"{fact.case.pk}.{PAY_LINK}.{as_of}.{usable[0]}",
            defaults={
                "account": account,
                "customer": account.customer,
                "case_id": fact.case.pk,
                "step_code": PAY_LINK,
                "template": TEMPLATE,
                "channel": usable[0],
                "fallbacks": usable[1:],
                "language": account.customer.language,
                "bill_refs": [bill.ref for bill in fact.judged(as_of)],
                "currency": account.currency,
                "made_on": as_of,
                "send_at": at + WAITS,
            },
        )
    return notice
