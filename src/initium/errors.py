"""Every error of the library: what was seen, what was expected, what to do.

InitiumError
 +- UsageError (ValueError)          an argument has a value that cannot be used
 |   +- UnknownNameError             a name that is in no catalogue ("did you mean")
 |   +- PlanMismatchError            a plan and a model that do not belong together
 |   +- LayerError                   a method asked for a layer that it cannot serve
 +- UsageTypeError (TypeError)       an argument has the wrong type
 |   +- ContractError                a method, check, task, policy or engine of one's own that is not what it must be
 +- ModelRunError (RuntimeError)     the model raised while it was being recorded
 +- ApplyError (RuntimeError)        weights were written, found wrong and rolled back
 +- OutputError (OSError)            a file could not be written; the old one is as it was
 +- StoreError (RuntimeError)       the file of a study cannot be read or written
 +- TrialError (RuntimeError)       trials of a study failed, so that it says nothing
 +- EngineError (RuntimeError)      no worker process can be started
 +- ClusterError (ConnectionError)    a cluster was not reached, refused the token, or was lost
 +- MissingExtraError (ImportError)  an optional dependency is not installed
 +- UnhealthyModelError              raised by assert_healthy, carries the report
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InitiumError(Exception):
    """Base of all errors raised on purpose; its text has three parts.

    Args:
        seen: what was found, with the offending name and value.
        expected: what would have been right.
        remedy: what the reader can do now.

    Example:
        >>> print(InitiumError("3 rows", expected="4 rows", remedy="add one"))
        3 rows
          expected: 4 rows
          what to do: add one
    """

    def __init__(self, seen: str, *, expected: str, remedy: str) -> None:
        super().__init__(seen, expected, remedy)
        self.seen, self.expected, self.remedy = seen, expected, remedy

    def __str__(self) -> str:
        return f"{self.seen}\n  expected: {self.expected}\n  what to do: {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.seen, self.expected, self.remedy))


class UsageError(InitiumError, ValueError):
    """An argument has a value that cannot be used."""


class UnknownNameError(UsageError):
    """A name that is in no catalogue."""


class PlanMismatchError(UsageError):
    """A plan and a model that do not belong together."""


class LayerError(UsageError):
    """A method was asked for a layer that it cannot serve."""


class UsageTypeError(InitiumError, TypeError):
    """An argument has the wrong type."""


class ContractError(UsageTypeError):
    """A method, check, task, policy or engine of somebody's own does not do what its protocol asks."""


class ModelRunError(InitiumError, RuntimeError):
    """The model raised while it was being recorded; the original error is the cause."""


class ApplyError(InitiumError, RuntimeError):
    """Weights were written, found wrong, and rolled back."""


class OutputError(InitiumError, OSError):
    """A file could not be written; what was there before is as it was."""


class StoreError(InitiumError, RuntimeError):
    """The file of a study cannot be read or written; what was finished before is kept."""


class TrialError(InitiumError, RuntimeError):
    """So many trials of a study failed that it says nothing."""


class EngineError(InitiumError, RuntimeError):
    """No worker process can be started."""


class ClusterError(InitiumError, ConnectionError):
    """A cluster was not reached, refused the token, or was lost."""


class MissingExtraError(InitiumError, ImportError):
    """An optional dependency is not installed."""


class UnhealthyModelError(InitiumError):
    """Raised by `assert_healthy`; `report` is the HealthReport that says why.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Linear(8, 4)
        >>> _ = torch.nn.init.constant_(net.weight, torch.nan)
        >>> try:
        ...     initium.assert_healthy(net, torch.randn(32, 8))
        ... except UnhealthyModelError as error:
        ...     print(error.report.verdict)
        unhealthy
    """

    report: object = None


SHORT_LIST = 24
"""Names that an error lists in full; of more than that, only those like the one given."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not in a catalogue, with the nearest known ones; the whole list if it is short."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see the list above"
    listed = (
        names
        if not near or len(names) <= SHORT_LIST
        else difflib.get_close_matches(name, names, SHORT_LIST, 0.3)
    )
    rest = f", and {len(names) - len(listed)} more" if len(listed) < len(names) else ""
    return UnknownNameError(
        f"unknown {kind} {name!r}",
        expected=f"one of {', '.join(listed)}{rest}",
        remedy=hint,
    )


def _rebuild(kind: type[InitiumError], seen: str, expected: str, remedy: str) -> InitiumError:
    return kind(seen, expected=expected, remedy=remedy)
