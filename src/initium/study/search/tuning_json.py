"""How searches stand in JSON: what they found, and one that is under way in its store."""

from __future__ import annotations

from typing import Any

from initium import plain_data
from initium.codec import FINITE, Form, register
from initium.study.search.search import Found
from initium.study.search.search_state import SEARCHING_FORMAT as SEARCHING_FORMAT
from initium.study.search.search_state import Searching
from initium.study.search.tuning import Tuning

TUNING_FORMAT = "initium.tuning/1"
NUMBERS = ("lr", "gain", "centring")
"""How the dials of a candidate begin that are numbers; the others are texts."""


def _inits(data: Any) -> dict[str, Any]:
    return {label: _init(one) for label, one in plain_data.entries(data).items()}


def _init(data: Any) -> dict[str, Any]:
    """An init of a search: a policy with rules, never a function, which a reader of the file might run."""
    rest = plain_data.entries(data)
    kind, policy, rules = rest.pop("kind"), plain_data.text(rest.pop("policy")), rest.pop("rules", None)
    if kind != "policy":
        raise ValueError(f"{kind!r} is no kind of init that a search makes")
    plain_data.nothing_left(rest)
    init = {"kind": kind, "policy": policy}
    return init if rules is None else {**init, "rules": [_rule(one) for one in plain_data.items(rules)]}


def _rule(data: Any) -> dict[str, Any]:
    rest = plain_data.entries(data)
    where, method = plain_data.text(rest.pop("where")), plain_data.text(rest.pop("method"))
    params = plain_data.entries(rest.pop("params"))
    plain_data.nothing_left(rest)
    return {
        "where": where,
        "method": method,
        "params": {name: plain_data.number(value) for name, value in params.items()},
    }


def _candidate(data: Any) -> dict[str, Any]:
    dials = {
        name: plain_data.number(value) if name.startswith(NUMBERS) else plain_data.text(value)
        for name, value in plain_data.entries(data).items()
    }
    plain_data.positive(dials["lr"], "learning rate")
    if "base" not in dials:
        raise ValueError("a candidate without a base")
    return dials


def _settle_tuning(found: dict[str, Any]) -> None:
    inits = found["inits"]
    if found["chosen"] not in inits or {one.name for one in found["comparison"].standings} != set(inits):
        raise ValueError("the inits are not those that were compared")


def _count(value: Any) -> int:
    return plain_data.whole(value, 0)


register(
    Tuning,
    Form(
        what="tuning",
        mark=TUNING_FORMAT,
        remedy="write it again with Tuning.to_json(), or --json on the command line",
        numbers=FINITE,
        order=("chosen", "budget", "num_trials", "seconds", "inits", "plan", "found", "comparison"),
        keys={"num_trials": "trials"},
        told={"outcome": lambda one: one.sentence},
        readers={
            "budget": _count,
            "num_trials": _count,
            "seconds": lambda value: plain_data.positive(value, "seconds"),
            "inits": _inits,
        },
        settle=_settle_tuning,
    ),
)
register(Found, Form(readers={"candidate": _candidate, "init": _init}))
register(
    Searching,
    Form(
        what="search under way",
        mark=SEARCHING_FORMAT,
        remedy="give the command of the search again with its store",
        numbers=FINITE,
        readers={"num": _count, "ended": _count},
    ),
)
