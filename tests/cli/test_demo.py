from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from initium.cli.demo import BATCH, DEPTH, accuracy, data_order, first_batch, make_net, train
from initium.plan import plan

WEIGHTED = nn.Conv2d | nn.Linear


def test_the_net_is_deep_plain_and_torchs_own():
    net = make_net(seed=3)
    kinds = {type(layer) for layer in net}
    assert sum(isinstance(layer, WEIGHTED) for layer in net) == DEPTH
    assert kinds == {nn.Conv2d, nn.ReLU, nn.Flatten, nn.Linear}
    bound = (net[2].weight.shape[1] * 9) ** -0.5
    assert bound * 0.9 < net[2].weight.abs().max() <= bound  # torch's U(-1 / sqrt(fan_in), ...)
    assert net(torch.zeros(2, 1, 14, 14)).shape == (2, 10)


def test_nets_follow_the_seed_and_leave_torchs_generator_alone():
    state = torch.get_rng_state()
    one, two, other = (make_net(seed)[4].weight for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_the_data_order_visits_every_image_once_a_pass():
    order = data_order(300, 7, seed=0)
    assert [len(batch) for batch in order] == [BATCH] * 7
    flat = torch.cat(order)
    assert sorted(flat[:300].tolist()) == list(range(300))
    assert sorted(flat[300:600].tolist()) == list(range(300))
    assert not torch.equal(flat[:300], flat[300:600])
    assert not torch.equal(flat, torch.cat(data_order(300, 7, seed=1)))


def test_threads_are_given_back_also_after_an_error():
    class Broken(nn.Linear):
        def forward(self, x):
            raise RuntimeError("broken")

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="broken"):
        train(Broken(1, 1), "broken", data_order(300, 1, 0))
    assert torch.get_num_threads() == before
    assert torch.tensor(1e-40) / 2 > 0  # subnormal numbers are numbers again


def test_torchs_start_is_dead_and_the_planned_one_learns():
    """The promise of the quickstart, in fewer steps than it takes."""
    order = data_order(5000, 120, seed=0)
    images, loss = first_batch(order)
    net = make_net(seed=0)
    seen = []
    dead = train(net, "torch", order[:40], on_step=lambda step, value: seen.append((step, value)))
    assert [step for step, _ in seen] == list(range(1, 41))
    assert tuple(value for _, value in seen) == dead.losses
    assert dead.final == pytest.approx(math.log(10), abs=0.02)
    assert dead.accuracy == pytest.approx(0.1, abs=0.05)

    ours = make_net(seed=0)
    plan(ours, images, loss=loss).apply(ours)
    run = train(ours, "initium", order)
    assert run.final <= 0.95
    assert run.accuracy == accuracy(ours) > 0.6
