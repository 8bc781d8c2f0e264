"""What is differentiated, and what comes of it: against autograd, and against ln C."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from initium.errors import ModelRunError, UsageError, UsageTypeError
from initium.record.run.loss import backward, default_loss, tensors_of


def run(
    output: Any, loss: Any = None, *, seed: int = 0, inputs: tuple[Tensor, ...] = (), **parameters: Tensor
) -> Any:
    return backward(output, loss, parameters, inputs, seed)


def test_the_default_loss_is_a_projection_of_expected_norm_one_for_every_output() -> None:
    """dL/dy has independent elements of variance 1/n: sum of squares 1 up to sqrt(2/n), five times."""
    outputs = noise(64, 50).requires_grad_(), noise(7, 300, seed=2).requires_grad_()
    total, parts = default_loss(outputs, 0)
    assert total is not None
    assert parts == {}
    for one, grad in zip(outputs, torch.autograd.grad(total, outputs, retain_graph=True), strict=True):
        assert float(grad.square().sum()) == pytest.approx(1.0, abs=5 * math.sqrt(2 / one.numel()))
        assert abs(float(grad.mean())) < 5 / one.numel()
    directions = torch.autograd.grad(total, outputs)
    assert float(total.detach()) == pytest.approx(
        sum(float((a.detach() * b).sum()) for a, b in zip(outputs, directions, strict=True))
    )


def test_the_projection_is_fixed_by_the_seed_and_the_place_and_not_by_the_output() -> None:
    def direction(seed: int, *outputs: Tensor) -> tuple[Tensor, ...]:
        given = [one.clone().requires_grad_() for one in outputs]
        total, _ = default_loss(given, seed)
        assert total is not None
        return torch.autograd.grad(total, given)

    one, other = direction(0, noise(4, 5), noise(4, 5)), direction(0, noise(4, 5, seed=3), 2 * noise(4, 5))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], direction(1, noise(4, 5))[0])


def test_what_has_no_gradient_or_no_element_is_left_out() -> None:
    assert default_loss((noise(3), torch.arange(4), torch.zeros(0, requires_grad=True)), 0) == (None, {})
    y = noise(3).requires_grad_()
    both, _ = default_loss((torch.arange(4), y), 0)
    assert both is not None
    assert both.requires_grad


def test_half_precision_is_projected_in_float32() -> None:
    y = noise(256).to(torch.bfloat16).requires_grad_()
    total, _ = default_loss(y, 0)
    assert total is not None
    assert total.dtype == torch.float32


def test_named_losses_are_summed_and_one_called_loss_is_the_loss() -> None:
    w = torch.tensor(2.0, requires_grad=True)
    total, parts = default_loss({"box": w * 3, "class": (w**2).reshape(1), "count": torch.tensor(7)}, 0)
    assert total is not None
    assert (float(total.detach()), parts) == (10.0, {"box": 6.0, "class": 4.0})
    total, parts = default_loss({"loss": w * 5, "logits": noise(3, 4).requires_grad_(), "other": w}, 0)
    assert total is not None
    assert (float(total.detach()), parts) == (10.0, {"loss": 10.0})


def test_a_dict_of_features_is_projected() -> None:
    y, w = noise(3, 4).requires_grad_(), torch.tensor(2.0, requires_grad=True)
    total, parts = default_loss({"features": y, "scale": w}, 0)
    assert total is not None
    assert parts == {}
    assert all(bool(grad.any()) for grad in torch.autograd.grad(total, [y, w]))


def test_tensors_of_records_that_are_no_trees() -> None:
    @dataclass
    class Found:
        logits: Tensor
        name: str
        boxes: Tensor

    a, b, c = torch.ones(1), torch.ones(2), torch.ones(3)
    assert [len(one) for one in tensors_of([a, Found(b, "x", c), nn.Linear, None])] == [1, 2, 3]


LABELS = torch.tensor([0, 3, 1, 2])
CHANCES: dict[str, tuple[Callable[[Tensor], Tensor], float | None]] = {
    "cross-entropy": (lambda y: F.cross_entropy(y, LABELS), math.log(7)),
    "smoothed labels": (lambda y: F.nll_loss(y.log_softmax(-1), LABELS), math.log(7)),
    "of pixels": (lambda y: F.cross_entropy(y[..., None, None], LABELS[:, None, None]), math.log(7)),
    "summed": (lambda y: F.cross_entropy(y, LABELS, reduction="sum"), None),
    "weighted": (lambda y: F.cross_entropy(y, LABELS, torch.ones(7)), None),
    "two of them": (lambda y: F.cross_entropy(y, LABELS) + F.cross_entropy(2 * y, LABELS), None),
    "one class": (lambda y: F.cross_entropy(y[:, :1], torch.zeros(4, dtype=torch.int64)), None),
    "none": (lambda y: y.square().mean(), None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANCES)
def test_what_a_loss_would_be_by_chance(name: str) -> None:
    loss, expected = CHANCES[name]
    y = noise(4, 7).requires_grad_()
    found = run(y, loss, y=y)
    assert found.chance == (None if expected is None else pytest.approx(expected))
    if expected is not None:
        assert float(loss(torch.zeros(4, 7))) == pytest.approx(expected)


def test_gradients_are_those_of_autograd_and_grad_stays_as_it_was() -> None:
    w, frozen, unused = noise(3, 2).requires_grad_(), noise(2), noise(5).requires_grad_()
    w.grad = torch.full((3, 2), 9.0)
    x = noise(4, 3, seed=2)

    def loss(y: Tensor) -> Tensor:
        return ((y + frozen) ** 2).sum().reshape(1, 1)

    found = run(x @ w, loss, w=w, frozen=frozen, unused=unused)
    expected = 2 * x.T @ (x @ w + frozen)
    torch.testing.assert_close(found.grads["w"], expected)
    assert set(found.grads) == {"w", "unused"}
    assert found.grads["unused"] is None
    assert found.loss == pytest.approx(float(((x @ w + frozen) ** 2).sum().detach()))
    assert torch.equal(w.grad, torch.full((3, 2), 9.0))


def test_a_reentrant_checkpoint_gets_its_backward_and_inputs_keep_their_gradient() -> None:
    w, x = noise(3, 3).requires_grad_(), noise(4, 3).requires_grad_()
    x.grad = torch.full((4, 3), 5.0)
    made = checkpoint(lambda v: (v @ w).tanh(), x, use_reentrant=True)
    found = run(made.relu() @ w, lambda y: y.sum(), inputs=(x,), w=w)
    plain = torch.autograd.grad(((x @ w).tanh().relu() @ w).sum(), w)[0]
    torch.testing.assert_close(found.grads["w"], plain)
    assert torch.equal(x.grad, torch.full((4, 3), 5.0))


@pytest.mark.parametrize("output", [noise(3), torch.arange(3), None, "text"])
def test_nothing_differentiable_is_a_note(output: Any) -> None:
    found = run(output, w=noise(2).requires_grad_())
    assert (found.loss, found.grads) == (None, {})
    assert "no backward" in found.notes[0]


def test_the_meta_device_holds_no_loss() -> None:
    w = torch.ones(3, device="meta", requires_grad=True)
    found = run(w * 2, w=w)
    assert (found.loss, len(found.notes)) == (None, 1)
    assert "meta" in found.notes[0]


def test_losses_that_cannot_be_used_are_told() -> None:
    y = noise(3).requires_grad_()
    with pytest.raises(UsageTypeError, match="float"):
        run(y, lambda out: float(out.sum()), y=y)
    with pytest.raises(UsageError, match=r"\(3,\)"):
        run(y, lambda out: out * 2, y=y)
    with pytest.raises(ModelRunError, match="KeyError") as caught:
        run(y, lambda out: {}["labels"], y=y)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_backward_that_fails_is_the_models_error() -> None:
    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 1

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            raise RuntimeError("not today")

    w = noise(3).requires_grad_()
    with pytest.raises(ModelRunError, match="not today"):
        run(Refuses.apply(w), w=w)
