"""Rules of the user: which parameters, and what they shall start as."""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from torch import nn

from initium.errors import UsageError, UsageTypeError
from initium.methods.catalogue import is_listed
from initium.methods.method import Method
from initium.methods.method_contract import method_of
from initium.plan.records.assignment import KEEP
from initium.record.graph.roles import Part, Role
from initium.record.record import Record

Where = str | type | Callable[[Part], bool]
ROLES = frozenset(get_args(Role))


class RecordPredicate(ABC):
    """A `where` that must see the whole record before it can say of a parameter whether the rule is for it."""

    @abstractmethod
    def on(self, seen: Record) -> RecordPredicate:
        """The same for one recorded model."""

    @abstractmethod
    def __call__(self, part: Part) -> bool:
        """Whether the rule is for this parameter; asked of what `on` returned."""

    @abstractmethod
    def nothing(self, parts: Sequence[Part]) -> UsageError:
        """The error for a model without such a parameter."""


@dataclass(frozen=True, init=False)
class Rule:
    """One rule: the parameters it is for and the method they get; the first rule that matches a parameter wins.

    Args:
        where: a glob on the parameter's name ("head.*"), a role ("branch_end"), a module type (nn.Conv2d: its
            weights), or a predicate on the parameter's `Part`.
        method: a method by name, "keep", or a `Method` of your own.
        **params: parameters of the method.

    Raises:
        UnknownNameError: no such method or parameter.
        ContractError: a method of your own that is none.
        UsageTypeError: `where` is none of the four.

    Example:
        >>> from initium import Rule
        >>> Rule(where="head.weight", method="zeros")
        Rule(where='head.weight', method='zeros')
        >>> Rule(where="*.bias", method="constant", value=0.1).params
        {'value': 0.1}
    """

    where: Where
    method: str
    params: dict[str, Any]
    own: Method | None = None

    def __init__(self, *, where: Where, method: str | Method, **params: Any) -> None:
        if not (isinstance(where, str) or callable(where)):
            raise UsageTypeError(
                f"where is {where!r}",
                expected="a name pattern, a role, a module type or a predicate",
                remedy='write for example where="layer4.*" or where=torch.nn.Conv2d',
            )
        found = None if method == KEEP else method_of(method)
        if found is not None:
            found.resolve(**params)
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "method", KEEP if found is None else found.name)
        object.__setattr__(self, "own", None if found is None or is_listed(found) else found)
        object.__setattr__(self, "params", params)

    def __repr__(self) -> str:
        place = self.where.__name__ if callable(self.where) else repr(self.where)
        extra = "".join(f", {key}={value!r}" for key, value in self.params.items())
        return f"Rule(where={place}, method={self.method!r}{extra})"

    def on(self, seen: Record) -> Rule:
        """The rule for one recorded model: a `where` that must see the whole record gets it."""
        if not isinstance(self.where, RecordPredicate):
            return self
        return Rule(where=self.where.on(seen), method=self.own or self.method, **self.params)

    def names(self, part: Part) -> bool:
        """Whether `where` is this parameter's role or a pattern on its name."""
        return isinstance(self.where, str) and (
            part.role == self.where or fnmatch.fnmatchcase(part.name, self.where)
        )

    def matches(self, part: Part, owner: nn.Module) -> bool:
        """Whether the rule is for this parameter of this module."""
        if isinstance(self.where, str):
            return self.names(part)
        if isinstance(self.where, type):
            return isinstance(owner, self.where) and (len(part.layer.shape) > 1 or self.method == KEEP)
        return bool(self.where(part))


def check_rules(rules: object) -> None:
    """Raise unless `rules` is a sequence of rules.

    Raises:
        UsageTypeError: it is none, or something in it is no Rule.
    """
    if isinstance(rules, str) or not isinstance(rules, Sequence):
        raise _no_rules(f"rules is a {type(rules).__name__}")
    for rule in rules:
        if not isinstance(rule, Rule):
            raise _no_rules(f"rules holds a {type(rule).__name__}")


def _no_rules(seen: str) -> UsageTypeError:
    return UsageTypeError(
        seen, expected="a list of initium.Rule objects", remedy='write [Rule(where="head.*", method="zeros")]'
    )


def first_matches(
    rules: Sequence[Rule], parts: Sequence[Part], owners: dict[str, nn.Module]
) -> dict[str, Rule]:
    """Parameter name -> the first rule that matches it.

    Raises:
        UsageError: a rule that matches no parameter.
    """
    chosen: dict[str, Rule] = {}
    for rule in rules:
        hits = [part.name for part in parts if rule.matches(part, owners[part.name])]
        if not hits:
            where = rule.where
            raise where.nothing(parts) if isinstance(where, RecordPredicate) else _nothing(rule, parts)
        for name in hits:
            chosen.setdefault(name, rule)
    return chosen


def _nothing(rule: Rule, parts: Sequence[Part]) -> UsageError:
    known = sorted({part.role for part in parts})
    some = ", ".join(part.name for part in parts[:4])
    return UsageError(
        f"{rule!r} matches none of the {len(parts)} parameters",
        expected=f"a pattern on names such as {some}, or a role among {', '.join(known)}",
        remedy="correct `where`, or remove the rule",
    )
