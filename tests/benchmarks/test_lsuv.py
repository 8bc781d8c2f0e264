"""One sweep reaches what the published loop reaches, layer by layer; ResNet-50 under the mark slow."""

from __future__ import annotations

import pytest
import torch
from benchmarks.lsuv import counted, deviations, furthest, ours, published, weighted
from tests.nets import noise, plain_conv, seeded
from torch import nn


def compare(make, x):
    """(forwards of ours, of the loop, largest difference of a layer's variance)."""
    with seeded():
        mine, other = make().eval(), make().eval()
        with counted(mine) as few:
            ours(mine, x)
        with counted(other) as many:
            published(other, x, tolerance=0.01)
    stds = [deviations(model, x, weighted(model)) for model in (mine, other)]
    return len(few), len(many), furthest(*stds)[1]


def test_a_plain_net():
    few, many, apart = compare(lambda: plain_conv(8, 12), noise(16, 3, 12, 12))
    assert few <= 3
    assert many >= 9  # a look for each of nine layers
    assert apart < 0.1


class Skips(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(12, 12)
        self.inner = nn.ModuleList(nn.Linear(12, 12) for _ in range(4))
        self.last = nn.Linear(12, 3)  # the loop goes by the order of registration

    def forward(self, x):
        x = self.first(x)
        for layer in self.inner:
            x = x + torch.relu(layer(x))
        return self.last(x)


def test_a_residual_net():
    few, _, apart = compare(Skips, noise(256, 12) + 1)
    assert few <= 3
    assert apart < 0.1


@pytest.mark.slow
def test_resnet50():
    pytest.importorskip("torchvision")
    from benchmarks.lsuv import resnet

    few, many, apart = compare(resnet, noise(4, 3, 64, 64))
    assert few <= 3
    assert many > 54
    assert apart < 0.1
