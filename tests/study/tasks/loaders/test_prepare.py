"""Targets of files against masks and boxes made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from initium.errors import UsageError
from initium.study.tasks.loaders.listing import Listed, Outline
from initium.study.tasks.loaders.prepare import num_classes_of, targets_of, tensors_of


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((20, 30, 3), 7, dtype=np.uint8)).save(path)
    return path


def mask_of(picture: Path, *outlines: Outline, size: int = 10) -> torch.Tensor:
    return tensors_of([Listed(picture, outlines=outlines)], "masks", size, ("a", "b", "c"))["masks"][0]


def test_boxes_are_in_pixels_of_the_new_size_and_a_pixel_wide_at_least(picture: Path) -> None:
    """At 40 pixels .25 to .5 is 10 to 20; .5 to .51 is 20 to 20.4, widened about its middle 20.2."""
    boxes = ((0.25, 0.5, 0.5, 1.0), (0.5, 0.25, 0.51, 0.75))
    one, none = Listed(picture, boxes=boxes, labels=(2, 0)), Listed(picture)
    tensors = tensors_of([one, none, one], "boxes", 40, ("a", "b", "c"))
    assert tensors["images"].shape == (3, 3, 40, 40)
    assert tensors["counts"].tolist() == [2, 0, 2]
    assert tensors["boxes"][:2] == pytest.approx(
        torch.tensor([[10, 20, 20, 40], [19.7, 10, 20.7, 30]]), abs=1e-5
    )
    found = targets_of(tensors, "boxes")
    assert [one.labels.tolist() for one in found] == [[2, 0], [], [2, 0]]
    assert torch.equal(found[2].boxes, tensors["boxes"][2:])


def test_runs_go_down_the_columns(picture: Path) -> None:
    """COCO's run lengths of a mask of 4 x 5: 3 outside, 2 inside, 10 outside, 5 inside, column by column."""
    inside = np.zeros(20, dtype=bool)
    inside[3:5] = inside[15:20] = True
    expected = torch.from_numpy(inside.reshape(5, 4).T.copy())
    found = mask_of(picture, Outline(2, runs=(3, 2, 10, 5), runs_size=(4, 5)), size=20)
    rows, columns = torch.arange(20) * 4 // 20, torch.arange(20) * 5 // 20
    assert torch.equal(found == 2, expected[rows][:, columns])
    assert set(found.unique().tolist()) == {0, 2}


def test_small_outlines_lie_on_top_of_large_ones(picture: Path) -> None:
    large = Outline(1, polygons=((0.0, 0.0, 0.9, 0.0, 0.9, 0.9, 0.0, 0.9),))
    small = Outline(2, polygons=((0.3, 0.3, 0.5, 0.3, 0.5, 0.5, 0.3, 0.5),))
    expected = torch.ones(10, 10, dtype=torch.uint8)
    expected[3:6, 3:6] = 2  # polygons hold their corners
    for outlines in ((large, small), (small, large)):
        assert torch.equal(mask_of(picture, *outlines), expected)


def test_a_mask_file_keeps_its_numbers_and_is_checked(picture: Path, tmp_path: Path) -> None:
    values = np.zeros((20, 30), dtype=np.uint8)
    values[:10], values[:, 15:] = 2, 255
    path = tmp_path / "mask.png"
    Image.fromarray(values).save(path)
    tensors = tensors_of([Listed(picture, mask=path)], "masks", 10, ("a", "b", "c"))
    assert torch.equal(tensors["masks"][0], torch.from_numpy(values[1::2, 1::3].copy()))
    assert targets_of(tensors, "masks").dtype == torch.int64
    with pytest.raises(UsageError, match="the value 2 is no class"):
        tensors_of([Listed(picture, mask=path)], "masks", 10, ("a", "b"))
    Image.fromarray(values[:, :20]).save(path)
    with pytest.raises(UsageError, match="20 x 20 pixels"):
        tensors_of([Listed(picture, mask=path)], "masks", 10, ("a", "b", "c"))


def test_a_picture_of_another_size_than_annotated_is_told(picture: Path) -> None:
    assert len(tensors_of([Listed(picture, 3, size=(30, 20))], "labels", 8, ())["images"]) == 1
    with pytest.raises(UsageError, match=r"30 x 20 pixels, but its annotation says 20 x 30"):
        tensors_of([Listed(picture, 3, size=(20, 30))], "labels", 8, ())


def test_labels_are_those_of_the_list(picture: Path) -> None:
    tensors = tensors_of([Listed(picture, label) for label in (3, 0, 2)], "labels", 8, ())
    assert targets_of(tensors, "labels").tolist() == [3, 0, 2]
    assert bool((tensors["images"] == 7).all())


def masks(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8).view(1, -1, 1)


def test_the_number_of_classes_is_one_more_than_the_largest() -> None:
    files = [Path("a.png"), Path("b.png")]
    assert num_classes_of([masks(0, 3, 255), masks(1)], Path("x"), files) == 4
    with pytest.raises(UsageError, match="only the class 2"):
        num_classes_of([masks(2, 255)], Path("x"), files)
    with pytest.raises(UsageError, match=r"2 values, and the largest is 200, in b\.png"):
        num_classes_of([masks(0, 0), masks(0, 200)], Path("x"), files)
    assert num_classes_of([masks(0, 200)], Path("x"), files, named=True) == 201
    assert num_classes_of([masks(0, 19)], Path("x"), files) == 20  # a tenth of the numbers occurs
