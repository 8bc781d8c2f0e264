"""What a check must keep to, looked at before a model runs, and again in what it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from initium.diagnose.finding import RANK, Finding
from initium.diagnose.measures import Measures
from initium.errors import ContractError
from initium.signatures import misfit

Check = Callable[[Measures], Iterator[Finding]]

CHECK_CONTRACT = (
    "a function of one initium.diagnose.measures.Measures that yields Finding records: a code of IN and three digits, "
    f"a severity among {', '.join(RANK)}, a tuple of names, what was seen and expected, why it matters and what to do, "
    "and a rule of `where`, `method` and `params`, or None"
)
CODE = re.compile(r"IN\d{3}")
SENTENCES = ("seen", "expected", "why", "remedy")
RULE_KEYS = {"where", "method", "params"}


def verify(checks: Sequence[Check]) -> None:
    """Raise unless everything in the tuple can be called as a check.

    Raises:
        ContractError: something cannot.
    """
    for check in checks:
        wrong = misfit(check, None)
        if wrong:
            raise broken(check, wrong)


def findings_of(check: Check, measures: Measures) -> list[Finding]:
    """What a check finds in one record, each finding known to be whole.

    Raises:
        ContractError: the check raises, or yields something else than findings.
    """
    try:
        found: list[object] = list(check(measures))
    except Exception as error:
        raise broken(check, f"it raised {type(error).__name__}: {error}") from error
    wrong = next(filter(None, map(_fault_of, found)), "")
    if wrong:
        raise broken(check, wrong)
    return [one for one in found if isinstance(one, Finding)]


def broken(check: object, wrong: str) -> ContractError:
    """The error for a check that is none."""
    return ContractError(
        f"the check {getattr(check, '__name__', check)!r}: {wrong}",
        expected=CHECK_CONTRACT,
        remedy="correct it, or take it out of initium.diagnose.checks.CHECKS; initium.testing.check_health_check tells "
        "all that is wrong with one",
    )


def _fault_of(one: object) -> str:
    """What keeps something that a check yielded from being a finding; "" if nothing does."""
    if not isinstance(one, Finding):
        return f"it yielded a {type(one).__name__}"
    values = {name: getattr(one, name) for name in Finding.__dataclass_fields__}
    if not isinstance(values["code"], str) or not CODE.fullmatch(values["code"]):
        return f"it yielded the code {one.code!r}"
    if values["severity"] not in RANK:
        return f"it yielded {one.code} with the severity {one.severity!r}"
    if not isinstance(values["where"], tuple) or not all(isinstance(name, str) for name in values["where"]):
        return f"it yielded {one.code} with `where` {one.where!r}"
    for name in SENTENCES:
        if not isinstance(values[name], str) or not values[name]:
            return f"it yielded {one.code} with {name} {values[name]!r}"
    rule = values["rule"]
    if rule is not None and not (isinstance(rule, Mapping) and set(rule) == RULE_KEYS):
        return f"it yielded {one.code} with the rule {rule!r}"
    return ""
