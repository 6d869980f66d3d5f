"""Whom the desk tells of events: set up by admins, with the letters that could not be delivered."""

from __future__ import annotations

import secrets
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import events
from agents.models import Webhook, WebhookCall
from agents.rights import Act
from collections_desk import webhooks
from collections_desk.api import pages
from collections_desk.api.bodies import Body, Text
from collections_desk.api.doors import DeskView, given_once
from collections_desk.api.schema import IDEMPOTENCY_KEY, REFUSALS
from collections_desk.api.shapes import DeadLetter, WebhookMade, WebhookShape, list_of
from collections_desk.resource import moment

ADDED, REMOVED = "agents.webhook.added", "agents.webhook.removed"
KIND = r"^[a-z_]+(\.[a-z_]+)*\.?\Z"


class WebhookBody(Body):
    url = Text(max_length=500)
    events = serializers.ListField(
        child=serializers.RegexField(KIND, max_length=60),
        min_length=1,
        max_length=50,
        help_text="Kinds that begin with one of these: `agents.promise`, `accounts.status.changed`, `dunning`.",
    )
    secret = Text(
        required=False, min_length=16, max_length=100, help_text="Made for you unless given; signs every call."
    )


class WebhooksView(DeskView):
    act = (Act.MANAGE_WEBHOOKS,)

    @extend_schema(
        operation_id="webhooks_list",
        summary="The webhooks, with what waits and what was given up",
        parameters=[pages.Paged],
        responses={200: list_of(WebhookShape), **REFUSALS(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        asked = self.query(pages.Paged)
        return Response(pages.page(request, _counted(), asked, shown=_shown, key=lambda webhook: webhook.pk))

    @extend_schema(
        operation_id="webhooks_create",
        summary="Be told of events",
        description=(
            "Every matching event is posted to the URL as JSON, with `X-Signature: sha256=…`, the HMAC-SHA256 of the "
            "body under the secret. Anything but 2xx is tried again for two days, then kept as a dead letter."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=WebhookBody,
        responses={201: WebhookMade, **REFUSALS(400, 401, 403, 409)},
        examples=[
            OpenApiExample(
                "Promises and status",
                request_only=True,
                value={"url": "https://crm.example.com/desk", "events": ["agents.promise", "accounts.status.changed"]},
            )
        ],
    )
    @given_once
    def post(self, request: Request) -> Response:
        given = self.body(WebhookBody)
        webhook = Webhook.objects.create(
            url=webhooks.checked_url(given["url"]),
            events=list(dict.fromkeys(given["events"])),
            secret=given.get("secret") or secrets.token_urlsafe(32),
            created_by=self.actor,
            created_at=self.at,
        )
        self._record(ADDED, webhook)
        [answer] = _shown(list(_counted().filter(pk=webhook.pk)))
        return Response({**answer, "secret": webhook.secret}, status=201)

    def _record(self, kind: str, webhook: Webhook) -> None:
        events.record(
            account_id=None,
            kind=kind,
            actor=self.actor,
            at=self.at,
            on=self.as_of,
            payload={"webhook": webhook.pk, "events": webhook.events},
        )


class WebhookView(WebhooksView):
    @extend_schema(
        operation_id="webhook", summary="A webhook", responses={200: WebhookShape, **REFUSALS(401, 403, 404)}
    )
    def get(self, request: Request, pk: int) -> Response:  # type: ignore[override]
        rows = _shown(list(_counted().filter(pk=pk)))
        if not rows:
            raise Http404
        return Response(rows[0])

    @extend_schema(
        operation_id="webhook_delete",
        summary="Be told no more",
        responses={
            204: OpenApiResponse(description="Gone, with the calls it still waited for."),
            **REFUSALS(401, 403, 404),
        },
    )
    def delete(self, request: Request, pk: int) -> Response:
        webhook = Webhook.objects.filter(pk=pk).first()
        if webhook is None:
            raise Http404
        self._record(REMOVED, webhook)
        webhook.delete()
        return Response(status=204)

    http_method_names = ["get", "delete", "head", "options"]


class DeadLettersView(DeskView):
    act = (Act.MANAGE_WEBHOOKS,)

    @extend_schema(
        operation_id="webhooks_dead_letters",
        summary="Calls that were given up",
        parameters=[pages.Paged],
        responses={200: list_of(DeadLetter), **REFUSALS(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        asked = self.query(pages.Paged)
        dead = WebhookCall.objects.filter(state=WebhookCall.State.DEAD).select_related("event")
        return Response(pages.page(request, dead, asked, shown=_dead, key=lambda call: call.pk))


class SendAgainView(DeskView):
    act = (Act.MANAGE_WEBHOOKS,)

    @extend_schema(
        operation_id="webhooks_send_again",
        summary="Give a dead letter another round",
        request=None,
        responses={204: OpenApiResponse(description="It will be tried at once."), **REFUSALS(401, 403, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        if not webhooks.send_again(pk, at=self.at):
            raise Http404
        return Response(status=204)


def _counted() -> QuerySet[Any]:
    return Webhook.objects.annotate(
        waiting=Count("calls", filter=Q(calls__state=WebhookCall.State.PENDING)),
        dead=Count("calls", filter=Q(calls__state=WebhookCall.State.DEAD)),
    )


def _shown(rows: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "webhook_id": row.pk,
            "url": row.url,
            "events": list(row.events),
            "active": row.active,
            "created_at": moment(row.created_at),
            "created_by": row.created_by,
            "waiting": row.waiting,
            "dead": row.dead,
        }
        for row in rows
    ]


def _dead(rows: list[WebhookCall]) -> list[dict[str, Any]]:
    return [
        {
            "call_id": row.pk,
            "webhook_id": row.webhook_id,
            "event_id": row.event_id,
            "kind": row.event.kind,
            "attempts": row.attempts,
            "reason": row.reason,
            "given_up_at": moment(row.finished_at) if row.finished_at else None,
        }
        for row in rows
    ]
