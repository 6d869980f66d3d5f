"""A notice at the moment it leaves: its address, its words, and the letter, from the facts of that moment."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from babel import Locale
from django.conf import settings
from django.core import signing
from django.db import connection
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import Customer
from dunning import notice_texts
from dunning.confirming import Agreed
from dunning.contact import PLAINLY, REPLIES, Manner
from dunning.gateways.base import Message
from dunning.letters import LetterFacts, render_letter
from dunning.models import Agency, Notice
from dunning.reading import NEEDS, AccountFacts
from dunning.wording import BillLine, NoticeFacts, Wordings, notice_body, sms_segments, word_notice

#: Salt of the links to the customer's page; a link names the account and nothing else.
PAY_SALT = "pay"


def pay_token(account_ref: str) -> str:
    """The token of an account's page: its id and 96 bits of signature, short enough for an SMS."""
    return f"{account_ref}~{_signature(account_ref)}"


def account_ref_of(token: str) -> str:
    """The account a token opens. Raises ``django.core.signing.BadSignature`` for any other text."""
    ref, _, signature = token.rpartition("~")
    if not constant_time_compare(signature, _signature(ref)):
        raise signing.BadSignature("not a link of this desk")
    return ref


def _signature(account_ref: str) -> str:
    digest = salted_hmac(PAY_SALT, account_ref, algorithm="sha256").digest()
    return urlsafe_b64encode(digest[:12]).decode()


@dataclass(frozen=True, slots=True)
class BillDetail:
    """A bill as a notice lists it."""

    ref: str
    issued_on: date
    due_on: date
    amount: Decimal
    #: Open and asked for: what is contested is left out.
    open_amount: Decimal
    disputed: Decimal

    def line(self) -> BillLine:
        return BillLine(
            ref=self.ref,
            issued_on=self.issued_on,
            due_on=self.due_on,
            amount=self.amount,
            paid=self.amount - self.open_amount - self.disputed,
            open=self.open_amount,
        )


def bill_details(bill_refs: Collection[str]) -> dict[str, BillDetail]:
    """What notices say about those bills; the contested part is not asked for. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ref, issued_on, due_on, amount, open_amount - disputed_amount, disputed_amount "
            "FROM accounts_bill WHERE ref = ANY(%s)",
            [list(bill_refs)],
        )
        return {row[0]: BillDetail(*row) for row in cursor.fetchall()}


def compose(
    notice: Notice,
    facts: AccountFacts,
    customer: Customer,
    bills: Collection[BillDetail],
    services: Collection[str],
    *,
    as_of: date,
    manner: Manner = PLAINLY,
    wordings: Wordings | None = None,
    agreed: Agreed | None = None,
) -> Message:
    """The message of a notice, dated ``as_of``; fills the notice's own record of what was said.

    ``agreed``: what it says beside the account's facts, where it confirms something.

    Raises ``KeyError`` when the customer has no address for the channel: the caller has looked.
    """
    notice.pay_by = _pay_by(notice, as_of)
    notice.bill_refs = [bill.ref for bill in bills]
    notice.amount = sum((bill.open_amount for bill in bills), Decimal(0))
    said = NoticeFacts(
        customer_name=customer.name,
        operator_name=settings.DESK_OPERATOR["name"],
        account_ref=facts.ref,
        # An answer is in the language of the question, where we have it.
        language=(notice.language if notice.step_code in REPLIES else "") or facts.language or settings.LANGUAGE_CODE,
        currency=facts.currency,
        bills=tuple(bill.line() for bill in bills),
        total_due=notice.amount,
        help_phone=settings.DESK_OPERATOR["phone"],
        pay_by=notice.pay_by,
        consequence=notice.consequence or None,  # type: ignore[arg-type]
        pay_url=f"{settings.DESK_PUBLIC_URL}/pay/{pay_token(facts.ref)}/",
        account_holder=settings.DESK_OPERATOR["name"],
        bank_name=settings.DESK_OPERATOR["bank"],
        iban=settings.DESK_OPERATOR["iban"],
        transfer_reference=facts.ref,
        services=tuple(services),
        agency_name=_agency_name(notice),
        advice=manner.advice,
        regulator=manner.regulator,
        help_signpost=manner.advice is not None,
        names_court=manner.names_court,
        collector_disclosure=manner.disclosure,
        wait_until=_held_until(facts, "payment_in_flight", as_of),
        answer_by=_held_until(facts, "manual", as_of) if notice.step_code in REPLIES else None,
    )
    if agreed is not None:
        told = {one.name: value for one in fields(agreed) if (value := getattr(agreed, one.name))}
        said = replace(said, **told)
    notice.tone = manner.tone
    wordings = wordings or notice_texts.in_use()
    worded = word_notice(
        template=notice.template, channel=notice.channel, facts=said, wordings=wordings, tone=notice.tone
    )
    notice.segments = sms_segments(worded.text).segments if notice.channel == "sms" else None
    notice.subject, notice.body, notice.language = worded.subject[:300], worded.text, worded.language
    if notice.channel == "in_app":
        notice.address = "in_app"
    elif not notice.address or notice.step_code not in REPLIES:  # an answer goes where the question came from
        notice.address = facts.contact[NEEDS[notice.channel]]
    attachment, paper = None, _paper(customer)
    if notice.channel == "letter":
        body = notice_body(template=notice.template, channel="letter", facts=said, wordings=wordings, tone=notice.tone)
        recipient = [customer.name, *_postal_lines(notice.address, customer)]
        letter = LetterFacts(
            body=body,
            dated_on=as_of,
            sender=tuple(settings.DESK_OPERATOR["address"]),
            recipient=tuple(recipient[:6]),
            customer_ref=customer.ref,
            country=customer.country,
            paper=paper,
        )
        attachment = render_letter(letter)
    return Message(
        key=notice.key,
        channel=notice.channel,
        to=notice.address,
        subject=notice.subject,
        text=notice.body,
        html=worded.html,
        language=notice.language,
        attachment=attachment,
        ref=facts.ref,
        paper=paper if attachment else "",
        country=customer.country if attachment else "",
    )


def _paper(customer: Customer) -> Literal["a4", "us-letter"]:
    return "us-letter" if customer.country == "US" else "a4"


def _pay_by(notice: Notice, as_of: date) -> date | None:
    if notice.pay_by_days is None:
        return None
    return date.fromordinal(as_of.toordinal() + notice.pay_by_days)


def _held_until(facts: AccountFacts, reason: str, as_of: date) -> date | None:
    """The last day of the longest hold of that reason that is in force and ends."""
    ends = [hold.ends_on for hold in facts.holds if hold.reason == reason and hold.covers(as_of) and hold.ends_on]
    return max(ends, default=None)


def _agency_name(notice: Notice) -> str | None:
    if notice.consequence != "agency" or notice.case is None:
        return None
    step = notice.case.version.steps.filter(warned_by=notice.step_code, action="place_with_agency").first()
    code = (step.agency if step else "") or notice.case.version.agency
    return Agency.objects.filter(code=code).values_list("name", flat=True).first() or code or None


def _postal_lines(address: str, customer: Customer) -> list[str]:
    """Street, town and country as the country's post writes them."""
    if customer.country == "US":
        town = ", ".join(part for part in (customer.city, f"{customer.region} {customer.postal_code}".strip()) if part)
    else:
        town = " ".join(part for part in (customer.postal_code, customer.city) if part)
    country = Locale("en").territories.get(customer.country, customer.country)
    return [line for line in (*address.split("\n"), town, country) if line.strip()]
