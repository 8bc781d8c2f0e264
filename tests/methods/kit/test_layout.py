from __future__ import annotations

import torch
from torch import nn

from initium.methods.kit.layout import canonical, drawn, per_unit, tap, times_units, to_weight
from initium.methods.kit.module_layer import layer_of
from initium.random.distributions import Constant, Normal
from initium.random.key import key_for
from initium.theory.layer import Layer


def test_canonical_sizes():
    assert canonical(layer_of(nn.Conv2d(8, 12, 3, groups=4))).shape == (4, 3, 2, 3, 3)
    assert canonical(layer_of(nn.ConvTranspose1d(8, 12, 3, groups=4))).shape == (4, 3, 2, 3)
    assert canonical(Layer("linear", (5, 3), out_axis=1, in_axis=0)).shape == (1, 3, 5)
    assert canonical(Layer("linear", (7, 5, 3), out_axis=1, in_axis=2)).shape == (7, 5, 3)


def test_group_g_maps_its_own_channels():
    """Canonical element (g, o, i) is the weight from input i to output o of group g."""
    for make in (
        lambda: nn.Conv1d(6, 9, 1, groups=3, bias=False),
        lambda: nn.ConvTranspose1d(6, 9, 1, groups=3, bias=False),
    ):
        module = make()
        layer = layer_of(module)
        plain = torch.arange(18.0).reshape(canonical(layer).shape)
        module.weight.data = to_weight(plain, layer).clone()
        x = torch.eye(6)[:, :, None]
        response = module(x)[:, :, 0].T  # (out, in)
        for group in range(3):
            block = response[3 * group : 3 * group + 3, 2 * group : 2 * group + 2]
            assert torch.equal(block, plain[group, :, :, 0])


def test_linear_weights_of_any_axis_order():
    for out_axis, in_axis, shape in ((1, 0, (5, 3)), (2, 1, (4, 5, 3)), (0, 2, (3, 4, 5))):
        layer = Layer("linear", shape, out_axis=out_axis, in_axis=in_axis)
        plain = torch.randn(canonical(layer).shape, generator=torch.Generator().manual_seed(0))
        back = to_weight(plain, layer).movedim((out_axis, in_axis), (-2, -1)).reshape(plain.shape)
        assert torch.equal(back, plain)


def test_centre_taps():
    assert canonical(layer_of(nn.Conv2d(1, 1, (3, 4)))).centre == (1, 1)
    weight = torch.arange(18.0).reshape(1, 1, 2, 3, 3)
    assert tap(weight, (1, 1)).tolist() == [[[4.0, 13.0]]]


def test_drawn_makes_a_new_tensor():
    assert drawn((2, 3), Constant(1.5), key_for(0, "a")).tolist() == [[1.5] * 3] * 2
    assert drawn((2, 3), Normal(0, 1), key_for(0, "a")).dtype == torch.float32


def test_factors_of_units_multiply_outputs():
    """Output channel i of every kind of layer is multiplied by factor i."""
    for make, size in (
        (lambda: nn.Linear(6, 4, bias=False), (5, 6)),
        (lambda: nn.Conv2d(6, 4, 3, groups=2, bias=False), (2, 6, 7, 7)),
        (lambda: nn.ConvTranspose2d(6, 4, 3, stride=2, bias=False), (2, 6, 7, 7)),
        (lambda: nn.ConvTranspose1d(6, 4, 3, groups=2, bias=False), (2, 6, 7)),
    ):
        module, factors = make(), torch.tensor([1.0, 2.0, -3.0, 0.5])
        x = torch.randn(size, generator=torch.Generator().manual_seed(0))
        before = module(x)
        module.weight.data *= per_unit(layer_of(module), factors)
        axis = 1 if len(size) > 2 else -1
        scaled = (before.movedim(axis, -1) * factors).movedim(-1, axis)
        torch.testing.assert_close(module(x), scaled)


def test_a_draw_times_units_is_the_draw_times_units():
    layer, key = Layer("conv", (3, 2, 3)), key_for(0, "units")
    plain = drawn(layer.shape, Normal(0.0, 1.0), key)
    scaled = drawn(layer.shape, times_units(Normal(0.0, 1.0), layer, (1.0, 2.0, 4.0)), key)
    assert torch.equal(scaled, plain * torch.tensor([1.0, 2.0, 4.0]).reshape(3, 1, 1))
