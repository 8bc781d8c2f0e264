"""Every method, in one literal tuple, and the way to find one by name."""

from __future__ import annotations

from initium.errors import unknown_name
from initium.methods import (
    attention,
    centred,
    constant,
    convolution,
    driven,
    heads,
    identity,
    left_out,
    mirrored,
    orthogonal,
    recurrent,
    residual,
    signal,
    sparse,
    special,
    transfer,
    transformer,
    upsampling,
    variance_scaling,
)
from initium.methods.method import Method

CATALOGUE: tuple[Method, ...] = (
    *constant.METHODS,
    *variance_scaling.METHODS,
    *signal.METHODS,
    *orthogonal.METHODS,
    *mirrored.METHODS,
    *centred.METHODS,
    *identity.METHODS,
    *sparse.METHODS,
    *residual.METHODS,
    *transformer.METHODS,
    *attention.METHODS,
    *convolution.METHODS,
    *heads.METHODS,
    *upsampling.METHODS,
    *transfer.METHODS,
    *recurrent.METHODS,
    *special.METHODS,
    *driven.METHODS,
    *left_out.METHODS,
)

_BY_NAME = {name: method for method in CATALOGUE for name in (method.name, *method.aliases)}


def methods() -> tuple[Method, ...]:
    """The whole catalogue."""
    return CATALOGUE


def find(name: str) -> Method:
    """The method of that name or alias; `kaiming_normal_` and `He-Normal` are understood.

    Raises:
        UnknownNameError: no such method; the nearest names are in the message.
    """
    method = _BY_NAME.get(name) or _BY_NAME.get(name.strip().lower().replace("-", "_").rstrip("_"))
    if method is None:
        raise unknown_name("method", name, _BY_NAME)
    return method
