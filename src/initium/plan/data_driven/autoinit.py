"""AutoInit: moments computed through the recorded graph, each weight scaled so that its output has variance 1.

Bingham and Miikkulainen (2021), arXiv:2109.08958. No value is measured but where theory has no rule.
"""

from __future__ import annotations

from initium.methods.kit.law import law
from initium.plan.data_driven.baseline import Baseline, Found
from initium.plan.scales.theory_sweep import Scaling
from initium.predict.signal import Weights

UNIT_VARIANCE = 1.0
"""The variance of every output."""


def autoinit(baseline: Baseline) -> Found:
    """The assignments with the scales that unit variance asks for, and where theory had no rule."""
    # Only draws with a mean and variance in closed form: nothing is measured here.
    laws = {one.name: law(one.draw()) for one in baseline.assignments if not one.keeps}
    drawn = {
        name: Weights(known.var + known.mean**2, mean=known.mean) for name, known in laws.items() if known
    }
    scaling = Scaling(
        baseline.record, drawn, {name: lambda _: UNIT_VARIANCE for name in baseline.tuned if name in drawn}
    )
    signals = scaling.run()
    reasons = list(dict.fromkeys(signal.reason for signal in signals if signal.reason))
    notes = [f"taken as measured, since theory has no rule: {'; '.join(reasons[:4])}"] if reasons else []
    rest = [name for name in baseline.tuned if name not in scaling.factors]
    notes += [f"not reached: {', '.join(rest[:4])}"] if rest else []
    return baseline.scaled(scaling.factors), tuple(notes)
