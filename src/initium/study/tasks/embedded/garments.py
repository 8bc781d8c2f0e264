"""The tasks on real pixels that come with the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from initium.data import CLASSES, clothes, fashion_mnist
from initium.study.tasks.embedded import scenes
from initium.study.tasks.loaders.cache import fingerprint, kept
from initium.study.tasks.loaders.prepare import targets_of
from initium.study.tasks.samples import Pictures, TargetForm, normalization
from initium.study.tasks.task_kind import Embedded

NUM_SCENES, NUM_TEST_SCENES = 800, 200
FILES = Path(clothes.__file__).parent / "files"
SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")
Normalization = tuple[tuple[float, ...], tuple[float, ...]]


def garments() -> Embedded:
    """Fashion-MNIST: ten kinds of garments, 5,000 to learn from and 1,000 to be judged by, 14 x 14 grey pixels."""
    stored = _kept("garments", _garments)
    train, test = (Pictures(stored[f"{one} images"], stored[f"{one} labels"]) for one in ("train", "test"))
    return Embedded(train, test, CLASSES)


def boxed_garments() -> Embedded:
    """Scenes of one to three garments on photographs, 48 x 48 colour pixels, with a box around each."""
    return Embedded(*_scene_splits("boxes"), scenes.SCENE_CLASSES)


def outlined_garments() -> Embedded:
    """The same scenes with the class of every pixel; 0 is the background."""
    return Embedded(*_scene_splits("masks"), ("background", *scenes.SCENE_CLASSES))


def _scene_splits(targets: TargetForm) -> tuple[Pictures, Pictures]:
    stored = _kept("scenes", _scenes)
    numbers = normalization(stored["train images"])
    train, test = (_pictures(_part(stored, split), targets, numbers) for split in SPLITS)
    return train, test


def _pictures(tensors: dict[str, Tensor], targets: TargetForm, numbers: Normalization) -> Pictures:
    return Pictures(tensors["images"], targets_of(tensors, targets), *numbers)


def _kept(name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Prepared once for all processes: making the scenes takes half a second, reading them a hundredth."""
    made_from = [Path(__file__), Path(scenes.__file__), Path(clothes.__file__), *sorted(FILES.glob("*.npz"))]
    return kept(f"{name}-{fingerprint(made_from, {})}", make)


def _garments() -> dict[str, Tensor]:
    stored: dict[str, Tensor] = {}
    for split in SPLITS:
        stored[f"{split} images"], stored[f"{split} labels"] = fashion_mnist(split, size=14)
    return stored


def _scenes() -> dict[str, Tensor]:
    stored: dict[str, Tensor] = {}
    for split, num in (("train", NUM_SCENES), ("test", NUM_TEST_SCENES)):
        made = scenes.compose(num, split=split)
        stored[f"{split} images"], stored[f"{split} masks"] = made.images, made.masks
        stored[f"{split} boxes"] = torch.cat([one.boxes for one in made.objects])
        stored[f"{split} labels"] = torch.cat([one.labels for one in made.objects])
        stored[f"{split} counts"] = torch.tensor([len(one) for one in made.objects])
    return stored


def _part(stored: dict[str, Tensor], split: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{split} "): one for key, one in stored.items() if key.startswith(f"{split} ")}
