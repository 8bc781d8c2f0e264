from __future__ import annotations

import math

import pytest
import torch
from tests.nets import Applied
from tests.theory.nets import logs, within
from torch import nn

from initium.errors import UsageError
from initium.methods.families.post_norm import deepnorm_scales
from initium.theory.gains import ACTIVATIONS, moments
from initium.theory.normed import growth
from initium.theory.streams import Stream, refill, scale_for, share_for

NORMS = ("none", "branch", "stream")


@pytest.mark.parametrize("blocks", [1, 7, 100])
@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_streams_have_their_closed_forms(blocks, scale):
    gain, added = 0.6, 0.6 * scale**2
    streams = {norm: Stream(blocks, scale, norm, gain=gain) for norm in NORMS}
    grown = (1 + added) ** blocks
    assert [streams[norm].signal for norm in NORMS] == pytest.approx([grown, 1 + blocks * added, 1.0])
    assert [streams[norm].gradient for norm in NORMS] == pytest.approx([grown, 1 + blocks * added, 1.0])
    assert [1 / streams[norm].kept for norm in NORMS] == pytest.approx([grown, 1 + blocks * added, grown])


@pytest.mark.parametrize("back", [0.2, 1.0, 1.467])
def test_gradients_of_normed_branches_are_a_ratio_of_gammas(back):
    """prod (l + A + c) / (l + A), A = 1 / (b^2 v) and c = chi / v, so they grow as L^c (Yang & Schoenholz 2017)."""
    blocks, scale, gain = 60, 0.5, 0.6
    start, power = 1 / (scale**2 * gain), back / gain
    logs_ = [math.lgamma(x) for x in (blocks + start + power, start, blocks + start, start + power)]
    found = Stream(blocks, scale, "branch", gain=gain, back=back).gradient
    assert math.log(found) == pytest.approx(logs_[0] + logs_[1] - logs_[2] - logs_[3])
    deep = [Stream(n, scale, "branch", gain=gain, back=back).gradient for n in (2000, 4000)]
    assert math.log2(deep[1] / deep[0]) == pytest.approx(power, abs=0.01)


def test_blends_keep_their_scale():
    """(x + F) / sqrt(2) with branches as loud as the stream: nothing grows, and half of the start is left a block."""
    for norm in NORMS:
        found = Stream(10, 0.5**0.5, norm, skip=0.5**0.5)
        assert (found.signal, found.gradient, found.kept) == pytest.approx((1.0, 1.0, 2.0**-10))


def test_branches_of_zero_leave_the_stream_as_it_is():
    for norm in NORMS:
        found = Stream(10_000, 0.0, norm)
        assert (found.signal, found.gradient, found.kept) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("blocks", [1, 12, 1000])
@pytest.mark.parametrize("wanted", [1.0, 1.1, 2.0, 50.0])
def test_the_scale_keeps_the_budget_and_uses_it(norm, blocks, wanted):
    found = Stream(blocks, scale_for(blocks, wanted, norm, gain=0.3), norm, gain=0.3)
    assert 1 / found.kept == pytest.approx(wanted)
    assert found.signal == pytest.approx(1.0 if norm == "stream" else wanted)


def test_one_over_the_root_of_depth_bounds_everything():
    """De & Smith 2020: with b^2 = 1 / L signals double with norms on the branches, and grow to less than e without."""
    for blocks in (2, 30, 5000):
        assert Stream(blocks, blocks**-0.5, "branch").signal == pytest.approx(2.0)
        assert 2.0 < Stream(blocks, blocks**-0.5).signal < math.e
    assert scale_for(5000, 2.0, "branch") == pytest.approx(5000**-0.5)


def test_deepnorm_keeps_what_comes_in():
    """alpha = (2N)^1/4 on the skip, weights times beta = (8N)^-1/4, two of them a branch: b^2 v = beta^4 / alpha^2."""
    for layers in (6, 100, 1000):
        alpha, beta = deepnorm_scales("single", layers, 0, "encoder")
        found = Stream(2 * layers, 1.0, "stream", skip=alpha, gain=beta**4)
        assert found.kept > 1 - 0.5 / math.sqrt(layers)
        assert found.gradient == pytest.approx(1.0)


def test_shares_add_up_and_leaks_are_filled():
    assert 40 * share_for(40, 0.5) == 0.5
    for held, kept, taken in ((1.0, 0.25, 0.25), (0.3, 0.9, 0.5)):
        assert kept * held + taken * refill(held, 0.01, kept=kept, taken=taken) == pytest.approx(1.0)
    assert refill(4.0, 0.01, kept=0.5, taken=0.5) == pytest.approx(0.08)


WIDTH, BLOCKS, NETS = 256, 12, 12


def perceptron(name: str) -> nn.Sequential:
    """Two weights of variance 1 / fan_in with a function between."""
    with torch.no_grad():
        layers = [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(2)]
        for layer in layers:
            nn.init.normal_(layer.weight, std=WIDTH**-0.5)
    return nn.Sequential(layers[0], Applied(ACTIVATIONS[name]), layers[1])


class Blocks(nn.Module):
    """x -> a x + b F(x) with the norms where they are asked for."""

    def __init__(self, name: str, norm: str, scale: float, skip: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(perceptron(name) for _ in range(BLOCKS))
        layer = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.before = layer if norm == "branch" else nn.Identity()
        self.after = layer if norm == "stream" else nn.Identity()
        self.scale, self.skip = scale, skip

    def forward(self, x):
        for branch in self.branches:
            x = self.after(self.skip * x + self.scale * branch(self.before(x)))
        return x


@pytest.mark.parametrize(
    ("name", "norm", "scale", "skip"),
    [
        ("relu", "none", 0.5, 1.0),
        ("relu", "none", 1.0, 0.7),
        ("relu", "branch", 1.0, 1.0),
        ("tanh", "branch", 0.6, 1.0),
        ("gelu", "branch", 0.8, 0.8),
        ("relu", "stream", 1.0, 1.0),
        ("tanh", "stream", 1.0, 1.0),
        ("gelu", "stream", 1.0, 1.5),
    ],
)
def test_real_nets_grow_as_predicted(name, norm, scale, skip):
    """Means of 12 nets within 4 of their standard errors, and 2 / n a weight for the finite width n."""
    at = moments(name, 1.0)
    stream = Stream(BLOCKS, scale, norm, skip, at.s, at.d)
    signals, gradients = logs(lambda: Blocks(name, norm, scale, skip), WIDTH, NETS)
    assert within(signals, math.log(stream.signal), bias=2 * BLOCKS * 2 / WIDTH)
    assert within(gradients, math.log(stream.gradient), bias=2 * BLOCKS * 2 / WIDTH)


class Batched(nn.Module):
    """Residual blocks of two weights, each with a batch norm behind it; the gain of the last is the branch scale."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(perceptron("relu") for _ in range(BLOCKS))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in range(2 * BLOCKS))
        for norm in self.norms[1::2]:
            nn.init.constant_(norm.weight, scale)

    def forward(self, x):
        for branch, first, last in zip(self.branches, self.norms[::2], self.norms[1::2], strict=True):
            x = x + last(branch[2](torch.relu(first(branch[0](x)))))
        return x


@pytest.mark.parametrize("scale", [1.0, 0.3, BLOCKS**-0.5])
def test_norm_gains_are_the_branch_scale_of_batch_norm_nets(scale):
    """v = 1, as the norm has it, and chi = pi / (pi - 1) of ReLU between two batch norms; variances for second moments.

    The batch of 256 adds 1 / 253 a norm.
    """
    stream = Stream(BLOCKS, scale, "branch", back=growth("relu"))
    signals, gradients = logs(lambda: Batched(scale), WIDTH, NETS, centred=True)
    assert within(signals, math.log(stream.signal), bias=2 * BLOCKS * 2 / WIDTH)
    assert within(gradients, math.log(stream.gradient), bias=2 * BLOCKS * 3 / WIDTH)


def test_wrong_uses_are_told():
    with pytest.raises(UsageError, match="0 blocks"):
        Stream(0)
    with pytest.raises(UsageError, match="'pre'"):
        Stream(3, norm="pre")
    with pytest.raises(UsageError, match="scale=-1"):
        Stream(3, -1.0)
    with pytest.raises(UsageError, match=r"growth=0\.5"):
        scale_for(3, 0.5)
    with pytest.raises(UsageError, match="0 blocks"):
        share_for(0, 1.0)
