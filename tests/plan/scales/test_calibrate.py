from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.nets import TransformerBlock, mlp, noise, plain_conv, seeded
from tests.plan.nets import Small, TinyGPT, pictures, same, state_of, token_ids
from torch import Tensor, nn
from torch.nn import functional as F

from initium import Rule, plan
from initium.errors import ModelRunError
from initium.plan.auto import decisions
from initium.plan.policy import Run
from initium.plan.policy_table import policy_of
from initium.plan.scales.calibrate import Sweep, calibrate, second_moment
from initium.plan.structure.branch_scale import NORM_FREE_DIVISOR
from initium.plan.write.apply import write
from initium.record import record
from initium.record.parameters.inventory import named_tensors


class Mixed(nn.Module):
    """Every kind of weighted operation in a row, none of them followed by a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.grouped = nn.Conv2d(16, 32, 3, stride=2, padding=1, groups=4)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.transposed = nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1)
        self.grouped_up = nn.ConvTranspose2d(16, 16, 2, stride=2, groups=2)
        self.linear = nn.Linear(16, 24)
        self.head = nn.Linear(24, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.conv, self.grouped, self.depthwise, self.transposed, self.grouped_up):
            x = F.relu(layer(x))
        return self.head(F.gelu(self.linear(x.mean((2, 3)))))


def outputs_of(model: nn.Module, inputs: object) -> dict[str, float]:
    """Second moment of the output of every weighted module, in a plain forward."""
    found: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(
            lambda m, i, out, name=name: found.update({f"{name}.weight": second_moment(out)})
        )
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))
    ]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    return found


def swept(model: nn.Module, inputs: Tensor, **options: object) -> Sweep:
    """Draw he_normal for every weight and calibrate, as `plan` does."""
    seen = record(model, inputs)
    chosen = policy_of("he_normal").decide(seen, Run(None)).assignments
    write(named_tensors(model), [one for one in chosen if not one.keeps], 0)
    return calibrate(model, inputs, seen, chosen, forward=None, seed=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (Mixed, pictures(16, 16)),
        (lambda: mlp(6, 32, nn.Tanh), noise(64, 32)),
        (lambda: mlp(30, 32, nn.Sigmoid), noise(64, 32)),
        (lambda: plain_conv(10, 16), pictures(16)),
        (
            lambda: nn.Sequential(nn.Conv1d(4, 8, 3), nn.ReLU(), nn.ConvTranspose1d(8, 4, 3, stride=2)),
            noise(16, 4, 20),
        ),
        (
            lambda: nn.Sequential(nn.Conv3d(2, 4, 3), nn.ReLU(), nn.Conv3d(4, 4, 2, groups=2)),
            noise(8, 2, 6, 6, 6),
        ),
    ],
)
def test_after_one_sweep_every_output_has_its_target(make: Callable[[], nn.Module], inputs: Tensor) -> None:
    with seeded():
        model = make()
    sweep = swept(model, inputs)
    assert not sweep.failed
    found = outputs_of(model, inputs)
    assert set(sweep.factors) == set(found)
    for name in sweep.factors:
        assert found[name] == pytest.approx(1.0, rel=0.05), name


def test_a_bias_that_is_not_zero_is_counted() -> None:
    """The bias is part of the output; where it alone exceeds the target the weight is left and reported."""
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
    nn.init.constant_(model[0].bias, 0.5)
    swept(model, noise(256, 32))
    # E[z^2] is 1/4 of bias and 3/4 of weights, or 1 of weights alone and 1/4 more, by either convention of the target.
    assert 0.7 < outputs_of(model, noise(256, 32))["0.weight"] < 1.35


def test_the_plan_holds_what_the_sweep_found() -> None:
    """A fresh forward with the planned scales has the planned second moments."""
    with seeded():
        model = Mixed()
    made = plan(model, pictures(16, 16))
    made.apply(model, seed=made.seed)
    found = outputs_of(model, pictures(16, 16))
    for one in made:
        if one.name in found and not one.keeps:
            assert found[one.name] == pytest.approx(one.target, rel=0.05), one.name


def test_the_ends_of_branches_share_the_stream() -> None:
    """With n blocks without norm on one stream, each end adds 1/16n of the stream's second moment at the branch."""

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Linear(32, 32, bias=False)
            self.ends = nn.ModuleList(nn.Linear(32, 32, bias=False) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for end in self.ends:
                x = x + end(F.relu(x))
            return x

    model, x = Stack(), noise(128, 32)
    swept(model, x)
    stream = [second_moment(model.stem(x))]
    found, y = outputs_of(model, x), model.stem(x)
    for end in model.ends:
        y = y + end(F.relu(y))
        stream.append(second_moment(y))
    for index in range(4):
        share = found[f"ends.{index}.weight"]
        assert any(
            share == pytest.approx(value / 4 / NORM_FREE_DIVISOR, rel=0.05) for value in stream[: index + 1]
        ), (
            index,
            share,
            stream,
        )


def test_a_branch_is_as_loud_as_a_skip_that_goes_through_weights() -> None:
    class Widened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.skip = nn.Linear(32, 32), nn.Linear(32, 48)
            self.first, self.last = nn.Linear(32, 64), nn.Linear(64, 48)
            self.inner, self.end = nn.Linear(48, 48), nn.Linear(48, 48)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            x = F.relu(self.skip(x) + self.last(F.relu(self.first(x))))
            return x + self.end(F.relu(self.inner(x)))

    model, x = Widened(), noise(128, 32)
    swept(model, x)
    found = outputs_of(model, x)
    assert found["last.weight"] == pytest.approx(found["skip.weight"], rel=0.05)
    stream = F.relu(model.skip(model.stem(x)) + model.last(F.relu(model.first(model.stem(x)))))
    assert found["end.weight"] == pytest.approx(second_moment(stream) / 2 / NORM_FREE_DIVISOR, rel=0.1)


def test_the_stream_is_measured_behind_a_norm_too() -> None:
    """A batch norm returns its statistics beside its output."""

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.end = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Conv2d(8, 8, 3, padding=1)
            self.norm = nn.BatchNorm2d(8, affine=False)

        def forward(self, x: Tensor) -> Tensor:
            x = 3 * self.norm(self.stem(x)) if self.training else self.norm(self.stem(x))
            return x + self.end(F.relu(x))

    for mode, expected in ((True, 9.0), (False, None)):
        model, x = Normed().train(mode), noise(16, 3, 8, 8)
        assert not swept(model, x).failed
        with torch.no_grad():
            stream = second_moment(model.norm(model.stem(x)) * (3 if mode else 1))
        assert expected is None or stream == pytest.approx(expected, rel=0.01)
        assert outputs_of(model, x)["end.weight"] == pytest.approx(stream / NORM_FREE_DIVISOR, rel=0.05)


def test_a_weight_used_twice_is_calibrated_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.relu(self.fc(x)))

    model = Twice()
    sweep = swept(model, noise(64, 16))
    assert set(sweep.factors) == {"fc.weight"}
    assert second_moment(model.fc(noise(64, 16))) == pytest.approx(1.0, rel=0.05)


class Unrolled(nn.Module):
    """A layer that reads its own state, which is zero at first."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.take = nn.Linear(16, 16, bias=False), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(x)
        for _ in range(3):
            state = torch.tanh(self.take(x) + self.read(state))
        return state


def test_a_weight_whose_first_use_gets_zeros_is_calibrated_at_the_next() -> None:
    with seeded():
        model = Unrolled()
    x = noise(64, 16)
    seen = record(model, x)
    assignments = decisions.decided(seen, {}, sound=False)
    write(named_tensors(model), [one for one in assignments if not one.keeps], 0)
    sweep = calibrate(model, x, seen, assignments, forward=None, seed=0)
    assert sweep.failed == ()
    state = torch.tanh(model.take(x))
    assert second_moment(model.read(state)) == pytest.approx(1.0, rel=1e-4)


def test_weights_before_a_norm_are_left_to_it() -> None:
    sweep = swept(Small(), pictures())
    assert "0.weight" not in sweep.factors
    assert {"3.weight", "7.weight"} <= set(sweep.factors)


@pytest.mark.parametrize("bias", [False, True])
def test_an_output_without_the_weight_in_it_is_reported_and_left(bias: bool) -> None:
    layers = [nn.Linear(8, 8, bias=bias), nn.ReLU(), nn.Linear(8, 4, bias=False)]
    model = nn.Sequential(*layers[:1] if bias else layers)
    sweep = swept(model, torch.zeros(16, 8))
    assert set(sweep.failed) == {name for name, _ in model.named_parameters() if name.endswith("weight")}
    assert all(factor == 1.0 for factor in sweep.factors.values())


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (Small, pictures()),
        (TinyGPT, token_ids()),
        (TransformerBlock, noise(4, 6, 32)),
        (Mixed, pictures(4, 16)),
    ],
)
def test_planning_changes_nothing_in_the_model(make: Callable[[], nn.Module], inputs: Tensor) -> None:
    model = make().train()
    before, modes = state_of(model), [module.training for module in model.modules()]
    random = torch.random.get_rng_state()
    plan(model, inputs)
    assert same(before, state_of(model))
    assert modes == [module.training for module in model.modules()]
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(random, torch.random.get_rng_state())


class Failing(Small):
    """Runs so often, then raises."""

    def __init__(self, good_runs: int) -> None:
        super().__init__()
        self.left = [good_runs]

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        self.left[0] -= 1
        if self.left[0] < 0:
            raise ValueError("enough")
        return out


@pytest.mark.parametrize("good_runs", [0, 1, 2])
def test_whichever_run_raises_the_model_is_restored(good_runs: int) -> None:
    """The recorded run, the sweep and the run that verifies."""
    with seeded():
        model = Failing(good_runs)
    before = state_of(model)
    with pytest.raises(ModelRunError, match="enough"):
        plan(model, pictures())
    assert same(before, state_of(model))


def test_what_a_rule_of_the_user_asks_for_is_not_rescaled() -> None:
    model = mlp(5, 16, nn.ReLU)
    made = plan(model, noise(32, 16), rules=[Rule(where="2.weight", method="normal", std=0.05)])
    assert made["2.weight"].scale == 1.0
    made.apply(model)
    # 256 draws: 5 sigma of the sample's std.
    assert model[2].weight.std().item() == pytest.approx(0.05, rel=5 / math.sqrt(2 * 256))


def test_a_sweep_costs_one_forward() -> None:
    calls = []

    class Counting(Small):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(1)
            return super().forward(x)

    swept_model = Counting()
    seen = record(swept_model, pictures())
    chosen = policy_of("he_normal").decide(seen, Run(None)).assignments
    calls.clear()
    calibrate(swept_model, pictures(), seen, chosen, forward=None, seed=0)
    assert len(calls) == 1


def test_half_precision_is_measured_in_fp32() -> None:
    assert second_moment(torch.full((1000,), 300.0, dtype=torch.float16)) == pytest.approx(90_000, rel=1e-3)
    assert second_moment(torch.empty(0)) == 0.0


@pytest.mark.parametrize(("size", "makes_smaller"), [(1.1, False), (10.0, True)])
def test_a_later_use_that_comes_out_too_large_makes_the_weight_smaller(
    size: float, makes_smaller: bool
) -> None:
    """The first use is brought to 1, so the second comes out at size^2; beyond 1.5 it decides."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.last = nn.Linear(16, 16, bias=False), nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.cat([self.fc(x), self.fc(size * x)], 1))

    model, x = Twice(), noise(64, 16)
    seen = record(model, x)
    chosen = policy_of("he_normal").decide(seen, Run(None)).assignments
    write(named_tensors(model), [one for one in chosen if not one.keeps], 0)
    before = model.fc.weight.detach().clone()
    sweep = calibrate(model, x, seen, chosen, forward=None, seed=0)
    wanted = 1 / size**2 if makes_smaller else 1.0
    assert second_moment(model.fc(x)) == pytest.approx(wanted, rel=1e-3)
    torch.testing.assert_close(model.fc.weight.detach(), before * sweep.factors["fc.weight"])
