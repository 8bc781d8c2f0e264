"""Residual streams: how signals and gradients grow over blocks, and what branch scale bounds them.

A block adds its branch F, times a branch scale b, to what it keeps of the stream: x -> a x + b F(x). What a branch
makes of fresh weights does not correlate with x, so second moments add up. Let F make v of a unit input, and let
gradients grow by chi on their way back through it. With p the second moment of the stream, a block does

    norm        to the signal                      to the gradient
    none        p -> (a^2 + b^2 v) p               a^2 + b^2 chi                        (F homogeneous, as of ReLU)
    branch      p -> a^2 p + b^2 v                 a^2 + b^2 chi / p
    stream      p -> a^2 p + b^2 v -> 1            (a^2 + b^2 chi) / (a^2 + b^2 v)

`branch` is any norm on the branch (pre-norm, or batch norm anywhere on it), `stream` one after the sum (post-norm).
Over L blocks with a = 1 both grow to (1 + b^2 v)^L without a norm, exponentially; with norms on the branches signals
grow to 1 + L b^2 v and, where chi = v, so do gradients, else as L^(chi / v) (De & Smith 2020, 2002.10444; Yang &
Schoenholz 2017, 1712.08969). b = 1 / sqrt(L) bounds all of them. After a norm on the stream nothing grows where chi =
v, but of what came in at the start only a share of (1 + b^2 v)^-L is left: DeepNet (Wang+ 2022, 2203.00555) keeps
nearly all of it, and Fixup (Zhang+ 2019, 1901.09321), SkipInit and zero gains do, with b = 0. For batch norm read
variances in place of second moments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from initium.errors import UsageError

Norm = Literal["none", "branch", "stream"]
"""Where the norms of a stream are: nowhere, on its branches, or on itself after every sum."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A residual stream of equal blocks that starts at unit scale.

    Args:
        num_blocks: branches that are added, L.
        scale: factor b on every branch: a branch scale, or the gain of the norm that it ends in.
        norm: where its norms are.
        skip: factor a on the stream itself at every sum.
        gain: second moment v of what a branch makes of a unit input, at scale 1.
        back: growth chi of gradients on their way back through a branch, at scale 1; None for that of the signal.

    Raises:
        UsageError: fewer than one block, no such norm, or a factor that is negative or not finite.

    Example:
        >>> [round(Stream(50, 1.0, norm).signal, 1) for norm in ("none", "branch", "stream")]
        [1125899906842624.0, 51.0, 1.0]
        >>> [round(Stream(50, 50**-0.5, norm).gradient, 2) for norm in ("none", "branch", "stream")]
        [2.69, 2.0, 1.0]
    """

    num_blocks: int
    scale: float = 1.0
    norm: Norm = "none"
    skip: float = 1.0
    gain: float = 1.0
    back: float | None = None

    def __post_init__(self) -> None:
        _check(self.num_blocks, self.norm)
        for name in ("scale", "skip", "gain", "back"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(
                    f"{name}={value}", expected="a number from 0 on", remedy=f"pass a finite {name}"
                )

    @property
    def signal(self) -> float:
        """Second moment of the stream after the last block."""
        return list(self._seconds())[-1]

    @property
    def gradient(self) -> float:
        """Growth of the mean square of gradients from the end of the stream to its start."""
        chi = self.gain if self.back is None else self.back
        steps = [(weight * self.gain, weight * chi) for weight in self._weights()]
        after = self.norm == "stream"
        return math.prod(
            (self.skip**2 + back) / (self.skip**2 + share if after else 1) for share, back in steps
        )

    @property
    def kept(self) -> float:
        """Share of the second moment at the end that is still what came in at the start."""
        return math.prod(self.skip**2 / (self.skip**2 + weight * self.gain) for weight in self._weights())

    def _seconds(self) -> Iterator[float]:
        """Second moment of the stream before every block, and at the end."""
        second = 1.0
        for _ in range(self.num_blocks):
            yield second
            if self.norm != "stream":
                second *= self.skip**2 + self._weight(second) * self.gain
        yield second

    def _weights(self) -> list[float]:
        return [self._weight(second) for second in list(self._seconds())[:-1]]

    def _weight(self, second: float) -> float:
        """Factor on a branch's second moment, in units of the stream's."""
        return self.scale**2 if self.norm == "none" else self.scale**2 / second


def scale_for(num_blocks: int, growth: float, norm: Norm = "none", *, gain: float = 1.0) -> float:
    """The branch scale at which a stream's second moment grows to `growth` over all of its blocks.

    b^2 = (growth - 1) / (L v) with norms on the branches, (growth^(1/L) - 1) / v without. With norms on the stream it
    would grow so without them: 1 / growth is the share of the start that is left at the end.

    Args:
        num_blocks: branches that are added, L.
        growth: factor, from 1 on.
        norm: where its norms are.
        gain: second moment v of what a branch makes of a unit input, at scale 1.

    Raises:
        UsageError: fewer than one block, no such norm, growth below 1, or a gain that is not positive.

    Example:
        >>> round(scale_for(16, 2.0, "branch"), 3), round(scale_for(16, 2.0), 3)
        (0.25, 0.21)
    """
    _check(num_blocks, norm)
    if not (1 <= growth < math.inf and 0 < gain < math.inf):
        raise UsageError(
            f"growth={growth}, gain={gain}",
            expected="growth from 1 on, and a positive gain",
            remedy="pass for example growth=2.0: blocks can add to a stream, not take from it",
        )
    added = (growth - 1) / num_blocks if norm == "branch" else growth ** (1 / num_blocks) - 1
    return math.sqrt(added / gain)


def share_for(num_blocks: int, budget: float) -> float:
    """What every block should add, as a share of what the stream holds there, so that the shares add up to `budget`.

    The stream then grows to (1 + budget / L)^L, less than e^budget however deep it is.

    Args:
        num_blocks: branches that are added, L.
        budget: sum of the shares.

    Example:
        >>> share_for(20, 1.0)
        0.05
    """
    _check(num_blocks)
    return budget / num_blocks


def refill(stream: float, share: float, *, kept: float, taken: float) -> float:
    """Second moment of a branch that brings a leaking stream back to unit scale, or adds its share if that is more.

    The sum is worth kept p + taken F^2, as after (x + F) / sqrt(2), where both are a half.

    Args:
        stream: second moment p of the stream.
        share: what the block should add at least, as a share of `stream`.
        kept: factor of the sum on the stream's second moment.
        taken: factor of the sum on the branch's, positive.

    Example:
        >>> refill(1.0, 0.05, kept=0.5, taken=0.5), refill(1.0, 0.05, kept=1.0, taken=1.0)
        (1.0, 0.05)
    """
    return max(1.0 - kept * stream, share * stream) / taken


def _check(num_blocks: int, norm: str = "none") -> None:
    if num_blocks < 1:
        raise UsageError(f"{num_blocks} blocks", expected="at least 1", remedy="count the sums of the stream")
    if norm not in ("none", "branch", "stream"):
        raise UsageError(
            f"norm={norm!r}", expected='"none", "branch" or "stream"', remedy="see initium.theory.streams"
        )
