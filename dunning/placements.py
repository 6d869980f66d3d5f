"""What an agency is told, what it answers, and what it earns.

One file a day at most tells an agency of new placements, of recalls, and of payments that came to the desk directly:
creditors report those within days, so that nobody is chased for what is paid. Each is told once; a direct payment that
went back is told again with what is left of it. Commission is one row a payment, whichever way the money came, and is
posted by difference: 62000 against 24000, mirrored when a payment is reversed.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from accounts import events, journals, money
from accounts.models import Account, Consent, Payment
from accounts.models.fields import DESK_PREFIX
from accounts.refusals import Refused
from dunning import cases, kinds, reading
from dunning.models import Agency, AgencyFile, Commission, Placement

ACTOR = "desk:placements"
CHUNK = 1_000

#: The method of a payment that the agency collected and remitted, before its commission.
THROUGH_AGENCY = "agency"

PLACED, RECALLED, DIRECT, TRAILER = "P", "R", "D", "T"

#: ``P``: ``date`` it was placed, ``amount`` then. ``R``: ``date`` and ``reason``. ``D``: ``payment``, its ``date`` and
#: ``amount``, what of it counts and the commission. ``T``: how many there are of the record named in ``reason`` in one
#: currency, and the sum of their amounts.
COLUMNS = (
    "record",
    "placement",
    "account",
    "customer",
    "address",
    "phone",
    "email",
    "amount",
    "currency",
    "oldest_due",
    "last_payment",
    "disputed",
    "consents_refused",
    "date",
    "reason",
    "payment",
    "collected",
    "commission",
    "count",
)


class CannotAcknowledge(Refused):
    """The answer does not fit the file."""

    code = "invalid"


class AlreadyAcknowledged(Refused):
    """The agency's answer to this file is here already."""

    code = "conflict"


# Telling ------------------------------------------------------------------------------------------------------------


def make_file(agency: Agency, *, as_of: date, at: datetime, actor: str) -> AgencyFile | None:
    """Make the file of what the agency does not know yet, and mark it told; none when it knows everything.

    Earns what is not earned yet first, so that a payment of today is told with the recall it caused. A placement that
    was recalled before anybody told of it is never told.
    """
    with transaction.atomic():
        # No key of it changes: whoever places an account meanwhile, and holds it locked, must not wait for this.
        Agency.objects.select_for_update(no_key=True).get(pk=agency.pk)
        placed = list(agency.placements.values_list("account_id", flat=True).distinct())
        earn(account_ids=placed, as_of=as_of, at=at)
        contents = _Contents()
        placements = list(_untold_placements(agency, as_of))
        recalls = list(_untold_recalls(agency, as_of))
        payments = list(_untold_payments(agency))
        for row in _placed(placements, as_of):
            contents.add(PLACED, row)
        for placement in recalls:
            contents.add(RECALLED, _recalled(placement))
        for commission in payments:
            contents.add(DIRECT, _direct(commission))
        if not contents.rows:
            return None
        last = agency.files.aggregate(last=Max("number"))["last"] or 0
        file = AgencyFile.objects.create(
            agency=agency,
            number=last + 1,
            made_on=as_of,
            placements=len(placements),
            recalls=len(recalls),
            payments=len(payments),
            content=contents.text(as_of),
        )
        Placement.objects.filter(pk__in=[row.pk for row in placements]).update(file=file)
        Placement.objects.filter(pk__in=[row.pk for row in recalls]).update(recall_file=file)
        Commission.objects.filter(pk__in=[row.pk for row in payments]).update(file=file)
        told: list[tuple[int, str, str]] = [(row.account_id, "placement", row.ref) for row in placements]
        told += [(row.account_id, "recall", row.ref) for row in recalls]
        told += [(row.placement.account_id, "direct payment", row.placement.ref) for row in payments]
        events.record_many(
            [
                events.EventRow(account_id, kinds.PLACEMENT_TOLD, actor, at, as_of, what, payload=_payload(file, ref))
                for account_id, what, ref in told
            ]
        )
        counts = {"placements": file.placements, "recalls": file.recalls, "payments": file.payments}
        events.record(
            account_id=None,
            kind=kinds.AGENCY_FILE_MADE,
            actor=actor,
            at=at,
            on=as_of,
            payload={"agency": agency.code, "file": file.number, **counts},
        )
    return file


def _payload(file: AgencyFile, ref: str) -> dict[str, Any]:
    return {"placement": ref, "agency": file.agency.code, "file": file.number}


#: What a file brought in was placed beside the desk: the agency knows of it, and of what that file recalled.
_BY_THE_DESK = Q(ref__startswith=DESK_PREFIX)


def _untold_placements(agency: Agency, as_of: date) -> QuerySet[Placement]:
    return (
        agency.placements.filter(_BY_THE_DESK, file=None, recalled_on=None, placed_on__lte=as_of)
        .select_related("account__customer")
        .order_by("pk")
    )


def _untold_recalls(agency: Agency, as_of: date) -> QuerySet[Placement]:
    known = Q(file__isnull=False) | (~_BY_THE_DESK & ~Q(recall_reason=""))
    # One that the agency itself refused is no news to it.
    return (
        agency.placements.filter(known, recall_file=None, recalled_on__lte=as_of, refused_reason="")
        .select_related("account")
        .order_by("pk")
    )


def _untold_payments(agency: Agency) -> QuerySet[Commission]:
    told = Q(placement__file__isnull=False) | Q(placement__recalled_on=None)
    known = told | ~Q(placement__ref__startswith=DESK_PREFIX)
    return (
        Commission.objects.filter(known, placement__agency=agency, direct=True, file=None)
        .select_related("placement__account", "payment")
        .order_by("on", "pk")
    )


def _placed(placements: Sequence[Placement], as_of: date) -> Iterator[dict[str, str]]:
    accounts = [placement.account_id for placement in placements]
    received = Payment.objects.filter(account=OuterRef("pk"), reverses=None, received_on__lte=as_of)
    last = dict(
        Account.objects.filter(pk__in=accounts)
        .annotate(last=Subquery(received.order_by("-received_on").values("received_on")[:1]))
        .values_list("pk", "last")
    )
    refused: dict[int, list[str]] = defaultdict(list)
    consents = (
        Consent.objects.filter(customer__accounts__in=accounts, at__lt=reading.end_of(as_of))
        .order_by("customer_id", "channel", "-at")
        .distinct("customer_id", "channel")
    )
    for consent in consents:
        if not consent.given:
            refused[consent.customer_id].append(consent.channel)
    for placement in placements:
        account, customer = placement.account, placement.account.customer
        paid_on = last[account.pk]
        yield {
            "placement": placement.ref,
            "account": account.ref,
            "customer": customer.name,
            "address": customer.address,
            "phone": customer.phone,
            "email": customer.email,
            "amount": money.plain(placement.amount, account.currency),
            "currency": account.currency,
            "oldest_due": account.oldest_due_on.isoformat() if account.oldest_due_on else "",
            "last_payment": paid_on.isoformat() if paid_on else "",
            "disputed": money.plain(account.disputed, account.currency),
            "consents_refused": " ".join(refused[customer.pk]),
            "date": placement.placed_on.isoformat(),
        }


def _recalled(placement: Placement) -> dict[str, str]:
    account = placement.account
    return {
        "placement": placement.ref,
        "account": account.ref,
        "amount": money.plain(placement.amount, account.currency),
        "currency": account.currency,
        "date": placement.recalled_on.isoformat() if placement.recalled_on else "",
        "reason": placement.recall_reason,
    }


def _direct(commission: Commission) -> dict[str, str]:
    account, payment = commission.placement.account, commission.payment
    return {
        "placement": commission.placement.ref,
        "account": account.ref,
        "amount": money.plain(payment.amount, account.currency),
        "currency": account.currency,
        "date": payment.received_on.isoformat(),
        "payment": payment.ref,
        "collected": money.plain(commission.collected, account.currency),
        "commission": money.plain(commission.amount, account.currency),
    }


_NUMBER = re.compile(r"\+[0-9 ]{4,20}")


@dataclass(slots=True)
class _Contents:
    """The rows of a file and their control totals."""

    rows: list[dict[str, str]] = field(default_factory=list)
    totals: dict[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)

    def add(self, record: str, row: dict[str, str]) -> None:
        self.rows.append({"record": record, **row})
        count, amount = self.totals.get((record, row["currency"]), (0, Decimal(0)))
        self.totals[record, row["currency"]] = (count + 1, amount + Decimal(row["amount"]))

    def text(self, on: date) -> str:
        out = StringIO()
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in self.rows)
        for (record, currency), (count, amount) in self.totals.items():
            total = money.plain(amount, currency)
            writer.writerow(
                {
                    "record": TRAILER,
                    "amount": total,
                    "currency": currency,
                    "date": on.isoformat(),
                    "reason": record,
                    "count": str(count),
                }
            )
        return out.getvalue()


def _cell(value: str) -> str:
    """As it is for a phone number, which is nothing a spreadsheet could run; else made harmless."""
    return value if _NUMBER.fullmatch(value) else journals.harmless(value)


def name_of(file: AgencyFile) -> str:
    """What the file is called when it is downloaded."""
    return f"{file.agency.code}-{file.number:05d}-{file.made_on}.csv"


# The answer ---------------------------------------------------------------------------------------------------------


def acknowledge(
    file: AgencyFile, *, count: int, refused: Mapping[str, str], as_of: date, at: datetime, actor: str
) -> None:
    """Keep the agency's answer: how many placements it took, and which it refused (placement id → reason).

    A refused one is recalled with the reason, and the account goes back to the agents.

    Raises ``AlreadyAcknowledged``, or ``CannotAcknowledge`` for a placement that the file did not tell of, a refusal
    without a reason, or a day before the file's; with nothing done.
    """
    with transaction.atomic():
        file = AgencyFile.objects.select_for_update(of=("self",)).select_related("agency").get(pk=file.pk)
        if file.acknowledged_on is not None:
            raise AlreadyAcknowledged(f"The answer to this file came on {file.acknowledged_on}.")
        if as_of < file.made_on:
            raise CannotAcknowledge("An answer does not come before the file.")
        told = {placement.ref: placement for placement in file.placements_told.all()}
        if unknown := sorted(set(refused) - set(told)):
            raise CannotAcknowledge(f"The file did not tell of {', '.join(unknown)}.")
        if silent := sorted(ref for ref, reason in refused.items() if not reason.strip()):
            raise CannotAcknowledge(f"Say why {', '.join(silent)} was refused.")
        cases.lock({told[ref].account_id for ref in refused})
        file.acknowledged_on, file.acknowledged_count = as_of, count
        file.save(update_fields=["acknowledged_on", "acknowledged_count"])
        file.placements_told.exclude(ref__in=refused).update(acknowledged_on=as_of)
        for ref, reason in refused.items():
            file.placements_told.filter(ref=ref).update(refused_reason=reason.strip()[:200])
            # One that has been recalled since, and perhaps placed again, stays as it is.
            if file.placements_told.filter(ref=ref, recalled_on=None).exists():
                why = f"refused: {reason.strip()}"
                cases.recall(account_ids=[told[ref].account_id], reason=why, as_of=as_of, at=at, actor=actor)
        events.record_many(
            [
                events.EventRow(
                    placement.account_id,
                    kinds.PLACEMENT_ACKNOWLEDGED,
                    actor,
                    at,
                    as_of,
                    refused[ref].strip()[:300] if ref in refused else "",
                    payload={**_payload(file, ref), "taken": "no" if ref in refused else "yes"},
                )
                for ref, placement in told.items()
            ]
        )
        events.record(
            account_id=None,
            kind=kinds.AGENCY_FILE_ACKNOWLEDGED,
            actor=actor,
            at=at,
            on=as_of,
            payload={"agency": file.agency.code, "file": file.number, "taken": count, "refused": len(refused)},
        )


def missing(file: AgencyFile, *, refused: int) -> int:
    """Placements told that the agency neither took nor refused; negative when it took more than it was told of."""
    return 0 if file.acknowledged_count is None else file.placements - file.acknowledged_count - refused


# Earning ------------------------------------------------------------------------------------------------------------


class _Earned(NamedTuple):
    """A commission that came to be, or changed."""

    account_id: int
    payment: str
    agency: str
    amount: Decimal
    collected: Decimal
    was: Decimal | None


def earn(*, as_of: date, at: datetime, account_ids: Collection[int] | None = None) -> int:
    """Bring the commission of those accounts (of all that were ever placed) to what was paid; how many rows changed.

    A payment counts when it was received between placing and recall, or in the agency's days after the recall, or came
    through the agency; net of what went back since. Safe to repeat: the second time changes nothing.
    """
    changed = 0
    for chunk in _placed_accounts(account_ids):
        with transaction.atomic():
            cases.lock(chunk)
            earned = _earn_chunk(chunk, as_of)
            events.record_many(
                [
                    events.EventRow(
                        row.account_id,
                        kinds.COMMISSION_EARNED if row.was is None else kinds.COMMISSION_CHANGED,
                        ACTOR,
                        at,
                        as_of,
                        payload={
                            "amount": str(row.amount),
                            "collected": str(row.collected),
                            "payment": row.payment,
                            "agency": row.agency,
                        },
                    )
                    for row in earned
                ]
            )
        changed += len(earned)
    return changed


def _placed_accounts(account_ids: Collection[int] | None) -> Iterator[list[int]]:
    last = 0
    while True:
        placed = Placement.objects.filter(account__gt=last)
        if account_ids is not None:
            placed = placed.filter(account__in=list(account_ids))
        chunk = list(placed.order_by("account").values_list("account_id", flat=True).distinct()[:CHUNK])
        if not chunk:
            return
        yield chunk
        last = chunk[-1]


#: What each payment earns. Changed later, an agency's percentage does not reach back: a commission that another one
#: explains falls in proportion. A direct payment that changed after the agency heard of it has to be told again.
_EARN = """
    WITH earning AS (
        SELECT DISTINCT ON (p.id) p.id AS payment_id, p.ref, p.account_id, p.received_on, l.id AS placement_id,
               lower(p.method) = %(through)s AS through, g.code, g.commission_percent AS percent, d.decimals,
               greatest(p.amount - coalesce((SELECT sum(r.amount) FROM accounts_payment r
                         WHERE r.reverses_id = p.id AND r.received_on <= %(as_of)s), 0), 0) AS collected
          FROM accounts_payment p
          JOIN dunning_placement l ON l.account_id = p.account_id AND l.placed_on <= p.received_on
          JOIN dunning_agency g ON g.id = l.agency_id
          JOIN accounts_account a ON a.id = p.account_id
          JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) AS d(currency, decimals) ON d.currency = a.currency
         WHERE p.account_id = ANY(%(accounts)s) AND p.reverses_id IS NULL AND p.received_on <= %(as_of)s
           AND l.refused_reason = ''
           AND (lower(p.method) = %(through)s OR l.recalled_on IS NULL
                OR p.received_on <= l.recalled_on + g.commission_tail_days)
         ORDER BY p.id, l.placed_on DESC, l.id DESC
    ), due AS (
        SELECT e.*, c.amount AS was,
               CASE WHEN c.id IS NULL OR c.collected = 0
                         OR c.amount = round(c.collected * e.percent / 100, e.decimals)
                    THEN round(e.collected * e.percent / 100, e.decimals)
                    ELSE round(e.collected * c.amount / c.collected, e.decimals) END AS amount
          FROM earning e LEFT JOIN dunning_commission c ON c.payment_id = e.payment_id
         WHERE c.id IS NULL OR c.collected <> e.collected
    ), kept AS (
        INSERT INTO dunning_commission (placement_id, payment_id, "on", collected, amount, direct, posted_amount)
        SELECT placement_id, payment_id, received_on, collected, amount, NOT through, 0 FROM due
        ON CONFLICT (payment_id) DO UPDATE
           SET collected = excluded.collected, amount = excluded.amount, file_id = NULL
    )
    SELECT account_id, ref, code, amount, collected, was FROM due ORDER BY payment_id
"""
_POST = """
    WITH fact AS MATERIALIZED (
        SELECT c.id, c."on", c.amount - c.posted_amount AS d, c.posted_amount, p.ref, p.account_id
          FROM dunning_commission c JOIN accounts_payment p ON p.id = c.payment_id
         WHERE p.account_id = ANY(%(accounts)s) AND c.amount <> c.posted_amount
    ), posted AS (
        UPDATE dunning_commission t SET posted_amount = t.posted_amount + fact.d FROM fact WHERE t.id = fact.id
    )
    INSERT INTO accounts_journalentry
        (journal_ref, account_id, "on", event_type, debit_code, credit_code, amount, currency, source_ref, description)
    SELECT 'J' || lpad(nextval('accounts_journal_no')::text, 10, '0'), a.id,
           CASE WHEN f.posted_amount = 0 THEN f."on" ELSE %(as_of)s END,
           CASE WHEN f.d > 0 THEN 'COMMISSION' ELSE 'COMMISSION_REVERSED' END,
           CASE WHEN f.d > 0 THEN %(expense)s ELSE %(payable)s END,
           CASE WHEN f.d > 0 THEN %(payable)s ELSE %(expense)s END, abs(f.d), a.currency, f.ref, ''
      FROM fact f JOIN accounts_account a ON a.id = f.account_id
"""


def _earn_chunk(chunk: list[int], as_of: date) -> list[_Earned]:
    currencies = sorted(set(Account.objects.filter(pk__in=chunk).order_by().values_list("currency", flat=True)))
    with connection.cursor() as cursor:
        cursor.execute(
            _EARN,
            {
                "accounts": chunk,
                "as_of": as_of,
                "through": THROUGH_AGENCY,
                "currencies": currencies,
                "decimals": [money.exponent(currency) for currency in currencies],
            },
        )
        earned = [_Earned(*row) for row in cursor]
        if earned:
            codes = {"expense": journals.AGENCY_COMMISSION, "payable": journals.AGENCY_COMMISSION_PAYABLE}
            cursor.execute(_POST, {"accounts": chunk, "as_of": as_of, **codes})
    return earned
