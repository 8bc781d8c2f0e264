from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from tests.nets import Applied, noise, seeded
from torch import nn
from torch.nn import functional as F

from initium import init_, plan
from initium.plan.auto.chain_starts import starts_of
from initium.plan.structure.chains import chains_of
from initium.record import record
from initium.theory import criticality


def net(function, depth=20, width=16, bias=True):
    layers = [
        layer for _ in range(depth - 1) for layer in (nn.Linear(width, width, bias=bias), Applied(function))
    ]
    with seeded():
        return nn.Sequential(*layers, nn.Linear(width, 4, bias=bias))


@pytest.mark.parametrize(
    "function",
    [
        torch.relu,
        torch.tanh,
        torch.sigmoid,
        lambda z: z * torch.sigmoid(z),
        lambda z: torch.where(z > 0, z, 0.2 * z),
    ],
)
def test_the_plan_is_what_theory_says_of_the_function_itself(function):
    starts = starts_of(record(net(function), noise(32, 16)))
    expected = criticality.start_of(function, 20, biases=True)
    hidden, last = starts["18.weight"], starts["38.weight"]
    geometry = {"mirrored": "mirrored", "orthogonal": "orthogonal"}[expected.geometry]
    assert hidden.method == ("centred_orthogonal" if expected.centring else geometry)
    assert hidden.target == pytest.approx(expected.q, rel=1e-3)
    assert last.target == 1.0
    assert "20" in hidden.reason


def test_sigmoid_convolutions_tell_samples_apart_at_depth():
    """Rows without mean pass one at the border: after 40 layers the samples would differ in 1e-6 of the features."""
    with seeded():
        layers = [one for _ in range(40) for one in (nn.Conv2d(16, 16, 3, padding=1), nn.Sigmoid())]
        deep = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *layers, nn.Flatten(), nn.Linear(1024, 10))
    made = plan(deep, noise(16, 3, 8, 8))
    assert made.verdict == "healthy"
    assert made["1.weight"].params == {"centring": 1.0, "over": "tap"}


class Sine(nn.Module):
    """sin(omega z)."""

    def __init__(self, omega: float) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """The sine."""
        return torch.sin(self.omega * z)


def sines(omega: float, num_in: int, *, bias: bool = True) -> nn.Sequential:
    """Four layers of sines and a head."""
    with seeded():
        layers = [one for _ in range(3) for one in (nn.Linear(64, 64), Sine(omega))]
        return nn.Sequential(
            nn.Linear(num_in, 64, bias=bias), Sine(omega), *layers, nn.Linear(64, 3, bias=bias)
        )


@pytest.mark.parametrize("omega", [1.0, 30.0])
@pytest.mark.parametrize("num_in", [1, 2, 4])
def test_sines_of_coordinates_have_many_frequencies_and_all_phases(omega, num_in):
    places = torch.rand(512, num_in, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = plan(net := sines(omega, num_in), places)
    assert made.verdict == "healthy"
    made.apply(net)
    argument = omega * (net[0](places) - net[0].bias)
    assert argument.square().mean().item() == pytest.approx(
        100 / num_in, rel=0.05
    )  # measured on other samples
    low, high = made["0.bias"].params["low"], made["0.bias"].params["high"]
    assert (low, high) == pytest.approx((-math.pi / omega, math.pi / omega), rel=1e-3)
    assert made["8.weight"].target == 0.01
    assert net(places).square().mean() < 0.05
    shared = net(places) * net(-places)
    assert shared.mean() > -0.9 * net(places).square().mean()  # an odd function has -1


def test_other_inputs_and_functions_are_no_coordinates():
    many = starts_of(record(sines(30.0, 16), noise(64, 16)))
    assert many["0.weight"].target == many["2.weight"].target
    assert "0.bias" not in many
    with seeded():
        layers = [one for _ in range(3) for one in (nn.Linear(64, 64), nn.Tanh())]
        smooth = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), *layers, nn.Linear(64, 3))
    found = starts_of(record(smooth, noise(64, 2)))
    assert found["0.weight"].target == found["2.weight"].target
    assert "0.bias" not in starts_of(record(sines(30.0, 2, bias=False), noise(64, 2)))


def test_biases_are_part_of_the_start():
    """cos is even: its chain starts best with biases near 3/2, and the last bias is left out."""
    seen = record(net(torch.cos), noise(32, 16))
    starts = starts_of(seen)
    assert starts["0.bias"].params["value"] == pytest.approx(math.pi / 2, abs=0.1)
    assert "38.bias" not in starts
    made = plan(net(torch.cos), noise(64, 16))
    if made.chosen == "auto":
        assert made["0.bias"].params == starts["0.bias"].params
    assert not any("bias" in name for name in starts_of(record(net(torch.cos, bias=False), noise(32, 16))))


def test_odd_widths_and_frozen_weights_are_not_mirrored():
    assert starts_of(record(net(torch.relu), noise(32, 16)))["2.weight"].method == "mirrored"
    assert starts_of(record(net(torch.relu, width=15), noise(32, 15)))["2.weight"].method != "mirrored"
    frozen = net(torch.relu)
    frozen[6].weight.requires_grad_(False)
    assert starts_of(record(frozen, noise(32, 16)))["2.weight"].method != "mirrored"


def test_chains_end_where_values_meet_or_mix():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(6)])

        def forward(self, x):
            a, b, c, d, e, f = self.layers
            z = b(F.gelu(a(x)))
            z = d(F.relu(c(torch.softmax(z, 1))))
            return z + f(F.relu(e(z)))

    with seeded():
        model = Skip()
    found = [chain.names for chain in chains_of(record(model, noise(16, 8)))]
    assert found == [tuple(f"layers.{i}.weight" for i in pair) for pair in ((0, 1), (2, 3), (4, 5))]


def uneven(function):
    """Wide and narrow layers in turn."""
    layers = [
        part for shape in pairwise([32, *[128, 16] * 4, 128, 10]) for part in (nn.Linear(*shape), function)
    ]
    with seeded():
        return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("drop", [nn.Dropout(0.2), Applied(lambda z: F.dropout(z, 0.2))])
def test_dropout_is_no_end_of_a_chain(drop):
    """It keeps every mean, so the weights start as without it."""
    layers = [part for _ in range(19) for part in (nn.Linear(16, 16), nn.ReLU(), drop)]
    with seeded():
        model = nn.Sequential(*layers, nn.Linear(16, 4)).train()
    found, plain = starts_of(record(model, noise(64, 16))), starts_of(record(net(torch.relu), noise(64, 16)))
    assert len(found) == 20
    assert {start.method for start in found.values()} == {"mirrored"}
    assert [start.params for start in found.values()] == [start.params for start in plain.values()]
    assert init_(model, noise(256, 16)).verdict == "healthy"


@pytest.mark.parametrize("function", [nn.ReLU(), nn.LeakyReLU(0.2)])
def test_uneven_widths_share_the_burden_of_scale(function):
    """Outputs are in proportion to 1/sqrt(width)."""
    model, inputs = uneven(function), noise(64, 32)
    init_(model, inputs, seed=3)
    values, sizes = inputs[0::2], []
    for part in model:
        values = part(values).detach()
        if isinstance(part, nn.Linear):
            sizes.append(float(values.square().mean()) * math.sqrt(part.out_features))
    assert sizes[:-1] == pytest.approx([sizes[0]] * (len(sizes) - 1), rel=1e-4)


def test_variances_lie_between_those_of_fan_in_and_fan_out():
    """Wide layers pass on all that narrow ones send, so theirs is exactly 2 / sqrt(fan_in fan_out)."""
    model = uneven(nn.ReLU())
    init_(model, noise(64, 32), seed=3)
    wide = [part.weight.detach() for part in model[2:-1] if getattr(part, "out_features", 0) == 128]
    found = [float(weight.square().mean()) * math.sqrt(weight.numel()) for weight in wide]
    assert found == pytest.approx([2.0] * 4, rel=1e-4)


def test_functions_with_a_scale_of_their_own_keep_one_size():
    sizes = {
        type(function): {
            start.target for start in starts_of(record(uneven(function), noise(16, 32))).values()
        }
        for function in (nn.ReLU(), nn.GELU(), nn.Tanh())
    }
    assert [len(sizes[kind]) > 2 for kind in sizes] == [True, False, False]


class Grouped(nn.Module):
    """Dense and grouped convolutions in turn, with something done to the channels between them."""

    def __init__(self, between, act=torch.relu, width=16, groups=4):
        super().__init__()
        self.between, self.act = between, act
        self.layers = nn.ModuleList(
            nn.Conv2d(
                width if i else 3, width, 3 if i % 2 else 1, padding="same", groups=groups if i % 2 else 1
            )
            for i in range(12)
        )
        self.head = nn.Linear(width, 4)

    def forward(self, x):
        for layer in self.layers:
            x = self.between(self.act(layer(x)))
        return self.head(x.mean((2, 3)))


def shuffled(z):
    return z.unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2)


def test_groups_are_mirrored_one_by_one():
    """The net is then linear in its input: what the sum of two inputs gives is the sum of what they give."""
    with seeded():
        model = Grouped(lambda z: z)
    starts = starts_of(record(model, noise(16, 3, 8, 8)))
    init_(model, noise(64, 3, 8, 8))
    assert {start.method for name, start in starts.items() if "weight" in name} == {"mirrored"}
    x, y = noise(4, 3, 8, 8).double(), noise(4, 3, 8, 8, seed=1).double()
    model.double()
    torch.testing.assert_close(model(x - 3 * y), model(x) - 3 * model(y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("between", [shuffled, nn.ChannelShuffle(4), lambda z: z.flip(1)])
def test_shuffled_groups_are_no_chain(between):
    """A unit and its twin would end in different groups."""
    with seeded():
        model = Grouped(between)
    assert not starts_of(record(model, noise(16, 3, 8, 8)))


def test_groups_of_odd_width_are_no_chain():
    with seeded():
        model = Grouped(lambda z: z, width=12)
    assert not starts_of(record(model, noise(16, 3, 8, 8)))
