"""The outcome of a search as an immutable record: what was found, whether it beat the baselines, and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initium.codec import Stored
from initium.plan import Plan
from initium.report import Readable
from initium.study.contest.comparison import Comparison
from initium.study.search.search import Found

BASELINES = ("auto", "shipped")


@dataclass(frozen=True)
class Tuning(Readable, Stored):
    """What a search found.

    Args:
        plan: of the start to use: of the winner, else of the best one that nothing was shown to beat, a baseline first.
        chosen: its label in the comparison.
        inits: label to init of everything that was compared, as plain data.
        found: candidates that were tried at full length, best first; a lower loss than another's proves nothing.
        comparison: of the best of them with the baselines, on seeds that the search did not see.
        budget: trials of full length that were allowed.
        num_trials: trials that the store was asked for, short ones among them.
        seconds: wall time.

    Example:
        >>> import torch, initium
        >>> from initium.study.contest import race
        >>> plan = initium.plan(torch.nn.Linear(8, 4), torch.randn(16, 8), policy="shipped")
        >>> proof = Comparison("mlp8-relu", "classification", "accuracy", "adamw", (1e-3,), 150, 128, 5, 8, 0.02, False,
        ...                    (), race.decide({}, {}))
        >>> Tuning(plan, "shipped", {}, (), proof, 160, 0, 0.0).beat_baselines
        False
    """

    plan: Plan
    chosen: str
    inits: Mapping[str, Mapping[str, Any]]
    found: tuple[Found, ...]
    comparison: Comparison
    budget: int
    num_trials: int
    seconds: float

    @property
    def init(self) -> Mapping[str, Any]:
        """The chosen start as plain data, an init for `compare`."""
        return self.inits[self.chosen]

    @property
    def beat_baselines(self) -> bool:
        """Whether a start that the search found won on fresh seeds."""
        return self.comparison.winner is not None and self.comparison.winner not in BASELINES

    @property
    def sentence(self) -> str:
        """The outcome."""
        if self.beat_baselines:
            return f"{self.chosen} beats {' and '.join(BASELINES)}. {self.comparison.sentences[0]}"
        return f"Nothing that was found is shown to beat {self.chosen}. {self.comparison.sentences[0]}"
