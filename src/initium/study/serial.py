"""Comparisons as plain data: strict in what is read, so a hostile file is an error and never code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from initium.errors import UsageError
from initium.plan import fields
from initium.study.race import Decision, Pair
from initium.study.statistics import Difference, Relation

if TYPE_CHECKING:
    from initium.study.comparison import Comparison, Curve, Score, Standing

FORMAT = "initium.comparison/1"


def comparison_to_data(one: Comparison) -> dict[str, Any]:
    """A comparison as JSON values; the sentences are there for readers, and are made anew when it is read."""
    return {"format": FORMAT, "sentences": list(one.sentences), **_finite(asdict(one))}


def comparison_from_data(text: str) -> Comparison:
    """The comparison in a JSON text, every field checked.

    Raises:
        UsageError: the text is no comparison.
    """
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise ValueError(f"no {FORMAT!r} mark")
        data.pop("sentences", None)
        return _comparison(**data)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise UsageError(
            f"the text is no comparison ({type(error).__name__}: {error})",
            expected=f"JSON of format {FORMAT}, as Comparison.to_json() writes it",
            remedy="write it again with Comparison.to_json() or `initium compare --json`",
        ) from error


def _finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _comparison(*, standings: Any, decision: Any, **data: Any) -> Comparison:
    from initium.study.comparison import Comparison

    made = tuple(_standing(**one) for one in standings)
    found = Comparison(
        model=fields.text(data.pop("model")),
        task=fields.text(data.pop("task")),
        metric=fields.text(data.pop("metric")),
        optimizer=fields.text(data.pop("optimizer")),
        lrs=_numbers(data.pop("lrs")),
        steps=fields.whole(data.pop("steps"), 1),
        batch_size=fields.whole(data.pop("batch_size"), 1),
        seeds=fields.whole(data.pop("seeds"), 0),
        confirm=fields.whole(data.pop("confirm"), 0),
        margin=fields.positive(data.pop("margin"), "margin"),
        finished=_truth(data.pop("finished")),
        standings=made,
        decision=_decision(**decision, known=[one.name for one in made]),
    )
    _check_empty(data)
    return found


def _standing(*, name: Any, lr: Any, stopped: Any, failure: Any, scores: Any, curve: Any) -> Standing:
    from initium.study.comparison import Curve, Standing

    lines = {key: _numbers(curve[key]) for key in ("steps", "mean", "low", "high")}
    if len({len(line) for line in lines.values()}) > 1 or len(curve) > len(lines):
        raise ValueError("the lines of a curve differ in length")
    found: Curve = Curve(**lines)
    made = tuple(_score(**one) for one in scores)
    rate = None if lr is None else fields.positive(lr, "learning rate")
    return Standing(fields.text(name), rate, fields.whole(stopped, 0), fields.text(failure), made, found)


def _score(**data: Any) -> Score:
    from initium.study.comparison import Score

    numbers = ("area", "final_loss", "test_loss", "metric", "seconds", "badness")
    one = Score(
        lr=fields.positive(data.pop("lr"), "learning rate"),
        seed=fields.whole(data.pop("seed")),
        fresh=_truth(data.pop("fresh")),
        diverged=_truth(data.pop("diverged")),
        verdict=fields.text(data.pop("verdict")),
        chosen=fields.text(data.pop("chosen", "")),
        **{name: _number(data.pop(name)) for name in numbers},
    )
    _check_empty(data)
    return one


def _decision(*, known: list[str], **data: Any) -> Decision:
    places = {name: fields.texts(data.pop(name)) for name in ("ranking", "finalists", "best")}
    winner = data.pop("winner")
    pairs = {name: tuple(_pair(**one) for one in data.pop(name)) for name in ("pairs", "neighbours")}
    made = Decision(
        places["ranking"],
        places["finalists"],
        places["best"],
        None if winner is None else fields.text(winner),
        pairs["pairs"],
        pairs["neighbours"],
        fields.whole(data.pop("num_fresh"), 0),
    )
    _check_empty(data)
    named = [name for place in places.values() for name in place] + ([made.winner] if made.winner else [])
    named += [name for group in pairs.values() for pair in group for name in (pair.first, pair.second)]
    if len(set(known)) < len(known) or not set(named) <= set(known):
        raise ValueError("the decision names inits that have no standing, or two have one name")
    return made


def _pair(*, first: Any, second: Any, difference: Any, p: Any, relation: Any, fresh: Any) -> Pair:
    if relation not in get_args(Relation):
        raise ValueError(f"{relation!r} is no relation")
    numbers = {name: fields.number(difference.pop(name)) for name in ("mean", "low", "high", "p", "base")}
    num, effect = fields.whole(difference.pop("num"), 2), difference.pop("effect")
    _check_empty(difference)
    size = math.copysign(math.inf, numbers["mean"]) if effect is None else fields.number(effect)
    found = Difference(num=num, effect=size, **numbers)
    return Pair(fields.text(first), fields.text(second), found, fields.number(p), relation, _truth(fresh))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _number(value: Any) -> float:
    """A number; what JSON has none for was not finite."""
    return math.nan if value is None else fields.number(value)


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{values!r} is no list of numbers")
    return tuple(_number(value) for value in values)


def _check_empty(rest: Mapping[str, Any]) -> None:
    if rest:
        raise ValueError(f"unknown fields {sorted(rest)[:3]}")
