"""May this person be contacted now, on this channel: one decision for people and machines. Pure.

Rules are data (``Rules``), one set a market, shipped as samples and no legal advice. Every rule that objects is named;
the strictest answer wins; what is only too early says when it may be tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from babel.core import get_global
from phonenumbers import timezone as phone_zones

ALLOW, WARN, REQUIRE, HOLD, BLOCK = "ALLOW", "WARN", "REQUIRE", "HOLD", "BLOCK"
_STRICTNESS = (ALLOW, WARN, REQUIRE, HOLD, BLOCK)

#: Nobody waits longer than this for a window: the contact is then blocked.
HORIZON_DAYS = 60


@dataclass(frozen=True, slots=True)
class Rules:
    """One market's limits. Hours are local to the customer and half-open; post is not timed."""

    pack: str
    version: str
    opens: time
    closes: time
    #: ISO weekdays (1 Monday … 7 Sunday) on which calls and messages may be made.
    weekdays: frozenset[int] = frozenset(range(1, 8))
    timed_channels: frozenset[str] = frozenset({"call", "sms", "email"})
    hours_rule: str = "HOURS"
    #: Calls in seven consecutive days, and days of quiet after a conversation; 0 sets no limit.
    max_calls_7d: int = 0
    quiet_days: int = 0
    calls_rule: str = "CALLS"
    quiet_rule: str = "QUIET"
    override: str = "supervisor"


#: 12 CFR 1006.6(b)(1)(i) (hours), 1006.14(b)(2)(i) (seven calls, seven days' quiet), kept as policy first-party.
_US = Rules(
    "US-FED", "2026.11.1", time(8), time(21), hours_rule="US-TIME-01", max_calls_7d=7, quiet_days=7,
    calls_rule="US-FREQ-01", quiet_rule="US-FREQ-02",
)  # fmt: skip
#: RBI fair-practice hours, which operators follow; messages of service kind.
_IN = Rules("IN", "2026.11.1", time(8), time(19), hours_rule="IN-HOURS-01", max_calls_7d=7, calls_rule="IN-HOURS-01")
#: Ofcom and FCA practice: reasonable hours, Monday to Saturday.
_GB = Rules(
    "GB", "2026.11.1", time(8), time(20), frozenset(range(1, 7)), hours_rule="UK-CONT-01", max_calls_7d=7,
    calls_rule="UK-CONT-01",
)  # fmt: skip
_EU = Rules(
    "EU", "2026.11.1", time(8), time(20), frozenset(range(1, 7)), hours_rule="EU-HOURS-01", max_calls_7d=7,
    calls_rule="EU-HOURS-01",
)  # fmt: skip
#: A market without rules of its own: the operator's courtesy.
_DESK = Rules(
    "DESK", "2026.11.1", time(8), time(20), hours_rule="DESK-HOURS-01", max_calls_7d=7, calls_rule="DESK-CALLS"
)

_MEMBERS = frozenset("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split())  # noqa: SIM905


def rules_for(country: str) -> Rules:
    """The rules of a customer's country."""
    if country in _MEMBERS:
        return _EU
    return {"US": _US, "IN": _IN, "GB": _GB}.get(country, _DESK)


def zones_for(timezone: str, country: str, number: str = "") -> tuple[ZoneInfo, ...]:
    """Every zone the customer may be in; none where nothing is known.

    The one we were told; else those of the area code of their number; else, and for a number that belongs nowhere in
    particular (mobile in most countries, toll-free), all of their country.
    """
    if timezone:
        return (ZoneInfo(timezone),)
    return _of_number(number, country) or _of_country(country)


#: Of those that the phone book and the territories name, the ones this machine knows.
_KNOWN = frozenset(available_timezones())


@lru_cache(maxsize=50_000)
def _of_number(number: str, country: str) -> tuple[ZoneInfo, ...]:
    try:
        parsed = phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return ()
    if phonenumbers.region_code_for_number(parsed) != country:
        return ()
    found = _apart(phone_zones.time_zones_for_geographical_number(parsed))
    # A number of a whole country says no more than the country does.
    return found if len(found) < len(_of_country(country)) else ()


@cache
def _of_country(country: str) -> tuple[ZoneInfo, ...]:
    territories = get_global("zone_territories").items()
    return _apart(sorted(name for name, territory in territories if country and territory == country))


def _apart(names: Iterable[str]) -> tuple[ZoneInfo, ...]:
    """One of each kind: two zones that agree in winter and in summer say the same."""
    alike: dict[tuple[timedelta | None, ...], ZoneInfo] = {}
    for name in names:
        if name in _KNOWN:
            zone = ZoneInfo(name)
            alike.setdefault(tuple(datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)), zone)
    return tuple(alike.values())


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What the gate reads about one person and one account."""

    channel: str
    at: datetime
    automated: bool
    #: Every zone the person may be in; hours must suit all of them. Empty: unknown.
    zones: tuple[ZoneInfo, ...]
    has_address: bool
    refused: bool
    #: Reasons of holds that stop this kind of contact today.
    holds: tuple[str, ...] = ()
    #: Moments of outbound calls that connected to something, and of conversations, of the last two weeks.
    calls: tuple[datetime, ...] = ()
    conversations: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer, strictest rule first."""

    outcome: str
    rule_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    next_allowed_at: datetime | None = None
    requires: tuple[str, ...] = ()
    override: str = "none"
    pack_versions: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        return self.outcome in (ALLOW, WARN)


@dataclass(slots=True)
class _Findings:
    found: list[tuple[str, str, str, datetime | None, str]] = field(default_factory=list)

    def add(self, outcome: str, rule: str, reason: str, until: datetime | None = None, override: str = "none") -> None:
        self.found.append((outcome, rule, reason, until, override))


def decide(facts: ContactFacts, rules: Rules) -> Decision:
    """Every rule asked, the strictest answer given.

    A contact that is only too early is held until the first moment at which no timed rule objects any more.
    """
    findings = _check(facts, rules, facts.at)
    version = (f"{rules.pack}@{rules.version}",)
    if not findings.found:
        return Decision(ALLOW, pack_versions=version)
    findings.found.sort(key=lambda found: -_STRICTNESS.index(found[0]))
    outcome, override = findings.found[0][0], findings.found[0][4]
    until = _first_free(facts, rules) if outcome == HOLD else None
    if outcome == HOLD and until is None:
        outcome = BLOCK
    return Decision(
        outcome,
        tuple(dict.fromkeys(rule for _, rule, _, _, _ in findings.found)),
        tuple(reason for _, _, reason, _, _ in findings.found),
        until,
        (),
        override,
        version,
    )


def _check(facts: ContactFacts, rules: Rules, at: datetime) -> _Findings:
    findings = _Findings()
    for reason in facts.holds:
        findings.add(BLOCK, f"HOLD-{reason}", f"A hold is in force: {reason.replace('_', ' ')}.", None, "supervisor")
    if not facts.has_address:
        findings.add(BLOCK, "DESK-ADDRESS", "There is no usable address for this channel.")
    if facts.refused:
        findings.add(BLOCK, "DESK-CONSENT", "The customer asked not to be contacted this way.")
    if facts.channel in rules.timed_channels:
        if not facts.zones:
            findings.add(BLOCK if facts.automated else WARN, "GLB-TZ", "The customer's time zone is not known.")
        for zone in facts.zones:
            local = at.astimezone(zone)
            if local.isoweekday() not in rules.weekdays:
                findings.add(HOLD, rules.hours_rule, f"Not on a {local:%A} ({zone.key}).", None, rules.override)
            elif not rules.opens <= local.time() < rules.closes:
                hours = f"{rules.opens:%H:%M} to {rules.closes:%H:%M}"
                text = f"It is {local:%H:%M} at the customer ({zone.key}): contact is {hours}."
                findings.add(HOLD, rules.hours_rule, text, None, rules.override)
    if facts.channel == "call":
        _check_calls(facts, rules, at, findings)
    return findings


def _check_calls(facts: ContactFacts, rules: Rules, at: datetime, findings: _Findings) -> None:
    for zone in facts.zones or (ZoneInfo("UTC"),):
        today = at.astimezone(zone).date()
        first = today - timedelta(days=6)
        if rules.max_calls_7d and _between(facts.calls, zone, first, today) >= rules.max_calls_7d:
            text = f"{rules.max_calls_7d} calls were made in the last seven days."
            findings.add(HOLD, rules.calls_rule, text, None, rules.override)
        if rules.quiet_days:
            since = today - timedelta(days=rules.quiet_days - 1)
            if _between(facts.conversations, zone, since, today):
                text = f"There was a conversation within the last {rules.quiet_days} days."
                findings.add(HOLD, rules.quiet_rule, text, None, rules.override)


def _between(moments: Sequence[datetime], zone: ZoneInfo, first: date, last: date) -> int:
    return sum(first <= moment.astimezone(zone).date() <= last for moment in moments)


def _first_free(facts: ContactFacts, rules: Rules) -> datetime | None:
    """The first opening within the horizon at which nothing holds any more; every zone's openings are tried."""
    zones = facts.zones or (ZoneInfo("UTC"),)
    candidates = sorted(
        datetime.combine(facts.at.astimezone(zone).date() + timedelta(days=days), rules.opens, tzinfo=zone)
        for zone in zones
        for days in range(HORIZON_DAYS + 1)
    )
    for moment in candidates:
        if moment > facts.at and all(found[0] in (WARN, REQUIRE) for found in _check(facts, rules, moment).found):
            return moment
    return None
