from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.theory.layer import Layer


@given(
    out=st.integers(1, 9), num_in=st.integers(1, 9), side=st.integers(1, 3), groups=st.integers(1, 3),
    transposed=st.booleans(),
)  # fmt: skip
def test_each_group_is_semi_orthogonal(out, num_in, side, groups, transposed):
    shape = (groups * num_in, out, side) if transposed else (groups * out, num_in, side)
    axes = {"out_axis": 1, "in_axis": 0} if transposed else {}
    layer = Layer("conv_transpose" if transposed else "conv", shape, groups=groups, **axes)
    weight = made("orthogonal", layer, gain=1.5).reshape(groups, shape[0] // groups, -1).double()
    gram = weight @ weight.mT if weight.shape[1] <= weight.shape[2] else weight.mT @ weight
    assert torch.allclose(gram, 2.25 * torch.eye(gram.shape[-1]).double().expand_as(gram), atol=1e-5)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_experts_are_matrices_of_their_own(axes):
    layer = Layer("linear", (4, 6, 6), out_axis=1 + axes[0], in_axis=1 + axes[1])
    weight = made("orthogonal", layer)
    assert torch.allclose(weight @ weight.mT, torch.eye(6).expand(4, 6, 6), atol=1e-5)
    last = made("orthogonal", Layer("linear", (6, 6, 4), out_axis=0, in_axis=1)).permute(2, 0, 1)
    assert torch.allclose(last @ last.mT, torch.eye(6).expand(4, 6, 6), atol=1e-5)


def circular(weight, x, groups=1):
    rank = weight.dim() - 2
    pads = [p for side in reversed(weight.shape[2:]) for p in ((side - 1) // 2, side // 2)]
    convolve = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    return convolve(F.pad(x, pads, mode="circular"), weight, groups=groups)


@pytest.mark.parametrize("method", ["conv_orthogonal", "delta_orthogonal"])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((6, 6, 3), 1), ((8, 5, 3, 3), 1), ((8, 2, 3, 5), 4), ((4, 4, 4, 4), 1), ((4, 3, 3, 3, 3), 1)],
)
def test_a_convolution_is_an_isometry(method, shape, groups):
    weight = made(method, Layer("conv", shape, groups=groups), gain=0.7)
    x = torch.randn(2, shape[1] * groups, *[7] * (len(shape) - 2), generator=torch.Generator().manual_seed(0))
    y = circular(weight, x, groups)
    assert torch.allclose(y.flatten(1).norm(dim=1), 0.7 * x.flatten(1).norm(dim=1), rtol=1e-5)


def test_conv_orthogonal_uses_every_tap_and_delta_one():
    layer = Layer("conv", (12, 12, 3, 3))
    taps = made("conv_orthogonal", layer).square().sum((0, 1))
    assert taps.min() > 0.01
    assert (made("delta_orthogonal", layer).square().sum((0, 1)) > 0).sum() == 1


@pytest.mark.parametrize("method", ["conv_orthogonal", "delta_orthogonal"])
def test_fewer_outputs_than_inputs_are_refused(method):
    with pytest.raises(LayerError, match="at least as many outputs") as refused:
        find(method)(Layer("conv", (4, 6, 3)))
    assert refused.value.remedy == "use scaled_orthogonal"
    with pytest.raises(LayerError, match=r"use orthogonal|use scaled_orthogonal"):
        find(method)(Layer("linear", (6, 4)))
