from __future__ import annotations

from collections import namedtuple

import pytest
import torch
from tests.nets import mlp, noise, seeded
from torch import Tensor, nn

from initium import init_, plan, repair_
from initium.errors import ModelRunError
from initium.plan.auto.calibration_split import held_out, split
from initium.plan.policy import Run

Pair = namedtuple("Pair", ["left", "right"])


def test_a_tensor_is_split_into_even_and_odd_samples():
    calibration, verification, note = split(torch.arange(10.0))
    assert calibration.tolist() == [0, 2, 4, 6, 8]
    assert verification.tolist() == [1, 3, 5, 7, 9]
    assert note == ""


def test_nests_are_split_as_they_are():
    images, targets = (
        [torch.zeros(3, n, n) for n in range(8)],
        [{"boxes": torch.ones(n, 4)} for n in range(8)],
    )
    table, pair = torch.ones(1, 5), Pair(torch.arange(8), torch.arange(8) * 2)
    first, second, note = split((images, targets, {"table": table, "pair": pair, "steps": 4}))
    assert note == ""
    assert [image.shape[1] for image in second[0]] == [1, 3, 5, 7]
    assert [len(target["boxes"]) for target in first[1]] == [0, 2, 4, 6]
    assert second[2]["table"] is table
    assert isinstance(first[2]["pair"], Pair)
    assert second[2]["pair"].right.tolist() == [2, 6, 10, 14]
    assert first[2]["steps"] == 4


@pytest.mark.parametrize("inputs", [torch.zeros(7, 3), (torch.zeros(8, 3), torch.zeros(5, 3))])
def test_what_cannot_be_split_is_used_whole_and_the_plan_says_why(inputs):
    first, second, note = split(inputs)
    assert first is second is inputs
    assert note

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
            return self.layer(a) if b is None else self.layer(a) + self.layer(b).mean(0)

    assert any("same samples" in one and note in one for one in plan(Sum(), inputs).notes)


def test_shipped_and_candidate_are_judged_on_samples_that_calibration_did_not_see():
    """The calibrating half is silent in a feature that the verifying half is loud in: only the latter decides."""
    with seeded():
        model = mlp(3, 8, nn.ReLU)
    x = noise(16, 8)
    run, seen = held_out(Run(model, x, x, x))
    assert torch.equal(run.calibration, x[0::2])
    assert torch.equal(run.verification, x[1::2])
    assert seen.batch == 8
    assert not plan(model, x).notes


def test_a_model_that_needs_the_whole_batch_gets_it():
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.view(16, 4))

    receipt = init_(Fixed(), torch.randn(16, 4))
    assert any("half of the batch" in note for note in receipt.notes)
    with pytest.raises(ModelRunError):
        init_(Fixed(), torch.randn(12, 5))


def test_a_loss_of_the_user_sees_the_whole_batch():
    labels = torch.arange(16) % 4
    seen: list[int] = []

    def loss(output: Tensor) -> Tensor:
        seen.append(len(output))
        return nn.functional.cross_entropy(output, labels)

    receipt = init_(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)), noise(16, 6), loss=loss)
    assert set(seen) == {16}
    assert any("whole batch" in note for note in receipt.notes)


def test_repair_is_judged_in_the_same_way():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    nn.init.zeros_(net[0].weight)
    assert repair_(net, torch.randn(32, 8)).written == ("0.weight",)


def test_what_is_recorded_is_the_half_that_verifies():
    """The other half is three times as large: second moments of the inputs tell them apart."""
    x = noise(16, 8)
    x[0::2] *= 3.0
    run, seen = held_out(Run(mlp(2, 8, nn.ReLU), x, x, x))
    assert seen.nodes[0].forward.second == pytest.approx(float(x[1::2].square().mean()), rel=1e-5)
    assert run.calibration.square().mean() > 5 * run.verification.square().mean()


def test_scales_are_found_on_the_half_that_calibrates():
    """The outputs of that half then have unit scale, and those of the other a ninth of it."""
    with seeded():
        model = mlp(2, 64, nn.ReLU)
    x = noise(64, 64)
    x[0::2] *= 3.0
    init_(model, x)
    first = model[0](x).detach().square()
    assert first[0::2].mean() == pytest.approx(1.0, rel=0.02)
    assert first[1::2].mean() == pytest.approx(1.0 / 9.0, rel=0.1)
