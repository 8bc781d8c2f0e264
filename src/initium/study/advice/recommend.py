"""`recommend`: what theory, diagnosis and recorded runs of like nets say of a model's start."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from torch import nn

from initium import plain_data
from initium.diagnose import HealthReport, diagnose
from initium.plan import Plan
from initium.plan.build import planned, planned_by_theory
from initium.record.record import Inputs, Record, alone
from initium.report import Readable
from initium.study.advice.net_traits import LIKE, Traits

EVIDENCE_FORMAT = "initium.evidence/1"
FILE = "evidence.json"
MOST_NETS = 3


@dataclass(frozen=True)
class Line:
    """One init of a recorded net.

    Args:
        init: its name.
        lr: its best learning rate.
        loss: mean training loss over the run, over the seeds.
        final_loss: of the last steps.
        metric: score on the test samples.
        num: seeds.
    """

    init: str
    lr: float
    loss: float
    final_loss: float
    metric: float
    num: int


@dataclass(frozen=True)
class Evidence:
    """What was recorded of one net.

    Args:
        run: name of the run, to cite it by.
        model: the net.
        task: what it learned.
        traits: of the net.
        setting: optimizer, steps, batch.
        lines: inits, best first.
    """

    run: str
    model: str
    task: str
    traits: Traits
    setting: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Recommendation(Readable):
    """What to start a model from, and why.

    Args:
        model: class name of the model.
        traits: what it is like.
        shipped: the diagnosis of the model as it is.
        plan: what policy "auto" would do.
        like: recorded nets that are like it with their distances, nearest first.
        source: where and when the runs were recorded.
    """

    model: str
    traits: Traits
    shipped: HealthReport
    plan: Plan
    like: tuple[tuple[float, Evidence], ...]
    source: str

    @property
    def sentence(self) -> str:
        """The advice."""
        verdict, changed = self.shipped.verdict, sum(not one.keeps for one in self.plan)
        if verdict != "healthy" and not changed:
            return f"The model as it is is {verdict}, and auto has nothing better: see the findings."
        if verdict != "healthy":
            return f"Use policy auto, since the model as it is is {verdict}. {self._seen()}"
        if not changed:
            return "Keep the weights as they are: they are sound, and auto would change none."
        return (
            f"The start is sound; auto would change {changed} of {len(self.plan)} parameters. {self._seen()}"
        )

    def _seen(self) -> str:
        if not self.like:
            return "No recorded net is like this one."
        told = "; ".join(_standing_of_auto(one) for _, one in self.like)
        return f"In recorded nets that are like it, {told}."

    def to_json(self) -> str:
        """The record as JSON text."""
        like = [
            {"run": one.run, "model": one.model, "distance": far, "inits": [vars(line) for line in one.lines]}
            for far, one in self.like
        ]
        data = {
            "format": "initium.recommendation/1",
            "advice": self.sentence,
            "model": self.model,
            "traits": self.traits.to_data(),
            "verdict as it is": self.shipped.verdict,
            "verdict with auto": self.plan.verdict,
            "like": like,
            "source": self.source,
        }
        return json.dumps(data, indent=1)


def recommend(model: nn.Module | Record, inputs: Inputs | None = None, *, seed: int = 0) -> Recommendation:
    """Advice from theory (the plan), diagnosis, and recorded runs of nets that are like this one by what a run shows.

    Args:
        model: any module; or a `Record` of one, whose plan is then by theory alone, with no scale calibrated.
        inputs: what it takes; see `initium.diagnose`.
        seed: of everything random.

    Raises:
        ModelRunError, UsageError, UsageTypeError: as of `initium.diagnose`.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
        >>> recommend(net, torch.randn(32, 8)).traits.chain
        2
    """
    seen, shipped, made = _planned(model, inputs, seed)
    traits = Traits.of(seen)
    source, known = evidence()
    near = sorted(((traits.distance(one.traits), one) for one in known), key=lambda pair: pair[0])
    return Recommendation(
        model=seen.model,
        traits=traits,
        shipped=shipped,
        plan=made,
        like=tuple(pair for pair in near if pair[0] <= LIKE)[:MOST_NETS],
        source=source,
    )


def _planned(
    model: nn.Module | Record, inputs: Inputs | None, seed: int
) -> tuple[Record, HealthReport, Plan]:
    """The record, the diagnosis and the plan of a model, from the runs that the plan takes anyway."""
    if isinstance(model, Record):
        seen = alone(model, inputs, None, None)
        return seen, diagnose(seen), planned_by_theory(seen, seed=seed)
    made = planned(model, inputs, policy="auto", rules=(), forward=None, loss=None, seed=seed)
    shipped = made.before or diagnose(model, inputs, seed=seed)
    return made.record, shipped, replace(made.plan, predicted=made.predictions())


@functools.cache
def evidence() -> tuple[str, tuple[Evidence, ...]]:
    """Where the recorded runs come from, and the runs."""
    data = json.loads(resources.files("initium.data").joinpath("files", FILE).read_text("utf-8"))
    return read_evidence(data)


def read_evidence(data: Mapping[str, Any]) -> tuple[str, tuple[Evidence, ...]]:
    """The runs in what `benchmarks/evidence.py` writes; raises ValueError or KeyError for anything else."""
    if data["format"] != EVIDENCE_FORMAT:
        raise ValueError(f"no {EVIDENCE_FORMAT!r} mark")
    made = {name: plain_data.text(data[name]) for name in ("date", "initium", "torch", "machine")}
    source = f"recorded {made['date']} with initium {made['initium']} and torch {made['torch']} on {made['machine']}"
    return source, tuple(_evidence(one) for one in data["runs"])


def _evidence(one: Mapping[str, Any]) -> Evidence:
    numbers = ("lr", "loss", "final_loss", "metric")
    lines = [
        Line(
            init=plain_data.text(x["init"]),
            num=plain_data.whole(x["num"], 1),
            **{k: plain_data.number(x[k]) for k in numbers},
        )
        for x in one["inits"]
    ]
    return Evidence(
        run=plain_data.text(one["run"]),
        model=plain_data.text(one["model"]),
        task=plain_data.text(one["task"]),
        traits=Traits.from_data(one["traits"]),
        setting=plain_data.text(one["setting"]),
        lines=tuple(sorted(lines, key=lambda line: line.loss)),
    )


def _standing_of_auto(one: Evidence) -> str:
    """How auto did in a recorded net."""
    auto = next((line for line in one.lines if line.init == "auto"), None)
    first = one.lines[0]
    if auto is None:
        return f"{first.init} had the lowest loss ({one.model})"
    if auto is first:
        rest = [f", {line.init} {_more(line, auto)} more" for line in one.lines[1:2]]
        return f"auto had the lowest loss{''.join(rest)} ({one.model})"
    return f"{first.init} had the lowest loss, auto {_more(auto, first)} more ({one.model})"


def _more(line: Line, least: Line) -> str:
    return f"{100 * (line.loss / least.loss - 1):.0f} %"
