"""The starts that several recipes share, against torch.nn.init."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from tests.plan.recipes.library.moments import is_uniform
from torch import nn

import initium
from initium.plan.recipes.library import shared_lines as shared
from initium.plan.recipes.vocabulary import holds

SHAPE = (200, 100)


def drawn(start, **more):
    return initium.fill_(torch.empty(SHAPE), start.method, **start.fixed, **more).flatten()


def test_the_cut_at_two_is_torchs_whose_bounds_are_absolute():
    theirs = nn.init.trunc_normal_(torch.empty(SHAPE), std=0.02).flatten()
    ours = drawn(shared.CUT_AT_TWO)
    assert stats.ks_2samp(ours.numpy(), theirs.numpy()).pvalue > 1e-3
    assert ours.abs().max().item() > 3 * 0.02  # a cut at two standard deviations would leave none there


def test_xavier_and_torchs_default_are_torchs():
    assert is_uniform(drawn(shared.XAVIER_UNIFORM), (6 / 300) ** 0.5)
    assert is_uniform(drawn(shared.TORCH_DEFAULT), 0.1)


def test_a_bias_takes_the_fan_of_its_weight():
    assert {key: one.what for key, one in shared.TORCH_BIAS.measured.items()} == {"fan_in": "fan_in"}
    bias = initium.fill_(torch.empty(5000), shared.TORCH_BIAS.method, fan_in=25)
    assert is_uniform(bias, 0.2)


@pytest.mark.parametrize(("role", "value"), [("norm_gain", 1.0), ("norm_shift", 0.0)])
def test_norms_start_as_the_identity(role, value):
    line = next(one for one in shared.NORM_LINES if holds(one.where, frozenset({role})))
    assert line.start is not None
    assert initium.fill_(torch.empty(4), line.start.method, **line.start.fixed).tolist() == [value] * 4
