"""Special nets: sines, Fourier features, hypernetworks, complex and equivariant layers, one hidden layer."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.families.variance_kit import FANS, fans_of, scaled, spread
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn
from initium.methods.method import EVERYTHING, MATRICES, WEIGHTS, Method, Paper, Param, refuse
from initium.random.distributions import Draw, Normal, Uniform
from initium.random.key import Key
from initium.theory.layer import Layer


def siren(layer: Layer, *, first: bool, omega: float) -> Draw:
    """Layers y = sin(omega W x): first U(-1/n, 1/n), others U(-b, b) with b = sqrt(6 / n) / omega.

    The pre-activations omega W x of hidden layers are then normal with a variance that stays: q = 2 E x^2
    = 1 - exp(-2 q), which is 0.797 (the paper says 1, from arcsine activations of mean square 1/2).

    Reference: Sitzmann et al. (2020), arXiv:2006.09661, theorem 1.8.
    """
    n = max(fans_of(layer, "effective").fan_in, 1)
    # The paper gives bounds, and `spread` takes the standard deviation, bound / sqrt(3).
    return spread("uniform", (1 / n if first else math.sqrt(6 / n) / omega) / math.sqrt(3))


def fourier_features(layer: Layer, *, sigma: float) -> Draw:
    """B ~ N(0, sigma^2), fixed, of the features (cos 2 pi B v, sin 2 pi B v) of coordinates v.

    sigma is the bandwidth of what can be learned: too small blurs, too large is noise.

    Reference: Tancik et al. (2020), arXiv:2006.10739.
    """
    del layer
    return Normal(0.0, sigma)


def hyperfan(
    layer: Layer, *, generates: str, target_fan: int, input_var: float, gain: float, shared: bool
) -> Draw:
    """The last layer of a hypernetwork, such that the weights it *generates* have variance gain^2 / fan.

    A generated weight is a sum of d_k terms H e, so Var H = gain^2 / (target_fan d_k Var e): hyperfan-in
    when target_fan is the fan_in of the main layer, hyperfan-out when its fan_out. With `shared`, the
    hypernetwork generates biases too, and weights and biases get half the variance each.
    generates="bias": Var H = gain^2 / (2 d_k Var e).

    Reference: Chang, Flokas and Lipson (2020), arXiv:2312.08399, section 4.
    """
    power = gain**2 / ((2 if shared or generates == "bias" else 1) * input_var)
    if generates == "weight":
        power /= target_fan
    return scaled(layer, "uniform", power, fans_of(layer, "effective").fan_in)


def complex_normal(layer: Layer, *, criterion: str, fans: str) -> Draw:
    """Real or imaginary part of a complex weight: N(0, s^2), s = 1/sqrt(fan_in) (he) or 1/sqrt(in + out).

    The paper draws a Rayleigh modulus of parameter s and a uniform phase: exactly a complex normal with
    independent parts N(0, s^2), Var W = 2 s^2.

    Reference: Trabelsi et al. (2017), arXiv:1705.09792, section 3.6.
    """
    both = fans_of(layer, fans)
    return scaled(layer, "normal", 1.0, both.fan_in if criterion == "he" else 2 * both.mean)


def quaternion_normal(layer: Layer, *, criterion: str, fans: str) -> Draw:
    """One of the four parts of a quaternion weight: N(0, s^2), s = 1/sqrt(2 (in + out)) or 1/sqrt(2 in).

    Four independent normals have the modulus of the paper (chi with 4 degrees of freedom), Var W =
    4 s^2, and directions uniform on the sphere; the paper's phase and axis are drawn otherwise.

    Reference: Parcollet et al. (2018), arXiv:1806.04418, section 3.3.
    """
    both = fans_of(layer, fans)
    return scaled(layer, "normal", 1.0, 2 * both.fan_in if criterion == "he" else 4 * both.mean)


def equivariant_he(layer: Layer, *, num_inputs: int, num_basis: int, gain: float) -> Draw:
    """Coefficients of a steerable basis: N(0, gain^2 / (num_inputs num_basis)).

    num_inputs counts the input fields that feed one output field, num_basis the basis kernels from one of
    them. The basis is normalized, so the variance adds over both.

    Reference: Weiler, Hamprecht and Storath (2018), arXiv:1711.07289; escnn.
    """
    del layer
    return Normal(0.0, gain / math.sqrt(num_inputs * num_basis))


def nguyen_widrow(layer: Layer, *, num_inputs: int | None) -> Draw:
    """One hidden layer of H tanh units on N inputs in [-1, 1]: rows of norm 0.7 H^(1/N), biases U(-norm, norm).

    The units' active regions then tile the input cube. A bias needs `num_inputs`.

    Reference: Nguyen and Widrow (1990), IJCNN.
    """
    if layer.kind != "vector":
        return built(layer, _nguyen_widrow)
    if num_inputs is None:
        raise refuse("nguyen_widrow", layer, "num_inputs of the weight", instead="num_inputs=, or zeros")
    norm = 0.7 * math.prod(layer.shape) ** (1 / num_inputs)
    return Uniform(-norm, norm)


def _nguyen_widrow(sizes: Canonical, key: Key) -> Tensor:
    rows = drawn((sizes.groups, sizes.num_out, sizes.num_in), Uniform(-1.0, 1.0), key)
    norms: Tensor = torch.linalg.vector_norm(rows, dim=2, keepdim=True)
    norm: float = 0.7 * sizes.num_out ** (1 / sizes.num_in)
    return rows / norms.clamp_min(1e-12) * norm


def _nguyen_widrow_energy(layer: Layer, *, num_inputs: int | None) -> Energy:
    del num_inputs
    sizes = canonical(layer)
    return Energy(even=sizes.groups * sizes.num_out * (0.7 * sizes.num_out ** (1 / sizes.num_in)) ** 2)


def sinusoidal(layer: Layer, *, variant: str, fans: str) -> Draw:
    """Rows that are waves of different frequency, scaled to variance 2 / (fan_in + fan_out); no randomness.

    variant="published": row i = 1 .. out is sin(2 pi i (j / n + 1 / out)). Frequencies beyond n/2 repeat
    earlier ones: a square layer of 64 has rank 31 and two rows of zeros. variant="distinct" (default):
    cos(pi (i mod n + 1/2) (j + 1/2) / n), an orthogonal basis of full rank, shifted in phase for each
    further n rows.

    Reference: Fernandez-Hernandez et al. (2025), arXiv:2505.12909.
    """
    std = math.sqrt(1 / max(fans_of(layer, fans).mean, 1e-12))
    return built(layer, functools.partial(_sinusoidal, variant=variant, std=std))


def _sinusoidal(sizes: Canonical, key: Key, *, variant: str, std: float) -> Tensor:
    del key
    n, out = sizes.num_in * sizes.taps, sizes.groups * sizes.num_out
    column, row = torch.arange(n, dtype=torch.float64), torch.arange(out, dtype=torch.float64)[:, None]
    if variant == "published":
        waves = torch.sin(2 * math.pi * (row + 1) * (column / n + 1 / out))
        size = waves.std(correction=1 if waves.numel() > 1 else 0)
    else:
        phase = math.pi / 2 * (row // n) / math.ceil(out / n)
        # The DCT-II basis; rows beyond n repeat its frequencies at another phase, so they are no copies.
        waves = torch.cos(math.pi * (row % n + 0.5) * (column + 0.5) / n - phase)
        size = waves.square().mean().sqrt()
    return (waves * (std / size.clamp_min(1e-12))).float().reshape(sizes.shape)


def _sinusoidal_energy(layer: Layer, *, variant: str, fans: str) -> Energy:
    del variant
    return Energy(uneven=math.prod(layer.shape) / max(fans_of(layer, fans).mean, 1e-12))


_CRITERION = Param("criterion", "glorot", "he keeps the signal, glorot compromises", choices=("glorot", "he"))

METHODS = (
    Method(
        "siren",
        "special",
        "Sine networks: the same distribution at every depth.",
        (
            Param("first", False, "the layer that reads coordinates"),
            Param("omega", 30.0, "frequency factor of the hidden layers", low=1e-6),
        ),
        WEIGHTS,
        Paper("Sitzmann et al.", 2020, "Implicit Neural Representations", "2006.09661"),
        siren,
        activations=("sin",),
    ),
    Method(
        "fourier_features",
        "special",
        "Fixed random frequencies of coordinate nets.",
        (Param("sigma", 10.0, "bandwidth", low=0.0),),
        EVERYTHING,
        Paper("Tancik et al.", 2020, "Fourier Features", "2006.10739"),
        fourier_features,
        aliases=("rff",),
        activations=("sin", "cos"),
    ),
    Method(
        "hyperfan",
        "special",
        "Hypernetworks whose generated weights have the right variance.",
        (
            Param("generates", "weight", "what the layer makes", choices=("weight", "bias")),
            Param("target_fan", 1, "fan_in (or fan_out) of the layer that is generated", low=1),
            Param("input_var", 1.0, "mean square of the hypernetwork's last features", low=1e-12),
            Param("gain", 1.0, "gain of the generated layer", low=0.0),
            Param("shared", False, "biases are generated too"),
        ),
        MATRICES,
        Paper(
            "Chang, Flokas, Lipson", 2020, "Principled Weight Initialization for Hypernetworks", "2312.08399"
        ),
        hyperfan,
        aliases=("hyperfan_in", "hyperfan_out"),
    ),
    Method(
        "complex_normal",
        "special",
        "Real and imaginary parts of complex weights.",
        (_CRITERION, FANS),
        WEIGHTS,
        Paper("Trabelsi et al.", 2017, "Deep Complex Networks", "1705.09792"),
        complex_normal,
        aliases=("complex",),
    ),
    Method(
        "quaternion_normal",
        "special",
        "The four parts of quaternion weights.",
        (_CRITERION, FANS),
        WEIGHTS,
        Paper("Parcollet et al.", 2018, "Quaternion Recurrent Neural Networks", "1806.04418"),
        quaternion_normal,
        aliases=("quaternion",),
    ),
    Method(
        "equivariant_he",
        "special",
        "Coefficients of steerable kernels.",
        (
            Param("num_inputs", 1, "input fields that feed an output field", low=1),
            Param("num_basis", 1, "basis kernels from one input field", low=1),
            Param("gain", 1.0, "factor on the standard deviation", low=0.0),
        ),
        EVERYTHING,
        Paper("Weiler, Hamprecht, Storath", 2018, "Steerable Filters for Equivariant CNNs", "1711.07289"),
        equivariant_he,
        aliases=("steerable",),
    ),
    Method(
        "nguyen_widrow",
        "special",
        "One hidden tanh layer whose units tile the input cube.",
        (Param("num_inputs", None, "for a bias: inputs of its weight", low=1),),
        ("linear", "vector"),
        Paper("Nguyen, Widrow", 1990, "Improving the learning speed of 2-layer neural networks"),
        nguyen_widrow,
        activations=("tanh",),
        energy=_nguyen_widrow_energy,
    ),
    Method(
        "sinusoidal",
        "special",
        "Rows that are waves; no randomness.",
        (Param("variant", "distinct", "full rank, or as published", choices=("distinct", "published")), FANS),
        ("linear", "conv"),
        Paper("Fernandez-Hernandez et al.", 2025, "Sinusoidal Initialization", "2505.12909"),
        sinusoidal,
        energy=_sinusoidal_energy,
    ),
)
