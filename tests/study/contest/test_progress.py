"""What is shown of a study under way, on a terminal and in a log."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console
from tests.study.contest.test_conduct import design, result

from initium.engines import Failed
from initium.study.contest.conduct import Cell
from initium.study.contest.progress import Progress
from initium.study.run.runner import Ended

DESIGN = design()


def ended(
    label: str, area: float, seconds: float = 4.0, *, diverged: bool = False, kept: bool = False
) -> Ended:
    cell = Cell(label, 1e-3, 0)
    spec = DESIGN.spec(cell.label, cell.lr, cell.seed)
    return Ended(spec, replace(result(area), diverged=diverged), seconds=seconds, kept=kept)


def specs(*labels: str) -> list:
    return [DESIGN.spec(label, 1e-3, seed) for label in labels for seed in range(2)]


def shown(progress: Progress) -> str:
    progress.console.print(progress.table())
    file = progress.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def on(terminal: bool) -> Progress:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    return Progress.of(DESIGN, 2, console=console)


def test_the_table_tells_best_alive_and_time_left() -> None:
    progress = on(True)
    progress.begin("race", specs("auto", "lsuv"), 11)
    progress.ended(ended("lsuv", 0.75))
    progress.ended(ended("auto", 0.5))
    text = shown(progress)
    assert "race: 2 of 4 trials" in text
    assert "at most 18.0 s left" in text  # 9 trials of 4 s on 2 workers
    assert text.index("auto") < text.index("lsuv") < text.index("he_normal")
    states = {name: next(line for line in text.splitlines() if name in line) for name in ("auto", "shipped")}
    assert "running" in states["auto"]
    assert "stopped" in states["shipped"]


def test_kept_trials_count_and_cost_no_time() -> None:
    progress = on(True)
    progress.begin("screening", specs("auto"), 10)
    progress.ended(ended("auto", 0.5, 0.0, kept=True))
    assert progress.rest() == "time left not known yet"
    assert progress.left == 9


def test_lines_without_a_terminal() -> None:
    progress = on(False)
    with progress:
        progress.begin("screening", specs("auto", "lsuv"), 10)
        progress.ended(ended("auto", 0.5))
        progress.ended(ended("lsuv", 4.6, diverged=True))
        failed = Failed("key", "memory", "used 3 GB\x1b[31m")
        progress.ended(Ended(DESIGN.spec("lsuv", 1e-3, 1), None, failed))
    file = progress.console.file
    assert isinstance(file, io.StringIO)
    lines = file.getvalue().splitlines()
    assert lines[0] == "screening: 4 trials of 2 inits; at most 10 until the end"
    assert lines[1] == "[1/10] auto lr 0.001 seed 0: loss 0.500, 4.0 s; at most 18.0 s left"
    assert "diverged" in lines[2]
    assert lines[3] == r"[3/10] lsuv lr 0.001 seed 1: failed (memory): used 3 GB\x1b[31m"
