"""Recurrent networks and state-space models: how long the start remembers."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.families.identity import identity, identity_energy
from initium.methods.families.variance_kit import spread
from initium.methods.kit.energy import Energy
from initium.methods.method import EVERYTHING, Method, Paper, Param, refuse
from initium.random.distributions import Blocks, Built, Constant, Draw, Uniform
from initium.random.fill import fill_
from initium.random.key import Key
from initium.theory.layer import Kind, Layer


def rnn_uniform(layer: Layer, *, hidden: int | None) -> Draw:
    """U(-b, b), b = 1 / sqrt(hidden), for every weight and bias: torch's RNN, LSTM and GRU.

    The forget bias is then 0 on average, so a gate forgets half at every step (see `forget_bias`).

    Reference: torch.nn.RNNBase.reset_parameters.
    """
    if hidden is None:
        if layer.kind == "vector":
            raise refuse(
                "rnn_uniform", layer, "hidden, the size of the state", instead="hidden=, or forget_bias"
            )
        hidden = layer.num_out
    return spread("uniform", 1 / math.sqrt(3 * max(hidden, 1)))


def irnn(layer: Layer, *, part: str, gain: float) -> Draw:
    """A ReLU RNN whose recurrent weight is gain I, inputs N(0, 0.001^2), biases 0.

    The state keeps its sum until something arrives. gain < 1 forgets.

    Reference: Le, Jaitly and Hinton (2015), arXiv:1504.00941.
    """
    if layer.kind == "vector":
        return Constant(0.0)
    return identity(layer, gain=gain, fill="zero") if part == "recurrent" else spread("normal", 0.001)


def _irnn_energy(layer: Layer, *, part: str, gain: float) -> Energy:
    if layer.kind == "vector":
        return Energy()
    if part == "recurrent":
        return identity_energy(layer, gain=gain, fill="zero")
    return Energy(even=math.prod(layer.shape) * 0.001**2)


def forget_bias(layer: Layer, *, value: float, gates: int, gate: int) -> Draw:
    """`value` in the block of the forget gate, 0 elsewhere; torch's order is input, forget, cell, output.

    sigmoid(1) = .73: errors live about 4 steps instead of 2. torch has two biases that add up: give
    the other one zeros.

    Reference: Gers, Schmidhuber and Cummins (2000); Jozefowicz et al. (2015).
    """
    size = _gate_size("forget_bias", layer, gates)
    draws = tuple(Constant(value if index == gate else 0.0) for index in range(gates))
    return Blocks(0, (size,) * gates, draws)


def chrono(layer: Layer, *, longest: float, gates: int, forget: int, into: int) -> Draw:
    """b_forget = ln U(1, T - 1), b_input = -b_forget: memories of all lengths up to T = `longest` steps.

    A forget gate at sigmoid(b) remembers about 1 / (1 - sigmoid(b)) = 1 + e^b steps.

    Reference: Tallec and Ollivier (2018), arXiv:1804.11188.
    """
    size = _gate_size("chrono", layer, gates)
    return Built(functools.partial(_chrono, size=size, longest=longest, forget=forget, into=into))


def _chrono(shape: tuple[int, ...], key: Key, *, size: int, longest: float, forget: int, into: int) -> Tensor:
    # At T = 2 nothing is left between 1 and T - 1: every gate remembers 2 steps.
    span = fill_(torch.empty(size), Uniform(1.0, max(longest - 1, 1.0)), key).log()
    bias = torch.zeros(shape)
    bias[forget * size : (forget + 1) * size] = span
    bias[into * size : (into + 1) * size] = -span
    return bias


def _gate_size(name: str, layer: Layer, gates: int) -> int:
    if len(layer.shape) != 1 or layer.shape[0] % gates:
        raise refuse(name, layer, f"a bias of {gates} equal blocks, one a gate", instead="zeros")
    return layer.shape[0] // gates


def s4d(layer: Layer, *, variant: str) -> Draw:
    """Eigenvalues of a diagonal state-space layer, along the last axis: n = 1, 2, ..., N.

    variant="real": ln n, the A_log of Mamba, A = -n. "lin_imag": pi (n - 1), the imaginary part of
    S4D-Lin, A = -1/2 + i pi n from n = 0. "lin_real": ln(1/2), the log of minus its real part.

    Reference: Gu et al. (2022), arXiv:2206.11893; Gu and Dao (2023), arXiv:2312.00752.
    """
    if not layer.shape:
        raise refuse("s4d", layer, "an axis of eigenvalues", instead="zeros")
    if variant == "lin_real":
        return Constant(math.log(0.5))
    return Built(functools.partial(_s4d, variant=variant))


def _s4d(shape: tuple[int, ...], key: Key, *, variant: str) -> Tensor:
    del key
    n = torch.arange(1, shape[-1] + 1, dtype=torch.float64)
    return (n.log() if variant == "real" else math.pi * (n - 1)).float().expand(shape).clone()


def ssm_step(layer: Layer, *, low: float, high: float, floor: float, scale: float) -> Draw:
    """Step sizes of a selective state-space layer: bias softplus^-1(exp U(ln low, ln high)), weight U(-b, b).

    softplus(bias) is then log-uniform on [low, high] (and at least `floor`); b = scale / sqrt(rank), the
    rank being what the weight reads.

    Reference: Gu and Dao (2023), arXiv:2312.00752, section 3.6.
    """
    if layer.kind != "vector":
        return spread("uniform", scale / math.sqrt(3 * max(layer.num_in, 1)))
    return Built(functools.partial(_ssm_step, low=low, high=high, floor=floor))


def _ssm_step(shape: tuple[int, ...], key: Key, *, low: float, high: float, floor: float) -> Tensor:
    exponent = fill_(torch.empty(shape), Uniform(math.log(low), math.log(high)), key)
    # softplus^-1(y) = y + ln(1 - e^-y), with expm1 since the steps are small and 1 - e^-y would cancel.
    step = exponent.double().exp().clamp_min(floor)
    return (step + torch.log(-torch.expm1(-step))).float()


_VECTOR: tuple[Kind, ...] = ("vector",)
_GATES = Param("gates", 4, "blocks of the bias", low=1)

METHODS = (
    Method(
        "rnn_uniform",
        "recurrent",
        "torch's RNN, LSTM and GRU: U(-b, b), b = 1 / sqrt(hidden).",
        (Param("hidden", None, "size of the state; from the weight when not given", low=1),),
        ("linear", "vector"),
        Paper("the PyTorch authors", 2016, "reset_parameters of torch.nn.RNNBase"),
        rnn_uniform,
        activations=("tanh",),
    ),
    Method(
        "irnn",
        "recurrent",
        "Identity recurrence for ReLU RNNs.",
        (
            Param("part", "recurrent", "which weight", choices=("recurrent", "input")),
            Param("gain", 1.0, "value on the diagonal", low=0.0),
        ),
        ("linear", "vector"),
        Paper("Le, Jaitly, Hinton", 2015, "A Simple Way to Initialize Recurrent Networks", "1504.00941"),
        irnn,
        activations=("relu",),
        energy=_irnn_energy,
    ),
    Method(
        "forget_bias",
        "recurrent",
        "Forget gates that start open.",
        (Param("value", 1.0, "the bias"), _GATES, Param("gate", 1, "place of the forget gate", low=0)),
        _VECTOR,
        Paper("Gers, Schmidhuber, Cummins", 2000, "Learning to Forget"),
        forget_bias,
        activations=("sigmoid",),
    ),
    Method(
        "chrono",
        "recurrent",
        "Forget and input biases for memories up to T steps.",
        (
            Param("longest", 100.0, "longest memory T in steps", low=2.0),
            _GATES,
            Param("forget", 1, "place of the forget gate", low=0),
            Param("into", 0, "place of the input gate", low=0),
        ),
        _VECTOR,
        Paper("Tallec, Ollivier", 2018, "Can recurrent neural networks warp time?", "1804.11188"),
        chrono,
        activations=("sigmoid",),
    ),
    Method(
        "s4d",
        "recurrent",
        "Eigenvalues of diagonal state-space layers.",
        (Param("variant", "real", "which parameter", choices=("real", "lin_imag", "lin_real")),),
        EVERYTHING,
        Paper(
            "Gu, Gupta, Goel, Re",
            2022,
            "On the Parameterization of Diagonal State Space Models",
            "2206.11893",
        ),
        s4d,
        aliases=("s4d_real", "mamba"),
    ),
    Method(
        "ssm_step",
        "recurrent",
        "Step sizes of state-space layers, log-uniform.",
        (
            Param("low", 1e-3, "smallest step", low=1e-12),
            Param("high", 0.1, "largest step", low=1e-12),
            Param("floor", 1e-4, "no step below", low=0.0),
            Param("scale", 1.0, "factor on the bound of the weight", low=0.0),
        ),
        ("linear", "vector"),
        Paper("Gu, Dao", 2023, "Mamba", "2312.00752"),
        ssm_step,
        aliases=("mamba_dt",),
        activations=("softplus",),
    ),
)
