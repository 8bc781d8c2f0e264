"""Every method, in one literal tuple, and the way to find one by name."""

from __future__ import annotations

from initium.errors import unknown_name
from initium.methods import constant, identity, orthogonal, variance_scaling
from initium.methods.method import Method

CATALOGUE: tuple[Method, ...] = (
    *constant.METHODS,
    *variance_scaling.METHODS,
    *orthogonal.METHODS,
    *identity.METHODS,
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
