"""Second moments of gradients by theory against autograd, averaged over draws of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F

from initium import record
from initium.predict.forward_moments import Propagation
from initium.predict.gradient_moments import Backpropagation, Gradient
from initium.predict.signal import Weights
from initium.record import Record

WIDTH, DRAWS = 96, 60
STD = (1.5 / WIDTH) ** 0.5


class Net(nn.Module):
    """A forward as a function of the module's layers; the output of the first is kept."""

    def __init__(self, call: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.call, self.layers = call, nn.ModuleList(layers)
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.kept = self.layers[0](x)
        return self.call(self.kept, *self.layers[1:])

    def draw(self) -> dict[str, Weights]:
        told = {}
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                std = STD * math.sqrt(WIDTH / parameter[0].numel())
                nn.init.normal_(parameter, std=std)
                told[name] = Weights(std**2)
            else:
                nn.init.zeros_(parameter)
        return told


def lin(num_in: int = WIDTH, num_out: int = WIDTH) -> nn.Linear:
    return nn.Linear(num_in, num_out)


def conv() -> nn.Conv2d:
    return nn.Conv2d(24, 24, 3, padding=1)


def project(y: Tensor) -> Tensor:
    return (y * noise(*y.shape, seed=9)).sum()


def gradients(model: Net, x: Tensor) -> tuple[dict[int, Gradient], Record]:
    told = model.draw()
    seen = record(model, x, loss=project)
    forward = Propagation(seen, told)
    return Backpropagation(forward, forward.run()).run(), seen


ROWS, MAP = noise(12, WIDTH), noise(4, 24, 6, 6)
NETS: dict[str, tuple[Callable[[], Net], Tensor]] = {
    "relu": (lambda: Net(lambda y, b, c: c(b(y.relu()).relu()), lin(), lin(), lin()), ROWS),
    "tanh": (lambda: Net(lambda y, b, c: c(b(y.tanh()).tanh()), lin(), lin(), lin()), ROWS),
    "gelu": (lambda: Net(lambda y, b, c: c(F.gelu(b(F.gelu(y)))), lin(), lin(), lin()), ROWS),
    "to fewer units": (lambda: Net(lambda y, b, c: c(b(y.relu()).relu()), lin(), lin(WIDTH, 48), lin(48, 24)), ROWS),
    "a residual stream": (lambda: Net(lambda y, b, c, d: d(y + c(b(y).relu())), lin(), lin(), lin(), lin()), ROWS),
    "a gate": (lambda: Net(lambda y, b, c, d: d(b(y) * c(y).sigmoid()), lin(), lin(), lin(), lin()), ROWS),
    "two readers": (lambda: Net(lambda y, b, c: b(y.relu()) + c(y.tanh()), lin(), lin(), lin()), ROWS),
    "halves": (lambda: Net(lambda y, b: b(y[:, :WIDTH].relu() * y[:, WIDTH:]), lin(WIDTH, 2 * WIDTH), lin()), ROWS),
    "joined": (
        lambda: Net(lambda y, b, c: c(torch.cat([y.relu(), b(y).relu()], 1)), lin(), lin(), lin(2 * WIDTH)), ROWS),
    "a part that nobody reads": (lambda: Net(lambda y, b: b(y[:, :48].relu()), lin(), lin(48)), ROWS),
    "padded maps": (lambda: Net(lambda y, b, c: c(b(y.relu()).relu()), conv(), conv(), conv()), MAP),
    "strided maps": (
        lambda: Net(lambda y, b: b(y.relu()), conv(), nn.Conv2d(24, 48, 3, stride=2, padding=1, groups=2)), MAP),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_gradients_at_the_first_layer_are_those_of_draws(name: str) -> None:
    """Mean over draws, within five of its standard errors, and 2 % for what is not exact at this width."""
    torch.manual_seed(1)
    make, x = NETS[name]
    model = make()
    found, seen = gradients(model, x)
    first = seen.sites[0].node
    assert found[first].reason == ""
    measured = []
    for _ in range(DRAWS):
        model.draw()
        loss = project(model(x))
        assert model.kept is not None
        measured.append(float(torch.autograd.grad(loss, model.kept)[0].square().mean()))
    values = torch.tensor(measured)
    error = 5 * float(values.std()) / math.sqrt(DRAWS) / float(values.mean())
    assert error < 0.35
    assert found[first].second == pytest.approx(float(values.mean()), rel=error + 0.02)


def test_the_gradient_at_the_output_is_given() -> None:
    found, seen = gradients(NETS["relu"][0](), ROWS)
    (output,) = seen.outputs
    assert found[output].reason
    assert found[output].second == pytest.approx(float(noise(12, WIDTH, seed=9).square().mean()), rel=1e-5)


def test_the_error_grows_by_every_layer_and_by_the_drift_of_the_signal() -> None:
    """Through n units a mean square of independent gradients has a relative variance of 2 / n for each direction."""
    torch.manual_seed(1)
    layers = [nn.Identity()] + [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3)]
    found, seen = gradients(
        Net(lambda y, *rest: rest[2](rest[1](rest[0](y))), *[lin(), *layers[1:]]), noise(1, WIDTH)
    )
    nodes = [use.node for use in seen.sites]
    variances = [found[node].variance for node in nodes]
    steps = [first - second for first, second in pairwise(variances)]
    assert steps == [pytest.approx(2 / WIDTH)] * 3
    one = Gradient(1.0, variance=0.04, drift=0.3)
    assert one.total == pytest.approx(0.13)


OUTSIDE: dict[str, Callable[..., Tensor]] = {
    "a norm": lambda y, b: b(F.layer_norm(y, (WIDTH,))),
    "a softmax": lambda y, b: b(y.softmax(-1)),
    "a maximum": lambda y, b: b(F.max_pool1d(y[:, None], 2)[:, 0].repeat(1, 2)),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_theory_does_not_speak_of_is_measured_and_named(name: str) -> None:
    found, seen = gradients(Net(OUTSIDE[name], lin(), lin()), ROWS)
    first = seen.nodes[seen.sites[0].node]
    assert found[first.index].reason
    assert first.backward is not None
    assert found[first.index].second == pytest.approx(first.backward.second)


def test_an_average_passes_gradients_on_by_the_factor_that_was_measured() -> None:
    """y -> mean over pairs: each element gets half of the gradient, whatever its size."""
    model = Net(lambda y, b: b(F.avg_pool1d(y[:, None], 2)[:, 0]), lin(), lin(48))
    found, seen = gradients(model, ROWS)
    first = seen.nodes[seen.sites[0].node]
    pool = next(node for node in seen.nodes if node.category == "pool")
    assert found[first.index].second == pytest.approx(found[pool.index].second / 4, rel=1e-4)
    assert found[first.index].reason == ""


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_gradients_that_meet_are_less_uncertain_the_more_they_are(heads: int) -> None:
    """Independent ones of one size and of relative variance v each: v / n of their sum."""

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(WIDTH, WIDTH, bias=False)
            self.heads = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(heads))
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=STD)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            y = self.body(x)
            return {str(place): head(y) for place, head in enumerate(self.heads)}

    torch.manual_seed(0)
    model = Heads()
    seen = record(model, noise(32, WIDTH), loss=lambda out: sum(project(y) for y in out.values()))
    told = {name: Weights(STD**2) for name, _ in model.named_parameters()}
    forward = Propagation(seen, told)
    signals = forward.run()
    found = Backpropagation(forward, signals).run()
    node = next(use.node for use in seen.sites if use.names == ("body.weight",))
    assert found[node].reason == ""
    ends = [found[use.node].variance for use in seen.sites if use.names != ("body.weight",)]
    backward = seen.nodes[node].backward
    assert backward is not None
    each = [end + 2.0 / (WIDTH * backward.rank) for end in ends]
    assert found[node].variance == pytest.approx(sum(each) / heads**2, rel=0.1)
