"""What theory predicts at every weighted site of a record, with an error bar, beside what was measured there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from initium.predict.forward_moments import Propagation
from initium.predict.gradient_moments import Backpropagation, Gradient
from initium.predict.signal import Weights
from initium.record import Record
from initium.record.tape.moments import Moments
from initium.record.tape.node import Node

BAR = 2.0
"""Half width of an error bar, in standard errors."""


FLOOR = 0.005
"""What rounding, and theory at finite width, leave open in any case."""
WIDEST = 20.0
"""An error that says that nothing is known."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A second moment by theory, with its error bar, and what was measured.

    Args:
        second: E x^2, over draws of the weights.
        error: standard deviation of log E x^2 that finite width, batch and sample leave open.
        measured: what the record found; None where nothing was measured, as with other weights than those found.
        outside: why the theory does not speak of it, so that it is the measurement; "" where it does.
    """

    second: float
    error: float
    measured: float | None
    outside: str = ""

    @property
    def low(self) -> float:
        """Lower end of the error bar."""
        return self.second * math.exp(-self.error * (self.error / 2 + BAR))

    @property
    def high(self) -> float:
        """Upper end of the error bar: what is less certain reaches no less far, though its median is lower."""
        error = min(self.error, BAR)
        return self.second * math.exp(error * (BAR - error / 2))

    @property
    def inside(self) -> bool:
        """Whether the measurement lies within the error bar; true also where there is none."""
        return self.measured is None or self.low <= self.measured <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted(Bar):
    """The second moment of one weighted site's output, by theory.

    Args:
        node: the operation.
        names: the weight.
        restarted: why the signal before the site was taken from a measurement; "" where it was predicted throughout.
        gradient: the same of the loss's gradient at the output; None where none arrived.
    """

    node: int
    names: tuple[str, ...]
    restarted: str = ""
    gradient: Bar | None = None


def predict(seen: Record, weights: Mapping[str, Weights] | None = None) -> tuple[Predicted, ...]:
    """The second moments of all weighted sites by mean-field theory, in execution order.

    E z^2 = fan_in E w^2 E x^2 + E b^2 at a weight (padding, stride and groups counted), activations by quadrature over
    the law of what they are given, independent values added. An operation that theory does not speak of (attention, a
    norm by running statistics, weights that are no random draws) is named, and what comes after it is predicted from
    the moment that was measured there. The error bar holds the noise of sampling alone: n units give the mean square a
    relative variance of 2/n and a ReLU's 5/n per layer, divided by the number of directions that the batch spans.
    Positions of a feature map count as one, so the bars of convolutions are wide.

    Args:
        seen: one recorded run.
        weights: by parameter name, what stands in for the values that the record found; where theory does not speak,
            the signal then goes on from what was measured with the old ones.

    Reference: Poole et al. (2016), arXiv:1606.05340; Hanin (2018), arXiv:1801.03744, for the noise of finite width.

    Example:
        >>> import torch
        >>> from initium.record import record
        >>> net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64))
        >>> [one.inside for one in predict(record(net, torch.ones(4, 64)))]
        [True, True]
    """
    planned, propagation = bool(weights), Propagation(seen, weights or {})
    signals = propagation.run()
    gradients = Backpropagation(propagation, signals).run()
    found: dict[int, Predicted] = {}
    for use in seen.sites:
        if use.node in found or use.layer is None or use.layer.kind == "embedding":
            continue
        node, signal = seen.nodes[use.node], signals[use.node]
        outside = propagation.restarts.get(use.node, "")
        # Where the spread of units was measured, it holds the error of the sample already.
        looked_at = 0.0 if node.unit_error is not None else propagation.sampling(node, node.forward)
        found[use.node] = Predicted(
            node=use.node,
            names=use.names,
            second=signal.second,
            error=_error(signal.variance + looked_at),
            measured=None if planned else _measured(node.forward),
            outside=outside,
            restarted="" if outside else signal.reason,
            gradient=_gradient(propagation, node, gradients.get(use.node), planned),
        )
    return tuple(found.values())


def _gradient(propagation: Propagation, node: Node, found: Gradient | None, planned: bool) -> Bar | None:
    if found is None or node.backward is None:
        return None
    error = _error(found.total + propagation.sampling(node, node.backward))
    return Bar(found.second, error, None if planned else _measured(node.backward), found.reason)


def _error(variance: float) -> float:
    return min(math.sqrt(max(variance, 0.0) + FLOOR**2), WIDEST)


def _measured(moments: Moments | None) -> float | None:
    return moments.second if moments is not None and math.isfinite(moments.second) else None
