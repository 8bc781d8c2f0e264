from __future__ import annotations

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded
from tests.plan.nets import Small, TinyGPT, pictures, same, state_of, token_ids
from torch import Tensor, nn

from initium import Rule, diagnose, plan
from initium.errors import UsageTypeError
from initium.plan.auto.calibration_split import split
from initium.plan.build import check_seed


def test_the_plan_says_how_the_model_will_fare() -> None:
    """`before` and `after` are what diagnose finds on the samples that verify, as found and with the plan applied."""
    with seeded():
        model = plain_conv(12, 16)
    made = plan(model, pictures())
    verifying = split(pictures())[1]
    assert made.before == pytest.approx(diagnose(model, verifying).badness, rel=1e-4)
    made.apply(model, seed=made.seed)
    report = diagnose(model, verifying)
    assert made.after == pytest.approx(report.badness, rel=1e-3, abs=1e-6)
    assert made.verdict == report.verdict


def test_the_same_model_inputs_and_seed_give_the_same_plan() -> None:
    with seeded():
        model = mlp(6, 16, nn.Tanh)
    assert plan(model, noise(32, 16), seed=3) == plan(model, noise(32, 16), seed=3)


def test_the_seed_of_the_plan_is_that_of_its_draws() -> None:
    with seeded():
        model = mlp(6, 16, nn.ReLU)
    made = plan(model, noise(64, 16), seed=7)
    assert made.seed == 7


def test_candidates_that_are_worse_lose_to_the_model_as_found() -> None:
    """Rules that ruin every candidate: the least bad is taken, and the plan says what was tried."""
    with seeded():
        model = mlp(4, 16, nn.ReLU)
    made = plan(model, noise(32, 16), rules=[Rule(where="4.weight", method="zeros")])
    assert made["4.weight"].method == "zeros"
    assert made.verdict == "unhealthy"
    assert any("tried" in note for note in made.notes)


def test_a_compiled_model_is_planned_as_its_original() -> None:
    with seeded():
        model = Small()
    compiled = torch.compile(model)
    assert plan(compiled, pictures()) == plan(model, pictures())


def test_inputs_may_be_a_tuple_or_keywords() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 4), nn.Linear(6, 4)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.left(a) + self.right(b)

    with seeded():
        model = Two()
    by_place = plan(model, (noise(8, 4), noise(8, 6)))
    assert by_place == plan(model, {"a": noise(8, 4), "b": noise(8, 6)})
    with pytest.raises(TypeError):
        plan(model, noise(8, 4), "auto")  # type: ignore[misc]


def test_planning_works_without_gradients_and_in_evaluation_mode() -> None:
    with seeded():
        model = TinyGPT().eval()
    before = state_of(model)
    with torch.no_grad():
        made = plan(model, token_ids())
    with torch.inference_mode():
        assert plan(model, token_ids()) == made
    assert same(before, state_of(model))
    assert not model.training


def test_a_model_in_half_precision() -> None:
    with seeded():
        model = mlp(5, 32, nn.ReLU).bfloat16()
    made = plan(model, noise(64, 32).bfloat16())
    made.apply(model)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("seed", [None, "0", 1.0, True])
def test_a_seed_that_is_no_whole_number(seed: object) -> None:
    with pytest.raises(UsageTypeError, match="seed"):
        check_seed(seed)
