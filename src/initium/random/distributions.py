"""What a parameter can start as: draws, as plain immutable data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from initium.errors import UsageError
from initium.random.key import Key


@dataclass(frozen=True, slots=True)
class Constant:
    """Every element is `value`."""

    value: float

    def scaled(self, factor: float) -> Constant:
        """The same draw times `factor`."""
        return Constant(self.value * factor)


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse bounds that are not finite or not in order."""
        _finite(self, "low", "high")
        _ordered(self, self.low <= self.high)

    def scaled(self, factor: float) -> Uniform:
        """The same draw times `factor`."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Uniform(low, high)


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal with the given mean and standard deviation."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        """Refuse a negative standard deviation."""
        _finite(self, "mean", "std")
        _spread(self, self.std)

    def scaled(self, factor: float) -> Normal:
        """The same draw times `factor`."""
        return Normal(self.mean * factor, self.std * abs(factor))


@dataclass(frozen=True, slots=True)
class TruncatedNormal:
    """Normal cut to [low, high], drawn without rejection.

    Args:
        mean: of the normal before it is cut.
        std: standard deviation AFTER the cut if `corrected`, else of the normal before it is cut.
        low: lower bound, in standard deviations of the normal before it is cut; -inf for none.
        high: upper bound, likewise; inf for none.
        corrected: whether `std` is what the elements will have.
    """

    mean: float
    std: float
    low: float = -2.0
    high: float = 2.0
    corrected: bool = True

    def __post_init__(self) -> None:
        """Refuse a negative standard deviation and an empty interval."""
        _finite(self, "mean", "std")
        _spread(self, self.std)
        _ordered(self, self.low < self.high)

    def scaled(self, factor: float) -> TruncatedNormal:
        """The same draw times `factor`."""
        low, high = (self.low, self.high) if factor >= 0 else (-self.high, -self.low)
        return replace(self, mean=self.mean * factor, std=self.std * abs(factor), low=low, high=high)


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """Haar-distributed (semi-)orthogonal matrices times `gain`.

    The tensor, its axes permuted by `layout`, is read in C order as (batch, rows, cols).

    Args:
        gain: factor on the orthonormal matrix.
        rows: rows of each matrix.
        cols: columns of each matrix.
        batch: number of independent matrices.
        layout: permutation of the axes; () leaves them as they are.
    """

    gain: float
    rows: int
    cols: int
    batch: int = 1
    layout: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a gain that is not finite."""
        _finite(self, "gain")

    def scaled(self, factor: float) -> Orthogonal:
        """The same draw times `factor`."""
        return replace(self, gain=self.gain * factor)


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers, uniform on low, low + 1, ..., high - 1."""

    low: int
    high: int

    def __post_init__(self) -> None:
        """Refuse an empty or too wide range."""
        _ordered(self, self.low < self.high)
        if self.high - self.low > 2**31:
            raise UsageError(
                f"{self!r} spans {self.high - self.low} values",
                expected="at most 2**31 values",
                remedy="narrow the range",
            )

    def scaled(self, factor: float) -> Integers:
        """Refused: a multiple of whole numbers is another distribution."""
        raise UsageError(
            f"{self!r} cannot be scaled by {factor!r}",
            expected="a draw of real numbers",
            remedy="use Uniform, or choose other bounds",
        )


@dataclass(frozen=True, slots=True)
class Built:
    """A structured tensor that `build(shape, key)` makes whole, in fp32 on the CPU, times `scale`."""

    build: Callable[[tuple[int, ...], Key], Tensor]
    scale: float = 1.0

    def scaled(self, factor: float) -> Built:
        """The same draw times `factor`."""
        return replace(self, scale=self.scale * factor)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Independent draws packed along `axis`; block i uses the key's child "block{i}"."""

    axis: int
    sizes: tuple[int, ...]
    draws: tuple[Draw, ...]

    def __post_init__(self) -> None:
        """Refuse lists of different lengths."""
        if len(self.sizes) != len(self.draws):
            raise UsageError(
                f"{len(self.sizes)} sizes and {len(self.draws)} draws in Blocks",
                expected="one draw per block",
                remedy="give as many draws as sizes",
            )

    def scaled(self, factor: float) -> Blocks:
        """The same draw times `factor`."""
        return replace(self, draws=tuple(draw.scaled(factor) for draw in self.draws))


Draw = Constant | Uniform | Normal | TruncatedNormal | Orthogonal | Integers | Built | Blocks


def _finite(draw: object, *names: str) -> None:
    for name in names:
        value = getattr(draw, name)
        if not math.isfinite(value):
            raise UsageError(
                f"{name} is {value!r} in {draw!r}",
                expected=f"a finite {name}",
                remedy="check the value that the formula for it was given (a fan or gain of 0 or inf?)",
            )


def _spread(draw: object, std: float) -> None:
    if std < 0:
        raise UsageError(
            f"std is {std!r} in {draw!r}",
            expected="a standard deviation of 0 or more",
            remedy="pass a std that is not negative",
        )


def _ordered(draw: object, in_order: bool) -> None:
    if not in_order:
        raise UsageError(
            f"the interval of {draw!r} is empty",
            expected="low below high",
            remedy="swap the bounds, or widen the interval",
        )
