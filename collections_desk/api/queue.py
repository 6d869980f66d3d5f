"""The agents' queue: the next account, and leaving it."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents import dialling, offering, queue
from agents.models import Interaction, WorkItem
from collections_desk.api.answers import item_answer
from collections_desk.api.bodies import Body, Moment, Text
from collections_desk.api.doors import DeskView, given_once, visible_accounts
from collections_desk.api.schema import IDEMPOTENCY_KEY, REFUSALS
from collections_desk.api.shapes import ClaimedItem, LeftItem


class Nothing(Body):
    """A call without a body."""


class NextView(DeskView):
    @extend_schema(
        operation_id="queue_next",
        summary="Claim the best free item",
        description="Whoever holds a claim already gets the oldest of those again, with a fresh lease of 15 minutes.",
        request=None,
        responses={
            200: ClaimedItem,
            204: OpenApiResponse(description="Nothing is free."),
            **REFUSALS(400, 401, 403, 409),
        },
    )
    def post(self, request: Request) -> Response:
        self.body(Nothing)
        dialling.refuse_next(agent=self.agent)
        item = offering.next_account(agent=self.agent, at=self.at)
        if item is None:
            return Response(status=204)
        return Response(item_answer(item, account=item.account.ref))


class ItemView(DeskView):
    def item(self, pk: int) -> WorkItem:
        """The item, if its account is on the caller's side of the team wall. Raises ``Http404``."""
        visible = visible_accounts(self.request.user)
        item = WorkItem.objects.select_related("account").filter(pk=pk, account__in=visible).first()
        if item is None:
            raise Http404
        return item


class ReleaseView(ItemView):
    @extend_schema(
        operation_id="queue_release",
        summary="Give an item back",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: LeftItem, **REFUSALS(400, 401, 403, 404, 409)},
    )
    @given_once
    def post(self, request: Request, item: int) -> Response:
        self.body(Nothing)
        row = self.item(item)
        queue.release(item_id=row.pk, agent=self.agent, at=self.at)
        return Response({"item": row.pk, "account_id": row.account.ref, "status": "waiting"})


class CompleteBody(Body):
    outcome = Text(required=False, max_length=60, default="done")
    not_before = Moment(required=False, allow_null=True, help_text="Offer it again from then on; else it is done.")


class CompleteView(ItemView):
    @extend_schema(
        operation_id="queue_complete",
        summary="Finish with an item, for good or until later",
        parameters=[IDEMPOTENCY_KEY],
        request=CompleteBody,
        responses={200: LeftItem, **REFUSALS(400, 401, 403, 404, 409)},
        examples=[
            OpenApiExample(
                "Call back tomorrow",
                request_only=True,
                value={"outcome": "rpc_callback", "not_before": "2026-08-05T09:00:00Z"},
            )
        ],
    )
    @given_once
    def post(self, request: Request, item: int) -> Response:
        row = self.item(item)
        given = self.body(CompleteBody)
        not_before = given.get("not_before")
        if not_before is not None and not_before <= self.at:
            raise serializers.ValidationError({"not_before": "Has passed already."})
        left = queue.complete(
            item_id=row.pk,
            agent=self.agent,
            at=self.at,
            outcome=given["outcome"],
            not_before=not_before,
            kept_for=self.agent if self._agreed_to_call(row, not_before) else None,
        )
        status = "done" if left.done_at else "waiting"
        return Response({"item": row.pk, "account_id": row.account.ref, "status": status})

    def _agreed_to_call(self, row: WorkItem, moment: datetime | None) -> bool:
        """Whether the caller has logged that they call back at that moment: then it is theirs first."""
        return (
            moment is not None
            and Interaction.objects.filter(account=row.account_id, agent=self.agent, callback_at=moment).exists()
        )
