"""Comparisons and searches as plain data: strict in what is read, so a hostile file is an error and never code."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from initium import plain_data
from initium.errors import InitiumError, UsageError
from initium.plan import Plan
from initium.study.contest.race import Decision, Pair
from initium.study.contest.statistics import Difference, Relation

if TYPE_CHECKING:
    from initium.study.contest.comparison import Comparison, Curve, Score, Standing
    from initium.study.search.search import Found
    from initium.study.search.tuning import Tuning

FORMAT = "initium.comparison/1"
TUNING_FORMAT = "initium.tuning/1"
NUMBERS = ("lr", "gain", "centring")
"""How the dials of a candidate begin that are numbers; the others are texts."""
T = TypeVar("T")


def comparison_to_data(one: Comparison) -> dict[str, Any]:
    """A comparison as JSON values; the sentences are there for readers, and are made anew when it is read."""
    return {"format": FORMAT, "sentences": list(one.sentences), **_finite(asdict(one))}


def comparison_from_data(text: str) -> Comparison:
    """The comparison in a JSON text, every field checked.

    Raises:
        UsageError: the text is no comparison.
    """
    return _read(text, "comparison", FORMAT, _comparison)


def tuning_to_data(one: Tuning) -> dict[str, Any]:
    """The outcome of a search as JSON values; the sentence is there for readers, and is made anew when it is read."""
    return {
        "format": TUNING_FORMAT,
        "outcome": one.sentence,
        "chosen": one.chosen,
        "budget": one.budget,
        "trials": one.num_trials,
        "seconds": one.seconds,
        "inits": {label: dict(init) for label, init in one.inits.items()},
        "plan": json.loads(one.plan.to_json()),
        "found": [asdict(item) for item in one.found],
        "comparison": comparison_to_data(one.comparison),
    }


def tuning_from_data(text: str) -> Tuning:
    """The outcome of a search in a JSON text, every field checked.

    Raises:
        UsageError: the text is none.
        InitiumError: its plan names an unknown method or parameter.
    """
    return _read(text, "tuning", TUNING_FORMAT, _tuning)


def _read(text: str, what: str, form: str, make: Callable[..., T]) -> T:
    """What the fields of a JSON text make."""
    try:
        return make(**_marked(json.loads(text), form))
    except InitiumError:
        raise
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise UsageError(
            f"the text is no {what} ({type(error).__name__}: {error})",
            expected=f"JSON of format {form}, as {what.capitalize()}.to_json() writes it",
            remedy=f"write it again with {what.capitalize()}.to_json(), or --json on the command line",
        ) from error


def _marked(data: Any, form: str) -> dict[str, Any]:
    """The fields of data that have this mark, without it and what is there for readers."""
    if not isinstance(data, dict) or data.get("format") != form:
        raise ValueError(f"no {form!r} mark")
    return {key: one for key, one in data.items() if key not in ("format", "sentences", "outcome")}


def _finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _comparison(*, standings: Any, decision: Any, **data: Any) -> Comparison:
    from initium.study.contest.comparison import Comparison

    made = tuple(_standing(**one) for one in standings)
    found = Comparison(
        model=plain_data.text(data.pop("model")),
        task=plain_data.text(data.pop("task")),
        metric=plain_data.text(data.pop("metric")),
        optimizer=plain_data.text(data.pop("optimizer")),
        lrs=_numbers(data.pop("lrs")),
        steps=plain_data.whole(data.pop("steps"), 1),
        batch_size=plain_data.whole(data.pop("batch_size"), 1),
        seeds=plain_data.whole(data.pop("seeds"), 0),
        confirm=plain_data.whole(data.pop("confirm"), 0),
        margin=plain_data.positive(data.pop("margin"), "margin"),
        finished=_truth(data.pop("finished")),
        standings=made,
        decision=_decision(**decision, known=[one.name for one in made]),
    )
    _check_empty(data)
    return found


def _tuning(*, chosen: Any, inits: Any, plan: Any, found: Any, comparison: Any, **data: Any) -> Tuning:
    from initium.study.search.tuning import Tuning

    made = Tuning(
        plan=Plan.from_json(json.dumps(plan)),
        chosen=plain_data.text(chosen),
        inits={label: _init(**one) for label, one in inits.items()},
        found=tuple(found_from_data(one) for one in found),
        comparison=_comparison(**_marked(comparison, FORMAT)),
        budget=plain_data.whole(data.pop("budget"), 0),
        num_trials=plain_data.whole(data.pop("trials"), 0),
        seconds=plain_data.positive(data.pop("seconds"), "seconds"),
    )
    _check_empty(data)
    if made.chosen not in made.inits or {one.name for one in made.comparison.standings} != set(made.inits):
        raise ValueError("the inits are not those that were compared")
    return made


def _init(*, kind: Any, policy: Any, rules: Any = None) -> dict[str, Any]:
    """An init of a search: a policy with rules, never a function, which a reader of the file might run."""
    if kind != "policy":
        raise ValueError(f"{kind!r} is no kind of init that a search makes")
    init = {"kind": kind, "policy": plain_data.text(policy)}
    return init if rules is None else {**init, "rules": [_rule(**one) for one in rules]}


def _rule(*, where: Any, method: Any, params: Any) -> dict[str, Any]:
    values = {plain_data.text(name): plain_data.number(value) for name, value in params.items()}
    return {"where": plain_data.text(where), "method": plain_data.text(method), "params": values}


def found_from_data(data: Mapping[str, Any]) -> Found:
    """A candidate of a search from the JSON values of its fields.

    Raises:
        ValueError, TypeError, LookupError: they are none.
    """
    return _found(**data)


def _found(*, candidate: Any, init: Any, short: Any, long: Any) -> Found:
    from initium.study.search.search import Found

    dials = {
        name: plain_data.number(value) if name.startswith(NUMBERS) else plain_data.text(value)
        for name, value in candidate.items()
    }
    plain_data.positive(dials["lr"], "learning rate")
    if "base" not in dials:
        raise ValueError("a candidate without a base")
    return Found(dials, _init(**init), plain_data.number(short), plain_data.number_or_none(long))


def _standing(*, name: Any, lr: Any, stopped: Any, failure: Any, scores: Any, curve: Any) -> Standing:
    from initium.study.contest.comparison import Curve, Standing

    lines = {key: _numbers(curve[key]) for key in ("steps", "mean", "low", "high")}
    if len({len(line) for line in lines.values()}) > 1 or len(curve) > len(lines):
        raise ValueError("the lines of a curve differ in length")
    found: Curve = Curve(**lines)
    made = tuple(_score(**one) for one in scores)
    rate = None if lr is None else plain_data.positive(lr, "learning rate")
    return Standing(
        plain_data.text(name), rate, plain_data.whole(stopped, 0), plain_data.text(failure), made, found
    )


def _score(**data: Any) -> Score:
    from initium.study.contest.comparison import Score

    numbers = ("area", "final_loss", "test_loss", "metric", "seconds", "badness")
    one = Score(
        lr=plain_data.positive(data.pop("lr"), "learning rate"),
        seed=plain_data.whole(data.pop("seed")),
        fresh=_truth(data.pop("fresh")),
        diverged=_truth(data.pop("diverged")),
        verdict=plain_data.text(data.pop("verdict")),
        chosen=plain_data.text(data.pop("chosen", "")),
        train_metric=plain_data.number_or_none(data.pop("train_metric", None)),
        **{name: _number(data.pop(name)) for name in numbers},
    )
    _check_empty(data)
    return one


def _decision(*, known: list[str], **data: Any) -> Decision:
    places = {name: plain_data.texts(data.pop(name)) for name in ("ranking", "finalists", "best")}
    winner = data.pop("winner")
    pairs = {name: tuple(_pair(**one) for one in data.pop(name)) for name in ("pairs", "neighbours")}
    made = Decision(
        places["ranking"],
        places["finalists"],
        places["best"],
        None if winner is None else plain_data.text(winner),
        pairs["pairs"],
        pairs["neighbours"],
        plain_data.whole(data.pop("num_fresh"), 0),
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
    numbers = {name: plain_data.number(difference.pop(name)) for name in ("mean", "low", "high", "p", "base")}
    num, effect = plain_data.whole(difference.pop("num"), 2), difference.pop("effect")
    _check_empty(difference)
    size = math.copysign(math.inf, numbers["mean"]) if effect is None else plain_data.number(effect)
    found = Difference(num=num, effect=size, **numbers)
    return Pair(
        plain_data.text(first), plain_data.text(second), found, plain_data.number(p), relation, _truth(fresh)
    )


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _number(value: Any) -> float:
    """A number; what JSON has none for was not finite."""
    return math.nan if value is None else plain_data.number(value)


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{values!r} is no list of numbers")
    return tuple(_number(value) for value in values)


def _check_empty(rest: Mapping[str, Any]) -> None:
    if rest:
        raise ValueError(f"unknown fields {sorted(rest)[:3]}")
