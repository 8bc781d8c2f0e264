"""How to run a model while it is planned: on some samples to calibrate, on others to verify."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from initium.errors import ModelRunError
from initium.plan.policy import Run
from initium.record.record import Inputs, Record
from initium.record.run.call import batch_size

MIN_BATCH = 8
"""Samples from which on a batch is split; a verdict on fewer than 4 says little, with batch norm next to nothing."""


def held_out(whole: Run) -> tuple[Run, Record]:
    """How to run the model from now on, and the record of the model as found.

    The even samples of a batch calibrate and the odd ones verify. Where that cannot be, all do both: a small batch, one
    without a common first axis, a model that needs the whole of it, or a `forward` or `loss` of the user, which may
    hold the labels of the whole batch.

    Raises:
        ModelRunError: the model does not run on the whole batch either.
    """
    calibration, verification, note = split(whole.inputs)
    if whole.forward is not None or whole.loss is not None:
        note = "forward= or loss= may belong to the whole batch"
    if not note:
        run = replace(whole, calibration=calibration, verification=verification)
        try:
            return run, run.record()
        except ModelRunError:
            note = "the model does not run on half of the batch"
    run = replace(whole, note=f"calibrated and verified on the same samples: {note}")
    return run, run.record()


def split(inputs: Inputs) -> tuple[Inputs, Inputs, str]:
    """(the even samples, the odd ones, "") or (the inputs, the inputs, why they cannot be split).

    Every tensor with the batch as its first axis and every list with an item a sample (images of a detector, their
    targets) is split; what is no tensor, and tensors that serve every sample (first axis 1, or none), are kept.
    """
    size = batch_size(inputs)
    if size < MIN_BATCH:
        return inputs, inputs, f"a batch of {size}, and each half should have at least {MIN_BATCH // 2}"
    halves: list[Any] = []
    for first in (0, 1):
        try:
            halves.append(_every_other(inputs, size, first))
        except ValueError as error:
            return inputs, inputs, str(error)
    return halves[0], halves[1], ""


def _every_other(value: Any, size: int, first: int) -> Any:
    if isinstance(value, Tensor):
        if value.dim() == 0 or value.shape[0] == 1:
            return value
        if value.shape[0] != size:
            raise ValueError(f"a tensor of shape {tuple(value.shape)} has no axis for the {size} samples")
        return value[first::2].contiguous()
    if isinstance(value, list) and len(value) == size:
        return value[first::2]
    if isinstance(value, dict):
        return {key: _every_other(one, size, first) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_every_other(one, size, first) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
