from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initium.errors import UsageError
from initium.random.region import Region, check_region

shapes = st.lists(st.integers(1, 6), min_size=0, max_size=4).map(tuple)


@st.composite
def boxes(draw: st.DrawFn) -> Region:
    shape = draw(shapes)
    start = tuple(draw(st.integers(0, size - 1)) for size in shape)
    size = tuple(draw(st.integers(1, length - begin)) for length, begin in zip(shape, start, strict=True))
    return Region.box(shape, start, size)


@given(boxes(), st.integers(1024, 3000))
def test_runs_list_the_elements_of_a_box_in_order(box: Region, limit: int) -> None:
    index = torch.arange(max(1, torch.Size(box.shape).numel())).view(box.shape)
    expected = index[tuple(slice(a, a + n) for ((a, n),) in box.spans)].flatten().tolist()
    found = [
        run.first + row * run.stride + column
        for run in box.runs(limit)
        for row in range(run.rows)
        for column in range(run.length)
    ]

    assert found == expected


def test_long_runs_are_cut_between_tiles() -> None:
    runs = list(Region.box((10_000,), (100,), (9_000,)).runs(2048))

    assert sum(run.length for run in runs) == 9_000
    assert all(run.first % 1024 == 0 for run in runs[1:])
    assert max(run.length for run in runs) <= 2048


def test_many_short_rows_make_few_runs() -> None:
    runs = list(Region.box((1000, 64), (0, 16), (1000, 16)).runs(1 << 20))

    assert runs == [(16, 16, 64, 1000)]


def test_pieces_of_pieces() -> None:
    region = Region((8, 6), (((0, 2), (4, 2)), ((1, 3),)))

    assert region.size == (4, 3)
    assert not region.is_whole
    assert [place for place, _ in region.boxes()] == [
        (slice(0, 2), slice(0, 3)),
        (slice(2, 4), slice(0, 3)),
    ]
    # Of the block made of rows 1 to 4, this piece holds row 1 and row 4: its own rows 1 and 2.
    parts = list(region.block(0, 1, 4))
    assert [(place, part.spans[0]) for place, part in parts] == [
        (slice(1, 2), ((0, 1),)),
        (slice(2, 3), ((3, 1),)),
    ]


@pytest.mark.parametrize(
    ("start", "size", "inside"), [((0, 0), (4, 6), True), ((1, 2), (3, 4), True), ((1, 3), (3, 4), False)]
)
def test_a_region_lies_inside_its_tensor(start: tuple[int, int], size: tuple[int, int], inside: bool) -> None:
    region = Region.box((4, 6), start, size)
    if inside:
        check_region(region, size)
        with pytest.raises(UsageError, match="for a region of shape"):
            check_region(region, (size[0], size[1] + 1))
    else:
        with pytest.raises(UsageError, match="inside the full tensor"):
            check_region(region, size)
