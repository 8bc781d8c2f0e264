"""The tasks on real pixels that come with the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from initium.data import CLASSES, fashion_mnist
from initium.study.tasks import scenes
from initium.study.tasks.classification import Classification
from initium.study.tasks.detection import Detection
from initium.study.tasks.samples import Pictures, Targets, normalization
from initium.study.tasks.segmentation import Segmentation
from initium.study.tasks.task import Task

NUM_SCENES, NUM_TEST_SCENES = 800, 200
CLASSIFIERS = ("cnn20-relu", "mlp8-relu", "mlp20-tanh", "cnn8-relu", "resnet12-nonorm", "resnet12", "vit6")
SEGMENTERS = ("fcn9", "unet")
DETECTORS = ("detector12",)


def garments(source: Mapping[str, Any]) -> Task:
    """Fashion-MNIST: ten kinds of garments, 5,000 to learn from and 1,000 to be judged by, 14 x 14 grey pixels."""
    train, test = (Pictures(*fashion_mnist(split, size=14)) for split in ("train", "test"))
    return Task(Classification(), train, test, CLASSES, source, CLASSIFIERS)


def garment_scenes(source: Mapping[str, Any]) -> Task:
    """Scenes of one to three garments on photographs, 48 x 48 colour pixels, to be found or to be outlined."""
    kind = source["kind"]
    train = scenes.compose(NUM_SCENES, split="train")
    test = scenes.compose(NUM_TEST_SCENES, split="test")
    numbers = normalization(train.images)
    ours, theirs = (Pictures(one.images, _targets(one, kind), *numbers) for one in (train, test))
    if kind == "segmentation":
        return Task(Segmentation(), ours, theirs, ("background", *scenes.CLASSES), source, SEGMENTERS)
    return Task(Detection(), ours, theirs, scenes.CLASSES, source, DETECTORS)


def _targets(made: scenes.Scenes, kind: str) -> Targets:
    return made.masks.to(torch.int64) if kind == "segmentation" else made.objects
