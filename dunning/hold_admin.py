"""The effect matrix of holds on one page: what each reason stops, whether the clock stands, who may lift it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.request import QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin

from accounts.admin import actor_of
from accounts.business_day import business_date
from accounts.models import Hold
from accounts.refusals import Refused
from dunning import hold_rules
from dunning.hold_rules import EFFECTS, Role, Rule
from dunning.models import HoldRule

#: What the clock's box is called in the form, beside the effects.
CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Box:
    """One checkbox of a line."""

    name: str
    label: str
    ticked: bool
    fixed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One reason as the page shows it."""

    rule: Rule
    boxes: list[Box]
    in_force: int
    words: str
    doubts: str
    #: What a manual hold stops is said when it is placed.
    as_ticked: bool
    #: Why nobody lifts it by itself; empty where somebody may.
    ended_with: str


@admin.register(HoldRule)
class HoldRuleAdmin(ModelAdmin):
    """The list is the matrix, and the matrix is the form."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is a line for every reason, and none beside them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: HoldRule | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        edits = self.has_change_permission(request)
        stands = rules = hold_rules.matrix()
        status = 200
        if request.method == "POST":
            if not edits:
                raise PermissionDenied
            rules = {reason: read(request.POST, rule) for reason, rule in stands.items()}
            refusal = self._save(request, list(rules.values()))
            if refusal is None:
                return redirect("admin:dunning_holdrule_changelist")
            messages.error(request, str(refusal))
            status = 422
            if refusal.code == "conflict":
                rules, status = stands, 409
        in_force = hold_rules.counts_in_force(as_of=business_date(at=timezone.now()))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "What holds stop",
            "effects": EFFECTS,
            "lines": [line(rule, in_force.get(reason, 0)) for reason, rule in rules.items()],
            "roles": Role.choices,
            "edits": edits,
            "seen": hold_rules.fingerprint(stands),
        }
        return TemplateResponse(request, "admin/dunning/holdrule/matrix.html", context, status=status)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A line has no page of its own."""
        return redirect("admin:dunning_holdrule_changelist")

    def _save(self, request: HttpRequest, rules: list[Rule]) -> Refused | None:
        """Save and say what changed, or answer why not."""
        at = timezone.now()
        try:
            told = hold_rules.change(
                rules=rules,
                actor=actor_of(request),
                as_of=business_date(at=at),
                at=at,
                seen=request.POST.get("seen", ""),
            )
        except Refused as refusal:
            return refusal
        for words in told:
            messages.success(request, f"{words}.")
        if not told:
            messages.info(request, "Nothing was changed.")
        return None


def read(posted: QueryDict, rule: Rule) -> Rule:
    """The line as the form says it; what cannot be changed is not in the form, and stays."""
    ticked = set(posted.getlist(f"{rule.reason}-stops"))
    kept = {effect for effect in rule.stops if hold_rules.is_fixed(rule.reason, effect)}
    fixed_clock = hold_rules.has_fixed_clock(rule.reason)
    return Rule(
        rule.reason,
        frozenset(kept | ticked) if rule.reason != Hold.Reason.MANUAL else rule.stops,
        rule.clock if fixed_clock else CLOCK in posted.getlist(f"{rule.reason}-clock"),
        posted.get(f"{rule.reason}-lifted_by", rule.lifted_by),
    )


def line(rule: Rule, in_force: int) -> Line:
    """One reason with its boxes and its words."""
    return Line(
        rule=rule,
        boxes=[
            *(
                Box(effect, words, effect in rule.stops, hold_rules.is_fixed(rule.reason, effect))
                for effect, words in EFFECTS
            ),
            Box(CLOCK, "the clock", rule.clock, hold_rules.has_fixed_clock(rule.reason)),
        ],
        in_force=in_force,
        words=hold_rules.in_words(rule),
        doubts=hold_rules.doubts(rule),
        as_ticked=rule.reason == Hold.Reason.MANUAL,
        ended_with=hold_rules.ENDED_WITH.get(Hold.Reason(rule.reason), ""),
    )
