"""What a comparison says, in sentences: the outcome first, then how the others stand, then what to bear in mind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Protocol

from initium.report import number
from initium.study.contest.race import CONFIRM, Decision, Pair
from initium.study.contest.standing import Standing
from initium.study.contest.statistics import seeds_needed

NOT_TOLD_APART = ("tie", "undecided")
"""Relations of a pair that is not told apart."""


class Outcome(Protocol):
    """What the sentences are made from: the part of a `Comparison` that they tell."""

    @property
    def lrs(self) -> tuple[float, ...]:
        """Learning rates that every init was tried at."""

    @property
    def margin(self) -> float:
        """Half-width of the region of practical equivalence, as a share of the better loss."""

    @property
    def finished(self) -> bool:
        """Whether the study came to its end."""

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The inits in the order of the ranking."""

    @property
    def decision(self) -> Decision:
        """What can be claimed."""


def sentences(one: Outcome) -> tuple[str, ...]:
    """All of them."""
    return (headline(one), *_places(one), *_caveats(one))


def headline(one: Outcome) -> str:
    """The outcome."""
    decision = one.decision
    if not decision.ranking:
        return "No init has been tried yet."
    first = decision.ranking[0]
    if not decision.finalists:
        return (
            f"{first} leads the race; no fresh seeds have confirmed it."
            if len(decision.ranking) > 1
            else (f"{first} is the only init with results.")
        )
    pair = decision.neighbours[0]
    if decision.winner is not None:
        return f"{first} wins: {gap(pair)} {pair.second}, the next best ({evidence(pair)})."
    if len(decision.best) > 1:
        return f"No winner: {listed(decision.best)} share the first place."
    return f"No winner: {first} leads, and is not shown to be better than every other finalist."


def gap(pair: Pair) -> str:
    """By how much the first of a pair is below the second, with the interval."""
    change, low, high = (100 * value for value in pair.difference.shares)
    if change <= 0:
        return f"its loss is {_share(-change)} % [{_share(-high)}, {_share(-low)}] below that of"
    return f"its loss is {_share(change)} % [{_share(low)}, {_share(high)}] above that of"


def evidence(pair: Pair) -> str:
    """On what a relation rests."""
    kind = "fresh seeds" if pair.fresh else "seeds of the race"
    return (
        f"{pair.difference.num} {kind}, p = {number(pair.p, 2)}, d = {number(abs(pair.difference.effect), 2)}"
    )


def state(one: Outcome, pair: Pair) -> str:
    """The relation of a pair in words."""
    if pair.relation == "tie":
        return f"a tie, equal within {_share(100 * one.margin)} %"
    if pair.relation == "undecided":
        return "a tie for want of evidence, not told apart"
    return "shown" if pair.fresh else "seen in the race, not confirmed"


def _places(one: Outcome) -> Iterator[str]:
    """Every step of the ranking that is worth a sentence, then those that were not confirmed."""
    others = one.decision.others
    for pair in one.decision.neighbours:
        if pair.first in others:
            continue
        if pair.relation in NOT_TOLD_APART:
            yield f"{pair.first} and {pair.second}: {state(one, pair)} ({evidence(pair)}){_more(pair)}."
        elif pair.fresh and pair.first != one.decision.winner:
            yield f"{pair.first} beats {pair.second}: {gap(pair)} it ({evidence(pair)})."
    stopped = [f"{s.name} after {s.stopped}" for s in one.standings if s.stopped]
    if stopped:
        yield f"Stopped early, behind the leader: {', '.join(stopped)} seeds."
    yield from _ties(one)


def _ties(one: Outcome) -> Iterator[str]:
    """Which of those that were not confirmed the seeds of the race do not tell apart."""
    groups = tied_groups(one.decision)
    for group in groups:
        pairs = [pair for names in combinations(group, 2) if (pair := one.decision.between(*names))]
        equal = all(pair.relation == "tie" for pair in pairs)
        which = "no two of them told apart" if len(group) > 2 else "not told apart"
        word = (
            f"tie, equal within {_share(100 * one.margin)} %"
            if equal
            else f"tie for want of evidence, {which}"
        )
        yield f"{listed(group)}: a {word} ({_seeds(pairs)} of the race, {_apart(pairs)})."
    if groups and one.finished:
        yield "To know more of some of these, compare them alone with the same store, which has their trials."


def tied_groups(decision: Decision) -> tuple[tuple[str, ...], ...]:
    """Stretches of the ranking below the confirmed ones of which no two are told apart, as long as can be.

    Example:
        >>> from initium.study.contest.race import decide
        >>> race = {"a": {0: 1.0, 1: 1.1, 2: 1.3}, "b": {0: 2.0, 1: 2.2, 2: 2.1}, "c": {0: 2.1, 1: 2.1, 2: 2.2}}
        >>> tied_groups(decide(race, {}))
        (('b', 'c'),)
    """
    names = decision.others
    tied = {
        frozenset((pair.first, pair.second)) for pair in decision.pairs if pair.relation in NOT_TOLD_APART
    }
    found: list[tuple[str, ...]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and all(
            {one, names[last + 1]} in tied for one in names[first : last + 1]
        ):
            last += 1
        group = names[first : last + 1]
        if len(group) > 1 and not (found and set(group) <= set(found[-1])):
            found.append(group)
    return tuple(found)


def _seeds(pairs: Sequence[Pair]) -> str:
    """How many seeds the pairs share."""
    nums = sorted({pair.difference.num for pair in pairs})
    return f"{nums[0]} to {nums[-1]} seeds" if len(nums) > 1 else f"{nums[0]} seeds"


def _apart(pairs: Sequence[Pair]) -> str:
    """The largest difference that was seen, which a tie for want of evidence does not rule out."""
    gaps = [(pair.difference.mean, pair.difference.base) for pair in pairs]
    largest = max(abs(mean) / min(base, base + mean) for mean, base in gaps)
    return f"at most {_share(100 * largest)} % apart as seen"


def _more(pair: Pair) -> str:
    if pair.relation == "tie":
        return ""
    num = seeds_needed(pair.difference.effect)
    return f"; a true difference of the size seen would need {f'about {num}' if num else 'over 1,000'} seeds"


def _caveats(one: Outcome) -> Iterator[str]:
    decision = one.decision
    if not one.finished:
        yield "The study is not finished: this is what it says so far."
    elif decision.finalists and not decision.confirmed:
        yield f"Confirmed on {decision.num_fresh} fresh seeds only; {CONFIRM} or more are advised."
    for standing in one.standings:
        yield from _checked(standing)
        if standing.failure:
            yield f"{standing.name} failed: {standing.failure}"
        diverged = sum(score.diverged for score in standing.best)
        if diverged:
            yield f"{standing.name}: {diverged} of {len(standing.best)} runs at its best learning rate diverged."
        ends = _edge(one, standing.lr)
        if ends and standing.name in (decision.finalists or decision.ranking[:1]):
            yield f"{standing.name} did best at the {ends} learning rate of the grid; try {ends[:-3]}er ones."


def _checked(one: Standing) -> Iterator[str]:
    """At which rates a finalist was run on fresh seeds besides its own."""
    if one.elsewhere:
        rates = " and ".join(f"{lr:g}" for lr in one.elsewhere)
        yield (
            f"{one.name} was also run on fresh seeds at the learning rate {rates}, where it may do as well: it is "
            "beaten only if it is so there too, and the difference given is that of the rate where this is least sure."
        )


def _edge(one: Outcome, lr: float | None) -> str:
    """Whether a learning rate is an end of the grid."""
    if lr is None or len(one.lrs) < 2:
        return ""
    return {min(one.lrs): "lowest", max(one.lrs): "highest"}.get(lr, "")


def listed(names: tuple[str, ...]) -> str:
    """Names with commas and an "and"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _share(value: float) -> str:
    """A percentage: whole from 10 up, else with one digit."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}".replace("-0.0", "0.0")
