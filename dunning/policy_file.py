"""A policy as a file: read, checked key by key, brought to one form, written out again. Pure.

The file is YAML as of today (1.2): ``no`` is Norway and not false, a number with decimals stays as it was written, and
a key given twice is refused instead of losing the first. ``writing`` keeps what passes here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import yaml

from accounts import money
from dunning import policy, workdays

#: Longer files are no policies.
MOST_CHARACTERS = 500_000

CODE = re.compile(r"[A-Za-z0-9._:\-]{1,60}")
KINDS = ("residential", "business")
CHANNELS = ("sms", "email", "letter", "in_app", "voice")
RUNGS = policy.RUNGS[1:]
FEES = ("late_fee", "reconnection_fee")
ROLLS = ("next_working_day", "none")
COUNTS = ("calendar_days", "working_days")
#: A fee that is more than one amount: an amount, a part of what is owed, and what is made of the two.
FEE_RULE = ("amount", "percent", "combine")
COMBINED = ("sum", "min", "max")

TOP = (
    "code", "name", "priority", "applies_to", "enters", "exits", "min_gap_days", "calendar", "fees", "agency",
    "limits_children", "after_broken", "steps",
)  # fmt: skip
AUDIENCE = ("kind", "product", "segment", "min_tenure_days")
#: What every step may say, and what only steps of one action may; in the order of the file.
STEP = (
    "code", "day", "action", "channels", "all_channels", "template", "pay_by_days", "rung", "fee", "agency",
    "warned_by", "notice_days", "approval", "reason", "min_amount", "only_if",
)  # fmt: skip
EVERY_STEP = frozenset({"code", "day", "action", "min_amount", "only_if"})
OF_ACTION: dict[str, frozenset[str]] = {
    policy.NOTIFY: frozenset({"channels", "all_channels", "template", "pay_by_days"}),
    policy.CHARGE_FEE: frozenset({"fee"}),
    policy.LIMIT: frozenset({"rung", "warned_by", "notice_days"}),
    policy.TRANSFER: frozenset({"reason"}),
    policy.TASK: frozenset({"reason"}),
    policy.AGENCY: frozenset({"agency", "warned_by", "notice_days"}),
    policy.WRITE_OFF: frozenset({"approval"}),
}

_ONE_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,3})?")
_PERCENT = re.compile(r"\d{1,3}(\.\d{1,3})?")
_EARLIEST_DAY, _LATEST_DAY, _LONGEST = -365, 3650, 3650
_PRIORITIES = (-1_000_000, 1_000_000)


class Problem(NamedTuple):
    """What is wrong where: ``steps[3].rung`` and a reason that reads on from it. ``line`` when it came from a file."""

    path: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        where = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.path) if part)
        return f"{where}: {self.reason}" if where else self.reason


class UnreadablePolicy(ValueError):
    """The text is no YAML map; ``problem`` says where it stops being one."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.problem = Problem("", reason, line)
        super().__init__(str(self.problem))


# --- Reading ----------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain values, less its floats; no aliases; no key twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases have no place in a policy", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key, _value in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands here twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9]\d{0,14})\Z"), list("-+0123456789"))


def read(text: str) -> dict[str, Any]:
    """The document of a policy file; not yet checked. Raises ``UnreadablePolicy``."""
    document = _parsed(text, build=True)
    if not isinstance(document, dict):
        raise UnreadablePolicy("a policy is a map that begins with its code")
    return document


def located(problems: Sequence[Problem], text: str) -> list[Problem]:
    """The same problems with the lines of the file they are on; what is missing is on the line that should have it."""
    lines: dict[str, int] = {}
    _note_lines(_parsed(text, build=False), "", lines)
    found = []
    for problem in problems:
        path = problem.path
        while path and path not in lines:
            path = re.sub(r"(?:\.|^)[^.\[\]]*\Z|\[\d+\]\Z", "", path)
        found.append(problem._replace(line=lines.get(path)))
    return found


def _parsed(text: str, *, build: bool) -> Any:
    if len(text) > MOST_CHARACTERS:
        raise UnreadablePolicy(f"longer than {MOST_CHARACTERS} characters")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return loader.construct_document(node) if build and node is not None else node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadablePolicy(error.problem or "not YAML", mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise UnreadablePolicy(f"not YAML: {error}".splitlines()[0]) from error
    except RecursionError as error:
        raise UnreadablePolicy("nested too deeply") from error


def _note_lines(node: yaml.Node | None, path: str, lines: dict[str, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            lines[inner] = key.start_mark.line + 1
            _note_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            lines[f"{path}[{place}]"] = item.start_mark.line + 1
            _note_lines(item, f"{path}[{place}]", lines)


# --- Checking ---------------------------------------------------------------------------------------------------------


def check(document: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with a policy, in the order of the file; an empty list is a policy that can run."""
    found = _Findings()
    found.keys(document, "", TOP)
    found.code(document.get("code"), "code")
    if document.get("name") is not None:
        found.line_of_text(document["name"], "name", 200)
    found.whole(document.get("priority", 100), "priority", *_PRIORITIES)
    found.audience(document.get("applies_to"), "applies_to")
    enters = found.map(document.get("enters"), "enters", ("min_amount", "min_days"))
    found.amount(enters.get("min_amount"), "enters.min_amount")
    found.whole(enters.get("min_days", 1), "enters.min_days", 0, _LONGEST)
    exits = found.map(document.get("exits"), "exits", ("max_amount",))
    found.amount(exits.get("max_amount"), "exits.max_amount")
    found.whole(document.get("min_gap_days", 1), "min_gap_days", 1, _LONGEST)
    found.calendar(document.get("calendar"))
    fees = found.map(document.get("fees"), "fees", FEES)
    found.fee(fees.get("late_fee"), "fees.late_fee")
    found.amount(fees.get("reconnection_fee"), "fees.reconnection_fee")
    if not _absent(document.get("agency")):
        found.code(document["agency"], "agency")
    found.truth(document.get("limits_children"), "limits_children")
    steps = document.get("steps")
    if not isinstance(steps, list):
        found.add("steps", "is missing" if steps is None else "must be a list of steps")
    else:
        found.steps(steps, agency=document.get("agency"))
        found.after_broken(document.get("after_broken"), steps)
    return found.problems


def _absent(value: Any) -> bool:
    """Not said, or said to be nothing."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class _Findings:
    """The problems found so far, and one method for each kind of value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, path: str, reason: str) -> None:
        self.problems.append(Problem(path, reason))

    def keys(self, value: Mapping[str, Any], path: str, known: Collection[str]) -> None:
        for key in value:
            if key not in known:
                self.add(f"{path}.{key}" if path else str(key), f"is unknown here; known: {', '.join(known)}")

    def map(self, value: Any, path: str, known: Collection[str]) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.add(path, f"must be a map of {', '.join(known)}")
            return {}
        self.keys(value, path, known)
        return value

    def code(self, value: Any, path: str) -> bool:
        if value is None:
            self.add(path, "is missing")
        elif not isinstance(value, str) or not CODE.fullmatch(value):
            self.add(path, "must be 1 to 60 letters, digits or . _ : - (a number in quotes)")
        else:
            return True
        return False

    def line_of_text(self, value: Any, path: str, longest: int) -> None:
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > longest:
            self.add(path, f"must be text of one line, at most {longest} characters")

    def whole(self, value: Any, path: str, least: int, most: int) -> None:
        if not _is_whole(value) or not least <= value <= most:
            self.add(path, f"must be a whole number from {least} to {most}")

    def truth(self, value: Any, path: str) -> None:
        if value is not None and not isinstance(value, bool):
            self.add(path, "must be true or false")

    def one_of(self, value: Any, path: str, known: Collection[str]) -> bool:
        if isinstance(value, str) and value in known:
            return True
        self.add(path, f"{'is missing' if _absent(value) else 'is unknown'}; it is one of {', '.join(known)}")
        return False

    def texts(self, value: Any, path: str, known: Collection[str] = ()) -> None:
        """A list of texts, each once; of the known ones where some are."""
        if value is None:
            return
        if not isinstance(value, list):
            self.add(path, "must be a list")
            return
        for place, item in enumerate(value):
            inner = f"{path}[{place}]"
            if known:
                self.one_of(item, inner, known)
            else:
                self.line_of_text(item, inner, 60)
            if item in value[:place]:
                self.add(inner, "stands here twice")

    def amount(self, value: Any, path: str) -> None:
        if value is None:
            return
        if not isinstance(value, Mapping):
            if not _ONE_AMOUNT.fullmatch(amount_text(value)):
                self.add(path, 'must be an amount of at least 0 such as "10.00", or a map of amounts by currency')
            return
        if not value:
            self.add(path, "must name at least one currency")
        for currency, amount in value.items():
            inner = f"{path}.{currency}"
            try:
                if money.parse_amount(amount_text(amount), str(currency)) < 0:
                    self.add(inner, "must not be below 0")
            except (money.BadAmount, money.UnknownCurrency) as error:
                self.add(inner, str(error))

    def fee(self, value: Any, path: str) -> None:
        """An amount, or a map of ``FEE_RULE``."""
        if not is_fee_rule(value):
            self.amount(value, path)
            return
        self.keys(value, path, FEE_RULE)
        self.amount(value.get("amount"), f"{path}.amount")
        percent = value.get("percent")
        if percent is not None and not (_PERCENT.fullmatch(amount_text(percent)) and Decimal(str(percent)) <= 100):
            self.add(f"{path}.percent", 'must be a percentage from 0 to 100 such as "1.5"')
        if value.get("combine") is not None:
            self.one_of(value["combine"], f"{path}.combine", COMBINED)

    def audience(self, value: Any, path: str) -> None:
        audience = self.map(value, path, AUDIENCE)
        self.texts(audience.get("kind"), f"{path}.kind", KINDS)
        self.texts(audience.get("product"), f"{path}.product")
        self.texts(audience.get("segment"), f"{path}.segment")
        self.whole(audience.get("min_tenure_days", 0), f"{path}.min_tenure_days", 0, 100_000)

    def calendar(self, value: Any) -> None:
        calendar = self.map(value, "calendar", ("country", "region", "roll", "count"))
        country, region = calendar.get("country"), calendar.get("region")
        if not _absent(country) and not (isinstance(country, str) and workdays.is_known(country)):
            self.add("calendar.country", "is no country whose holidays are known (two capital letters, such as US)")
        elif not _absent(region) and not (isinstance(region, str) and country and workdays.is_known(country, region)):
            self.add("calendar.region", f"is no region of {country or 'any country'} whose holidays are known")
        if not _absent(calendar.get("roll")):
            self.one_of(calendar["roll"], "calendar.roll", ROLLS)
        if not _absent(calendar.get("count")):
            self.one_of(calendar["count"], "calendar.count", COUNTS)

    # Steps ------------------------------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Any], *, agency: Any) -> None:
        codes: set[str] = set()
        for place, step in enumerate(steps):
            path = f"steps[{place}]"
            if not isinstance(step, Mapping):
                self.add(path, "must be a map that says code, day and action")
                continue
            self.keys(step, path, STEP)
            if self.code(step.get("code"), f"{path}.code"):
                if step["code"] in codes:
                    self.add(f"{path}.code", f"'{step['code']}' is another step's code already")
                codes.add(step["code"])
            self.whole(step.get("day"), f"{path}.day", _EARLIEST_DAY, _LATEST_DAY)
            self.amount(step.get("min_amount"), f"{path}.min_amount")
            self.audience(step.get("only_if"), f"{path}.only_if")
            if self.one_of(step.get("action"), f"{path}.action", OF_ACTION):
                self.action(step, path, agency=agency)
        for place, step in enumerate(steps):
            if isinstance(step, Mapping) and step.get("action") in policy.HURTING:
                self.warning(steps, place)

    def action(self, step: Mapping[str, Any], path: str, *, agency: Any) -> None:
        action = step["action"]
        allowed = EVERY_STEP | OF_ACTION[action]
        for key in STEP:
            if key not in allowed and not _absent(step.get(key)):
                self.add(f"{path}.{key}", f"says nothing about a step whose action is {action}")
        if action != policy.NOTIFY and _is_whole(step.get("day")) and step["day"] < 0:
            self.add(f"{path}.day", "only a notice can be sent before the due date")
        if action == policy.NOTIFY:
            if _absent(step.get("channels")):
                self.add(f"{path}.channels", f"is missing; any of {', '.join(CHANNELS)}, the preferred one first")
            else:
                self.texts(step["channels"], f"{path}.channels", CHANNELS)
            self.truth(step.get("all_channels"), f"{path}.all_channels")
            self.code(step.get("template") or None, f"{path}.template")
            if step.get("pay_by_days") is not None:
                self.whole(step["pay_by_days"], f"{path}.pay_by_days", 1, _LONGEST)
        elif action == policy.CHARGE_FEE and not _absent(step.get("fee")):
            self.one_of(step["fee"], f"{path}.fee", FEES)
        elif action == policy.LIMIT:
            self.one_of(step.get("rung"), f"{path}.rung", RUNGS)
        elif action == policy.AGENCY:
            if not _absent(step.get("agency")):
                self.code(step["agency"], f"{path}.agency")
            elif _absent(agency):
                self.add(f"{path}.agency", "is missing, and the policy names no agency at its top")
        elif action in (policy.TRANSFER, policy.TASK) and not _absent(step.get("reason")):
            self.line_of_text(step["reason"], f"{path}.reason", 200)
        elif action == policy.WRITE_OFF and not _absent(step.get("approval")):
            self.one_of(step["approval"], f"{path}.approval", ("required",))

    def after_broken(self, code: Any, steps: Sequence[Any]) -> None:
        """A case comes in again at a step of its own, and not at one that belongs to a bill."""
        if _absent(code) or not self.code(code, "after_broken"):
            return
        named = next((step for step in steps if isinstance(step, Mapping) and step.get("code") == code), None)
        if named is None:
            # A form checks itself without its steps, and again with them.
            if steps:
                self.add("after_broken", f"'{code}' is no step of this policy")
        elif _is_whole(named.get("day")) and named["day"] < 0:
            self.add("after_broken", f"'{code}' is sent before the due date, when nothing can be broken")

    def warning(self, steps: Sequence[Any], place: int) -> None:
        """What hurts names the notice that warned of it: of this policy, of the case, and earlier."""
        step, path = steps[place], f"steps[{place}]"
        if step.get("notice_days") is None:
            self.add(f"{path}.notice_days", "is missing: the days between the warning's delivery and this step")
        else:
            self.whole(step["notice_days"], f"{path}.notice_days", 0, _LONGEST)
        named, path = step.get("warned_by"), f"{path}.warned_by"
        if _absent(named):
            self.add(path, "is missing: a step that takes something away names the notice that warns of it")
            return
        codes = [other.get("code") if isinstance(other, Mapping) else None for other in steps]
        if named not in codes:
            self.add(path, f"'{named}' is no step of this policy")
            return
        at = codes.index(named)
        if steps[at].get("action") != policy.NOTIFY:
            self.add(path, f"'{named}' sends no notice")
        elif _is_whole(steps[at].get("day")) and _is_whole(step.get("day")):
            if steps[at]["day"] < 0:
                self.add(path, f"'{named}' is sent before the due date, when there is nothing to warn of")
            elif (steps[at]["day"], at) > (step["day"], place):
                self.add(path, f"'{named}' comes later than this step")


def is_fee_rule(value: Any) -> bool:
    """Whether a fee is said by the keys of a rule and not as one amount, or one by currency."""
    return isinstance(value, Mapping) and any(key in FEE_RULE for key in value)


def amount_text(value: Any) -> str:
    """A number or a text of a file as text; something else as what no amount looks like."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return "?"
    return f"{Decimal(str(value)):f}"


# --- One form ---------------------------------------------------------------------------------------------------------


def tidy(document: Mapping[str, Any]) -> dict[str, Any]:
    """A checked document with everything said, in the order of keys, steps in the order they run."""
    enters, exits = document.get("enters") or {}, document.get("exits") or {}
    calendar, fees = document.get("calendar") or {}, document.get("fees") or {}
    tidied: dict[str, Any] = {
        "code": document["code"],
        "name": (document.get("name") or document["code"]).strip(),
        "priority": document.get("priority", 100),
        "applies_to": tidy_audience(document.get("applies_to")),
        "enters": {"min_amount": tidy_amount(enters.get("min_amount")), "min_days": enters.get("min_days", 1)},
        "exits": {"max_amount": tidy_amount(exits.get("max_amount"))},
        "min_gap_days": document.get("min_gap_days", 1),
        "calendar": {"country": calendar.get("country") or None},
        "fees": {
            "late_fee": tidy_fee(fees.get("late_fee")),
            "reconnection_fee": tidy_amount(fees.get("reconnection_fee")),
        },
        "agency": document.get("agency") or None,
    }
    if calendar.get("region"):
        tidied["calendar"]["region"] = calendar["region"]
    tidied["calendar"]["roll"] = calendar.get("roll", "next_working_day") or "none"
    if calendar.get("count", COUNTS[0]) != COUNTS[0]:
        tidied["calendar"]["count"] = calendar["count"]
    if document.get("limits_children"):
        tidied["limits_children"] = True
    if document.get("after_broken"):
        tidied["after_broken"] = document["after_broken"]
    tidied["steps"] = [tidy_step(step) for step in sorted(document["steps"], key=lambda step: int(step["day"]))]
    return tidied


def tidy_step(step: Mapping[str, Any]) -> dict[str, Any]:
    """A checked step with only what it says, in the order of keys."""
    tidied = {key: step[key] for key in STEP if key in step and (key == "day" or not _absent(step[key]))}
    if "min_amount" in tidied:
        tidied["min_amount"] = tidy_amount(step["min_amount"])
    if "only_if" in tidied:
        said = {key: value for key, value in tidy_audience(step["only_if"]).items() if value}
        tidied.pop("only_if")
        tidied |= {"only_if": said} if said else {}
    return tidied


def tidy_fee(value: Any) -> Any:
    """A fee as its rule says it, or as an amount where there is no more to it."""
    if not is_fee_rule(value):
        return tidy_amount(value)
    amount = tidy_amount(value.get("amount"))
    percent = amount_text(value.get("percent") or "0")
    if not Decimal(percent):
        return amount
    return {"amount": amount, "percent": percent, "combine": value.get("combine") or COMBINED[0]}


def tidy_amount(value: Any) -> str | dict[str, str]:
    """An amount as text, or such texts by currency; not said is nothing."""
    if isinstance(value, Mapping):
        # In one order: the database keeps none.
        return {currency: amount_text(amount) for currency, amount in sorted(value.items())}
    return "0" if value is None else amount_text(value)


def tidy_audience(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """An audience with everything said; an empty list is everybody."""
    said = value or {}
    return {key: list(said.get(key) or ()) for key in AUDIENCE[:3]} | {
        "min_tenure_days": said.get("min_tenure_days") or 0
    }


# --- Writing ----------------------------------------------------------------------------------------------------------


class _OnOneLine(dict[str, Any]):
    """A map written as ``{a: 1, b: 2}``."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(
    _OnOneLine, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)


def write(document: Mapping[str, Any]) -> str:
    """A tidy document as a file: one line a step, keys in the order of the design of policy files."""
    pages = {key: _OnOneLine(value) if isinstance(value, dict) else value for key, value in document.items()}
    pages["steps"] = [_OnOneLine(step) for step in document["steps"]]
    return yaml.dump(pages, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False)
