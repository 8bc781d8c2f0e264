"""A method, a check, a kind of task, a policy and an engine of somebody else's: one file, and one line in a tuple each.

Each test writes the file, runs the module that holds the tuple again with the line in it, as an edit would, and then
asks the public suite and the public verb. The policies that break their contract are here too; those of the other
four kinds are told in the tests of `method_contract`, `check_contract`, `task_contract` and `engine`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import initium
from initium.cli.main import main
from initium.diagnose import checks
from initium.engines import Limits, engine_names, open_engine, opening
from initium.errors import ContractError, InitiumError
from initium.methods import catalogue
from initium.plan import policy_table
from initium.study.contest.compare import opened_engine
from initium.study.tasks import kinds
from initium.testing import (
    check_engine,
    check_health_check,
    check_method,
    check_policy,
    check_task_kind,
)

Add = Callable[[ModuleType, str, str, str], ModuleType]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Writes a module `contributed_NAME` and runs a module of ours again with one line more after a given one."""
    edited: list[tuple[ModuleType, dict[str, Any]]] = []
    monkeypatch.syspath_prepend(str(tmp_path))

    def added(ours: ModuleType, text: str, after: str, line: str) -> ModuleType:
        name = f"contributed_{ours.__name__.rpartition('.')[2]}"
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        theirs = importlib.import_module(name)
        source = Path(str(ours.__file__)).read_text(encoding="utf-8")
        assert source.count(f"\n{after}\n") == 1
        start = f"from __future__ import annotations\nimport {name} as mine\n"
        body = source.replace("from __future__ import annotations\n", start, 1)
        edited.append((ours, dict(vars(ours))))
        exec(compile(body.replace(f"\n{after}\n", f"\n{after}\n    {line},\n"), name, "exec"), vars(ours))
        return theirs

    yield added
    for ours, before in edited:
        vars(ours).clear()
        vars(ours).update(before)
    for name in [name for name in sys.modules if name.startswith("contributed_")]:
        del sys.modules[name]


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


METHOD = """
from initium.methods.kit.energy import Energy
from initium.methods.method import Card, Method, Paper, Param
from initium.random.distributions import Normal
from initium.theory.fans import fans


def half_he(layer, *, share):
    return Normal(0.0, (2 * share / max(fans(layer).fan_in, 1)) ** 0.5)


METHODS = (
    Method(
        "half_he",
        "mine",
        "He with a share of the variance.",
        (Param("share", 0.5, "of He's variance", low=0.0, high=1.0),),
        ("linear", "conv", "conv_transpose"),
        Paper("Nobody", 2026, "Half of He"),
        half_he,
        card=Card("N(0, 2 share / fan_in)", "a share of He", "draw", "for tests", "elsewhere"),
    ),
)
"""


def test_a_method(add: Add) -> None:
    add(catalogue, METHOD, "CATALOGUE: tuple[Method, ...] = (", "*mine.METHODS")
    found = catalogue.find("half_he")
    check_method(found)
    assert found in initium.methods(family="mine")
    model = net()
    initium.init_(model, torch.randn(32, 16), policy="half_he:share=0.25")
    weight = model[2].weight.detach()
    assert abs(float(weight.var()) / (0.5 / 64) - 1) < 5 * (2 / weight.numel()) ** 0.5
    assert "Formula: N(0, 2 share / fan_in)" in initium.explain("half_he")
    assert "暂无中文说明" in initium.explain("half_he", lang="zh")
    told = CliRunner().invoke(main, ["explain", "half_he", "--layer", "linear:8,4"])
    assert (told.exit_code, "std 0.353553" in told.output) == (0, True)


CHECK = '''
from initium.diagnose.finding import Finding


def check_size(measures):
    """IN901: a weight beyond 20."""
    for info in measures.record.parameters:
        if abs(info.mean) > 20:
            yield Finding(
                "IN901", "warning", (info.name,), f"mean {info.mean:.3g}", "at most 20", "steps hardly change it",
                "start it anew", {"where": info.name, "method": "he_normal", "params": {}},
            )
'''


def test_a_check(add: Add) -> None:
    mine = add(checks, CHECK, "CHECKS: tuple[Check, ...] = (", "mine.check_size")

    def ill() -> tuple[nn.Module, torch.Tensor]:
        model = net()
        nn.init.constant_(model[4].weight, 30.0)
        return model, torch.randn(32, 16)

    check_health_check(mine.check_size, ill=ill)
    report = initium.diagnose(*ill())
    assert [one.where for one in report.findings if one.code == "IN901"] == [("4.weight",)]
    assert "IN901" in str(report)


def test_a_kind_of_task(add: Add) -> None:
    text = (Path(__file__).parent / "study" / "tasks" / "own_tasks.py").read_text(encoding="utf-8")
    mine = add(kinds, text, "TASK_KINDS: tuple[TaskKind, ...] = (", "mine.KIND")
    check_task_kind(mine.KIND)
    found = initium.compare(
        "mlp4-relu", "brightness", inits=["auto", "zeros"], lrs=[1e-3], seeds=2, confirm=3, engine="serial",
        progress=False,
    )  # fmt: skip
    assert (found.task, found.metric, found.steps, found.batch_size) == ("brightness", "R squared", 60, 32)
    assert found.winner == "auto"


POLICY = '''
from initium.plan.policy import Decided
from initium.plan.records.assignment import Assignment


class Narrow:
    """N(0, 0.01^2) for every parameter."""

    needs = "none"

    def decide(self, record, run):
        made = [
            Assignment(part.name, "normal", part.layer, part.role, "narrow", "small values", {"std": 0.01})
            for part in record.parts.values()
        ]
        return Decided(made, ["every parameter is drawn from N(0, 0.01^2)"])
'''


def test_a_policy(add: Add) -> None:
    mine = add(policy_table, POLICY, "POLICIES: Mapping[str, Policy] = {", '"narrow": mine.Narrow()')
    check_policy(mine.Narrow())
    model = net()
    made = initium.plan(model, torch.randn(32, 16), policy="narrow")
    assert (made.policy, {one.method for one in made}) == ("narrow", {"normal"})
    made.apply(model)
    weight = model[2].weight.detach()
    assert abs(float(weight.std()) / 0.01 - 1) < 5 * (0.5 / weight.numel()) ** 0.5


def test_an_engine(add: Add) -> None:
    text = (Path(__file__).parent / "engines" / "own_engine.py").read_text(encoding="utf-8")
    line = 'EngineKind("threads", mine.ThreadEngine, takes=("num_workers",))'
    add(opening, text, "ENGINES: tuple[EngineKind, ...] = (", line)
    assert engine_names()[0] == "threads"
    check_engine(lambda **options: open_engine("threads", **options), isolated=False)
    cost = initium.compare(
        "mlp4-relu", inits=["he_normal", "zeros"], lrs=[1e-3], engine="threads", workers=2, dry_run=True
    )
    assert cost.workers == 2
    with pytest.raises(InitiumError, match="a limit of time or memory on the threads engine"):
        opened_engine("threads", None, None, Limits(seconds=1.0))


class NoDecide:
    needs = "none"


class OddNeed:
    needs = "everything"

    def decide(self, record: Any, run: Any) -> Any:
        return [], []


class OneArgument:
    needs = "none"

    def decide(self, record: Any) -> Any:
        return [], []


class Answers:
    needs = "none"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def decide(self, record: Any, run: Any) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (NoDecide(), "a NoDecide without a method `decide`"),
        (OddNeed(), "whose `needs` is 'everything'"),
        (OneArgument(), "`decide` cannot be called with a record and a run"),
        (OddNeed, "the class OddNeed, not an object of it"),
        (Answers(None), "policy Answers answered with a NoneType"),
        (Answers((["zeros"], [])), "`assignments` that is no list of Assignment objects"),
        (Answers(([], "a note")), "`notes` that is no list of sentences"),
    ],
)
def test_a_broken_policy_is_named_before_anything_is_written(policy: Any, told: str) -> None:
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ContractError) as error:
        initium.init_(model, torch.randn(32, 16), policy=policy)
    assert told in error.value.seen
    assert error.value.expected
    assert "initium.plan.policy.Policy" in error.value.remedy
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
