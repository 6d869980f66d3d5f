"""Time to pay, settlements and cheaper products: agreed on an account, and looked at by their own id."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.money import plain
from agents import downgrades, extensions, settlements
from agents.models import Agreed, Downgrade, Extension, Settlement
from agents.rights import Act
from collections_desk.api.acts import bills
from collections_desk.api.answers import day
from collections_desk.api.bodies import Amount, Body, Day, OneOf, Ref, Text, YesNo
from collections_desk.api.doors import DeskView, given_once, visible_accounts
from collections_desk.api.schema import IDEMPOTENCY_KEY, REFUSALS

Shape = serializers.Serializer[Any]
OfAccount = TypeVar("OfAccount", Extension, Settlement, Downgrade)


class ExtensionShape(Shape):
    extension_id = serializers.CharField()
    account_id = serializers.CharField()
    status = serializers.ChoiceField(Extension.Status.choices)
    made_on = Day()
    until = Day()
    bill_ids = serializers.ListField(child=serializers.CharField())
    settled_on = Day(allow_null=True)
    note = serializers.CharField()


class SettlementShape(Shape):
    settlement_id = serializers.CharField()
    account_id = serializers.CharField()
    status = serializers.ChoiceField(Settlement.Status.choices)
    made_on = Day()
    pay_by = Day()
    bill_ids = serializers.ListField(child=serializers.CharField())
    balance = Amount(help_text="What is owed, the desk's own fees included.")
    amount = Amount(help_text="What is taken for it when it is paid by `pay_by`.")
    paid = Amount()
    wants = serializers.ListField(child=serializers.CharField(), help_text="Roles that must still agree.")
    settled_on = Day(allow_null=True)
    note = serializers.CharField()


class DowngradeShape(Shape):
    downgrade_id = serializers.CharField()
    account_id = serializers.CharField()
    service_id = serializers.CharField()
    state = serializers.ChoiceField(Downgrade.State.choices)
    to_product = serializers.CharField()
    from_fee = Amount()
    to_fee = Amount()
    note = serializers.CharField()


def _extension(row: Extension) -> dict[str, Any]:
    return {
        "extension_id": row.ref,
        "account_id": row.account.ref,
        "status": row.status,
        "made_on": day(row.made_on),
        "until": day(row.until),
        "bill_ids": list(row.bill_refs),
        "settled_on": day(row.settled_on),
        "note": row.note,
    }


def _settlement(row: Settlement) -> dict[str, Any]:
    currency = row.account.currency
    return {
        "settlement_id": row.ref,
        "account_id": row.account.ref,
        "status": row.status,
        "made_on": day(row.made_on),
        "pay_by": day(row.pay_by),
        "bill_ids": list(row.bill_refs),
        "balance": plain(row.balance, currency),
        "amount": plain(row.amount, currency),
        "paid": plain(Decimal(row.paid), currency),  # a new row's default is not read back
        "wants": list(row.wants),
        "settled_on": day(row.settled_on),
        "note": row.note,
    }


def _downgrade(row: Downgrade) -> dict[str, Any]:
    currency = row.account.currency
    return {
        "downgrade_id": row.ref,
        "account_id": row.account.ref,
        "service_id": row.service.ref,
        "state": row.state,
        "to_product": row.to_product,
        "from_fee": plain(row.from_fee, currency),
        "to_fee": plain(row.to_fee, currency),
        "note": row.note,
    }


class TermsView(DeskView):
    acts = {"GET": (Act.WORK, Act.IMPORT_FACTS)}

    def found(self, model: type[OfAccount], ref: str) -> OfAccount:
        """The row by its own id, of an account the caller may see. Raises ``Http404``."""
        visible = visible_accounts(self.request.user)
        row = model._default_manager.select_related("account").filter(ref=ref, account__in=visible).first()
        if row is None:
            raise Http404
        return row


class ExtensionBody(Body):
    until = Day(help_text="The last day on which nothing is asked for.")
    bill_ids = bills()
    note = Text(required=False, allow_blank=True, default="")
    agreed_by = OneOf(choices=Agreed.choices, required=False, default="")


class ExtensionsView(DeskView):
    @extend_schema(
        operation_id="account_extension",
        summary="Give time to pay",
        description="Beyond the caller's authority, it waits.",
        parameters=[IDEMPOTENCY_KEY],
        request=ExtensionBody,
        responses={201: ExtensionShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[OpenApiExample("A fortnight", request_only=True, value={"until": "2026-09-15"})],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(ExtensionBody)
        made = extensions.agree(
            account_id=account.pk,
            until=given["until"],
            bill_refs=given.get("bill_ids"),
            note=given["note"],
            agreed_by=given["agreed_by"],
            actor=self.actor,
            agent=self.agent,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(_extension(made), status=201)


class ExtensionView(TermsView):
    @extend_schema(
        operation_id="extension", summary="Time to pay", responses={200: ExtensionShape, **REFUSALS(401, 403, 404)}
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(_extension(self.found(Extension, ref)))


class SettlementBody(Body):
    amount = Amount()
    pay_by = Day()
    bill_ids = bills()
    note = Text(required=False, allow_blank=True, default="")
    agreed_by = OneOf(choices=Agreed.choices, required=False, default="")


class SettlementsView(DeskView):
    @extend_schema(
        operation_id="account_settlement",
        summary="Offer to settle for less",
        description="Beyond the caller's authority, it waits for the roles in `wants`.",
        parameters=[IDEMPOTENCY_KEY],
        request=SettlementBody,
        responses={201: SettlementShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[OpenApiExample("Ten percent", request_only=True, value={"amount": "360.00", "pay_by": "2026-09-10"})],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(SettlementBody)
        made = settlements.agree(
            account_id=account.pk,
            amount=given["amount"],
            pay_by=given["pay_by"],
            bill_refs=given.get("bill_ids"),
            note=given["note"],
            agreed_by=given["agreed_by"],
            actor=self.actor,
            agent=self.agent,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(_settlement(made), status=201)


class SettlementView(TermsView):
    @extend_schema(
        operation_id="settlement", summary="A settlement", responses={200: SettlementShape, **REFUSALS(401, 403, 404)}
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(_settlement(self.found(Settlement, ref)))


class DowngradeBody(Body):
    service_id = Ref()
    to_product = Text(max_length=80)
    to_fee = Amount(help_text="What it costs a month.")
    note = Text(required=False, allow_blank=True, default="", max_length=300)


class DowngradesView(DeskView):
    @extend_schema(
        operation_id="account_downgrade",
        summary="Ask for a cheaper product",
        description="Whoever listens to `agents.downgrade.requested` is told, and answers.",
        parameters=[IDEMPOTENCY_KEY],
        request=DowngradeBody,
        responses={201: DowngradeShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(DowngradeBody)
        made = downgrades.ask(
            account_id=account.pk,
            service_ref=given["service_id"],
            to_product=given["to_product"],
            to_fee=given["to_fee"],
            note=given["note"],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(_downgrade(made), status=201)


class DowngradeView(TermsView):
    @extend_schema(
        operation_id="downgrade",
        summary="A cheaper product that was asked for",
        responses={200: DowngradeShape, **REFUSALS(401, 403, 404)},
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(_downgrade(self.found(Downgrade, ref)))


class AnswerBody(Body):
    done = YesNo(help_text="Whether the service has the cheaper product now.")
    note = Text(required=False, allow_blank=True, default="", max_length=300)


class DowngradeAnswerView(TermsView):
    act = (Act.IMPORT_FACTS, Act.SUPERVISE)

    @extend_schema(
        operation_id="downgrade_answer",
        summary="Billing's answer to a cheaper product",
        parameters=[IDEMPOTENCY_KEY],
        request=AnswerBody,
        responses={200: DowngradeShape, **REFUSALS(400, 401, 403, 404, 409)},
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        found = self.found(Downgrade, ref)
        given = self.body(AnswerBody)
        answered = downgrades.answer(
            downgrade_id=found.pk,
            done=given["done"],
            note=given["note"],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(_downgrade(answered))
