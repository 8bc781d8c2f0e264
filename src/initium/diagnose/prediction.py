"""What theory predicts at every weighted site of a record, with an error bar, beside what was measured there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from initium.diagnose.propagate import Propagation
from initium.diagnose.signal import Weights
from initium.record import Record

BAR = 2.0
"""Half width of an error bar, in standard errors."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """The second moment of one weighted site's output, by theory.

    Args:
        node: the operation.
        names: the weight.
        second: E z^2, over draws of the weights.
        error: standard deviation of log E z^2 that finite width, batch and sample leave open.
        measured: what the record found; None where nothing was measured, as with other weights than those found.
        outside: why the theory does not speak of the site itself; "" where it does.
        restarted: why the signal before the site was taken from a measurement; "" where it was predicted throughout.
    """

    node: int
    names: tuple[str, ...]
    second: float
    error: float
    measured: float | None
    outside: str = ""
    restarted: str = ""

    @property
    def low(self) -> float:
        """Lower end of the error bar."""
        return self.second * math.exp(-self.error * (self.error / 2 + BAR))

    @property
    def high(self) -> float:
        """Upper end of the error bar."""
        return self.second * math.exp(-self.error * (self.error / 2 - BAR))

    @property
    def inside(self) -> bool:
        """Whether the measurement lies within the error bar; true also where there is none."""
        return self.measured is None or self.low <= self.measured <= self.high


FLOOR = 0.005
"""What rounding, and theory at finite width, leave open in any case."""


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
    propagation = Propagation(seen, weights or {})
    signals = propagation.run()
    found: list[Predicted] = []
    for use in seen.sites:
        node, signal = seen.nodes[use.node], signals[use.node]
        if any(one.node == use.node for one in found) or use.layer is None or use.layer.kind == "embedding":
            continue
        drawn = signal.drawn == use.node
        before = signal.reason if drawn else ""
        looked_at = 0.0 if node.unit_error is not None else propagation.sampling(node)
        error = math.sqrt(signal.variance + looked_at + FLOOR**2)
        measured = None if weights or node.forward is None else node.forward.second
        found.append(
            Predicted(
                use.node, use.names, signal.second, error, measured, "" if drawn else signal.reason, before
            )
        )
    return tuple(found)
