"""One account as machines see it: its resource, its timeline, and whether its customer may be contacted."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.business_day import calendar_date
from accounts.models import AccountEvent
from agents import calls
from agents.rights import Act
from collections_desk.api import pages
from collections_desk.api.answers import event_answers
from collections_desk.api.bodies import Body, Moment, OneOf
from collections_desk.api.doors import DeskView
from collections_desk.api.schema import REFUSALS
from collections_desk.api.shapes import AccountResource, Decision, EventShape, list_of
from collections_desk.resource import account_resources, decision_resource

CHANNELS = ("call", "sms", "email", "letter")


class AccountView(DeskView):
    act = (Act.WORK, Act.IMPORT_FACTS)

    @extend_schema(
        operation_id="account",
        summary="An account as of the business date",
        responses={200: AccountResource, **REFUSALS(401, 403, 404)},
    )
    def get(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        return Response(account_resources([account.pk], as_of=self.as_of, at=self.at)[account.ref])


class TimelineView(DeskView):
    @extend_schema(
        operation_id="account_timeline",
        summary="Everything said, done, seen or refused, newest first",
        parameters=[pages.Paged],
        responses={200: list_of(EventShape), **REFUSALS(400, 401, 403, 404)},
    )
    def get(self, request: Request, ref: str) -> Response:
        asked = self.query(pages.Paged)
        events = AccountEvent.objects.filter(account=self.account(ref)).select_related("account")
        return Response(
            pages.page(request, events, asked, shown=event_answers, key=lambda event: event.pk, newest_first=True)
        )


class ContactQuestion(Body):
    channel = OneOf(choices=CHANNELS)
    at = Moment(required=False, help_text="Now unless given; without an offset, UTC.")


class ContactCheckView(DeskView):
    @extend_schema(
        operation_id="account_contact_check",
        summary="May the customer be contacted on a channel",
        parameters=[ContactQuestion],
        responses={200: Decision, **REFUSALS(400, 401, 403, 404)},
    )
    def get(self, request: Request, ref: str) -> Response:
        asked = self.query(ContactQuestion)
        at = asked.get("at")
        decision = calls.ask_gate(
            account_id=self.account(ref).pk,
            channel=asked["channel"],
            at=at or self.at,
            # Of another moment the day of that moment is meant: what held then, or will.
            as_of=self.as_of if at is None else calendar_date(at=at),
        )
        return Response(decision_resource(decision))
