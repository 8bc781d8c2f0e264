"""How comparisons stand in JSON: strict in what is read, so a hostile file is an error and never code."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from initium import plain_data
from initium.codec import NULLS, Form, Read, register
from initium.study.contest.comparison import Comparison
from initium.study.contest.race import Decision, Pair
from initium.study.contest.standing import Curve, Score, Standing
from initium.study.contest.statistics import Difference

COMPARISON_FORMAT = "initium.comparison/1"


def _at_least(low: int) -> Read:
    return partial(plain_data.whole, low=low)


def _rate(value: Any) -> float:
    return plain_data.positive(value, "learning rate")


def _settle_comparison(found: dict[str, Any]) -> None:
    """Raise unless every init has one standing, and the decision speaks of these alone."""
    known = [one.name for one in found["standings"]]
    decision: Decision = found["decision"]
    named = {*decision.ranking, *decision.finalists, *decision.best}
    named |= {name for pair in (*decision.pairs, *decision.neighbours) for name in (pair.first, pair.second)}
    named |= set() if decision.winner is None else {decision.winner}
    if len(set(known)) < len(known) or not named <= set(known):
        raise ValueError("the decision names inits that have no standing, or two have one name")


def _settle_curve(found: dict[str, Any]) -> None:
    if len({len(line) for line in found.values()}) > 1:
        raise ValueError("the lines of a curve differ in length")


def _settle_difference(found: dict[str, Any]) -> None:
    """The effect is infinite, and so is written as null, where all differences are one number."""
    if found["effect"] is None:
        found["effect"] = math.copysign(math.inf, found["mean"])


register(
    Comparison,
    Form(
        what="comparison",
        mark=COMPARISON_FORMAT,
        remedy="write it again with Comparison.to_json(), or --json on the command line",
        numbers=NULLS,
        told={"sentences": lambda one: one.sentences},
        readers={
            "steps": _at_least(1),
            "batch_size": _at_least(1),
            "seeds": _at_least(0),
            "confirm": _at_least(0),
            "margin": lambda value: plain_data.positive(value, "margin"),
        },
        settle=_settle_comparison,
    ),
)
register(
    Standing,
    Form(readers={"lr": lambda value: None if value is None else _rate(value), "stopped": _at_least(0)}),
)
register(Score, Form(readers={"lr": _rate}))
register(Curve, Form(settle=_settle_curve))
register(Decision, Form(readers={"num_fresh": _at_least(0)}))
register(Pair, Form(readers={"p": plain_data.number}))
register(
    Difference,
    Form(
        readers={
            "num": _at_least(2),
            "effect": plain_data.number_or_none,
            **dict.fromkeys(("mean", "low", "high", "p", "base"), plain_data.number),
        },
        settle=_settle_difference,
    ),
)
