"""The course of a comparison on made-up losses: who is screened, stopped and confirmed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from initium.engines import Failed
from initium.errors import TrialError, UsageError, UsageTypeError
from initium.study.contest.conduct import Cell, Conduct, Due, losers
from initium.study.contest.design import Design
from initium.study.run.runner import Ended
from initium.study.trial.inits import Health
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

BASE = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"})
INITS = {name: {"kind": "policy", "policy": name} for name in ("auto", "lsuv", "he_normal", "shipped")}
LEVEL = {"auto": 0.5, "lsuv": 0.52, "he_normal": 0.9, "shipped": 2.0}


def design(**changes: object) -> Design:
    return replace(Design(BASE, INITS, (1e-3, 3e-3)), **changes)  # type: ignore[arg-type]


def result(area: float) -> TrialResult:
    return TrialResult((area,), area, area, 0.5, area, False, 1, 0.1, Health("healthy", 0.0))


def loss(cell: Cell) -> float:
    """Seed noise that all share, noise of the cell, and a learning rate that is wrong."""
    shared, own = random.Random(cell.seed).gauss(0, 0.05), random.Random(repr(cell)).gauss(0, 0.03)
    return LEVEL[cell.label] + shared + own + (0.3 if cell.lr == 3e-3 else 0.0)


def play(conduct: Conduct, loss: Callable[[Cell], float] = loss) -> list[Due]:
    steps = []
    for due in conduct.phases():
        steps.append(due)
        conduct.take({cell: Ended(conduct.spec(cell), result(loss(cell))) for cell in due.cells})
    return steps


def test_the_course_of_a_comparison() -> None:
    conduct = Conduct(design())
    steps = play(conduct)
    assert [due.phase for due in steps] == ["screening", "race", "race", "race", "confirmation"]
    assert len(steps[0].cells) == 4 * 2 * 2
    assert len(steps[1].cells) == 4
    assert {label: conduct.rate(label) for label in INITS} == dict.fromkeys(INITS, 1e-3)
    assert conduct.stopped["shipped"] == 3
    assert "he_normal" in conduct.stopped
    assert set(conduct.finalists) >= {"auto"}
    assert len(conduct.finalists) >= 2
    assert {cell.seed for cell in steps[-1].cells} == set(range(5, 13))
    assert conduct.finished


def test_the_trials_lie_between_the_announced_bounds() -> None:
    plain = design()
    steps = play(Conduct(plain))
    num = sum(len(due.cells) for due in steps)
    assert sum(plain.fewest_batches) <= num <= plain.most_trials == steps[0].most
    for index, due in enumerate(steps):
        assert due.most >= sum(len(later.cells) for later in steps[index:]) - 2 * plain.confirm


def test_the_bounds_are_reached() -> None:
    far = {name: float(i) for i, name in enumerate(INITS)}

    def noisy(cell: Cell) -> float:
        return far[cell.label] + random.Random(repr(cell)).gauss(0, 1e-3)

    clear = play(Conduct(design()), lambda cell: noisy(cell) + (0.5 if cell.lr == 3e-3 else 0.0))
    assert tuple(len(due.cells) for due in clear) == design().fewest_batches
    equal = play(Conduct(design()), lambda cell: 1.0 if cell.seed < 5 else noisy(cell))
    assert tuple(len(due.cells) for due in equal) == design().most_batches
    assert sum(design().most_batches) == design().most_trials


def test_those_that_are_beaten_are_run_at_the_other_rates_that_may_be_their_best() -> None:
    """Equal until the fresh seeds; two rates of `near` are tied, those of `clear` are not, `best` has another rate."""
    gaps = {"best": (0.5, 0.0), "near": (0.0, 0.02), "clear": (0.0, 0.5)}
    lrs = (1e-3, 3e-3, 1e-2)

    def loss(cell: Cell) -> float:
        later = 0.5 if cell.seed >= 5 and cell.label != "best" else 0.0
        gap = dict(zip(lrs, (*gaps[cell.label], 3.0), strict=True))[cell.lr]
        own = random.Random(repr(cell) if gap or later else cell.seed)
        return 1.0 + later + gap + own.gauss(0, 0.005)

    made = design(inits={name: {"kind": "policy", "policy": "auto"} for name in gaps}, lrs=lrs)
    conduct = Conduct(made)
    last = play(conduct, loss)[-1]
    assert conduct.likely == {"best": (3e-3,), "near": (1e-3, 3e-3), "clear": (1e-3,)}
    assert last.phase == "cross-check"
    assert {(cell.label, cell.lr) for cell in last.cells} == {("near", 3e-3), ("clear", 3e-3)}
    assert {cell.seed for cell in last.cells} == set(made.fresh_seeds)


def test_what_is_not_told_apart_is_not_run_again() -> None:
    steps = play(Conduct(design()), lambda cell: 1.0 + random.Random(repr(cell)).gauss(0, 0.001))
    assert [due.phase for due in steps][-1] == "confirmation"


def test_the_outcome_does_not_depend_on_the_order_of_results() -> None:
    one, other = Conduct(design()), Conduct(design())
    play(one)
    for due in other.phases():
        for cell in reversed(due.cells):
            other.take({cell: Ended(other.spec(cell), result(loss(cell)))})
    assert vars(one) == {**vars(other), "results": one.results}
    assert one.results == other.results


def test_an_init_whose_trial_failed_is_out_and_told_of() -> None:
    conduct = Conduct(design())
    for due in conduct.phases():
        ended = {cell: Ended(conduct.spec(cell), result(loss(cell))) for cell in due.cells}
        bad = Cell("lsuv", 3e-3, 1)
        if bad in ended:
            ended[bad] = Ended(conduct.spec(bad), None, Failed("key", "memory", "used 3 GB, more than 2"))
        conduct.take(ended)
    assert conduct.failed == {"lsuv": "seed 1, learning rate 0.003: used 3 GB, more than 2"}
    assert "lsuv" not in conduct.finalists


def test_when_all_fail_the_first_message_is_told() -> None:
    conduct = Conduct(design())
    course = conduct.phases()
    due = next(course)
    failed = Failed("key", "error", "RuntimeError: no device")
    conduct.take({cell: Ended(conduct.spec(cell), None, failed) for cell in due.cells})
    with pytest.raises(TrialError, match="no device"):
        next(course)


def test_losers_are_stopped_from_the_third_seed_on() -> None:
    near, far = {0: 1.0, 1: 1.2, 2: 0.9}, {0: 2.0, 1: 2.3, 2: 1.8}
    assert losers({"near": near, "far": far}) == ("far",)
    assert losers({"near": {0: 1.0, 1: 1.1}, "far": {0: 2.0, 1: 2.1}}) == ()
    assert losers({"near": near, "same": near}) == ()


def test_a_design_survives_json_and_orders_its_rates() -> None:
    made = design(lrs=(3e-3, 1e-3))
    assert made.lrs == (1e-3, 3e-3)
    assert Design.from_data(made.to_data()) == made
    assert Design.from_data(made.to_data()).key == made.key != design(seeds=6).key
    assert Design(replace(BASE, optimizer="sgd"), INITS).lrs == (0.01, 0.03, 0.1)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"inits": {"auto": INITS["auto"]}}, UsageError, "at least two"),
        ({"lrs": (1e-3, 1e-3)}, UsageError, "different numbers"),
        ({"lrs": (-1.0,)}, UsageError, "learning rates"),
        ({"seeds": 1}, UsageError, "from 2 to"),
        ({"confirm": True}, UsageTypeError, "whole number"),
    ],
)
def test_designs_that_say_nothing_are_refused(
    changes: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        design(**changes)
