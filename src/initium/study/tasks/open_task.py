"""Opening a task from plain data: the embedded ones, and the user's own in four formats or as a Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initium.errors import UsageError, unknown_name
from initium.study.tasks.embedded import garments
from initium.study.tasks.loaders import load
from initium.study.tasks.task import Task

TASK_KINDS = ("classification", "detection", "segmentation")


def open_task(source: Mapping[str, Any] | str) -> Task:
    """The task that plain data describe; the same one in every process.

    Args:
        source: a kind, or a mapping with

            * `kind`: "classification", "detection" or "segmentation";
            * `path`: directory or COCO file of the user's own data; left out for the embedded data;
            * `format`: "folders", "coco", "voc", "masks" or "auto" (seen from the files);
            * `images`: directory of the pictures, where the format does not say (COCO, masks);
            * `test`, `test_images`: the same of the samples to be judged by; where they are left out a fifth
              is set apart, chosen by the names of the files;
            * `size`: pictures are resized to this many pixels on either side (64);
            * `most`: at most this many pictures are read of each split (4,000, evenly over the files);
            * `datasets`: a function at the top level of a module, or "package.module:function", that returns
              (train, test), two torch Datasets.

    Raises:
        UnknownNameError: no such kind, format or key.
        UsageError: something is wrong with the data; the message names the file, and the line where there is one.

    Example:
        >>> task = open_task("classification")
        >>> len(task.train), task.classes[9], task.shape
        (5000, 'ankle boot', (1, 14, 14))
    """
    given = {"kind": source} if isinstance(source, str) else dict(source)
    kind = given.get("kind")
    if kind not in TASK_KINDS:
        raise unknown_name("task", str(kind), TASK_KINDS)
    if "path" in given or "datasets" in given:
        return load(given)
    extra = sorted(set(given) - {"kind"})
    if extra:
        raise UsageError(
            f"the embedded {kind} task was given {', '.join(extra)}",
            expected="a `path` or `datasets` with them, or only `kind`",
            remedy="name the data's directory as `path`, or leave the rest out",
        )
    return garments.garments(given) if kind == "classification" else garments.garment_scenes(given)
