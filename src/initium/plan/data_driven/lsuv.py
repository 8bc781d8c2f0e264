"""LSUV: every weight is rescaled so that its output has the standard deviation asked for.

Mishkin and Matas (2016), arXiv:1511.06422; all layers in one forward sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from initium.plan.data_driven.baseline import Baseline, Found
from initium.plan.scales.calibrate import calibrate
from initium.plan.structure.branch_scale import MeasuredTarget


def lsuv(baseline: Baseline) -> Found:
    """Every output to the target's standard deviation, each weight rescaled once as the one forward reaches it."""
    wanted, run = float(str(baseline.values["target"])) ** 2, baseline.run

    def target(_: Mapping[int, float]) -> float:
        return wanted

    targets: dict[str, MeasuredTarget] = dict.fromkeys(baseline.tuned, target)
    base = tuple(replace(one, target=wanted) if one.name in targets else one for one in baseline.assignments)
    sweep = calibrate(
        run.model, run.inputs, baseline.record, base, forward=run.forward, seed=run.seed, targets=targets,
        moment=variance, shared=False,
    )  # fmt: skip
    notes = tuple(
        f"{name} could not be calibrated: its output was constant, not finite or not found"
        for name in targets
        if name in sweep.failed or name not in sweep.factors
    )
    return replace(baseline, assignments=base).scaled(sweep.factors), notes


def variance(tensor: Tensor) -> float:
    """Variance over all elements, in at least fp32; the mean is left alone, as published."""
    if tensor.numel() < 2 or not tensor.is_floating_point():
        return 0.0
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return float(tensor.detach().to(wide).var(correction=0))
