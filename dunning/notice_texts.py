"""The texts of notices in use: what ships with the desk, and over it what was published here.

A published text never changes: the next version takes its place. Before one is published it is loaded strictly, said
with made-up facts on every channel, and the rules about words of the packs in use are asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.core.cache import cache as kept
from django.db import connection, transaction
from django.db.models import Count, Max

from accounts.models import Customer
from accounts.refusals import Refused
from dunning import contact, rule_packs
from dunning.gate import jurisdictions
from dunning.gate.checks.registrations import Sender
from dunning.gate.checks.words import Disclosure, MustSay, OptOutLine, phrases_for
from dunning.gate.deciding import concerns, decide_by
from dunning.gate.decision import BLOCK, REQUIRE
from dunning.gate.facts import Action, Facts
from dunning.gate.packs import Pack, Rule
from dunning.gate.zones import Place
from dunning.models import NoticeText
from dunning.notice_samples import House, Sample, for_table, samples, usual_country
from dunning.wording import CHANNELS, WordingError, Wordings, read_wordings, word_notice, wording_contents
from dunning.wording_texts import FALLBACK_LANGUAGE, FALLBACK_TEMPLATE, SHARED, TONES

PLAIN = NoticeText.Tone.PLAIN
State = NoticeText.State

REGISTRATION = "registered_sender"
#: The rules that are about what is said.
ABOUT_WORDS = frozenset({"must_say", "must_not_say", "opt_out_line", "mini_miranda", "promotion", REGISTRATION})
#: What notices are for, where their template alone says it; the others demand or warn.
PURPOSES = {
    "upcoming": "not_due",
    "help": "query_reply",
    "call-back": "query_reply",
    "dispute-received": "query_reply",
    "complaint-received": "query_reply",
    "paid-thanks": "query_reply",
    "promise-confirmation": "customer_request",
    "plan-confirmation": "customer_request",
    "extension-confirmation": "customer_request",
    "settlement-offer": "customer_request",
    "settlement-paid": "customer_request",
    "dispute-upheld": "customer_request",
    "dispute-rejected": "customer_request",
    "complaint-answered": "customer_request",
    "plan-broken": "plan_missed",
    "stop-confirmation": "opt_out_confirmation",
    "hardship-help": "help_first",
}
REGISTERED = ("entity_id", "header", "header_class", "template_id", "words")
SPOKEN_KEY, SPOKEN_KEPT_SECONDS = "dunning:customers-by-language", 600
#: Two people who write the same text take turns.
_TURN = 7301402
_NAME = re.compile(r"[a-z][a-z0-9-]{1,58}")


class CannotWrite(Refused):
    """A text that cannot be kept or put in use, or not now."""

    code = "invalid"


class CannotPublish(CannotWrite):
    """What stands against it, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which text is meant."""

    template: str
    language: str
    tone: str = PLAIN.value

    @property
    def file(self) -> str:
        """Its file's name without its ending."""
        return self.template if self.tone == PLAIN else f"{self.template}.{self.tone}"

    @property
    def is_shared(self) -> bool:
        return self.template == SHARED


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What stands against a text: in a part of it, or by a rule on a channel."""

    text: str
    part: str = ""
    pack: str = ""
    rule: str = ""
    channel: str = ""
    language: str = ""
    template: str = ""
    sample: str = ""

    def __str__(self) -> str:
        if not self.rule:
            return self.text
        where = f"{self.pack} {self.rule}, {self.channel}, {self.language}, {self.template}"
        return f"{where}: {self.text} ({self.sample})"


# --- In use -----------------------------------------------------------------------------------------------------------


@cache
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """What stands in the desk's own files, by language and file."""
    return wording_contents()


def in_use() -> Wordings:
    """The files with what was published over them; read anew when something was. One small query."""
    return _merged(_published())[0]


def left_out() -> list[NoticeText]:
    """Published texts that the desk cannot say any more since it was upgraded: the file's text is used instead."""
    return list(NoticeText.objects.filter(pk__in=_merged(_published())[1]))


def sender_of(*, template: str, language: str, tone: str = "") -> Sender:
    """As what a text message of that text goes out, as it was registered with it; a tone without a registration of its
    own has the plain one's. Nothing where nothing is registered. One small query.
    """
    known = _registrations(_published())
    own, plain = Key(template, language, tone or PLAIN.value), Key(template, language)
    return _sender(known.get(own) or known.get(plain) or {})


@lru_cache(maxsize=4)
def _registrations(keys: tuple[int, ...]) -> Mapping[Key, Mapping[str, str]]:
    return {key_of(row): row.registration for row in NoticeText.objects.filter(pk__in=keys) if row.registration}


def _sender(registration: Mapping[str, str]) -> Sender:
    return Sender(
        entity=registration.get("entity_id", ""),
        header=registration.get("header", ""),
        header_class=registration.get("header_class", ""),
        template=registration.get("template_id", ""),
        words=registration.get("words", ""),
    )


def content_of(key: Key) -> Any:
    """What stands in the text in use; none where there is no such text."""
    row = NoticeText.objects.filter(**_where(key), state=State.PUBLISHED).first()
    return row.content if row is not None and row.content else shipped().get(key.language, {}).get(key.file)


def _published() -> tuple[int, ...]:
    rows = NoticeText.objects.filter(state=State.PUBLISHED).order_by("pk")
    return tuple(rows.values_list("pk", flat=True))


@lru_cache(maxsize=4)
def _merged(keys: tuple[int, ...]) -> tuple[Wordings, tuple[int, ...]]:
    """A published text never changes, so its key stands for it."""
    rows = list(NoticeText.objects.filter(pk__in=keys).order_by("pk"))
    contents = _over(shipped(), rows)
    try:
        return read_wordings(contents), ()
    except WordingError:
        fitting: list[NoticeText] = []
        for row in rows:
            try:
                read_wordings(_over(shipped(), [*fitting, row]))
            except WordingError:
                continue
            fitting.append(row)
        good = {row.pk for row in fitting}
        return read_wordings(_over(shipped(), fitting)), tuple(key for key in keys if key not in good)


def _over(contents: Mapping[str, Mapping[str, Any]], rows: Sequence[NoticeText]) -> dict[str, dict[str, Any]]:
    found = {language: dict(files) for language, files in contents.items()}
    for row in rows:
        if row.content:  # a row without content says: as shipped
            _put(found, key_of(row), row.content)
    return found


def _put(contents: dict[str, dict[str, Any]], key: Key, content: Any) -> None:
    files = contents.setdefault(key.language, {})
    files[key.file] = _completed(files.get(SHARED), content) if key.is_shared else content


def _completed(own: Any, content: Any) -> Any:
    """Phrases that a newer desk needs and an older text does not have are the file's."""
    if not isinstance(own, Mapping) or not isinstance(content, Mapping):
        return content
    return {
        name: _completed(own.get(name), content[name]) if name in content else own[name] for name in {**own, **content}
    }


def key_of(row: NoticeText) -> Key:
    return Key(row.template, row.language, row.tone)


def _where(key: Key) -> dict[str, str]:
    return {"template": key.template, "language": key.language, "tone": key.tone}


def with_text(key: Key, content: Any) -> Wordings:
    """The texts in use with this one in its place. Raises ``WordingError``."""
    rows = list(NoticeText.objects.filter(pk__in=_published()).exclude(pk__in=_merged(_published())[1]))
    contents = _over(shipped(), rows)
    _put(contents, key, content)
    wanted = {key.language, FALLBACK_LANGUAGE}
    return read_wordings({language: files for language, files in contents.items() if language in wanted})


def without_text(key: Key) -> Wordings:
    """The texts in use with the desk's own in this one's place. Raises ``WordingError``."""
    rows = NoticeText.objects.filter(state=State.PUBLISHED).exclude(**_where(key))
    return read_wordings(_over(shipped(), list(rows)))


# --- Writing ----------------------------------------------------------------------------------------------------------


def draft(
    *,
    template: str,
    language: str,
    tone: str,
    content: Mapping[str, Any],
    registration: Mapping[str, str],
    actor: str,
    at: datetime,
    seen: datetime | None = None,
) -> NoticeText:
    """Keep what was written as the draft of that text, new or over the one there is; it need not be sayable yet.

    ``seen``: the moment of the draft that the writer began from. Raises ``CannotWrite``.
    """
    key = Key(template, language, tone)
    _expect_key(key)
    if not content:
        raise CannotWrite("There is nothing in the text.")
    registration = {name: registration[name].strip() for name in REGISTERED if registration.get(name, "").strip()}
    with transaction.atomic():
        _take_turn(key)
        old = NoticeText.objects.filter(**_where(key), state=State.DRAFT).first()
        if (old.changed_at if old else None) != seen:
            raise CannotWrite("Somebody else changed the draft meanwhile: look at it again.", code="conflict")
        row = old or NoticeText(**_where(key), version=_next_version(key))
        row.content, row.registration = dict(content), registration
        row.changed_by, row.changed_at = actor, at
        row.save(update_fields=["content", "registration", "changed_by", "changed_at"] if old else None)
    return row


def _take_turn(key: Key) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_TURN, f"{key.language}/{key.file}"])


def _next_version(key: Key) -> int:
    return 1 + (NoticeText.objects.filter(**_where(key)).aggregate(last=Max("version"))["last"] or 0)


def discard(*, text_id: int) -> None:
    """Throw a draft away. Raises ``CannotWrite`` for anything that was ever in use."""
    with transaction.atomic():
        row = _turn_of(text_id)
        if row.state != State.DRAFT:
            raise CannotWrite("This is no draft any more.", code="conflict")
        row.delete()


def _turn_of(text_id: int) -> NoticeText:
    """The row as it is when nobody else writes that text."""
    row = NoticeText.objects.filter(pk=text_id).first()
    if row is None:
        raise CannotWrite("This is no draft any more.", code="conflict")
    _take_turn(key_of(row))
    again = NoticeText.objects.filter(pk=text_id).first()
    if again is None:
        raise CannotWrite("This is no draft any more.", code="conflict")
    return again


def _expect_key(key: Key) -> None:
    known = shipped()
    if key.language not in known:
        raise CannotWrite(f"The desk has no texts in {key.language}.")
    if key.tone not in (PLAIN, *TONES) or (key.is_shared and key.tone != PLAIN):
        raise CannotWrite(f"{key.tone} is no tone of {key.template}.")
    if not key.is_shared and not _NAME.fullmatch(key.template):
        raise CannotWrite("A template's name is in small letters, figures and hyphens.")


def publish(*, text_id: int, actor: str, at: datetime, reason: str, seen: datetime | None = None) -> NoticeText:
    """Put a draft in use from the next notice on; the version before it is kept as it was.

    ``seen``: the moment of the draft as the person saw it. Raises ``CannotPublish`` with everything that stands against
    it, and ``CannotWrite`` where it is no draft any more.
    """
    with transaction.atomic():
        row = _turn_of(text_id)
        if row.state != State.DRAFT:
            raise CannotWrite("This is no draft any more.", code="conflict")
        if seen is not None and row.changed_at != seen:
            raise CannotWrite("Somebody else changed the draft meanwhile: look at it again.", code="conflict")
        if not reason.strip():
            raise CannotWrite("Say why the text changes.")
        if found := problems(key_of(row), row.content, registration=row.registration, at=at):
            raise CannotPublish(found)
        _retire(key_of(row))
        row.state, row.reason = State.PUBLISHED, reason.strip()[:300]
        row.published_by, row.published_at = actor, at
        row.save(update_fields=["state", "reason", "published_by", "published_at"])
    return row


def go_back(*, template: str, language: str, tone: str, actor: str, at: datetime, reason: str) -> NoticeText:
    """Use the desk's own text again; kept as a version without words of its own. Raises ``CannotWrite``."""
    key = Key(template, language, tone)
    with transaction.atomic():
        _take_turn(key)
        row = NoticeText.objects.filter(**_where(key), state=State.PUBLISHED).first()
        if row is None or not row.content:
            raise CannotWrite("The desk's own text is in use already.", code="conflict")
        if not reason.strip():
            raise CannotWrite("Say why the text changes.")
        try:
            without_text(key)
        except WordingError as problem:
            raise CannotWrite(f"Other texts need it: {problem}.") from problem
        _retire(key)
        return NoticeText.objects.create(
            **_where(key), version=_next_version(key), state=State.PUBLISHED, content={}, reason=reason.strip()[:300],
            changed_by=actor, changed_at=at, published_by=actor, published_at=at,
        )  # fmt: skip


def _retire(key: Key) -> None:
    NoticeText.objects.filter(**_where(key), state=State.PUBLISHED).update(state=State.RETIRED)


# --- What stands against it -------------------------------------------------------------------------------------------


def problems(key: Key, content: Any, *, registration: Mapping[str, str], at: datetime) -> list[Problem]:
    """Everything that keeps a text from being published: what cannot be said, else what rules about words object to."""
    try:
        wordings = with_text(key, content)
    except WordingError as problem:
        return [unsayable(key, problem)]
    registered: Mapping[str, Mapping[str, str]] = {key.file: registration}
    if key.is_shared:  # its phrases stand in every notice of the language, each registered by itself or not at all
        rows = NoticeText.objects.filter(language=key.language, state=State.PUBLISHED)
        known = {key_of(row).file: row.registration for row in rows}
        registered = {name: known.get(name, {}) for name in sorted(wordings.languages[key.language].templates)}
    found: dict[tuple[str, str, str, str], Problem] = {}
    for template, sender in registered.items():
        for one in _of_words(replace(key, template=template), wordings, sender, at=at, shared=key.is_shared):
            found.setdefault((one.pack, one.rule, one.channel, one.text), one)
    return sorted(found.values(), key=lambda one: (one.pack, one.rule, one.channel, one.template))


def unsayable(key: Key, problem: WordingError) -> Problem:
    """The part of the text that the complaint is about, and the complaint without the file's name."""
    said = str(problem).removeprefix(f"{key.language}/{key.file}: ")
    part, _, rest = said.partition(": ")
    if not rest:
        part, rest = next((name for name in re.findall(r"[a-z_0-9]+", said) if name in _PARTS), ""), said
    return Problem(text=f"{said}.", part=part, language=key.language, template=key.file)


_PARTS = frozenset({"subject", "opening", "closing", "sms", "in_app", "voice", "items", "tear_off"})


def warnings(key: Key) -> list[str]:
    """Rules that ask for words in a language they know no words of: the gate will hold such messages."""
    found = []
    for _, packs in _markets(key.language):
        for pack in packs:
            for rule in pack.rules:
                if rule.written.check in ABOUT_WORDS and not _knows(rule, key.language):
                    found.append(f"{pack.code} {rule.id} ({rule.written.title}) knows no words in {key.language}.")
    return sorted(set(found))


def _knows(rule: Rule, language: str) -> bool:
    """Whether a rule that demands words has any in that language."""
    if isinstance(rule.params, MustSay):
        return bool(phrases_for(rule.params.words, language))
    if isinstance(rule.params, OptOutLine):
        return any(phrases_for(found, language) for found in rule.params.words.values())
    return True


def _of_words(
    key: Key, wordings: Wordings, registration: Mapping[str, str], *, at: datetime, shared: bool
) -> Iterator[Problem]:
    template, _, tone = key.template.partition(".")
    tone = tone or ("" if key.tone == PLAIN else key.tone)
    role = settings.DESK_COLLECTOR_ROLE
    sender = _sender(registration)
    for place, packs in _markets(key.language):
        rules = [rule for pack in packs for rule in pack.rules if rule.written.check in ABOUT_WORDS]
        rules = [rule for rule in rules if rule.begins <= at < rule.ends and _knows(rule, key.language)]
        if shared and not registration:
            rules = [rule for rule in rules if rule.written.check != REGISTRATION]
        signposts: dict[str, str] = {}
        for pack in packs:
            signposts |= pack.file.signposts
        for first in (True, False):
            disclosure = "" if role == "first_party" else "initial" if first else "later"
            if not disclosure and not first:
                continue
            tried = samples(
                language=key.language, country=place.country or usual_country(key.language), house=house(),
                today=at.date(), advice=signposts.get("advice"), regulator=signposts.get("regulator"),
                disclosure=disclosure,  # type: ignore[arg-type]  # one of its three words
            )  # fmt: skip
            facts = Facts(
                at=at,
                place=place,
                jurisdictions=jurisdictions.of(place),
                role=role,
                language=key.language,
                parts={"Sender": sender, "Disclosure": Disclosure(given=not first)},
            )
            for sample in tried:
                yield from _of_sample(key, template, tone, wordings, sample, rules, facts)


def _of_sample(
    key: Key, template: str, tone: str, wordings: Wordings, sample: Sample, rules: Sequence[Rule], facts: Facts
) -> Iterator[Problem]:
    said = for_table(sample.facts, wordings.choose(template, key.language, tone)[1].table)
    for channel in CHANNELS:
        worded = word_notice(template=template, channel=channel, facts=said, wordings=wordings, tone=tone)
        purpose = PURPOSES.get(template) or ("suspension_notice" if said.consequence else "collection")
        action = contact.contact_action(
            channel, automated=True, purpose=purpose, template=template, text=worded.text, subject=worded.subject,
            language=worded.language,
        )  # fmt: skip
        for rule in rules:
            yield from _objections(rule, action, facts, channel, key, sample.name)


def _objections(rule: Rule, action: Action, facts: Facts, channel: str, key: Key, sample: str) -> Iterator[Problem]:
    if not concerns(rule, action, facts):
        return
    decision = decide_by([rule], action, facts)
    if decision.outcome in (REQUIRE, BLOCK):
        for reason in decision.reasons:
            yield Problem(
                text=reason, pack=rule.pack, rule=rule.id, channel=channel, language=key.language,
                template=action.template, sample=sample,
            )  # fmt: skip


def house() -> House:
    """Who writes, from the settings."""
    operator = settings.DESK_OPERATOR
    return House(
        name=operator["name"], phone=operator["phone"], bank=operator["bank"], iban=operator["iban"],
        url=settings.DESK_PUBLIC_URL,
    )  # fmt: skip


def _markets(language: str) -> list[tuple[Place, tuple[Pack, ...]]]:
    """Where the words of a language are read, with the packs that decide there; nowhere in particular when nobody does.

    One country with several states counts once for each set of packs.
    """
    in_force = rule_packs.in_force()
    found: dict[tuple[str, ...], tuple[Place, tuple[Pack, ...]]] = {}
    for country, region in sorted(_places(language)):
        place = Place(country=country, region=region)
        packs = in_force.of(jurisdictions.of(place))
        found.setdefault(tuple(pack.code for pack in packs), (place, packs))
    return list(found.values()) or [(Place(), in_force.of(frozenset()))]


def _places(language: str) -> set[tuple[str, str]]:
    """Countries and regions of the customers who read that language; those whose language has no texts read English."""
    places: list[tuple[str, str, str]] | None = kept.get(SPOKEN_KEY)
    if places is None:
        rows = Customer.objects.order_by().values_list("language", "country", "region").annotate(found=Count("pk"))
        places = [(spoken, country, region) for spoken, country, region, _ in rows]
        kept.set(SPOKEN_KEY, places, SPOKEN_KEPT_SECONDS)
    return {(country, region) for spoken, country, region in places if country and _reads(spoken) == language}


def _reads(tag: str) -> str:
    code = (tag or settings.LANGUAGE_CODE).replace("_", "-").partition("-")[0].lower()
    return code if code in shipped() else FALLBACK_LANGUAGE


def template_names() -> list[str]:
    """Every template there is, the shared phrases first and the general one second."""
    found = {file.partition(".")[0] for files in shipped().values() for file in files}
    found |= set(NoticeText.objects.order_by().values_list("template", flat=True).distinct())
    return sorted(found, key=lambda name: (name != SHARED, name != FALLBACK_TEMPLATE, name))
