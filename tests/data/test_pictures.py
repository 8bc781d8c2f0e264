from __future__ import annotations

import numpy as np
import pytest
import torch

from initium.data import pictures
from initium.data.pictures import IMAGENET_MEAN, IMAGENET_STD, photographs
from initium.errors import UsageError


@pytest.mark.parametrize(
    ("n", "size"), [(1, 32), (6, 224), (13, (48, 160)), (2, (300, 20)), (3, 1), (2, 512)]
)
def test_any_number_and_size(n, size):
    images = photographs(n, size)
    height, width = (size, size) if isinstance(size, int) else size
    assert images.shape == (n, 3, height, width)
    assert images.dtype == torch.float32
    assert images.isfinite().all()


def test_all_views_differ():
    images = photographs(96, 32).flatten(1)
    distances = torch.cdist(images, images)
    distances.fill_diagonal_(torch.inf)
    assert distances.min() > 1.0  # of vectors with about 3,000 elements of size 1


def test_the_same_at_every_call_and_however_many():
    assert torch.equal(photographs(20, 40)[:7], photographs(7, 40))


def test_values_are_pixels_normalized_as_for_imagenet():
    images = photographs(12, 64)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    pixels = images * std + mean
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6
    assert images.mean().abs() < 1
    assert 0.5 < images.std() < 2


def test_photographs_are_photographs():
    """Neighbouring pixels of real pictures are alike, and channels differ."""
    images = photographs(6, 64)
    left, right = images[..., :-1].flatten(), images[..., 1:].flatten()
    assert torch.corrcoef(torch.stack([left, right]))[0, 1] > 0.8
    assert (images[:, 0] - images[:, 2]).abs().mean() > 0.1


@pytest.mark.parametrize("arguments", [(0, 224), (2, 0), (2, (3, -1))])
def test_wrong_arguments_are_told_in_three_parts(arguments):
    with pytest.raises(UsageError, match="expected: "):
        photographs(*arguments)


def test_every_other_turn_shows_the_pictures_mirrored(monkeypatch):
    ramp = np.broadcast_to(
        np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], (40, 60, 3)
    )  # brighter to the right
    monkeypatch.setattr(pictures, "arrays", lambda name: {"ramp": ramp})
    views = photographs(5, 16)
    rises = views.mean((1, 2)).diff(dim=1).mean(1)
    assert [bool(rise > 0) for rise in rises] == [True, False, True, False, True]
