"""Standard models by name, such as `cnn20-relu`: a family, a number of weight layers, an activation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from initium.errors import UsageError, unknown_name
from initium.study.tasks.models import networks

ACTIVATION_MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "leakyrelu": nn.LeakyReLU,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "sin": networks.Sine,
}

Shape = tuple[int, int, int]
Maker = Callable[[Shape, int, int, Callable[[], nn.Module]], nn.Module]


@dataclass(frozen=True)
class Family:
    """A kind of standard model.

    Args:
        name: as in the model's name.
        make: (shape of a picture, outputs, depth, activation) to the model.
        summary: one line.
        depth: weight layers where the name gives none.
        least: the smallest depth.
        activation: where the name gives none.
    """

    name: str
    make: Maker
    summary: str
    depth: int
    least: int = 2
    activation: str = "relu"


FAMILIES = (
    Family("mlp", networks.mlp, "fully connected, width 64", 8),
    Family("cnn", networks.cnn, "3 x 3 convolutions in a plain chain, no normalization", 20, least=4),
    Family(
        "resnet-nonorm", networks.resnet, "residual blocks of two convolutions, no normalization", 12, least=4
    ),
    Family("resnet", networks.normed_resnet, "the same with batch normalization", 12, least=4),
    Family("vit", networks.vit, "vision transformer, normalization first", 6, least=1, activation="gelu"),
    Family("fcn", networks.fcn, "3 x 3 convolutions at half the size, the later ones dilated", 9, least=3),
    Family("unet", networks.unet, "encoder and decoder with skips", 2, least=1),
    Family("detector", networks.detector, "3 x 3 convolutions to a quarter of the size", 12, least=5),
)


def make_model(name: str, shape: Shape, num_outputs: int) -> nn.Module:
    """A standard model, started as torch starts its layers.

    Args:
        name: family, depth, and activation: `mlp8-tanh`, `cnn20-relu`, `resnet12-nonorm`, `fcn9`, `unet`.
        shape: channels, height and width of a picture.
        num_outputs: output channels.

    Raises:
        UnknownNameError: no such family or activation.
        UsageError: fewer layers than the family can have.

    Example:
        >>> model = make_model("cnn20-relu", (1, 14, 14), 10)
        >>> sum(p.dim() == 4 for p in model.parameters()) + sum(p.dim() == 2 for p in model.parameters())
        20
    """
    family, depth, activation = parse(name)
    if depth < family.least:
        raise UsageError(
            f"model {name!r} has {depth} layers",
            expected=f"at least {family.least} for {family.name}",
            remedy=f"ask for {family.name}{family.depth}",
        )
    return family.make(shape, num_outputs, depth, ACTIVATION_MODULES[activation])


def parse(name: str) -> tuple[Family, int, str]:
    """Family, depth and activation of a standard model's name."""
    found = re.fullmatch(r"([a-z]+?)(\d*)((?:-[a-z]+)*)", name)
    words = found.group(3).split("-")[1:] if found else []
    nonorm = "nonorm" in words
    known = {family.name: family for family in FAMILIES}
    family = known.get(found.group(1) + ("-nonorm" if nonorm else "")) if found else None
    rest = [word for word in words if word != "nonorm"]
    if found is None or family is None or len(rest) > 1:
        raise unknown_name("model", name, example_names())
    activation = rest[0] if rest else family.activation
    if activation not in ACTIVATION_MODULES:
        raise unknown_name("activation", activation, ACTIVATION_MODULES)
    return family, int(found.group(2) or family.depth), activation


def example_names() -> tuple[str, ...]:
    """One name of every family, and more of those that depth and activation are usually varied of."""
    return (
        "mlp8-relu",
        "mlp20-tanh",
        "mlp8-sigmoid",
        "cnn8-relu",
        "cnn20-relu",
        "cnn20-tanh",
        "cnn50-relu",
        "resnet12-nonorm",
        "resnet12",
        "vit6",
        "fcn9",
        "unet",
        "detector12",
    )
