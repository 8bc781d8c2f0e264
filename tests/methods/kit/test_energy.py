"""The effect of a weight against sums over every tap that a real convolution uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from initium.methods.kit.energy import Effect, Energy, effect_of, positions
from initium.theory.layer import Layer

LAYERS = [
    Layer("conv", (6, 4, 3), input_size=(11,)),
    Layer("conv", (6, 4, 3, 3), stride=(2, 2), padding=(1, 1), input_size=(9, 12)),
    Layer("conv", (6, 2, 3, 5), groups=2, dilation=(2, 1), padding=(1, 2), input_size=(10, 7)),
    Layer("conv", (8, 1, 5, 5), groups=8, stride=(1, 3), input_size=(8, 11)),
    Layer("conv_transpose", (4, 6, 4, 4), 1, 0, stride=(2, 2), padding=(1, 1), input_size=(5, 6)),
    Layer(
        "conv_transpose", (4, 3, 3, 3), 1, 0, groups=2, stride=(2, 3), output_padding=(1, 2), input_size=(6, 5)
    ),
    Layer("conv_transpose", (4, 6, 3, 3), 1, 0, stride=(2, 2), dilation=(2, 2), input_size=(5, 5)),
]  # fmt: skip


def applied(layer: Layer, x: Tensor, weight: Tensor) -> Tensor:
    """The layer by torch's own functions."""
    rank = len(layer.kernel)
    one, none = (1,) * rank, (0,) * rank
    options = {"stride": layer.stride or one, "dilation": layer.dilation or one, "groups": layer.groups}
    padding = layer.padding or none
    if layer.transposed:
        convolve = (F.conv_transpose1d, F.conv_transpose2d)[rank - 1]
        extra = layer.output_padding or none
        return convolve(x, weight, padding=padding, output_padding=extra, **options)
    return (F.conv1d, F.conv2d)[rank - 1](x, weight, padding=padding, **options)


def exact(layer: Layer, squares: Tensor) -> Effect:
    """Mean over outputs of the squares that add up in one, and the same of the gradient of one input.

    For independent values of mean 0 and variance 1 this is what the mean square of the outputs, or of the gradients,
    is on average.
    """
    x = torch.ones(1, layer.num_in, *layer.input_size, dtype=torch.float64, requires_grad=True)
    z = applied(layer, x, squares)
    (back,) = torch.autograd.grad(z.sum(), x)
    return Effect(z.mean().item(), back.mean().item())


def close(found: Effect | None, expected: Effect) -> bool:
    assert found is not None
    return (found.forward, found.backward) == pytest.approx((expected.forward, expected.backward), rel=1e-9)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_positions_are_those_of_torch(layer):
    z = applied(layer, torch.zeros(1, layer.num_in, *layer.input_size), torch.zeros(layer.shape))
    assert positions(layer) == pytest.approx(z[0, 0].numel() / torch.Size(layer.input_size).numel())


def test_without_a_size_positions_are_those_of_the_stride():
    assert positions(Layer("conv", (4, 4, 3, 3), stride=(2, 3))) == pytest.approx(1 / 6)
    assert positions(Layer("conv_transpose", (4, 4, 3, 3), 1, 0, stride=(2, 3))) == pytest.approx(6)
    assert positions(Layer("linear", (4, 4))) == 1.0


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_an_even_weight_is_counted_exactly_with_its_padding(layer):
    squares = torch.full(layer.shape, 0.3, dtype=torch.float64)
    assert close(effect_of(Energy(even=squares.sum().item()), layer), exact(layer, squares))


@pytest.mark.parametrize("layer", [LAYERS[1], replace(LAYERS[2], stride=(1, 1))], ids=str)
def test_the_centre_tap_is_counted_exactly(layer):
    """Padding never cuts a centre tap off where it is half the kernel; then every output reads it once."""
    spread = zip(layer.kernel, layer.dilation or (1, 1), strict=True)
    layer = replace(layer, padding=tuple((side - 1) // 2 * step for side, step in spread))
    squares = torch.zeros(layer.shape, dtype=torch.float64)
    squares[..., layer.kernel[0] // 2, layer.kernel[1] // 2] = torch.rand(
        layer.shape[:2], dtype=torch.float64
    )
    assert close(effect_of(Energy(centre=squares.sum().item()), layer), exact(layer, squares))


@pytest.mark.parametrize("layer", [one for one in LAYERS if not any(one.padding)], ids=str)
def test_any_weight_is_counted_exactly_without_padding(layer):
    squares = torch.rand(layer.shape, dtype=torch.float64)
    assert close(effect_of(Energy(uneven=squares.sum().item()), layer), exact(layer, squares))


def test_a_linear_weight_and_a_stack_of_experts():
    """|W|^2 / out forward and |W|^2 / in backward, each map of a stack by its own share."""
    weight = torch.randn(5, 8, dtype=torch.float64)
    energy = weight.square().sum().item()
    both = Effect(energy / 5, energy / 8)
    for where in ("centre", "even", "uneven"):
        assert close(effect_of(Energy(**{where: energy}), Layer("linear", (5, 8))), both)
        stack = Layer("linear", (3, 8, 5), out_axis=2, in_axis=1)
        assert close(effect_of(Energy(**{where: 3 * energy}), stack), both)


def test_parts_of_an_energy_add_up():
    assert Energy(1, 2, 3) + Energy(0.5, 0.25, 0.125) == Energy(1.5, 2.25, 3.125)
    layer = LAYERS[1]
    parts = [effect_of(one, layer) for one in (Energy(centre=2.0), Energy(even=3.0), Energy(2.0, 3.0))]
    assert all(parts)
    assert parts[0].forward + parts[1].forward == pytest.approx(parts[2].forward)
    assert parts[0].backward + parts[1].backward == pytest.approx(parts[2].backward)


def test_where_the_energy_does_not_tell_there_is_no_effect():
    assert effect_of(Energy(uneven=1.0), LAYERS[1]) is None  # padding cuts taps off, unevenly
    assert effect_of(Energy(even=1.0), Layer("embedding", (5, 8))) is None
    assert effect_of(Energy(even=1.0), Layer("linear", (0, 8))) is None
