"""Events as an auditor reads them: who or what did it, in which step of which policy, and on which facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agents.event_words import noun_of
from agents.words import from_left, of_code, said, within

#: Who writes events and is no person of the desk.
_MACHINES = {
    "desk": gettext_noop("The desk"),
    "import": gettext_noop("A file of billing"),
    "provider": gettext_noop("A message provider"),
    "network": gettext_noop("The network"),
    "demo": gettext_noop("The demo"),
}
#: Names of facts that say too little on their own.
_NAMES = {
    "from": gettext_noop("Before"),
    "to": gettext_noop("After"),
    "by": gettext_noop("By when"),
    "of": gettext_noop("Out of"),
    "gate": gettext_noop("Contact gate"),
    "on": gettext_noop("Day"),
    "bills": gettext_noop("Bills"),
    "bill_refs": gettext_noop("Bills"),
    "key": gettext_noop("Key"),
    "rang": gettext_noop("It rang"),
    "connected": gettext_noop("Somebody answered"),
    "conversation": gettext_noop("They spoke"),
    "right_party": gettext_noop("It was the customer"),
    "via": gettext_noop("Dialled by"),
}
#: Stands where a fact has nothing in it.
NOTHING = "\N{EN DASH}"
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did it, in words; of a policy the version and the step."""

    name: str
    #: ``code@number``; empty where no policy was behind it.
    policy: str = ""
    step: str = ""

    @property
    def policy_words(self) -> str:
        """``residential, version 3``."""
        code, _at, number = self.policy.partition("@")
        return _("%(policy)s, version %(number)s") % {"policy": code, "number": number} if number else code


def doer(*, actor: str, policy: str, payload: Mapping[str, Any]) -> Doer:
    """Who did what is told by an event with these columns."""
    kind, _colon, name = actor.partition(":")
    step = payload.get("step")
    told = "" if not isinstance(step, str) else step
    if kind == "policy":
        return Doer(_("The policy"), policy or name, told)
    if kind == "agent":
        return Doer(name, policy, told)
    if kind == "customer":
        return Doer(_("The customer %(ref)s") % {"ref": from_left(name)}, policy, told)
    if kind in _MACHINES:
        machine = said(_MACHINES[kind])
        return Doer(f"{machine}: {within(of_code(name))}" if name else machine, policy, told)
    return Doer(actor, policy, told)


def facts(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything an event rests on, each fact with its name, in words; what is empty is left out."""
    return list(_facts(payload))


def _facts(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in payload.items():
        if isinstance(value, Mapping):
            yield name_of(name), ", ".join(f"{within(inner)} {words}" for inner, words in _facts(value)) or NOTHING
        elif value not in (None, "", []):
            yield name_of(name), value_of(value)


def name_of(name: str) -> str:
    """The name of a fact: ``hold_reason`` is *Hold reason*."""
    return said(_NAMES[name]) if name in _NAMES else of_code(name)


def value_of(value: object) -> str:
    """A fact as people write it: codes in words, days and moments, lists with commas, yes and no."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(value_of(one) for one in value) or NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{within(inner)} {words}" for inner, words in _facts(value)) or NOTHING
    text = str(value)
    if _CODE.fullmatch(text):
        return within(of_code(text))
    if _DAY.fullmatch(text):
        return date_format(date.fromisoformat(text), "j M Y")
    if _MOMENT.fullmatch(text):
        return date_format(localtime(datetime.fromisoformat(text)), "j M Y H:i")
    return text


def rules_of(payload: Mapping[str, Any]) -> list[str]:
    """The rules that the event names, as ``agents.calls`` and ``agents.dialling`` write them."""
    gate = payload.get("gate")
    named = payload.get("rules") or (gate.get("rules") if isinstance(gate, Mapping) else None)
    return [str(rule) for rule in named] if isinstance(named, list) else []


def about(kind: str) -> str:
    """What a kind is about, in a word: of ``agents.promise.kept`` the promise, of ``portal.opened`` the portal."""
    return noun_of(kind) or kind.partition(".")[0]
