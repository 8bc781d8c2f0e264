"""Where values go, on small graphs that are known."""

from __future__ import annotations

import torch
from tests.plan.recipes.library.test_detr import HEADS, POINTS, SIDE, Deformable
from torch import nn
from torch.nn import functional as F

from initium.plan.recipes.dataflow import Reachability
from initium.record import record


def reach_of(model, inputs):
    seen = record(model, inputs)
    return Reachability(seen.graph), {name: part.nodes[0] for name, part in seen.parts.items() if part.nodes}


class Fork(nn.Module):
    """a feeds b and c; c feeds d through a sum; what b gives chooses where d's input is read."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(6, 6) for _ in range(4))

    def forward(self, x):
        x = self.a(x).relu()
        which = self.b(x).argmax(-1, keepdim=True)
        y = (self.c(x) + x).gather(-1, which).expand(-1, 6)
        return self.d(y)


def test_the_next_weights_are_the_first_on_every_way():
    reach, node = reach_of(Fork(), torch.randn(3, 6))
    assert reach.next_weights(node["a.weight"]) == {node["b.weight"], node["c.weight"], node["d.weight"]}
    assert reach.next_weights(node["c.weight"]) == {node["d.weight"]}
    assert reach.next_weights(node["d.weight"]) == frozenset()
    assert not reach.weight(node["d.weight"])


def test_whole_numbers_are_no_signal():
    reach, node = reach_of(Fork(), torch.randn(3, 6))
    assert not reach.weight(node["b.weight"])  # its largest entry only chooses


class Scored(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.a, self.how = nn.Linear(6, 6), how

    def forward(self, x):
        return self.how(self.a(x))


def score(how):
    reach, node = reach_of(Scored(how), torch.randn(3, 6))
    return reach.score(node["a.weight"])


def test_scores_are_found_behind_moves_only():
    target = torch.rand(3, 6)
    assert score(lambda x: x.sigmoid()) == "sigmoid"
    assert score(lambda x: x.view(2, 9).T.softmax(0)) == "softmax"
    assert score(lambda x: torch.cat([x, x]).topk(2).values.sigmoid()) == "sigmoid"
    assert score(lambda x: F.logsigmoid(x)) == "sigmoid"
    assert score(lambda x: (2 * x + 1).exp()) == ""
    assert score(lambda x: F.binary_cross_entropy_with_logits(x, target)) == "sigmoid"
    assert score(lambda x: F.cross_entropy(x, torch.tensor([0, 5, 2]))) == "softmax"
    assert score(lambda x: x) == ""


def test_places_are_no_data_and_samples_are():
    reach, node = reach_of(Deformable(), torch.randn(2, SIDE * SIDE, 3))
    assert reach.gives_offsets(node["offsets.weight"])
    assert not reach.weight(node["offsets.weight"])
    assert reach.sampled(node["value.weight"])
    assert reach.reads_samples(node["out.weight"])
    assert reach.next_weights(node["value.weight"]) == {node["out.weight"]}
    for name in ("stem.weight", "out.weight", "head.weight"):
        assert not reach.gives_offsets(node[name])
        assert not reach.sampled(node[name])
    assert not reach.reads_samples(node["head.weight"])


def test_the_grid_of_offsets_is_read_off_the_samplers():
    reach, node = reach_of(Deformable(), torch.randn(2, SIDE * SIDE, 3))
    assert reach.offset_grid(node["offsets.weight"], 2) == {"heads": HEADS, "levels": 1, "points": POINTS}
    assert reach.offset_grid(node["value.weight"], 2) == {"heads": 1, "levels": 1, "points": 1}


class Levels(nn.Module):
    """Two maps sampled at 5 places each, 3 points a place."""

    def __init__(self):
        super().__init__()
        self.offsets = nn.Linear(4, 2 * 3 * 2)

    def forward(self, x, low, high):
        grids = self.offsets(x).view(2, 5, 2, 3, 2) * 0.1
        taken = [F.grid_sample(one, grids[:, :, i], align_corners=False) for i, one in enumerate((low, high))]
        return taken[0] + taken[1]


def test_levels_are_calls():
    inputs = torch.randn(2, 5, 4), torch.randn(2, 3, 8, 8), torch.randn(2, 3, 4, 4)
    seen = record(Levels(), inputs)
    reach = Reachability(seen.graph)
    node = seen.parts["offsets.weight"].nodes[0]
    assert reach.offset_grid(node, 2) == {"heads": 1, "levels": 2, "points": 3}
