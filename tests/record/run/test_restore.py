from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from tests.nets import noise, plain_conv
from torch import Tensor, nn
from torch.nn import functional as F

from initium.errors import ModelRunError
from initium.record import record


class Nasty(nn.Module):
    """Changes everything that a forward can change, and raises if asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 4)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.calls = 0
        self.fail = False
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.calls += 1
        self.last = x
        self.bn.train(not self.bn.training)
        random.random()
        np.random.rand()  # noqa: NPY002 - models do this, and it must be undone
        x = F.dropout(self.bn(self.conv(x)) + 0.1 * torch.randn(()), 0.5)
        with torch.no_grad():
            self.head.weight.mul_(0.5)
            self.conv.weight.data += 1.0
        self.steps = self.steps.clone()
        self.head.weight.requires_grad_(False)
        if self.fail:
            raise KeyError("in the model")
        return self.head(x.mean((2, 3)))


def snapshot(model: nn.Module) -> dict[str, Any]:
    return {
        "state": {name: (id(t), t.detach().clone()) for name, t in model.state_dict(keep_vars=True).items()},
        "grads": {
            name: (None if p.grad is None else (id(p.grad), p.grad.clone()))
            for name, p in model.named_parameters()
        },
        "requires": {name: p.requires_grad for name, p in model.named_parameters()},
        "modes": [m.training for m in model.modules()],
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "hooks": [
            [len(getattr(m, name)) for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")]
            for m in model.modules()
        ],
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "torch": torch.get_rng_state(),
    }


def assert_same(before: Any, after: Any) -> None:
    if isinstance(before, Tensor):
        assert torch.equal(before, after)
    elif isinstance(before, dict):
        assert before.keys() == after.keys()
        for key in before:
            assert_same(before[key], after[key])
    elif isinstance(before, (tuple, list)):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    else:
        assert before == after


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_changed(fail: bool, training: bool) -> None:
    model = Nasty().train(training)
    model.fail = fail
    model(noise(2, 3, 6, 6)) if not fail else None
    model = Nasty().train(training)
    model.fail = fail
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    model.register_forward_hook(lambda module, args, output: output * 1.0)
    before = snapshot(model)
    if fail:
        with pytest.raises(ModelRunError, match="in the model") as caught:
            record(model, noise(2, 3, 6, 6))
        assert isinstance(caught.value.__cause__, KeyError)
    else:
        record(model, noise(2, 3, 6, 6))
    assert_same(before, snapshot(model))
    assert model.calls == 0
    assert not hasattr(model, "last")


def test_an_exception_in_the_loss_changes_nothing() -> None:
    model = plain_conv(2, 4, norm=True)
    before = snapshot(model)

    def loss(output: Tensor) -> Tensor:
        raise ArithmeticError("in the loss")

    with pytest.raises(Exception, match="in the loss"):
        record(model, noise(2, 3, 8, 8), loss=loss)
    assert_same(before, snapshot(model))


def test_global_hooks_and_modes_are_removed() -> None:
    from torch.nn.modules import module as m

    before = len(m._global_forward_hooks), len(m._global_forward_pre_hooks)
    record(plain_conv(2, 4), noise(2, 3, 8, 8))
    with pytest.raises(ModelRunError):
        record(plain_conv(2, 4), noise(2, 5, 8, 8))
    assert (len(m._global_forward_hooks), len(m._global_forward_pre_hooks)) == before
    assert torch.is_grad_enabled()


def test_inputs_are_not_changed_by_an_in_place_model() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.mul_(2.0))

    x = noise(3, 4)
    before = x.clone()
    record(InPlace(), x)
    assert torch.equal(x, before)


def test_the_same_seed_shows_the_same() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    x = noise(16, 8)
    first, second, third = (record(model, x, seed=seed) for seed in (1, 1, 2))
    assert first.nodes[2].forward == second.nodes[2].forward
    assert first.nodes[2].forward != third.nodes[2].forward


def test_recording_under_no_grad_still_sees_gradients() -> None:
    with torch.no_grad():
        seen = record(plain_conv(2, 4), noise(2, 3, 8, 8))
        assert not torch.is_grad_enabled()
    assert seen.parameter("0.weight").grad_second is not None


def test_gradients_are_not_accumulated() -> None:
    model = plain_conv(2, 4)
    record(model, noise(2, 3, 8, 8))
    assert all(p.grad is None for p in model.parameters())


def test_recording_under_inference_mode_still_sees_gradients() -> None:
    model = plain_conv(2, 4)
    with torch.inference_mode():
        seen = record(model, noise(2, 3, 8, 8))
    assert seen.parameter("0.weight").grad_second is not None
