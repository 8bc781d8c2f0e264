"""Samples in memory, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from initium.study.tasks.samples import Boxes, Pictures, normalization


def test_a_batch_is_the_samples_at_the_indices_normalized_by_channel() -> None:
    images = torch.arange(4 * 2 * 3 * 3, dtype=torch.uint8).view(4, 2, 3, 3)
    held = Pictures(images, torch.tensor([5, 6, 7, 8]), (10.0, 20.0), (2.0, 4.0))
    batch = held.take(torch.tensor([3, 0, 3]))
    expected = (images.numpy()[[3, 0, 3]].astype(float) - np.array([10, 20])[:, None, None]) / np.array(
        [2, 4]
    )[:, None, None]
    assert batch.inputs.numpy() == pytest.approx(expected)
    assert batch.inputs.dtype == torch.float32
    assert batch.targets.tolist() == [8, 5, 8]
    assert len(held) == 4


def test_boxes_come_in_the_order_of_the_indices() -> None:
    boxes = [Boxes(torch.full((i, 4), float(i)), torch.arange(i)) for i in range(3)]
    batch = Pictures(torch.zeros(3, 1, 2, 2), boxes).take(torch.tensor([2, 0]))
    assert [len(one) for one in batch.targets] == [2, 0]
    assert batch.targets[0] is boxes[2]


def test_normalization_is_the_mean_and_deviation_of_each_channel() -> None:
    images = (torch.randn(50, 3, 4, 5) * torch.tensor([1.0, 5.0, 9.0]).view(3, 1, 1) + 100).to(torch.uint8)
    middle, spread = normalization(images)
    values = images.numpy().astype(float)
    assert middle == pytest.approx(values.mean((0, 2, 3)))
    assert spread == pytest.approx(values.std((0, 2, 3)))
    inputs = Pictures(images, torch.zeros(50), middle, spread).take(torch.arange(50)).inputs.double()
    assert inputs.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-5)
    assert inputs.std((0, 2, 3), correction=0).tolist() == pytest.approx([1] * 3, abs=1e-5)


def test_of_many_pictures_an_even_part_is_read() -> None:
    images = torch.zeros(5000, 1, 1, 1)
    images[::2] = 3.0
    assert normalization(images) == ((3.0,), (1e-3,))  # every second: all of them equal, and a spread above 0
