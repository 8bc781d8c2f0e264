from __future__ import annotations

import math

import pytest
import torch
from tests.nets import noise
from torch.nn import functional as F

from initium.theory.fans import fans
from initium.theory.layer import Layer
from initium.theory.profiles import blended, passed_mean, raised, through

CASES = [
    Layer("conv", (4, 4, 3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1), input_size=(7, 9)),
    Layer("conv", (4, 4, 5, 3), stride=(2, 1), padding=(2, 0), dilation=(1, 2), input_size=(8, 9)),
    Layer(
        "conv_transpose", (4, 4, 3, 3), out_axis=1, in_axis=0, stride=(2, 2), padding=(1, 1), dilation=(1, 1),
        output_padding=(1, 0), input_size=(4, 5),
    ),
]  # fmt: skip


def convolved(layer: Layer, power: torch.Tensor) -> torch.Tensor:
    """Powers of an output of independent weights: a convolution of the powers with ones."""
    ones = torch.ones(1, 1, *layer.kernel, dtype=torch.float64)
    options = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    if layer.transposed:
        return F.conv_transpose2d(power[None, None], ones, output_padding=layer.output_padding, **options)[
            0, 0
        ]
    return F.conv2d(power[None, None], ones, **options)[0, 0]


@pytest.mark.parametrize("layer", CASES)
def test_a_profile_goes_through_as_powers_do(layer):
    rows = [
        torch.linspace(1.0, 2.0 + axis, size, dtype=torch.float64)
        for axis, size in enumerate(layer.input_size)
    ]
    profile = tuple(tuple((row / row.mean()).tolist()) for row in rows)
    power = torch.outer(*(row / row.mean() for row in rows))
    out = convolved(layer, power)
    factor, found = through(layer, profile)
    taps = fans(layer).fan_in / (layer.num_in / layer.groups)
    assert factor * taps == pytest.approx(float(out.mean()), rel=1e-9)
    assert torch.outer(*map(torch.tensor, found)).numpy() == pytest.approx(
        (out / out.mean()).numpy(), rel=1e-6
    )


@pytest.mark.parametrize("layer", CASES)
def test_backward_is_the_transpose(layer):
    power = torch.ones(*layer.input_size, dtype=torch.float64, requires_grad=True)
    out = convolved(layer, power)
    given = torch.rand(out.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = given.mean(1), given.mean(0)
    profile = tuple(tuple((row / row.mean()).tolist()) for row in rows)
    weight = torch.outer(*(row / row.mean() for row in rows))
    (out * weight).sum().backward()
    factor, found = through(layer, profile, backward=True)
    taps = fans(layer).fan_out / (layer.num_out / layer.groups)
    back = power.grad
    assert factor * taps == pytest.approx(float(back.mean()), rel=1e-9)
    assert torch.outer(*map(torch.tensor, found)).numpy() == pytest.approx(
        (back / back.mean()).numpy(), rel=1e-6, abs=1e-9
    )


def test_powers_of_a_profile_keep_its_mean():
    once = raised(((0.5, 1.5),), 2.0)
    assert once[0] == pytest.approx((0.2, 1.8))
    assert math.fsum(raised(((0.5, 1.0, 1.5),), 0.0)[0]) == pytest.approx(3.0)


def test_sums_blend_and_maps_of_other_sizes_do_not():
    assert blended([((0.5, 1.5),), ((1.0, 1.0),)], [1.0, 3.0])[0] == pytest.approx((0.875, 1.125))
    assert blended([((0.5, 1.5),), ()], [1.0, 1.0]) == ()


@pytest.mark.parametrize(("row", "tap"), [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_what_is_left_of_an_even_input_at_borders(row, tap):
    """Shares of the mean that are left over rows, and over taps; 64 x 63 outputs, deviations within 4 in a hundred."""
    weight = noise(64, 64, 3, 3, seed=3).double()
    whole = weight.mean((1, 2, 3), keepdim=True)
    taps = weight.mean(1, keepdim=True) - whole
    weight = weight - (1 - tap) * taps - (1 - row) * whole
    out = F.conv2d(torch.ones(1, 64, 7, 9, dtype=torch.float64), weight, padding=1)
    ones = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    covered = F.conv2d(torch.ones(1, 1, 7, 9, dtype=torch.float64), ones, padding=1).mean()
    at_taps = tap**2 * 8 / 9 + row**2 / 9
    expected = float(covered) * 64 * passed_mean(CASES[0], row**2, 1.0 if tap == 1.0 else at_taps)
    assert float(out.square().mean()) == pytest.approx(expected, rel=0.15, abs=1e-9)
