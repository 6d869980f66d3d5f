"""What customers want of us, and who speaks for them: consents, times and places, representatives, gentle treatment.

One door. Each function locks the customer, writes the row and its event on every account of the customer, and returns
the row. Saying the same twice changes nothing. Events name rows and codes: numbers, names and words stay in the rows,
which erasure can destroy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events
from accounts.models import Account, Consent, ContactPreference, Customer, Representative, Vulnerability
from accounts.models.account import AccountStatus
from accounts.refusals import Refused
from accounts.sensitive_words import diagnosis_in

#: What a vulnerability may be called. Circumstances, never an illness.
CATEGORIES: Mapping[str, str] = {
    "support": "Support needed",
    "communication": "Needs another way to communicate",
    "money_stress": "Short of money for now",
    "life_event": "A life event: loss, separation, job",
    "health": "Health affects how they deal with us",
    "caring": "Cares for somebody",
    "resilience": "Little to fall back on",
    "capability": "Finds decisions or paperwork hard",
    "safety": "Safety at home or of contact",
    "reliance": "Relies on the line: alarm, care or equipment",
    "crisis": "In a crisis, or under treatment for one",
}
#: What helps. The codes that rules, texts and people go by; nothing else is kept of the reason.
NEEDS: Mapping[str, str] = {
    "large_print": "Large print",
    "braille": "Braille",
    "easy_read": "Plain, short words",
    "slow_speech": "Slow, clear speech",
    "hearing": "Hard of hearing",
    "text_relay": "Text relay",
    "sign_language": "Sign language",
    "language": "An interpreter",
    "written_summary": "Written summaries",
    "more_time": "More time to decide",
    "shift_worker": "Works shifts",
    "carer": "A carer helps",
    "third_party": "Another deals with it",
    "single_contact": "One contact person",
    "safe_contact_only": "Safe contact only",
    "no_joint_mail": "No shared mail",
    "no_calls": "No calls",
    "telecare": "Telecare alarm",
    "life_support": "Life support",
    "emergency_reliance": "Only way to get help",
    "debt_advice": "Debt advice first",
}
SUPPORT = "support"
#: A look again is due at the latest so many days on (VUL-04).
REVIEW_DAYS: Mapping[str, int] = {
    Vulnerability.Severity.LOW: 180,
    Vulnerability.Severity.MEDIUM: 180,
    Vulnerability.Severity.HIGH: 90,
}
LONGEST_REVIEW = timedelta(days=max(REVIEW_DAYS.values()))
MOST_NOTE = 300


class CannotNote(Refused):
    """What is said makes no sense, or may not be kept."""

    code = "invalid"


class CannotEnd(Refused):
    """It has ended already."""

    code = "conflict"


def note_consent(
    *,
    customer_id: int,
    channel: str,
    given: bool,
    actor: str,
    as_of: date,
    at: datetime,
    purpose: str = Consent.Purpose.SERVICE,
    value: str = "",
    until: datetime | None = None,
    source: str = "",
    evidence: str = "",
) -> Consent:
    """The customer allows or forbids a channel for a purpose, from ``at`` on; with ``value`` one number or address.

    What is said of one number stands beside what is said of the channel: who refuses either is not written to there.
    The same again, with nothing new to prove it, is the same row. Raises ``CannotNote``.
    """
    if channel not in Consent.Channel.values:
        raise CannotNote(f"There is no channel {channel}.")
    if purpose not in Consent.Purpose.values:
        raise CannotNote(f"There is no purpose {purpose}.")
    if until is not None and (not given or until <= at):
        raise CannotNote("Only what is given ends of itself, and later than it begins.")
    about = {"customer_id": customer_id, "channel": channel, "purpose": purpose, "value": value.strip()[:254]}
    said = {
        "given": given,
        "until": until,
        "source": source[:120],
        "evidence": evidence[:1000],
        "recorded_by": actor[:80],
    }
    with transaction.atomic():
        _lock(customer_id)
        before = Consent.objects.filter(**about, at__lte=at).order_by("-at").first()
        if before is not None and _says_the_same(before, given=given, until=until, evidence=evidence[:1000]):
            return before
        if before is not None and before.at == at:
            # Two words of one moment: the later one is what was meant.
            for name, new in said.items():
                setattr(before, name, new)
            before.save(update_fields=list(said))
            consent = before
        else:
            consent = Consent.objects.create(**about, **said, at=at)
        _tell(
            customer_id,
            events.CONSENT_GIVEN if given else events.CONSENT_WITHDRAWN,
            {"consent": consent.pk, "channel": channel, "purpose": purpose, "one_address": bool(value), "until": until},
            actor=actor,
            as_of=as_of,
            at=at,
        )
    return consent


def _says_the_same(before: Consent, *, given: bool, until: datetime | None, evidence: str) -> bool:
    """Who says no twice has said no; a yes with new words or another end is a new yes."""
    if before.given != given:
        return False
    return not given or (before.until == until and evidence in ("", before.evidence))


def stop(
    *,
    customer_id: int,
    channels: Iterable[str],
    actor: str,
    as_of: date,
    at: datetime,
    value: str = "",
    source: str = "",
    evidence: str = "",
) -> list[Consent]:
    """Nothing more on those channels, from this moment on: what was allowed for any purpose there is taken back.

    A row for each channel, that about bills and arrears. Raises ``CannotNote`` for a channel that does not exist, and
    then nothing is written.
    """
    now: dict[str, Any] = {"actor": actor, "as_of": as_of, "at": at, "source": source, "evidence": evidence}
    stopped = []
    with transaction.atomic():
        _lock(customer_id)
        for channel in dict.fromkeys(channels):
            allowed = Consent.objects.filter(customer_id=customer_id, channel=channel, given=True, at__lte=at)
            if value:
                allowed = allowed.filter(value=value.strip()[:254])
            for purpose, of in sorted(set(allowed.order_by().values_list("purpose", "value"))):
                note_consent(customer_id=customer_id, channel=channel, given=False, purpose=purpose, value=of, **now)
            stopped.append(note_consent(customer_id=customer_id, channel=channel, given=False, value=value, **now))
    return stopped


def start(
    *,
    customer_id: int,
    channels: Iterable[str],
    actor: str,
    as_of: date,
    at: datetime,
    value: str = "",
    source: str = "",
    evidence: str = "",
) -> list[Consent]:
    """Messages about bills and arrears again on those channels; on the whole channel, to every number refused before.

    What needed a consent of its own (automatic calls, marketing) is not given with it.
    """
    now: dict[str, Any] = {"actor": actor, "as_of": as_of, "at": at, "source": source, "evidence": evidence}
    started = []
    with transaction.atomic():
        _lock(customer_id)
        for channel in dict.fromkeys(channels):
            of_service = Consent.objects.filter(
                customer_id=customer_id, channel=channel, purpose=Consent.Purpose.SERVICE, at__lte=at
            ).exclude(value="")
            numbers = sorted(set(of_service.order_by().values_list("value", flat=True))) if not value else []
            for number in numbers:
                note_consent(customer_id=customer_id, channel=channel, given=True, value=number, **now)
            started.append(note_consent(customer_id=customer_id, channel=channel, given=True, value=value, **now))
    return started


def consents_in_force(*, customer_id: int, at: datetime) -> list[Consent]:
    """The latest word on each channel, purpose and number by that moment, those that ended of themselves too."""
    return list(consents_by(customer_id=customer_id, at=at))


def consents_by(*, customer_id: int, at: datetime) -> QuerySet[Consent]:
    """The same, to be read with other things."""
    said = Consent.objects.filter(customer_id=customer_id, at__lte=at)
    return said.order_by("channel", "purpose", "value", "-at").distinct("channel", "purpose", "value")


def note_preference(
    *,
    customer_id: int,
    kind: str,
    actor: str,
    as_of: date,
    at: datetime,
    wanted: bool = False,
    weekdays: Collection[int] = (),
    opens: time | None = None,
    closes: time | None = None,
    place: str = "",
    channel: str = "",
    received_at: datetime | None = None,
    ends_at: datetime | None = None,
    source: str = "",
    evidence: str = "",
) -> ContactPreference:
    """When, where or how the customer wants to be reached, or not; times are the customer's own.

    ``closes`` before ``opens`` runs past midnight. A letter counts from ``received_at``, everything else from ``at``.
    Another preferred channel replaces the one before. Raises ``CannotNote``.
    """
    starts_at = received_at or at
    kept = {
        "kind": kind,
        "wanted": wanted,
        "weekdays": sorted(set(weekdays)),
        "opens": opens,
        "closes": closes,
        "place": place,
        "channel": channel,
    }
    _check_preference(kept, starts_at=starts_at, ends_at=ends_at, at=at)
    if kind == ContactPreference.Kind.CHANNEL:
        kept["wanted"] = True
    with transaction.atomic():
        _lock(customer_id)
        standing = ContactPreference.objects.filter(covering(at), customer_id=customer_id)
        if (same := standing.filter(**kept, ends_at=ends_at).order_by("pk").first()) is not None:
            return same
        if kind == ContactPreference.Kind.CHANNEL:
            for former in standing.filter(kind=kind).order_by("pk"):
                end_preference(preference_id=former.pk, actor=actor, as_of=as_of, at=at)
        preference = ContactPreference.objects.create(
            customer_id=customer_id,
            **kept,
            starts_at=starts_at,
            ends_at=ends_at,
            source=source[:120],
            evidence=evidence[:1000],
            recorded_by=actor[:80],
        )
        payload = {"preference": preference.pk, "kind": kind, "channel": channel, "received_at": received_at}
        _tell(customer_id, events.PREFERENCE_NOTED, payload, actor=actor, as_of=as_of, at=at)
    return preference


def covering(at: datetime) -> Q:
    """Condition on preferences: in force at that moment."""
    return Q(starts_at__lte=at) & (Q(ends_at=None) | Q(ends_at__gt=at))


def _check_preference(kept: Mapping[str, Any], *, starts_at: datetime, ends_at: datetime | None, at: datetime) -> None:
    kind, opens, closes = kept["kind"], kept["opens"], kept["closes"]
    if kind not in ContactPreference.Kind.values:
        raise CannotNote(f"There is no preference {kind}.")
    if starts_at > at:
        raise CannotNote("It cannot have been received yet.")
    if ends_at is not None and ends_at <= max(starts_at, at):
        raise CannotNote("It would have ended already.")
    of_times = bool(opens or closes or kept["weekdays"])
    if of_times != (kind == ContactPreference.Kind.TIME):
        raise CannotNote("Days and hours belong to times, and times need them.")
    if (opens is None) != (closes is None) or (opens is not None and opens == closes):
        raise CannotNote("Hours need a beginning and another end.")
    if not set(kept["weekdays"]) <= set(range(1, 8)):
        raise CannotNote("Weekdays are 1, Monday, to 7, Sunday.")
    if (kept["place"] in ContactPreference.Place.values) != (kind == ContactPreference.Kind.PLACE):
        raise CannotNote("Say which place: at home or at work.")
    if (kept["channel"] in Consent.Channel.values) != (kind == ContactPreference.Kind.CHANNEL):
        raise CannotNote("Say which channel they prefer.")


def end_preference(*, preference_id: int, actor: str, as_of: date, at: datetime) -> ContactPreference:
    """From ``at`` on it no longer holds. Raises ``CannotEnd``."""
    with transaction.atomic():
        preference = ContactPreference.objects.select_for_update(no_key=True).get(pk=preference_id)
        if preference.ends_at is not None and preference.ends_at <= at:
            raise CannotEnd("This has ended already.")
        preference.ends_at = at
        preference.save(update_fields=["ends_at"])
        payload = {"preference": preference.pk, "kind": preference.kind, "channel": preference.channel}
        _tell(preference.customer_id, events.PREFERENCE_ENDED, payload, actor=actor, as_of=as_of, at=at)
    return preference


def note_representative(
    *,
    customer_id: int,
    role: str,
    name: str,
    actor: str,
    as_of: date,
    at: datetime,
    organisation: str = "",
    email: str = "",
    phone: str = "",
    address: str = "",
    may_be_told: bool = False,
    since: datetime | None = None,
    evidence: str = "",
) -> Representative:
    """Somebody stands between us and the customer. The same role and name again brings their row up to what is said.

    Without ``may_be_told`` they may tell us things and hear nothing of the debt. Raises ``CannotNote``.
    """
    if role not in Representative.Role.values:
        raise CannotNote(f"There is no role {role}.")
    if not name.strip():
        raise CannotNote("Say who it is.")
    if since is not None and since > at:
        raise CannotNote("They cannot speak for the customer before today has come.")
    said = {
        "organisation": organisation.strip()[:200],
        "email": email.strip()[:254],
        "phone": phone.strip()[:40],
        "address": address.strip()[:400],
        "may_be_told": may_be_told,
        "evidence": evidence[:1000],
    }
    with transaction.atomic():
        _lock(customer_id)
        person = (
            Representative.objects.filter(speaking(at), customer_id=customer_id, role=role, name=name.strip()[:200])
            .order_by("pk")
            .first()
        )
        if person is None:
            person = Representative.objects.create(
                customer_id=customer_id,
                role=role,
                name=name.strip()[:200],
                **said,
                since=since or at,
                recorded_by=actor[:80],
            )
        else:
            changed = [field for field, new in said.items() if getattr(person, field) != new]
            if not changed:
                return person
            for field in changed:
                setattr(person, field, said[field])
            person.recorded_by = actor[:80]
            person.save(update_fields=[*changed, "recorded_by"])
        payload = {"representative": person.pk, "role": role, "may_be_told": may_be_told}
        _tell(customer_id, events.REPRESENTATIVE_NOTED, payload, actor=actor, as_of=as_of, at=at)
    return person


def speaking(at: datetime) -> Q:
    """Condition on representatives: they speak for the customer at that moment."""
    return Q(since__lte=at) & (Q(until=None) | Q(until__gt=at))


def end_representative(*, representative_id: int, actor: str, as_of: date, at: datetime) -> Representative:
    """From ``at`` on they no longer speak for the customer. Raises ``CannotEnd``."""
    with transaction.atomic():
        person = _speaker(representative_id, at)
        person.until = at
        person.save(update_fields=["until"])
        _tell_of_speaker(person, events.REPRESENTATIVE_ENDED, actor=actor, as_of=as_of, at=at)
    return person


def note_written_to(*, representative_id: int, actor: str, as_of: date, at: datetime) -> Representative:
    """We wrote to them; silence is counted from the first letter they have not answered. Raises ``CannotEnd``."""
    with transaction.atomic():
        person = _speaker(representative_id, at)
        unanswered = person.written_to_at is not None and (
            person.answered_at is None or person.answered_at < person.written_to_at
        )
        if not unanswered:
            person.written_to_at = at
            person.save(update_fields=["written_to_at"])
            _tell_of_speaker(person, events.REPRESENTATIVE_WRITTEN_TO, actor=actor, as_of=as_of, at=at)
    return person


def note_answered(*, representative_id: int, actor: str, as_of: date, at: datetime) -> Representative:
    """They answered. Raises ``CannotEnd``."""
    with transaction.atomic():
        person = _speaker(representative_id, at)
        if person.answered_at != at:
            person.answered_at = at
            person.save(update_fields=["answered_at"])
            _tell_of_speaker(person, events.REPRESENTATIVE_ANSWERED, actor=actor, as_of=as_of, at=at)
    return person


def _speaker(representative_id: int, at: datetime) -> Representative:
    person = Representative.objects.select_for_update(no_key=True).get(pk=representative_id)
    if person.until is not None and person.until <= at:
        raise CannotEnd("They no longer speak for the customer.")
    return person


def _tell_of_speaker(person: Representative, kind: str, *, actor: str, as_of: date, at: datetime) -> None:
    payload = {"representative": person.pk, "role": person.role}
    _tell(person.customer_id, kind, payload, actor=actor, as_of=as_of, at=at)


def note_vulnerability(
    *,
    customer_id: int,
    category: str,
    severity: str,
    actor: str,
    as_of: date,
    at: datetime,
    needs: Iterable[str] = (),
    review_on: date | None = None,
    consented_at: datetime | None = None,
    source: str = "",
    note: str = "",
) -> Vulnerability:
    """Gentle treatment from today on, until a person ends it; the day to look again is at most ``REVIEW_DAYS`` away.

    Without ``consented_at`` only that support is needed is kept, and how urgently: no circumstance, no needs, no note.
    The same circumstance again brings its row up to what is said now. Raises ``CannotNote``, also for a note that
    names an illness.
    """
    wanted = list(dict.fromkeys(needs))
    if severity not in Vulnerability.Severity.values:
        raise CannotNote(f"There is no severity {severity}.")
    if category not in CATEGORIES:
        raise CannotNote(f"There is no circumstance {category}: choose one of the list.")
    if unknown := sorted(set(wanted) - NEEDS.keys()):
        raise CannotNote(f"There is no need {unknown[0]}: choose of the list.")
    if word := diagnosis_in(note):
        raise CannotNote(
            f"The note names an illness ({word}). Choose what helps from the list instead; it is not kept."
        )
    if len(note) > MOST_NOTE:
        raise CannotNote(f"A note has {MOST_NOTE} characters at most: what helps, in few words.")
    if consented_at is not None and consented_at > at:
        raise CannotNote("They cannot have agreed yet.")
    said = {
        "severity": severity,
        "needs": wanted if consented_at else [],
        "review_on": _review(severity, review_on, as_of),
        "consented_at": consented_at,
        "source": source[:120],
        "note": note.strip() if consented_at else "",
    }
    category = category if consented_at else SUPPORT
    with transaction.atomic():
        _lock(customer_id)
        standing = Vulnerability.objects.filter(customer_id=customer_id, category=category, ended_on=None)
        row = standing.order_by("-noted_on", "-pk").first()
        if row is not None and _is_told(row, said, review_named=review_on is not None):
            return row
        fresh = row is None
        if row is None:
            # A circumstance that ended today and is back today is one row: its day is part of its name.
            row = Vulnerability.objects.filter(customer_id=customer_id, category=category, noted_on=as_of).first()
        if row is None:
            row = Vulnerability.objects.create(
                customer_id=customer_id, category=category, noted_on=as_of, **said, recorded_by=actor[:80]
            )
        else:
            for field, new in said.items():
                setattr(row, field, new)
            row.ended_on, row.recorded_by = None, actor[:80]
            row.save(update_fields=[*said, "ended_on", "recorded_by"])
        kind = events.VULNERABILITY_NOTED if fresh else events.VULNERABILITY_REVIEWED
        _tell(customer_id, kind, {"vulnerability": row.pk}, actor=actor, as_of=as_of, at=at)
    return row


def _review(severity: str, review_on: date | None, as_of: date) -> date:
    latest = as_of + timedelta(days=REVIEW_DAYS[severity])
    if review_on is not None and not as_of <= review_on <= latest:
        raise CannotNote(f"Look again between today and {latest:%d %b %Y}.")
    return review_on or latest


def _is_told(row: Vulnerability, said: Mapping[str, Any], *, review_named: bool) -> bool:
    """Nothing new: the day that nobody named, and the moment of agreeing again, count for nothing."""
    told = {**said, "review_on": said["review_on"] if review_named else row.review_on}
    told["consented_at"] = row.consented_at if (row.consented_at and said["consented_at"]) else said["consented_at"]
    return all(getattr(row, field) == new for field, new in told.items())


def look_again(*, vulnerability_id: int, review_on: date, actor: str, as_of: date, at: datetime) -> Vulnerability:
    """Somebody looked and it goes on, to be looked at again on that day. Raises ``CannotNote`` and ``CannotEnd``."""
    with transaction.atomic():
        row = _standing(vulnerability_id)
        day = _review(row.severity, review_on, as_of)
        if row.review_on != day:
            row.review_on = day
            row.save(update_fields=["review_on"])
            payload = {"vulnerability": row.pk, "review_on": day}
            _tell(row.customer_id, events.VULNERABILITY_REVIEWED, payload, actor=actor, as_of=as_of, at=at)
    return row


def to_look_at(*, as_of: date) -> list[int]:
    """Accounts of customers whose day to look again has come, one a customer: the first that is still open.

    The need itself stays in force until a person ends it.
    """
    due = Vulnerability.objects.filter(ended_on=None, review_on__lte=as_of)
    accounts = Account.objects.filter(customer__in=due.values("customer")).exclude(status=AccountStatus.CLOSED)
    return list(accounts.order_by("customer", "pk").distinct("customer").values_list("pk", flat=True))


def end_vulnerability(*, vulnerability_id: int, actor: str, as_of: date, at: datetime) -> Vulnerability:
    """A person says that it is over; a day to look again that has passed never does. Raises ``CannotEnd``.

    The desk itself (an actor without a name) may not: ``CannotNote``.
    """
    if actor.partition(":")[0] not in _PERSONS:
        raise CannotNote("Only a person ends gentle treatment.", code="forbidden")
    with transaction.atomic():
        row = _standing(vulnerability_id)
        row.ended_on = as_of
        row.save(update_fields=["ended_on"])
        _tell(row.customer_id, events.VULNERABILITY_ENDED, {"vulnerability": row.pk}, actor=actor, as_of=as_of, at=at)
    return row


#: Kinds of actors that are people who may judge it.
_PERSONS = frozenset({"agent"})


def _standing(vulnerability_id: int) -> Vulnerability:
    row = Vulnerability.objects.select_for_update(no_key=True).get(pk=vulnerability_id)
    if row.ended_on is not None:
        raise CannotEnd("It was ended already.")
    return row


def state_timezone(*, customer_id: int, timezone: str, actor: str, as_of: date, at: datetime) -> Customer:
    """Where the customer says their clock is; it wins over what billing has on file. Raises ``CannotNote``."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CannotNote(f"There is no time zone {timezone}.") from None
    with transaction.atomic():
        customer = _lock(customer_id)
        if customer.timezone == timezone and customer.timezone_stated_on is not None:
            return customer
        customer.timezone, customer.timezone_stated_on = timezone, as_of
        customer.save(update_fields=["timezone", "timezone_stated_on"])
        # The zone is where they live: the event says that they told us, the row says what.
        _tell(customer_id, events.TIME_ZONE_STATED, {"stated_on": as_of}, actor=actor, as_of=as_of, at=at)
    return customer


def state_language(*, customer_id: int, language: str, actor: str, as_of: date, at: datetime) -> Customer:
    """In which language the customer wants to be written to, as a tag: ``es``, ``pt-BR``. Raises ``CannotNote``."""
    if not _LANGUAGE.fullmatch(language):
        raise CannotNote(f"There is no language {language}.")
    with transaction.atomic():
        customer = _lock(customer_id)
        if customer.language == language and customer.language_stated_on is not None:
            return customer
        customer.language, customer.language_stated_on = language, as_of
        customer.save(update_fields=["language", "language_stated_on"])
        _tell(customer_id, events.LANGUAGE_STATED, {"language": language}, actor=actor, as_of=as_of, at=at)
    return customer


_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _lock(customer_id: int) -> Customer:
    """One word of a customer after the other."""
    return Customer.objects.select_for_update(no_key=True).get(pk=customer_id)


def _tell(customer_id: int, kind: str, payload: Mapping[str, Any], *, actor: str, as_of: date, at: datetime) -> None:
    accounts = Account.objects.filter(customer_id=customer_id).order_by("pk").values_list("pk", flat=True)
    events.record_many(
        [
            events.EventRow(account_id=pk, kind=kind, actor=actor, at=at, on=as_of, payload=payload, react=True)
            for pk in accounts
        ]
    )
