"""Every method, in one literal tuple, and the way to find one by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from initium.errors import unknown_name
from initium.keywords import keywords
from initium.methods import not_built
from initium.methods.families import (
    attention,
    centred,
    constant,
    convolution,
    data_driven,
    heads,
    identity,
    mirrored,
    orthogonal,
    recurrent,
    residual,
    signal_propagation,
    sparse,
    special,
    transformer,
    upsampling,
    variance_scaling,
    weight_transfer,
)
from initium.methods.method import Method
from initium.theory.gains import canonical_name

CATALOGUE: tuple[Method, ...] = (
    *constant.METHODS,
    *variance_scaling.METHODS,
    *signal_propagation.METHODS,
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
    *weight_transfer.METHODS,
    *recurrent.METHODS,
    *special.METHODS,
    *data_driven.METHODS,
    *not_built.METHODS,
)

_METHOD_BY_NAME = {name: method for method in CATALOGUE for name in (method.name, *method.aliases)}
_LENT: ContextVar[tuple[Method, ...]] = ContextVar("methods that are not in the catalogue", default=())


def methods(*, family: str = "", activation: str = "", needs: str = "") -> tuple[Method, ...]:
    """The whole catalogue, or the part of it that fits.

    Args:
        family: one of the families, such as "residual".
        activation: by name; methods for any activation fit too, cards of what is left out do not.
        needs: shape, graph, data, gradient or weights.

    Raises:
        UnknownNameError: a family or a need that no method has, or an unknown activation.

    Example:
        >>> [method.name for method in methods(needs="data")]
        ['lsuv', 'kraehenbuehl', 'weight_norm_data']
    """
    for kind, value, known in (
        ("family", family, {method.family for method in CATALOGUE}),
        ("need", needs, {method.needs for method in CATALOGUE}),
    ):
        if value and value not in known:
            raise unknown_name(kind, value, known)
    wanted = canonical_name(activation) if activation else ""
    return tuple(
        method
        for method in CATALOGUE
        if family in ("", method.family)
        and needs in ("", method.needs)
        and (not wanted or _suits(method, wanted))
    )


def names() -> list[str]:
    """Every name and alias of every method."""
    return list(_METHOD_BY_NAME)


def find(name: str) -> Method:
    """The method of that name or alias; `kaiming_normal_` and `He-Normal` are understood.

    Raises:
        UnknownNameError: no such method; the nearest names are in the message.
    """
    # The exact name first; the rest forgives torch's trailing underscore and the spelling of papers.
    method = _METHOD_BY_NAME.get(name) or _METHOD_BY_NAME.get(
        name.strip().lower().replace("-", "_").rstrip("_")
    )
    method = method or next((one for one in _LENT.get() if one.name == name), None)
    if method is None:
        raise unknown_name("method", name, [*_METHOD_BY_NAME, *(one.name for one in _LENT.get())])
    return method


def is_listed(method: Method) -> bool:
    """Whether the catalogue has this very record, so that its name is enough to find it."""
    return _METHOD_BY_NAME.get(method.name) is method


@contextmanager
def lent(methods: Sequence[Method]) -> Iterator[None]:
    """Lets `find` know methods that are not in the catalogue, in this thread and within the `with` only.

    A plan in a file names its methods, and never says where to import one from: who reads it brings them along.
    """
    token = _LENT.set((*methods, *_LENT.get()))
    try:
        yield
    finally:
        _LENT.reset(token)


def read_method(text: str) -> tuple[Method, dict[str, Any]]:
    """A method and parameters for it, from a text such as `lsuv` or `he_normal:mode=fan_out,gain=1`.

    Raises:
        UnknownNameError: no such method.
        UsageError: what follows the name is not KEY=VALUE,...
    """
    name, _, given = text.partition(":")
    return find(name), keywords([part for part in given.split(",") if part])


def _suits(method: Method, activation: str) -> bool:
    return not method.left_out and (not method.activations or activation in method.activations)
