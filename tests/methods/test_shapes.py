"""Every method on any shape: it fills the tensor with finite numbers, or says why it cannot."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initium.errors import LayerError
from initium.methods.catalogue import CATALOGUE
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.theory.layer import Layer

sizes, sides = st.integers(0, 7), st.integers(1, 4)


@st.composite
def layers(draw):
    kind = draw(st.sampled_from(["linear", "conv", "conv_transpose", "embedding", "vector", "other"]))
    if kind == "vector":
        return Layer(kind, tuple(draw(st.lists(sizes, min_size=0, max_size=3))))
    if kind == "embedding":
        return Layer(kind, (draw(sizes), draw(sizes)), out_axis=1, in_axis=0)
    if kind == "linear":
        flip = draw(st.booleans())
        return Layer(kind, (draw(sizes), draw(sizes)), out_axis=int(flip), in_axis=1 - int(flip))
    kernel = tuple(draw(st.lists(sides, min_size=1, max_size=3)))
    groups, few, many = draw(st.integers(1, 3)), draw(sizes), draw(sizes)
    if kind == "other":
        return Layer(kind, (few, many, *kernel))
    stride = tuple(draw(st.integers(1, 3)) for _ in kernel)
    axes = {"out_axis": 1, "in_axis": 0} if kind == "conv_transpose" else {}
    known = draw(st.booleans())
    size = tuple(draw(st.integers(1, 5)) for _ in kernel) if known else ()
    return Layer(kind, (groups * few, many, *kernel), groups=groups, stride=stride, input_size=size, **axes)


@pytest.mark.parametrize("method", [m for m in CATALOGUE if m.draw], ids=lambda m: m.name)
@settings(max_examples=25)
@given(layer=layers())
def test_any_shape(method, layer):
    try:
        draw = method(layer)
    except LayerError:
        return
    weight = fill_(torch.full(layer.shape, float("nan")), draw, key_for(0, "shape"))
    assert weight.shape == layer.shape
    assert bool(torch.isfinite(weight).all())
