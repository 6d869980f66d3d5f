"""What gateways and the network tell afterwards. Nobody logs in here: the signature is the proof.

``X-Signature`` is the HMAC-SHA256 of the exact body in hex, under ``DESK_CALLBACK_SECRET``. The same news twice is
taken once, so a body that is sent again does no harm.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from agents import dialling
from collections_desk.api.bodies import Body, OneOf, StrictJSONParser, Text, TooLarge, Whole
from collections_desk.api.doors import DeskView
from collections_desk.api.schema import REFUSALS
from collections_desk.api.shapes import Taken
from dunning import receipts
from dunning.gateways.receipts import MOST_RECEIPTS, ReceiptRefused, parse_receipt, verify_signature

MESSAGES = ("sms", "email", "letter", "in_app", "voice")
NETWORK = "network"
CTI = "cti"


class RawParser(BaseParser):
    """The exact bytes, for the signature; whatever type the sender says they are."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content: bytes = stream.read(most + 1)
        if len(content) > most:
            raise TooLarge
        return content


class Confirmation(Body):
    """The network's word on an order."""

    key = Text(max_length=120)
    state = OneOf(choices=("confirmed", "failed"))
    detail = Text(required=False, allow_blank=True, default="", max_length=300)


class CallNews(Body):
    """The telephone system's word on a call."""

    key = Text(max_length=64)
    state = OneOf(choices=("ringing", "answered", "ended", "failed"))
    duration_seconds = Whole(required=False, allow_null=True, min_value=0, max_value=86_400)
    number = Text(required=False, allow_blank=True, default="", max_length=40)
    agent = Text(required=False, allow_blank=True, default="", max_length=150)
    detail = Text(required=False, allow_blank=True, default="", max_length=200)


class ReceiptBody(Body):
    """One receipt, for the schema; reading it is ``dunning.gateways.receipts``' business."""

    key = Text(required=False, help_text="Ours; or `id`, the provider's own.")
    id = Text(required=False)
    state = OneOf(
        choices=("delivered", "bounced", "failed", "confirmed", "ringing", "answered", "ended"),
        help_text="Of a call: ringing, answered, ended, failed.",
    )
    at = Text(required=False, help_text="The moment with its offset; not for the network.")
    detail = Text(required=False)
    number = Text(required=False, help_text="Of a call that comes in: who calls.")
    agent = Text(required=False, help_text="Of a call that comes in: the login of whose telephone rings.")
    duration_seconds = Whole(required=False, help_text="Of a call that ended: how long they talked.")


class CallbackView(DeskView):
    authentication_classes = []
    permission_classes = []
    parser_classes = [RawParser]

    @extend_schema(
        operation_id="callback",
        summary="Delivery receipts, the network's confirmations, and news of calls",
        description=(
            "Gateways: sms, email, letter, in_app, voice, network, cti. "
            "The body is one object, a list of them, or `{receipts: [...]}`."
        ),
        parameters=[
            OpenApiParameter("gateway", str, OpenApiParameter.PATH, enum=[*MESSAGES, NETWORK, CTI]),
            OpenApiParameter("X-Signature", str, OpenApiParameter.HEADER, description="`sha256=` and the hex digest."),
        ],
        request={"application/json": ReceiptBody},
        responses={200: Taken, **REFUSALS(400, 403, 404)},
        auth=[],
        examples=[
            OpenApiExample(
                "An SMS arrived",
                request_only=True,
                value={"key": "17.warning.0.sms", "state": "delivered", "at": "2026-08-04T10:00:05Z"},
            ),
            OpenApiExample(
                "A call ended",
                request_only=True,
                value={"key": "desk-4f1c2b", "state": "ended", "duration_seconds": 184},
            ),
            OpenApiExample(
                "A service is barred",
                request_only=True,
                value={"key": "17.bar.0.S1", "state": "confirmed", "detail": ""},
            ),
        ],
    )
    def post(self, request: Request, gateway: str) -> Response:
        if gateway not in (*MESSAGES, NETWORK, CTI):
            raise Http404
        content: Any = request.data
        body = content if isinstance(content, bytes) else b""  # without a body nothing is parsed
        if not verify_signature(body, request.headers.get("X-Signature", ""), settings.CALLBACK_SECRET):
            raise exceptions.PermissionDenied("The signature does not fit the body.")
        takes = {NETWORK: self._confirm, CTI: self._hear}.get(gateway, self._take)
        return Response({"taken": takes(body)})

    def _take(self, body: bytes) -> int:
        try:
            told = parse_receipt(body)
        except ReceiptRefused as refused:
            raise exceptions.ParseError(f"{str(refused)[0].upper()}{str(refused)[1:]}.") from None
        return receipts.take(told, as_of=self.as_of, at=self.at)

    def _read(self, body: bytes, shape: type[Body]) -> list[dict[str, Any]]:
        """The rows of a body: one object, a list of them, or ``{receipts: [...]}``."""
        given = StrictJSONParser().parse(BytesIO(body))
        if isinstance(given, dict) and "receipts" in given:
            given = given["receipts"]
        rows = given if isinstance(given, list) else [given]
        if len(rows) > MOST_RECEIPTS:
            raise serializers.ValidationError(f"At most {MOST_RECEIPTS:,} at a time.")
        told = shape(data=rows, many=True)
        told.is_valid(raise_exception=True)
        checked: list[dict[str, Any]] = told.validated_data
        return checked

    def _hear(self, body: bytes) -> int:
        return sum(
            dialling.hear(
                key=each["key"],
                state=each["state"],
                number=each["number"],
                agent=each["agent"],
                duration_seconds=each.get("duration_seconds"),
                detail=each["detail"],
                at=self.at,
            )
            for each in self._read(body, CallNews)
        )

    def _confirm(self, body: bytes) -> int:
        return sum(
            receipts.confirm_order(
                key=each["key"],
                confirmed=each["state"] == "confirmed",
                detail=each["detail"],
                as_of=self.as_of,
                at=self.at,
            )
            for each in self._read(body, Confirmation)
        )
