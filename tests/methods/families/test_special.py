from __future__ import annotations

import math

import pytest
import torch
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.theory.layer import Layer


def test_siren_has_the_same_distribution_at_every_depth():
    x = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    x = torch.sin(30 * x @ made("siren", Layer("linear", (256, 2)), first=True).T)
    for seed in range(8):
        z = 30 * x @ made("siren", Layer("linear", (256, 256)), seed).T
        x = torch.sin(z)
        if seed > 1:  # the fixed point of q = 1 - exp(-2 q)
            assert z.square().mean().item() == pytest.approx(0.797, rel=0.1)
            assert x.square().mean().item() == pytest.approx(0.797 / 2, rel=0.1)


@pytest.mark.parametrize("shared", [False, True])
def test_hyperfan_gives_generated_weights_their_variance(shared):
    hidden, fan = 64, 50
    h = made(
        "hyperfan",
        Layer("linear", (40 * fan, hidden)),
        target_fan=fan,
        gain=2.0,
        input_var=0.25,
        shared=shared,
    )
    e = 0.5 * torch.randn(200, hidden, generator=torch.Generator().manual_seed(0))
    generated = e @ h.T
    assert generated.var().item() * fan == pytest.approx(4.0 / (2 if shared else 1), rel=0.1)
    bias = find("hyperfan")(Layer("linear", (40, hidden)), generates="bias")
    assert bias.high**2 / 3 == pytest.approx(1 / (2 * hidden))


def test_complex_weights_have_rayleigh_moduli():
    layer = Layer("linear", (300, 200))
    real, imaginary = made("complex_normal", layer, 0), made("complex_normal", layer, 1)
    modulus = torch.hypot(real, imaginary).flatten().sort()[0].double()
    sigma2 = 1 / 500
    cdf = 1 - torch.exp(-modulus.square() / (2 * sigma2))
    n = len(cdf)
    assert (cdf - (torch.arange(n) + 0.5) / n).abs().max() < 2.5 / math.sqrt(n)
    assert find("complex_normal")(layer, criterion="he").std ** 2 == pytest.approx(1 / 200)


def test_quaternion_weights_have_the_variance_of_glorot_in_all():
    layer = Layer("linear", (300, 200))
    parts = torch.stack([made("quaternion_normal", layer, seed) for seed in range(4)])
    assert parts.square().sum(0).mean().item() == pytest.approx(2 / 500, rel=0.02)
    assert find("quaternion_normal")(layer, criterion="he").std ** 2 == pytest.approx(1 / 400)


def test_equivariant_coefficients():
    assert find("equivariant_he")(Layer("vector", (9,)), num_inputs=4, num_basis=9).std == pytest.approx(
        1 / 6
    )


def test_nguyen_widrow_tiles_the_cube():
    weight = made("nguyen_widrow", Layer("linear", (50, 3)))
    norm = 0.7 * 50 ** (1 / 3)
    assert torch.allclose(weight.norm(dim=1), torch.full((50,), norm), rtol=1e-5)
    bias = find("nguyen_widrow")(Layer("vector", (50,)), num_inputs=3)
    assert (bias.low, bias.high) == pytest.approx((-norm, norm))
    with pytest.raises(LayerError, match="num_inputs"):
        find("nguyen_widrow")(Layer("vector", (50,)))


@pytest.mark.parametrize("shape", [(64, 64), (20, 64), (150, 64), (1, 1), (7, 3)])
def test_distinct_waves_have_full_rank_and_variance(shape):
    weight = made("sinusoidal", Layer("linear", shape)).double()
    assert torch.linalg.matrix_rank(weight) == min(shape)
    assert (weight.norm(dim=1) > 0).all()
    assert weight.square().mean().item() * sum(shape) / 2 == pytest.approx(1, rel=1e-5)


def test_the_waves_of_different_groups_differ():
    weight = made("sinusoidal", Layer("conv", (64, 1, 3, 3), groups=64)).flatten(1).double()
    assert torch.linalg.matrix_rank(weight) == 9
    assert weight.unique(dim=0).shape[0] == 64


def test_fourier_features_are_plain_normals():
    assert find("fourier_features")(Layer("linear", (128, 2)), sigma=5.0).std == 5.0
