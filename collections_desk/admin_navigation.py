"""The admin's look and its menu: settings take ``UNFOLD`` from here. Nothing is imported that needs the apps loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    room, name = model.split("_", 1)
    return lambda request: request.user.has_perm(f"{room}.view_{name}")


def _listing(title: str, icon: str, model: str, *, sees: str = "", query: str = "") -> dict[str, Any]:
    """A line of the menu: the list of ``room_model``, for whoever may view it (or ``sees``)."""
    address = reverse_lazy(f"admin:{model}_changelist")
    return {
        "title": title,
        "icon": icon,
        "link": (lambda request: f"{address}?{query}") if query else address,
        "permission": _may_view(sees or model),
    }


def _page(title: str, icon: str, address: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": address}


def theme_of(request: HttpRequest) -> str | None:
    """The theme that the user keeps on the desk; none lets the page's own switch decide."""
    return getattr(request.user, "theme", "") or None


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Collections Desk",
    "SITE_HEADER": "Collections Desk",
    "SITE_SUBHEADER": "Policies, people, records",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("desk/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("desk/mark.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_BACK_BUTTON": True,
    "THEME": theme_of,
    "BORDER_RADIUS": "6px",
    "STYLES": [lambda request: static("policies/admin.css")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 263)",
            "100": "oklch(93.5% .032 263)",
            "200": "oklch(88% .06 263)",
            "300": "oklch(80% .105 263)",
            "400": "oklch(72% .13 263)",
            "500": "oklch(60% .19 263)",
            "600": "oklch(47.5% .2 263)",
            "700": "oklch(42% .18 263)",
            "800": "oklch(36% .15 263)",
            "900": "oklch(31% .12 263)",
            "950": "oklch(24% .08 263)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Strategy",
                "items": [
                    _listing("Policies", "rule", "dunning_policy"),
                    _listing("Dry runs", "science", "dunning_dryrun"),
                    _listing("Experiments", "experiment", "dunning_experiment"),
                    _listing("Segments", "category", "dunning_segment"),
                    _listing("Holds: what they stop", "pause_circle", "dunning_holdrule"),
                    _listing("Agencies", "domain", "dunning_agency"),
                ],
            },
            {
                "title": "Contact",
                "separator": True,
                "items": [
                    _listing("Rule packs", "gavel", "dunning_rulepackversion"),
                    _listing("Packs of markets", "public", "dunning_marketpacks"),
                    _listing("Changes of rules", "approval", "dunning_packchange"),
                    _listing("Texts of notices", "edit_note", "dunning_noticetext"),
                    _listing("Decisions of the gate", "door_front", "dunning_gatedecision"),
                ],
            },
            {
                "title": "Out of the house",
                "separator": True,
                "items": [
                    _listing("What the customer got", "inbox", "dunning_outboxmessage", sees="dunning_notice"),
                    _listing("Notices", "outgoing_mail", "dunning_notice"),
                    _listing("Doubtful notices", "help", "dunning_notice", query="attention=doubtful"),
                    _listing("Service orders", "cell_tower", "dunning_serviceorder"),
                ],
            },
            {
                "title": "Facts",
                "separator": True,
                "collapsible": True,
                "items": [
                    _listing("Customers", "person", "accounts_customer"),
                    _listing("Accounts", "account_balance_wallet", "accounts_account"),
                    _listing("Services", "sim_card", "accounts_service"),
                    _listing("Bills", "receipt_long", "accounts_bill"),
                    _listing("Payments", "payments", "accounts_payment"),
                    _listing("Adjustments", "tune", "accounts_adjustment"),
                    _listing("Fees", "price_change", "accounts_fee"),
                    _listing("Holds", "pause_circle", "accounts_hold"),
                    _listing("Rejected rows", "rule_folder", "accounts_rejectedrow"),
                    _listing("Unreachable addresses", "unsubscribe", "accounts_unreachableaddress"),
                ],
            },
            {
                "title": "What happened",
                "separator": True,
                "collapsible": True,
                "items": [
                    _listing("Cases", "folder_open", "dunning_case"),
                    _listing("Placements", "outbound", "dunning_placement"),
                    _listing("Interactions", "forum", "agents_interaction"),
                    _listing("Promises", "handshake", "agents_promise"),
                    _listing("Plans", "calendar_month", "agents_plan"),
                    _listing("Disputes", "gavel", "agents_dispute"),
                    _listing("Complaints", "sentiment_dissatisfied", "agents_complaint"),
                    _listing("Customers' answers", "star", "agents_survey"),
                    _listing("Journal", "menu_book", "accounts_journalentry"),
                    _listing("Events", "history", "accounts_accountevent"),
                    _listing("Seals", "verified", "accounts_seal"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _listing("Agents", "group", "agents_agent"),
                    _listing("Teams", "groups", "agents_team"),
                    _listing("Dispositions", "call_end", "agents_disposition"),
                    _listing("Words of the script", "record_voice_over", "agents_scripttext"),
                    _listing("Clocks of disputes", "timer", "agents_disputeclock"),
                    _listing("Clocks of complaints", "timer", "agents_complaintclock"),
                    _listing("Checks of words", "spellcheck", "agents_wordcheck"),
                    _listing("Score cards", "grading", "agents_scorecard"),
                    _listing("What is sampled", "casino", "agents_samplingrule"),
                    _listing("Paid time", "schedule", "agents_stretch"),
                    _listing("Costs", "payments", "agents_cost"),
                    _listing("Targets", "flag", "agents_kpitarget"),
                    _listing("Queue", "format_list_numbered", "agents_workitem"),
                    _listing("Order of the queue", "sort", "agents_queueorder"),
                    _listing("What calls brought", "monitoring", "agents_calleffect"),
                ],
            },
            {
                "title": "Elsewhere",
                "separator": True,
                "items": [
                    _page("Supervise", "monitoring", "/supervise/"),
                    _page("Agents' queue", "headset_mic", "/queue/"),
                    _page("API", "api", "/api/docs/"),
                ],
            },
        ],
    },
}
