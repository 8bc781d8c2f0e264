"""What a search differentiates, against plain autograd and differences."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from tests.nets import noise
from torch import nn
from torch.nn import functional as F

from initium.errors import ModelRunError, UsageError
from initium.plan.data_driven.differentiable_run import DifferentiableRun

X = noise(12, 5)


def run_of(model, inputs=X, loss=None, seed=0):
    return DifferentiableRun(model, inputs, None, loss, seed)


def net():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


def square(output):
    return output.square().mean()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_has_torchs_values_and_gradients_and_a_third_derivative(training, affine):
    norm = nn.BatchNorm2d(4, affine=affine).train(training)
    x = (3 * noise(6, 4, 5, 5) + 1).requires_grad_()
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    norm.running_var.fill_(4.0)
    norm.running_mean.fill_(0.5)
    before = norm.running_mean.clone()
    weights = noise(6, 4, 5, 5, seed=1)
    run = run_of(norm, x)
    with run.running():
        ours = norm(x)
        (first,) = torch.autograd.grad((weights * ours.sin()).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
        (third,) = torch.autograd.grad(second.square().sum(), x)
    assert torch.equal(norm.running_mean, before)
    theirs = norm(x)
    (expected,) = torch.autograd.grad((weights * theirs.sin()).sum(), x)
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert torch.allclose(first, expected, atol=1e-4)
    assert bool(third.isfinite().all())
    assert bool(third.any())


def test_noise_is_normal_another_each_turn_and_leaves_numbers_of_classes():
    """60,000 numbers: mean within 5 / sqrt(N), mean square within 5 sqrt(2 / N)."""
    labels = torch.arange(4)
    run = run_of(net(), {"x": 9 + torch.zeros(200, 300), "y": labels})
    first, again, other = run.noise(0), run.noise(0), run.noise(1)
    assert first["y"] is labels
    assert torch.equal(first["x"], again["x"])
    both = torch.corrcoef(torch.stack([first["x"].flatten(), other["x"].flatten()]))[0, 1].item()
    assert abs(both) < 5 / math.sqrt(60_000)
    assert abs(first["x"].mean().item()) < 5 / math.sqrt(60_000)
    assert first["x"].square().mean().item() == pytest.approx(1, abs=5 * math.sqrt(2 / 60_000))
    assert not torch.equal(run_of(net(), run.inputs, seed=1).noise(0)["x"], first["x"])


def test_gradients_are_those_of_autograd_and_zero_where_nothing_comes():
    model = net()
    model.register_parameter("lost", nn.Parameter(torch.ones(2)))
    model[0].bias.requires_grad_(False)
    run = run_of(model, loss=square)
    with run.running():
        found = dict(zip(run.trained, run.gradient(run.value(run.output()), graph=False), strict=True))
    square(model(X)).backward()
    assert found.keys() == {"0.weight", "2.weight", "2.bias", "lost"}
    assert not found["lost"].any()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(found[name], parameter.grad, atol=1e-6)


def test_slopes_are_those_of_the_log_of_a_scale():
    model = net().double()
    x = X.double()
    run = run_of(model, x, square)
    names = ["2.weight", "0.weight"]
    with run.running():
        found = run.slopes(run.value(run.output()), names)
    for name, slope in zip(names, found, strict=True):
        weight, step = dict(model.named_parameters())[name].detach(), 1e-5
        start = weight.clone()
        values = []
        for sign in (1, -1):
            weight.copy_(start * math.exp(sign * step))
            values.append(square(model(x)).item())
        weight.copy_(start)
        assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


def test_groups_share_values_and_split_the_gradient():
    """The gradients of the groups add up to the whole one; group g's is that of its samples alone."""
    model = net()
    run = run_of(model, loss=square)
    with run.running():
        output = run.output()
        parts = run.group_outputs(output, 5)
        assert all(torch.equal(one, output) for one in parts)
        grads = [run.gradient(square(one), graph=False) for one in parts]
        whole = run.gradient(square(output), graph=False)
    for slot, total in zip(zip(*grads, strict=True), whole, strict=True):
        assert torch.allclose(sum(slot), total, atol=1e-6)
    ends = [0, 3, 5, 8, 10, 12]  # 12 samples in 5 groups
    for group, (low, high) in zip(grads, pairwise(ends), strict=True):
        alone = model(X)[low:high].square().sum() / (12 * 3)
        (expected,) = torch.autograd.grad(alone, model[0].weight)
        assert torch.allclose(group[0], expected, atol=1e-6)
    with pytest.raises(UsageError, match="batch of 1"), (single := run_of(model, X[:1])).running():
        single.group_outputs(single.output(), 2)


def test_without_a_loss_labels_are_drawn_evenly():
    """Logits that know nothing: cross-entropy ln 7; the labels are uniform by chi-square at its 99.9 % point."""
    run = run_of(nn.Linear(5, 7))
    assert run.loss_or_random_labels(torch.zeros(50, 7, requires_grad=True), 0).item() == pytest.approx(
        math.log(7)
    )
    wide = torch.eye(7)[torch.arange(7)].repeat(1000, 1).requires_grad_()
    (slope,) = torch.autograd.grad(run.loss_or_random_labels(wide, 3), wide)
    counts = (slope < 0).sum(0).double()
    assert counts.sum().item() == 7000
    assert ((counts - 1000) ** 2 / 1000).sum().item() < 22.5
    mine = run_of(net(), loss=square)
    output = mine.model(X)
    assert mine.loss_or_random_labels(output, 0).item() == pytest.approx(square(output).item())


def test_every_stretch_has_the_same_dropout_and_a_loss_must_be_a_scalar():
    model = nn.Sequential(nn.Linear(5, 50), nn.Dropout(0.5), nn.Linear(50, 3))
    run, outputs = run_of(model, loss=lambda output: output), []
    for _ in range(2):
        with run.running():
            outputs.append(run.output().detach())
    assert torch.equal(*outputs)
    with pytest.raises(UsageError, match="no scalar"):
        run.value(model(X))


def test_what_cannot_be_differentiated_twice_is_told():
    class Once(nn.Linear):
        def forward(self, x):
            raise RuntimeError("no second derivative")

    run = run_of(Once(5, 3))
    with pytest.raises(ModelRunError), run.running():
        run.output()
    with pytest.raises(ModelRunError, match="differentiating Once raised RuntimeError: torn"), run.running():
        raise RuntimeError("torn")


def test_attention_can_be_differentiated_twice():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(8, 24)

        def forward(self, x):
            return F.scaled_dot_product_attention(*self.qkv(x).chunk(3, -1))

    run = run_of(Attends(), noise(3, 4, 8), square)
    with run.running():
        grads = run.gradient(run.value(run.output()), graph=True)
        second = run.gradient(sum(g.square().sum() for g in grads), graph=False)
    assert all(bool(one.any()) for one in second)
