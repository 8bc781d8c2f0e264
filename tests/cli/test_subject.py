"""The model and the inputs of a verb."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from initium.cli.arguments import InputSpec
from initium.cli.subject import subject

NET = """
import torch
from torch import nn

def make(width=4):
    return nn.Sequential(nn.Linear(width, 3), nn.Dropout())
"""


@pytest.fixture
def target(tmp_path: Path) -> str:
    (tmp_path / "subject_net.py").write_text(NET)
    return f"{tmp_path / 'subject_net.py'}:make"


def made(target: str, *, seed: int = 0, evaluate: bool = False, batch: int = 5):  # type: ignore[no-untyped-def]
    specs = [InputSpec((6,))]
    return subject(
        target, {"width": 6}, specs, None, noise="gaussian", batch=batch, seed=seed, evaluate=evaluate
    )


def test_the_seed_decides_weights_and_inputs(target: str) -> None:
    (one, x), (same, y), (other, z) = made(target), made(target), made(target, seed=1)
    assert torch.equal(one[0].weight, same[0].weight)
    assert torch.equal(torch.as_tensor(x), torch.as_tensor(y))
    assert not torch.equal(one[0].weight, other[0].weight)
    assert not torch.equal(torch.as_tensor(x), torch.as_tensor(z))
    assert one[0].weight.shape == (3, 6)
    assert one[0].weight.abs().max().item() <= 6**-0.5  # torch's own start


def test_the_batch_and_the_mode(target: str) -> None:
    model, x = made(target, batch=64)
    assert torch.as_tensor(x).shape == (64, 6)
    assert torch.as_tensor(x).std().item() == pytest.approx(1, abs=5 / (2 * 64 * 6) ** 0.5)
    assert model.training
    assert not made(target, evaluate=True)[0].training
