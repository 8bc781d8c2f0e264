"""The start of every weight and bias on a long unaided chain, as theory finds it for the activations on the chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from initium.methods.method import Value
from initium.plan.structure.chains import Chain, chains_of, settable
from initium.record import Record
from initium.theory import criticality
from initium.theory.layer import Layer

MIN_CHAIN = 3
"""Weights in a row from which on a start of their own is worth its cost."""

COORDINATE_FREQUENCY = 10.0
"""Where the first of sine layers reads n coordinates: sqrt(n) times the root mean square of the sine's argument, as in
SIREN; the net would be smooth without."""
MAX_COORDINATES = 4
"""The most numbers of a sample that are taken for coordinates."""
FITTED_OUTPUT_VARIANCE = 0.01
"""Second moment that such a net's outputs start at: it is fitted to a signal, and noise must first be unlearned."""

SOURCES = {
    "uniform": "Sitzmann+ 2020, 2006.09661",
    "mirrored": "Balduzzi+ 2017, 1702.08591",
    "orthogonal": "Saxe+ 2013, 1312.6120; Schoenholz+ 2017, 1611.01232",
    "conv_orthogonal": "Xiao+ 2018, 1806.05393",
    "centred_orthogonal": "Huang+ 2017; mean-field criticality",
    "constant": "mean-field criticality",
}


@dataclass(frozen=True, slots=True)
class Start:
    """Method, parameters, the second moment to calibrate to, and why."""

    method: str
    target: float
    reason: str
    params: dict[str, Value] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where the method comes from."""
        return SOURCES[self.method]


def starts_of(seen: Record) -> dict[str, Start]:
    """Parameter -> its start, for weights on chains of `MIN_CHAIN` or more, and for biases where they take part."""
    found: dict[str, Start] = {}
    known: dict[object, criticality.Start] = {}
    for chain in chains_of(seen):
        if len(chain) < MIN_CHAIN:
            continue
        mirror, biased = _can_mirror(seen, chain), _can_shift(seen, chain)
        key = (chain.activations, mirror, biased)
        if key not in known:
            known[key] = criticality.start_of(chain.activations, len(chain), mirror=mirror, biases=biased)
        layers = [seen.parts[name].layer for name in chain.names]
        sizes = _sizes(chain, layers, known[key])
        for place, (name, layer) in enumerate(zip(chain.names, layers, strict=True)):
            found[name] = _weight(chain, place, replace(known[key], q=sizes[place]), layer)
        if known[key].shift:
            found.update({name: _bias(known[key]) for name in chain.biases[:-1]})
        period = chain.activations[0].period
        if period is not None and _reads_coordinates(seen, chain.names[0]):
            found.update(_sines_of_coordinates(seen, chain, period, found))
    return found


def _reads_coordinates(seen: Record, name: str) -> bool:
    """Whether a weight takes a few numbers of each sample, as they are given."""
    part, graph = seen.parts[name], seen.graph
    sources = [source for node in part.nodes for source in graph.nodes[node].inputs]
    given = not any(graph.ancestors[source] & graph.weighted for source in sources)
    return given and part.layer.kind == "linear" and part.layer.num_in <= MAX_COORDINATES


def _sines_of_coordinates(
    seen: Record, chain: Chain, period: float, found: dict[str, Start]
) -> dict[str, Start]:
    """The start of a net of sines over coordinates: many frequencies, all phases, and outputs near zero.

    Against SIREN's own start and that of a chain alone: evidence: P-sines-of-coordinates.

    Args:
        seen: the record.
        chain: the weights.
        period: of the function after the first weight.
        found: the starts of the chain as such.
    """
    first, last, bias = chain.names[0], chain.names[-1], chain.biases[0]
    num_in, radian = seen.parts[first].layer.num_in, period / (2 * math.pi)
    reason = "sines of coordinates: the frequencies that the first layer starts with are those that the net can learn"
    changed = {
        first: replace(found[first], target=(COORDINATE_FREQUENCY * radian) ** 2 / num_in, reason=reason),
        last: replace(found[last], target=FITTED_OUTPUT_VARIANCE),
    }
    if bias and all(settable(seen, (bias,))):
        reason = "sines of coordinates: without phases the whole net is an odd function of them"
        changed[bias] = Start("uniform", 1.0, reason, {"low": -period / 2, "high": period / 2})
    return changed


def _sizes(chain: Chain, layers: Sequence[Layer], start: criticality.Start) -> list[float]:
    """The second moment that every output is calibrated to; the last is not used.

    Where f(a z) = a f(z) for all a > 0, scales may move along the chain and the net computes the same. Outputs of equal
    size have gradients that grow with the width; at q / sqrt(width) outputs and gradients share the burden, the
    variance of a weight is gain^2 / sqrt(fan_in fan_out), and all weights learn at like rates.
    """
    if not all(function.homogeneous for function in chain.activations):
        return [start.q] * len(layers)
    logs = [math.log(layer.num_out) for layer in layers]
    middle = fmean(logs[:-1])
    return [start.q * math.exp((middle - log) / 2) for log in logs]


def _weight(chain: Chain, place: int, start: criticality.Start, layer: Layer) -> Start:
    """The start of one weight; the chain's last output goes to a head, a norm or a sum: unit scale.

    Convolutions are isometries with all taps at work where they can be (evidence: P-isometric-convolutions).
    """
    last = place == len(chain) - 1
    target = 1.0 if last else start.q
    reason = f"weight {place + 1} of {start.reason}"
    if start.geometry == "mirrored":
        position = "first" if place == 0 else "last" if last else "hidden"
        params: dict[str, Value] = {"position": position, "taps": "isometric"}
        inputs, outputs = (1, *chain.parts)[place], (*chain.parts, 1)[place]
        if inputs > layer.groups:
            params["parts_in"] = inputs // layer.groups
        if outputs > layer.groups:
            params["parts_out"] = outputs // layer.groups
        return Start("mirrored", target, reason, params)
    if place > 0 and start.centring:
        over: dict[str, Value] = {"over": "tap"} if layer.receptive > 1 else {}
        return Start("centred_orthogonal", target, reason, {"centring": start.centring, **over})
    isometric = layer.kind == "conv" and layer.receptive > 1 and layer.num_out >= layer.num_in
    return Start("conv_orthogonal" if isometric else "orthogonal", target, reason)


def _bias(start: criticality.Start) -> Start:
    return Start("constant", 1.0, f"bias in {start.reason}", {"value": start.shift})


def _can_mirror(seen: Record, chain: Chain) -> bool:
    """Whether the units between the chain's weights can be paired, in every part of them, and all are ours to set."""
    layers = [seen.parts[name].layer for name in chain.names]
    even = [
        width % (2 * parts) == 0
        for one, other, parts in zip(layers[:-1], layers[1:], chain.parts, strict=True)
        for width in (one.num_out, other.num_in)
    ]
    return all(even) and all(settable(seen, chain.names))


def _can_shift(seen: Record, chain: Chain) -> bool:
    """Whether every weight but the last has a bias of its own that may be set."""
    biases = chain.biases[:-1]
    return all(biases) and all(settable(seen, biases))
