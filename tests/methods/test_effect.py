"""What records state about the signal; that it is so is measured by the conformance suite."""

from __future__ import annotations

import pytest

from initium.errors import InitiumError
from initium.methods.catalogue import CATALOGUE, find
from initium.methods.effect import effect
from initium.methods.kit.energy import Energy, effect_of, positions
from initium.methods.kit.law import law
from initium.random.distributions import Blocks
from initium.testing import SAMPLE_LAYERS
from initium.theory.layer import Layer

SQUARE = Layer("linear", (64, 64))
SILENT = {
    "values": "given by the user",
    "mimetic": "a truncated singular value decomposition",
    "impulse_attention": "made from a pseudo-inverse",
    "s4d": "eigenvalues, no weight that carries a signal",
}
"""Methods for weights that state no effect, with the reason."""


def structured(method):
    for layer in SAMPLE_LAYERS:
        if layer.kind in ("linear", "conv", "conv_transpose") and layer.kind in method.layers:
            try:
                draw = method(layer)
            except InitiumError:
                continue
            if law(draw) is None and not isinstance(draw, Blocks):
                yield layer


@pytest.mark.parametrize("method", [m for m in CATALOGUE if m.draw], ids=lambda m: m.name)
def test_structured_weights_state_their_effect(method):
    layers = list(structured(method))
    stated = [effect(method, layer) for layer in layers]
    if method.name in SILENT:
        assert not any(stated)
    elif layers:
        assert any(stated)


@pytest.mark.parametrize(
    ("name", "forward", "backward", "params"),
    [
        ("he_normal", 2.0, 2.0, {}),
        ("lecun_uniform", 1.0, 1.0, {}),
        ("orthogonal", 1.0, 1.0, {}),
        ("mirrored", 2.0, 2.0, {}),
        ("mirrored", 1.0, 1.0, {"a": 0.41421356237}),
        ("zeros", 0.0, 0.0, {}),
        ("identity", 1.0, 1.0, {}),
        ("uniform", 64 / 3, 64 / 3, {}),
    ],
)
def test_effects_of_a_square_layer(name, forward, backward, params):
    found = effect(find(name), SQUARE, **params)
    assert (found.forward, found.backward) == pytest.approx((forward, backward))


def test_packed_blocks_add_up():
    packed = Layer("linear", (72, 24), blocks=(24, 24, 24))
    assert effect(find("deepnorm"), packed).forward == pytest.approx((1 + 1 + 96**-0.5) / 3)


def test_padding_hides_the_effect_of_taps_that_are_not_even():
    padded = Layer("conv", (8, 8, 3, 3), padding=(1, 1))
    assert effect_of(Energy(uneven=8.0), padded) is None
    assert effect_of(Energy(centre=8.0), padded).forward == 1.0
    assert effect_of(Energy(centre=8.0), Layer("vector", (8,))) is None


def test_positions_count_strides():
    assert positions(Layer("conv", (8, 8, 3, 3), stride=(2, 2))) == 0.25
    assert positions(Layer("conv", (8, 8, 3), stride=(2,), input_size=(9,))) == pytest.approx(4 / 9)
    assert positions(Layer("conv_transpose", (8, 8, 4), stride=(2,), padding=(1,), input_size=(6,))) == 2.0
