"""A trial is a pure function of its spec, and says when a run went wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initium.engines import name_of
from initium.errors import UsageError
from initium.study.trial import trial as trial_module
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import (
    TrialResult,
    curve,
    flushes_denormals,
    is_diverged,
    run_trial,
    surroundings,
    train,
)

SPEC = TrialSpec(
    "mlp4-relu",
    {"kind": "policy", "policy": "he_normal"},
    {"kind": "classification"},
    steps=12,
    batch_size=32,
)


class Noisy(nn.Module):
    """Draws from torch's generator when it is made and when it runs."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(196, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.net(x) * self.scale  # type: ignore[no-any-return]


def make_number() -> int:
    """No model."""
    return 3


def run(spec: TrialSpec) -> TrialResult:
    return TrialResult.from_data(json.loads(json.dumps(run_trial(spec.to_data()))))


def without_time(result: TrialResult) -> TrialResult:
    return replace(result, seconds=0.0)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_same_spec_gives_the_same_result(optimizer: str) -> None:
    spec = replace(
        SPEC, model=name_of(Noisy), init={"kind": "policy", "policy": "shipped"}, optimizer=optimizer
    )
    first = run(spec)
    torch.rand(7)
    again, other = run(spec), run(replace(spec, seed=1))
    assert without_time(first) == without_time(again)
    assert first.losses != other.losses
    assert first.steps_done == len(first.losses) == 12
    assert not first.diverged


def test_the_surroundings_are_the_callers_again() -> None:
    generator, threads = torch.random.get_rng_state(), torch.get_num_threads()
    assert not flushes_denormals()
    run(replace(SPEC, threads=2))
    with surroundings(1):
        assert flushes_denormals()
        torch.rand(3)
    with pytest.raises(UsageError):
        run(replace(SPEC, model="lenet"))
    assert torch.equal(generator, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
    assert not flushes_denormals()


def test_paired_seeds_share_the_data_and_the_draws() -> None:
    """Xavier and He on layers of one width differ by a factor only, so their first losses go together."""
    he, xavier = run(SPEC), run(replace(SPEC, init={"kind": "policy", "policy": "xavier_normal"}))
    others = run(replace(SPEC, seed=1))
    assert abs(he.losses[0] - xavier.losses[0]) > 0
    assert he.losses[0] != others.losses[0]


def test_training_is_that_of_plain_torch() -> None:
    """The same steps written out, without the library's loop."""
    from initium.study.tasks import open_task
    from initium.study.trial.inits import start

    task = open_task("classification")
    torch_model = task.make_model("mlp4-relu")
    start(torch_model, SPEC.init, task.probe(32, seed=0), seed=0)
    for name, one in torch_model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(one)
    result = run(replace(SPEC, init=SPEC.init | {"rules": [{"where": "bias", "method": "zeros"}]}))
    optimizer = torch.optim.AdamW(torch_model.parameters(), lr=1e-3, fused=True)
    losses = []
    for batch in task.batches(seed=0, batch_size=32, num_steps=12):
        loss = nn.functional.cross_entropy(torch_model(batch.inputs), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert result.losses == pytest.approx(losses, rel=1e-4)
    assert result.area == pytest.approx(sum(losses) / 12, rel=1e-4)
    assert result.final_loss == pytest.approx(sum(losses[-10:]) / 10, rel=1e-4)
    assert task.evaluate(torch_model).metric == pytest.approx(result.metric, abs=0.01)
    seen = task.train.take(torch.arange(0, len(task.train), len(task.train) // len(task.test)))
    right = (torch_model(seen.inputs).argmax(dim=1) == seen.targets).float()
    assert len(right) == len(task.test)
    assert result.train_metric == pytest.approx(float(right.mean()), abs=0.01)
    assert result.health.verdict == "healthy"


class Slopes(nn.Module):
    """Two weights whose gradient is the batch itself."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))

    def values(self) -> list[float]:
        return [*self.a.tolist(), *self.b.tolist()]


GRADIENTS = [(3.0, 4.0, 12.0), (0.1, -0.2, 0.2), (-30.0, 0.0, 40.0), (0.3, 0.0, 0.4), (2.0, -1.0, 2.0)]
"""Norms 13, .3, 50, .5, 3: some above the bound of 1 and some below."""


def trained(optimizer: str, lr: float) -> list[float]:
    """The weights of `Slopes` after one step a gradient, by the library's loop."""

    def batches(*, seed: int, batch_size: int, num_steps: int) -> Iterator[tuple[float, ...]]:
        assert (seed, batch_size) == (3, 7)
        yield from GRADIENTS[:num_steps]

    def loss(model: Slopes, batch: tuple[float, ...]) -> Tensor:
        return (model.a * torch.tensor(batch[:2])).sum() + (model.b * batch[2]).sum()

    spec = replace(SPEC, optimizer=optimizer, lr=lr, seed=3, batch_size=7, steps=len(GRADIENTS))
    model = Slopes()
    task: Any = SimpleNamespace(batches=batches, loss=loss, ceiling=1e9)
    losses, _ = train(model, task, spec)
    assert len(losses) == len(GRADIENTS)
    assert losses[0] == pytest.approx(3.0 - 8.0 + 6.0)
    return model.values()


def test_sgd_has_momentum_and_a_clipped_gradient() -> None:
    """v = .9 v + g min(1, 1 / |g|), w = w - lr v, |g| the norm over all weights together."""
    weights, speed = Slopes().values(), [0.0, 0.0, 0.0]
    for gradient in GRADIENTS:
        share = min(1.0, 1.0 / math.hypot(*gradient))
        speed = [0.9 * v + share * g for v, g in zip(speed, gradient, strict=True)]
        weights = [w - 0.1 * v for w, v in zip(weights, speed, strict=True)]
    assert trained("sgd", 0.1) == pytest.approx(weights, rel=1e-5)


def test_adamw_is_the_published_rule_and_clips_nothing() -> None:
    """Loshchilov+ 2019: decay .01 times lr, means with .9 and .999, corrected for their start, epsilon 1e-8."""
    weights, mean, square = Slopes().values(), [0.0] * 3, [0.0] * 3
    for step, gradient in enumerate(GRADIENTS, start=1):
        mean = [0.9 * m + 0.1 * g for m, g in zip(mean, gradient, strict=True)]
        square = [0.999 * s + 0.001 * g * g for s, g in zip(square, gradient, strict=True)]
        for i in range(3):
            seen, size = mean[i] / (1 - 0.9**step), math.sqrt(square[i] / (1 - 0.999**step))
            weights[i] -= 0.02 * (0.01 * weights[i] + seen / (size + 1e-8))
    assert trained("adamw", 0.02) == pytest.approx(weights, rel=1e-6)


@pytest.mark.parametrize(("scale", "steps_done"), [(1e30, 1), (1e4, 20)])
def test_a_run_that_diverges_is_stopped_and_counted_at_the_ceiling(scale: float, steps_done: int) -> None:
    spec = replace(SPEC, model=name_of(Noisy), model_args={"scale": scale}, lr=3.0, steps=40)
    result = run(spec)
    ceiling = 2 * math.log(10)
    assert result.diverged
    assert result.steps_done <= max(steps_done, 20)
    assert result.metric == result.train_metric == 0.0
    assert result.area == pytest.approx(ceiling)
    assert result.final_loss == result.test_loss == ceiling


def test_divergence_is_no_single_bad_step() -> None:
    assert is_diverged([float("nan")], 4.6)
    assert is_diverged([1.0, float("inf")], 4.6)
    assert not is_diverged([100.0], 4.6)
    assert not is_diverged([1e6] * 10 + [1.0] * 10, 4.6)
    assert is_diverged([30.0] * 20, 4.6)


def test_a_long_curve_is_thinned_and_keeps_its_mean() -> None:
    losses = [float(i) for i in range(1000)]
    thin = curve(losses)
    assert len(thin) == 256
    assert thin[0] < 4
    assert sum(thin) / 256 == pytest.approx(sum(losses) / 1000, rel=0.01)
    assert curve([]) == ()
    assert curve([1.23456789]) == (1.23457,)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (name_of(make_number), "returned a int"),
        (f"{__name__}:nothing", "nothing"),
        ("lenet", "unknown model"),
    ],
)
def test_a_model_that_cannot_be_made_is_named(model: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(replace(SPEC, model=model))


def test_arguments_reach_the_maker() -> None:
    with pytest.raises(UsageError, match=r"Noisy raised TypeError.*width"):
        run(replace(SPEC, model=name_of(Noisy), model_args={"width": 3}))


def plain(value: Any) -> bool:
    return json.loads(json.dumps(value)) == value


def test_results_are_plain_data() -> None:
    assert plain(run_trial(replace(SPEC, steps=1).to_data()))


PROBES: list[Tensor] = []


def he_and_note(model: nn.Module, probe: Any, seed: int) -> None:
    """Starts a model, and notes what it was shown."""
    PROBES.append(probe.inputs)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter, generator=torch.Generator().manual_seed(seed))


def test_health_is_that_of_samples_that_the_start_was_not_made_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that was calibrated on what it is judged by would be praised for what it learned by heart."""
    judged: list[Tensor] = []
    real = trial_module.health

    def noting(model: nn.Module, probe: Any, **rest: Any) -> Any:
        judged.append(probe.inputs)
        return real(model, probe, **rest)

    monkeypatch.setattr(trial_module, "health", noting)
    PROBES.clear()
    run_trial(replace(SPEC, init={"kind": "function", "function": name_of(he_and_note)}, steps=2).to_data())
    (shown,), (seen,) = PROBES, judged
    assert shown.shape == seen.shape
    same = (shown.flatten(1)[:, None] == seen.flatten(1)[None]).all(2)
    assert float(same.any(1).float().mean()) < 0.5


def test_what_a_run_did_not_come_to_counts_at_the_ceiling() -> None:
    """Two of four steps, the second not finite: area (1 + 3 x 4.6) / 4, whatever came before."""
    task: Any = SimpleNamespace(ceiling=4.6)
    state = trial_module.Health("healthy", 0.0, "")
    spec = replace(SPEC, steps=4)
    found = trial_module._result(nn.Identity(), task, spec, [1.0, math.nan], 0.1, state)
    assert found.diverged
    assert found.area == pytest.approx((1.0 + 3 * 4.6) / 4)
    assert found.final_loss == found.test_loss == 4.6
    assert found.losses == (1.0,)
