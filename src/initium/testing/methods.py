"""The conformance suite of methods: records, moments, distribution, structure, dtype, keys, signal.

Tolerances are five standard errors of the sample at hand, so a right method fails about once in a
million checks; keys are fixed, so what passes once passes always.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from initium.errors import LayerError, UsageError
from initium.methods.effect import energy
from initium.methods.kit.energy import effect_of
from initium.methods.kit.law import law, truncation
from initium.methods.method import Method
from initium.random.distributions import Blocks, Constant, Draw, Normal, Orthogonal, TruncatedNormal, Uniform
from initium.random.fill import fill_
from initium.random.key import Key, key_for
from initium.testing.layer_response import signal, sized
from initium.theory.layer import Layer

SIGNAL_KINDS = ("linear", "conv", "conv_transpose")
"""Kinds of layer that can be run on data from their geometry alone."""

Params = Mapping[str, object] | Callable[[Layer], Mapping[str, object]]
"""Parameters for the checks: the same for all layers, or by layer."""

SAMPLE_LAYERS: tuple[Layer, ...] = (
    Layer("linear", (48, 32)),
    Layer("linear", (32, 48)),
    Layer("linear", (24, 24)),
    Layer("linear", (48, 32), out_axis=1, in_axis=0),
    Layer("linear", (3, 16, 20), out_axis=2, in_axis=1),
    Layer("linear", (72, 24), blocks=(24, 24, 24)),
    Layer("conv", (24, 12, 5)),
    Layer("conv", (12, 24, 3, 3), stride=(2, 2), padding=(1, 1), input_size=(9, 9)),
    Layer("conv", (24, 24, 3, 3), padding=(1, 1)),
    Layer("conv", (32, 4, 3, 3), groups=4, dilation=(2, 2)),
    Layer("conv", (48, 1, 5, 5), groups=48),
    Layer("conv", (16, 8, 1, 1)),
    Layer("conv", (8, 6, 3, 3, 3)),
    Layer(
        "conv_transpose",
        (24, 12, 4, 4),
        out_axis=1,
        in_axis=0,
        stride=(2, 2),
        padding=(1, 1),
        input_size=(6, 6),
    ),
    Layer("conv_transpose", (16, 6, 3), out_axis=1, in_axis=0, groups=4, stride=(2,), output_padding=(1,)),
    Layer("conv_transpose", (8, 1, 4, 4), out_axis=1, in_axis=0, groups=8, stride=(2, 2)),
    Layer("embedding", (100, 24), out_axis=1, in_axis=0),
    Layer("other", (12, 10, 9)),
    Layer("vector", (24,)),
    Layer("vector", (256,)),
    Layer("vector", (1, 20, 8)),
)
"""Layers of every kind, small and awkward."""


def check_method(
    method: Method, *, params: Params | None = None, layers: Sequence[Layer] = SAMPLE_LAYERS
) -> None:
    """Run every check of the suite on `method`.

    Args:
        method: the record to check; it must be a function of a layer (`draw` not None).
        params: parameters for it, or a function from a layer to parameters.
        layers: layers to try; those of kinds that the method does not claim must be refused.

    Raises:
        AssertionError: what failed, on which layer.

    Example:
        >>> from initium.methods.catalogue import find
        >>> check_method(find("he_normal"))
    """
    check_record(method)
    check_refusals(method, layers, params)
    served = served_layers(method, params=params, layers=layers)
    missing = set(method.layers) - {layer.kind for layer in served}
    assert not missing, f"{method.name} claims {sorted(missing)} but serves no sample layer of them"
    for layer in served:
        for check in METHOD_CHECKS:
            try:
                check(method, layer, _params(params, layer))
            except AssertionError as error:
                raise AssertionError(f"{method.name} on {layer}: {check.__name__}: {error}") from error


def served_layers(
    method: Method, *, params: Params | None = None, layers: Sequence[Layer] = SAMPLE_LAYERS
) -> list[Layer]:
    """The layers of a claimed kind that the method does not refuse with a LayerError."""
    claimed = [layer for layer in layers if layer.kind in method.layers]
    return [layer for layer in claimed if _refusal(method, layer, params) is None]


def check_record(method: Method) -> None:
    """Names, summary and paper are there; defaults pass their own checks; wrong parameters do not."""
    assert method.draw is not None, f"{method.name} is no function of a layer"
    assert method.name.isidentifier(), f"{method.name!r} is no name"
    assert method.summary, f"{method.name} has no summary"
    assert method.paper.authors, f"{method.name} has no paper"
    assert method.layers, f"{method.name} claims no layers"
    for param in method.params:
        assert param.help, f"{method.name}: {param.name} has no help"
        assert param.check(param.default, method.name) == param.default
        for bad in _out_of_range(param.low, param.high, param.choices):
            assert _refuses(method, param.name, bad), f"{method.name} takes {param.name} = {bad!r}"
    assert _refuses(method, "no_such_parameter", 1), f"{method.name} takes unknown parameters"


def check_refusals(method: Method, layers: Sequence[Layer], params: Params | None) -> None:
    """Layers of other kinds are refused with a LayerError that names what to use."""
    for layer in layers:
        refusal = _refusal(method, layer, params)
        assert refusal is None or refusal.remedy.startswith("use "), f"{method.name}: {refusal}"
        assert refusal or layer.kind in method.layers, f"{method.name} does not claim {layer} but serves it"


def check_deterministic(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """The same key gives the same bits; another key other ones, or all keys the same."""
    draw = method(layer, **params)
    first, again, *others = (_fill(draw, layer, seed) for seed in (0, 0, 1, 2))
    assert torch.equal(first, again), "two fills under one key differ"
    same = [torch.equal(first, other) for other in others]
    assert all(same) or not any(same), "some keys give the same tensor and some do not"
    known = law(draw)
    assert known is None or known.var == 0 or not any(same), "the key changes nothing"


def check_dtype(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """Narrower types hold the float32 values, cast once; float64 the same to 1e-6; all are finite."""
    draw = method(layer, **params)
    single = _fill(draw, layer, 0)
    assert bool(torch.isfinite(single).all()), "values that are not finite"
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        other = fill_(torch.empty(layer.shape, dtype=dtype), draw, _key(layer, 0))
        if dtype == torch.float64:  # may hold more digits than float32 does
            near = torch.allclose(other.float(), single, rtol=1e-5, atol=1e-6)
        else:
            near = torch.equal(other, single.to(dtype))
        assert near, f"{dtype} does not hold the float32 values"


def check_scaled(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """`scaled(c)` gives c times the values: calibration depends on it."""
    draw = method(layer, **params)
    whole, half = _fill(draw, layer, 0), _fill(draw.scaled(0.5), layer, 0)
    assert torch.allclose(half, 0.5 * whole, rtol=1e-5, atol=1e-7 * float(whole.abs().max()))


def check_moments(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """Mean and variance are those of the draw's closed form."""
    draw = method(layer, **params)
    known = law(draw)
    if known is None:
        return
    x = torch.stack([_fill(draw, layer, seed) for seed in range(4)]).double()
    if known.var == 0:
        assert bool((x == torch.tensor(known.mean).float()).all()), f"not the constant {known.mean}"
        return
    error = 5 / math.sqrt(x.numel())
    assert abs(float(x.mean()) - known.mean) < error * known.std, f"mean {float(x.mean())}, not {known.mean}"
    var = float((x - known.mean).square().mean())
    assert abs(var / known.var - 1) < error * math.sqrt(2), f"variance {var}, not {known.var}"


def check_distribution(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """Kolmogorov-Smirnov distance of independent elements; exact products of orthogonal ones."""
    draw = method(layer, **params)
    x = _fill(draw, layer, 0)
    for part, values in _parts(draw, x):
        if isinstance(part, Orthogonal):
            _check_orthogonal(part, values)
        elif isinstance(part, (Uniform, Normal, TruncatedNormal)):
            ordered = values.flatten().double().sort()[0]
            n = len(ordered)
            places = torch.arange(n, dtype=torch.float64) / n
            cdf = _cdf(part, ordered)
            distance = float(torch.maximum(cdf - places, places + 1 / n - cdf).max())
            assert distance < 2.5 / math.sqrt(n), f"KS distance {distance:.3g} of {n} values from {part}"


def check_empty(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """A layer without outputs is filled without complaint, or refused as a LayerError."""
    if layer.kind not in ("linear", "vector") or layer.blocks:
        return
    empty = Layer(layer.kind, (0, *layer.shape[1:]), out_axis=layer.out_axis, in_axis=layer.in_axis)
    try:
        draw = method(empty, **params)
    except LayerError:
        return
    assert _fill(draw, empty, 0).numel() == 0


def check_signal(method: Method, layer: Layer, params: Mapping[str, object]) -> None:
    """Mean squares of signals and of gradients are multiplied by what the method states (`initium.methods.effect`).

    That is fan * E w^2 where the elements have a closed form, and the stated energy for structured weights; the
    inputs are independent. Both ratios are means over 16 weights; the bound is six standard errors of these.
    """
    power = energy(method, layer, **params) if layer.kind in SIGNAL_KINDS else None
    stated = None if power is None else effect_of(power, sized(layer))
    if stated is None or known_constant(method(layer, **params)):
        return
    generator, draw = torch.Generator().manual_seed(0), method(layer, **params)
    seen = torch.tensor([signal(_fill(draw, layer, seed), layer, generator) for seed in range(16)])
    for ratio, wanted, way in zip(
        seen.T, (stated.forward, stated.backward), ("forward", "backward"), strict=True
    ):
        bound = 6 * float(ratio.std()) / 4 + 1e-6 * wanted
        found = float(ratio.mean())
        assert abs(found - wanted) < bound, f"{way} mean square times {found:.4g}, not {wanted:.4g}"


def known_constant(draw: Draw) -> bool:
    """Whether every element is zero: then there is no signal to measure."""
    return isinstance(draw, Constant) and draw.value == 0


METHOD_CHECKS: tuple[Callable[[Method, Layer, Mapping[str, object]], None], ...] = (
    check_deterministic,
    check_dtype,
    check_scaled,
    check_moments,
    check_distribution,
    check_empty,
    check_signal,
)
"""The checks that run on every layer a method serves."""


def _params(params: Params | None, layer: Layer) -> dict[str, object]:
    return dict(params(layer) if callable(params) else params or {})


def _refusal(method: Method, layer: Layer, params: Params | None) -> LayerError | None:
    try:
        method(layer, **_params(params, layer))
    except LayerError as error:
        return error
    return None


def _key(layer: Layer, seed: int) -> Key:
    return key_for(seed, f"{layer.kind} {layer.shape}")


def _fill(draw: Draw, layer: Layer, seed: int) -> Tensor:
    return fill_(torch.empty(layer.shape), draw, _key(layer, seed))


def _refuses(method: Method, name: str, value: object) -> bool:
    try:
        method.resolve(**{name: value})
    except UsageError as error:
        return bool(error.remedy)
    return False


def _out_of_range(low: float | None, high: float | None, choices: tuple[str, ...]) -> list[object]:
    bad: list[object] = ["no such word"] if choices else [math.nan, object()]
    return bad + ([] if low is None else [low - 1]) + ([] if high is None else [high + 1])


def _parts(draw: Draw, x: Tensor) -> list[tuple[Draw, Tensor]]:
    if isinstance(draw, Blocks):
        pieces = torch.split(x, list(draw.sizes), dim=draw.axis)
        return [pair for part, piece in zip(draw.draws, pieces, strict=True) for pair in _parts(part, piece)]
    return [(draw, x)]


def _check_orthogonal(draw: Orthogonal, x: Tensor) -> None:
    layout = draw.layout or tuple(range(x.dim()))
    matrix = x.permute(layout).reshape(draw.batch, draw.rows, draw.cols).double()
    product = matrix @ matrix.mT if draw.rows <= draw.cols else matrix.mT @ matrix
    wanted = draw.gain**2 * torch.eye(product.shape[-1], dtype=torch.float64)
    assert torch.allclose(product, wanted.expand_as(product), atol=2e-5 * max(draw.gain**2, 1e-12)), (
        "rows or columns are not orthonormal"
    )


def _cdf(draw: Uniform | Normal | TruncatedNormal, x: Tensor) -> Tensor:
    if isinstance(draw, Uniform):
        return ((x - draw.low) / (draw.high - draw.low)).clamp(0, 1)
    if isinstance(draw, Normal):
        return _phi((x - draw.mean) / draw.std)
    parent = draw.std / truncation(draw.low, draw.high)[1] if draw.corrected else draw.std
    low, high = _phi(torch.tensor([draw.low, draw.high], dtype=torch.float64))
    inside: Tensor = (_phi((x - draw.mean) / parent) - low) / (high - low)
    return inside.clamp(0, 1)


def _phi(z: Tensor) -> Tensor:
    below: Tensor = torch.erfc(-z / math.sqrt(2))
    return below / 2
