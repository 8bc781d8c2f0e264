"""Opening a task from plain data: the embedded ones, and the user's own in four formats or as a Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initium.errors import UsageError
from initium.study.tasks.kinds import find_kind
from initium.study.tasks.loaders import load
from initium.study.tasks.task import Task
from initium.study.tasks.task_contract import made_by


def open_task(source: Mapping[str, Any] | str) -> Task:
    """The task that plain data describe; the same one in every process.

    Args:
        source: a kind, or a mapping with

            * `kind`: "classification", "detection", "segmentation", or another of `initium.study.tasks.kinds`;
            * `path`: directory or COCO file of the user's own data; left out for the embedded data;
            * `format`: "folders", "coco", "voc", "masks" or "auto" (seen from the files);
            * `images`: directory of the pictures, where the format does not say (COCO, masks);
            * `test`, `test_images`: the same of the samples to be judged by; where they are left out a fifth
              is set apart, chosen by the names of the files;
            * `size`: pictures are resized to this many pixels on either side (64);
            * `most`: at most this many pictures are read of each split (4,000, evenly over the files);
            * `datasets`: a function at the top level of a module, or "package.module:function", that returns
              (train, test), two torch Datasets;
            * `function`: in place of all these, a function at the top level of a module, or its reference, that
              takes no arguments and returns a `Task` of any kind; every worker calls it.

    Raises:
        UnknownNameError: no such kind, format or key.
        ContractError: a function that returns no sound `Task`.
        UsageError: something is wrong with the data; the message names the file, and the line where there is one.

    Example:
        >>> task = open_task("classification")
        >>> len(task.train), task.classes[9], task.shape
        (5000, 'ankle boot', (1, 14, 14))
    """
    given = {"kind": source} if isinstance(source, str) else dict(source)
    if "function" in given:
        return made_by(given["function"])
    kind = find_kind(given.get("kind"))
    if "path" in given or "datasets" in given:
        return load(kind, given)
    extra = sorted(set(given) - {"kind"})
    if extra:
        raise UsageError(
            f"the embedded {kind.name} task was given {', '.join(extra)}",
            expected="a `path` or `datasets` with them, or only `kind`",
            remedy="name the data's directory as `path`, or leave the rest out",
        )
    if kind.embedded is None:
        raise UsageError(
            f"no data of the kind {kind.name} come with the library",
            expected="data of your own as `path` or `datasets`",
            remedy=f"see docs/study.md for the formats that hold {kind.targets}",
        )
    return Task(kind.goal, *kind.embedded(), given, kind.models)
