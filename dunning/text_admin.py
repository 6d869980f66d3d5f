"""The texts of notices in the admin: written beside what they come to, looked at on a real account, put in use."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import yaml
from csp.decorators import csp_exempt
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from accounts import business_day
from accounts.admin import actor_of, signed
from accounts.refusals import Refused
from dunning import notice_texts, previewing, text_forms, text_remarks
from dunning.models import NoticeText
from dunning.notice_samples import example_values, for_table, samples, usual_country
from dunning.notice_texts import PLAIN, REGISTERED, CannotPublish, CannotWrite, Key, Problem
from dunning.text_forms import Part
from dunning.text_messages import SmsLength, sms_cost, sms_segments
from dunning.wording import CHANNELS, WordingError, Wordings, word_notice
from dunning.wording_facts import CONSEQUENCES
from dunning.wording_texts import (
    ALWAYS,
    FALLBACK_LANGUAGE,
    FALLBACK_TEMPLATE,
    ITEMIZED,
    PHRASES,
    SHARED,
    SOMETIMES,
    TONES,
)
from dunning.writing import name_of

State = NoticeText.State
CHANNEL_NAMES = {
    "sms": "Text message",
    "email": "E-mail",
    "letter": "Letter",
    "in_app": "Message in the app",
    "voice": "Automatic call",
}
LINES_AROUND = 2
KINDS_OF_LINES = {"-": "gone", "+": "new", " ": "same"}
HEADER_CLASSES = ("", "service", "transactional", "promotional")
REGISTERED_NAMES = {
    "entity_id": "Entity id",
    "header": "Header (sender)",
    "header_class": "Class of the header",
    "template_id": "Template id",
    "words": "Registered words, {#var#} where something is filled in",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version in the list of a text."""

    row: NoticeText | None
    key: Key

    @property
    def words(self) -> str:
        if self.row is None:
            return "as shipped"
        if self.row.state == State.DRAFT:
            return f"draft of version {self.row.version}, {signed(name_of(self.row.changed_by), self.row.changed_at)}"
        what = f"version {self.row.version}" if self.row.content else "as shipped"
        by = signed(name_of(self.row.published_by), self.row.published_at) if self.row.published_at else ""
        return f"{what}, {by}"

    @property
    def state(self) -> str:
        return self.row.state if self.row is not None else "shipped"


@dataclass(frozen=True, slots=True)
class Cell:
    """All tones of a template in one language; ``missing`` are those nobody wrote yet."""

    language: str
    tones: list[tuple[str, list[Version]]]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class Box:
    """A part with what stands in it, and what is wrong with it."""

    part: Part
    value: str
    problem: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A text message of made-up facts, as long as it is."""

    name: str
    text: str
    length: SmsLength
    cost: Decimal
    #: Signs that keep it out of the cheap alphabet.
    dear: str


@admin.register(NoticeText)
class NoticeTextAdmin(ModelAdmin):
    """The list is every template in every language; a page is one text."""

    def has_delete_permission(self, request: HttpRequest, obj: NoticeText | None = None) -> bool:
        """Drafts are discarded on their page; what was in use is kept."""
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A text comes into being on its own page."""
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        one = "text/<str:language>/<str:template>/<str:tone>/"
        post = {"measure": self.measure_view, "preview": self.preview_view, "discard": self.discard_view}
        # Browsers show a PDF inside a page of their own, which a policy made for ours would break.
        letter = csp_exempt()(wrap(require_POST(self.letter_view)))
        return [
            path("new/", wrap(require_POST(self.new_view)), name="dunning_noticetext_new"),
            path(one, wrap(self.text_view), name="dunning_text"),
            path(f"{one}publish/", wrap(self.publish_view), name="dunning_text_publish"),
            path(f"{one}letter.pdf", letter, name="dunning_text_letter"),
            path(f"{one}as-shipped/", wrap(self.as_shipped_view), name="dunning_text_as_shipped"),
            *(
                path(f"{one}{name}/", wrap(require_POST(view)), name=f"dunning_text_{name}")
                for name, view in post.items()
            ),
            *super().get_urls(),
        ]

    # The list ---------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._looks(request)
        rows: dict[Key, dict[str, NoticeText]] = {}
        for row in NoticeText.objects.exclude(state=State.RETIRED).defer("registration"):
            rows.setdefault(notice_texts.key_of(row), {})[row.state] = row
        languages = sorted(notice_texts.shipped(), key=lambda code: (code != FALLBACK_LANGUAGE, code))
        context = {
            "title": "Texts of notices",
            "languages": languages,
            "lines": [
                (_template_words(name), name, [_cell(name, language, rows) for language in languages])
                for name in notice_texts.template_names()
            ],
            "left_out": notice_texts.left_out(),
            "edits": self._may_write(request),
            "templates": [name for name in notice_texts.template_names() if name != SHARED],
        }
        return self._page(request, "admin/dunning/noticetext/texts.html", context)

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """A template of a new name begins as a copy of another, in the language asked for."""
        self._writes(request)
        name, language = request.POST.get("name", "").strip(), request.POST.get("language", "")
        content = notice_texts.content_of(Key(request.POST.get("like", FALLBACK_TEMPLATE), language))
        try:
            if name in notice_texts.template_names():
                raise CannotWrite(f"There is a template {name} already.")
            if not content:
                raise CannotWrite("There is no such template in that language.")
            notice_texts.draft(
                template=name, language=language, tone=PLAIN, content=content, registration={},
                actor=actor_of(request), at=timezone.now(),
            )  # fmt: skip
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("admin:dunning_noticetext_changelist")
        return redirect("admin:dunning_text", language, name, PLAIN)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A version as it is or was, beside what is in use."""
        self._looks(request)
        row = NoticeText.objects.filter(pk=object_id).first() if object_id and object_id.isdecimal() else None
        if row is None:
            raise Http404
        key = notice_texts.key_of(row)
        content = row.content or _shipped(key)
        context = {
            "title": str(row),
            "version": Version(row, key),
            "row": row,
            "key": key,
            "boxes": [_box(part, content) for part in text_forms.parts_of(content, shared=key.is_shared)],
            "difference": _difference(content, notice_texts.content_of(key) or {}),
            "edits": self._may_write(request),
        }
        return self._page(request, "admin/dunning/noticetext/version.html", context)

    # One text ---------------------------------------------------------------------------------------------------------

    def text_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        self._looks(request)
        key = _key(language, template, tone)
        draft = _draft(key)
        content, registration = _begin(request, key, draft)
        problem: Problem | None = None
        status = 200
        if request.method == "POST":
            self._writes(request)
            content = text_forms.read(request.POST, content, shared=key.is_shared)
            registration = {name: request.POST.get(name, "") for name in REGISTERED}
            try:
                draft = notice_texts.draft(
                    template=template, language=language, tone=tone, content=content, registration=registration,
                    actor=actor_of(request), at=timezone.now(), seen=_seen(request),
                )  # fmt: skip
            except Refused as refusal:
                messages.error(request, str(refusal))
                status = 409 if refusal.code == "conflict" else 422
            else:
                if "publish" in request.POST:
                    return redirect("admin:dunning_text_publish", language, template, tone)
                messages.success(request, f"Kept as a draft of version {draft.version}; nothing is in use yet.")
                return redirect("admin:dunning_text", language, template, tone)
        if draft is not None or status != 200:
            problem = _unsayable(key, content)
        used = notice_texts.content_of(key) or {}
        seen = _seen(request) if status != 200 else draft.changed_at if draft else None
        rows = NoticeText.objects.filter(template=template, language=language, tone=tone)
        shipped = _shipped(key)
        context = {
            "title": _title(key),
            "key": key,
            "draft": draft,
            "seen": seen.isoformat() if seen else "",
            "groups": _groups(content, key, problem),
            "problem": problem,
            "about": _about(content, key),
            "fields": _fields(key, content),
            "registration": [
                (
                    name,
                    REGISTERED_NAMES[name],
                    registration.get(name, ""),
                    HEADER_CLASSES if name == "header_class" else (),
                )
                for name in REGISTERED
            ],
            "in_use": Version(rows.filter(state=State.PUBLISHED).first(), key),
            "difference": _difference(used, content) if draft else [],
            "from_shipped": _difference(shipped, used) if shipped and used != shipped else [],
            "history": [Version(row, key) for row in rows.exclude(state=State.DRAFT).order_by("-version")],
            "edits": self._may_write(request),
            "may_publish": self._may_publish(request),
            "account": previewing.owing_account(as_of=_today(), language=language),
            "consequences": CONSEQUENCES,
            "warnings": notice_texts.warnings(key),
        }
        return self._page(request, "admin/dunning/noticetext/text.html", context, status=status)

    def measure_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        """The text message of the form as it stands: how long, in which alphabet, for how much."""
        self._looks(request)
        key = _key(language, template, tone)
        context: dict[str, Any] = {}
        try:
            content = _posted(request, key)
            wordings = notice_texts.with_text(key, content)
        except WordingError as problem:
            context["problem"] = notice_texts.unsayable(key, problem)
        else:
            context["measured"] = _measured(key, wordings)
            context["remarks"] = text_remarks.of_text(key, content, today=_today())
        return TemplateResponse(request, "admin/dunning/noticetext/measured.html", context)

    def preview_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        """The form as it stands, said to a real account on every channel."""
        self._looks(request)
        context: dict[str, Any] = {}
        try:
            shown = self._previewed(request, _key(language, template, tone), CHANNELS)
        except WordingError as problem:
            context["problem"] = notice_texts.unsayable(_key(language, template, tone), problem)
        except Refused as refusal:
            context["refusal"] = str(refusal)
        else:
            context["shown"] = [(CHANNEL_NAMES[one.channel], one) for one in shown]
        return TemplateResponse(request, "admin/dunning/noticetext/preview.html", context)

    def letter_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        """The letter of the form as it stands, as it would be printed."""
        self._looks(request)
        try:
            [shown] = self._previewed(request, _key(language, template, tone), ("letter",))
        except (WordingError, Refused) as problem:
            return HttpResponse(str(problem), content_type="text/plain; charset=utf-8", status=422)
        return HttpResponse(
            shown.message.attachment or b"",
            content_type="application/pdf",
            headers={"Content-Disposition": 'inline; filename="preview.pdf"'},
        )

    def _previewed(self, request: HttpRequest, key: Key, channels: tuple[str, ...]) -> list[previewing.Preview]:
        if not request.user.has_perm("accounts.view_account"):
            raise PermissionDenied
        wordings = notice_texts.with_text(key, _posted(request, key))
        followed_by = request.POST.get("consequence", "")
        return previewing.preview_text(
            template=FALLBACK_TEMPLATE if key.is_shared else key.template,
            tone="" if key.tone == PLAIN else key.tone,
            language=key.language,
            account_ref=request.POST.get("account", ""),
            wordings=wordings,
            at=timezone.now(),
            as_of=_today(),
            channels=channels,
            consequence=next((one for one in CONSEQUENCES if one == followed_by), None),
        )

    def publish_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        self._looks(request)
        if not self._may_publish(request):
            raise PermissionDenied
        key = _key(language, template, tone)
        draft = _draft(key)
        if draft is None:
            messages.error(request, "There is no draft of this text.")
            return redirect("admin:dunning_text", language, template, tone)
        found: list[Problem] | tuple[Problem, ...] = []
        refusal, status = "", 200
        if request.method == "POST":
            try:
                notice_texts.publish(
                    text_id=draft.pk, actor=actor_of(request), at=timezone.now(), reason=request.POST.get("reason", ""),
                    seen=_seen(request),
                )  # fmt: skip
            except CannotPublish as refused:
                found, status = refused.problems, 422
            except Refused as refused:
                refusal, status = str(refused), 409 if refused.code == "conflict" else 422
            else:
                messages.success(request, f"Version {draft.version} is in use from the next notice on.")
                return redirect("admin:dunning_text", language, template, tone)
        else:
            found = notice_texts.problems(key, draft.content, registration=draft.registration, at=timezone.now())
        context = {
            "title": f"Put it in use? {_title(key)}",
            "key": key,
            "draft": draft,
            "seen": draft.changed_at.isoformat(),
            "problems": found,
            "refusal": refusal,
            "reason": request.POST.get("reason", ""),
            "difference": _difference(notice_texts.content_of(key) or {}, draft.content),
            "warnings": notice_texts.warnings(key),
            "remarks": _remarks(key, draft.content),
        }
        return self._page(request, "admin/dunning/noticetext/publish.html", context, status=status)

    def as_shipped_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        self._looks(request)
        if not self._may_publish(request):
            raise PermissionDenied
        key, refusal = _key(language, template, tone), ""
        if request.method == "POST":
            try:
                notice_texts.go_back(
                    template=template, language=language, tone=tone, actor=actor_of(request), at=timezone.now(),
                    reason=request.POST.get("reason", ""),
                )  # fmt: skip
            except Refused as refused:
                refusal = str(refused)
            else:
                messages.success(request, "The desk’s own text is in use again.")  # noqa: RUF001
                return redirect("admin:dunning_text", language, template, tone)
        context = {
            "title": f"Back to the desk’s own text? {_title(key)}",  # noqa: RUF001
            "key": key,
            "refusal": refusal,
            "difference": _difference(notice_texts.content_of(key) or {}, _shipped(key)),
        }
        template_name = "admin/dunning/noticetext/as_shipped.html"
        return self._page(request, template_name, context, status=422 if refusal else 200)

    def discard_view(self, request: HttpRequest, language: str, template: str, tone: str) -> HttpResponse:
        self._writes(request)
        draft = _draft(_key(language, template, tone))
        try:
            if draft is None:
                raise CannotWrite("There is no draft of this text.")
            notice_texts.discard(text_id=draft.pk)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "The draft is gone.")
        return redirect("admin:dunning_noticetext_changelist")

    # Who may ----------------------------------------------------------------------------------------------------------

    def _looks(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _writes(self, request: HttpRequest) -> None:
        if not self._may_write(request):
            raise PermissionDenied

    def _may_write(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dunning.add_noticetext"))

    def _may_publish(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dunning.publish_noticetext"))

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return TemplateResponse(request, template, {**shared, **context}, status=status)


# --- What the pages tell ----------------------------------------------------------------------------------------------


def _today() -> date:
    return business_day.business_date(at=timezone.now())


def _key(language: str, template: str, tone: str) -> Key:
    """Raises ``Http404`` for a text that neither is nor could be."""
    key = Key(template, language, tone)
    known = template in notice_texts.template_names() and language in notice_texts.shipped()
    if not known or tone not in (PLAIN, *TONES) or (key.is_shared and tone != PLAIN):
        raise Http404
    return key


def _draft(key: Key) -> NoticeText | None:
    found = NoticeText.objects.filter(template=key.template, language=key.language, tone=key.tone, state=State.DRAFT)
    return found.first()


def _begin(request: HttpRequest, key: Key, draft: NoticeText | None) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What the form begins with: the draft, a version that was asked for, or what is in use; a tone that nobody wrote
    begins with the plain text, and a language with the English one.
    """
    asked = request.GET.get("from", "")
    if asked.isdecimal() and (row := NoticeText.objects.filter(pk=asked).first()) is not None:
        return row.content or _shipped(key), row.registration
    if draft is not None:
        return draft.content, draft.registration
    used = NoticeText.objects.filter(template=key.template, language=key.language, tone=key.tone, state=State.PUBLISHED)
    registration = used.values_list("registration", flat=True).first() or {}
    for other in (
        key,
        Key(key.template, key.language),
        Key(key.template, FALLBACK_LANGUAGE),
        Key(FALLBACK_TEMPLATE, key.language),
    ):
        if content := notice_texts.content_of(other):
            return content, registration
    raise Http404


def _posted(request: HttpRequest, key: Key) -> dict[str, Any]:
    """The content of the form as it stands."""
    content, _ = _begin(request, key, _draft(key))
    return text_forms.read(request.POST, content, shared=key.is_shared)


def _shipped(key: Key) -> Any:
    return notice_texts.shipped().get(key.language, {}).get(key.file) or {}


def _seen(request: HttpRequest) -> datetime | None:
    return parse_datetime(request.POST.get("seen", "")) if request.POST.get("seen") else None


def _unsayable(key: Key, content: Mapping[str, Any]) -> Problem | None:
    try:
        notice_texts.with_text(key, content)
    except WordingError as problem:
        return notice_texts.unsayable(key, problem)
    return None


def _remarks(key: Key, content: Mapping[str, Any]) -> list[text_remarks.Remark]:
    """What the checks of words say to it; nothing to what cannot be said at all."""
    try:
        return text_remarks.of_text(key, content, today=_today())
    except WordingError:
        return []


def _template_words(name: str) -> str:
    return "Shared phrases" if name == SHARED else name.replace("-", " ").capitalize()


def _title(key: Key) -> str:
    tone = "" if key.tone == PLAIN else f", {key.tone}"
    return f"{_template_words(key.template)} ({key.language}{tone})"


def _cell(name: str, language: str, rows: Mapping[Key, Mapping[str, NoticeText]]) -> Cell:
    tones, missing = [], []
    for tone in (PLAIN.value, *TONES):
        key = Key(name, language, tone)
        found = rows.get(key, {})
        versions = [Version(found[state], key) for state in (State.PUBLISHED, State.DRAFT) if state in found]
        if not found.get(State.PUBLISHED) and key.file in notice_texts.shipped()[language]:
            versions.insert(0, Version(None, key))
        if versions:
            tones.append((tone, versions))
        elif not key.is_shared and (tone == PLAIN or tones):
            missing.append(tone)
    return Cell(language, tones, missing)


def _box(part: Part, content: Mapping[str, Any], problem: Problem | None = None) -> Box:
    about = problem is not None and problem.part in (part.name, part.path[0], part.path[-1])
    return Box(part, text_forms.typed(part, content), problem.text if problem is not None and about else "")


def _groups(content: Mapping[str, Any], key: Key, problem: Problem | None) -> list[tuple[str, list[Box]]]:
    found: dict[str, list[Box]] = {}
    for part in text_forms.parts_of(content, shared=key.is_shared):
        found.setdefault(part.group, []).append(_box(part, content, problem))
    return list(found.items())


def _about(content: Mapping[str, Any], key: Key) -> str:
    if key.is_shared:
        return "What all notices of this language share. A phrase may name those before it."
    asks = "asks for payment, and says how to pay" if content.get("pays") else "asks for nothing"
    return f"{text_forms.TABLES.get(str(content.get('table')), '')} It {asks}."


def _fields(key: Key, content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each field that may be named: its name, an example, and whether it is always there."""
    facts = samples(
        language=key.language, country=usual_country(key.language), house=notice_texts.house(), today=_today(),
        advice="0800 123 456", regulator="the Ombudsman",
    )[4].facts  # fmt: skip
    values = example_values(notice_texts.in_use(), facts)
    kinds = {**dict.fromkeys(sorted(ALWAYS), "always"), **dict.fromkeys(sorted(SOMETIMES), "where it is known")}
    kinds |= dict.fromkeys(("consequence", "consequence_short"), "where something follows")
    if content.get("table") == "itemization":
        kinds |= dict.fromkeys(sorted(ITEMIZED), "always here")
    kinds |= dict.fromkeys(PHRASES, "phrase")
    return [(name, values.get(name, ""), kind) for name, kind in kinds.items()]


def _measured(key: Key, wordings: Wordings) -> list[Measured]:
    each = Decimal(settings.DESK_CHANNEL_COSTS.get("sms", "0"))
    tried = samples(
        language=key.language, country=usual_country(key.language), house=notice_texts.house(), today=_today(),
        advice="0800 123 456",
    )  # fmt: skip
    template = FALLBACK_TEMPLATE if key.is_shared else key.template
    tone = "" if key.tone == PLAIN else key.tone
    found = []
    for sample in tried[:2]:
        facts = for_table(sample.facts, wordings.choose(template, key.language, tone)[1].table)
        text = word_notice(template=template, channel="sms", facts=facts, wordings=wordings, tone=tone).text
        length, cost = sms_cost(text, each)
        dear = "".join(sorted({sign for sign in text if sms_segments(sign).alphabet != "GSM-7"}))
        found.append(Measured(sample.name.capitalize(), text, length, cost, dear[:12]))
    return found


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines that came and went between two texts, as their files have them, with those around them."""
    old, new = (_file(one).splitlines() if one else [] for one in (before, after))
    lines = [(KINDS_OF_LINES[line[0]], line[2:]) for line in difflib.ndiff(old, new) if line[0] != "?"]
    changed = [at for at, (kind, _) in enumerate(lines) if kind != "same"]
    near = {at + by for at in changed for by in range(-LINES_AROUND, LINES_AROUND + 1)}
    return [line for at, line in enumerate(lines) if at in near]


def _file(content: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=True, width=10_000))
