"""The search: what it tries first, that it finds a planted optimum, and that it takes the same course again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest
import torch
from tests.study.made import result
from torch import nn

import initium
from initium.engines import Failed
from initium.study.run.runner import Ended, Runner
from initium.study.search.search import FIRST_SEED, LONG_SEEDS, SHORT, Found, promoted, search, unlike
from initium.study.search.space import SEARCHED_BASES, Space, space_of
from initium.study.tasks import open_task
from initium.study.trial.spec import TrialSpec

LRS = (1e-3, 3e-3)
BASE = TrialSpec(
    "mlp8-sigmoid", {"kind": "policy", "policy": "shipped"}, {"kind": "classification"}, steps=40
)


@cache
def space(model: str = "mlp4-sigmoid", frozen: bool = False) -> Space:
    task = open_task("classification")

    def make() -> nn.Module:
        made = task.make_model(model)
        if frozen:
            next(made.parameters()).requires_grad_(False)
        return made

    return space_of(make, task.probe(), LRS)


class Fake(Runner):
    """Runs nothing: the loss is a function of the spec; None fails."""

    def __init__(self, loss: Callable[[TrialSpec], float | None]) -> None:
        self.loss, self.asked = loss, []  # type: ignore[var-annotated]

    def run(self, specs: Iterable[TrialSpec]) -> dict[str, Ended]:
        ended = {}
        for spec in specs:
            self.asked.append(spec)
            loss = self.loss(spec)
            ended[spec.key] = (
                Ended(spec, None, Failed(spec.key, "error", "broken"))
                if loss is None
                else Ended(spec, result(loss))
            )
        return ended


def gain_of(spec: TrialSpec) -> float | None:
    """The gain of the hidden weights in a free start."""
    params = [rule["params"] for rule in spec.init.get("rules", ()) if rule["where"].endswith("3.weight")]
    return next((one.get("gain") or math.sqrt(one["scale"]) for one in params), None)


def planted(spec: TrialSpec) -> float:
    """Free starts are best at a gain of 4, any policy is at 1."""
    gain = gain_of(spec)
    return 1.0 if gain is None else 0.2 + abs(math.log(gain / 4.0)) + (0.1 if spec.lr < 2e-3 else 0.0)


def test_the_space_is_what_a_run_shows() -> None:
    found = space()
    assert set(found.groups) == {"weight"}
    assert len(found.groups["weight"]) == 3
    assert len(found.heads) == 1
    assert len(found.biases) == 4
    assert all(one["base"] == "gains by role" for one in found.theory)
    assert len(space(frozen=True).groups["weight"]) == 2


def test_policies_and_theory_are_tried_first_at_every_rate() -> None:
    runner, some = Fake(planted), space()
    search(some, BASE, runner, trials=16)
    first = runner.asked[: len(some.first())]
    assert {(s.init["policy"], s.lr) for s in first} == {
        (policy, lr) for policy in ("auto", "lsuv", "shipped") for lr in LRS
    }
    assert [s.init for s in first if s.init == {"kind": "policy", "policy": "auto"}]
    assert {s.steps for s in first} == {BASE.steps // SHORT}


def test_a_planted_optimum_is_found_and_run_at_full_length() -> None:
    runner = Fake(planted)
    found = search(space(), BASE, runner, trials=40)
    best = found[0]
    assert best.long is not None
    assert best.long < 0.5
    assert [one.long for one in found] == sorted(one.long for one in found)  # type: ignore[type-var]
    long = [spec for spec in runner.asked if spec.steps == BASE.steps]
    assert len(long) == LONG_SEEDS * len(found)
    spent = sum(spec.steps for spec in runner.asked) / BASE.steps
    assert spent <= 40
    assert {spec.seed for spec in long}.isdisjoint(
        spec.seed for spec in runner.asked if spec.steps < BASE.steps
    )
    assert min(spec.seed for spec in runner.asked) >= FIRST_SEED
    assert len({str(one.init) for one in found}) == len(found)


def test_a_search_takes_the_same_course_again_and_so_can_go_on() -> None:
    runs = [Fake(planted), Fake(planted)]
    first, second = (search(space(), BASE, runner, trials=30) for runner in runs)
    assert first == second
    assert [spec.key for spec in runs[0].asked] == [spec.key for spec in runs[1].asked]
    other = Fake(planted)
    search(space(), BASE, other, trials=30, seed=1)
    assert [spec.key for spec in other.asked] != [spec.key for spec in runs[0].asked]


def test_trials_that_fail_are_no_candidates() -> None:
    found = search(space(), BASE, Fake(lambda s: None if gain_of(s) else planted(s)), trials=30)
    assert found
    assert all(one.candidate["base"] != "gains by role" for one in found)
    assert all(math.isfinite(one.short) for one in found)


def test_what_is_asked_can_be_applied() -> None:
    task, some = open_task("classification"), space()
    wanted: dict[str, Any] = {
        "lr": 1e-3, "base": "gains by role", "method": "centred_orthogonal", "gain weight": 3.0, "centring": 0.5,
        "head": "scaled", "gain head": 0.5, "bias": "spread",
    }  # fmt: skip
    init = some.init(wanted)
    model = task.make_model("mlp4-sigmoid")
    rules = [initium.Rule(where=r["where"], method=r["method"], **r["params"]) for r in init["rules"]]
    initium.plan(model, policy=init["policy"], rules=rules, **vars(task.probe())).apply(model)
    weights = [p.detach() for p in model.parameters() if p.dim() == 2]
    head, hidden = weights[-1], weights[1]
    rows, cols = hidden.shape
    assert float(hidden.detach().mean(1).abs().max()) > 0
    whole = (
        3.0**2 * rows / cols * max(rows, cols) / rows
    )  # |gain Q|^2; centring takes c (2 - c) of the mean's share
    assert float(hidden.square().sum() / rows) == pytest.approx(whole, rel=0.1)
    assert float(head.var()) == pytest.approx(0.25 / head.shape[1], rel=4 * math.sqrt(2 / head.numel()))
    biases = torch.cat([p.detach().flatten() for p in model.parameters() if p.dim() == 1])
    assert float(biases.std()) == pytest.approx(0.1, rel=4 / math.sqrt(2 * biases.numel()))


def test_every_base_can_be_asked_for() -> None:
    seen = set()

    class Dials:
        def __init__(self, base: str) -> None:
            self.base = base

        def suggest_categorical(self, name: str, choices: Any) -> Any:
            return self.base if name == "base" else choices[-1]

        def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
            return high

    for base in SEARCHED_BASES:
        candidate = space().ask(Dials(base))
        seen.add(space().init(candidate)["policy"])
    assert seen == {"auto", "lsuv", "shipped"}


def test_found_is_ordered_by_full_length_not_by_the_short_run() -> None:
    def loss(spec: TrialSpec) -> float:
        if spec.steps < BASE.steps:
            return 0.5
        return 0.8 if spec.init["policy"] == "auto" else 0.4

    found: tuple[Found, ...] = search(space(), BASE, Fake(loss), trials=40)
    assert found[0].long == 0.4


def made(short: float, base: str, gain: float) -> Found:
    return Found({"base": base, "gain": gain}, {"policy": base, "gain": gain}, short)


def test_the_best_of_each_kind_go_on_and_the_rest_by_their_loss() -> None:
    found = [made(0.1 * i, "auto", i) for i in range(1, 7)] + [
        made(2.0, "lsuv", 1),
        made(9.0, "gains by role", 1),
    ]
    assert [one.short for one in promoted(found, 4)] == pytest.approx([0.1, 2.0, 0.2, 0.3])
    assert [one.short for one in promoted(found, 8)] == pytest.approx(
        [0.1, 2.0, 9.0, 0.2, 0.3, 0.4, 0.5, 0.6]
    )
    assert promoted([*found, made(0.05, "auto", 1)], 1)[0].short == 0.05
    assert promoted([made(math.inf, "auto", 1)], 4) == []
    assert [one.short for one in unlike(found, 2)] == pytest.approx([0.1, 2.0])
    assert [one.short for one in unlike(found[:6], 2)] == pytest.approx([0.1, 0.2])
