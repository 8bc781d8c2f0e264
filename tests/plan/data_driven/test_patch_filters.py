from __future__ import annotations

import pytest
import torch
from tests.nets import noise
from torch import nn

from initium.methods.kit.module_layer import layer_of
from initium.plan.data_driven.patch_filters import filters, make_filters, patches
from initium.random import key_for
from initium.theory.layer import Layer

KEY = key_for(0, "filters")


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv1d(4, 6, 5, stride=2, padding=1, bias=False),
        lambda: nn.Conv2d(4, 6, 3, padding=1, dilation=2, groups=2, bias=False),
        lambda: nn.Conv3d(4, 6, 2, stride=(1, 2, 1), bias=False),
        lambda: nn.Linear(9, 6, bias=False),
    ],
)
def test_patches_times_filters_are_the_layers_outputs(make):
    module = make()
    layer = layer_of(module)
    x = noise(3, 9) if layer.kind == "linear" else noise(3, 4, *[9] * len(layer.kernel))
    seen = patches(x, layer)
    weight = module.weight.detach().reshape(layer.groups, -1, seen.shape[2])
    out = torch.einsum("gsd,god->sgo", seen, weight).flatten(1)
    plain = module(x).movedim(1, -1).reshape(len(out), -1)
    torch.testing.assert_close(out, plain.detach())


def test_many_patches_are_thinned_out():
    layer = layer_of(nn.Conv2d(1, 4, 3, padding=1))
    assert patches(noise(2, 1, 128, 128), layer).shape[1] <= 8192


def test_principal_filters_make_uncorrelated_outputs_of_unit_variance():
    mix = noise(12, 12, seed=1)
    samples = noise(4000, 12) @ mix + 3
    rows = filters(samples, 5, "pca", KEY)
    out = (samples - samples.mean(0)) @ rows.T
    torch.testing.assert_close(out.T @ out / len(out), torch.eye(5), atol=1e-3, rtol=0)
    leading = torch.linalg.eigh(torch.cov(samples.T)).eigenvectors[:, -5:]
    shares = torch.linalg.norm(rows @ leading, dim=1) / rows.norm(dim=1)
    torch.testing.assert_close(shares, torch.ones(5), atol=1e-4, rtol=0)


def test_surplus_units_mix_the_directions():
    rows = filters(noise(500, 4), 7, "pca", KEY)
    assert rows.shape == (7, 4)
    assert torch.linalg.matrix_rank(rows) == 4
    assert len(torch.unique(rows, dim=0)) == 7


def test_centroids_find_the_clusters():
    """Four far-off groups of directions: after whitening each centroid points at one of them."""
    centres = torch.tensor([[6.0, 0, 0], [0, 6, 0], [0, 0, 6], [-6, -6, -6]])
    samples = centres.repeat(200, 1) + 0.3 * noise(800, 3)
    rows = filters(samples, 12, "kmeans", KEY)
    response = (samples - samples.mean(0)) @ rows.T
    assert set(response.argmax(0).remainder(4).tolist()) == {0, 1, 2, 3}


def test_what_data_do_not_allow_is_left_alone():
    layer = Layer("linear", (6, 9))
    assert make_filters(noise(5, 9), layer, "pca", KEY) is None  # fewer samples than units
    assert make_filters(noise(50, 9) * float("inf"), layer, "pca", KEY) is None
    assert make_filters(noise(50, 4000), Layer("linear", (6, 4000)), "pca", KEY) is None
    transposed = layer_of(nn.ConvTranspose2d(4, 6, 3))
    assert make_filters(noise(5, 4, 8, 8), transposed, "pca", KEY) is None
    assert make_filters(noise(50, 9), layer, "pca", KEY).shape == (6, 9)
