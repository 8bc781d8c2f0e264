"""How a study goes: a live table on a terminal, lines of a log elsewhere; always on standard error."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from initium.report import clean, duration, number
from initium.study.contest.design import Design
from initium.study.run.runner import Ended
from initium.study.trial.spec import TrialSpec, digest


@dataclass
class Row:
    """One init so far.

    Args:
        done: trials that ended.
        failed: those of them that failed or diverged.
        best: lowest loss of its trials.
        lr: at which learning rate.
        alive: whether it is part of the phase.
    """

    done: int = 0
    failed: int = 0
    best: float = math.inf
    lr: float = 0.0
    alive: bool = True


class Progress:
    """A `Watch` that shows what it is told.

    Args:
        labels: names of the rows.
        label_of: the row that a trial belongs to.
        workers: trials at a time.
        part: of what `begin` tells the most trials, if not of the whole study: " of this stage".
        idle: state of a row that has no trial in the phase.
        console: where to; standard error where it is None.
    """

    def __init__(
        self,
        labels: Iterable[str],
        label_of: Callable[[TrialSpec], str],
        workers: int,
        *,
        part: str = "",
        idle: str = "stopped",
        console: Console | None = None,
    ) -> None:
        self.console = console or Console(stderr=True)
        self.workers, self.label_of, self.part, self.idle = workers, label_of, part, idle
        self.rows = {label: Row() for label in labels}
        self.phase, self.left, self.done = "", 0, 0
        self.phase_num = self.phase_done = 0
        self.busy, self.ran, self.steps = 0.0, 0, set[int]()
        self.start = time.monotonic()
        self._live = Live(
            console=self.console, get_renderable=self.table, refresh_per_second=2, transient=True
        )

    @classmethod
    def of(cls, design: Design, workers: int, *, console: Console | None = None) -> Self:
        """The progress of a comparison, with a row for each init."""
        labels = {digest(dict(data)): label for label, data in design.inits.items()}
        return cls(design.inits, lambda spec: labels[digest(dict(spec.init))], workers, console=console)

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        """See `Watch.begin`."""
        new, self.phase = phase != self.phase, phase
        self.phase_num, self.phase_done, self.left = len(specs), 0, most
        steps = {spec.steps for spec in specs}
        if steps != self.steps:
            self.steps, self.busy, self.ran = steps, 0.0, 0
        alive = {self.label_of(one) for one in specs}
        for label, row in self.rows.items():
            row.alive = label in alive
        if not self.console.is_terminal and new:
            self._say(
                f"{phase}: {len(specs)} trials of {len(alive)} inits; at most {most} until the end{self.part}"
            )

    def ended(self, one: Ended) -> None:
        """See `Watch.ended`."""
        self.done, self.left, self.phase_done = self.done + 1, self.left - 1, self.phase_done + 1
        if not one.kept:
            self.busy, self.ran = self.busy + one.seconds, self.ran + 1
        label = self.label_of(one.spec)
        self._note(self.rows[label], one)
        if not self.console.is_terminal and not one.kept:
            self._say(self._line(label, one))

    def _note(self, row: Row, one: Ended) -> None:
        row.done += 1
        result = one.result
        if result is None or result.diverged:
            row.failed += 1
        elif result.area < row.best:
            row.best, row.lr = result.area, one.spec.lr

    def _line(self, label: str, one: Ended) -> str:
        what = f"[{self.done}/{self.done + self.left}] {label} lr {one.spec.lr:g} seed {one.spec.seed}"
        if one.failure is not None:
            return f"{what}: failed ({one.failure.cause}): {one.failure.message}"
        assert one.result is not None
        state = "diverged" if one.result.diverged else f"loss {one.result.final_loss:.3f}"
        return f"{what}: {state}, {duration(one.seconds)}; {self.rest()}"

    def rest(self) -> str:
        """How long it will take at most, in words."""
        if not self.ran:
            return "time left not known yet"
        return f"at most {duration(self.left * self.busy / self.ran / self.workers)} left{self.part}"

    def table(self) -> Table:
        """The state as a table."""
        table = Table(
            title=f"{self.phase}: {self.phase_done} of {self.phase_num} trials",
            caption=f"{self.done} trials after {duration(time.monotonic() - self.start)}, {self.rest()}",
        )
        for name in ("init", "trials", "lowest mean loss", "at lr", "state"):
            table.add_column(name, justify="left" if name in ("init", "state") else "right")
        for label, row in sorted(self.rows.items(), key=lambda item: item[1].best):
            table.add_row(Text(clean(label)), str(row.done), *self._cells(row))
        return table

    def _cells(self, row: Row) -> tuple[str, str, str]:
        state = "running" if row.alive else self.idle
        bad = f"{row.failed} diverged or failed" if row.failed else ""
        best = number(row.best) if math.isfinite(row.best) else "-"
        return best, f"{row.lr:g}" if row.lr else "-", ", ".join(part for part in (state, bad) if part)

    def _say(self, text: str) -> None:
        self.console.print(Text(clean(text)), soft_wrap=True)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
