"""What is done on an account: calls, promises, disputes, holds, notes and plans."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import holds
from accounts.models import Hold
from agents import (
    calls,
    card_numbers,
    complaint_desk,
    complaints,
    disputes,
    identity,
    plans,
    promises,
    reasons,
    scripting,
)
from agents.instalments import MOST, Instalment
from agents.models import Complaint, IdentityCheck, Interaction
from collections_desk.api import pages
from collections_desk.api.answers import (
    call_answer,
    complaint_answer,
    dispute_answer,
    hold_answer,
    note_answer,
    plan_answer,
    promise_answer,
    quote_answer,
)
from collections_desk.api.bodies import Amount, Body, Day, Moment, OneOf, Ref, Text, Whole, YesNo
from collections_desk.api.doors import DeskView, given_once
from collections_desk.api.schema import IDEMPOTENCY_KEY, REFUSALS
from collections_desk.api.shapes import (
    CallShape,
    ComplaintShape,
    DisputeShape,
    HoldMade,
    NoteShape,
    PlanShape,
    PromiseShape,
    QuoteShape,
    list_of,
)
from dunning.holding import EVERYTHING

#: Bills named in one call.
MOST_BILLS = 500
#: Seconds; no call lasts a day.
LONGEST_CALL = 86_400
#: The others come with a promise, a plan or a dispute.
HOLDS_BY_HAND = [
    reason.value for reason in Hold.Reason if reason not in {Hold.Reason.PROMISE, Hold.Reason.PLAN, Hold.Reason.DISPUTE}
]
#: What may be asked of whoever is on the line.
DETAILS = list(identity.DETAILS)
EVERY = ("week", "fortnight", "month")


def bills(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=Ref(), required=False, allow_null=True, max_length=MOST_BILLS, help_text="All that are open unless given."
    )


class PromiseBody(Body):
    amount = Amount()
    due_on = Day()
    bill_ids = bills()
    note = Text(required=False, allow_blank=True, default="")


class OverrideBody(Body):
    code = Text(max_length=30)
    reason = Text(max_length=300)


class IdentityBody(Body):
    matched = serializers.ListField(child=OneOf(choices=DETAILS), required=False, default=list)
    failed = serializers.ListField(child=OneOf(choices=DETAILS), required=False, default=list)


class CallBody(Body):
    number = Text(max_length=40, allow_blank=True)
    direction = OneOf(choices=Interaction.Direction.choices)
    disposition = Text(max_length=40)
    right_party = YesNo()
    started_at = Moment()
    duration_seconds = Whole(min_value=0, max_value=LONGEST_CALL, allow_null=True, required=False, default=None)
    note = Text(required=False, allow_blank=True, default="")
    promise = PromiseBody(required=False, allow_null=True)
    callback_at = Moment(required=False, allow_null=True)
    override = OverrideBody(required=False, allow_null=True, help_text="Why it was made although the gate said no.")
    nonpayment_reason = OneOf(
        choices=list(reasons.REASONS),
        required=False,
        allow_null=True,
        help_text="Why it was not paid, as they told it.",
    )
    said = serializers.ListField(
        child=OneOf(choices=sorted(scripting.sayable())),
        required=False,
        allow_null=True,
        help_text="What had to be said and was; a call with the customer without all of it is refused.",
    )
    identity = IdentityBody(
        required=False, allow_null=True, help_text="Details that matched and failed; only those on file."
    )


class CallsView(DeskView):
    @extend_schema(
        operation_id="account_log_call",
        summary="Log a call, with the promise given in it",
        description="Outbound calls need the claim, and the contact gate's leave for the moment they began.",
        parameters=[IDEMPOTENCY_KEY],
        request=CallBody,
        responses={201: CallShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "A promise on the phone",
                request_only=True,
                value={
                    "number": "+34600000001",
                    "direction": "outbound",
                    "disposition": "rpc_promise",
                    "right_party": True,
                    "started_at": "2026-08-04T10:00:00Z",
                    "duration_seconds": 180,
                    "note": "Salary comes on Friday",
                    "promise": {"amount": "42.50", "due_on": "2026-08-11", "bill_ids": ["B1"], "note": ""},
                },
            )
        ],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(CallBody)
        terms, override = given.get("promise"), given.get("override")
        checked = self._checked(account.pk, given.get("identity"))
        if checked is not None and not checked.passed and given["right_party"]:
            raise calls.CannotDisclose
        call = calls.log(
            account_id=account.pk,
            agent=self.agent,
            direction=given["direction"],
            disposition=given["disposition"],
            number=given["number"],
            right_party=given["right_party"],
            started_at=given["started_at"],
            duration_seconds=given["duration_seconds"],
            note=given["note"],
            callback_at=given.get("callback_at"),
            promise=_promise_terms(terms) if terms else None,
            override=calls.Override(**override) if override else None,
            nonpayment_reason=given.get("nonpayment_reason") or "",
            said=given.get("said"),
            as_of=self.as_of,
            at=self.at,
        )
        promise = account.promises.order_by("-pk").first() if terms else None
        return Response(call_answer(call, promise, account=ref, currency=account.currency), status=201)

    def _checked(self, account_id: int, given: dict[str, Any] | None) -> IdentityCheck | None:
        """The check of who it was; none where nothing is told of one."""
        if not given or not (given["matched"] or given["failed"]):
            return None
        return identity.check(
            account_id=account_id,
            agent=self.agent,
            matched=given["matched"],
            failed=given["failed"],
            as_of=self.as_of,
            at=self.at,
        )


def _promise_terms(given: dict[str, Any]) -> calls.PromiseTerms:
    return {
        "amount": given["amount"],
        "due_on": given["due_on"],
        "bill_refs": given.get("bill_ids"),
        "note": given["note"],
    }


class PromisesView(DeskView):
    @extend_schema(
        operation_id="account_promise",
        summary="Record a promise to pay",
        parameters=[IDEMPOTENCY_KEY],
        request=PromiseBody,
        responses={201: PromiseShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "By Friday",
                request_only=True,
                value={"amount": "42.50", "due_on": "2026-08-07", "bill_ids": ["B1"], "note": ""},
            )
        ],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        terms = _promise_terms(self.body(PromiseBody))
        calls.refuse_undisclosed(account_id=account.pk, agent=self.agent, at=self.at)
        promise = promises.make(account_id=account.pk, actor=self.actor, as_of=self.as_of, at=self.at, **terms)
        return Response(promise_answer(promise, account=ref, currency=account.currency), status=201)


class DisputeBody(Body):
    bill_id = Ref(required=False, allow_null=True, help_text="The account as a whole unless given.")
    amount = Amount()
    reason = Text(required=False, allow_blank=True, default="", max_length=60)
    note = Text(required=False, allow_blank=True, default="")


class DisputesView(DeskView):
    @extend_schema(
        operation_id="account_dispute",
        summary="Contest an amount",
        parameters=[IDEMPOTENCY_KEY],
        request=DisputeBody,
        responses={201: DisputeShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "A part of a bill",
                request_only=True,
                value={"bill_id": "B1", "amount": "12.00", "reason": "roaming", "note": "Was at home"},
            )
        ],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(DisputeBody)
        calls.refuse_undisclosed(account_id=account.pk, agent=self.agent, at=self.at)
        dispute = disputes.open_dispute(
            account_id=account.pk,
            bill_ref=given.get("bill_id") or "",
            amount=given["amount"],
            reason=given["reason"],
            note=given["note"],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(dispute_answer(dispute, account=ref, currency=account.currency), status=201)


class ComplaintBody(Body):
    category = OneOf(choices=list(complaints.CATEGORIES))
    channel = OneOf(choices=list(complaints.CHANNELS), help_text="How it reached us.")
    text = Text(max_length=complaints.LONGEST_TEXT, help_text="In the customer's words.")
    about = Text(
        required=False, allow_null=True, max_length=150, help_text="Login of whom it is about: who talked to them."
    )
    interaction_id = Ref(required=False, allow_null=True, help_text="The conversation that it is about.")
    pauses = YesNo(required=False, default=False, help_text="Contact about the debt waits for the answer.")


class ComplaintQuestion(pages.Paged):
    state = OneOf(choices=Complaint.State.choices, required=False)


class ComplaintsView(DeskView):
    @extend_schema(
        operation_id="account_complaints",
        summary="Complaints of an account, the newest first",
        description="Those that the caller may read: all of them for whoever answers complaints, else their own.",
        parameters=[ComplaintQuestion],
        responses={200: list_of(ComplaintShape), **REFUSALS(400, 401, 403, 404)},
    )
    def get(self, request: Request, ref: str) -> Response:
        account, asked = self.account(ref), self.query(ComplaintQuestion)
        rows = complaint_desk.visible(request.user).filter(account=account)
        rows = rows.select_related("about", "assigned_to", "repeats")
        if state := asked.get("state"):
            rows = rows.filter(state=state)
        of: dict[str, str] = {"account": ref, "currency": account.currency}
        return Response(
            pages.page(
                request,
                rows,
                asked,
                shown=lambda found: [complaint_answer(row, **of) for row in found],
                key=lambda row: row.pk,
                newest_first=True,
            )
        )

    @extend_schema(
        operation_id="account_complain",
        summary="Take a complaint",
        description="Its receipt is confirmed to the customer a minute later; nobody has it yet.",
        parameters=[IDEMPOTENCY_KEY],
        request=ComplaintBody,
        responses={201: ComplaintShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "About a call",
                request_only=True,
                value={"category": "conduct", "channel": "call", "text": "Nobody let me finish a sentence."},
            )
        ],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(ComplaintBody)
        spoke = {person.username: person for person in complaint_desk.spoke_with(account)}
        about, talk = given.get("about"), given.get("interaction_id")
        if about and about not in spoke:
            raise serializers.ValidationError({"about": "Nobody of that login talked to this customer."})
        interaction = Interaction.objects.filter(account=account, ref=talk).first() if talk else None
        if talk and interaction is None:
            raise serializers.ValidationError({"interaction_id": "There was no such conversation."})
        complaint = complaints.take(
            account_id=account.pk,
            channel=given["channel"],
            category=given["category"],
            text=given["text"],
            about=spoke[about] if about else None,
            interaction_id=interaction.pk if interaction else None,
            pauses=given["pauses"],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(complaint_answer(complaint, account=ref, currency=account.currency), status=201)


class HoldBody(Body):
    reason = OneOf(choices=HOLDS_BY_HAND)
    starts_on = Day(required=False, help_text="The business date unless given.")
    ends_on = Day(required=False, allow_null=True, help_text="Its last day; open without one.")
    note = Text(required=False, allow_blank=True, default="", max_length=1_000)
    stops = serializers.ListField(
        child=OneOf(choices=sorted(EVERYTHING)),
        required=False,
        max_length=len(EVERYTHING),
        help_text="What a manual hold stops; everything unless given.",
    )
    stops_clock = YesNo(required=False, help_text="Whether the days that steps count stop too; manual holds only.")
    bill_ids = serializers.ListField(
        child=Ref(),
        required=False,
        allow_null=True,
        max_length=MOST_BILLS,
        help_text="Bills that a manual hold pauses, and nothing else of the account; the whole account unless given.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["reason"] != Hold.Reason.MANUAL:
            for name in ("stops", "stops_clock"):
                if name in given:
                    raise serializers.ValidationError({name: "Only a manual hold says what it stops."})
            if given.get("bill_ids"):
                raise serializers.ValidationError({"bill_ids": "Only a manual hold covers single bills."})
        return given


class HoldsView(DeskView):
    @extend_schema(
        operation_id="account_hold",
        summary="Pause treatment for a reason",
        parameters=[IDEMPOTENCY_KEY],
        request=HoldBody,
        responses={201: HoldMade, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "Hardship",
                request_only=True,
                value={
                    "reason": "hardship",
                    "starts_on": "2026-08-04",
                    "ends_on": "2026-09-04",
                    "note": "Lost his job",
                },
            )
        ],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(HoldBody)
        hold = holds.place(
            account_id=account.pk,
            reason=given["reason"],
            starts_on=given.get("starts_on") or self.as_of,
            ends_on=given.get("ends_on"),
            bill_refs=list(dict.fromkeys(given.get("bill_ids") or ())),
            stops=list(dict.fromkeys(given.get("stops", ()))),
            stops_clock=given.get("stops_clock", False),
            note=card_numbers.without_cards(given["note"]),
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(hold_answer(hold, account=ref, currency=account.currency), status=201)


class NoteBody(Body):
    text = Text()


class NotesView(DeskView):
    @extend_schema(
        operation_id="account_note",
        summary="Keep a note",
        parameters=[IDEMPOTENCY_KEY],
        request=NoteBody,
        responses={201: NoteShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[OpenApiExample("A note", request_only=True, value={"text": "Prefers to be called after six."})],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        text = self.body(NoteBody)["text"]
        note = calls.add_note(account_id=account.pk, text=text, actor=self.actor, as_of=self.as_of, at=self.at)
        return Response(note_answer(note, account=ref), status=201)


class QuoteBody(Body):
    count = Whole(required=False, allow_null=True, min_value=1, max_value=MOST)
    amount = Amount(required=False, allow_null=True, help_text="Of each instalment, instead of their count.")
    first_on = Day()
    every = OneOf(choices=EVERY)
    down_payment = Amount(required=False, allow_null=True)
    bill_ids = bills()


class QuoteView(DeskView):
    @extend_schema(
        operation_id="account_plan_quote",
        summary="What a plan would look like",
        request=QuoteBody,
        responses={200: QuoteShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "Three months", request_only=True, value={"count": 3, "first_on": "2026-09-01", "every": "month"}
            )
        ],
    )
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(QuoteBody)
        quote = plans.quote_for(
            account_id=account.pk,
            count=given.get("count"),
            amount=given.get("amount"),
            first_on=given["first_on"],
            every=given["every"],
            down_payment=given.get("down_payment"),
            bill_refs=given.get("bill_ids"),
            agent=self.agent,
            as_of=self.as_of,
            at=self.at,
        )
        return Response(quote_answer(quote, currency=account.currency))


class InstalmentBody(Body):
    due_on = Day()
    amount = Amount()


class PlanBody(Body):
    instalments = serializers.ListField(child=InstalmentBody(), min_length=1, max_length=MOST)
    bill_ids = bills()
    note = Text(required=False, allow_blank=True, default="")


class PlansView(DeskView):
    @extend_schema(
        operation_id="account_plan",
        summary="Agree a plan",
        description="The instalments must come to what is open on the bills. Beyond the caller's authority, it waits.",
        parameters=[IDEMPOTENCY_KEY],
        request=PlanBody,
        responses={201: PlanShape, **REFUSALS(400, 401, 403, 404, 409, 422)},
        examples=[
            OpenApiExample(
                "Two instalments",
                request_only=True,
                value={
                    "instalments": [
                        {"due_on": "2026-09-01", "amount": "21.25"},
                        {"due_on": "2026-10-01", "amount": "21.25"},
                    ],
                    "bill_ids": ["B1"],
                    "note": "",
                },
            )
        ],
    )
    @given_once
    def post(self, request: Request, ref: str) -> Response:
        account = self.account(ref)
        given = self.body(PlanBody)
        calls.refuse_undisclosed(account_id=account.pk, agent=self.agent, at=self.at)
        plan = plans.agree(
            account_id=account.pk,
            instalments=[Instalment(part["due_on"], part["amount"]) for part in given["instalments"]],
            bill_refs=given.get("bill_ids"),
            note=given["note"],
            actor=self.actor,
            agent=self.agent,
            as_of=self.as_of,
            at=self.at,
        )
        parts = list(plan.instalments.order_by("position"))
        return Response(plan_answer(plan, parts, account=ref, currency=account.currency), status=201)
