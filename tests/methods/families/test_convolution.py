from __future__ import annotations

import math

import pytest
import torch
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.methods.families.convolution import filter_covariance
from initium.theory.layer import Layer

DEPTHWISE = Layer("conv", (4000, 1, 7, 7), groups=4000)


@pytest.mark.parametrize("shape", [(12, 8, 3), (12, 30, 3, 3), (6, 5, 4, 5), (4, 3, 3, 3, 3)])
def test_conv_aware_has_its_variance_exactly_and_filters_that_differ(shape):
    weight = made("conv_aware", Layer("conv", shape))
    assert weight.var(correction=0).item() * math.prod(shape[1:]) == pytest.approx(2, rel=1e-4)
    rank = torch.linalg.matrix_rank(weight.flatten(1).double())
    assert rank == min(shape[0], math.prod(shape[1:]))


@pytest.mark.parametrize("num_in", [6, 9, 20])
def test_conv_aware_filters_are_orthogonal_as_spectra(num_in):
    weight = made("conv_aware", Layer("conv", (5, num_in, 3, 3)), noise=0.0)
    for start in range(0, num_in, 9):  # as many as there are taps
        spectra = torch.fft.fft2(weight[:, start : start + 9]).flatten(2)
        gram = spectra @ spectra.mH
        wanted = gram[0, 0, 0].real * torch.eye(gram.shape[1])
        assert torch.allclose(gram, wanted.to(gram.dtype).expand_as(gram), atol=1e-4)


def test_published_conv_aware_filters_are_point_symmetric():
    weight = made("conv_aware", Layer("conv", (5, 6, 3, 3)), noise=0.0, spectrum="half")
    turned = weight.flip(2, 3).roll((1, 1), (2, 3))
    assert torch.allclose(weight, turned, atol=1e-5)


def test_conv_covariance_has_its_covariance():
    weight = made("conv_covariance", DEPTHWISE, sigma=0.3).reshape(4000, 49).double()
    values, vectors = torch.linalg.eigh(filter_covariance((7, 7), 0.3))
    wanted = (vectors * values.clamp_min(0)) @ vectors.T
    wanted = wanted * 49 / wanted.trace() / 49
    found = weight.T @ weight / 4000
    scale = wanted.diagonal().sqrt()
    assert ((found - wanted).abs() < 5 * math.sqrt(2 / 4000) * torch.outer(scale, scale) + 1e-4).all()
    assert weight.square().mean().item() * 49 == pytest.approx(1, rel=0.05)


def test_conv_covariance_is_centred_and_widens_with_sigma():
    early, late = (made("conv_covariance", DEPTHWISE, sigma=s).square().mean((0, 1)) for s in (0.12, 0.5))
    assert early[3, 3] == early.max()
    assert early[0, 0] / early[3, 3] < 1e-2 < late[0, 0] / late[3, 3]


def test_impulses_are_single_taps_and_boxes_are_boxes():
    impulse = made("impulse_filter", DEPTHWISE)
    assert (impulse.flatten(1).count_nonzero(dim=1) == 1).all()
    assert torch.allclose(impulse.flatten(1).sum(1), torch.full((4000,), math.sqrt(1 / 3)))
    counts = (impulse[:, 0] > 0).sum(0).double()
    chi2 = ((counts - 4000 / 49) ** 2 / (4000 / 49)).sum().item()
    assert chi2 < 48 + 5 * math.sqrt(96)
    box = made("impulse_filter", DEPTHWISE, shape="box", box=3)
    assert (box.flatten(1).count_nonzero(dim=1) == 9).all()
    assert torch.allclose(box.flatten(1).sum(1), torch.full((4000,), math.sqrt(1 / 3)))


def test_a_box_is_no_wider_than_its_kernel():
    box = made("impulse_filter", DEPTHWISE, shape="box", box=9)
    assert torch.allclose(box, torch.full_like(box, math.sqrt(1 / 3) / 49))


@pytest.mark.parametrize("name", ["conv_covariance", "impulse_filter"])
def test_dense_and_pointwise_kernels_are_refused(name):
    for layer in (Layer("conv", (8, 8, 3, 3)), Layer("conv", (8, 1, 1, 1), groups=8)):
        with pytest.raises(LayerError, match="depthwise kernel"):
            find(name)(layer)
