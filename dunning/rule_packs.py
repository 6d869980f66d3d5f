"""The packs in force: what ships with the desk, what an admin chose for a market, and the values that were set here.

A value that makes a rule stricter is in force at once; one that makes it looser, and a market that is to do without a
pack of its own, need a reason and a second person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from accounts import at_once, business_day, events
from accounts.refusals import Refused
from dunning import kinds
from dunning.gate.packs import EVERYWHERE, Change, Pack, PackError, changed, direction, shipped
from dunning.models import MarketPacks, PackChange, RulePackVersion

#: Where no pack of a country applies: the operator's courtesy.
COURTESY = "DESK"

#: Two people who set the same value take turns.
_TURN = 7301401
_MARKET = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?|\*")


class CannotChange(Refused):
    """The value cannot be set, or not by this person."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class InForce:
    """All packs as they decide now, and what was chosen for markets."""

    packs: Mapping[str, Pack]
    markets: tuple[tuple[str, tuple[str, ...]], ...]
    #: What both follow from: equal states decide equally.
    state: tuple[Any, ...]

    def of(self, jurisdictions: frozenset[str]) -> tuple[Pack, ...]:
        """The packs for a customer who is there, in the order of their codes."""
        return tuple(self.packs[code] for code in _codes(jurisdictions, self.markets) if code in self.packs)


def in_force() -> InForce:
    """As the database says at this moment: one small query.

    A value that its rule cannot take any more, because the desk was upgraded since, is left out: ``out_of_place`` names
    it.
    """
    found = at_once.rows(
        changes=PackChange.objects.filter(state=PackChange.State.IN_FORCE).order_by("pack", "rule", "parameter"),
        markets=MarketPacks.objects.exclude(decided_at=None).order_by("market"),
    )
    changes = tuple(
        (row.pack, row.rule, row.parameter, json.dumps(row.value, sort_keys=True))
        for row in found["changes"]
        if not _is_own(row.pack, row.rule, row.parameter, row.value)
    )
    markets = tuple((row.market, tuple(row.packs)) for row in found["markets"])
    return InForce(_built(changes), markets, (changes, markets))


def out_of_place() -> list[PackChange]:
    """Values in force that no rule takes any more: somebody has to look."""
    rows = PackChange.objects.filter(state=PackChange.State.IN_FORCE).order_by("pack", "rule", "parameter")
    return [row for row in rows if not _fits(row.pack, Change(row.rule, row.parameter, row.value))]


@lru_cache(maxsize=8)
def _built(changes: tuple[tuple[str, str, str, str], ...]) -> Mapping[str, Pack]:
    by_pack: dict[str, list[Change]] = {}
    for pack, rule, parameter, value in changes:
        one = Change(rule, parameter, json.loads(value))
        if _fits(pack, one):
            by_pack.setdefault(pack, []).append(one)
    return {code: changed(pack, by_pack.get(code, [])) for code, pack in shipped().items()}


def _fits(pack: str, one: Change) -> bool:
    try:
        changed(shipped()[pack], [one])
    except (KeyError, PackError):
        return False
    return True


@lru_cache(maxsize=10_000)
def _codes(jurisdictions: frozenset[str], markets: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, ...]:
    chosen = dict(markets)
    found: set[str] = set()
    for place in {EVERYWHERE, *jurisdictions}:
        found |= set(chosen[place]) if place in chosen else set(packs_of(place))
    if not any(code in found for place in jurisdictions for code in packs_of(place)) and not (
        set(jurisdictions) & set(chosen)
    ):
        found.add(COURTESY)
    return tuple(sorted(found))


def packs_of(market: str) -> tuple[str, ...]:
    """The codes of the packs that ship for a market."""
    return tuple(sorted(code for code, pack in shipped().items() if market in pack.file.applies_in))


def keep_versions(packs: Iterable[Pack], *, at: datetime) -> None:
    """Keep each of the packs as it reads now, so that what it decided can be understood for ever."""
    wanted = {pack.digest: pack for pack in packs}
    known = set(RulePackVersion.objects.filter(digest__in=wanted).values_list("digest", flat=True))
    RulePackVersion.objects.bulk_create(
        [
            RulePackVersion(
                pack=pack.code,
                version=pack.version.partition("@")[2],
                title=pack.file.title,
                digest=digest,
                content=_plain(pack),
                first_used_at=at,
            )
            for digest, pack in wanted.items()
            if digest not in known
        ],
        ignore_conflicts=True,
    )


def _plain(pack: Pack) -> Any:
    set_here = [{"rule": one.rule, "parameter": one.parameter, "value": one.value} for one in pack.changes]
    return _jsonable({**pack.content, "set_here": set_here})


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def change(*, pack: str, rule: str, parameter: str, value: Any, reason: str, actor: str, at: datetime) -> PackChange:
    """Set one value: in force at once where it is stricter than what is in force, else it waits for a second person.

    ``value`` is as a pack's file writes it. Raises ``CannotChange``.
    """
    with transaction.atomic():
        _take_turn(pack, rule, parameter)
        was, _ = _value_in_force(pack, rule, parameter)
        which = way(pack, rule, parameter, value)
        if which == "same":
            raise CannotChange("That is the value in force.")
        looser = which == "looser"
        if looser and not reason.strip():
            raise CannotChange("Say why the rule is to be looser.")
        row = PackChange(
            pack=pack, rule=rule, parameter=parameter, was=was, value=value, looser=looser,
            reason=reason.strip()[:300], asked_by=actor, asked_at=at,
        )  # fmt: skip
        if not looser:
            _put_in_force(row, actor, at)
        PackChange.objects.bulk_create([row])
    return row


def go_back(*, pack: str, rule: str, parameter: str, reason: str, actor: str, at: datetime) -> PackChange:
    """Back to the pack's own value: a change like any other. Raises ``CannotChange``."""
    _value_in_force(pack, rule, parameter)
    return change(
        pack=pack, rule=rule, parameter=parameter, value=own_value(pack, rule, parameter), reason=reason, actor=actor,
        at=at,
    )  # fmt: skip


def own_value(pack: str, rule: str, parameter: str) -> Any:
    """What the pack's file says, or the rule's default where it says nothing. Raises ``KeyError``."""
    return _written(shipped()[pack], rule, parameter)


def way(pack: str, rule: str, parameter: str, value: Any) -> str:
    """Whether a value would be ``stricter`` than what is in force, ``looser`` or the ``same``.

    Of a rule with several periods it is the former only where it is in all of them. Raises ``CannotChange``.
    """
    _, how = _value_in_force(pack, rule, parameter)
    pairs = [
        (getattr(before.params, parameter), getattr(after.params, parameter))
        for before, after in zip(
            in_force().packs[pack].rules, with_value(pack, rule, parameter, value).rules, strict=True
        )
        if before.id == rule
    ]
    # Values are compared as what they are: 9:00 is earlier than 10:00. And some checks read 0 as no limit at all, so
    # 0 is not told to be less.
    ways = {
        "looser" if how == "less" and before != after == 0 else direction(how, before, after) for before, after in pairs
    }
    return next((one for one in ("looser", "stricter") if one in ways), "same")


def with_value(pack: str, rule: str, parameter: str, value: Any, *, current: InForce | None = None) -> Pack:
    """The pack in force as it would be with that value; ``current``: where it was read. Raises ``CannotChange``."""
    now = (current or in_force()).packs.get(pack)
    if now is None:
        raise CannotChange(f"There is no pack {pack}.")
    others = [one for one in now.changes if (one.rule, one.parameter) != (rule, parameter)]
    try:
        return changed(shipped()[pack], [*others, Change(rule, parameter, value)])
    except PackError as problem:
        raise CannotChange(str(problem)) from problem


def _value_in_force(pack: str, rule: str, parameter: str) -> tuple[Any, str]:
    """The value that decides now, as a file writes it, and which way is stricter."""
    current = in_force().packs.get(pack)
    if current is None:
        raise CannotChange(f"There is no pack {pack}.")
    try:
        found = current.rule(rule)
    except KeyError:
        raise CannotChange(f"{pack} has no rule {rule}.") from None
    if parameter not in found.written.stricter:
        raise CannotChange(f"{parameter} of {rule} is not set here.")
    return _written(current, rule, parameter), found.written.stricter[parameter]


def _written(pack: Pack, rule: str, parameter: str) -> Any:
    found = pack.rule(rule)
    if parameter in found.written.params:
        return _jsonable(found.written.params[parameter])
    return _as_file(getattr(found.params, parameter, None))


def _as_file(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(_as_file(one) for one in value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return _jsonable(value)


def _is_own(pack: str, rule: str, parameter: str, value: Any) -> bool:
    try:
        return bool(own_value(pack, rule, parameter) == value)
    except KeyError:
        return False


def approve(
    *, change_id: int, actor: str, at: datetime, reason: str = "", told: Mapping[str, str] | None = None
) -> PackChange:
    """Let a looser value be in force, as the second person.

    ``told``: what its event says beside; with ``in_place_of``, in whose place ``actor`` decides, who then did not ask
    for it either. Raises ``CannotChange``.
    """
    with transaction.atomic():
        row = _waiting(change_id)
        if row.asked_by in {actor, (told or {}).get("in_place_of")}:
            raise CannotChange("Somebody else must agree.", code="forbidden")
        _take_turn(row.pack, row.rule, row.parameter)
        if _value_in_force(row.pack, row.rule, row.parameter)[0] != row.was:
            raise CannotChange(
                "Another value is in force since this was asked: refuse it, and ask anew.", code="conflict"
            )
        with_value(row.pack, row.rule, row.parameter, row.value)
        _put_in_force(row, actor, at)
        row.save(update_fields=["state", "decided_by", "decided_at"])
        _tell(kinds.RULE_CHANGE_APPROVED, _about(row), actor=actor, at=at, reason=reason, told=told)
    return row


def refuse(
    *, change_id: int, actor: str, at: datetime, reason: str = "", told: Mapping[str, Any] | None = None
) -> PackChange:
    """Do not let it be; whoever asked may withdraw it so. Raises ``CannotChange``."""
    with transaction.atomic():
        row = _waiting(change_id)
        row.state, row.decided_by, row.decided_at = PackChange.State.REFUSED, actor, at
        row.save(update_fields=["state", "decided_by", "decided_at"])
        _tell(kinds.RULE_CHANGE_DECLINED, _about(row), actor=actor, at=at, reason=reason, told=told)
    return row


def _about(row: PackChange) -> dict[str, Any]:
    return {
        "change": row.pk,
        "pack": row.pack,
        "rule": row.rule,
        "parameter": row.parameter,
        "was": row.was,
        "value": row.value,
        "asked_by": row.asked_by,
    }


def _tell(
    kind: str, about: Mapping[str, Any], *, actor: str, at: datetime, reason: str, told: Mapping[str, Any] | None
) -> None:
    events.record(
        account_id=None,
        kind=kind,
        actor=actor,
        at=at,
        on=business_day.business_date(at=at),
        reason=reason,
        payload={**about, **(told or {})},
    )


def _waiting(change_id: int) -> PackChange:
    row = PackChange.objects.select_for_update().filter(pk=change_id).first()
    if row is None:
        raise CannotChange("There is no such change.", code="not_found")
    if row.state != PackChange.State.WAITING:
        raise CannotChange("This change does not wait any more.", code="conflict")
    return row


def _take_turn(pack: str, rule: str, parameter: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_TURN, f"{pack} {rule} {parameter}"])


def _put_in_force(row: PackChange, actor: str, at: datetime) -> None:
    before = PackChange.objects.filter(
        pack=row.pack, rule=row.rule, parameter=row.parameter, state=PackChange.State.IN_FORCE
    )
    before.update(state=PackChange.State.ENDED, ended_at=at)
    row.state, row.decided_by, row.decided_at = PackChange.State.IN_FORCE, actor, at


def choose(*, market: str, packs: Sequence[str], reason: str, actor: str, at: datetime) -> MarketPacks:
    """Which packs a market gets; leaving out one that ships for it waits for a second person.

    Raises ``CannotChange``.
    """
    if not _MARKET.fullmatch(market):
        raise CannotChange(f"{market} is no market: US, US-MA, or * for every one.")
    if unknown := sorted(set(packs) - set(shipped())):
        raise CannotChange(f"There is no pack {', '.join(unknown)}.")
    packs = sorted(set(packs))
    with transaction.atomic():
        row, _ = MarketPacks.objects.select_for_update().get_or_create(market=market, defaults={"packs": []})
        now = row.packs if row.decided_at else packs_of(market)
        if packs == sorted(now):
            raise CannotChange(f"That is what {market} has.")
        # What ships and was left out with a second person's word stays left out without asking again.
        left_out = sorted(set(now) - set(packs))
        row.reason, row.asked_by, row.asked_at = reason.strip()[:300], actor, at
        if left_out:
            if not reason.strip():
                raise CannotChange(f"Say why {market} is to do without {', '.join(left_out)}.")
            row.waiting_for = list(packs)
        else:
            row.packs, row.waiting_for, row.decided_by, row.decided_at = list(packs), None, actor, at
        row.save(update_fields=["packs", "waiting_for", "reason", "asked_by", "asked_at", "decided_by", "decided_at"])
    return row


def agree_to_choice(
    *,
    market: str,
    seen: Sequence[str],
    agree: bool,
    actor: str,
    at: datetime,
    reason: str = "",
    told: Mapping[str, Any] | None = None,
) -> MarketPacks:
    """The second person's word on the choice that waits, as they saw it; ``told`` as for ``approve``.

    Raises ``CannotChange``.
    """
    with transaction.atomic():
        row = MarketPacks.objects.select_for_update().filter(market=market).first()
        if row is None or row.waiting_for is None:
            raise CannotChange("This choice does not wait any more.", code="conflict")
        if row.waiting_for != list(seen):
            raise CannotChange("Something else is asked by now: look at it again.", code="conflict")
        if agree and row.asked_by in {actor, (told or {}).get("in_place_of")}:
            raise CannotChange("Somebody else must agree.", code="forbidden")
        about = {"market": market, "before": row.packs, "chosen": row.waiting_for, "asked_by": row.asked_by}
        if agree:
            row.packs, row.decided_by, row.decided_at = list(row.waiting_for), actor, at
        row.waiting_for = None
        row.save(update_fields=["packs", "waiting_for", "decided_by", "decided_at"])
        kind = kinds.PACK_CHOICE_APPROVED if agree else kinds.PACK_CHOICE_DECLINED
        _tell(kind, about, actor=actor, at=at, reason=reason, told=told)
    return row
