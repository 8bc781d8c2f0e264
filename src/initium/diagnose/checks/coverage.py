"""IN7xx: parameters and buffers that were never given a value, or that nothing reaches."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, plan_rule
from initium.diagnose.measures import Measures
from initium.record.parameters.inventory import ParameterInfo


def check_coverage(measures: Measures) -> Iterator[Finding]:
    """IN701 meta, IN702 not finite, IN703 never written, IN704 unused, IN705 out of the gradient's reach."""
    yield from _meta(measures)
    yield from _not_finite(measures)
    yield from _unwritten(measures)
    yield from _unused(measures)
    yield from _unreached(measures)


def _meta(measures: Measures) -> Iterator[Finding]:
    record = measures.record
    names = [info.name for info in record.parameters if info.meta]
    names += [info.name for info in record.buffers if info.meta]
    if names:
        yield Finding(
            "IN701",
            "error",
            tuple(names),
            f"{len(names)} tensors are on the meta device: they have a shape but no values",
            "every parameter and buffer with storage and values",
            "nothing can be computed with them",
            "fill the model with plan.materialize(model), or with to_empty() and initium.init_",
            cost=limits.UNUSABLE_COST,
        )


def _not_finite(measures: Measures) -> Iterator[Finding]:
    record = measures.record
    names = [one.name for one in record.parameters if not one.finite]
    names += [one.name for one in record.buffers if one.nan]  # inf has its place in masks and clipping ranges
    if names:
        yield Finding(
            "IN702",
            "error",
            tuple(names),
            "it holds nan or inf",
            "finite values",
            "one such value spreads to every output, and in the first step to every weight",
            "start it anew; look for memory that was never written (torch.empty, to_empty) "
            "or a checkpoint that diverged",
            plan_rule(names[0], "zeros" if _is_vector(measures, names[0]) else "he_normal")
            if len(names) == 1
            else None,
            cost=limits.UNUSABLE_COST,
        )


def _unwritten(measures: Measures) -> Iterator[Finding]:
    bad = [info for info in measures.record.parameters if _looks_unwritten(info)]
    if bad:
        yield Finding(
            "IN703",
            "error",
            tuple(info.name for info in bad),
            f"its values look like memory that was never written (largest magnitude {bad[0].peak:.3g})",
            f"starting values between {limits.UNWRITTEN_DENORMAL:g} and {limits.UNWRITTEN_MAGNITUDE:g}",
            "the layer computes nonsense",
            "start it anew (initium.init_ does); to_empty() must be followed by an initialization",
            cost=limits.UNWRITTEN_COST,
        )


def _looks_unwritten(info: ParameterInfo) -> bool:
    """Far beyond any start, or not constant and nothing but denormal numbers."""
    if info.meta or not info.finite or math.isnan(info.peak):
        return False
    return info.peak > limits.UNWRITTEN_MAGNITUDE or (
        info.constant is None and 0 < info.peak < limits.UNWRITTEN_DENORMAL
    )


def _unused(measures: Measures) -> Iterator[Finding]:
    names = [info.name for info in measures.record.parameters if not info.used and not info.meta]
    if names and measures.record.nodes:
        yield Finding(
            "IN704",
            "info",
            tuple(names),
            f"{len(names)} parameters took no part in this forward",
            "every parameter used, or left out on purpose",
            "they get no gradient; nothing is known of what they are for",
            "check that the inputs exercise the whole model (training mode, targets, optional arguments)",
        )


def _unreached(measures: Measures) -> Iterator[Finding]:
    record = measures.record
    if record.loss is None:
        return
    names = [
        info.name for info in record.parameters if info.used and not info.frozen and info.grad_second is None
    ]
    if names:
        yield Finding(
            "IN705",
            "info",
            tuple(names),
            f"{len(names)} trainable parameters are used but the loss does not depend on them",
            "a gradient for every trainable parameter",
            "they cannot learn from this loss",
            "look for detach(), argmax, no_grad, or an output that the loss leaves out",
        )


def _is_vector(measures: Measures, name: str) -> bool:
    part = measures.record.parts.get(name)
    return part is None or len(part.layer.shape) < 2
