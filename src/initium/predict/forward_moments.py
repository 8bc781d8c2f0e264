"""The second moment of every value by mean-field theory, node by node through a recorded graph.

Weights are independent of what they meet, so E z^2 = fan_in E w^2 E x^2 + E b^2 and z is Gaussian; pointwise functions
are evaluated on weighted points of their root's law; independent values add their moments. What is no such thing
raises `Outside`, and the signal goes on from what was measured there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from initium.predict.parameters import ParameterMoments
from initium.predict.same_units import reads_apart
from initium.predict.signal import Outside, Signal, Weights, from_law, normal_law, scaled
from initium.record.tape import ops
from initium.record.tape.activation_curves import GRID
from initium.record.tape.moments import Moments, run_length
from initium.record.tape.node import Node
from initium.theory.fans import fans
from initium.theory.laws import apart, gaussian, independent, mixture
from initium.theory.layer import Layer
from initium.theory.profiles import Profile, blended, passed_mean, raised, through
from initium.theory.sampled import Sampled

SAME_SECOND = 0.02
"""Relative difference of second moments up to which a move of values has left them as they were."""
FEW = 32
"""Units from which their own spread tells how far their mean square is from certain."""
NORMED = 0.05
"""The same between what a norm should give and what was measured."""
LARGEST = 1e100
"""Second moment beyond which nothing is predicted: its square still is a floating-point number."""


@dataclass
class Propagation(ParameterMoments):
    """The signals of a record; `weights` stand in for the values that the record found."""

    signals: list[Signal] = field(default_factory=list)
    restarts: dict[int, str] = field(default_factory=dict)

    def run(self) -> list[Signal]:
        """Every node's signal, in execution order."""
        for node in self.seen.nodes:
            try:
                signal = self._in_range(node)
            except Outside as outside:
                # A weight starts a new signal; other nodes go on with the reason of what they are given.
                earlier = "" if node.category == "weighted" else self._reason(node)
                signal = self._measured(node, earlier or str(outside))
                self.restarts[node.index] = str(outside)
            self.signals.append(signal)
        return self.signals

    def _in_range(self, node: Node) -> Signal:
        """A node's signal; Outside where its numbers leave the range in which they can be reckoned with."""
        try:
            signal = self._signal(node)
        except OverflowError as error:
            raise Outside("values too large to reckon with") from error
        if not (math.isfinite(signal.second) and math.isfinite(signal.mean)):
            raise Outside("values that are not finite")
        if signal.second > LARGEST:
            raise Outside("values too large to reckon with")
        return signal

    def sampling(self, node: Node, seen: Moments | None) -> float:
        """Variance of the log of a measured second moment because a sample was looked at, not all elements."""
        if seen is None or math.prod(node.shape) <= seen.count or not seen.kurtosis > 1:
            return 0.0
        return (seen.kurtosis - 1) / max(seen.count / run_length(len(node.shape), self.seen.batch), 1.0)

    def _measured(self, node: Node, reason: str) -> Signal:
        drawn = max((self.signals[index].drawn for index in node.inputs), default=-1)
        if node.forward is None or not node.forward.finite or node.forward.second > LARGEST:
            size = self.signals[node.inputs[0]].second if node.inputs else 1.0  # as if it kept the size
            return Signal(size, law=normal_law(0.0, size), reason=reason, root=node.index, drawn=drawn)
        at = node.forward
        law = normal_law(at.mean, at.second)
        return Signal(at.second, at.mean, self.sampling(node, at), math.inf, law, node.index, drawn, reason)

    def _signal(self, node: Node) -> Signal:
        if node.category == "input":
            return replace(self._measured(node, ""), reason="")
        before = [self.signals[index] for index in dict.fromkeys(node.inputs)]
        if self.weight_at(node.index) is not None:
            return self._weighted(node)
        if not before:
            raise Outside("a value that no input reaches")
        if node.op in ops.NORMS and node.category != "norm":
            raise Outside("a norm by running statistics")
        if self.seen.graph.written_norms.get(node.index):
            raise Outside("a norm written out by hand")
        rule: Callable[[Node, Sequence[Signal]], Signal] | None = {
            "activation": self._activation,
            "norm": self._norm,
            "add": self._add,
            "mul": self._mul,
            "concat": self._concat,
            "pool": self._moved,
            "copy": self._moved,
            "noise": lambda node, before: scaled(before[0], *node.noise),
        }.get(node.category if node.noise is None else "noise")
        try:
            if rule is None:
                raise Outside(_UNPREDICTED.get(node.category, f"the operation {node.op}"))
            found = rule(node, before)
        except Outside:
            # By the rule of its own operation first: that one knows more than a sampled function.
            drawn = self._by_curve(node)
            if drawn is None:
                raise
            found = drawn
        return replace(found, reason=self._reason(node))

    def _by_curve(self, node: Node) -> Signal | None:
        """The value as the function of one earlier output that the run drew, of whatever operations it is made."""
        curve = self.seen.curves.get(node.index)
        moves = node.category in ("copy", "pool") and node.op not in ops.CHOOSING
        if (
            curve is None
            or curve.noisy
            or moves
            or curve.origin == node.index
            or not bool(curve.values.isfinite().all())
        ):
            return None
        x = self.signals[curve.origin]
        if x.law is None or any(self.signals[index].root != curve.origin for index in node.inputs):
            return None
        return from_law(x, x.law.map(Sampled(GRID, curve.values)))

    def _reason(self, node: Node) -> str:
        """Why a value before the node was measured, since the last weighted node."""
        return next((self.signals[index].reason for index in node.inputs if self.signals[index].reason), "")

    def _weighted(self, node: Node) -> Signal:
        use = self.weight_at(node.index)
        if use is None or use.layer is None or use.layer.kind not in ("linear", "conv", "conv_transpose"):
            raise Outside("a table that is looked up in" if node.category == "lookup" else "a recurrent cell")
        if len(use.names) != 1 or use.standardized or not use.direct:
            raise Outside("a weight that is computed from other values")
        if len(set(node.inputs)) != 1:
            raise Outside("a weight that meets no signal, or several")
        # A shared weight is not independent of a signal that it made.
        if self.met_before(use.names[0], node.index):
            raise Outside("a weight that the signal has met before")
        return self._biased(node, *self._passed(node, use.layer, self.weights_of(use.names[0])))

    def _passed(self, node: Node, layer: Layer, weights: Weights) -> tuple[Signal, float, Profile]:
        """What a weight sees of its input, the power that it passes on, and how that lies over a map."""
        x = self.signals[node.inputs[0]]
        # The two halves of a row cancel but for the odd part, each with half of the weight's power.
        if weights.structure.paired:
            x, weights = self._mirrored(x), Weights(weights.second / 2)
        middle, profile = through(layer, x.over_map)
        shape = weights.structure
        varying = x.second - x.mean**2 + passed_mean(layer, shape.row_sum, shape.tap_sum) * x.mean**2
        return x, weights.second * fans(layer).fan_in * max(varying, 0.0) * middle, profile

    def _mirrored(self, x: Signal) -> Signal:
        """What a weight of paired columns sees of units in pairs of opposite sign: the odd part of their function."""
        odd = x.law.odd() if x.law is not None and self.is_opposite(x.root) else None
        if odd is None:
            raise Outside("a weight of paired units, which its inputs are not")
        return replace(x, second=odd.second, mean=odd.mean, law=odd, values=x.values / 2)

    def _biased(self, node: Node, x: Signal, power: float, profile: Profile) -> Signal:
        """The output of a weight, from the power that it passes on: biases move it and spread it."""
        biases = self.vectors(node, "bias")
        mean = sum(one for one, _ in biases)
        spread = power + sum(max(second - one**2, 0.0) for one, second in biases)
        second = spread + mean**2
        constant = (mean**2 / second) ** 2 if second > 0 else 0.0
        carried = x.variance * (power / spread) ** 2 if spread > 0 else 0.0
        law = gaussian(spread, self.spread(node, constant)).map(lambda v: v + mean)
        profile = blended([profile, raised(profile, 0.0)], [power, max(second - power, 0.0)])
        values = self._values(node, constant)
        return Signal(second, mean, carried, values, law, node.index, node.index, x.reason, profile)

    def _values(self, node: Node, constant: float = 0.0) -> float:
        """How many independent values a weighted node's mean square is taken over; `constant` as for `spread`."""
        seen, units = node.forward, float(node.units or 1)
        if seen is None or constant > 1.0 - 1e-9:
            return units if seen is None else math.inf
        independent_rows = units * (seen.rank if seen.rank >= 1 else 1.0)
        if node.unit_error is None:
            return independent_rows
        found = 2.0 * (1.0 - constant) / max(node.unit_error, 1e-9)
        return min(found, independent_rows) if units < FEW else found

    def spread(self, node: Node, constant: float = 0.0) -> float:
        """Relative variance of the signal's size over samples and places, where it is more than chance.

        `constant` is the squared share of the second moment that the mean has: by that a Gaussian is less spread.
        """
        if node.forward is None or not math.isfinite(node.forward.kurtosis):
            return 0.0
        # A Gaussian of squared mean share c has kurtosis 3 - 2 c.
        found = node.forward.kurtosis / (3.0 - 2.0 * constant) - 1
        return found if found > 2 * math.sqrt(24 / max(self._values(node, constant), 1.0)) / 3 else 0.0

    def _activation(self, node: Node, before: Sequence[Signal]) -> Signal:
        x = before[0]
        if len(before) != 1:
            raise Outside(f"the operation {node.op} of several signals")
        if x.law is None:
            raise Outside("an activation of a value whose law is not known")
        if node.kind in ops.PAIRING:
            return from_law(x, independent(x.law, x.law.map(torch.sigmoid), torch.mul), node.index)
        return from_law(x, x.law.map(self._function(node)))

    def _function(self, node: Node) -> Callable[[Tensor], Tensor]:
        numbers: list[object] = list(node.scalars)
        if node.kind in ops.PARAMETRIC:
            slopes = self.vectors(node, next((use.how for use in self.uses.get(node.index, ())), ""))
            numbers = [torch.tensor([mean], dtype=torch.float64) for mean, _ in slopes]
        elif node.kind in ops.TWO_NUMBERS and len(numbers) != 2:
            raise Outside(f"the operation {node.op}, of which not all arguments are known")
        operation = ops.aten_function(node.op)

        def evaluated(x: Tensor) -> Tensor:
            try:
                y = operation(x, *numbers)
            except (TypeError, RuntimeError) as error:
                raise Outside(f"the operation {node.op}") from error
            y = y[0] if isinstance(y, tuple) else y
            if not isinstance(y, Tensor) or not bool(torch.isfinite(y).all()):
                raise Outside(f"the operation {node.op}, which is not finite everywhere")
            return y

        return evaluated

    def _norm(self, node: Node, before: Sequence[Signal]) -> Signal:
        x, measured = before[0], node.forward
        if measured is not None:
            # Four standard errors of the sample, so that one norm in thousands is left out by chance.
            chance = NORMED + 4 * math.sqrt(self.sampling(node, measured))
            _, expected = self._given(node, x, found=True)
            if not expected * math.exp(-chance) <= measured.second <= expected * math.exp(chance):
                raise Outside(
                    "a norm that does not give unit scale: running statistics, or a signal as small as its epsilon"
                )
        mean, second = self._given(node, x)
        law = gaussian(second, self.spread(node))
        return Signal(second, mean, law=law, root=node.index, drawn=x.drawn, profile=x.over_map)

    def _given(self, node: Node, x: Signal, *, found: bool = False) -> tuple[float, float]:
        """(mean, second moment) of what a norm with these gains and shifts makes of a value."""
        gains, shifts = (self.vectors(node, how, found=found) for how in ("gain", "shift"))
        gain, shift = (gains[0] if gains else (1.0, 1.0)), (shifts[0] if shifts else (0.0, 0.0))
        return shift[0], gain[1] * x.second / (x.second + (node.epsilon or 0.0)) + shift[1]

    def _add(self, node: Node, before: Sequence[Signal]) -> Signal:
        sign = -1.0 if ops.subtracts(node.op) else 1.0
        if node.op not in ops.PLAIN_SUMS:
            raise Outside(f"the operation {node.op}")
        if len(before) == 2:
            return self._sum(node, before[0], before[1], sign)
        x, added = before[0], self.vectors(node, "add")
        if not added and node.scalars:
            constant = sign * node.scalars[0]
            return from_law(x, x.law.map(lambda v: v + constant)) if x.law else replace(
                x, second=x.second + 2 * x.mean * constant + constant**2, mean=x.mean + constant)  # fmt: skip
        if len(added) != 1 or len(node.inputs) != 1:
            raise Outside("a constant that the tape does not hold")
        mean, second = added[0]
        total = x.second + second + 2 * sign * mean * x.mean
        law = None
        if x.law is not None:
            spread = gaussian(max(second - mean**2, 0.0)).map(lambda v: sign * (v + mean))
            law = independent(x.law, spread, torch.add) if second > 0 else x.law
        return replace(x, second=total, mean=x.mean + sign * mean, carried=x.variance * (x.second / total) ** 2
                       if total > 0 else 0.0, law=law, root=node.index, profile=x.over_map)  # fmt: skip

    def _joined(
        self, node: Node, x: Signal, y: Signal, f: Callable[[Tensor, Tensor], Tensor]
    ) -> Signal | None:
        """A function of two values that are functions of one root; None where their roots differ."""
        if x.law is None or y.law is None or x.root != y.root:
            return None
        differ = reads_apart(self.seen, node)
        self.check_parts(self.seen.nodes[x.root], self.signals[x.root].second, differ)
        if not differ:
            return from_law(x, x.law.join(y.law, f))
        law = apart(x.law, y.law, f)
        carried = (x.law.slope + y.law.slope) ** 2 * x.carried + (x.law.excess + y.law.excess) / x.values
        return replace(x, second=law.second, mean=law.mean, carried=carried, law=law, values=math.inf,
                       root=node.index, profile=x.over_map)  # fmt: skip

    def _sum(self, node: Node, x: Signal, y: Signal, sign: float) -> Signal:
        joined = self._joined(node, x, y, lambda a, b: a + sign * b)
        if joined is not None:
            return joined
        self._check_apart(node, x, y)
        second = x.second + y.second + 2 * sign * x.mean * y.mean
        if second <= 0:
            raise Outside("a sum that cancels")
        law = independent(x.law, y.law, lambda a, b: a + sign * b) if x.law and y.law else None
        carried = (x.variance * x.second**2 + y.variance * y.second**2) / second**2
        over = blended([x.over_map, y.over_map], [x.second, y.second])
        drawn, mean = max(x.drawn, y.drawn), x.mean + sign * y.mean
        return Signal(second, mean, carried, math.inf, law, node.index, drawn, profile=over)

    def _check_apart(self, node: Node, x: Signal, y: Signal) -> None:
        """Raise unless one of two operands holds weights that the other has not met."""
        ancestors = self.seen.graph.ancestors
        first, second = dict.fromkeys(node.inputs)
        is_fresh = (x.drawn >= 0 and not ancestors[second] >> x.drawn & 1) or (
            y.drawn >= 0 and not ancestors[first] >> y.drawn & 1
        )
        if not is_fresh:
            raise Outside("values that were made from one another")

    def _mul(self, node: Node, before: Sequence[Signal]) -> Signal:
        divides = ops.divides(node.op)
        if node.op not in ops.PLAIN_PRODUCTS:
            raise Outside(f"the operation {node.op}")
        x = before[0]
        if len(node.inputs) == 2 and (len(before) == 2 or (x.law is not None and not divides)):
            return self._product(node, x, before[-1], divides)
        scales = self.vectors(node, "scale")
        if not scales and node.scalars:
            factor = 1 / node.scalars[0] if divides and node.scalars[0] else node.scalars[0]
            return scaled(x, factor, factor**2)
        if len(scales) != 1 or divides or len(node.inputs) != 1:
            raise Outside("a constant that the tape does not hold")
        return scaled(x, *scales[0])

    def _product(self, node: Node, x: Signal, y: Signal, divides: bool) -> Signal:
        if divides:
            raise Outside("a quotient of two signals")
        joined = self._joined(node, x, y, torch.mul)
        if joined is not None:
            return joined
        self._check_apart(node, x, y)
        law = independent(x.law, y.law, torch.mul) if x.law and y.law else None
        drawn = max(x.drawn, y.drawn)
        return Signal(x.second * y.second, x.mean * y.mean, x.variance + y.variance, law=law, root=node.index,
                      drawn=drawn, profile=x.over_map or y.over_map)  # fmt: skip

    def _concat(self, node: Node, _before: Sequence[Signal]) -> Signal:
        tokens = self.vectors(node, "token")
        parts = [self.signals[view.node] for view in node.operands]
        parts += [Signal(second, mean, law=normal_law(mean, second)) for mean, second in tokens]
        sizes = [view.numel for view in node.operands]
        rest = math.prod(node.shape) - sum(sizes)
        if len(node.operands) != len(node.inputs) or len(tokens) > 1 or (rest > 0) != bool(tokens):
            raise Outside("a constant that the tape does not hold")
        shares = [size / math.prod(node.shape) for size in [*sizes, *[rest] * len(tokens)]]
        second = sum(share * one.second for share, one in zip(shares, parts, strict=True))
        mean = sum(share * one.mean for share, one in zip(shares, parts, strict=True))
        noise = sum(
            (share * one.second) ** 2 * one.variance for share, one in zip(shares, parts, strict=True)
        )
        laws = [one.law for one in parts if one.law is not None]
        law = mixture(laws, shares) if len(laws) == len(parts) else None
        drawn = max(one.drawn for one in parts)
        sizes_of_parts = [share * one.second for share, one in zip(shares, parts, strict=True)]
        profile = blended([one.over_map for one in parts], sizes_of_parts)
        noise = noise / second**2 if second > 0 else 0.0
        return Signal(second, mean, noise, law=law, root=node.index, drawn=drawn, profile=profile)

    def _moved(self, node: Node, before: Sequence[Signal]) -> Signal:
        """Values that are pooled or moved: by the factor that was measured, which holds for any scale."""
        x = before[0]
        if len(before) != 1:
            raise Outside(f"the operation {node.op} of several signals")
        source = self.seen.nodes[node.inputs[0]].forward
        if node.forward is None or source is None or not source.second > 0 or not node.forward.finite:
            if node.category == "pool":
                raise Outside("a pooling of values whose correlation is not known")
            return x
        factor = node.forward.second / source.second
        slack = self.sampling(node, node.forward) + self.sampling(self.seen.nodes[node.inputs[0]], source)
        # A copy that only moves values keeps their law; any other factor makes the law unknown.
        if node.category == "copy" and abs(factor - 1) <= SAME_SECOND + 4 * math.sqrt(slack):
            return x
        second = x.second * factor
        mean = node.forward.mean * math.sqrt(second / node.forward.second) if node.forward.second > 0 else 0.0
        law = normal_law(mean, second)
        return replace(x, second=second, mean=mean, carried=x.variance + slack, law=law, values=math.inf,
                       root=node.index, profile=())  # fmt: skip


_UNPREDICTED = {
    "softmax": "a softmax",
    "attention": "attention",
    "matmul": "a product of two signals",
    "lookup": "a table that is looked up in",
}
