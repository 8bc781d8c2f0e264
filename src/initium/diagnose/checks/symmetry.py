"""IN3xx: units and layers that start alike and stay alike."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, plan_rule
from initium.diagnose.measures import Measures
from initium.record.parameters.inventory import ParameterInfo
from initium.report import number, percent


def check_symmetry(measures: Measures) -> Iterator[Finding]:
    """IN301 constant weights, IN302 equal units, IN303 equal tensors in several layers."""
    serious = (measures.duplicate_share or 0.0) > limits.DUPLICATE_SHARE
    # A few weights without any gradient are the business of IN204.
    weights = [info for info in measures.duplicate_weights if serious or info.grad_second]
    whole = limits.CONSTANT_ROWS_SHARE
    constant = [
        info for info in weights if info.constant is not None and (serious or info.duplicates > whole)
    ]
    repeated = [info for info in weights if info.constant is None]
    if constant:
        yield _constant(constant, serious)
    if repeated:
        yield _duplicates(repeated, serious)
    yield from _copies(measures)


def _constant(weights: list[ParameterInfo], serious: bool) -> Finding:
    values = {info.constant for info in weights}
    zero = values == {0.0}
    one = number(float(weights[0].constant or 0.0))
    shown = "zero" if zero else f"the constant {one}" if len(values) == 1 else "constant"
    return Finding(
        "IN301",
        "error" if serious else "warning",
        tuple(info.name for info in weights),
        f"every weight is {shown}, so all units of a layer compute and learn the same",
        "random weights, different from unit to unit",
        "zero initialization cannot learn: the weights between zero layers get no gradient, and equal units stay equal"
        if zero
        else "equal units get equal gradients: the layer acts as a single unit however wide it is",
        "draw these weights at random (initium.init_ does)",
        plan_rule(weights[0].name if len(weights) == 1 else "weight", "he_normal"),
    )


def _duplicates(weights: list[ParameterInfo], serious: bool) -> Finding:
    worst = max(weights, key=lambda info: info.duplicates)
    return Finding(
        "IN302",
        "error" if serious else "warning",
        tuple(info.name for info in weights),
        f"{percent(worst.duplicates)} of the units equal another unit in weights and in gradient",
        "units that differ",
        "equal units get equal gradients and stay equal: the layer is narrower than it looks",
        "draw these weights at random (initium.init_ does)",
        plan_rule(weights[0].name, "he_normal") if len(weights) == 1 else None,
    )


def _copies(measures: Measures) -> Iterator[Finding]:
    """Equal weights; factors of signals, each of its own, may be equal."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for info in measures.record.parameters:
        if (
            len(info.shape) > 1
            and math.prod(info.shape) >= limits.LEAST_COPY
            and info.constant is None
            and _comparable(info)
            and not _is_pattern(info)
            and measures.record.parts[info.name].role != "scale"
        ):
            # Three moments that agree to the last bit: comparing the tensors would need them at hand.
            groups.setdefault((info.shape, info.mean, info.second, info.peak), []).append(info.name)
    copies = sorted((names for names in groups.values() if len(names) > 1), key=len, reverse=True)
    if not copies:
        return
    names = tuple(name for group in copies for name in group)
    yield Finding(
        "IN303",
        "warning",
        names,
        f"{len(names)} weights hold the values of another one ({', '.join(copies[0][:3])} are equal)",
        "layers that start from different values",
        "copied layers (copy.deepcopy, nn.TransformerEncoder) start from the same function; depth is used less well",
        "draw each layer anew (initium.init_ does)",
        cost=limits.COPIES_COST,
    )


def _is_pattern(info: ParameterInfo) -> bool:
    """Whether it holds zeros and one other value, as an identity: set on purpose, not a draw that was copied.

    Of all weights with |w| <= peak only those have E[w^2] = peak |E w|.
    """
    return math.isclose(info.second, info.peak * abs(info.mean), rel_tol=limits.PATTERN_ERROR)


def _comparable(info: ParameterInfo) -> bool:
    return info.finite and not info.meta and not info.frozen
