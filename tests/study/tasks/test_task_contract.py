"""Tasks of one's own: what a study asks of them, told before a trial runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.study.tasks import own_tasks

import initium
from initium.errors import ContractError, UsageError
from initium.study.contest.request import design_of
from initium.study.tasks import Task, open_task
from initium.study.tasks.task_contract import checked
from initium.study.trial.inits import init_data
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import run_trial

ASKED = {"inits": ["auto", "shipped"], "seeds": 3, "confirm": 3}


class Listing(list[int]):
    """Samples that hand out what a Dataset would."""

    def take(self, indices: torch.Tensor) -> Any:
        return [self[i] for i in indices.tolist()]


class Nothing(Listing):
    def __init__(self) -> None:
        super().__init__([])


def goal(**others: Any) -> Any:
    made = own_tasks.Brightness()
    for name, value in others.items():
        object.__setattr__(made, name, value)
    return made


BROKEN: dict[str, tuple[Callable[[Task], Task], str]] = {
    "no metric": (lambda task: replace(task, goal=goal(metric="")), "no text `metric`"),
    "a score of two arguments": (lambda task: replace(task, goal=goal(score=lambda a, b: 0)), "no `score` of 3"),
    "no loss": (lambda task: replace(task, goal=goal(loss=None)), "no `loss` of 2"),
    "a ceiling of nan": (lambda task: replace(task, goal=goal(ceiling=lambda num: float("nan"))), "ceiling"),
    "a list of samples": (lambda task: replace(task, train=[1, 2]), "`train`: no `take`"),  # type: ignore[arg-type]
    "no batch": (lambda task: replace(task, test=Listing([1])), "`take` returned a list"),
    "no samples": (lambda task: replace(task, test=Nothing()), "`test`: a Nothing without samples"),
    "no classes": (lambda task: replace(task, classes=()), "classes are ()"),
    "no source": (lambda task: replace(task, source={}), "opens nothing"),
    "a source that is not plain": (lambda task: replace(task, source={"function": len}), "not plain"),
    "a source of no kind": (lambda task: replace(task, source={"kind": "brightness"}), "no worker can open it"),
    "another task's source": (
        lambda task: replace(task, source={"kind": "classification"}), "its source opens another task: the kind",
    ),
    "other samples than the source's": (
        lambda task: replace(task, train=own_tasks.samples(9, 0)), "number of training samples is 400, not 9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_task_is_named_before_a_trial_runs(kind: str) -> None:
    change, told = BROKEN[kind]
    with pytest.raises(ContractError) as error:
        initium.compare("mlp8-relu", change(own_tasks.make_task()), engine="serial", progress=False)
    assert told in error.value.seen
    assert "initium.study.tasks.Task" in error.value.expected
    assert "check_task" in error.value.remedy


def test_a_task_that_does_not_say_how_long_a_trial_is_must_be_told() -> None:
    silent = replace(own_tasks.make_task(), steps=None)
    with pytest.raises(ContractError, match="says no number of steps") as error:
        design_of("mlp8-relu", silent, **ASKED)
    assert "classification, detection, segmentation" in error.value.expected
    design = design_of("mlp8-relu", silent, steps=7, batch_size=5, **ASKED)
    assert (design.base.steps, design.base.batch_size) == (7, 5)


def test_a_task_of_an_unlisted_kind_says_what_the_tuple_says_of_others() -> None:
    base = design_of("", own_tasks.make_task(), **ASKED).base
    assert (base.model, base.steps, base.batch_size) == ("mlp8-relu", 60, 32)
    opened = open_task(base.task)
    assert (opened.kind, opened.metric, opened.source["metric"]) == ("brightness", "R squared", "R squared")
    assert checked(opened) is opened


def test_a_function_that_makes_no_task_is_told() -> None:
    with pytest.raises(ContractError, match="returned a int"):
        open_task({"function": own_tasks.no_task})
    with pytest.raises(UsageError, match=r"raises raised KeyError: 'labels'"):
        open_task({"function": own_tasks.raises})


def test_a_trial_trains_on_a_task_of_ones_own() -> None:
    """Zero weights let through the bias alone, whose best loss is the variance, 1; a start that trains is below."""
    source = dict(open_task({"function": own_tasks.make_task}).source)
    losses = {}
    for name in ("auto", "zeros"):
        spec = TrialSpec("mlp4-relu", init_data(name), source, lr=1e-3, steps=60, batch_size=32)
        losses[name] = run_trial(spec.to_data())["final_loss"]
    assert losses["auto"] < 0.5 < 0.8 < losses["zeros"] < 1.3
