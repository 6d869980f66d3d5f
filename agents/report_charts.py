"""Charts for a mail: columns, bars and lines as pictures of fixed size. Pure but for one compiler kept in memory.

Where everything stands is worked out here; ``on_paper/chart.typ`` only draws it. Mail programs show neither scripts nor
drawings that scale, so a chart is a PNG on a light ground of its own: it reads the same in the light and the dark. The
same figures give the same bytes.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from math import ceil, floor, log10
from pathlib import Path
from typing import Literal

import typst
from pymupdf_fonts import FiraGO_Bold, FiraGO_Regular  # type: ignore[import-untyped]

LAYOUT = Path(__file__).with_name("on_paper") / "chart.typ"
#: Points: narrower than it is shown, so that its words are read on a telephone too; and its dots an inch.
WIDTH = 460
DOTS_PER_INCH = 180
#: The compiler remembers what it has drawn; a fresh one now and then keeps a worker's memory flat.
PICTURES_PER_COMPILER = 200

GROUND, INK, QUIET, HAIR = "#ffffff", "#171b22", "#545e6e", "#e2e5ea"
#: As the desk has them in the light, in the same order.
COLOURS = ("#2250c8", "#0e8a80", "#b46a00", "#9333b5", "#c0392b", "#5b6676")
#: From young to old: what is older is darker, so that it reads without colours too.
AGES = ("#a9c1f5", "#7c9fee", "#4f7ce0", "#2250c8", "#12307d")

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Block:
    x: float
    y: float
    width: float
    height: float
    colour: str
    radius: float = 0
    kind: str = "block"


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points, as they stand on the whole picture."""

    points: Sequence[tuple[float, float]]
    colour: str
    thickness: float = 1
    dashed: bool = False
    x: float = 0
    y: float = 0
    kind: str = "stroke"


@dataclass(frozen=True, slots=True)
class Words:
    x: float
    y: float
    width: float
    height: float
    words: str
    anchor: Anchor = "start"
    size: float = 11
    colour: str = QUIET
    strong: bool = False
    kind: str = "words"


Shape = Block | Stroke | Words


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, before it is."""

    width: float
    height: float
    shapes: Sequence[Shape]


@dataclass(frozen=True, slots=True)
class Trend:
    """One line: ``points`` by day number; ``ends`` what it began and ended with, in words; ``aim`` its target."""

    title: str
    points: Sequence[tuple[int, float]]
    begin: str
    end: str
    last: str
    aim: float | None = None
    aim_words: str = ""


Write = Callable[[float], str]


def columns(
    labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], *, write: Write, height: float = 200
) -> Picture:
    """Columns of parts that stand on each other, youngest below; a scale on the left, the names of the parts on top."""
    left, right, top, bottom = 62.0, WIDTH - 8.0, 34.0, height - 24.0
    totals = [sum(values[place] for _name, values in series) for place in range(len(labels))]
    most = scale_of(max(totals, default=0))
    shapes: list[Shape] = [
        *_legend([name for name, _values in series], AGES),
        *_scale(most, left, right, top, bottom, write),
    ]
    room = (right - left) / max(len(labels), 1)
    wide = min(room * 0.68, 40)
    step = ceil(len(labels) * 44 / (right - left)) or 1
    for place, label in enumerate(labels):
        x, foot = left + room * (place + 0.5) - wide / 2, bottom
        for (_name, values), colour in zip(series, AGES, strict=False):
            head = foot - values[place] / most * (bottom - top)
            # On whole dots, or there are hairs of light between them.
            if (high := _dot(foot) - _dot(head)) > 0:
                shapes.append(Block(_dot(x), _dot(head), _dot(wide), high, colour))
            foot = head
        if (len(labels) - 1 - place) % step == 0:
            shapes.append(Words(_short(x + wide / 2 - 40), bottom + 4, 80, 16, label, "middle"))
    return Picture(WIDTH, height, shapes)


def bars(rows: Sequence[tuple[str, float, str]], *, mirrored: bool = False) -> Picture:
    """One bar a row: its name before it, what it comes to behind it. ``mirrored``: from right to left."""
    high, left, most_words = 25.0, 120.0, 92.0
    most = max((value for _name, value, _words in rows), default=0) or 1
    shapes: list[Shape] = []
    for place, (name, value, words) in enumerate(rows):
        y, wide = place * high + 4, max(value / most, 0) * (WIDTH - left - most_words - 16)
        shapes.append(Words(4, y, left - 14, high - 4, name, "end"))
        shapes.append(Block(left, y + 3, _short(max(wide, 1.5)), high - 10, COLOURS[0], 2))
        shapes.append(Words(_short(left + wide + 8), y, most_words, high - 4, words, "start", 11, INK, True))
    picture = Picture(WIDTH, len(rows) * high + 8, shapes)
    return _mirrored(picture) if mirrored else picture


def lines(trends: Sequence[Trend]) -> Picture:
    """Small pictures side by side, each with a scale of its own; a dashed line is its target."""
    high, gap, every = 132.0, 16.0, max(len(trends), 1)
    wide = (WIDTH - gap * (every - 1)) / every
    shapes: list[Shape] = []
    for place, trend in enumerate(trends):
        x = place * (wide + gap)
        shapes += [
            Words(_short(x + 4), 4, _short(wide - 8), 28, trend.title, "start", 10.5),
            Words(_short(x + 4), 36, _short(wide - 8), 18, trend.last, "start", 15, INK, True),
            *_line(trend, x + 6, x + wide - 8, 64, high - 24),
            Words(_short(x + 4), high - 18, _short(wide / 2), 14, trend.begin, "start", 10),
            Words(_short(x + wide / 2), high - 18, _short(wide / 2 - 4), 14, trend.end, "end", 10),
        ]
    return Picture(WIDTH, high, shapes)


def _line(trend: Trend, left: float, right: float, top: float, bottom: float) -> list[Shape]:
    values = [value for _day, value in trend.points] + ([trend.aim] if trend.aim is not None else [])
    least, most = min(values), max(values)
    first, span = trend.points[0][0], max(trend.points[-1][0] - trend.points[0][0], 1)

    def y(value: float) -> float:
        share = 0.5 if most == least else (value - least) / (most - least)
        return _short(bottom - share * (bottom - top))

    points = [(_short(left + (day - first) / span * (right - left)), y(value)) for day, value in trend.points]
    found: list[Shape] = [Stroke([(left, bottom + 4), (right, bottom + 4)], HAIR)]
    if trend.aim is not None:
        found.append(Stroke([(left, y(trend.aim)), (right, y(trend.aim))], COLOURS[2], 1.2, True))
    if len(points) > 1:
        found.append(Stroke(points, COLOURS[0], 1.8))
    x, last = points[-1]
    return [*found, Block(x - 3, last - 3, 6, 6, COLOURS[0], 3)]


def scale_of(most: float) -> float:
    """The end of a scale: a round number that is not less."""
    if most <= 0:
        return 1
    ten = 10.0 ** floor(log10(most))
    return next(ten * part for part in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if ten * part >= most * 0.9999)


def _scale(most: float, left: float, right: float, top: float, bottom: float, write: Write) -> list[Shape]:
    found: list[Shape] = []
    for quarter in range(5):
        y = _short(bottom - (bottom - top) * quarter / 4)
        found.append(Stroke([(left, y), (right, y)], HAIR))
        if quarter % 2 == 0:
            found.append(Words(0, y - 8, left - 8, 16, write(most * quarter / 4), "end"))
    return found


def _legend(names: Sequence[str], colours: Sequence[str]) -> list[Shape]:
    wide = min((WIDTH - 16) / max(len(names), 1), 96)
    return [
        shape
        for place, (name, colour) in enumerate(zip(names, colours, strict=False))
        for shape in (Block(8 + place * wide, 9, 10, 10, colour, 2), Words(23 + place * wide, 6, wide - 16, 16, name))
    ]


def _mirrored(picture: Picture) -> Picture:
    turned: list[Shape] = []
    for shape in picture.shapes:
        if isinstance(shape, Stroke):
            turned.append(replace(shape, points=[(picture.width - x, y) for x, y in shape.points]))
        elif isinstance(shape, Words):
            anchor: Anchor = "end" if shape.anchor == "start" else "start" if shape.anchor == "end" else "middle"
            turned.append(replace(shape, x=_short(picture.width - shape.x - shape.width), anchor=anchor))
        else:
            turned.append(replace(shape, x=_short(picture.width - shape.x - shape.width)))
    return replace(picture, shapes=turned)


def _short(number: float) -> float:
    return round(number, 2)


def _dot(number: float) -> float:
    """Where the nearest dot of the picture begins."""
    return round(number * DOTS_PER_INCH / 72) * 72 / DOTS_PER_INCH


# Drawing ------------------------------------------------------------------------------------------------------------


def png(picture: Picture) -> bytes:
    """The picture as PNG, ``DOTS_PER_INCH`` / 72 dots a point."""
    return _press().draw(picture)


class _Press:
    """One compiler and its fonts, for all threads of a process in turn. Only our two fonts: a picture is the same on
    every machine.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fonts = tempfile.TemporaryDirectory(prefix="chart-fonts-")
        for name, font in (("regular", FiraGO_Regular), ("bold", FiraGO_Bold)):
            (Path(self._fonts.name) / f"{name}.ttf").write_bytes(font.fontbuffer)
        self._compiler: typst.Compiler | None = None
        self._pictures = 0

    def draw(self, picture: Picture) -> bytes:
        shapes = [asdict(shape) for shape in picture.shapes]
        told = {"width": picture.width, "height": picture.height, "ground": GROUND, "shapes": shapes}
        with self._lock:
            if self._compiler is None or self._pictures >= PICTURES_PER_COMPILER:
                self._compiler, self._pictures = self._fresh(), 0
            self._pictures += 1
            drawn = self._compiler.compile(
                format="png", ppi=DOTS_PER_INCH, sys_inputs={"picture": json.dumps(told, ensure_ascii=False)}
            )
        if not isinstance(drawn, bytes):
            raise TypeError("the compiler returned no picture")
        return drawn

    def _fresh(self) -> typst.Compiler:
        return typst.Compiler(
            str(LAYOUT), root=str(LAYOUT.parent), font_paths=[self._fonts.name], ignore_system_fonts=True
        )


@cache
def _press() -> _Press:
    return _Press()
