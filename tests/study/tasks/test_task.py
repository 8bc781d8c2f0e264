"""Tasks as trials use them: the order of data, scores, probes, and models that do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from initium.errors import UsageError
from initium.study.tasks import Task, kind_names, open_task
from initium.study.tasks.task import data_order


@pytest.fixture(scope="module", params=kind_names())
def task(request: pytest.FixtureRequest) -> Task:
    return open_task(str(request.param))


def test_the_order_is_decided_by_the_seed_alone() -> None:
    first = list(data_order(10, seed=4, batch_size=4, num_steps=5))
    before = torch.random.get_rng_state()
    again = list(data_order(10, seed=4, batch_size=4, num_steps=5))
    other = list(data_order(10, seed=5, batch_size=4, num_steps=5))
    assert torch.equal(torch.cat(first), torch.cat(again))
    assert not torch.equal(torch.cat(first), torch.cat(other))
    assert torch.equal(before, torch.random.get_rng_state())


def test_every_sample_comes_once_an_epoch() -> None:
    order = torch.cat(list(data_order(10, seed=0, batch_size=4, num_steps=5)))
    for epoch in order.split(10):
        assert sorted(epoch.tolist()) == list(range(10))


def test_a_batch_may_be_larger_than_the_data() -> None:
    assert [len(batch) for batch in data_order(3, seed=0, batch_size=8, num_steps=2)] == [8, 8]


def test_the_standard_models_fit(task: Task) -> None:
    for name in task.models:
        model = task.make_model(name)
        task.check_model(model)
        batch = next(task.batches(seed=0, batch_size=4, num_steps=1))
        task.loss(model, batch).backward()
        assert any(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in model.parameters())


def test_evaluation_puts_the_modes_back(task: Task) -> None:
    model = nn.Sequential(task.make_model())
    model[0].eval()
    model.training = True
    scores = task.evaluate(model, max_samples=20)
    assert 0.0 <= scores.metric <= 1.0
    assert model.training
    assert not model[0].training


def test_a_part_of_the_samples_is_spread_over_all_of_them() -> None:
    seen = []

    class Seen(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            seen.append(inputs)
            return inputs.new_zeros(len(inputs), 10)

    task = open_task("classification")
    task.evaluate(Seen(), max_samples=10)
    assert torch.equal(seen[0], task.test.take(torch.arange(0, 1000, 100)).inputs)


def test_the_ceiling_is_about_twice_the_loss_of_a_model_that_knows_nothing(task: Task) -> None:
    model = task.make_model()
    with torch.no_grad():
        for one in model.parameters():
            if one.dim() > 1:
                one.zero_()
    batch = next(task.batches(seed=0, batch_size=64, num_steps=1))
    assert 1.8 < task.ceiling / task.loss(model, batch).item() < 2.8


def test_a_probe_is_what_record_takes(task: Task) -> None:
    from initium.record import record

    seen = record(task.make_model(), **vars(task.probe(8)))
    assert seen.batch == 8
    assert seen.loss is not None


def test_the_source_opens_the_same_task(task: Task) -> None:
    again = open_task(task.source)
    indices = torch.tensor([0, 5])
    assert torch.equal(again.train.take(indices).inputs, task.train.take(indices).inputs)
    assert again.classes == task.classes


class Wrong(nn.Module):
    """Fails in one of several ways, and has a buffer that counts its calls."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.way == "raises":
            raise RuntimeError("shapes differ")
        if self.way == "nan":
            return torch.full((len(x), 10), torch.nan) * self.scale
        return x.flatten(1) * self.scale


@pytest.mark.parametrize(
    ("way", "reason"), [("raises", "RuntimeError"), ("nan", "is nan"), ("shape", "has shape")]
)
def test_a_model_that_does_not_fit_is_told(way: str, reason: str) -> None:
    model = Wrong(way)
    with pytest.raises(UsageError, match=reason):
        open_task("classification").check_model(model)
    assert float(model.calls) == 0
