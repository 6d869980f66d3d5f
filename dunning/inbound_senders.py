"""Whose message it is: the customer who has that number or address, the account, and the notice it answers.

Nobody is proved by a sender's address. What is found here says where a message belongs and whom we wrote to; ``known``
says that it came from where we write to, which is enough for what does no harm, and for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import phonenumbers
from django.core import signing
from django.db.models import Q

from accounts.models import Account, ContactPoint, Customer
from accounts.models.fields import REF_PATTERN
from dunning.composing import account_ref_of
from dunning.gateways.base import Incoming
from dunning.models import Notice

KINDS = {"sms": ContactPoint.Kind.PHONE, "email": ContactPoint.Kind.EMAIL}
#: Of a mail's references, those of the nearest messages are looked up.
MOST_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Belongs:
    """Where a message belongs. Without an account a person has to say."""

    #: Everybody who has that number or address.
    customer_ids: tuple[int, ...] = ()
    account: Account | None = None
    notice: Notice | None = None
    #: The number or address as it is kept on file; as it was received where nobody has it.
    addresses: tuple[str, ...] = ()
    #: It came from where we write to, and one customer alone has that address.
    known: bool = False

    @property
    def shared(self) -> bool:
        return len(self.customer_ids) > 1


def canonical(sender: str, *, channel: str) -> str:
    """A number in E.164 where it can be read as one, a mail address in lower case."""
    if channel == "email":
        return sender.strip().lower()[:254]
    number = _number(sender)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else sender.strip()[:254]


def find(incoming: Incoming) -> Belongs:
    """The customer, the account and the notice of a message: at most seven queries."""
    spellings = _spellings(incoming.sender, channel=incoming.channel)
    customers, addresses = _on_file(spellings, channel=incoming.channel)
    notice = _answered(incoming, customers, spellings)
    if len(customers) > 1:
        # One number in two hands: whose bills they are is told to neither, and the message waits.
        return Belongs(customers, None, notice, addresses)
    account = notice.account if notice else _named(incoming)
    if not customers:
        # Written to there once, and no longer on file: it says whose it was, and proves less than nothing.
        return Belongs((), account, notice, spellings[:1])
    account = account or _only(customers[0])
    known = account is not None and account.customer_id == customers[0]
    return Belongs(customers, account, notice, addresses, known=known)


def holders(sender: str, *, channel: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Everybody who has that number or address, and how it is on file; as it was received where nobody has it."""
    spellings = _spellings(sender, channel=channel)
    customers, addresses = _on_file(spellings, channel=channel)
    return customers, addresses or spellings[:1]


# Numbers and addresses ----------------------------------------------------------------------------------------------


def _spellings(sender: str, *, channel: str) -> tuple[str, ...]:
    """How a number or address may be written on file, the canonical form first."""
    first = canonical(sender, channel=channel)
    if channel == "email":
        return tuple(dict.fromkeys((first, sender.strip())))
    number = _number(sender)
    if number is None:
        return (first,)
    styles = phonenumbers.PhoneNumberFormat
    written = [phonenumbers.format_number(number, style) for style in (styles.INTERNATIONAL, styles.NATIONAL)]
    plain = [re.sub(r"\D", "", written[1]), first[1:], f"00{first[1:]}"]
    spaced = [re.sub(r"[-()/ ]+", " ", each).strip() for each in written]
    return tuple(dict.fromkeys((first, *written, *spaced, *plain, sender.strip())))


def _number(sender: str) -> phonenumbers.PhoneNumber | None:
    """Networks name senders with their country, with or without the plus; anything else is a word or a short code."""
    digits = re.sub(r"[^\d]", "", sender)
    if re.search(r"[^\d+()\s./-]", sender) or len(digits) < 7:
        return None
    try:
        number = phonenumbers.parse(f"+{digits.removeprefix('00')}")
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _on_file(spellings: Sequence[str], *, channel: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Everybody who has the number or address, and how it is written there. Two queries."""
    if channel not in KINDS:
        return (), tuple(spellings[:1])
    column = "phone" if channel == "sms" else "email"
    wanted = Q(phone__in=spellings) if channel == "sms" else Q(email__iexact=spellings[0])
    points = ContactPoint.objects.filter(kind=KINDS[channel], value__in=list(spellings))
    rows = [
        *Customer.objects.filter(wanted).values_list("pk", column)[:50],
        *points.values_list("customer", "value")[:50],
    ]
    return tuple(sorted({pk for pk, _ in rows})), tuple(dict.fromkeys(value for _, value in rows))


# What it answers ----------------------------------------------------------------------------------------------------


def _answered(incoming: Incoming, customers: Collection[int], spellings: Sequence[str]) -> Notice | None:
    """The notice a mail refers to; else the latest that went to that number or address."""
    sent = Notice.objects.filter(channel=incoming.channel).select_related("account__customer")
    if incoming.references:
        named = list(incoming.references)[-MOST_REFERENCES:]
        if (notice := sent.filter(provider_ref__in=named).order_by("-pk").first()) is not None:
            return notice
    to_it = sent.filter(address__in=list(spellings), sent_at__isnull=False)
    if customers:
        to_it = to_it.filter(customer__in=list(customers))
    return to_it.order_by("-sent_at", "-pk").first()


_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


def _named(incoming: Incoming) -> Account | None:
    """An account that the recipient's plus-address names with our signature, or the subject in plain words."""
    local = incoming.recipient.partition("@")[0]
    token = local.partition("+")[2]
    accounts = Account.objects.select_related("customer")
    if token:
        try:
            return accounts.filter(ref=account_ref_of(token)).first()
        except signing.BadSignature:
            pass
    words = [word.strip(".:-") for word in _WORD.findall(incoming.subject)]
    refs = [word for word in words if any(sign.isdigit() for sign in word) and re.fullmatch(REF_PATTERN, word)]
    found = list(accounts.filter(ref__in=refs[:20])[:2]) if refs else []
    return found[0] if len(found) == 1 else None


def _only(customer_id: int) -> Account | None:
    """The customer's account: the only one, or the only one that is behind."""
    own = list(Account.objects.filter(customer_id=customer_id).select_related("customer").order_by("pk")[:50])
    if len(own) == 1:
        return own[0]
    behind = [account for account in own if account.overdue > 0]
    return behind[0] if len(behind) == 1 else None
