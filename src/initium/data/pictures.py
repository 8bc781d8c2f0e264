"""A few colour photographs, to see how a model treats real pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from initium.data.packed_arrays import arrays
from initium.errors import UsageError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Steps of the additive recurrence that fills the cube most evenly (Roberts 2018): 1/p, 1/p^2, 1/p^3
# for the root of p^4 = p + 1. Positions of crops need no random numbers, only to differ.
_STEPS = (0.8191725134, 0.6710436067, 0.5497004779)


def photographs(n: int = 6, size: int | tuple[int, int] = 224) -> Tensor:
    """`n` different views of six real photographs, the same ones at every call.

    Args:
        n: how many. The first six are whole photographs, the following ones smaller parts, half of them
            mirrored.
        size: height and width, or one number for both.

    Returns:
        float32 (n, 3, height, width), normalized by the mean and deviation of ImageNet's pixels.

    >>> tuple(photographs(8, size=(64, 96)).shape)
    (8, 3, 64, 96)
    """
    height, width = (size, size) if isinstance(size, int) else size
    if n < 1 or height < 1 or width < 1:
        raise UsageError(
            f"{n} photographs of {height} x {width}",
            expected="at least one, of at least one pixel",
            remedy="ask for a positive number and size",
        )
    stored = [torch.tensor(image) for image in arrays("photographs.npz").values()]
    views = [_view(stored[i % len(stored)], i // len(stored), i, height, width) for i in range(n)]
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (torch.stack(views) - mean) / std


def _view(image: Tensor, turn: int, number: int, height: int, width: int) -> Tensor:
    """One crop of `image` (H, W, 3), resized, between 0 and 1; `turn` 0 is the largest one, in the middle."""
    room = min(image.shape[0] / height, image.shape[1] / width)
    across, down, zoom = ((0.5 + number * step) % 1.0 for step in _STEPS)
    share, across, down = (0.4 + 0.5 * zoom, across, down) if turn else (1.0, 0.5, 0.5)
    rows, columns = max(1, round(height * room * share)), max(1, round(width * room * share))
    top, left = round(down * (image.shape[0] - rows)), round(across * (image.shape[1] - columns))
    crop = image[top : top + rows, left : left + columns].permute(2, 0, 1).unsqueeze(0).float() / 255
    crop = crop.flip(-1) if turn % 2 else crop
    resized = torch.nn.functional.interpolate(crop, (height, width), mode="bilinear", antialias=True)
    return resized.squeeze(0)
