from __future__ import annotations

import math

import pytest
import torch
from tests.nets import noise, seeded
from torch import nn
from torch.nn import functional as F

from initium import diagnose, init_, plan
from initium.plan import Rule
from initium.plan.auto.gated_products import GATE_BIAS, MAX_NONLINEARITY, gates_of
from initium.record import record


class Gated(nn.Module):
    """f(a) g(b) of two weights, or of the halves of one."""

    def __init__(self, width, function, *, packed=False, bias=True, down=False):
        super().__init__()
        self.function = function
        if packed:
            self.both = nn.Linear(width, 2 * width, bias=bias)
        else:
            self.line, self.gate = nn.Linear(width, width, bias=bias), nn.Linear(width, width, bias=bias)
        self.packed, self.down = packed, nn.Linear(width, width) if down else nn.Identity()

    def forward(self, x):
        line, gate = self.both(x).chunk(2, -1) if self.packed else (self.line(x), self.gate(x))
        return self.down(line * self.function(gate))


def net(function, depth=12, width=32, **kwargs):
    with seeded():
        return nn.Sequential(*[Gated(width, function, **kwargs) for _ in range(depth)], nn.Linear(width, 10))


FUNCTIONS = {
    "silu": F.silu,
    "relu": torch.relu,
    "by hand": lambda z: z * torch.sigmoid(z),
    "bilinear": lambda z: z,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", [{}, {"packed": True}, {"down": True}])
def test_chains_of_products_start_healthy(name, kind):
    model, x = net(FUNCTIONS[name], **kind), noise(128, 32)
    assert plan(model, x, policy="he_normal").verdict != "healthy"
    made = plan(model, x)
    assert (made.chosen, made.verdict) == ("auto", "healthy")
    assert sum(one.rule == "near-linear product" for one in made) == 24
    made.apply(model)
    assert diagnose(model, noise(128, 32, seed=1)).healthy


@pytest.mark.parametrize(
    ("packed", "reason"), [(False, ""), (True, "parts of one value with biases of their own")]
)
def test_predictions_say_where_halves_differ(packed, reason):
    """One law cannot hold for a line around 0 and a gate around 2; two weights are predicted throughout."""
    found = plan(net(F.silu, packed=packed), noise(128, 32)).predicted[2:]
    assert {one.restarted for one in found} == {reason}
    assert all(one.inside for one in found)


@pytest.mark.parametrize("depth", [2, 12])
def test_the_spread_is_that_of_the_closed_form(depth):
    """Of y = a (c + s z): u = s^2 / (c^2 + s^2) is MAX_NONLINEARITY / depth."""
    share = MAX_NONLINEARITY / depth
    found = gates_of(record(net(lambda z: z, depth), noise(32, 32)))
    assert len(found) == depth
    assert [gate.spread for gate in found] == pytest.approx(
        [GATE_BIAS * math.sqrt(share / (1 - share))] * depth, rel=1e-3
    )


def test_halves_of_one_weight_start_like_two_weights():
    model, x = net(F.silu, packed=True), noise(512, 32)
    init_(model, x)
    spread = gates_of(record(net(F.silu), x))[0].spread
    for block in model[:-1]:
        line, gate = block.both(x).detach().chunk(2, -1)
        assert torch.equal(block.both.bias.detach(), torch.tensor([0.0] * 32 + [2.0] * 32))
        whole = float(line.square().mean() + (gate - 2).square().mean())
        # Calibrated together, on half of the samples: the halves of an orthogonal weight differ by chance.
        assert whole == pytest.approx(1 + spread**2, rel=0.1)
        assert float((gate - 2).square().mean()) == pytest.approx(spread**2, rel=0.5)
        x = block(x).detach()


def test_the_function_on_the_gate_makes_it_one():
    """The factor that is less linear, whichever comes first."""

    class Turned(Gated):
        def forward(self, x):
            return self.function(self.gate(x)) * self.line(x)

    with seeded():
        model = nn.Sequential(*[Turned(16, F.silu) for _ in range(4)], nn.Linear(16, 4))
    assert {gate.weight for gate in gates_of(record(model, noise(32, 16)))} == {
        f"{i}.gate.weight" for i in range(4)
    }


class Within(nn.Module):
    """Products beside a skip, after a norm, of different inputs, or whose factor is needed elsewhere."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.parts = nn.ModuleList([Gated(16, F.silu) for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x):
        for part in self.parts:
            if self.kind == "skip":
                x = x + part(x)
            elif self.kind == "norm":
                x = part(self.norm(x))
            elif self.kind == "other input":
                x = part.line(x) * torch.sigmoid(part.gate(x.mean(0, keepdim=True)))
            else:
                gate = part.gate(x)
                x = part.line(x) * F.silu(gate) + gate
        return self.head(x)


@pytest.mark.parametrize("kind", ["skip", "norm", "other input", "elsewhere"])
def test_products_that_are_helped_or_do_more_are_left(kind):
    with seeded():
        model = Within(kind)
    assert gates_of(record(model, noise(32, 16))) == ()


def test_gates_that_are_nearly_constant_anyway_are_left():
    """A sigmoid has u = E f'^2 / E f^2 = 0.15 at unit scale: 6 of them add up to 0.9, 12 to 1.8."""
    assert [len(gates_of(record(net(torch.sigmoid, depth), noise(32, 32)))) for depth in (6, 12)] == [0, 12]


def test_what_may_not_be_set_is_left():
    x = noise(32, 32)
    assert gates_of(record(net(F.silu, bias=False), x)) == ()
    frozen = net(F.silu)
    frozen[0].gate.bias.requires_grad_(False)
    assert "0.gate.weight" not in {gate.weight for gate in gates_of(record(frozen, x))}
    ruled = plan(net(F.silu), x, rules=[Rule(where="*.gate.weight", method="he_normal")])
    assert not any(one.rule == "near-linear product" for one in ruled)


def test_factors_that_are_made_from_different_values_are_no_gate():
    class Two(nn.Module):
        def __init__(self, apart):
            super().__init__()
            self.line, self.gate, self.apart = nn.Linear(16, 16), nn.Linear(16, 16), apart

        def forward(self, x):
            return self.line(x) * F.silu(self.gate(torch.tanh(x) if self.apart else x))

    for apart in (True, False):
        with seeded():
            model = nn.Sequential(*[Two(apart) for _ in range(6)], nn.Linear(16, 4))
        assert bool(gates_of(record(model, noise(32, 16)))) == (not apart)
