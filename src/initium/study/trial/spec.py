"""What one trial is: plain data, and a key that two trials share only if they are the same trial."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

from initium.errors import UsageError, UsageTypeError, unknown_name

OPTIMIZERS = ("adamw", "sgd")
INIT_KINDS = ("policy", "plan", "function")
FIELD_KINDS: dict[str, type] = {
    "model": str, "init": Mapping, "task": Mapping, "optimizer": str, "model_args": Mapping, "fingerprint": str,
}  # fmt: skip
"""What the fields that are no numbers hold; in mappings JSON values only."""


@dataclass(frozen=True)
class TrialSpec:
    """One trial. Everything that its result depends on is in here.

    Args:
        model: name of a standard model ("cnn20-relu"), or the reference of a function that makes one
            ("package.module:make", "/path/file.py:make").
        init: `{"kind": "policy", "policy": "auto"}` (any policy of `initium.plan`, with optional `rules`, a list of
            `{"where", "method", "params"}`), `{"kind": "plan", "plan": {...}}` (a Plan as data), or
            `{"kind": "function", "function": reference}` (called with model, probe, seed).
        task: what `open_task` takes.
        optimizer: "adamw" (weight decay .01), or "sgd" (momentum .9, gradient norm clipped at 1).
        lr: learning rate, constant.
        seed: of the draws, the order of the data and every other random number.
        steps: updates.
        batch_size: samples a step.
        model_args: keyword arguments of the function that makes the model.
        threads: of torch; the sums of a trial depend on it.
        fingerprint: digest of what the references stand for: code, data, versions.

    Raises:
        UsageError, UsageTypeError: a value that cannot be used.

    Example:
        >>> spec = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"}, lr=1e-3)
        >>> TrialSpec.from_data(spec.to_data()) == spec, len(spec.key)
        (True, 32)
    """

    model: str
    init: Mapping[str, Any]
    task: Mapping[str, Any]
    optimizer: str = "adamw"
    lr: float = 1e-3
    seed: int = 0
    steps: int = 150
    batch_size: int = 128
    model_args: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    fingerprint: str = ""

    def __post_init__(self) -> None:
        for name, kind in FIELD_KINDS.items():
            _check_kind(name, getattr(self, name), kind)
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", str(self.optimizer), OPTIMIZERS)
        if self.init.get("kind") not in INIT_KINDS:
            raise unknown_name("kind of init", str(self.init.get("kind")), INIT_KINDS)
        object.__setattr__(self, "lr", _positive("lr", self.lr))
        for name, least in (("seed", None), ("steps", 1), ("batch_size", 1), ("threads", 1)):
            _check_whole(name, getattr(self, name), least)

    def to_data(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `to_data` wrote.

        Raises:
            UsageError, UsageTypeError: a field is missing, unknown or of another kind.
        """
        _check_kind("a trial", data, Mapping)
        known = {one.name for one in fields(cls)}
        required = {"model", "init", "task"}
        if not required <= set(data) <= known:
            raise UsageError(
                f"a trial with the fields {', '.join(sorted(map(str, data)))[:200]}",
                expected=f"{', '.join(sorted(required))}, and of the rest only {', '.join(sorted(known - required))}",
                remedy="make it with TrialSpec.to_data",
            )
        return cls(**data)

    @property
    def model_text(self) -> str:
        """The model for people: its name, and the arguments that it is made with."""
        arguments = ", ".join(f"{key}={value}" for key, value in self.model_args.items())
        return f"{self.model}({arguments})" if arguments else self.model

    @property
    def functions(self) -> tuple[str, ...]:
        """References of the functions that it calls: those that make the model, its start, and the data."""
        named = (self.model, self.init.get("function"), self.task.get("datasets"))
        return tuple(str(one) for one in named if ":" in str(one))

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits: a digest of the content, in which the order of keys does not count."""
        return digest(self.to_data())


def functions_of(base: TrialSpec, inits: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """References of the functions that a trial and the same ones with other inits call."""
    some = [base, *(replace(base, init=init) for init in inits)]
    return tuple(sorted({one for spec in some for one in spec.functions}))


def digest(data: Any) -> str:
    """32 hexadecimal digits of JSON values."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _check_kind(name: str, value: object, kind: type) -> None:
    """Raises UsageTypeError unless the value is of the kind and, in a mapping, plain."""
    reason = "" if isinstance(value, kind) else f"a {type(value).__name__}"
    if isinstance(value, Mapping) and not reason:
        try:
            json.dumps(dict(value), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"not plain: {error}"
    if reason:
        wanted = "a text" if kind is str else "a mapping of JSON values"
        raise UsageTypeError(f"{name} is {reason}", expected=wanted, remedy="pass names, numbers and paths")


def _check_whole(name: str, value: object, least: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageTypeError(
            f"{name} is {value!r}", expected="a whole number", remedy=f"give for example {name}=1"
        )
    if least is not None and value < least:
        raise UsageError(f"{name} is {value}", expected=f"at least {least}", remedy=f"raise {name}")


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UsageError(
            f"{name} is {value!r}", expected="a number above 0", remedy=f"give for example {name}=1e-3"
        )
    try:
        return float(value)
    except OverflowError as error:
        raise UsageError(f"{name} is beyond float", expected="a number", remedy="make it smaller") from error
