from __future__ import annotations

import pytest
import torch
from tests.nets import Applied
from torch import nn
from torch.nn import functional as F

from initium.record import record
from initium.record.tape.dropout_noise import of_dropout


def second_of(function, width=64):
    """The node of the operation that draws, and the run."""
    first, second = nn.Linear(width, width), nn.Linear(width, 3)
    model = nn.Sequential(first, Applied(function), second).train()
    seen = record(model, torch.randn(256, width, generator=torch.Generator().manual_seed(0)))
    return next((node for node in seen.nodes if node.noise is not None), None), seen


WRITTEN = {
    "dropout": lambda x, p: F.dropout(x, p),
    "in place": lambda x, p: F.dropout(x, p, inplace=True),
    "by hand": lambda x, p: x * ((torch.rand(x.shape) > p).to(x.dtype) / (1 - p)),
    "mask and factor": lambda x, p: x * torch.bernoulli(torch.full_like(x, 1 - p)).div_(1 - p),
    "whole samples": lambda x, p: x * (torch.rand(len(x), 1) > p).float().div(1 - p),
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_is_known_by_its_moments_however_it_is_written(name, p):
    """E m = 1 and E m^2 = 1 / (1 - p), within 5 standard errors of 256 x 64 draws, or of 256 for whole samples."""
    node, _ = second_of(lambda x: WRITTEN[name](x, p))
    draws = 256 if name == "whole samples" else 256 * 64
    error = (p * (1 - p) / draws) ** 0.5 / (1 - p) ** 2
    assert node.noise.mean == 1.0
    assert node.noise.second == pytest.approx(1 / (1 - p), abs=5 * error)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.dropout(x, 0.5, training=False),
        nn.Dropout(0.0),
        lambda x: x * torch.linspace(0, 2, len(x))[:, None],  # another factor for every sample, but not drawn
        lambda x: x / (1 + torch.rand(x.shape)),
    ],
)
def test_what_draws_no_factor_has_no_noise(function):
    assert second_of(function)[0] is None


def test_a_mask_without_its_factor_makes_the_curve_smaller():
    _, seen = second_of(lambda x: torch.relu(x) * (torch.rand(x.shape) > 0.25))
    curve = seen.curves[seen.graph.nodes[seen.sites[1].node].inputs[0]]
    assert curve.noisy
    # The share that is kept, within 5 standard errors of 256 x 64 draws.
    assert float(curve.values[-1] / 16) == pytest.approx(0.75, abs=5 * (0.1875 / 256 / 64) ** 0.5)


def test_the_operation_that_draws_by_itself_is_read_by_its_argument():
    assert of_dropout("aten.native_dropout", (None, 0.2, True)) == (1.0, 1.25)
    assert of_dropout("aten.native_dropout", (None, 0.2, False)) is None
    assert of_dropout("aten.relu", (None,)) is None
