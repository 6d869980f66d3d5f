"""Rule packs in the admin: read with their examples run, changed by two people where looser, chosen for markets; and
every decision of the gate, to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import yaml
from babel import Locale
from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.admin import ReadOnlyAdmin, actor_of, signed
from accounts.models import Account, Customer
from accounts.refusals import Refused
from dunning import pack_words, rule_packs, segments
from dunning.gate import jurisdictions
from dunning.gate.decision import STRICTNESS
from dunning.gate.packs import EVERYWHERE, Change, Pack, Rule, shipped
from dunning.gate.zones import Place
from dunning.models import GateDecision, MarketPacks, PackChange, RulePackVersion
from dunning.pack_words import Shown
from dunning.writing import name_of

#: A page waits no longer than that for decisions to be counted.
PATIENCE_SECONDS = 3
#: Decisions of so many days are counted beside a rule.
COUNTED_DAYS = 30
MARKETS_KEY, MARKETS_KEPT_SECONDS = "dunning:customers-by-market", 600
#: So many settled changes are listed below those that wait.
MOST_SETTLED = 100


# --- What the pages tell ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a rule that may be set here."""

    name: str
    words: str
    own: str
    stricter: str
    long: bool

    @property
    def set_here(self) -> bool:
        return self.words != self.own

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Told:
    """One rule as its page and its pack's page show it."""

    rule: Rule
    confidence: str
    severity: str
    override: str
    when: str
    since: str
    values: list[Value]
    fixed: list[tuple[str, str]]
    examples: list[Shown]
    changed: str

    @property
    def passing(self) -> int:
        return sum(not example.otherwise for example in self.examples)

    @property
    def all_pass(self) -> bool:
        return self.passing == len(self.examples)


def told(rule: Rule, pack: Pack, packs: Mapping[str, Pack], *, at: datetime, changed: str = "") -> Told:
    """Everything that is said of a rule."""
    written = rule.written
    when, since = pack_words.in_force_words(rule, at)
    names = sorted({*written.params, *written.stricter})
    own = {one.id: one for one in shipped()[pack.code].rules if one.begins == rule.begins}[rule.id].params
    return Told(
        rule=rule,
        confidence=pack_words.CONFIDENCE.get(written.confidence, written.confidence),
        severity=pack_words.SEVERITIES[written.severity],
        override=pack_words.OVERRIDES[written.override],
        when=when,
        since=since,
        values=[
            Value(
                name,
                words := pack_words.in_words(getattr(rule.params, name, written.params.get(name))),
                pack_words.in_words(getattr(own, name, None)),
                pack_words.STRICTER.get(written.stricter[name], written.stricter[name]),
                "\n" in words or len(words) > 60,
            )
            for name in names
            if name in written.stricter
        ],
        fixed=[
            (name.replace("_", " "), pack_words.in_words(getattr(rule.params, name, None)))
            for name in names
            if name not in written.stricter
        ],
        examples=pack_words.examples_of(rule, pack, packs),
        changed=changed,
    )


def _last_changed(pack: str) -> dict[str, str]:
    """By rule: who set which value last, and when."""
    rows = PackChange.objects.filter(pack=pack).exclude(decided_at=None).exclude(state=PackChange.State.REFUSED)
    return {
        row.rule: f"{row.parameter.replace('_', ' ')}: {signed(name_of(row.decided_by), row.decided_at)}"
        for row in rows.order_by("decided_at")
        if row.decided_at
    }


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change as it stands in a list, with what the rule's examples would say under it."""

    row: PackChange
    before: str
    after: str
    differing: list[Shown]
    problem: str
    #: Why the person at the page may not agree; empty where they may.
    not_you: str

    @property
    def asked(self) -> str:
        return signed(name_of(self.row.asked_by), self.row.asked_at)

    @property
    def decided(self) -> str:
        return signed(name_of(self.row.decided_by), self.row.decided_at) if self.row.decided_at else ""


def _in_list(row: PackChange, request: HttpRequest) -> Waiting:
    differing: list[Shown] = []
    problem = ""
    if row.state == PackChange.State.WAITING:
        packs = rule_packs.in_force().packs
        try:
            after = rule_packs.with_value(row.pack, row.rule, row.parameter, row.value)
        except Refused as refusal:
            problem = str(refusal)
        else:
            differing = _would_differ(packs[row.pack], after, row.rule, packs)
    not_you = "Somebody else must agree." if row.asked_by == actor_of(request) else ""
    return Waiting(row, pack_words.in_words(row.was), pack_words.in_words(row.value), differing, problem, not_you)


def _would_differ(before: Pack, after: Pack, rule_id: str, packs: Mapping[str, Pack]) -> list[Shown]:
    found: list[Shown] = []
    for old, new in zip(before.rules, after.rules, strict=True):
        if old.id == rule_id:
            found += pack_words.differing(
                pack_words.examples_of(old, before, packs),
                pack_words.examples_of(new, after, {**packs, after.code: after}),
            )
    return found


def _may(request: HttpRequest, right: str) -> bool:
    return bool(request.user.has_perm(f"dunning.{right}"))


# --- Packs and their rules --------------------------------------------------------------------------------------------


@admin.register(RulePackVersion)
class RulePackVersionAdmin(ReadOnlyAdmin):
    """The list is the packs that ship, as they decide now; a row is a pack as it read when it first decided."""

    own_ids = ()
    of_account = False
    fieldsets = (
        (None, {"fields": (("pack", "version"), ("title", "first_used_at"), "set_here", "digest")}),
        ("As it read", {"fields": ("as_it_read",)}),
    )
    readonly_fields = ("pack", "version", "title", "first_used_at", "set_here", "digest", "as_it_read")

    @display(description="values set here")
    def set_here(self, version: RulePackVersion) -> str:
        said = [f"{one['rule']} {one['parameter']} = {one['value']}" for one in version.content.get("set_here", ())]
        return "; ".join(said) or "none"

    @display(description="the pack")
    def as_it_read(self, version: RulePackVersion) -> str:
        content = {name: value for name, value in version.content.items() if name != "set_here"}
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)
        return format_html('<pre class="policy-file" tabindex="0">{}</pre>', text)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("pack/<str:code>/", wrap(self.pack_view), name="dunning_rulepack"),
            path("pack/<str:code>/<str:rule_id>/", wrap(self.rule_view), name="dunning_rule"),
            path("pack/<str:code>/<str:rule_id>/decisions/", wrap(self.decisions_view), name="dunning_rule_decisions"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._looks(request)
        packs = rule_packs.in_force().packs
        open_changes = PackChange.objects.filter(state=PackChange.State.WAITING)
        waiting = dict(open_changes.values_list("pack").annotate(found=Count("pk")).values_list("pack", "found"))
        context = {
            "title": "Rule packs",
            "packs": [
                {
                    "pack": pack,
                    "where": ", ".join(place_name(code) for code in pack.file.applies_in),
                    "set_here": len(pack.changes),
                    "waiting": waiting.get(code, 0),
                }
                for code, pack in sorted(packs.items())
            ],
            "out_of_place": rule_packs.out_of_place(),
        }
        return self._page(request, "admin/dunning/rulepackversion/packs.html", context)

    def pack_view(self, request: HttpRequest, code: str) -> HttpResponse:
        self._looks(request)
        pack, packs = self._pack(code)
        at, changed = timezone.now(), _last_changed(code)
        context = {
            "title": f"{pack.file.title} ({code})",
            "pack": pack,
            "where": ", ".join(place_name(place) for place in pack.file.applies_in),
            "rules": [told(rule, pack, packs, at=at, changed=changed.get(rule.id, "")) for rule in pack.rules],
            "versions": RulePackVersion.objects.filter(pack=code).defer("content").order_by("-first_used_at"),
            "waiting": PackChange.objects.filter(pack=code, state=PackChange.State.WAITING).count(),
        }
        return self._page(request, "admin/dunning/rulepackversion/pack.html", context)

    def rule_view(self, request: HttpRequest, code: str, rule_id: str) -> HttpResponse:
        """A rule with its values as forms; a value that was typed and not taken stays in its field."""
        self._looks(request)
        pack, packs = self._pack(code)
        if not any(rule.id == rule_id for rule in pack.rules):
            raise Http404
        refused: dict[str, str] = {}
        if request.method == "POST":
            if not _may(request, "add_packchange"):
                raise PermissionDenied
            try:
                row = self._set(request, pack.rule(rule_id))
            except (Refused, ValueError) as refusal:
                refused = {
                    "parameter": request.POST.get("parameter", ""),
                    "value": request.POST.get("value", ""),
                    "reason": request.POST.get("reason", ""),
                    "why": str(refusal),
                }
            else:
                self._tell(request, row)
                return redirect("admin:dunning_rule", code, rule_id)
        at, changed = timezone.now(), _last_changed(code)
        rows = PackChange.objects.filter(pack=code, rule=rule_id).order_by("-pk")
        context = {
            "title": f"{rule_id}: {pack.rule(rule_id).written.title}",
            "pack": pack,
            "rule_id": rule_id,
            "periods": [
                told(rule, pack, packs, at=at, changed=changed.get(rule.id, ""))
                for rule in pack.rules
                if rule.id == rule_id
            ],
            "edits": _may(request, "add_packchange"),
            "refused": refused,
            "waiting": [_in_list(row, request) for row in rows.filter(state=PackChange.State.WAITING)],
            "history": [_in_list(row, request) for row in rows.exclude(state=PackChange.State.WAITING)[:MOST_SETTLED]],
            "may_agree": _may(request, "loosen_packchange"),
            "days": COUNTED_DAYS,
        }
        return self._page(request, "admin/dunning/rulepackversion/rule.html", context, status=422 if refused else 200)

    def _set(self, request: HttpRequest, rule: Rule) -> PackChange:
        parameter, reason = request.POST.get("parameter", ""), request.POST.get("reason", "")
        actor, at = actor_of(request), timezone.now()
        if "back" in request.POST:
            return rule_packs.go_back(
                pack=rule.pack, rule=rule.id, parameter=parameter, reason=reason, actor=actor, at=at
            )
        value = pack_words.typed(rule, parameter, request.POST.get("value", ""))
        return rule_packs.change(
            pack=rule.pack, rule=rule.id, parameter=parameter, value=value, reason=reason, actor=actor, at=at
        )

    def _tell(self, request: HttpRequest, row: PackChange) -> None:
        value = f"{row.parameter.replace('_', ' ')} {pack_words.in_words(row.value)}"
        if row.state == PackChange.State.WAITING:
            messages.info(request, f"{value} is looser: it waits until somebody else agrees.")
        else:
            messages.success(request, f"{value} is in force.")

    def decisions_view(self, request: HttpRequest, code: str, rule_id: str) -> HttpResponse:
        """How many decisions named the rule lately, by outcome."""
        self._looks(request)
        since = timezone.now() - timedelta(days=COUNTED_DAYS)
        named = GateDecision.objects.filter(at__gte=since, rule_ids__contains=[rule_id]).exclude(outcome="ALLOW")
        try:
            with segments.at_most(PATIENCE_SECONDS):
                counted = dict(named.order_by().values_list("outcome").annotate(found=Count("pk")))
        except segments.TookTooLong:
            counted = None
        context = {
            "counted": None if counted is None else [(one, counted[one]) for one in STRICTNESS[::-1] if one in counted],
            "days": COUNTED_DAYS,
            "rule_id": rule_id,
        }
        return TemplateResponse(request, "admin/dunning/rulepackversion/decisions.html", context)

    def _pack(self, code: str) -> tuple[Pack, Mapping[str, Pack]]:
        packs = rule_packs.in_force().packs
        if code not in packs:
            raise Http404
        return packs[code], packs

    def _looks(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return TemplateResponse(request, template, {**shared, **context}, status=status)


# --- Changes that wait ------------------------------------------------------------------------------------------------


@admin.register(PackChange)
class PackChangeAdmin(ReadOnlyAdmin):
    """What waits for a second person, and what was decided."""

    own_ids = ()
    of_account = False

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(require_POST(self.decide_view))
        return [path("<int:pk>/decide/", decide, name="dunning_packchange_decide"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = PackChange.objects.order_by("-pk")
        choices = MarketPacks.objects.exclude(waiting_for=None).order_by("market")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Changes of rules",
            "waiting": [_in_list(row, request) for row in rows.filter(state=PackChange.State.WAITING)],
            "choices": [choice_of(row, request) for row in choices],
            "history": [_in_list(row, request) for row in rows.exclude(state=PackChange.State.WAITING)[:MOST_SETTLED]],
            "may_agree": _may(request, "loosen_packchange"),
            "actor": actor_of(request),
        }
        return TemplateResponse(request, "admin/dunning/packchange/changes.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A change is read on its rule's page."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request):
            raise PermissionDenied
        return redirect("admin:dunning_rule", row.pack, row.rule)

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Agree, refuse, or withdraw what one asked for oneself."""
        row = PackChange.objects.filter(pk=pk).first()
        if row is None:
            raise Http404
        agrees = request.POST.get("word") == "agree"
        withdraws = not agrees and row.asked_by == actor_of(request) and _may(request, "add_packchange")
        if not (_may(request, "loosen_packchange") or withdraws):
            raise PermissionDenied
        decide = rule_packs.approve if agrees else rule_packs.refuse
        try:
            decide(change_id=pk, actor=actor_of(request), at=timezone.now())
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            value = f"{row.rule}: {row.parameter.replace('_', ' ')} {pack_words.in_words(row.value)}"
            said = "is in force" if agrees else "was withdrawn" if row.asked_by == actor_of(request) else "was refused"
            messages.success(request, f"{value} {said}.")
        if request.POST.get("next") == "rule":
            return redirect("admin:dunning_rule", row.pack, row.rule)
        return redirect("admin:dunning_packchange_changelist")


# --- Packs of markets -------------------------------------------------------------------------------------------------


def place_name(code: str) -> str:
    """A market as a person names it: ``Germany (DE)``, ``everywhere``."""
    if code == EVERYWHERE:
        return "everywhere"
    country, _, part = code.partition("-")
    name = Locale("en").territories.get(country)
    return f"{name}, {part} ({code})" if name and part else f"{name} ({code})" if name else code


def customers_by_market() -> Counter[str]:
    """How many customers live where, by country and state; counted anew every ten minutes."""
    found: Counter[str] | None = cache.get(MARKETS_KEY)
    if found is None:
        found = Counter()
        counted = Customer.objects.order_by().values_list("country", "region").annotate(found=Count("pk"))
        try:
            with segments.at_most(PATIENCE_SECONDS):
                rows = list(counted)
        except segments.TookTooLong:
            rows = []
        for country, region, number in rows:
            for code in jurisdictions.of(Place(country=country, region=region)):
                found[code] += number
        cache.set(MARKETS_KEY, found, MARKETS_KEPT_SECONDS)
    return found


@dataclass(frozen=True, slots=True)
class Market:
    """A market with the packs that decide there."""

    code: str
    name: str
    customers: int
    packs: list[Pack]
    row: MarketPacks | None

    @property
    def as_shipped(self) -> bool:
        return self.row is None or self.row.decided_at is None

    @property
    def chosen(self) -> str:
        return signed(name_of(self.row.decided_by), self.row.decided_at) if self.row and self.row.decided_at else ""

    @property
    def waits(self) -> bool:
        return self.row is not None and self.row.waiting_for is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of packs that waits for a second person."""

    row: MarketPacks
    name: str
    asked: str
    left_out: list[str]
    added: list[str]
    not_you: str

    @property
    def seen(self) -> str:
        return ",".join(self.row.waiting_for or ())


def choice_of(row: MarketPacks, request: HttpRequest) -> Choice:
    """What a waiting choice would leave out and add."""
    now = set(row.packs if row.decided_at else rule_packs.packs_of(row.market))
    wanted = set(row.waiting_for or ())
    return Choice(
        row,
        place_name(row.market),
        signed(name_of(row.asked_by), row.asked_at) if row.asked_at else "",
        sorted(now - wanted),
        sorted(wanted - now),
        "Somebody else must agree." if row.asked_by == actor_of(request) else "",
    )


@admin.register(MarketPacks)
class MarketPacksAdmin(ModelAdmin):
    """Every market of the book, with the packs that ship for it or were chosen for it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A row comes into being by choosing."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: MarketPacks | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("choose/", wrap(self.choose_view), name="dunning_marketpacks_choose"),
            path("decide/", wrap(require_POST(self.decide_view)), name="dunning_marketpacks_decide"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = {row.market: row for row in MarketPacks.objects.all()}
        counts = customers_by_market()
        codes = [code for code in counts if "-" not in code or rule_packs.packs_of(code)]
        listed = sorted({*codes, *rows} - {EVERYWHERE}, key=lambda code: (-counts[code.partition("-")[0]], code))
        context = {
            "title": "Packs of markets",
            "markets": [self._market(code, rows, counts) for code in (EVERYWHERE, *listed)],
            "choices": [choice_of(row, request) for row in rows.values() if row.waiting_for is not None],
            "edits": _may(request, "change_marketpacks"),
            "may_agree": _may(request, "loosen_packchange"),
            "actor": actor_of(request),
        }
        return self._page(request, "admin/dunning/marketpacks/markets.html", context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A market is chosen for on the page of its code."""
        row = MarketPacks.objects.filter(pk=object_id).first() if object_id and object_id.isdecimal() else None
        if row is None:
            return redirect("admin:dunning_marketpacks_changelist")
        return redirect(f"{reverse('admin:dunning_marketpacks_choose')}?{urlencode({'market': row.market})}")

    def choose_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request) or (
            request.method == "POST" and not _may(request, "change_marketpacks")
        ):
            raise PermissionDenied
        market = (request.POST.get("market") or request.GET.get("market", "")).strip()
        refusal = ""
        if request.method == "POST":
            try:
                row = rule_packs.choose(
                    market=market,
                    packs=request.POST.getlist("packs"),
                    reason=request.POST.get("reason", ""),
                    actor=actor_of(request),
                    at=timezone.now(),
                )
            except Refused as refused:
                refusal = str(refused)
            else:
                if row.waiting_for is not None:
                    messages.info(request, f"{place_name(market)}: it waits until somebody else agrees.")
                else:
                    messages.success(request, f"{place_name(market)}: in force.")
                return redirect("admin:dunning_marketpacks_changelist")
        rows = {row.market: row for row in MarketPacks.objects.filter(market=market)}
        found = self._market(market, rows, customers_by_market())
        ticked = set(request.POST.getlist("packs")) if refusal else {pack.code for pack in found.packs}
        context = {
            "title": f"Packs of {place_name(market)}",
            "market": found,
            "packs": [
                (pack, code in ticked, code in rule_packs.packs_of(market))
                for code, pack in sorted(rule_packs.in_force().packs.items())
            ],
            "refusal": refusal,
            "reason": request.POST.get("reason", ""),
            "edits": _may(request, "change_marketpacks"),
        }
        template = "admin/dunning/marketpacks/choose.html"
        return self._page(request, template, context, status=422 if refusal else 200)

    def decide_view(self, request: HttpRequest) -> HttpResponse:
        market, agrees = request.POST.get("market", ""), request.POST.get("word") == "agree"
        row = MarketPacks.objects.filter(market=market).first()
        if row is None:
            raise Http404
        withdraws = not agrees and row.asked_by == actor_of(request) and _may(request, "change_marketpacks")
        if not (_may(request, "loosen_packchange") or withdraws):
            raise PermissionDenied
        seen = [code for code in request.POST.get("seen", "").split(",") if code]
        try:
            rule_packs.agree_to_choice(
                market=market, seen=seen, agree=agrees, actor=actor_of(request), at=timezone.now()
            )
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{place_name(market)}: {'in force' if agrees else 'stays as it is'}.")
        return redirect("admin:dunning_marketpacks_changelist")

    def _market(self, code: str, rows: Mapping[str, MarketPacks], counts: Counter[str]) -> Market:
        row = rows.get(code)
        decides = row.packs if row is not None and row.decided_at else rule_packs.packs_of(code)
        packs = rule_packs.in_force().packs
        number = sum(count for one, count in counts.items() if "-" not in one) if code == EVERYWHERE else counts[code]
        return Market(code, place_name(code), number, [packs[one] for one in decides if one in packs], row)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return TemplateResponse(request, template, {**shared, **context}, status=status)


# --- Decisions --------------------------------------------------------------------------------------------------------

OUTCOME_COLOURS = {"ALLOW": "success", "WARN": "warning", "REQUIRE": "warning", "HOLD": "info", "BLOCK": "danger"}
ACTIONS = (
    "call", "ringless_vm", "voicemail", "sms", "email", "letter", "in_app", "push", "voice", "visit", "restrict",
    "suspend", "disconnect", "charge_fee", "report_credit", "place_agency", "sell_debt", "write_off", "take_payment",
    "make_plan",
)  # fmt: skip


class ByOutcome(admin.SimpleListFilter):
    title, parameter_name = "outcome", "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one, one.capitalize()) for one in STRICTNESS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(outcome=self.value()) if self.value() else queryset


class ByAction(admin.SimpleListFilter):
    title, parameter_name = "action", "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one, one.replace("_", " ").capitalize()) for one in ACTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class ByDay(admin.SimpleListFilter):
    title, parameter_name = "day", "days"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Today"), ("7", "Seven days"), ("30", "Thirty days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in dict(self.lookups(request, None)):
            return queryset
        first = timezone.localdate() - timedelta(days=int(self.value() or 1) - 1)
        return queryset.filter(at__gte=_midnight(first))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


@admin.register(GateDecision)
class GateDecisionAdmin(ReadOnlyAdmin):
    """Found by account, customer, rule or day; never counted."""

    list_display = ("at", "account", "action", "said", "rules", "reason", "next_allowed_at", "who")
    list_display_links = ("at", "said")
    list_filter = (ByOutcome, ByAction, ByDay)
    list_select_related = ("account",)
    search_help_text = "Account, customer or rule id, or a day (2026-11-21), exactly"
    own_ids = ()
    fieldsets = (
        (
            None,
            {"fields": (("at", "said"), ("account", "customer"), ("action", "automated"), ("who", "next_allowed_at"))},
        ),
        ("Why", {"fields": ("objections", "times")}),
        ("By which rules", {"fields": ("rules_then", "packs_then")}),
        ("Somebody went on all the same", {"fields": (("overridden_by", "override_code"), "override_reason")}),
        ("What it rested on", {"fields": (("facts_digest", "address_digest"), ("notice", "order"))}),
    )
    readonly_fields = ("said", "who", "objections", "times", "rules_then", "packs_then")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[GateDecision], search_term: str
    ) -> tuple[QuerySet[GateDecision], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        try:
            day = date.fromisoformat(term)
        except ValueError:
            pass
        else:
            return queryset.filter(at__gte=_midnight(day), at__lt=_midnight(day + timedelta(days=1))), False
        accounts = Account.objects.filter(Q(ref=term) | Q(customer__ref=term)).order_by().values_list("pk", flat=True)
        if keys := list(accounts):
            return queryset.filter(account_id__in=keys), False
        return queryset.filter(rule_ids__contains=[term]).exclude(outcome="ALLOW"), False

    @display(description="outcome", label=OUTCOME_COLOURS)
    def said(self, decision: GateDecision) -> str:
        return decision.outcome

    @display(description="rules")
    def rules(self, decision: GateDecision) -> str:
        return ", ".join(decision.rule_ids) or "-"

    @display(description="reason")
    def reason(self, decision: GateDecision) -> str:
        return decision.reasons[0] if decision.reasons else "-"

    @display(description="asked by")
    def who(self, decision: GateDecision) -> str:
        return f"{name_of(decision.actor)}{' (a machine)' if decision.automated else ''}"

    @display(description="reasons")
    def objections(self, decision: GateDecision) -> str:
        return format_html_join("", "<p>{}</p>", ((reason,) for reason in decision.reasons)) or "-"

    @display(description="the hour at the customer")
    def times(self, decision: GateDecision) -> str:
        return ", ".join(decision.local_times) or "-"

    @display(description="packs")
    def packs_then(self, decision: GateDecision) -> str:
        links = [
            (reverse("admin:dunning_rulepackversion_change", args=[row.pk]), str(row)) for row in _versions_of(decision)
        ]
        kept = {name for _, name in links}
        others = [(name,) for name in decision.packs if name not in kept]
        return format_html(
            "{} {}",
            format_html_join(", ", '<a class="text-link" href="{}">{}</a>', links),
            format_html_join(", ", "{}", others),
        )

    @display(description="the rules, as they read then")
    def rules_then(self, decision: GateDecision) -> SafeString | str:
        found = [
            {**rule, "pack": str(row), "params": pack_words.lines_of(_params_then(rule, row))}
            for row in _versions_of(decision)
            for rule in row.content.get("rules", ())
            if any(one == rule["id"] or one.startswith(f"{rule['id']}-") for one in decision.rule_ids)
        ]
        return render_to_string("admin/dunning/gatedecision/rules.html", {"rules": found}) if found else "-"


def _versions_of(decision: GateDecision) -> list[RulePackVersion]:
    """Of each pack that was asked, the version kept last before the decision."""
    asked = Q(pk__in=())
    for name in decision.packs:
        code, _, version = name.partition("@")
        asked |= Q(pack=code, version=version)
    rows = RulePackVersion.objects.filter(asked, first_used_at__lte=decision.at).order_by("first_used_at")
    return sorted({row.pack: row for row in rows}.values(), key=lambda row: row.pack)


def _params_then(rule: Mapping[str, Any], row: RulePackVersion) -> dict[str, Any]:
    changes: Sequence[Change] = [Change(**one) for one in row.content.get("set_here", ())]
    return dict(rule.get("params", {})) | {one.parameter: one.value for one in changes if one.rule == rule["id"]}
