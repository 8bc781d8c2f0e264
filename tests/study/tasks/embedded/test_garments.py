"""The embedded tasks: their sizes, and boxes and masks that are of the same scenes."""

from __future__ import annotations

import pytest
import torch

from initium.data import fashion_mnist
from initium.study.tasks import open_task


def test_garments_are_the_packed_pictures() -> None:
    task = open_task("classification")
    assert (len(task.train), len(task.test), len(task.classes), task.shape) == (5000, 1000, 10, (1, 14, 14))
    images, labels = fashion_mnist("test", size=14)
    batch = task.test.take(torch.tensor([0, 17, 999]))
    assert batch.targets.tolist() == labels[[0, 17, 999]].tolist()
    raw = images[[0, 17, 999]].float()
    assert torch.corrcoef(torch.stack([batch.inputs.flatten(), raw.flatten()]))[0, 1] == pytest.approx(
        1, abs=1e-5
    )


@pytest.fixture(scope="module")
def scenes():
    return open_task("detection"), open_task("segmentation")


def test_scenes_have_their_sizes_and_unit_inputs(scenes) -> None:
    boxes, masks = scenes
    for task in scenes:
        assert (len(task.train), len(task.test), task.shape) == (800, 200, (3, 48, 48))
        inputs = task.train.take(torch.arange(800)).inputs.double()
        assert inputs.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-4)
        assert inputs.std((0, 2, 3), correction=0).tolist() == pytest.approx([1] * 3, abs=1e-4)
    assert masks.classes == ("background", *boxes.classes)


def test_every_pixel_of_a_garment_lies_in_a_box_of_its_class(scenes) -> None:
    some = torch.arange(0, 200, 10)
    found, drawn = (task.test.take(some) for task in scenes)
    assert torch.equal(found.inputs, drawn.inputs)
    assert all(1 <= len(one) <= 3 for one in found.targets)
    for one, mask in zip(found.targets, drawn.targets, strict=True):
        covered = torch.zeros(len(scenes[1].classes), 48, 48, dtype=torch.bool)
        for (left, top, right, bottom), label in zip(one.boxes.tolist(), one.labels.tolist(), strict=True):
            covered[label + 1, int(top) : int(-(-bottom // 1)), int(left) : int(-(-right // 1))] = True
        rows, columns = mask.nonzero(as_tuple=True)
        assert len(rows)
        assert bool(covered[mask[rows, columns], rows, columns].all())
