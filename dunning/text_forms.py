"""The parts of a notice's text as people type them. Pure.

Texts of a part stand apart by an empty line. A line that begins with ``else:`` is said where the fields of the line
above it are not all there; with nothing behind it, nothing is said then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dunning.wording_facts import CONSEQUENCES
from dunning.wording_texts import ITEMS, LABELS, PHRASES

ELSE = "else:"
#: What is said of a notice by its table.
TABLES = {
    "bills": "Lists the bills: what was billed, paid, and is left.",
    "instalments": "Lists the instalments of the plan.",
    "itemization": "Itemizes the debt.",
    "none": "Has no table.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One box to type in. ``path`` is where it stands in the content."""

    path: tuple[str, ...]
    label: str
    help: str = ""
    rows: int = 2
    #: several: texts apart by empty lines; one: a single text; boxes: of a form to tear off.
    kind: str = "one"
    group: str = ""
    optional: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.path)


_OF_NOTICE = (
    Part(path=("subject",), label="Subject", rows=2),
    Part(path=("opening",), label="E-mail and letter: opening", help="Before the table", rows=8, kind="several"),
    Part(path=("closing",), label="E-mail and letter: closing", help="After how to pay", rows=6, kind="several"),
    Part(path=("sms",), label="Text message (SMS)", help="The opt-out line is added", rows=5, kind="several"),
    Part(path=("in_app",), label="Message in the app", rows=4, kind="several"),
    Part(
        path=("voice",), label="Automatic call", help="Empty: what the app says, as far as it can be spoken", rows=4,
        kind="several", optional=True,
    ),
)  # fmt: skip
_ITEMIZED = (
    *(Part(path=("items", name), label=f"Line: {name}", rows=1, group="The debt, itemized") for name in ITEMS),
    Part(path=("tear_off", "heading"), label="Heading", rows=1, group="The form to tear off"),
    Part(path=("tear_off", "instruction"), label="Instruction", rows=1, group="The form to tear off"),
    Part(
        path=("tear_off", "boxes"), label="Boxes", help="Below a box, lines that begin with a hyphen", rows=8,
        kind="boxes", group="The form to tear off",
    ),
)  # fmt: skip


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


_SHARED = (
    *(Part(path=(name,), label=_words(name), group="Phrases") for name in PHRASES),
    *(
        Part(path=("consequences", one, length), label=f"{_words(one)}, {length}", group="Consequences")
        for one in CONSEQUENCES
        for length in ("long", "short")
    ),
    *(Part(path=("labels", name), label=_words(name), rows=1, group="Labels") for name in LABELS),
)


def parts_of(content: Mapping[str, Any], *, shared: bool) -> tuple[Part, ...]:
    """The boxes of a text of that kind."""
    if shared:
        return _SHARED
    return _OF_NOTICE + (_ITEMIZED if content.get("table") == "itemization" else ())


def typed(part: Part, content: Mapping[str, Any]) -> str:
    """A part as it stands in its box."""
    value: Any = content
    for name in part.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    if part.kind == "boxes":
        return "\n".join(_box_lines(value))
    texts = value if part.kind == "several" and isinstance(value, list) else [value]
    return "\n\n".join(_lines(text) for text in texts)


def _lines(text: Any) -> str:
    first, *others = text if isinstance(text, list) and text else [text]
    return "\n".join([_plain(first), *(f"{ELSE} {_plain(other)}".rstrip() for other in others)])


def _box_lines(boxes: Iterable[Any]) -> list[str]:
    lines: list[str] = []
    for box in boxes if isinstance(boxes, list) else ():
        if isinstance(box, Mapping):
            for heading, below in box.items():
                lines += [_plain(heading), *(f"- {_plain(one)}" for one in below)]
        else:
            lines.append(_plain(box))
    return lines


def _plain(text: Any) -> str:
    """On one line; a space that must not be broken, as French print has it, stays one."""
    return re.sub(r"[ \t\r\n]+", " ", str(text)).strip(" ")


def read(posted: Mapping[str, str], content: Mapping[str, Any], *, shared: bool) -> dict[str, Any]:
    """The content with every part as typed; what has no box stays as it is. Nothing is judged here."""
    found: dict[str, Any] = {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in content.items()
    }
    for part in parts_of(content, shared=shared):
        said = posted.get(part.name, "").replace("\r\n", "\n").strip(" \t\n")
        *above, last = part.path
        place = found
        for name in above:
            place[name] = dict(place.get(name) or {})
            place = place[name]
        if part.optional and not said:
            place.pop(last, None)
        elif part.kind == "boxes":
            place[last] = _boxes(said)
        elif part.kind == "several":
            place[last] = [_text(one) for one in _paragraphs(said)]
        else:
            place[last] = _text(said.replace("\n\n", "\n"))
    return found


def _paragraphs(said: str) -> list[str]:
    paragraphs: list[list[str]] = [[]]
    for line in said.split("\n"):
        if line.strip(" \t"):
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return ["\n".join(lines) for lines in paragraphs if lines]


def _text(said: str) -> str | list[str]:
    alternatives: list[list[str]] = [[]]
    for line in (one.strip(" \t") for one in said.split("\n")):
        if line.startswith(ELSE):
            alternatives.append([line.removeprefix(ELSE).strip(" \t")])
        else:
            alternatives[-1].append(line)
    texts = [_plain(" ".join(lines)) for lines in alternatives]
    return texts if len(texts) > 1 else texts[0]


def _boxes(said: str) -> list[Any]:
    boxes: list[Any] = []
    for line in (one.strip(" \t") for one in said.split("\n") if one.strip()):
        if not line.startswith("- "):
            boxes.append(line)
        elif boxes and isinstance(boxes[-1], dict):
            next(iter(boxes[-1].values())).append(line[2:].strip())
        elif boxes:
            boxes[-1] = {boxes[-1]: [line[2:].strip()]}
    return boxes
