"""Promises, plans, disputes and holds by their own id: looked at, resolved, cancelled, lifted."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import holds
from accounts.models import Hold
from agents import disputes, evidence, plans, rights
from agents.models import Dispute, Plan, Promise
from agents.rights import Act
from collections_desk.api.answers import dispute_answer, evidence_answer, hold_answer, plan_answer, promise_answer
from collections_desk.api.bodies import Amount, Body, OneOf, Text, YesNo
from collections_desk.api.doors import DeskView, given_once, visible_accounts
from collections_desk.api.schema import IDEMPOTENCY_KEY, REFUSALS
from collections_desk.api.shapes import DisputeShape, EvidenceShape, HoldMade, PlanShape, PromiseShape

#: Characters of a file as large as one may be; what is larger says so itself.
MOST_ENCODED = 12_000_000

OfAccount = TypeVar("OfAccount", Promise, Plan, Dispute, Hold)


class AgreementView(DeskView):
    acts = {"GET": (Act.WORK, Act.IMPORT_FACTS)}

    def found(self, model: type[OfAccount], ref: str) -> OfAccount:
        """The row by its own id, of an account the caller may see. Raises ``Http404``."""
        visible = visible_accounts(self.request.user)
        rows = model._default_manager.select_related("account").filter(ref=ref, account__in=visible)
        row = rows.first()
        if row is None:
            raise Http404
        return row


def _of(row: Any) -> dict[str, str]:
    return {"account": row.account.ref, "currency": row.account.currency}


class PromiseView(AgreementView):
    @extend_schema(
        operation_id="promise", summary="A promise", responses={200: PromiseShape, **REFUSALS(401, 403, 404)}
    )
    def get(self, request: Request, ref: str) -> Response:
        promise = self.found(Promise, ref)
        return Response(promise_answer(promise, **_of(promise)))


class PlanView(AgreementView):
    @extend_schema(
        operation_id="plan", summary="A plan and its instalments", responses={200: PlanShape, **REFUSALS(401, 403, 404)}
    )
    def get(self, request: Request, ref: str) -> Response:
        plan = self.found(Plan, ref)
        return Response(plan_answer(plan, list(plan.instalments.order_by("position")), **_of(plan)))


class ReasonBody(Body):
    reason = Text(required=False, allow_blank=True, default="", max_length=300)


class PlanCancelBody(ReasonBody):
    together = YesNo(required=False, default=False, help_text="Also the plans that were agreed as one with it.")


class PlanCancelView(AgreementView):
    @extend_schema(
        operation_id="plan_cancel",
        summary="End a plan before its time",
        parameters=[IDEMPOTENCY_KEY],
        request=PlanCancelBody,
        responses={200: PlanShape, **REFUSALS(400, 401, 403, 404, 409)},
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        plan = self.found(Plan, ref)
        given = self.body(PlanCancelBody)
        ended = plans.cancel(
            plan_id=plan.pk,
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
            reason=given["reason"],
            together=given["together"],
        )
        return Response(plan_answer(ended, list(ended.instalments.order_by("position")), **_of(plan)))


class DisputeView(AgreementView):
    @extend_schema(
        operation_id="dispute", summary="A dispute", responses={200: DisputeShape, **REFUSALS(401, 403, 404)}
    )
    def get(self, request: Request, ref: str) -> Response:
        dispute = self.found(Dispute, ref)
        return Response(dispute_answer(dispute, **_of(dispute)))


class ResolveBody(Body):
    outcome = OneOf(choices=Dispute.Outcome.choices)
    note = Text(required=False, allow_blank=True, default="")
    credited = Amount(
        required=False, allow_null=True, default=None, help_text="Upheld for so much only; the rest is owed again."
    )
    told = Text(
        required=False,
        allow_blank=True,
        default="",
        max_length=disputes.LONGEST_WORDS,
        help_text="What the customer is told of the outcome, in their language.",
    )


class DisputeResolveView(AgreementView):
    act = (Act.RESOLVE_DISPUTE,)

    @extend_schema(
        operation_id="dispute_resolve",
        summary="Decide a dispute",
        parameters=[IDEMPOTENCY_KEY],
        request=ResolveBody,
        responses={200: DisputeShape, **REFUSALS(400, 401, 403, 404, 409)},
        examples=[OpenApiExample("Upheld", request_only=True, value={"outcome": "upheld", "note": "Billed twice"})],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        dispute = self.found(Dispute, ref)
        given = self.body(ResolveBody)
        resolved = disputes.resolve(
            dispute_id=dispute.pk,
            outcome=given["outcome"],
            note=given["note"],
            credited=given["credited"],
            told=given["told"],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(dispute_answer(resolved, **_of(dispute)))


class EvidenceBody(Body):
    name = Text(max_length=255)
    content = Text(max_length=MOST_ENCODED, help_text="The file, base64.")

    def validate_content(self, text: str) -> bytes:
        try:
            return b64decode(text, validate=True)
        except ValueError:
            raise serializers.ValidationError("Is not base64.") from None


class EvidenceListShape(serializers.Serializer[Any]):
    results = EvidenceShape(many=True)


class EvidenceView(AgreementView):
    @extend_schema(
        operation_id="dispute_evidence",
        summary="The files of a dispute, without what is in them",
        responses={200: EvidenceListShape, **REFUSALS(401, 403, 404)},
    )
    def get(self, request: Request, ref: str) -> Response:
        files = evidence.listed(self.found(Dispute, ref))
        return Response({"results": [evidence_answer(file) for file in files]})

    @extend_schema(
        operation_id="dispute_evidence_add",
        summary="Add a file to a dispute",
        description="PDF, PNG, JPEG, WebP, HEIC, plain text or e-mail. What it is, its bytes say; the same file again "
        "is the one that is there.",
        parameters=[IDEMPOTENCY_KEY],
        request=EvidenceBody,
        responses={201: EvidenceShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        dispute = self.found(Dispute, ref)
        given = self.body(EvidenceBody)
        kept = evidence.add(
            dispute_id=dispute.pk,
            name=given["name"],
            content=given["content"],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(evidence_answer(kept), status=201)


class HoldLiftView(AgreementView):
    @extend_schema(
        operation_id="hold_lift",
        summary="End a hold today",
        description="Who may is for the admins to say, reason by reason; until they do, agents lift manual holds and "
        "payments in flight, supervisors every hold.",
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonBody,
        responses={200: HoldMade, **REFUSALS(400, 401, 403, 404, 409)},
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        hold = self.found(Hold, ref)
        given = self.body(ReasonBody)
        if not rights.may_lift(request.user, hold.reason):
            raise PermissionDenied
        lifted = holds.lift(hold_id=hold.pk, actor=self.actor, as_of=self.as_of, at=self.at, reason=given["reason"])
        return Response(hold_answer(lifted, **_of(hold)))
