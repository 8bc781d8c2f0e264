"""Whether a policy answered as it must, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from initium.diagnose import HealthReport
from initium.errors import ContractError, InitiumError
from initium.plan.policy import Decided, Run
from initium.plan.records.assignment import Assignment, check_assignments
from initium.record.record import Record
from initium.report import some


def _all(kind: type) -> Callable[[object], bool]:
    """Whether a value is a list or a tuple of such objects."""
    return lambda value: isinstance(value, list | tuple) and all(isinstance(one, kind) for one in value)


def _report(value: object) -> bool:
    return value is None or isinstance(value, HealthReport)


FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "assignments": (_all(Assignment), "list of Assignment objects"),
    "notes": (_all(str), "list of sentences"),
    "chosen": (lambda value: isinstance(value, str), "name of a candidate"),
    "before": (_report, "HealthReport"),
    "after": (_report, "HealthReport"),
}
"""Field of an answer -> whether a value may stand there, and what it should be."""

ANSWER = "a pair (assignments, notes): initium.plan.Assignment objects, and sentences"


def kept_contract(label: str, answer: object, seen: Record, run: Run) -> Decided:
    """The answer with its assignments in the model's order, and the user's rules in the place of the policy's own.

    Raises:
        ContractError: an answer of the wrong type, or parameters that the model lacks, that are missing, named twice
            or of another shape, or that cannot be drawn as the policy says.
    """
    decided = _typed(label, answer)
    _check_names(label, decided.assignments, seen, run)
    given = {one.name: one for one in decided.assignments} | dict(run.ruled)
    ordered = tuple(given[info.name] for info in seen.parameters)
    for one in ordered:
        shape = tuple(seen.parameter(one.name).shape)
        if tuple(one.layer.shape) != shape:
            raise ContractError(
                f"policy {label} gives {one.name!r} the shape {tuple(one.layer.shape)}",
                expected=f"its own shape, {shape}",
                remedy="take the layer of record.parts[name]",
            )
    try:
        check_assignments(ordered)
    except InitiumError as error:
        raise ContractError(
            f"policy {label}: {error.seen}", expected=error.expected, remedy=error.remedy
        ) from error
    return decided._replace(assignments=ordered, notes=tuple(decided.notes))


def _typed(label: str, answer: object) -> Decided:
    if not isinstance(answer, tuple) or not 2 <= len(answer) <= len(Decided._fields):
        raise _wrong(label, f"a {type(answer).__name__}")
    decided = Decided(*answer)
    for field, (is_right, meaning) in FIELDS.items():
        value = getattr(decided, field)
        if not is_right(value):
            raise _wrong(label, f"`{field}` that is no {meaning} ({type(value).__name__})")
    return decided


def _wrong(label: str, seen: str) -> ContractError:
    return ContractError(
        f"policy {label} answered with {seen}",
        expected=ANSWER,
        remedy="see initium.plan.policy.Policy.decide",
    )


def _check_names(label: str, assignments: Sequence[Assignment], seen: Record, run: Run) -> None:
    """Raise unless every parameter that no rule of the user names has one assignment, and nothing else has."""
    names = [one.name for one in assignments]
    known = {info.name for info in seen.parameters}
    wrong = {
        "for parameters that the model does not have": sorted(set(names) - known),
        "not for": sorted(known - set(names) - set(run.ruled)),
        "twice for": sorted({name for name in names if names.count(name) > 1})
        if len(set(names)) < len(names)
        else [],
    }
    found = "; ".join(f"{what} {some(which)}" for what, which in wrong.items() if which)
    if found:
        raise ContractError(
            f"policy {label} answered {found}",
            expected=f"one assignment for each of the {len(known)} parameters of {seen.model}",
            remedy='go through record.parameters; method "keep" leaves a parameter as it is',
        )
