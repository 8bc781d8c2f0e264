from __future__ import annotations

import pytest
import torch
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.methods.families.upsampling import triangle
from initium.theory.layer import Layer


def test_icnr_repeats_each_kernel():
    weight = made("icnr", Layer("conv", (24, 6, 3, 3)), factor=2)
    kernels = weight.reshape(6, 4, 6, 3, 3)
    assert (kernels == kernels[:, :1]).all()
    assert not torch.equal(kernels[0], kernels[1])
    volume = made("icnr", Layer("conv", (16, 2, 3, 3, 3)), factor=2).reshape(2, 8, -1)
    assert (volume == volume[:, :1]).all()


def test_icnr_keeps_the_variance():
    weight = made("icnr", Layer("conv", (400, 16, 3, 3)))
    n = weight.numel() / 4
    assert weight.var().item() * 144 == pytest.approx(1, abs=5 * (2 / n) ** 0.5)


def test_indivisible_channels_are_refused():
    with pytest.raises(LayerError, match="divisible by 3\\^2 = 9") as refused:
        find("icnr")(Layer("conv", (24, 6, 3, 3)), factor=3)
    assert "he_normal" in refused.value.remedy


def test_triangles():
    assert triangle(4).tolist() == pytest.approx([0.25, 0.75, 0.75, 0.25])
    assert triangle(3).tolist() == pytest.approx([0.5, 1.0, 0.5])


def test_bilinear_goes_from_a_channel_to_itself():
    weight = made("bilinear", Layer("conv_transpose", (4, 4, 4, 4), out_axis=1, in_axis=0))
    assert weight[0, 1].abs().max() == 0
    assert weight[2, 2].sum().item() == pytest.approx(4.0)
    with pytest.raises(LayerError, match="icnr"):
        find("bilinear")(Layer("conv_transpose", (4, 6, 4, 4), out_axis=1, in_axis=0))
