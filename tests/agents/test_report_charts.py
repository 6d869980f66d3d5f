"""Pictures for a mail: where everything stands on them, and that they are drawn."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from PIL import Image

from agents import report_charts
from agents.report_charts import WIDTH, Block, Picture, Stroke, Trend, Words, scale_of


def inside(picture: Picture) -> bool:
    """Whether everything stands on the picture."""
    for shape in picture.shapes:
        if isinstance(shape, Stroke):
            if not all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in shape.points):
                return False
            continue
        right, foot = shape.x + shape.width, shape.y + shape.height
        if min(shape.x, shape.y) < -0.01 or right > picture.width + 0.01 or foot > picture.height + 0.01:
            return False
    return True


def drawn(picture: Picture) -> Image.Image:
    found = Image.open(io.BytesIO(report_charts.png(picture)))
    found.load()
    return found


def test_columns_stand_on_each_other_without_gaps_and_are_as_high_as_their_amounts() -> None:
    picture = report_charts.columns(
        ["1 Mar", "8 Mar"], [("1-30", [30, 10]), ("31-60", [10, 0])], write=lambda n: f"{n}"
    )

    blocks = [shape for shape in picture.shapes if isinstance(shape, Block) and shape.width > 12]
    assert len(blocks) == 3
    below, above, alone = blocks
    assert above.y + above.height == pytest.approx(below.y, abs=0.01)
    assert below.height == pytest.approx(3 * above.height, abs=1)
    assert alone.height == pytest.approx(above.height, abs=0.5)
    assert below.y + below.height == alone.y + alone.height
    assert below.colour != above.colour
    assert inside(picture)


@pytest.mark.parametrize("count", [1, 2, 13, 60])
def test_columns_and_their_days_keep_to_the_picture_however_many_there_are(count: int) -> None:
    picture = report_charts.columns([f"{day}" for day in range(count)], [("a", [1.0] * count)], write=lambda n: f"{n}")

    labels = [shape for shape in picture.shapes if isinstance(shape, Words) and shape.anchor == "middle"]
    assert [label.words for label in labels][-1] == f"{count - 1}"
    centres = [label.x + label.width / 2 for label in labels]
    assert all(right - left >= 30 for left, right in pairwise(centres))
    assert all(0 <= centre <= WIDTH for centre in centres)


@pytest.mark.parametrize("most", [0, 0.004, 1, 7, 99, 100, 101, 65_432, 10**9])
def test_a_scale_ends_in_a_round_number_that_is_enough_and_not_twice_too_much(most: float) -> None:
    end = scale_of(most)

    assert end >= most
    assert most == 0 or end <= most * 2


def test_bars_are_as_long_as_their_values_and_turn_round_where_words_do() -> None:
    rows = [("Fell due", 8.0, "8"), ("Kept", 4.0, "4"), ("Broken", 0.0, "0")]
    picture, mirrored = report_charts.bars(rows), report_charts.bars(rows, mirrored=True)

    lengths = [shape.width for shape in picture.shapes if isinstance(shape, Block)]
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=0.1)
    assert 0 < lengths[2] < 3
    assert inside(picture)
    assert inside(mirrored)
    for left, right in zip(picture.shapes, mirrored.shapes, strict=True):
        assert not isinstance(left, Stroke)
        assert not isinstance(right, Stroke)
        assert right.x == pytest.approx(WIDTH - left.x - left.width, abs=0.02)


def test_lines_leave_the_room_of_days_that_are_missing_and_show_the_target_dashed() -> None:
    trend = Trend("DSO", [(1, 40.0), (2, 44.0), (5, 42.0)], "1 Mar", "5 Mar", "42 days", 38.0)
    picture = report_charts.lines([trend, trend, trend])

    strokes = [shape for shape in picture.shapes if isinstance(shape, Stroke)]
    [line] = [one for one in strokes[:3] if len(one.points) == 3]
    steps = [right[0] - left[0] for left, right in pairwise(line.points)]
    assert steps[1] == pytest.approx(3 * steps[0], abs=0.1)
    [aim] = [one for one in strokes[:3] if one.dashed]
    assert aim.points[0][1] > max(y for _x, y in line.points)
    assert inside(picture)


def test_one_day_and_days_that_are_all_alike_are_drawn_too() -> None:
    flat = Trend("Flat", [(1, 5.0), (2, 5.0)], "1", "2", "5")
    single = Trend("Single", [(1, 5.0)], "1", "1", "5")

    assert inside(report_charts.lines([flat, single]))
    assert inside(report_charts.lines([flat]))
    assert drawn(report_charts.columns([], [], write=str)).width == 1150


def test_the_picture_has_its_size_its_colours_and_words_in_every_script() -> None:
    picture = report_charts.bars([("#set page(fill: red)", 3.0, "3"), ("وعود محفوظة", 2.0, "2")])

    found = drawn(picture).convert("RGB")

    assert found.size == (1150, round(picture.height * 2.5))
    colours = {colour for _count, colour in found.getcolors(maxcolors=1_000_000) or []}
    assert (255, 255, 255) in colours
    assert (0x22, 0x50, 0xC8) in colours
    assert (255, 0x41, 0x36) not in colours  # what a typesetter would have taken for its own command
    empty = drawn(report_charts.bars([("", 3.0, "3"), ("", 2.0, "2")])).convert("RGB")
    names = (0, 0, 280, found.height)
    assert found.crop(names).tobytes() != empty.crop(names).tobytes()


def test_the_same_figures_give_the_same_picture() -> None:
    picture = report_charts.bars([("Kept", 3.0, "3")])

    assert report_charts.png(picture) == report_charts.png(picture)
