"""Customers, accounts, services, bills, payments, adjustments: lists in and out, with the columns of the files.

What the files' rules refuse is refused here too, and then nothing of the list lands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import F, Model, QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import settling
from accounts.book import ACCOUNTS, ADJUSTMENTS, BILLS, CUSTOMERS, PAYMENTS, SERVICES
from accounts.importing import columns
from accounts.importing.landing import land
from accounts.importing.merging import book_column
from accounts.importing.spec import Column, FileSpec
from accounts.models import Account, Customer
from accounts.money import plain
from agents.rights import Act
from collections_desk.api import pages
from collections_desk.api.bodies import Amount, Day, Ref
from collections_desk.api.doors import DeskView, given_once, visible_accounts
from collections_desk.api.schema import IDEMPOTENCY_KEY, REFUSALS
from collections_desk.api.shapes import list_of

#: So many accounts are settled in the transaction that brings the facts; more, right after it.
SETTLED_AT_ONCE = 1_000
#: Rows of one list.
MOST_ROWS = 10_000


def value_path(spec: FileSpec, column: Column) -> str:
    """Where the query finds what a column of the file says: ``customer__ref`` for ``customer_id``."""
    kept = column.seeds or book_column(column)
    return f"{kept.removesuffix('_id')}__ref" if column.refers_to is not None else kept


class Listing(pages.Paged):
    """What a list of facts may be narrowed to."""

    account_id = Ref(required=False)


class CustomerListing(pages.Paged):
    customer_id = Ref(required=False)


class FactsView(DeskView):
    """One list of the book; its file's spec says everything else."""

    spec: ClassVar[FileSpec]
    listing: ClassVar[type[pages.Paged]] = Listing
    acts = {"GET": (Act.WORK, Act.IMPORT_FACTS), "POST": (Act.IMPORT_FACTS,)}

    def answer_list(self, request: Request) -> Response:
        asked = self.query(self.listing)
        rows = self.narrowed(self.visible(), asked)
        return Response(
            pages.page(request, self.valued(rows), asked, shown=self.shown, key=lambda row: int(row["row_key"]))
        )

    def take_list(self, request: Request) -> Response:
        rows = _list_of_objects(request.data)
        with transaction.atomic():
            landing = land(self.spec, rows, on=self.as_of, at=self.at, actor=self.actor)
            if len(landing.account_ids) <= SETTLED_AT_ONCE:
                settling.settle(as_of=self.as_of, at=self.at, actor=self.actor, account_ids=landing.account_ids)
        if len(landing.account_ids) > SETTLED_AT_ONCE:
            settling.settle(as_of=self.as_of, at=self.at, actor=self.actor, account_ids=landing.account_ids)
        refs = [str(row[self.spec.key[0]]) for row in rows]
        landed = {row["ref"]: row for row in self.valued(self.spec.model._default_manager.filter(ref__in=refs))}
        return Response(self.shown(landed[ref] for ref in refs), status=201)

    def visible(self) -> QuerySet[Any]:
        """The rows on the caller's side of the team wall."""
        accounts = visible_accounts(self.request.user)
        rows: QuerySet[Any] = self.spec.model._default_manager.all()
        if self.spec.model is Account:
            return accounts
        if self.spec.model is Customer:
            return rows.filter(pk__in=accounts.values("customer"))
        return rows.filter(account__in=accounts)

    def narrowed(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if ref := asked.get("customer_id"):
            return rows.filter(**{"ref" if self.spec.model is Customer else "customer__ref": ref})
        if ref := asked.get("account_id"):
            return rows.filter(account__ref=ref)
        return rows

    def valued(self, rows: QuerySet[Any]) -> QuerySet[Any, dict[str, Any]]:
        """The rows as dictionaries by column, with their key and, where there is money, their currency."""
        # A column may be named like a field of the model that means something else: every one gets a prefix.
        paths = {f"column_{column.name}": F(value_path(self.spec, column)) for column in self.spec.columns}
        if any(column.kind.by_currency for column in self.spec.columns):
            paths["row_currency"] = F("account__currency")
        return rows.values("ref", row_key=F("pk"), **paths)

    def shown(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                column.name: _shown(row[f"column_{column.name}"], row.get("row_currency", ""))
                for column in self.spec.columns
            }
            for row in rows
        ]


def _shown(value: Any, currency: str) -> Any:
    """As a file would have it; what a file leaves empty is null."""
    if isinstance(value, Decimal):
        return plain(value, currency)
    if isinstance(value, date):
        return value.isoformat()
    return None if value == "" else value


def _list_of_objects(given: Any) -> Sequence[dict[str, Any]]:
    if not isinstance(given, list) or not given:
        raise serializers.ValidationError("Send a list of objects, with at least one.")
    if len(given) > MOST_ROWS:
        raise serializers.ValidationError(f"At most {MOST_ROWS:,} objects at a time.")
    for index, row in enumerate(given):
        if not isinstance(row, dict):
            raise serializers.ValidationError({str(index): "Is not an object."})
    return given


# The schema of a list follows from its spec, too.

_FIELDS: dict[columns.Kind, Any] = {
    columns.DATE: Day,
    columns.BOOLEAN: serializers.BooleanField,
    columns.CURRENCY: serializers.CharField,
}


def _field(model: type[Model], column: Column) -> serializers.Field[Any, Any, Any, Any]:
    options: dict[str, Any] = {"required": column.required, "allow_null": not column.required}
    if column.kind.by_currency:
        return Amount(**options)
    if column.kind in _FIELDS:
        field: serializers.Field[Any, Any, Any, Any] = _FIELDS[column.kind](**options)
        return field
    stored = {str(each.column): each for each in model._meta.concrete_fields}.get(column.seeds or book_column(column))
    if stored is not None and stored.choices:
        return serializers.ChoiceField(choices=list(stored.flatchoices), **options)
    return serializers.CharField(**options)


def shape_of(name: str, spec: FileSpec) -> type[serializers.Serializer[Any]]:
    """The serializer of one row, for the schema."""
    fields = {column.name: _field(spec.model, column) for column in spec.columns}
    return type(name, (serializers.Serializer,), fields)


def facts_view(
    name: str, spec: FileSpec, example: dict[str, str], *, listing: type[pages.Paged] = Listing
) -> type[FactsView]:
    """The view of one list."""
    shape = shape_of(name, spec)
    plural = spec.file.removesuffix(".csv")

    @extend_schema(
        operation_id=f"{plural}_list",
        summary=f"The {plural} of the book",
        description=f"With the columns of `{spec.file}`, oldest first; those on the caller's side of the team wall.",
        parameters=[listing],
        responses={200: list_of(shape), **REFUSALS(400, 401, 403)},
    )
    def get(self: FactsView, request: Request) -> Response:
        return self.answer_list(request)

    @extend_schema(
        operation_id=f"{plural}_create",
        summary=f"Bring {plural}: all of the list or none",
        description=(
            f"Objects with the columns of `{spec.file}`. An id that is there already is brought to what the object "
            "says. Amounts are shown at once in the account's resource. A row that cannot be used refuses the list; "
            "`errors` names each by `index` and `column`."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=shape(many=True),
        responses={201: shape(many=True), **REFUSALS(400, 401, 403, 409)},
        examples=[OpenApiExample(name, value=[example], request_only=True)],
    )
    @given_once
    def post(self: FactsView, request: Request) -> Response:
        return self.take_list(request)

    return type(f"{name}Facts", (FactsView,), {"spec": spec, "listing": listing, "get": get, "post": post})


Customers = facts_view(
    "Customer",
    CUSTOMERS,
    {"customer_id": "C1", "name": "Ana Ruiz", "language": "es", "timezone": "Europe/Madrid", "country": "ES"},
    listing=CustomerListing,
)
Accounts = facts_view(
    "Account", ACCOUNTS, {"account_id": "A1", "customer_id": "C1", "currency": "EUR"}, listing=CustomerListing
)
Services = facts_view("Service", SERVICES, {"service_id": "S1", "account_id": "A1", "kind": "mobile"})
Bills = facts_view(
    "Bill",
    BILLS,
    {"bill_id": "B1", "account_id": "A1", "issued_on": "2026-08-01", "due_on": "2026-08-15", "amount": "42.50"},
)
Payments = facts_view(
    "Payment", PAYMENTS, {"payment_id": "P1", "account_id": "A1", "received_on": "2026-08-20", "amount": "42.50"}
)
Adjustments = facts_view(
    "Adjustment",
    ADJUSTMENTS,
    {"adjustment_id": "J1", "account_id": "A1", "on": "2026-08-21", "amount": "-5.00", "bill_id": "B1"},
)
