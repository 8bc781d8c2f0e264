"""What a search can vary: the dials, and the weights that a candidate stands for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from initium.study.search.space import Space, base_of, space_of
from initium.study.tasks import Probe, open_task
from initium.study.trial.inits import start
from initium.theory.criticality import critical_point, start_of

LRS = (1e-3, 3e-3)
DEPTH = 8


class Answers:
    """Dials that are set beforehand; remembers what was asked."""

    def __init__(self, **values: Any) -> None:
        self.values, self.asked = values, {}  # type: ignore[var-annotated]

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.asked[name] = tuple(choices)
        return self.values.get(name, choices[0])

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.asked[name] = (low, high, log)
        return float(self.values.get(name, low))


@cache
def space() -> Space:
    return space_of(net, Probe(torch.randn(32, 40), None, None), LRS)


def net() -> nn.Module:
    sizes = [40, *[64] * (DEPTH - 1), 10]
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def test_a_plain_chain_is_one_group_a_head_and_its_biases() -> None:
    found = space()
    names = [f"{2 * i}.weight" for i in range(DEPTH)]
    assert [name for group in found.groups.values() for name in group] == names[:-1]
    assert found.heads == (names[-1],)
    assert found.biases == tuple(f"{2 * i}.bias" for i in range(DEPTH))
    assert found.lrs == LRS


def test_frozen_and_tied_weights_are_not_set() -> None:
    def make() -> nn.Module:
        made = net()
        made[2].weight.requires_grad_(False)
        made[6].weight = made[4].weight
        return made

    found = space_of(make, Probe(torch.randn(32, 40), None, None), LRS)
    named = {name for group in found.groups.values() for name in group}
    assert named == {"0.weight", "8.weight", "10.weight", "12.weight"}


def by_role() -> str:
    """The base whose gains are searched role by role."""
    return str(space().theory[0]["base"])


def test_theory_proposes_the_starts_of_the_chain_and_of_a_shorter_one() -> None:
    """The gain of the start, then sqrt(w) of the critical point, for 8 weights in a row and for the fewest, 2.

    The recorded tanh is a table of a few hundred points, within 1 % of the function.
    """
    found = [next(value for key, value in one.items() if key.startswith("gain")) for one in space().theory]
    expected: list[float] = []
    for depth in (DEPTH, 2):
        for gain in (start_of("tanh", depth, mirror=False).gain, math.sqrt(critical_point("tanh", depth).w)):
            if not any(abs(gain - known) < 0.01 for known in expected):
                expected.append(gain)
    assert found == pytest.approx(expected, rel=0.01)


def test_only_the_dials_that_apply_are_asked_for() -> None:
    dials = Answers(base="auto")
    assert space().ask(dials) == {"lr": 1e-3, "base": "auto", "bias": "base"}
    assert dials.asked.keys() == {"lr", "base", "head", "bias"}
    dials = Answers(base=by_role(), method="centred_orthogonal", centring=0.5, head="scaled", bias="spread")
    found = space().ask(dials)
    role = next(iter(space().groups))
    assert found == {
        "lr": 1e-3, "base": by_role(), "method": "centred_orthogonal", f"gain {role}": 0.3, "centring": 0.5,
        "gain head": 0.05, "bias": "spread",
    }  # fmt: skip
    assert dials.asked[f"gain {role}"] == (0.3, 12.0, True)
    assert dials.asked["gain head"] == (0.05, 4.0, True)
    assert dials.asked["centring"] == (0.0, 1.0, False)
    dials = Answers()
    Space({}, (), (), LRS).ask(dials)
    assert dials.asked["base"] == ("auto", "lsuv")


def test_policies_and_theory_come_first_at_every_rate_the_highest_first() -> None:
    first = space().first()
    assert len(first) == (2 + len(space().theory)) * len(LRS)
    assert [one["lr"] for one in first[:4]] == [3e-3, 1e-3, 3e-3, 1e-3]
    assert [one["base"] for one in first[:5]] == ["auto", "auto", "lsuv", "lsuv", by_role()]


@pytest.mark.parametrize(
    ("method", "gain"), [("normal", 1.7), ("orthogonal", 0.6), ("centred_orthogonal", 2.5)]
)
def test_a_free_start_has_the_variance_of_its_gain(method: str, gain: float) -> None:
    """gain^2 / fan_in of 63 x 64 numbers: the deviation errs by 1 / sqrt(2 x 4096) = 1.1 % where they are normal.

    Centring takes off c (2 - c) of the mean of a row, which holds 1 / 64 of its square.
    """
    role = next(iter(space().groups))
    candidate = {"base": by_role(), "method": method, f"gain {role}": gain, "centring": 0.5, "gain head": 0.4}
    init = space().init(candidate)
    assert base_of(init) == by_role()
    model = net()
    start(model, init, Probe(torch.randn(32, 40), None, None), seed=0)
    for index in range(2, 2 * DEPTH - 2, 2):
        assert model[index].weight.std().item() == pytest.approx(gain / 8, rel=0.06)
    assert model[-1].weight.std().item() == pytest.approx(0.4 / 8, rel=5 / math.sqrt(2 * 640))
    biases = [one for name, one in model.named_parameters() if name.endswith("bias")]
    assert not any(bool(one.any()) for one in biases)
    means = model[2].weight.mean(1).abs().max().item()
    if method == "centred_orthogonal":
        assert means < 0.5 * net_means(gain)


def net_means(gain: float) -> float:
    """The largest row mean that 64 uncentred rows of such a spread would have, of 64 normal ones about 2.5 sigma."""
    return 3.5 * gain / 64


def test_spread_biases_and_policies() -> None:
    init = space().init({"base": "auto", "bias": "spread"})
    assert base_of(init) == "auto"
    assert {rule["method"] for rule in init["rules"]} == {"normal"}
    assert {rule["params"]["std"] for rule in init["rules"]} == {0.1}
    assert len(init["rules"]) == DEPTH
    assert space().init({"base": "lsuv"}) == {"kind": "policy", "policy": "lsuv"}
    scaled = space().init({"base": "auto", "gain head": 0.5})["rules"]
    assert [(one["where"], one["params"]) for one in scaled] == [(space().heads[0], {"scale": 0.25})]


def test_a_standard_model_has_a_space() -> None:
    task = open_task("classification")
    found = space_of(lambda: task.make_model("mlp4-sigmoid"), task.probe(), LRS)
    assert sum(len(group) for group in found.groups.values()) + len(found.heads) == 4
