"""Batches of real photographs, cropped and normalized as ImageNet models expect them."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from initium.data.packed_arrays import arrays
from initium.data.pictures import IMAGENET_MEAN, IMAGENET_STD


@cache
def photographs() -> tuple[Tensor, ...]:
    """Every embedded photograph as a float tensor (3, H, W) in [0, 1]."""
    images = arrays("photographs.npz").values()
    return tuple(torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255 for image in images)


def batch_of(num: int, height: int, width: int, seed: int, *, normalized: bool = True) -> Tensor:
    """`num` crops (num, 3, height, width) of different photographs; the seed picks and places them."""
    rng = np.random.default_rng(seed)
    images = photographs()
    order = rng.permutation(len(images))
    batch = torch.stack([_crop(images[order[i % len(order)]], height, width, rng) for i in range(num)])
    return normalize(batch) if normalized else batch


def normalize(batch: Tensor) -> Tensor:
    """ImageNet normalization of a batch (N, 3, ...) in [0, 1]."""
    shape = (3, *[1] * (batch.dim() - 2))
    return (batch - torch.tensor(IMAGENET_MEAN).view(shape)) / torch.tensor(IMAGENET_STD).view(shape)


def _crop(image: Tensor, height: int, width: int, rng: np.random.Generator) -> Tensor:
    """A crop of 60 to 100 % of the largest one with this aspect, resized."""
    rows, columns = image.shape[1:]
    scale = min(rows / height, columns / width) * rng.uniform(0.6, 1.0)
    h, w = max(1, int(height * scale)), max(1, int(width * scale))
    top, left = int(rng.integers(0, rows - h + 1)), int(rng.integers(0, columns - w + 1))
    crop = image[None, :, top : top + h, left : left + w]
    return F.interpolate(crop, (height, width), mode="bilinear", antialias=True, align_corners=False)[0]
