"""The addresses of ``/api/v1/``; ids in them are the operator's own."""

from __future__ import annotations

import re

from django.urls import path, re_path, register_converter

from accounts.models.fields import REF_PATTERN
from collections_desk.api import (
    accounts,
    acts,
    agreements,
    callbacks,
    facts,
    inbound,
    oversight,
    problems,
    queue,
    terms,
    webhooks,
)


class RefConverter:
    """What can be an id at all; everything else is no address of ours."""

    regex = re.sub(r"^\^|\$$", "", REF_PATTERN)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class KeyConverter(RefConverter):
    """A key of the desk's own, as large as the database counts."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:  # type: ignore[override]
        return int(value)


register_converter(RefConverter, "ref")
register_converter(KeyConverter, "key")

urlpatterns = [
    path("customers/", facts.Customers.as_view(), name="api_customers"),
    path("accounts/", facts.Accounts.as_view(), name="api_accounts"),
    path("services/", facts.Services.as_view(), name="api_services"),
    path("bills/", facts.Bills.as_view(), name="api_bills"),
    path("payments/", facts.Payments.as_view(), name="api_payments"),
    path("adjustments/", facts.Adjustments.as_view(), name="api_adjustments"),
    path("accounts/<ref:ref>/", accounts.AccountView.as_view(), name="api_account"),
    path("accounts/<ref:ref>/timeline/", accounts.TimelineView.as_view(), name="api_timeline"),
    path("accounts/<ref:ref>/contact-check/", accounts.ContactCheckView.as_view(), name="api_contact_check"),
    path("accounts/<ref:ref>/calls/", acts.CallsView.as_view(), name="api_calls"),
    path("accounts/<ref:ref>/promises/", acts.PromisesView.as_view(), name="api_promises"),
    path("accounts/<ref:ref>/disputes/", acts.DisputesView.as_view(), name="api_disputes"),
    path("accounts/<ref:ref>/complaints/", acts.ComplaintsView.as_view(), name="api_complaints"),
    path("accounts/<ref:ref>/holds/", acts.HoldsView.as_view(), name="api_holds"),
    path("accounts/<ref:ref>/notes/", acts.NotesView.as_view(), name="api_notes"),
    path("accounts/<ref:ref>/plans/quote/", acts.QuoteView.as_view(), name="api_plan_quote"),
    path("accounts/<ref:ref>/plans/", acts.PlansView.as_view(), name="api_plans"),
    path("accounts/<ref:ref>/extensions/", terms.ExtensionsView.as_view(), name="api_extensions"),
    path("accounts/<ref:ref>/settlements/", terms.SettlementsView.as_view(), name="api_settlements"),
    path("accounts/<ref:ref>/downgrades/", terms.DowngradesView.as_view(), name="api_downgrades"),
    path("extensions/<ref:ref>/", terms.ExtensionView.as_view(), name="api_extension"),
    path("settlements/<ref:ref>/", terms.SettlementView.as_view(), name="api_settlement"),
    path("downgrades/<ref:ref>/", terms.DowngradeView.as_view(), name="api_downgrade"),
    path("downgrades/<ref:ref>/answer/", terms.DowngradeAnswerView.as_view(), name="api_downgrade_answer"),
    path("promises/<ref:ref>/", agreements.PromiseView.as_view(), name="api_promise"),
    path("plans/<ref:ref>/", agreements.PlanView.as_view(), name="api_plan"),
    path("plans/<ref:ref>/cancel/", agreements.PlanCancelView.as_view(), name="api_plan_cancel"),
    path("disputes/<ref:ref>/", agreements.DisputeView.as_view(), name="api_dispute"),
    path("disputes/<ref:ref>/evidence/", agreements.EvidenceView.as_view(), name="api_dispute_evidence"),
    path("disputes/<ref:ref>/resolve/", agreements.DisputeResolveView.as_view(), name="api_dispute_resolve"),
    path("holds/<ref:ref>/lift/", agreements.HoldLiftView.as_view(), name="api_hold_lift"),
    path("queue/next/", queue.NextView.as_view(), name="api_queue_next"),
    path("queue/<key:item>/release/", queue.ReleaseView.as_view(), name="api_queue_release"),
    path("queue/<key:item>/complete/", queue.CompleteView.as_view(), name="api_queue_complete"),
    path("kpis/", oversight.FiguresView.as_view(), name="api_kpis"),
    path("audit/", oversight.AuditView.as_view(), name="api_audit"),
    path("audit/verify/", oversight.VerifyView.as_view(), name="api_audit_verify"),
    path("callbacks/<slug:gateway>/", callbacks.CallbackView.as_view(), name="api_callback"),
    path("inbound/<slug:gateway>/", inbound.InboundView.as_view(), name="api_inbound"),
    path("webhooks/", webhooks.WebhooksView.as_view(), name="api_webhooks"),
    path("webhooks/dead-letters/", webhooks.DeadLettersView.as_view(), name="api_dead_letters"),
    path("webhooks/dead-letters/<key:pk>/send/", webhooks.SendAgainView.as_view(), name="api_send_again"),
    path("webhooks/<key:pk>/", webhooks.WebhookView.as_view(), name="api_webhook"),
    re_path(r"", problems.NoSuchAddress.as_view(), name="api_nowhere"),
]
