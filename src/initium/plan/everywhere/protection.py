"""Parameters that no policy changes: frozen, loaded, tied, parametrized, unused, or of unknown effect."""

from __future__ import annotations

from dataclasses import replace

from initium.methods.catalogue import is_listed
from initium.methods.method import Method, Value
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.structure.framework_default import as_found
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo


def assigned(
    part: Part,
    info: ParameterInfo,
    method: str | Method,
    rule: str,
    reason: str,
    source: str = "",
    **params: Value,
) -> Assignment:
    """An assignment of a method, for the geometry and the role that the parameter has."""
    layer = replace(part.layer, shape=info.shape) if part.layer.shape != info.shape else part.layer
    own = method if isinstance(method, Method) and not is_listed(method) else None
    name = method.name if isinstance(method, Method) else method
    return Assignment(part.name, name, layer, part.role, rule, reason, dict(params), 1.0, source, own=own)


def keep(part: Part, info: ParameterInfo, rule: str, reason: str, source: str = "") -> Assignment:
    """Leave the parameter as it is."""
    return replace(assigned(part, info, KEEP, rule, reason, source), found=as_found(part, info))


def neutral(part: Part, info: ParameterInfo) -> Assignment | None:
    """A vector that initium wrote, back at the value that changes nothing; None for all others.

    Without it the shift that one plan gave a norm would be "what the author chose" for the next.
    """
    if not info.written or part.role not in ("norm_gain", "norm_shift", "scale", "mask", "bias"):
        return None
    method = "ones" if part.role in ("norm_gain", "scale") else "zeros"
    reason = "initium wrote it: it starts from the neutral value again"
    return assigned(part, info, method, "written before", reason)


def protected(part: Part, info: ParameterInfo) -> Assignment | None:
    """Parameters that nothing but a rule of the user may change, with the reason; None for the others."""
    return untouchable(part, info) or tied(part, info)


def tied(part: Part, info: ParameterInfo) -> Assignment | None:
    """Parameters that several places share; None for the others."""
    if not info.tied:
        return None
    reason = f"it is shared with {', '.join(info.aliases)}, and one value must serve both"
    return keep(part, info, "tied", reason)


def untouchable(part: Part, info: ParameterInfo) -> Assignment | None:
    """Parameters whose value is meant to stay or whose effect is not known; None for the others."""
    if info.frozen:
        return keep(part, info, "frozen", "requires_grad is off, so its value is meant to stay")
    if info.loaded:
        return keep(part, info, "loaded", "it is flagged as loaded from a checkpoint")
    if part.role == "unused":
        return keep(part, info, "unused", "no operation of the run took it, so nothing is known of its part")
    if info.parametrized or (part.packed and len(info.shape) < 2):
        return keep(part, info, "parametrized", "another tensor is computed from it before use")
    if not info.finite:
        return None
    if part.role == "opaque" or part.layer.kind == "other":
        return keep(part, info, "opaque", "an operation takes it whose effect is not known")
    return None
