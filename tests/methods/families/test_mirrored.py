from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.theory.layer import Layer


def stack(f, depth, width=20, **params):
    """A plain net of mirrored layers, as a function of x."""
    first = made("mirrored", Layer("linear", (2 * width, width)), position="first")
    last = made("mirrored", Layer("linear", (width, 2 * width)), position="last", **params)
    hidden = [
        made("mirrored", Layer("linear", (2 * width, 2 * width)), seed, **params) for seed in range(depth)
    ]

    def net(x):
        h = x @ first.T
        for weight in hidden:
            h = f(h) @ weight.T
        return f(h) @ last.T

    return net


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (F.relu, None),
        (F.gelu, None),
        (F.silu, None),
        (F.hardswish, None),
        (lambda x: F.leaky_relu(x, 0.2), 0.2),
    ],
)
def test_a_deep_net_is_linear_and_isometric(f, slope):
    net = stack(f, 40, a=slope)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 20, generator=generator), torch.randn(8, 20, generator=generator)
    assert torch.allclose(net(x).norm(dim=1), x.norm(dim=1), rtol=1e-4)
    assert torch.allclose(net(x - 3 * y), net(x) - 3 * net(y), atol=1e-3)


def test_convolutions_are_isometric_at_the_centre_tap():
    weight = made("mirrored", Layer("conv", (12, 12, 3, 3)))
    h = torch.randn(2, 6, 8, 8, generator=torch.Generator().manual_seed(0))
    z = F.conv2d(F.relu(torch.cat([h, -h], 1)), weight, padding=1)
    assert torch.allclose(z[:, :6], -z[:, 6:], atol=1e-6)
    assert torch.allclose(z[:, :6].flatten(1).norm(dim=1), h.flatten(1).norm(dim=1), rtol=1e-5)


@pytest.mark.parametrize("scale", ["forward", "backward"])
@pytest.mark.parametrize("taps", ["centre", "all"])
def test_rectangular_layers_can_keep_the_mean_square(scale, taps):
    layer = Layer("conv", (8, 24, 3, 3))
    weight = made("mirrored", layer, scale=scale, taps=taps)[:4, :12]
    inside = 9 if taps == "all" else 1
    fan = 12 * inside if scale == "forward" else 4 * inside
    energy = weight.square().sum().item() / (4 * 12 * inside)
    assert energy == pytest.approx(1 / fan, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "params", "what"),
    [
        ((7, 8), {}, "7 outputs"),
        ((8, 7), {}, "7 inputs"),
        ((7, 3), {"position": "first"}, "7 outputs"),
        ((3, 7), {"position": "last"}, "7 inputs"),
    ],
)
def test_odd_widths_are_refused(shape, params, what):
    with pytest.raises(LayerError, match=what) as refused:
        find("mirrored")(Layer("linear", shape), **params)
    assert refused.value.remedy == "use scaled_orthogonal"


def test_groups_pass_on_a_linear_map():
    """Dense, 4 groups, 2 groups, dense, with ReLU between: the net of half the units, in which nothing bends."""
    shapes = [
        (Layer("conv", (16, 8, 1, 1)), {"position": "first", "parts_out": 4}),
        (Layer("conv", (16, 4, 3, 3), groups=4), {}),
        (Layer("conv", (16, 8, 1, 1), groups=2), {"parts_in": 2, "parts_out": 1}),
        (Layer("conv", (8, 16, 1, 1)), {"position": "last", "parts_in": 2}),
    ]
    weights = [made("mirrored", layer, seed, **params) for seed, (layer, params) in enumerate(shapes)]

    def net(x):
        for (layer, _), weight in zip(shapes, weights, strict=True):
            x = F.conv2d(x if weight is weights[0] else x.relu(), weight, groups=layer.groups, padding="same")
        return x

    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 8, 5, 5, generator=generator), torch.randn(2, 8, 5, 5, generator=generator)
    torch.testing.assert_close(net(x - 3 * y), net(x) - 3 * net(y), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(net(x).square().sum(), x.square().sum(), rtol=1e-4, atol=0)


def test_parts_that_cannot_be_halved_are_refused():
    with pytest.raises(LayerError, match="4 even parts of its outputs"):
        find("mirrored")(Layer("linear", (12, 8)), parts_out=4)
    with pytest.raises(LayerError, match="one group"):
        find("risotto")(Layer("conv", (8, 4, 3), groups=2), part="last", alpha=0.5)


def test_risotto_blocks_are_isometric_at_any_depth():
    width = 10
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(5, width, generator=generator)
    state, layer = F.relu(torch.cat([h, -h], 1)), Layer("linear", (2 * width, 2 * width))
    for depth in range(30):
        first = made("risotto", layer, part="first")
        last = made("risotto", layer, depth, part="last", alpha=0.5)
        z = state + 0.5 * F.relu(state @ first.T) @ last.T
        assert torch.allclose(z[:, :width], -z[:, width:], atol=1e-4)
        state = F.relu(z)
    assert torch.allclose(z[:, :width].norm(dim=1), h.norm(dim=1), rtol=1e-4)


def test_risotto_blocks_with_a_projection_are_isometric():
    h = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    state = F.relu(torch.cat([h, -h], 1))
    skip = made("risotto", Layer("linear", (20, 12)), part="skip")
    first = made("risotto", Layer("linear", (12, 12)), part="first")
    last = made("risotto", Layer("linear", (20, 12)), part="last_projected")
    z = state @ skip.T + F.relu(state @ first.T) @ last.T
    assert torch.allclose(z[:, :10].norm(dim=1), h.norm(dim=1), rtol=1e-5)
    assert torch.allclose(z[:, :10], -z[:, 10:], atol=1e-5)


def test_isometric_taps_keep_every_frequency():
    """With circular padding the paired convolution maps (h, -h) to (g, -g), |g| = |h|; its taps are all at work."""
    weight = made("mirrored", Layer("conv", (16, 16, 3, 3)), taps="isometric")
    half = torch.randn(4, 8, 6, 6)
    half = half.double()
    weight = weight.double()
    x = torch.cat([half, -half], 1).relu()
    out = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), weight)
    torch.testing.assert_close(out[:, :8], -out[:, 8:])
    torch.testing.assert_close(out[:, :8].square().sum(), half.square().sum(), rtol=1e-4, atol=0)
    assert bool((weight.square().sum((0, 1)) > 0).all())
