"""The decision rule of a study: who is stopped, who is confirmed, who has won, as pure functions of losses.

The race only saves trials: from the third paired seed on, an init that is behind the leader with p < .1 is stopped.
What is claimed rests on fresh seeds alone, which no choice was made on: all pairs of finalists, by paired t-tests with
Holm's correction and a region of practical equivalence.

Two seeds cannot tell apart learning rates that are nearly as good as each other. So one init beats another only if it
does so wherever the other may be at its best: at the other's own rate, at every rate that was not clearly behind it,
and at the rate of the one. This is an intersection-union test: its p-value is the largest of these. Two names of one
method are thus always compared at one rate too, and a winner among equals is declared in at most 5 % of studies,
however many inits there are and however screening and race went (evidence: S-equal-names).

Source: Berger (1982), Technometrics 24, for intersection-union tests.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from initium.study.contest.statistics import (
    ALPHA,
    EQUIVALENCE_MARGIN,
    Difference,
    Relation,
    holm,
    paired,
    relation,
)

SCREENED = 2
"""Seeds that every init is tried on at every learning rate."""
RACE_P = 0.1
CONFIRM = 8
"""Fresh seeds on which finalists should be compared."""
MOST_FINALISTS = 4

SeedLosses = Mapping[int, float]
"""Seed to loss, capped: finite numbers only."""


@dataclass(frozen=True)
class Pair:
    """Two inits, compared.

    Args:
        first: name of the one.
        second: name of the other.
        difference: first minus second, over the seeds that both ran; on fresh seeds at the rate of the second where it
            is least sure that the first is better.
        p: p-value, corrected for all pairs of the study that were compared on the same seeds; on fresh seeds that of
            the first being better, 1 if it is not.
        relation: what `first` is: "better", "worse", "tie" (shown to be practically equal), or "undecided".
        fresh: whether the seeds were fresh, so that the relation is confirmed.
    """

    first: str
    second: str
    difference: Difference
    p: float
    relation: Relation
    fresh: bool


@dataclass(frozen=True)
class Decision:
    """What a study says.

    Args:
        ranking: all inits, best first; finalists by their fresh seeds, the others by how far they are behind the
            leader of the race.
        finalists: those that were compared on fresh seeds.
        best: finalists that no other finalist beat; several where they cannot be told apart or are equal.
        winner: the finalist that beat every other one; None if there is none.
        pairs: all pairs of finalists on fresh seeds; then, on the seeds of the race, every other init against the
            first, and all pairs of those others, the last finalist against the first of them among these.
        neighbours: those of the pairs that stand side by side in the ranking.
        num_fresh: fresh seeds that all finalists ran; 0 before there are two.
    """

    ranking: tuple[str, ...]
    finalists: tuple[str, ...]
    best: tuple[str, ...]
    winner: str | None
    pairs: tuple[Pair, ...]
    neighbours: tuple[Pair, ...]
    num_fresh: int

    @property
    def confirmed(self) -> bool:
        """Whether there were as many fresh seeds as the rule asks for."""
        return self.num_fresh >= CONFIRM

    @property
    def others(self) -> tuple[str, ...]:
        """Those of the ranking that were not confirmed; before there are finalists, all but the first."""
        return self.ranking[max(1, len(self.finalists)) :]

    def between(self, one: str, other: str) -> Pair | None:
        """The pair of these two; None if they were not compared."""
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {one, other}), None)


def likely_rates(screened: Mapping[float, SeedLosses], *, p: float = RACE_P) -> tuple[float, ...]:
    """Learning rates at which an init may be at its best: that of its lowest mean, then those not clearly behind it.

    Args:
        screened: learning rate to losses, all of the same seeds.
        p: level of the two-sided paired t-test between two rates.

    Example:
        >>> likely_rates({3e-4: {0: 1.68, 1: 1.78}, 1e-3: {0: 1.02, 1: 1.03}, 3e-3: {0: 0.99, 1: 1.01}})
        (0.003, 0.001)
    """
    best = min(screened, key=lambda lr: (_mean(screened[lr]), lr))
    near = (lr for lr in screened if lr != best and paired(*shared(screened[lr], screened[best])).p >= p)
    return best, *near


def claims(fresh: Mapping[str, SeedLosses], *, alpha: float = ALPHA) -> tuple[tuple[str, str], ...]:
    """Pairs of finalists, the better first, that are told apart at their own rates: what is to be checked at others.

    Example:
        >>> claims({"a": {5: 1.6, 6: 1.5, 7: 1.5}, "b": {5: 1.1, 6: 1.0, 7: 1.1}, "c": {5: 1.1, 6: 1.1, 7: 1.0}})
        (('b', 'a'), ('c', 'a'))
    """
    pairs = itertools.combinations(fresh, 2)
    tests = {pair: paired(*shared(fresh[pair[0]], fresh[pair[1]])) for pair in pairs}
    apart = {pair: found for pair, found in tests.items() if found.p < alpha}
    return tuple(pair if found.mean < 0 else pair[::-1] for pair, found in apart.items())


def losers(losses: Mapping[str, SeedLosses], *, p: float = RACE_P) -> tuple[str, ...]:
    """Inits that the race is over for: three paired seeds or more, and behind the leader with a p-value below `p`.

    Args:
        losses: of the inits that are still in the race, by seed.
        p: level of the two-sided paired t-test; not corrected, since nothing is claimed of those who are stopped.

    Example:
        >>> losers({"a": {0: 1.0, 1: 1.1, 2: 1.2}, "b": {0: 1.5, 1: 1.6, 2: 1.8}, "c": {0: 0.9, 1: 1.3, 2: 1.2}})
        ('b',)
    """
    if not losses:
        return ()
    leader = leader_of(losses)
    return tuple(name for name in losses if name != leader and _is_behind(losses, name, leader, p))


def leader_of(losses: Mapping[str, SeedLosses]) -> str:
    """The init with the lowest mean loss among those with the most seeds; the first of equals."""
    most = max(len(one) for one in losses.values())
    full = [name for name in losses if len(losses[name]) == most]
    return min(full, key=lambda name: _mean(losses[name]))


def standings(losses: Mapping[str, SeedLosses]) -> tuple[str, ...]:
    """All inits that have a loss, by how far they are behind the leader on the seeds that they share with it.

    Example:
        >>> standings({"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 1.5, 1: 2.6}, "c": {0: 1.1, 1: 2.2, 2: 3.1}})
        ('a', 'c', 'b')
    """
    losses = {name: one for name, one in losses.items() if one}
    if not losses:
        return ()
    leader = leader_of(losses)

    def behind(name: str) -> float:
        common = sorted(set(losses[name]) & set(losses[leader]))
        return _mean({s: losses[name][s] - losses[leader][s] for s in common}) if common else math.inf

    return tuple(sorted(losses, key=lambda name: (behind(name), name != leader)))


def finalists(
    losses: Mapping[str, SeedLosses], stopped: Collection[str] = (), *, most: int = MOST_FINALISTS
) -> tuple[str, ...]:
    """Who is to be compared on fresh seeds: the top of the standings down to the last that was not stopped.

    At least two, so that a leader is never declared the winner by the race alone, and at most `most`. One that was
    stopped but stands above one that was not is among them, since the race stops an equal now and then.

    Args:
        losses: of all inits, on the seeds before confirmation.
        stopped: names of those that `losers` named.
        most: of them.

    Example:
        >>> finalists({"a": {0: 1.0}, "b": {0: 2.0}, "c": {0: 3.0}, "d": {0: 4.0}}, ["b", "d"])
        ('a', 'b', 'c')
    """
    order = standings(losses)
    last = max((place for place, name in enumerate(order, 1) if name not in stopped), default=0)
    return order[: min(max(last, 2), most)]


def decide(
    race: Mapping[str, SeedLosses],
    fresh: Mapping[str, SeedLosses],
    elsewhere: Mapping[str, Sequence[SeedLosses]] = MappingProxyType({}),
    *,
    margin: float = EQUIVALENCE_MARGIN,
    alpha: float = ALPHA,
) -> Decision:
    """The verdict of a study, of one that is not finished also.

    Args:
        race: losses of all inits on the seeds of screening and race.
        fresh: losses of the finalists on fresh seeds, each at its own rate.
        elsewhere: the same at other rates that they were checked at.
        margin: half-width of the region of practical equivalence, as a share of the better mean loss.
        alpha: level that holds for all claims on fresh seeds together.

    Raises:
        MissingExtraError: scipy is not installed.

    Example:
        >>> race = {"a": {0: 1.0, 1: 1.1}, "b": {0: 1.5, 1: 1.7}}
        >>> fresh = {"a": {2: 1.0, 3: 1.1, 4: 1.0}, "b": {2: 1.6, 3: 1.6, 4: 1.5}}
        >>> found = decide(race, fresh)
        >>> found.winner, found.ranking, found.confirmed
        ('a', ('a', 'b'), False)
    """
    ran = {name: one for name, one in fresh.items() if one}
    common = set.intersection(*(set(one) for one in ran.values())) if len(ran) > 1 else set()
    if len(common) < 2:
        ran = {}
    last = tuple(sorted(ran, key=lambda name: _mean({seed: ran[name][seed] for seed in common})))
    order = last + tuple(name for name in standings(race) if name not in ran)
    shown = _pairs(ran, itertools.combinations(last, 2), margin, alpha, elsewhere)
    beaten = {pair.second if pair.relation == "better" else pair.first for pair in shown if _is_shown(pair)}
    best = tuple(name for name in last if name not in beaten)
    wins = sum(_is_shown(pair) for pair in shown if last[0] in (pair.first, pair.second))
    pairs = shown + _raced(race, order, max(1, len(last)), margin, alpha)
    known = {(pair.first, pair.second): pair for pair in pairs}
    return Decision(
        ranking=order,
        finalists=last,
        best=best,
        winner=last[0] if last and best == last[:1] and wins == len(last) - 1 else None,
        pairs=pairs,
        neighbours=tuple(known[step] for step in itertools.pairwise(order) if step in known),
        num_fresh=len(common) if last else 0,
    )


def _raced(
    race: Mapping[str, SeedLosses], order: tuple[str, ...], head: int, margin: float, alpha: float
) -> tuple[Pair, ...]:
    """Those below the head of the ranking against the first, and among themselves, on the seeds of the race.

    Two questions, each corrected for its own tests.
    """
    race = {name: race.get(name, {}) for name in order}
    rest = order[head:]
    below = _pairs(race, ((order[0], name) for name in rest), margin, alpha)
    step = [(order[head - 1], name) for name in rest[:1] if head > 1]
    among = [*step, *itertools.combinations(rest, 2)]
    return below + _pairs(race, among, margin, alpha)


def _pairs(
    losses: Mapping[str, SeedLosses],
    names: Iterable[tuple[str, str]],
    margin: float,
    alpha: float,
    elsewhere: Mapping[str, Sequence[SeedLosses]] | None = None,
) -> tuple[Pair, ...]:
    """The pairs that share two seeds or more, compared together; seeds are fresh where `elsewhere` is given."""
    found = []
    for first, second in names:
        rivals = [losses[second], *(elsewhere or {}).get(second, ())]
        tests = [paired(*both) for rival in rivals if len((both := shared(losses[first], rival))[0]) > 1]
        if tests:
            found.append((first, second, max(tests, key=_doubt)))
    is_fresh = elsewhere is not None
    corrected = holm([min(1.0, 2 * _doubt(test)) if is_fresh else test.p for _, _, test in found])
    return tuple(
        Pair(first, second, test, p, relation(test, p=p, margin=_width(test, margin), alpha=alpha), is_fresh)
        for (first, second, test), p in zip(found, corrected, strict=True)
    )


def _doubt(difference: Difference) -> float:
    """One-sided p-value of the first being better."""
    return difference.p / 2 if difference.mean < 0 else 1 - difference.p / 2


def _width(difference: Difference, margin: float) -> float:
    """The margin in units of the loss."""
    return margin * min(difference.base, difference.base + difference.mean)


def shared(first: SeedLosses, second: SeedLosses) -> tuple[list[float], list[float]]:
    """The losses of two inits on the seeds that both ran, in the order of the seeds."""
    seeds = sorted(set(first) & set(second))
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def _is_behind(losses: Mapping[str, SeedLosses], name: str, leader: str, p: float) -> bool:
    one, other = shared(losses[name], losses[leader])
    if len(one) <= SCREENED:
        return False
    difference = paired(one, other)
    return difference.mean > 0 and difference.p < p


def _is_shown(pair: Pair) -> bool:
    return pair.relation in ("better", "worse")


def _mean(losses: SeedLosses) -> float:
    return sum(losses.values()) / len(losses)
