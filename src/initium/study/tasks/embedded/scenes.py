"""Scenes: one to three garments on crops of real photographs, with exact masks and boxes.

Shape letters: N scenes, G garments of the data set, S objects a scene, L side of a scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from initium.data.packed_arrays import arrays
from initium.random import Uniform, fill_, key_for
from initium.study.tasks.samples import Boxes

MOST_OBJECTS = 3
GROUPS = (("top", (0, 2, 4, 6)), ("trousers or dress", (1, 3)), ("shoe", (5, 7, 9)), ("bag", (8,)))
"""The scene's classes and the labels of Fashion-MNIST that they gather."""
SCENE_CLASSES = tuple(name for name, _ in GROUPS)
LEAST_PIXELS = 24
"""An object of which less is seen is left out of the truth, and its pixels are background again."""
DARKEST = 0.08
"""Grey values up to this are background in a garment's picture."""
TRAIN_SHARE = 0.6
"""Training scenes lie on this left part of the photographs, test scenes on the rest."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """N scenes.

    Args:
        images: bytes (N, 3, L, L).
        masks: class numbers (N, L, L) as bytes: 0 is background, 1 the first of `SCENE_CLASSES`.
        objects: for each scene the boxes of its objects, labelled from 0.
    """

    images: Tensor
    masks: Tensor
    objects: tuple[Boxes, ...]


def compose(num: int, *, side: int = 48, split: str = "train", seed: int = 0) -> Scenes:
    """`num` scenes of `side` x `side`, the same for the same arguments (on another CPU but for a pixel's last bit).

    Args:
        num: how many.
        side: height and width of a scene.
        split: "train" or "test": which garments and which half of every photograph are taken.
        seed: of every choice.

    Example:
        >>> scenes = compose(4)
        >>> tuple(scenes.images.shape), scenes.masks.amax() <= len(SCENE_CLASSES)
        ((4, 3, 48, 48), tensor(True))
    """
    pictures, labels = _garments(split)
    draws = fill_(torch.empty(num, MOST_OBJECTS + 1, 8), Uniform(0.0, 1.0), key_for(seed, f"scenes {split}"))
    canvas = _backgrounds(draws[:, 0], side, split)
    owner = torch.zeros(num, side, side, dtype=torch.int64)
    count = 1 + (draws[:, 0, 7] * MOST_OBJECTS).long().clamp_max(MOST_OBJECTS - 1)
    chosen = (draws[:, 1:, 0] * len(labels)).long().clamp_max(len(labels) - 1)
    for slot in range(MOST_OBJECTS):
        here = count > slot
        draw = draws[here, slot + 1]
        pixels, inside = _placed(_with_membership(pictures[chosen[here, slot]]), draw, side)
        tinted = pixels[:, None] * (0.55 + 0.45 * draw[:, 4:7, None, None])
        canvas[here] = torch.where(inside[:, None], tinted, canvas[here])
        owner[here] = torch.where(inside, slot + 1, owner[here])
    return _finished(canvas, owner, labels[chosen])


def _finished(canvas: Tensor, owner: Tensor, labels: Tensor) -> Scenes:
    """Scenes of canvases (N, 3, L, L), owners of pixels (N, L, L; 0 for none) and labels (N, S)."""
    images = (canvas * 255).round().clamp(0, 255).to(torch.uint8)
    masks = torch.zeros(owner.shape, dtype=torch.uint8)
    seen, boxes = [], []
    for slot in range(MOST_OBJECTS):
        mine = owner == slot + 1
        seen.append(mine.sum(dim=(1, 2)) >= LEAST_PIXELS)
        boxes.append(_bounds(mine))
        named = labels[:, slot, None, None].to(torch.uint8) + 1
        masks = torch.where(mine & seen[-1][:, None, None], named, masks)
    kept, all_boxes = torch.stack(seen, dim=1), torch.stack(boxes, dim=1)
    objects = tuple(Boxes(b[k], own[k]) for b, own, k in zip(all_boxes, labels, kept, strict=True))
    return Scenes(images, masks, objects)


def _bounds(mine: Tensor) -> Tensor:
    """Left, top, right, bottom (N, 4) of the true pixels of (N, L, L)."""
    edges = []
    for axis in (1, 2):
        line = mine.any(dim=axis).to(torch.uint8)
        edges.append((line.argmax(dim=1), line.shape[1] - line.flip(1).argmax(dim=1)))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], dim=1).float()


def _placed(garments: Tensor, draws: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Garments (N, 2, 28, 28) resized and put somewhere: grey values and membership, both (N, L, L)."""
    size = side * (0.32 + 0.26 * draws[:, 1])
    left, top = ((side - size) * draws[:, axis] for axis in (2, 3))
    ours = torch.arange(side) + 0.5
    columns, rows = (((ours - start[:, None]) * (28 / size)[:, None]) for start in (left, top))
    placed = resampled(garments, rows, columns)
    return placed[:, 0], placed[:, 1] > 0.5


def resampled(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values of pictures (N, C, h, w) at rows (N, L) and columns (N, L) in pixels, 0 outside, weighted by triangles.

    Where the places lie further apart than a pixel the triangles are as wide, so that nothing aliases.
    """
    down, across = (
        _weights(at, num) for at, num in ((rows, pictures.shape[2]), (columns, pictures.shape[3]))
    )
    return down[:, None] @ pictures @ across.transpose(1, 2)[:, None]


def _weights(at: Tensor, num: int) -> Tensor:
    """Weight (N, L, num) of each pixel at the places (N, L)."""
    apart = (at[:, 1] - at[:, 0]).clamp_min(1.0)[:, None, None]
    margin = 1 + int(apart.max() if len(at) else 1)
    away = (at[:, :, None] - torch.arange(-margin, num + margin) - 0.5).abs()
    weights = (1 - away / apart).clamp_min(0)
    return (weights / weights.sum(dim=2, keepdim=True).clamp_min(1e-6))[..., margin:-margin]


def _garments(split: str) -> tuple[Tensor, Tensor]:
    """Grey values (G, 28, 28) of the garments, and their class numbers (G,)."""
    stored = arrays("fashion_mnist.npz")
    group = torch.zeros(10, dtype=torch.int64)
    for number, (_, members) in enumerate(GROUPS):
        group[list(members)] = number
    labels = group[torch.tensor(stored[f"{split}_labels"]).long()]
    return torch.tensor(stored[f"{split}_images"]).float() / 255, labels


def _with_membership(grey: Tensor) -> Tensor:
    """Grey values (M, 28, 28) and which pixels belong to the garment: (M, 2, 28, 28)."""
    return torch.stack([grey, filled(grey > DARKEST).float()], dim=1)


def filled(masks: Tensor) -> Tensor:
    """Masks (G, H, W) with their holes closed: what the outside cannot reach belongs to the garment.

    A dark garment has pixels as black as the background, but they are enclosed.
    """
    empty = F.pad(~masks, (1, 1, 1, 1), value=True).permute(1, 2, 0).contiguous()
    outside = torch.zeros_like(empty)
    outside[0] = outside[-1] = outside[:, 0] = outside[:, -1] = True
    while True:
        before = outside.clone()
        _sweep(outside, empty)
        _sweep(outside.transpose(0, 1), empty.transpose(0, 1))
        if torch.equal(before, outside):
            return ~outside.permute(2, 0, 1)[:, 1:-1, 1:-1]


def _sweep(outside: Tensor, empty: Tensor) -> None:
    """Spreads what is outside along the first axis, down and up, as far as empty places go; in place."""
    last = len(empty) - 1
    for row in range(1, last + 1):
        outside[row] |= outside[row - 1] & empty[row]
    for row in range(last - 1, -1, -1):
        outside[row] |= outside[row + 1] & empty[row]


def _backgrounds(draws: Tensor, side: int, split: str) -> Tensor:
    """Crops (N, 3, L, L) of photographs, between 0 and 1; the two splits see different sides of each."""
    stored = arrays("photographs.npz").values()
    photographs = [F.avg_pool2d(torch.tensor(image).permute(2, 0, 1).float() / 255, 2) for image in stored]
    which = (draws[:, 0] * len(photographs)).long().clamp_max(len(photographs) - 1)
    canvas = torch.zeros(len(draws), 3, side, side)
    for number, photograph in enumerate(photographs):
        cut = round(photograph.shape[2] * TRAIN_SHARE)
        half = photograph[..., :cut] if split == "train" else photograph[..., cut:]
        mine = which == number
        canvas[mine] = _crops(half, draws[mine], side)
    return canvas


def _crops(photograph: Tensor, draws: Tensor, side: int) -> Tensor:
    """One crop of a photograph (3, H, W) for every row of draws, resized to (M, 3, L, L)."""
    whole = torch.tensor(photograph.shape[1:])
    length = int(whole.min()) * (0.4 + 0.6 * draws[:, 1])
    start = draws[:, 2:4] * (whole - length[:, None])
    steps = (torch.arange(side) + 0.5) / side
    rows, columns = (start[:, axis, None] + steps * length[:, None] for axis in (0, 1))
    return resampled(photograph.expand(len(draws), -1, -1, -1), rows, columns).clamp(0, 1)
