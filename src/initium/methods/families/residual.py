"""Residual networks: branches that start at zero, small, or standardized, so that depth costs nothing."""

from __future__ import annotations

import functools
import math

from torch import Tensor

from initium.methods.families.variance_kit import FAN_MODE, FANS, fans_of, pick, resolve_gain, scaled
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn
from initium.methods.method import EVERYTHING, MATRICES, Method, Paper, Param, refuse
from initium.random.distributions import Constant, Draw, Normal
from initium.random.key import Key
from initium.theory.layer import Layer


def zero_gamma(layer: Layer) -> Draw:
    """0 for the gain of the last norm of a residual branch: the block starts as the identity.

    Default in timm, off in torchvision.

    Reference: Goyal et al. (2017), arXiv:1706.02677, section 5.1.
    """
    del layer
    return Constant(0.0)


def fixup(layer: Layer, *, num_blocks: int, branch_layers: int, last: bool, mode: str, fans: str) -> Draw:
    """He times L^(-1 / (2 m - 2)) in a branch of m weights, 0 for its last weight and the classifier.

    One step of SGD then changes the output by an amount that does not grow with depth. The fan is
    fan_out, as in the authors' code; basic blocks have m = 2 (L^-1/2), bottlenecks m = 3 (L^-1/4).

    Reference: Zhang, Dauphin and Ma (2019), arXiv:1901.09321, section 3.
    """
    if last or branch_layers == 1:  # the only weight of a branch is its last
        return Constant(0.0)
    power = num_blocks ** (-1 / (branch_layers - 1))  # of the variance
    return scaled(layer, "normal", 2 * power, pick(fans_of(layer, fans), mode))


def skip_init(layer: Layer) -> Draw:
    """0 for the learned scalar at the end of a branch: x + alpha F(x), alpha = 0.

    Reference: De and Smith (2020), arXiv:2002.10444.
    """
    del layer
    return Constant(0.0)


def rezero(layer: Layer) -> Draw:
    """0 for the one scalar of each layer in x + alpha F(x).

    Reference: Bachlechner et al. (2020), arXiv:2003.04887.
    """
    del layer
    return Constant(0.0)


def layer_scale(layer: Layer, *, num_blocks: int, value: float | None) -> Draw:
    """A small constant per channel of a branch: 0.1 up to 18 blocks, 1e-5 up to 24, then 1e-6.

    Reference: Touvron et al. (2021), arXiv:2103.17239, section 2.
    """
    del layer
    if value is None:
        value = 0.1 if num_blocks <= 18 else 1e-5 if num_blocks <= 24 else 1e-6
    return Constant(value)


def scaled_standardized(layer: Layer, *, nonlinearity: str, gain: float | None) -> Draw:
    """Each unit's weights with mean exactly 0 and variance exactly gain^2 / fan_in.

    The start of NF-nets, whose layers standardize their weights in every forward pass. Without the
    mean, a unit does not see the common mean of its inputs (which ReLU makes), so the gain is the
    centred one, 1 / sqrt(Var f(z)): 1.7129 for ReLU.

    Reference: Brock, De and Smith (2021), arXiv:2101.08692, equation 2.
    """
    gain = resolve_gain(gain, nonlinearity, None, "centred")
    return built(layer, functools.partial(_scaled_standardized, gain=gain))


def _scaled_standardized(sizes: Canonical, key: Key, *, gain: float) -> Tensor:
    rows = drawn((sizes.groups, sizes.num_out, sizes.num_in * sizes.taps), Normal(0.0, 1.0), key)
    rows = rows - rows.mean(2, keepdim=True)
    # A unit with one weight is zero after centring and stays so.
    rows = rows / rows.square().mean(2, keepdim=True).sqrt().clamp_min(1e-12)
    return (rows * gain / math.sqrt(rows.shape[2])).reshape(sizes.shape)


def _scaled_standardized_energy(layer: Layer, *, nonlinearity: str, gain: float | None) -> Energy:
    sizes = canonical(layer)
    alone = sizes.num_in * sizes.taps == 1  # a single weight less its mean is 0
    units = 0 if alone else sizes.groups * sizes.num_out
    return Energy(even=units * resolve_gain(gain, nonlinearity, None, "centred") ** 2)


def weight_norm_he(
    layer: Layer, *, fan_in: int | None, fan_out: int | None, num_blocks: int | None, direction: str
) -> Draw:
    """Scale g of w = g v / |v|: sqrt(2 fan_in / fan_out) forward, sqrt 2 backward, so that norms are kept.

    Rows of norm g give outputs of mean square g^2 |x|^2 / fan_in and ReLU halves it; that the *norm* of
    the layer's output equals that of its input asks for g^2 = 2 fan_in / fan_out. In the last
    layer of a branch, 1 / num_blocks takes the place of the 2.

    Reference: Arpit, Campos and Bengio (2019), arXiv:1906.02341, sections 3 and 4.
    """
    gain = 2.0 if num_blocks is None else 1 / num_blocks
    if direction == "backward":
        return Constant(math.sqrt(gain))
    if fan_in is None or fan_out is None:
        expected = "fan_in and fan_out of the weight that the scales belong to"
        raise refuse(
            "weight_norm_he", layer, expected, instead='fan_in= and fan_out=, or direction="backward"'
        )
    return Constant(math.sqrt(gain * fan_in / fan_out))


_GOYAL = Paper("Goyal et al.", 2017, "Accurate, Large Minibatch SGD", "1706.02677")
_BLOCKS = Param("num_blocks", 1, "number of residual blocks", low=1)

METHODS = (
    Method(
        "zero_gamma",
        "residual",
        "0 for the last norm gain of a residual branch.",
        (),
        ("vector",),
        _GOYAL,
        zero_gamma,
        aliases=("zero_init_residual", "zero_init_last"),
        instead="zeros",
    ),
    Method(
        "fixup",
        "residual",
        "He scaled down with depth; the last weight of a branch is 0.",
        (
            _BLOCKS,
            Param("branch_layers", 2, "weights in a branch", low=1),
            Param("last", False, "the last weight of its branch, or the classifier"),
            Param("mode", "fan_out", FAN_MODE.help, choices=FAN_MODE.choices),
            FANS,
        ),
        MATRICES,
        Paper("Zhang, Dauphin, Ma", 2019, "Fixup Initialization", "1901.09321"),
        fixup,
        activations=("relu",),
    ),
    Method(
        "skip_init",
        "residual",
        "0 for the scalar at the end of a branch.",
        (),
        ("vector",),
        Paper("De, Smith", 2020, "Batch Normalization Biases Residual Blocks", "2002.10444"),
        skip_init,
        aliases=("skipinit",),
        instead="zeros",
    ),
    Method(
        "rezero",
        "residual",
        "0 for the scalar of each residual layer.",
        (),
        ("vector",),
        Paper("Bachlechner et al.", 2020, "ReZero is All You Need", "2003.04887"),
        rezero,
        instead="zeros",
    ),
    Method(
        "layer_scale",
        "residual",
        "A small constant per channel of a branch.",
        (
            Param("num_blocks", 12, "number of residual blocks", low=1),
            Param("value", None, "the constant, in place of the rule by depth", low=0.0),
        ),
        ("vector",),
        Paper("Touvron et al.", 2021, "Going deeper with Image Transformers", "2103.17239"),
        layer_scale,
        aliases=("layerscale",),
        instead="constant",
    ),
    Method(
        "scaled_standardized",
        "residual",
        "Weights standardized per unit, scaled by the centred gain (NF-nets).",
        (
            Param("nonlinearity", "relu", "the activation that feeds the layer, by name"),
            Param("gain", None, "in place of the activation's gain", low=0.0),
        ),
        MATRICES,
        Paper("Brock, De, Smith", 2021, "Characterizing signal propagation", "2101.08692"),
        scaled_standardized,
        aliases=("nf_resnet", "weight_standardized"),
        activations=("relu", "gelu", "silu"),
        energy=_scaled_standardized_energy,
    ),
    Method(
        "weight_norm_he",
        "residual",
        "Scales g of weight normalization that keep the norm of the signal.",
        (
            Param("fan_in", None, "fan_in of the weight", low=1),
            Param("fan_out", None, "fan_out of the weight", low=1),
            Param("num_blocks", None, "residual blocks, in the last layer of a branch", low=1),
            Param("direction", "forward", "whose norm is kept", choices=("forward", "backward")),
        ),
        EVERYTHING,
        Paper("Arpit, Campos, Bengio", 2019, "How to Initialize your Network?", "1906.02341"),
        weight_norm_he,
        activations=("relu",),
    ),
)
