"""What `tune` searches: policies, and starts with a gain per role, centring, biases and head, as plain data."""

from __future__ import annotations

import glob
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from initium.plan.structure.chains import chains_of
from initium.record import Record, record
from initium.record.graph.roles import Part
from initium.study.tasks import Probe
from initium.theory.criticality import critical_point, start_of

BY_ROLE = "gains by role"
"""The base of a start that takes nothing from a policy: a method, and a gain for every role."""
SEARCHED_BASES = ("auto", "lsuv", BY_ROLE)
SEARCHED_METHODS = ("normal", "orthogonal", "centred_orthogonal")
GAINS = (0.3, 12.0)
HEAD_GAINS = (0.05, 4.0)
BIAS_STD = 0.1
DEPTHS = (1, 8)
"""Theory also proposes the critical points of chains that many times shorter, which are at a larger scale."""

Candidate = Mapping[str, Any]
"""Name of a dial to its value; see `Space.ask`."""


def base_of(init: Mapping[str, Any]) -> str:
    """Which of `SEARCHED_BASES` an init of a search began with."""
    return BY_ROLE if init["policy"] == "shipped" else str(init["policy"])


class Dials(Protocol):
    """What a trial of Optuna offers."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of several values."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number between two ends."""
        ...


@dataclass(frozen=True)
class Space:
    """What can be varied in one model.

    Args:
        groups: role to the names of its weights that may be set, heads excepted.
        heads: weights whose output leaves the model.
        biases: biases that may be set.
        lrs: learning rates, a dial like the others.
        theory: candidates that theory proposes, to be tried first.
    """

    groups: Mapping[str, tuple[str, ...]]
    heads: tuple[str, ...]
    biases: tuple[str, ...]
    lrs: tuple[float, ...]
    theory: tuple[Candidate, ...] = ()

    def ask(self, dials: Dials) -> Candidate:
        """The values of all dials; those that do not apply to a base are not asked for."""
        found: dict[str, Any] = {
            "lr": dials.suggest_categorical("lr", self.lrs),
            "base": dials.suggest_categorical("base", SEARCHED_BASES if self.groups else SEARCHED_BASES[:-1]),
        }
        if found["base"] == BY_ROLE:
            found["method"] = dials.suggest_categorical("method", SEARCHED_METHODS)
            for role in self.groups:
                found[f"gain {role}"] = dials.suggest_float(f"gain {role}", *GAINS, log=True)
            if found["method"] == "centred_orthogonal":
                found["centring"] = dials.suggest_float("centring", 0.0, 1.0)
        if self.heads and dials.suggest_categorical("head", ("base", "scaled")) == "scaled":
            found["gain head"] = dials.suggest_float("gain head", *HEAD_GAINS, log=True)
        if self.biases:
            found["bias"] = dials.suggest_categorical("bias", ("base", "spread"))
        return found

    def first(self) -> tuple[dict[str, Any], ...]:
        """Candidates to be tried before any search, at every learning rate: the policies, then those of theory."""
        plain = {"head": "base", "bias": "base"}
        known = [{"base": base, **plain} for base in SEARCHED_BASES[:-1]] + [
            {**plain, **one} for one in self.theory
        ]
        return tuple({"lr": lr, **one} for one in known for lr in reversed(self.lrs))

    def init(self, candidate: Candidate) -> dict[str, Any]:
        """A candidate as the init of a `TrialSpec`."""
        rules = [*self._biases(candidate), *self._head(candidate)]
        by_role = candidate["base"] == BY_ROLE
        if by_role:
            for role, names in self.groups.items():
                rules += [
                    _rule(name, *_method(candidate, float(candidate[f"gain {role}"]))) for name in names
                ]
        made: dict[str, Any] = {"kind": "policy", "policy": "shipped" if by_role else candidate["base"]}
        return {**made, "rules": rules} if rules else made

    def _head(self, candidate: Candidate) -> list[dict[str, Any]]:
        gain = candidate.get("gain head")
        if gain is None and candidate["base"] != BY_ROLE:
            return []
        return [_rule(name, "variance_scaling", {"scale": float(gain or 1.0) ** 2}) for name in self.heads]

    def _biases(self, candidate: Candidate) -> list[dict[str, Any]]:
        bias = candidate.get("bias", "base")
        if bias == "spread":
            return [_rule(name, "normal", {"std": BIAS_STD}) for name in self.biases]
        if candidate["base"] == BY_ROLE:
            return [_rule(name, "zeros", {}) for name in self.biases]
        return []


def space_of(make: Callable[[], nn.Module], probe: Probe, lrs: Sequence[float]) -> Space:
    """The space of a model, by what a run of it shows.

    Raises:
        ModelRunError: the model cannot be run.
    """
    seen = record(make(), **vars(probe))
    parts = [part for part in seen.parts.values() if _settable(seen, part)]
    matrices = [part for part in parts if part.layer.kind in ("linear", "conv")]
    groups: dict[str, list[str]] = {}
    for part in matrices:
        if part.role != "head":
            groups.setdefault(part.role, []).append(part.name)
    return Space(
        groups={role: tuple(names) for role, names in sorted(groups.items())},
        heads=tuple(part.name for part in matrices if part.role == "head"),
        biases=tuple(part.name for part in parts if part.role == "bias"),
        lrs=tuple(lrs),
        theory=tuple(_theory(seen, sorted(groups))),
    )


def _settable(seen: Record, part: Part) -> bool:
    info = seen.parameter(part.name)
    return not (info.frozen or info.tied or info.loaded or info.parametrized or part.packed)


def _theory(seen: Record, roles: Sequence[str]) -> list[Candidate]:
    """Starts by role at the critical points of the longest chain, for its own depth and as if it were shorter."""
    chain = max(chains_of(seen), key=len, default=None)
    if chain is None or not roles:
        return []
    found: list[dict[str, Any]] = []
    for shorter in DEPTHS:
        depth = max(2, len(chain) // shorter)
        start = start_of(chain.activations, depth, mirror=False)
        point = critical_point(chain.activations, depth)
        for gain, centring in ((start.gain, start.centring), (math.sqrt(point.w), point.centring)):
            gains = {f"gain {role}": min(max(gain, GAINS[0]), GAINS[1]) for role in roles}
            method = (
                {"method": "centred_orthogonal", "centring": centring}
                if centring
                else {"method": "orthogonal"}
            )
            one = {"base": BY_ROLE, **method, **gains}
            if one not in found:
                found.append(one)
    return list(found)


def _method(candidate: Candidate, gain: float) -> tuple[str, dict[str, Any]]:
    """A method of the catalogue and its parameters: variance gain^2 / fan_in, before centring."""
    if candidate["method"] == "normal":
        return "variance_scaling", {"scale": gain * gain}
    if candidate["method"] == "orthogonal":
        return "scaled_orthogonal", {"gain": gain}
    return "centred_orthogonal", {"gain": gain, "centring": float(candidate["centring"])}


def _rule(name: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"where": glob.escape(name), "method": method, "params": dict(params)}
