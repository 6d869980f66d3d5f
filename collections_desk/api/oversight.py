"""What supervisors look at: the figures, and the history with its proof."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit
from accounts.models import AccountEvent, Seal
from agents import audit_search, kpis, rights, scopes, snapshots
from agents.rights import Act
from collections_desk.api import pages
from collections_desk.api.answers import event_answers
from collections_desk.api.bodies import Body, Day, OneOf, Ref, Text, WholeInAddress
from collections_desk.api.doors import DeskView
from collections_desk.api.schema import REFUSALS
from collections_desk.api.shapes import AuditVerdict, Figures, SealedEvent, list_of


class FiguresQuestion(Body):
    as_of = Day(required=False, help_text="The business date unless given.")
    days = WholeInAddress(required=False, default=30, min_value=1, max_value=kpis.LONGEST_PERIOD)
    currency = Text(required=False, max_length=3, help_text="Needed where the book has several.")
    scope = Text(
        required=False, default="all", max_length=140, help_text="`all`, or a part of the book such as `team:North`."
    )
    as_recorded = OneOf(
        choices=("true", "false"),
        required=False,
        default="false",
        help_text="`true`: as recorded at the close of the day; else as known now.",
    )


class FiguresView(DeskView):
    act = (Act.SEE_KPIS,)

    @extend_schema(
        operation_id="kpis",
        summary="Receivables and KPIs of the days that end with a date",
        parameters=[FiguresQuestion],
        responses={200: Figures, **REFUSALS(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        asked = self.query(FiguresQuestion)
        scope = scopes.named(asked["scope"])
        if scope is None:
            raise ValidationError({"scope": "Write all, or a part of the book as team:North."})
        if not scopes.allowed(request.user).covers(scope):
            raise PermissionDenied("These figures are not yours to see: name your own team as the scope.")
        as_of = asked.get("as_of", self.as_of)
        days, currency = asked["days"], asked.get("currency")
        if asked["as_recorded"] == "true":
            return Response(snapshots.as_it_was(as_of=as_of, days=days, currency=currency, scope=scope))
        return Response(kpis.compute(as_of=as_of, days=days, currency=currency, business_date=self.as_of, scope=scope))


class AuditQuestion(pages.Paged):
    account = Ref(required=False, help_text="Events of this account; of all unless given.")
    kind = Text(required=False, max_length=60, help_text="Kinds that begin with this.")
    actor = Text(required=False, max_length=80, help_text="Actors that begin with this.")
    first = Day(required=False, help_text="Business day from which on.")
    last = Day(required=False, help_text="Business day up to which.")
    rule = Text(required=False, max_length=30, help_text="Events that name this rule of a pack.")
    policy = Text(required=False, max_length=80, help_text="Behind which this version stood: `residential@3`, or any.")


class AuditView(DeskView):
    act = (Act.SEE_AUDIT,)

    @extend_schema(
        operation_id="audit",
        summary="The history, oldest first",
        parameters=[AuditQuestion],
        responses={200: list_of(SealedEvent), **REFUSALS(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        asked = self.query(AuditQuestion)
        account_id = None
        if ref := asked.get("account"):
            account_id = rights.visible_accounts(request.user).filter(ref=ref).values_list("pk", flat=True).first()
            if account_id is None:
                raise Http404
        narrowed = {name: asked[name] for name in ("first", "last", "rule", "policy") if name in asked}
        search = audit_search.Search(account_id=account_id, **narrowed)
        seen = audit_search.seen_by(request.user)
        events = audit_search.events_of(search, known=audit_search.chain(), seen=seen).select_related("account")
        if kind := asked.get("kind"):
            events = events.filter(kind__startswith=kind)
        if actor := asked.get("actor"):
            events = events.filter(actor__startswith=actor)
        return Response(pages.page(request, events, asked, shown=sealed_events, key=lambda event: event.pk))


def sealed_events(events: list[AccountEvent]) -> list[dict[str, Any]]:
    """Events, each with whether the hash chain covers it."""
    last = Seal.objects.order_by("-pk").values_list("last_event_id", flat=True).first() or 0
    return [{**answer, "sealed": answer["event_id"] <= last} for answer in event_answers(events)]


class VerifyView(DeskView):
    act = (Act.SEE_AUDIT,)

    @extend_schema(
        operation_id="audit_verify",
        summary="Recompute the hash chain over all events",
        responses={200: AuditVerdict, **REFUSALS(401, 403)},
    )
    def get(self, request: Request) -> Response:
        verdict = audit.verify()
        problem = verdict.first_problem
        return Response(
            {
                "events": verdict.events,
                "seals": verdict.seals,
                "ok": verdict.ok,
                "first_problem": asdict(problem) if problem else None,
            }
        )
