"""The record of a method: its parameters, the layers it serves, its paper and its function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from initium.errors import LayerError, UsageError, unknown_name
from initium.methods.kit.energy import Energy
from initium.random.distributions import Blocks, Constant, Draw
from initium.theory.fans import blocks
from initium.theory.layer import Kind, Layer

Need = Literal["shape", "graph", "data", "gradient", "weights"]
Value = bool | int | float | str | tuple[float, ...] | None

WEIGHTS: tuple[Kind, ...] = ("linear", "conv", "conv_transpose", "embedding", "other")
MATRICES: tuple[Kind, ...] = ("linear", "conv", "conv_transpose", "other")
EVERYTHING: tuple[Kind, ...] = (*WEIGHTS, "vector")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a method.

    Args:
        name: the keyword.
        default: its value when not given; None means "worked out from the layer".
        help: one phrase.
        low: smallest value allowed (a whole number here and a default of None asks for whole numbers).
        high: largest value allowed.
        choices: the words allowed.
    """

    name: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: object, owner: str) -> Value:
        """The value if it may be used, as a plain Python value, or a UsageError that says why not."""
        if value is None and self.default is None:
            return None
        if self.choices:
            if value in self.choices:
                return str(value)
            raise unknown_name(f"{self.name} of {owner}", str(value), self.choices)
        if isinstance(self.default, bool):
            return self._boolean(value, owner)
        if isinstance(self.default, tuple):
            return self._numbers(value, owner)
        if isinstance(self.default, str):
            return self._text(value, owner)
        return self._number(value, owner)

    def _boolean(self, value: object, owner: str) -> bool:
        if isinstance(value, bool):
            return value
        raise self._wrong(value, owner, "True or False")

    def _text(self, value: object, owner: str) -> str:
        if isinstance(value, str):
            return value
        raise self._wrong(value, owner, "a name")

    def _numbers(self, value: object, owner: str) -> tuple[float, ...]:
        if isinstance(value, (list, tuple)):
            return tuple(self._number(item, owner) for item in value)
        raise self._wrong(value, owner, "a sequence of numbers")

    def _number(self, value: object, owner: str) -> float:
        # True is an int to Python, and gain=True is a mistake.
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(value, owner, "a number")
        if not math.isfinite(value):
            raise self._wrong(value, owner, "a finite number")
        sample = self.low if self.default is None else self.default
        if isinstance(sample, int) and not float(value).is_integer():
            raise self._wrong(value, owner, "a whole number")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise self._wrong(value, owner, self.range)
        return int(value) if isinstance(sample, int) else float(value)

    @property
    def range(self) -> str:
        """What may be given, in words."""
        return self.range_in({})

    def range_in(self, phrases: Mapping[str, str]) -> str:
        """The same in another language.

        Args:
            phrases: "at least {}" and its like -> what they are there.
        """
        if self.choices:
            return " | ".join(self.choices)
        limits = [f"{one:g}" for one in (self.low, self.high) if one is not None]
        one_sided = "at least {}" if self.high is None else "at most {}"
        phrase = ("any", one_sided, "from {} to {}")[len(limits)]
        return phrases.get(phrase, phrase).format(*limits)

    def _wrong(self, value: object, owner: str, expected: str) -> UsageError:
        remedy = f"see `initium explain {owner}`; the default is {self.default}"
        return UsageError(f"{self.name} = {value!r} for {owner}", expected=expected, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a method was published."""

    authors: str
    year: int
    title: str
    arxiv: str = ""

    def __str__(self) -> str:
        link = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors} ({self.year}), {self.title}{link}"


@dataclass(frozen=True, slots=True)
class Card:
    """The five texts about a method."""

    formula: str
    meaning: str
    procedure: str
    strengths: str
    weaknesses: str


@dataclass(frozen=True, slots=True)
class Method:
    """One way to start a weight: a pure function from a layer and parameters to a draw.

    Args:
        name: the literature's name.
        family: name of the family's file and cards.
        summary: one line.
        params: parameters in order.
        layers: kinds of layer it serves.
        paper: where it was published.
        draw: builder of the draw, called with the layer and every parameter by keyword; None where the
            method needs more than a layer (`needs`), or where a card alone says why it is left out.
        aliases: other names of the same thing.
        needs: shape (a layer is enough), graph, data, gradient, or weights of another model.
        activations: activations it is derived for; empty means any.
        instead: the nearest method that serves the layers this one cannot.
        whole: the builder looks at packed blocks itself; others are called once a block.
        left_out: why a published method is in the catalogue as a card only.
        energy: called as `draw`, for methods that build structured tensors: the expected sum of squares, in closed
            form, from which follows what the method does to signals and gradients.
        card: its texts in English, where no file of cards has them.
    """

    name: str
    family: str
    summary: str
    params: tuple[Param, ...]
    layers: tuple[Kind, ...]
    paper: Paper
    draw: Callable[..., Draw] | None
    aliases: tuple[str, ...] = ()
    needs: Need = "shape"
    activations: tuple[str, ...] = ()
    instead: str = ""
    whole: bool = False
    left_out: str = ""
    energy: Callable[..., Energy] | None = None
    card: Card | None = None

    def resolve(self, **params: object) -> dict[str, Value]:
        """All parameters, defaults filled in and every given one checked.

        Raises:
            UnknownNameError: a parameter the method does not have, or a word that is no choice.
            UsageError: a value of the wrong type or out of range.
        """
        known = {param.name: param for param in self.params}
        for name in params:
            if name not in known:
                raise unknown_name(f"parameter of {self.name}", name, known or ["(none)"])
        return {
            name: param.check(params[name], self.name) if name in params else param.default
            for name, param in known.items()
        }

    def __call__(self, layer: Layer, **params: object) -> Draw:
        """The draw for `layer`; matrices packed in one weight are drawn each on its own.

        Raises:
            LayerError: the method cannot serve this layer; the remedy names one that can.
            UsageError: a parameter is wrong, or the method needs data or a model, not a layer.
        """
        values = self.resolve(**params)
        build = self._builder()
        if layer.kind not in self.layers:
            raise self.refuse(layer, f"a weight of kind {' or '.join(self.layers)}")
        parts = (layer,) if self.whole else blocks(layer)
        draws = tuple(build(part, **values) for part in parts)
        # Blocks of one constant are that constant, which has a law and a cheaper fill.
        if len(parts) == 1 or all(isinstance(d, Constant) and d == draws[0] for d in draws):
            return draws[0]
        return Blocks(layer.out_axis % len(layer.shape), layer.blocks, draws)

    def refuse(self, layer: Layer, expected: str, *, instead: str = "") -> LayerError:
        """The error for a layer that this method cannot serve."""
        usual = self.instead if layer.kind in ("linear", "conv", "conv_transpose") else ""
        return refuse(self.name, layer, expected, instead=instead or usual)

    def _builder(self) -> Callable[..., Draw]:
        if self.draw is not None:
            return self.draw
        means = {"data": "a batch of inputs", "gradient": "gradients", "graph": "the whole model"}
        need = means.get(self.needs, "the weights of another model")
        raise UsageError(
            f"{self.name} asked for a single layer",
            expected=self.left_out or f"a method that is a function of the layer; this one needs {need}",
            remedy=self._elsewhere(),
        )

    def _elsewhere(self) -> str:
        nearest = f"nearest for a layer: {self.instead or 'he_normal'}; see `initium explain {self.name}`"
        if self.left_out or self.needs == "weights":
            return nearest
        return f'use initium.plan(model, inputs, policy="{self.name}"); {nearest}'


_NEAREST: dict[Kind, str] = {
    "vector": "zeros, ones or constant",
    "embedding": "normal with std=0.02",
    "linear": "he_normal or orthogonal",
    "conv": "he_normal or orthogonal",
    "conv_transpose": "he_normal or orthogonal",
    "other": "variance_scaling",
}


def refuse(name: str, layer: Layer, expected: str, *, instead: str = "") -> LayerError:
    """A LayerError for method `name`: what it got, what it can serve, and the nearest that can."""
    groups = f", groups={layer.groups}" if layer.groups > 1 else ""
    return LayerError(
        f"{name} for a weight of kind {layer.kind} and shape {layer.shape}{groups}",
        expected=expected,
        remedy=f"use {instead or _NEAREST[layer.kind]}",
    )
