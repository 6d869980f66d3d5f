"""What customers write back, told by whatever carries their messages. Nobody logs in here: the signature is the proof.

As for receipts, ``X-Signature`` is the HMAC-SHA256 of the exact body in hex, under ``DESK_CALLBACK_SECRET``. A message
is known by its ``id``: sent again, it is answered as before and nothing happens twice.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collections_desk.api.bodies import Body, Moment, StrictJSONParser, Text
from collections_desk.api.callbacks import RawParser
from collections_desk.api.doors import DeskView
from collections_desk.api.schema import REFUSALS
from collections_desk.api.shapes import Taken
from dunning import inbound
from dunning.gateways.base import Incoming
from dunning.gateways.receipts import verify_signature

#: Where customers can write to us, by the name in the address.
DOORS = ("sms", "email")
MOST_MESSAGES = 1_000


class MessageBody(Body):
    """One message of a customer."""

    id = Text(max_length=200, help_text="The provider's own; the same again is the same message.")
    to = Text(max_length=254, required=False, allow_blank=True, default="")
    text = Text(max_length=inbound.MOST_KEPT, allow_blank=True, trim_whitespace=False)
    subject = Text(max_length=300, required=False, allow_blank=True, default="")
    received_at = Moment()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With ``from``, which Python keeps for itself."""
        return {**super().get_fields(), "from": Text(max_length=254, help_text="The number or address it came from.")}


class InboundView(DeskView):
    authentication_classes = []
    permission_classes = []
    parser_classes = [RawParser]

    @extend_schema(
        operation_id="inbound",
        summary="Messages from customers",
        description="Gateways: sms, email. The body is one message, or a list of at most 1,000.",
        parameters=[
            OpenApiParameter("gateway", str, OpenApiParameter.PATH, enum=list(DOORS)),
            OpenApiParameter("X-Signature", str, OpenApiParameter.HEADER, description="`sha256=` and the hex digest."),
        ],
        request={"application/json": MessageBody},
        responses={200: Taken, **REFUSALS(400, 403, 404)},
        auth=[],
        examples=[
            OpenApiExample(
                "Somebody has had enough",
                request_only=True,
                value={
                    "id": "mo-1",
                    "from": "+447946000002",
                    "to": "60777",
                    "text": "STOP",
                    "received_at": "2026-08-04T10:00:05Z",
                },
            )
        ],
    )
    def post(self, request: Request, gateway: str) -> Response:
        if gateway not in DOORS:
            raise Http404
        content: Any = request.data
        body = content if isinstance(content, bytes) else b""  # without a body nothing is parsed
        if not verify_signature(body, request.headers.get("X-Signature", ""), settings.CALLBACK_SECRET):
            raise exceptions.PermissionDenied("The signature does not fit the body.")
        given = StrictJSONParser().parse(BytesIO(body))
        rows = given if isinstance(given, list) else [given]
        if len(rows) > MOST_MESSAGES:
            raise serializers.ValidationError(f"At most {MOST_MESSAGES:,} at a time.")
        told = MessageBody(data=rows, many=True)
        told.is_valid(raise_exception=True)
        for each in told.validated_data:
            inbound.receive(
                Incoming(
                    gateway=gateway,
                    provider_ref=each["id"],
                    channel=gateway,
                    sender=each["from"],
                    recipient=each["to"],
                    text=each["text"],
                    subject=each["subject"],
                    received_at=each["received_at"],
                ),
                as_of=self.as_of,
                at=self.at,
            )
        return Response({"taken": len(rows)})
