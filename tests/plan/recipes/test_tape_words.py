"""The words and numbers of parameters, on nets whose structure is known."""

from __future__ import annotations

import pytest
import torch
from benchmarks.recipe_nets import CenterHeads, FixupNet, Gated, YoloHeads
from tests.plan.recipes.library.test_detr import HEADS, POINTS, SIDE, Deformable
from torch import nn

from initium.plan.recipes.tape_words import Traits
from initium.record import record

LAYERS, WIDTH = 2, 16


@pytest.fixture(scope="module")
def decoder():
    return Traits(record(Gated(WIDTH, LAYERS, 50), torch.randint(50, (2, 6))))


@pytest.fixture(scope="module")
def residual():
    return Traits(record(FixupNet(8, 2), torch.randn(2, 3, 16, 16)))


def having(traits, word):
    return {name for name, words in traits.words.items() if word in words}


def test_a_decoder_has_its_writers_and_its_halves(decoder):
    outs = {f"attention.{i}.out.weight" for i in range(LAYERS)}
    falls = {f"fall.{i}.weight" for i in range(LAYERS)}
    inner = {f"attention.{i}.inner.0.weight" for i in range(LAYERS)}
    wide = {f"{kind}.{i}.weight" for kind in ("gate", "rise") for i in range(LAYERS)}
    assert having(decoder, "writes") == outs | falls
    assert having(decoder, "reads_attention") == outs
    assert having(decoder, "feedforward") == falls | wide
    assert having(decoder, "packed") == inner
    assert having(decoder, "final") == {"head.weight"}
    assert having(decoder, "reads_input") == {"table.weight"}
    norms = {f"norms.{i}.weight" for i in range(2 * LAYERS + 1)}
    assert having(decoder, "norm_gain") == norms
    assert having(decoder, "on_branch") == (outs | falls | inner | wide | norms) - {
        f"norms.{2 * LAYERS}.weight"
    }
    assert having(decoder, "before_trunk") == outs | falls | inner | wide | {"table.weight"}
    assert having(decoder, "matrix") == {
        name for name, words in decoder.words.items() if "norm_gain" not in words
    }


def test_numbers_of_depth(decoder, residual):
    """4 branches on the decoder's stream: attention with 2 weights, a gated perceptron with 3."""
    for i in range(LAYERS):
        for name, weights in ((f"attention.{i}.out.weight", 2), (f"fall.{i}.weight", 3)):
            found = [
                decoder.measure(name, what) for what in ("branches", "layers", "layer", "branch_weights")
            ]
            assert found == [2 * LAYERS, LAYERS, i, weights]
    off = [decoder.measure("head.weight", what) for what in ("branches", "layers", "layer", "branch_weights")]
    assert off == [2 * LAYERS, LAYERS, 0, 1]
    found = [
        residual.measure("blocks.5.conv1.weight", what) for what in ("branches", "layer", "branch_weights")
    ]
    assert found == [6, 2, 2]


def test_numbers_of_shape(decoder, residual):
    assert [decoder.measure("fall.0.weight", what) for what in ("fan_in", "channels")] == [3 * WIDTH, WIDTH]
    assert residual.measure("blocks.5.conv2.weight", "fan_in") == 32 * 9
    assert residual.measure("fc.bias", "fan_in") == residual.measure("fc.weight", "fan_in") == 32
    assert residual.measure("bias2", "fan_in") is None
    assert [residual.measure(f"blocks.{i}.conv2.weight", "grid_side") for i in (1, 2, 5)] == [16, 8, 4]
    heads = Traits(record(YoloHeads(7, 8), torch.randn(2, 3, 64, 64)))
    for level, side in enumerate((8, 4, 2)):
        assert heads.measure(f"classes.{level}.3.weight", "grid_side") == side
        assert heads.measure(f"classes.{level}.3.bias", "channels") == 7


def test_a_bias_belongs_to_the_weight_that_it_is_added_to(residual):
    assert residual.owners("fc.bias") == ("fc.weight",)
    assert residual.owners("fc.weight") == ()

    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.b = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(4))

        def forward(self, x):
            return (x @ self.w.T).view(-1, 4) + self.b

    assert Traits(record(Apart(), torch.randn(5, 3))).owners("b") == ("w",)


def test_scalars_and_scales(residual):
    one = {name for name, parameter in FixupNet(8, 2).named_parameters() if parameter.numel() == 1}
    assert having(residual, "scalar") == one
    assert having(residual, "scale") == {f"blocks.{i}.scale" for i in range(6)}


def test_scores_are_told_by_what_reads_them():
    found = Traits(record(CenterHeads(16), torch.randn(2, 3, 32, 32)))
    assert having(found, "sigmoid_score") == {"heads.hm.2.weight"}
    assert having(found, "tower") == {f"heads.{name}.0.weight" for name in ("hm", "wh", "reg")}
    assert having(found, "final") == {f"heads.{name}.2.weight" for name in ("hm", "wh", "reg")}
    assert having(found, "paired") == set()  # each has a tower of its own

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 2)

        def forward(self, x):
            x = self.stem(x).relu()
            return self.a(x).softmax(-1), self.b(x)

    pair = Traits(record(Pair(), torch.randn(6, 4)))
    assert having(pair, "paired") == {"a.weight", "b.weight"}
    assert having(pair, "softmax_score") == {"a.weight"}


def test_deformable_attention_has_its_heads_levels_and_points():
    found = Traits(record(Deformable(), torch.randn(2, SIDE * SIDE, 3)))
    assert having(found, "mixes") == {"mixing.weight"}
    assert having(found, "sampled") == {"value.weight"}
    assert having(found, "reads_samples") == {"out.weight"}
    sizes = [found.measure("offsets.bias", what) for what in ("heads", "levels", "points")]
    assert sizes == [HEADS, 1, POINTS]
    assert [found.measure("head.weight", what) for what in ("heads", "levels", "points")] == [1, 1, 1]


def test_the_last_norm_of_a_branch_and_layer_norms():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.n, self.m, self.out = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.LayerNorm(6)

        def forward(self, x):
            return self.out(x + self.m(self.b(self.n(self.a(x)).relu())))

    found = Traits(record(Block(), torch.randn(2, 4, 6, 6)))
    assert having(found, "last_gain") == {"m.weight"}
    assert having(found, "layer_norm") == {"out.weight", "out.bias"}


def test_a_branch_within_a_branch_counts_its_own_weights():
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.a, self.b, self.after = (nn.Linear(6, 6) for _ in range(4))

        def forward(self, x):
            y = self.before(x).relu()
            y = y + self.b(self.a(y).relu())
            return x + self.after(y)

    found = Traits(record(Nested(), torch.randn(8, 6)))
    weights = {
        name: found.measure(f"{name}.weight", "branch_weights") for name in ("a", "b", "before", "after")
    }
    assert weights == {"a": 2, "b": 2, "before": 4, "after": 4}
    assert having(found, "writes") == {"b.weight", "after.weight"}
