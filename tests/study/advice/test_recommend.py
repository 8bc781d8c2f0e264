"""The advice, and what it rests on."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import nn

from initium import diagnose, record
from initium.errors import UsageTypeError
from initium.study.advice.net_traits import LIKE
from initium.study.advice.recommend import evidence, read_evidence, recommend
from initium.study.tasks import open_task


def plain(depth: int, activation: type[nn.Module] = nn.Sigmoid) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(32, 32), activation()]
    return nn.Sequential(nn.Linear(16, 32), activation(), *layers, nn.Linear(32, 10))


def inputs() -> torch.Tensor:
    return torch.randn(32, 16, generator=torch.Generator().manual_seed(0))


def test_the_shipped_evidence_is_sound() -> None:
    source, runs = evidence()
    assert "initium" in source
    assert "torch" in source
    assert len(runs) >= 2
    for run in runs:
        assert {line.init for line in run.lines} >= {"auto", "he_normal", "shipped"}
        assert list(run.lines) == sorted(run.lines, key=lambda line: line.loss)
        assert all(line.num >= 2 and 0 < line.loss < 5 and 0 <= line.metric <= 1 for line in run.lines)


def test_a_dead_net_gets_the_plan_and_the_runs_of_nets_like_it() -> None:
    found = recommend(plain(6), inputs())
    assert found.shipped.verdict == "unhealthy"
    assert found.like
    assert all(far <= LIKE and run.traits.activation == "bounded, with a mean" for far, run in found.like)
    text = str(found)
    assert "Use policy auto, since the model as it is is unhealthy." in text
    assert all(run.run in text for _, run in found.like)
    assert "long chain" in text


def test_nearer_nets_come_first_and_far_ones_not_at_all() -> None:
    task = open_task("classification")
    seen = recommend(task.make_model("mlp8-relu"), task.probe().inputs)
    far = [distance for distance, _ in seen.like]
    assert far == sorted(far)
    assert seen.like[0][1].model == "mlp8-relu"
    assert not any(run.traits.normed for _, run in seen.like)


def test_a_net_like_no_other_is_told_so() -> None:
    class Odd(nn.Module):
        """Sixty-odd cosines in a row, and no norm."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = torch.exp(-(layer(x) ** 2))
            return x

    found = recommend(Odd(), inputs())
    assert not found.like
    assert "None of the nets" in str(found)


def test_json_and_page() -> None:
    found = recommend(plain(2, nn.ReLU), inputs())
    data = json.loads(found.to_json())
    assert data["traits"]["chain"] == 4
    assert data["advice"] == found.sentence
    assert "<table" in found._repr_html_()


def test_evidence_that_is_none_is_refused() -> None:
    line = {"init": "auto", "lr": 1e-3, "num": 2, "loss": 1.0, "final_loss": 0.5, "metric": 0.5}
    traits = recommend(plain(1), inputs()).traits.to_data()
    run = {"run": "r", "model": "m", "task": "t", "setting": "s", "traits": traits, "inits": [line]}
    data = {
        "format": "initium.evidence/1", "date": "d", "initium": "1", "torch": "2", "machine": "m", "runs": [run],
    }  # fmt: skip
    assert read_evidence(data)[1][0].lines[0].loss == 1.0
    for path, value in ((("format",), "x"), (("date",), 3), (("runs", 0, "inits", 0, "loss"), "low")):
        bad = copy.deepcopy(data)
        place = bad
        for key in path[:-1]:
            place = place[key]  # type: ignore[index]
        place[path[-1]] = value  # type: ignore[index]
        with pytest.raises(ValueError, match="no"):
            read_evidence(bad)


def test_a_sound_net_is_told_what_would_change_and_what_runs_say_against_it() -> None:
    task = open_task("classification")
    found = recommend(task.make_model("resnet12"), task.probe().inputs)
    assert found.shipped.verdict == "healthy"
    assert found.sentence.startswith(
        ("The start is sound; auto would change", "Keep the weights as they are")
    )
    first = found.like[0][1]
    assert first.model == "resnet12"
    if first.lines[0].init != "auto":
        assert f"{first.lines[0].init} had the lowest loss, auto" in found.sentence


class Counted(nn.Module):
    """A net that tells lists outside of it, which no run puts back, how often it ran forward and backward."""

    def __init__(self, net: nn.Module, forwards: list[int], backwards: list[int]) -> None:
        super().__init__()
        self.net = net
        self.count = forwards.append
        self.count_back = backwards.append

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count(1)
        out = self.net(x)
        if out.requires_grad:
            out.register_hook(lambda grad: self.count_back(1))
        return out


def test_advice_costs_three_forwards() -> None:
    """One that is recorded, one that calibrates, one that verifies: the record serves traits, diagnosis and plan."""
    forwards: list[int] = []
    backwards: list[int] = []
    found = recommend(Counted(plain(6), forwards, backwards), inputs())
    assert len(forwards) == 3
    assert len(backwards) == 2
    assert found.shipped.badness == found.plan.before
    assert found.plan.verdict == "healthy"


def test_a_record_gets_the_advice_of_theory_without_a_run() -> None:
    forwards: list[int] = []
    seen = record(Counted(plain(6), forwards, []), inputs())
    found = recommend(seen)
    assert len(forwards) == 1
    assert found.traits == recommend(plain(6), inputs()).traits
    assert found.shipped.verdict == diagnose(seen).verdict == "unhealthy"
    assert (found.plan.chosen, found.plan.verdict) == ("theory", "")
    assert "nothing was verified" in " ".join(str(found).split())
    with pytest.raises(UsageTypeError, match="beside a record"):
        recommend(seen, inputs())
