"""What a parameter holds as found: whether that is the framework's default, and a draw that is like it."""

from __future__ import annotations

import math

from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.record import Record

TABLE_STD = 0.02
"""Standard deviation of tables whose rows must differ: embeddings, positions, tokens (Radford+ 2019)."""


def as_found(part: Part, info: ParameterInfo) -> dict[str, float | str]:
    """A draw like the values that a parameter holds, for a meta model that cannot keep them."""
    if info.meta:
        return _stand_in(part, info)
    if info.constant is not None:
        return {"method": "constant", "value": info.constant}
    if not info.finite or math.prod(info.shape) == 0:
        return {"method": "constant", "value": 0.0}
    # A uniform ends at sqrt(3) std; a normal has elements beyond that in all but tiny tensors.
    if info.std > 0 and info.peak <= 1.05 * math.sqrt(3.0) * info.std + abs(info.mean):
        half = math.sqrt(3.0) * info.std
        return {"method": "uniform", "low": info.mean - half, "high": info.mean + half}
    return {"method": "normal", "mean": info.mean, "std": info.std}


def _stand_in(part: Part, info: ParameterInfo) -> dict[str, float | str]:
    """What stands for the unknown values of a parameter on meta; nothing where a guess could be wrong."""
    constants = {"norm_gain": 1.0, "norm_shift": 0.0, "bias": 0.0, "offset": 0.0, "mask": 0.0}
    if (
        info.frozen or info.loaded
    ):  # values that mean something: materializing must ask for a rule, not make them up
        return {}
    if part.role in constants:
        return {"method": "constant", "value": constants[part.role]}
    if part.role in ("embedding", "position", "token") or (info.tied and len(info.shape) > 1):
        return {"method": "normal", "mean": 0.0, "std": TABLE_STD}
    return {}


def is_default(part: Part, info: ParameterInfo, record: Record) -> bool:
    """Whether the values look like the framework's default: uniform within 1/sqrt(fan_in), by their peak and spread."""
    bound = _default_bound(part, info, record)
    if bound is None or not bound > 0:
        return False
    count = math.prod(info.shape)
    spread = 6.0 / math.sqrt(count) + 0.01  # sampling error of the second moment of a uniform is 0.9/sqrt(n)
    # The largest of n uniform draws lies 1 / n below the bound on average; 8 / n is missed once in e^8 tensors.
    inside = info.peak <= bound * 1.001 and info.peak >= bound * (1.0 - min(8.0 / count, 1.0))
    return inside and abs(info.second * 3.0 / bound**2 - 1.0) <= spread


def _default_bound(part: Part, info: ParameterInfo, record: Record) -> float | None:
    if (
        part.layer.kind == "vector"
    ):  # torch draws a bias by the fan_in of its weight, the parameter at the same node
        weights = [
            p for p in record.parts.values() if p.layer.kind != "vector" and set(p.nodes) & set(part.nodes)
        ]
        shapes = [record.parameter(p.name).shape for p in weights]
    else:
        shapes = [info.shape]
    if part.layer.kind == "embedding" or not shapes or len(shapes[0]) < 2:
        return None
    return 1.0 / math.sqrt(max(math.prod(shapes[0][1:]), 1))
