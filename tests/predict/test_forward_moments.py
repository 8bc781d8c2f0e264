"""Second moments by theory against Monte Carlo over draws of the weights, node by node."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.nets import Applied, noise
from torch import Tensor, nn
from torch.nn import functional as F

from initium import record
from initium.predict.forward_moments import Propagation
from initium.predict.signal import Signal, Weights
from initium.record import Record

WIDTH, DRAWS = 96, 60
STD, BIAS = (1.5 / WIDTH) ** 0.5, 0.4


class Net(nn.Module):
    """A forward as a function of the module's layers, which are all drawn by the one law."""

    def __init__(self, call: Callable[..., Tensor], *layers: nn.Module, gain: float | None = None) -> None:
        super().__init__()
        self.call, self.layers = call, nn.ModuleList(layers)
        self.gain = nn.Parameter(torch.full((WIDTH,), gain)) if gain is not None else None

    def forward(self, x: Tensor) -> Tensor:
        more = () if self.gain is None else (self.gain,)
        return self.call(x, *self.layers, *more)

    def draw(self) -> dict[str, Weights]:
        """New normal weights and biases, and what theory is told of them."""
        told = {}
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                std = STD * math.sqrt(WIDTH / fan_in)
                nn.init.normal_(parameter, std=std)
                told[name] = Weights(std**2)
            elif name.endswith("bias"):
                nn.init.normal_(parameter, std=BIAS)
                told[name] = Weights(BIAS**2)
        return told


def lin(num_in: int = WIDTH, num_out: int = WIDTH) -> nn.Linear:
    return nn.Linear(num_in, num_out)


def conv() -> nn.Conv2d:
    return nn.Conv2d(24, 24, 3, padding=1)


def predicted(model: Net, x: Tensor) -> tuple[list[Signal], Propagation, Record]:
    told = model.draw()
    seen = record(model, x)
    propagation = Propagation(seen, told)
    return propagation.run(), propagation, seen


ROWS = noise(12, WIDTH)
MAP = noise(4, 24, 6, 6)
NETS: dict[str, tuple[Callable[[], Net], Tensor]] = {
    "relu": (lambda: Net(lambda x, a, b, c: c(b(a(x).relu()).relu()), lin(), lin(), lin()), ROWS),
    "tanh": (lambda: Net(lambda x, a, b, c: c(b(a(x).tanh()).tanh()), lin(), lin(), lin()), ROWS),
    "gelu": (lambda: Net(lambda x, a, b, c: c(F.gelu(b(F.gelu(a(x))))), lin(), lin(), lin()), ROWS),
    "a function of several operations": (
        lambda: Net(lambda x, a, b: b((y := a(x)) * torch.sigmoid(y) + 0.5), lin(), lin()), ROWS),
    "a residual stream": (
        lambda: Net(lambda x, s, a, b: (y := s(x)) + b(a(y).relu()), lin(), lin(), lin()), ROWS),
    "a difference": (lambda: Net(lambda x, a, b: a(x).relu() - b(x).relu(), lin(), lin()), ROWS),
    "a gate": (lambda: Net(lambda x, a, b, c: c(a(x) * b(x).sigmoid()), lin(), lin(), lin()), ROWS),
    "halves of one output": (lambda: Net(lambda x, a, b: b(F.glu(a(x))), lin(WIDTH, 2 * WIDTH), lin()), ROWS),
    "halves by hand": (
        lambda: Net(lambda x, a, b: b((y := a(x))[:, :WIDTH].relu() * y[:, WIDTH:]), lin(WIDTH, 2 * WIDTH), lin()),
        ROWS),
    "joined values": (
        lambda: Net(lambda x, a, b, c: c(torch.cat([a(x).relu(), 2.0 * b(x)], 1)), lin(), lin(), lin(2 * WIDTH)), ROWS),
    "a norm": (lambda: Net(lambda x, a, b: b(F.layer_norm(3.0 * a(x), (WIDTH,)).relu()), lin(), lin()), ROWS),
    "a scale": (lambda: Net(lambda x, a, b, g: b(a(x).relu() * g), lin(), lin(), gain=0.3), ROWS),
    "an added vector": (lambda: Net(lambda x, a, b, g: b((a(x) + g).relu()), lin(), lin(), gain=0.8), ROWS),
    "numbers": (lambda: Net(lambda x, a, b: b((a(x) / 2.0 - 0.5).relu() * 3.0), lin(), lin()), ROWS),
    "padded maps": (lambda: Net(lambda x, a, b, c: c(b(a(x).relu()).relu()), conv(), conv(), conv()), MAP),
    "strided maps": (
        lambda: Net(lambda x, a, b: b(a(x).relu()), conv(), nn.Conv2d(24, 48, 3, stride=2, padding=1, groups=2)), MAP),
    "a transposed convolution": (
        lambda: Net(lambda x, a, b: b(a(x).relu()), conv(), nn.ConvTranspose2d(24, 24, 2, 2)), MAP),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_the_second_moment_of_the_output_is_that_of_draws(name: str) -> None:
    """Mean over draws, within five of its standard errors, and 1 % for what is not exact at this width."""
    torch.manual_seed(1)
    make, x = NETS[name]
    model = make()
    signals, propagation, seen = predicted(model, x)
    assert propagation.restarts == {}
    (output,) = seen.outputs
    measured = []
    with torch.no_grad():
        for _ in range(DRAWS):
            model.draw()
            measured.append(float(model(x).square().mean()))
    values = torch.tensor(measured)
    error = 5 * float(values.std()) / math.sqrt(DRAWS) / float(values.mean())
    assert error < 0.35
    assert signals[output].second == pytest.approx(float(values.mean()), rel=error + 0.01)


def test_dropout_is_a_factor_of_second_moment_one_over_what_is_kept() -> None:
    model = Net(lambda x, a, b: b(F.dropout(a(x), 0.5)), lin(), lin())
    torch.manual_seed(1)
    signals, _, seen = predicted(model, noise(64, WIDTH))
    dropped = next(node.index for node in seen.nodes if node.noise is not None)
    first = seen.sites[0].node
    drawn = seen.nodes[dropped].noise
    assert drawn is not None
    assert drawn.second == pytest.approx(2.0, rel=5 / math.sqrt(64 * WIDTH))
    assert signals[dropped].second == pytest.approx(drawn.second * signals[first].second, rel=1e-6)


@pytest.mark.parametrize("bias", [0.0, 1.0, 3.0])
def test_biases_share_in_the_second_moment_and_not_in_what_is_uncertain(bias: float) -> None:
    """Given what reaches it a weight makes p + b^2; draws before it change only p: Var log (p + b^2) is smaller.

    Monte Carlo over draws of the first layer alone: the ratio of two variances of 3,000 draws, which go together.
    """
    torch.manual_seed(1)
    width, draws = 64, 3000
    model = nn.Sequential(nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, width))
    std = (2.0 / width) ** 0.5
    seen = record(model, noise(1, width))
    told = {"0.weight": Weights(std**2), "2.weight": Weights(std**2), "2.bias": Weights(bias**2)}
    signals = Propagation(seen, told).run()
    relu, last = signals[2], signals[3]
    x = noise(1, width)
    reached = F.relu(x @ (torch.randn(draws, width, width) * std).mT).square().mean((1, 2))
    made = width * std**2 * reached + bias**2
    assert last.second == pytest.approx(
        float(made.mean()), rel=5 * float(made.std() / made.mean()) / draws**0.5
    )
    ratio = float(made.log().var() / reached.log().var())
    assert last.carried / relu.variance == pytest.approx(ratio, rel=0.1)


def test_values_made_from_one_another_are_outside() -> None:
    """A sum of a value and a mean of itself: no new weight stands between them."""
    model = Net(lambda x, a, b: b((y := a(x)) + y.mean(1, keepdim=True)), lin(), lin())
    signals, propagation, seen = predicted(model, ROWS)
    total = next(node.index for node in seen.nodes if node.category == "add")
    assert total in propagation.restarts
    assert seen.nodes[total].forward is not None
    assert signals[total].second == pytest.approx(seen.nodes[total].forward.second)  # type: ignore[union-attr]
    assert signals[-1].reason == propagation.restarts[total]


OUTSIDE: dict[str, Callable[..., Tensor]] = {
    "softmax": lambda x, a, b: b(a(x).softmax(-1)),
    "attention": lambda x, a, b: b(F.scaled_dot_product_attention(*[a(x)[None]] * 3)[0]),
    "product of two signals": lambda x, a, b: b(a(x) @ a(x).mT @ a(x)),
    "quotient": lambda x, a, b: b(a(x) / (1 + (x @ x.mT).mean().abs())),
    "unknown operation": lambda x, a, b: b(a(x).cumsum(1)),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_theory_does_not_speak_of_goes_on_from_what_was_measured(name: str) -> None:
    torch.manual_seed(1)
    signals, propagation, seen = predicted(Net(OUTSIDE[name], lin(), lin()), ROWS)
    assert propagation.restarts
    last = seen.sites[-1].node
    before = seen.nodes[seen.nodes[last].inputs[0]].forward
    assert before is not None
    spread = before.second - before.mean**2 + before.mean**2
    assert signals[last].second == pytest.approx(WIDTH * STD**2 * spread + BIAS**2, rel=1e-3)
    assert signals[last].reason


@pytest.mark.parametrize("size", [1.0, 3e-3, 1e-4])
def test_a_norm_gives_back_less_than_one_where_its_epsilon_is_as_large_as_the_signal(size: float) -> None:
    """q / (q + eps), as measured too."""
    torch.manual_seed(1)
    model = Net(lambda x, a, b: b(F.layer_norm(a(x) * size, (WIDTH,), eps=1e-5)), lin(), lin())
    signals, propagation, seen = predicted(model, ROWS)
    norm = next(node for node in seen.nodes if node.category == "norm")
    before = signals[norm.inputs[0]].second
    assert propagation.restarts == {}
    assert signals[norm.index].second == pytest.approx(before / (before + 1e-5), rel=1e-6)
    assert norm.forward is not None
    assert signals[norm.index].second == pytest.approx(norm.forward.second, rel=0.1)


def test_a_norm_by_stored_statistics_is_named() -> None:
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 8)).eval()
    propagation = Propagation(record(model, ROWS), {})
    propagation.run()
    assert list(propagation.restarts) == [2]


def test_sampling_leaves_an_error_only_where_elements_were_left_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Applied(lambda y: y.relu()))
    small, large = record(model, noise(4, 3, 8, 8)), record(model, noise(4, 3, 64, 64))
    for seen, some in ((small, False), (large, True)):
        node = seen.nodes[1]
        found = Propagation(seen, {}).sampling(node, node.forward)
        assert node.forward is not None
        expected = (node.forward.kurtosis - 1) / (node.forward.count / 64) if some else 0.0
        assert found == pytest.approx(expected)


def test_two_padded_convolutions_by_hand() -> None:
    """E z^2 of a map with borders: each tap that falls on padding is missing, and so is what it would have passed."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.Conv2d(16, 8, 3, padding=1, bias=False)
    )
    seen = record(net, noise(8, 3, 5, 5))
    told = {"0.weight": Weights(0.2), "1.weight": Weights(0.05)}
    signals = Propagation(seen, told).run()
    moments = seen.nodes[0].forward
    assert moments is not None
    taps = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    first = 0.2 * 3 * moments.second * F.conv2d(torch.ones(1, 1, 5, 5, dtype=torch.float64), taps, padding=1)
    second = 0.05 * 16 * F.conv2d(first, taps, padding=1)
    found = [signals[use.node].second for use in seen.sites]
    assert found == pytest.approx([float(first.mean()), float(second.mean())], rel=1e-6)


@pytest.mark.parametrize("size", [1.0, 30.0])
def test_what_is_uncertain_of_joined_values_does_not_depend_on_their_size(size: float) -> None:
    """Two halves of one size, of relative variance v each: v / 2 of the whole."""

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = lin(), lin(), nn.Linear(2 * WIDTH, 4)
            for layer in (self.a, self.b, self.c):
                nn.init.normal_(layer.weight, std=STD)
                nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> Tensor:
            return self.c(torch.cat([self.a(x), self.b(x)], -1))

    seen = record(Joined(), size * noise(64, WIDTH))
    signals = Propagation(seen, {f"{name}.weight": Weights(STD**2) for name in "abc"}).run()
    (joined,) = (node.index for node in seen.nodes if node.category == "concat")
    halves = [signals[index].variance for index in seen.nodes[joined].inputs]
    assert signals[joined].variance == pytest.approx(sum(halves) / 4, rel=0.1)
