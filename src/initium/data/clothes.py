"""A part of Fashion-MNIST: small real pictures for training within a minute."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from initium.data.packed_arrays import arrays
from initium.errors import UsageError

CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
"""Names of the labels 0 to 9."""

SIDES = (28, 14, 7)


def fashion_mnist(split: Literal["train", "test"] = "train", size: int = 28) -> tuple[Tensor, Tensor]:
    """Images and labels of the embedded subset of Fashion-MNIST, equally many of each class.

    Args:
        split: "train", 5,000 images, or "test", 1,000.
        size: side of an image: 28, or 14 and 7 by averaging blocks of pixels.

    Returns:
        float32 images (N, 1, size, size) and int64 labels (N,). The training images of that size have mean 0
        and variance 1; the test images are shifted and scaled by the same numbers.

    >>> images, labels = fashion_mnist("test", size=14)
    >>> tuple(images.shape), labels.bincount().tolist()
    ((1000, 1, 14, 14), [100, 100, 100, 100, 100, 100, 100, 100, 100, 100])
    """
    if split not in ("train", "test"):
        raise UsageError(f"split {split!r}", expected="'train' or 'test'", remedy="name one of them")
    if size not in SIDES:
        raise UsageError(
            f"size {size!r}",
            expected=f"one of {', '.join(map(str, SIDES))}",
            remedy="take one of them, and resize with torch.nn.functional.interpolate if it must be another",
        )
    stored = arrays("fashion_mnist.npz")
    train = _pooled(torch.tensor(stored["train_images"]), size)
    images = train if split == "train" else _pooled(torch.tensor(stored["test_images"]), size)
    spread, middle = torch.std_mean(train, correction=0)
    return (images - middle) / spread, torch.tensor(stored[f"{split}_labels"]).long()


def _pooled(images: Tensor, size: int) -> Tensor:
    block = images.shape[-1] // size
    return torch.nn.functional.avg_pool2d(images.unsqueeze(1).float(), block)
