"""The design of a comparison: everything that decides which trials it consists of, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from initium.errors import InitiumError, UsageError, UsageTypeError
from initium.study.contest.race import CONFIRM, MOST_FINALISTS, SCREENED
from initium.study.trial.spec import TrialSpec, digest

RATES = {"adamw": (3e-4, 1e-3, 3e-3), "sgd": (0.01, 0.03, 0.1)}
"""The learning rates that are tried where none are given, by optimizer."""
SEEDS = 5
MOST_SEEDS_ASKED = 10_000


@dataclass(frozen=True)
class Design:
    """A comparison of inits of one model on one task.

    Args:
        base: what all trials share; its init, learning rate and seed are replaced.
        inits: label of each init to its data (see `TrialSpec`), in the order of tables.
        lrs: the grid of learning rates, the same for every init.
        seeds: seeds of screening and race, 0 and up.
        confirm: fresh seeds, those after them, on which the finalists are compared.
    """

    base: TrialSpec
    inits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lrs: tuple[float, ...] = ()
    seeds: int = SEEDS
    confirm: int = CONFIRM

    def __post_init__(self) -> None:
        _check_inits(self.inits)
        object.__setattr__(self, "lrs", _checked_rates(self.lrs or RATES[self.base.optimizer]))
        for name, least in (("seeds", SCREENED), ("confirm", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageTypeError(
                    f"{name} is {value!r}", expected="a whole number", remedy=f"give for example {name}=5"
                )
            if not least <= value <= MOST_SEEDS_ASKED:
                raise UsageError(
                    f"{name} is {value}",
                    expected=f"from {least} to {MOST_SEEDS_ASKED:,}",
                    remedy=f"change {name}",
                )

    def spec(self, label: str, lr: float, seed: int) -> TrialSpec:
        """One trial of the comparison."""
        return replace(self.base, init=self.inits[label], lr=lr, seed=seed)

    @property
    def fresh_seeds(self) -> range:
        """The seeds of confirmation."""
        return range(self.seeds, self.seeds + self.confirm)

    def most_confirmed(self, num: int) -> tuple[int, int]:
        """Trials of confirmation, and of the cross-check, if so many inits are left and all are told apart."""
        finalists = min(num, MOST_FINALISTS)
        return finalists * self.confirm, (finalists - 1) * (len(self.lrs) - 1) * self.confirm

    @property
    def most_batches(self) -> tuple[int, ...]:
        """Trials that can run at a time, batch by batch, if no init were dropped."""
        num = len(self.inits)
        race = [num] * (self.seeds - SCREENED)
        return (num * len(self.lrs) * SCREENED, *race, *self.most_confirmed(num))

    @property
    def fewest_batches(self) -> tuple[int, ...]:
        """The same if all inits but one were dropped as soon as may be, after the third seed, and rates were clear."""
        num = len(self.inits)
        race = [num, *[1] * (self.seeds - SCREENED - 1)] if self.seeds > SCREENED else []
        return (num * len(self.lrs) * SCREENED, *race, 2 * self.confirm)

    @property
    def most_trials(self) -> int:
        """Trials if no init were dropped."""
        return sum(self.most_batches)

    @property
    def key(self) -> str:
        """A digest of the content."""
        return digest(self.to_data())

    def to_data(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self) | {"lrs": list(self.lrs)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The design that `to_data` wrote.

        Raises:
            UsageError, UsageTypeError: fields are missing, unknown or of another kind.
        """
        try:
            if set(data) != {one.name for one in fields(cls)}:
                raise ValueError(f"the fields {', '.join(sorted(data))}")
            made = cls(**{**data, "base": TrialSpec.from_data(data["base"]), "lrs": tuple(data["lrs"])})
            for label in made.inits:
                made.spec(label, made.lrs[0], 0)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:  # ours are some of these
            if isinstance(error, InitiumError):
                raise
            raise UsageError(
                f"data that are no design ({error})",
                expected=", ".join(sorted(one.name for one in fields(cls))),
                remedy="make them with Design.to_data",
            ) from error
        return made


def _check_inits(inits: Mapping[str, Mapping[str, Any]]) -> None:
    if len(inits) < 2:
        raise UsageError(
            f"{len(inits)} inits to compare",
            expected="at least two, under different labels",
            remedy='give for example inits=["auto", "shipped"]',
        )


def _checked_rates(lrs: Sequence[float]) -> tuple[float, ...]:
    rates = tuple(float(one) for one in lrs)
    if len(set(rates)) != len(rates) or not all(0 < one < math.inf for one in rates):
        raise UsageError(
            f"learning rates {', '.join(map(str, lrs))}",
            expected="different numbers above 0",
            remedy="give for example lrs=[3e-4, 1e-3, 3e-3]",
        )
    return tuple(sorted(rates))
