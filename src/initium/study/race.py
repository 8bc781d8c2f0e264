"""The decision rule of a study: who is stopped, who is confirmed, who has won, as pure functions of losses.

The race only saves trials: from the third paired seed on, an init that is behind the leader with p < .1 is stopped.
What is claimed rests on fresh seeds alone, which no choice was made on: all pairs of finalists, by paired t-tests with
Holm's correction and a region of practical equivalence. So a winner among equals is declared in at most 5 % of
studies, however many inits there are and however the race went.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from initium.study.statistics import ALPHA, MARGIN, Difference, Relation, holm, paired, relation

SCREEN = 2
"""Seeds on which every init finds its learning rate."""
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
        difference: first minus second, over the seeds that both ran.
        p: p-value, corrected for all pairs of the study that were compared on the same seeds.
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
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> Decision:
    """The verdict of a study, of one that is not finished also.

    Args:
        race: losses of all inits on the seeds of screening and race.
        fresh: losses of the finalists on fresh seeds.
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
    shown = _pairs(ran, itertools.combinations(last, 2), margin, alpha, is_fresh=True)
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
    below = _pairs(race, ((order[0], name) for name in rest), margin, alpha, is_fresh=False)
    step = [(order[head - 1], name) for name in rest[:1] if head > 1]
    among = [*step, *itertools.combinations(rest, 2)]
    return below + _pairs(race, among, margin, alpha, is_fresh=False)


def _pairs(
    losses: Mapping[str, SeedLosses],
    names: Iterable[tuple[str, str]],
    margin: float,
    alpha: float,
    *,
    is_fresh: bool,
) -> tuple[Pair, ...]:
    """The pairs that share two seeds or more, compared together."""
    found = []
    for first, second in names:
        one, other = shared(losses[first], losses[second])
        if len(one) > 1:
            width = margin * min(sum(one), sum(other)) / len(one)
            found.append((first, second, paired(one, other), width))
    corrected = holm([difference.p for _, _, difference, _ in found])
    return tuple(
        Pair(first, second, difference, p, relation(difference, p=p, margin=width, alpha=alpha), is_fresh)
        for (first, second, difference, width), p in zip(found, corrected, strict=True)
    )


def shared(first: SeedLosses, second: SeedLosses) -> tuple[list[float], list[float]]:
    """The losses of two inits on the seeds that both ran, in the order of the seeds."""
    seeds = sorted(set(first) & set(second))
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def _is_behind(losses: Mapping[str, SeedLosses], name: str, leader: str, p: float) -> bool:
    one, other = shared(losses[name], losses[leader])
    if len(one) <= SCREEN:
        return False
    difference = paired(one, other)
    return difference.mean > 0 and difference.p < p


def _is_shown(pair: Pair) -> bool:
    return pair.relation in ("better", "worse")


def _mean(losses: SeedLosses) -> float:
    return sum(losses.values()) / len(losses)
