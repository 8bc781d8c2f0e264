"""What a method of one's own must keep to, looked at before anything is drawn."""

from __future__ import annotations

from typing import Any, get_args

from initium.errors import ContractError, InitiumError
from initium.methods import catalogue
from initium.methods.method import Method, Paper, Param
from initium.random.distributions import Draw
from initium.signatures import misfit
from initium.theory.layer import Kind, Layer

METHOD_CONTRACT = (
    "an initium.methods.method.Method: a name that nothing else has, a summary, `Param`s with defaults in their own "
    f"range, kinds of layer among {', '.join(get_args(Kind))}, a `Paper`, and `draw(layer, **params)` that returns a "
    "distribution of initium.random"
)
RESERVED = ("keep", "auto", "shipped")
"""Names that mean something else where a method or a policy may stand."""
SAMPLES: dict[Kind, Layer] = {
    "linear": Layer("linear", (6, 4)),
    "conv": Layer("conv", (6, 4, 3, 3)),
    "conv_transpose": Layer("conv_transpose", (4, 6, 3, 3), out_axis=1, in_axis=0),
    "embedding": Layer("embedding", (8, 4), out_axis=1, in_axis=0),
    "other": Layer("other", (6, 5, 4)),
    "vector": Layer("vector", (6,)),
}
"""A layer of every kind that the function of a method is tried on."""


def method_of(given: str | Method) -> Method:
    """The method that a user names, or gives as an object.

    Raises:
        UnknownNameError: no method of that name.
        ContractError: an object that is no method, or that is not in the catalogue and breaks the contract.

    Example:
        >>> method_of("kaiming_normal_").name
        'he_normal'
    """
    if isinstance(given, str):
        return catalogue.find(given)
    return checked(given)


def checked(given: object) -> Method:
    """The method itself, once it is known to be one.

    Raises:
        ContractError: it is none.
    """
    if not isinstance(given, Method):
        raise _broken(given, f"it is a {type(given).__name__}")
    if catalogue.is_listed(given):
        return given
    wrong = _in_name(given) or _in_fields(given) or _in_signature(given)
    if wrong:
        raise _broken(given, wrong)
    for kind in given.layers:
        _check_draw(given, SAMPLES[kind])
    return given


def _broken(given: object, wrong: str) -> ContractError:
    return ContractError(
        f"the method {getattr(given, 'name', given)!r}: {wrong}",
        expected=METHOD_CONTRACT,
        remedy="see docs/methods/own.md; initium.testing.check_method(method) tells all that is wrong with one",
    )


def _in_name(method: Any) -> str:
    if not isinstance(method.name, str) or not method.name.isidentifier():
        return "its name is no identifier"
    if method.name in RESERVED or method.name in catalogue.names():
        return "its name is taken, and a plan in a file would mean the other one"
    return ""


def _in_fields(method: Any) -> str:
    if not isinstance(method.summary, str) or not method.summary:
        return "it has no summary"
    if not isinstance(method.paper, Paper):
        return f"its paper is a {type(method.paper).__name__}"
    if not method.layers or not set(method.layers) <= set(get_args(Kind)):
        return f"its kinds of layer are {method.layers!r}"
    if not all(isinstance(param, Param) for param in method.params):
        return f"its parameters are {method.params!r}"
    try:
        for param in method.params:
            param.check(param.default, method.name)
    except InitiumError as error:
        return f"the default of a parameter is out of its own range: {error.seen}"
    return ""


def _in_signature(method: Method) -> str:
    if method.draw is None:
        return "its draw is None"
    wrong = misfit(method.draw, SAMPLES["linear"], **{one.name: one.default for one in method.params})
    return wrong and f"its draw does not take the layer and every parameter by keyword ({wrong})"


def _check_draw(method: Method, layer: Layer) -> None:
    """Raise unless one layer gets a distribution; it may be refused in three parts."""
    try:
        draw: object = method(layer)
    except InitiumError:
        return
    except Exception as error:
        raise _broken(method, f"its draw raised {type(error).__name__}: {error}, for {layer}") from error
    if not isinstance(draw, Draw):
        raise _broken(method, f"its draw returned a {type(draw).__name__}, for {layer}")
