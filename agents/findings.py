"""What the checks of words find in what people write down and in what customers are sent, and who says to it what.

At the close of the day everything of the day is judged, in stretches of the sealed history: behind a sealed event none
can appear any more, so that nothing is passed over, and the mark moves in the same transaction as the findings, so that
a killed run goes on where it was. A text to customers is judged once for all copies that are the same but for names,
figures and dates; what is known of its reader is looked at for each copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Value, When

from accounts import events
from accounts.models import AccountEvent, Seal, Vulnerability
from accounts.refusals import Refused
from agents import kinds, rights, text_shapes, tone_checks, word_checks
from agents.models import Agent, CheckedText, CheckedUntil, Finding, Interaction, Note, Promise, Severity
from agents.tone_checks import JUST_KEPT, Reader
from dunning import kinds as dunning_kinds
from dunning import notice_texts, tone
from dunning.models import Notice
from dunning.tone import Found, Lexicon
from dunning.wording import Wordings

ACTOR = "desk:checks"
#: Events that are looked through in one transaction.
STRETCH = 10_000
#: An agent's own findings are shown for so long, and so many of them.
SHOWN_FOR = timedelta(days=30)
MOST_SHOWN, MOST_COUNTED = 5, 100
RIGHT, WRONG = Finding.Verdict.RIGHT, Finding.Verdict.WRONG
#: How much a finding matters, as a number: severities are words, and do not sort by themselves.
WEIGHT = Case(*(When(severity=code, then=Value(at)) for at, code in enumerate(Severity.values)))
_WRITTEN = (kinds.CALL_LOGGED, kinds.CONTACT_RECORDED, kinds.NOTE_ADDED)


class CannotJudge(Refused):
    """There is no such finding for them, or its verdict is not theirs to give."""

    code = "not_found"


# Checking -----------------------------------------------------------------------------------------------------------


@dataclass
class _Stretch:
    """What was written down and sent in a stretch of the history."""

    notes: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    #: Keys of notices, with the event's account.
    notices: list[str] = field(default_factory=list)


def check(*, as_of: date, at: datetime, stretch: int = STRETCH) -> int:
    """Judge everything written down or sent since the last time, as far as it is sealed; how much was found.

    The first time of all it begins with the day. ``stretch``: so many events are looked through in one transaction.
    """
    upto = Seal.objects.order_by("-pk").values_list("last_event_id", flat=True).first()
    if upto is None:
        return 0
    lexicon = word_checks.in_use()
    wordings = notice_texts.in_use()
    made = 0
    while (found := _check_stretch(upto, stretch, lexicon, wordings, as_of=as_of, at=at)) is not None:
        made += found
    return made


def _check_stretch(
    upto: int, stretch: int, lexicon: Lexicon, wordings: Wordings, *, as_of: date, at: datetime
) -> int | None:
    """Of the next events those that matter; none when there are no more."""
    with transaction.atomic():
        mark = _mark(as_of, at)
        if mark.event_id >= upto:
            return None
        last = min(mark.event_id + stretch, upto)
        rows = _told(after=mark.event_id, until=last)
        made = [
            *_in_notes(rows.notes, lexicon, at),
            *_in_calls(rows.calls, lexicon, at),
            *_in_notices(rows.notices, lexicon, wordings, at),
        ]
        _write(made, as_of=as_of, at=at)
        mark.event_id, mark.moved_at = last, at
        mark.save(update_fields=["event_id", "moved_at"])
    return len(made)


def _mark(as_of: date, at: datetime) -> CheckedUntil:
    """How far it has come, locked."""
    mark = CheckedUntil.objects.select_for_update().order_by("pk").first()
    if mark is not None:
        return mark
    first = AccountEvent.objects.filter(on__gte=as_of).aggregate(first=Min("pk"))["first"]
    before = first - 1 if first is not None else AccountEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    return CheckedUntil.objects.create(pk=1, event_id=before, moved_at=at)


def _told(*, after: int, until: int) -> _Stretch:
    """One query."""
    stretch = _Stretch()
    rows = AccountEvent.objects.filter(
        pk__gt=after, pk__lte=until, kind__in=(*_WRITTEN, dunning_kinds.NOTICE_SENT)
    ).order_by("pk")
    for kind, payload in rows.values_list("kind", "payload"):
        if kind == dunning_kinds.NOTICE_SENT:
            stretch.notices.append(payload.get("key", ""))
        elif kind == kinds.NOTE_ADDED:
            stretch.notes.append(payload.get("note", 0))
        else:
            stretch.calls.append(payload.get("interaction") or "")
    return stretch


def _in_notes(keys: Collection[int], lexicon: Lexicon, at: datetime) -> list[Finding]:
    """Three queries at most."""
    if not keys:
        return []
    rows = list(Note.objects.filter(pk__in=keys, undone_at=None).order_by("pk"))
    names = {row.by.removeprefix("agent:") for row in rows if row.by.startswith("agent:")}
    whose = dict(Agent.objects.filter(username__in=names).values_list("username", "pk"))
    known = _known(note__in=keys)
    return [
        Finding(
            account_id=row.account_id, note=row, agent_id=whose.get(row.by.removeprefix("agent:")),
            **_columns(found, at),
        )
        for row in rows
        for found in tone_checks.judge_note(row.text, lexicon=lexicon)
        if (row.pk, found.check) not in known
    ]  # fmt: skip


def _in_calls(refs: Collection[str], lexicon: Lexicon, at: datetime) -> list[Finding]:
    """Two queries at most."""
    if not refs:
        return []
    rows = list(Interaction.objects.filter(ref__in=refs, undone_at=None).exclude(note="").order_by("pk"))
    known = _known(interaction__in=[row.pk for row in rows])
    return [
        Finding(account_id=row.account_id, interaction=row, agent_id=row.agent_id, **_columns(found, at))
        for row in rows
        for found in tone_checks.judge_note(row.note, lexicon=lexicon)
        if (row.pk, found.check) not in known
    ]


def _columns(found: Found, at: datetime) -> dict[str, Any]:
    return {"check_code": found.check, "severity": found.severity, "excerpt": found.excerpt[:300], "found_at": at}


def _known(**piece: Any) -> set[tuple[int, str]]:
    """What was found there before. One query."""
    [(name, _)] = piece.items()
    column = f"{name.partition('__')[0]}_id"
    return set(Finding.objects.filter(**piece).values_list(column, "check_code"))


# Texts to customers ---------------------------------------------------------------------------------------------------


def _in_notices(keys: Collection[str], lexicon: Lexicon, wordings: Wordings, at: datetime) -> list[Finding]:
    """Six queries at most, and what new texts are written down with."""
    if not keys:
        return []
    rows = list(
        Notice.objects.filter(key__in=keys)
        .exclude(body="")
        .select_related("customer", "case__version__policy")
        .order_by("pk")
    )
    judged: dict[tuple[int, str], Finding] = {}
    for row, found in (*_of_texts(rows, lexicon, wordings, at), *_of_readers(rows, lexicon, wordings)):
        finding = Finding(account_id=row.account_id, notice=row, **_columns(found, at))
        judged.setdefault((row.pk, found.check), finding)
    known = _known(notice__in=[row for row, _ in judged])
    return [finding for key, finding in judged.items() if key not in known]


def _of_texts(rows: Sequence[Notice], lexicon: Lexicon, wordings: Wordings, at: datetime) -> list[tuple[Notice, Found]]:
    """What stands in the texts, each judged in its first copy."""
    by = word_checks.fingerprint(lexicon)
    copies: dict[str, list[Notice]] = defaultdict(list)
    for row in rows:
        copies[_digest(row)].append(row)
    known = {
        text.digest: text
        for text in CheckedText.objects.filter(digest__in=copies).select_related(
            "notice__customer", "notice__case__version__policy"
        )
    }
    found: list[tuple[Notice, Found]] = []
    new, again = [], []
    for digest, same in copies.items():
        sent = [row.sent_at or at for row in same]
        text = known.get(digest)
        if text is None:
            new.append(
                CheckedText(
                    digest=digest, notice=same[0], copies=len(same), first_sent_at=min(sent), last_sent_at=max(sent),
                    judged_by=by,
                )
            )  # fmt: skip
            found += _judged(same[0], lexicon, wordings)
            continue
        if text.judged_by != by:
            found += _judged(text.notice, lexicon, wordings)
        text.copies += len(same)
        text.last_sent_at, text.judged_by = max(text.last_sent_at, *sent), by
        again.append(text)
    CheckedText.objects.bulk_create(new)
    CheckedText.objects.bulk_update(again, ["copies", "last_sent_at", "judged_by"], batch_size=500)
    return found


def _digest(row: Notice) -> str:
    version = row.case.version_id if row.case is not None else 0
    beside = (str(version), row.step_code, row.template, row.language, row.channel, row.tone)
    text = tone.as_read(row.subject, row.body, channel=row.channel)
    return text_shapes.digest_of(text, name=row.customer.name, language=row.language, beside=beside)


def _judged(row: Notice, lexicon: Lexicon, wordings: Wordings) -> list[tuple[Notice, Found]]:
    _, template = wordings.choose(row.template, row.language, row.tone)
    asks = template.pays and template.table == "bills"
    text = text_shapes.without_name(tone.as_read(row.subject, row.body, channel=row.channel), row.customer.name)
    found = tone.judge_notice(
        text, language=row.language, channel=row.channel, lexicon=lexicon, amount=row.amount if asks else None
    )
    return [(row, one) for one in found]


def _of_readers(rows: Sequence[Notice], lexicon: Lexicon, wordings: Wordings) -> list[tuple[Notice, Found]]:
    """What stands against having sent it to them: of each copy whose words are firm. Two queries."""
    firm = [row for row in rows if row.consequence or row.tone == "firm"]
    readers = _readers(firm)
    return [
        (row, found)
        for row in firm
        for found in tone_checks.judge_for_reader(
            text_shapes.without_name(row.body, row.customer.name),
            tone=row.tone,
            has_gentle=_has_gentle(row, wordings),
            consequence=row.consequence,
            reader=readers[row.pk],
            lexicon=lexicon,
        )
    ]


def _has_gentle(row: Notice, wordings: Wordings) -> bool:
    language = wordings.languages.get(row.language.partition("-")[0].lower())
    return language is not None and f"{row.template}.gentle" in language.templates


def _readers(rows: Sequence[Notice]) -> dict[int, Reader]:
    """What was known of those customers on the day they were written to."""
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    needs: dict[int, list[tuple[date, date | None]]] = defaultdict(list)
    of_customers = Vulnerability.objects.filter(customer__in={row.customer_id for row in rows})
    for customer, noted_on, ended_on in of_customers.values_list("customer_id", "noted_on", "ended_on"):
        needs[customer].append((noted_on, ended_on))
    kept: dict[int, list[date]] = defaultdict(list)
    days = [row.sent_at.astimezone(zone).date() for row in rows if row.sent_at is not None]
    promises = Promise.objects.filter(
        account__in={row.account_id for row in rows},
        status=Promise.Status.KEPT,
        settled_on__gte=min(days, default=date.max) - JUST_KEPT if days else date.max,
    )
    for account, settled_on in promises.values_list("account_id", "settled_on"):
        if settled_on is not None:
            kept[account].append(settled_on)
    readers = {}
    for row in rows:
        on = row.sent_at.astimezone(zone).date() if row.sent_at is not None else row.made_on
        readers[row.pk] = Reader(
            sent_on=on,
            in_need=any(
                noted <= on and (ended is None or ended > on) for noted, ended in needs.get(row.customer_id, ())
            ),
            kept_on=max((day for day in kept.get(row.account_id, ()) if day <= on), default=None),
        )
    return readers


def _write(made: Sequence[Finding], *, as_of: date, at: datetime) -> None:
    """The findings, and an event for each: its words stay in the row."""
    Finding.objects.bulk_create(made, batch_size=1_000)
    events.record_many(
        [
            events.EventRow(
                account_id=finding.account_id,
                kind=dunning_kinds.FINDING_MADE,
                actor=ACTOR,
                at=at,
                on=as_of,
                policy=_policy(finding),
                payload={
                    "finding": finding.pk,
                    "of": finding.subject.value,
                    "check": finding.check_code,
                    "severity": finding.severity,
                    **_of_notice(finding),
                },
            )
            for finding in made
        ]
    )


def _policy(finding: Finding) -> str:
    case = finding.notice.case if finding.notice is not None else None
    return str(case.version) if case is not None else ""


def _of_notice(finding: Finding) -> dict[str, str]:
    if finding.notice is None:
        return {}
    return {"key": finding.notice.key, "step": finding.notice.step_code, "template": finding.notice.template}


# Looking --------------------------------------------------------------------------------------------------------------


def visible(user: Any) -> QuerySet[Finding]:
    """The findings that the user may read: who reviews the work of every team all of them; who reviews one team's,
    those about its people and about texts, on accounts that they see; everybody else those about themselves.

    Of what was taken back there are none.
    """
    rows = Finding.objects.filter(interaction__undone_at__isnull=True, note__undone_at__isnull=True)
    if not rights.may(user, rights.Act.REVIEW):
        return rows.filter(agent=user)
    if rights.sees_all_teams(user):
        return rows
    people = Q(agent__team=user.team_id) if user.team_id is not None else Q(agent=user)
    return rows.filter(people | Q(agent=None, notice__isnull=False), account__in=rights.visible_accounts(user))


def shown(
    user: Any,
    *,
    agent: str = "",
    check: str = "",
    severity: str = "",
    policy: str = "",
    step: str = "",
    of: str = "",
    verdict: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Finding]:
    """The findings of a list, those that nobody looked at on top. ``verdict`` is open, right or wrong."""
    rows = visible(user).select_related(
        "account__customer", "agent", "interaction", "note", "notice__case__version__policy", "notice__checked_text"
    )
    wanted = {
        "agent__username": agent,
        "check_code": check,
        "severity": severity,
        "notice__case__version__policy__code": policy,
        "notice__step_code": step,
        "found_at__gte": since,
        "found_at__lt": until,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if of:
        rows = rows.filter(**{f"{_PIECES[of]}__isnull": False})
    if verdict:
        rows = rows.filter(verdict="" if verdict == "open" else verdict)
    return rows.order_by(F("looked_at").asc(nulls_first=True), "-found_at", "-pk")


_PIECES = {"call": "interaction", "note": "note", "notice": "notice"}


def counted(rows: QuerySet[Finding]) -> dict[str, int]:
    """How many wait for a verdict, and how many there are of each severity. One query."""
    each = {severity: Count("pk", filter=Q(severity=severity)) for severity in Severity.values}
    return rows.order_by().aggregate(all=Count("pk"), open=Count("pk", filter=Q(verdict="")), **each)


@dataclass(frozen=True, slots=True)
class Precision:
    """What people said to what a check found."""

    check: str
    found: int
    right: int
    wrong: int

    @property
    def share(self) -> float | None:
        """Right of those that were looked at; none where nobody looked."""
        looked = self.right + self.wrong
        return self.right / looked if looked else None


def precision(rows: QuerySet[Finding] | None = None) -> list[Precision]:
    """Of each check that found something, the most frequent first. One query."""
    rows = Finding.objects.all() if rows is None else rows
    counts = rows.order_by().values("check_code").annotate(
        found=Count("pk"), right=Count("pk", filter=Q(verdict=RIGHT)), wrong=Count("pk", filter=Q(verdict=WRONG))
    )  # fmt: skip
    return [
        Precision(row["check_code"], row["found"], row["right"], row["wrong"])
        for row in counts.order_by("-found", "check_code")
    ]


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to filter by."""

    people: list[tuple[str, str]]
    checks: list[str]
    #: Policy and step, of texts.
    steps: list[tuple[str, str]]


def choices(rows: QuerySet[Finding]) -> Choices:
    """Three queries."""
    bare = rows.order_by()
    people = Agent.objects.filter(pk__in=bare.filter(agent__isnull=False).values("agent")).order_by("username")
    checks = bare.values_list("check_code", flat=True).distinct().order_by("check_code")
    steps = (
        bare.filter(notice__case__isnull=False)
        .values_list("notice__case__version__policy__code", "notice__step_code")
        .distinct()
    )
    return Choices([(person.username, str(person)) for person in people], list(checks), sorted(steps))


# An agent's own -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnNote:
    """One note or call of theirs: what was found in it first, and each check by name with the rule it comes from."""

    finding: Finding
    about: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Own:
    """What an agent may want to look at again in what they wrote: the latest first, and how many notes in all."""

    notes: list[OwnNote]
    count: int


def own(agent: Agent, *, at: datetime) -> Own:
    """What was found in the agent's own words lately, on accounts they still see, unless they saw it or somebody called
    it wrong. One query; two more where something was found.
    """
    rows = (
        Finding.objects.filter(agent=agent, seen_at=None, found_at__gt=at - SHOWN_FOR)
        .filter(interaction__undone_at__isnull=True, note__undone_at__isnull=True)
        .exclude(verdict=WRONG)
        .exclude(severity=Severity.NOTE)
        .select_related("account__customer")
    )
    found = list(rows.order_by("-found_at", "-pk")[:MOST_COUNTED])
    if not found:
        return Own([], 0)
    accounts = rights.visible_accounts(agent).filter(pk__in={one.account_id for one in found})
    seen = set(accounts.values_list("pk", flat=True))
    pieces: dict[tuple[str, int], list[Finding]] = defaultdict(list)
    for one in found:
        if one.account_id in seen:
            pieces[one.subject, one.piece_id].append(one)
    about = word_checks.words_about()
    notes = [
        OwnNote(same[-1], [about.get(one.check_code, (one.check_code, "")) for one in reversed(same)])
        for same in list(pieces.values())[:MOST_SHOWN]
    ]
    return Own(notes, len(pieces))


def see(*, finding_id: int, agent: Agent, at: datetime) -> None:
    """The agent has looked at a note of theirs again, and at all that was found in it. Raises ``CannotJudge`` for
    anybody else's.
    """
    mine = Finding.objects.filter(agent=agent)
    row = mine.filter(pk=finding_id).first()
    if row is None:
        raise CannotJudge("There is no such finding about you.")
    mine.filter(interaction=row.interaction_id, note=row.note_id, notice=row.notice_id).update(seen_at=at)


def judge(*, finding_id: int, verdict: str, user: Agent, as_of: date, at: datetime) -> Finding:
    """Say whether a check was right; the last word counts. Raises ``CannotJudge``."""
    if verdict not in (RIGHT, WRONG):
        raise CannotJudge("A finding is right or wrong.", code="invalid")
    with transaction.atomic():
        # Of the row alone: what it is about is only looked at.
        row = visible(user).select_for_update(of=("self",)).filter(pk=finding_id).first()
        if row is None or not rights.may(user, rights.Act.REVIEW):
            raise CannotJudge("There is no such finding.")
        if row.agent_id == user.pk:
            raise CannotJudge("What was found in your own words is for somebody else to judge.", code="forbidden")
        row.verdict, row.looked_at, row.looked_by = verdict, at, rights.actor(user)
        row.save(update_fields=["verdict", "looked_at", "looked_by"])
        events.record(
            account_id=row.account_id,
            kind=dunning_kinds.FINDING_JUDGED,
            actor=rights.actor(user),
            at=at,
            on=as_of,
            payload={"finding": row.pk, "check": row.check_code, "verdict": verdict},
        )
    return row


def titles(codes: Iterable[str], about: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """The codes with what the checks are called, by name."""
    return sorted(((code, about.get(code, (code, ""))[0]) for code in codes), key=lambda pair: pair[1].casefold())
