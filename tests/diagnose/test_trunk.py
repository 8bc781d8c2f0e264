from __future__ import annotations

import math

import pytest
import torch
from tests.nets import Basic, ConvNeXtBlock, TransformerBlock, mlp, noise, plain_conv, seeded, start
from torch import Tensor, nn
from torch.nn import functional as F

from initium.diagnose.trunk import Trunk, above
from initium.record import record


def trunk(model: nn.Module, x: Tensor) -> Trunk:
    return Trunk(record(model, x))


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        (100.0, 1.0, 2.0),
        (1.0, 100.0, 0.0),
        (3.0, 3.0, 0.0),
        (1.0, 0.0, math.inf),
        (math.inf, 1.0, math.inf),
        (0.0, 1.0, 0.0),
    ],
)
def test_decades_above(high: float, low: float, expected: float) -> None:
    assert above(high, low) == expected


def test_points_of_a_chain_are_what_its_layers_receive() -> None:
    seen = trunk(plain_conv(4, 8), noise(2, 3, 8, 8))
    assert [point.depth for point in seen.points] == [1, 2, 3, 4]
    assert [point.names for point in seen.points] == [(f"{i}.weight",) for i in (0, 2, 4, 6)]


def test_values_of_a_point_are_measured() -> None:
    model, x = mlp(2, 16, nn.ReLU), noise(8, 16)
    point = trunk(model, x).points[0]
    inner = model[1](model[0](x)).detach()  # type: ignore[index,operator]
    inner.requires_grad_(True)
    assert point.second == pytest.approx(float(inner.detach().square().mean()), rel=1e-5)
    out = model[4](model[3](model[2](inner)))  # type: ignore[index,operator]
    from initium.record.run.loss import default_loss

    loss, _ = default_loss(out, 0)
    assert loss is not None
    (grad,) = torch.autograd.grad(loss, inner)
    assert point.gradient == pytest.approx(float(grad.square().mean()), rel=1e-5)
    assert point.strength == pytest.approx(float((inner * grad).square().sum().sqrt()), rel=1e-4)


def test_branches_are_not_on_the_trunk() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), ConvNeXtBlock(16, 1e-6), ConvNeXtBlock(16, 1e-6), nn.Conv2d(16, 4, 1)
    )
    seen = trunk(model, noise(2, 3, 12, 12))
    names = {name for point in seen.points for name in point.names}
    assert not {"1.dw.weight", "1.fc1.weight"} & names
    assert min(point.second for point in seen.points) > 0.01


def test_names_behind_a_sum_are_those_of_its_branch() -> None:
    seen = trunk(nn.Sequential(nn.Conv2d(3, 8, 3), Basic(8, 8), nn.Conv2d(8, 4, 3)), noise(2, 3, 12, 12))
    assert seen.points[-1].names == ("1.conv2.weight",)


def test_heads() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 2), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = F.relu(self.body(x))
            return self.a(x), self.b(x)

    seen = trunk(Two(), noise(4, 8))
    assert {seen.weights_at[head.index] for head in seen.last} == {("a.weight",), ("b.weight",)}


def test_a_weak_path_beside_a_strong_one_is_no_fault() -> None:
    class Inception(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3)
            self.a, self.b = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
            self.c, self.d = nn.Conv2d(8, 8, 1), nn.Conv2d(16, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.stem(x))
            left, right = F.relu(self.a(x)), F.relu(self.c(F.relu(self.b(x))))
            return self.d(torch.cat([left, right], 1))

    with seeded():
        model = start(Inception(), nn.init.kaiming_normal_)
    with torch.no_grad():
        model.b.weight.mul_(1e-4)  # type: ignore[operator,union-attr]
    seen = trunk(model, noise(4, 3, 8, 8))
    assert min(point.second for point in seen.points) < 1e-6
    assert min(value for _, value in seen.signal) > 0.1


def test_a_weak_tower_of_its_own_is_a_fault() -> None:
    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = mlp(3, 16, nn.ReLU), mlp(3, 16, nn.ReLU)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.a(x) * self.b(y)

    with seeded():
        model = start(Towers(), nn.init.kaiming_normal_)
        start(model.b, lambda w: nn.init.normal_(w, std=1e-3))  # type: ignore[arg-type]
    seen = trunk(model, (noise(8, 16), noise(8, 16, seed=1)))  # type: ignore[arg-type]
    assert min(value for _, value in seen.signal) < 1e-3


def test_drift_stops_at_norms_and_bounded_activations() -> None:
    with seeded():
        model = start(mlp(3, 32, nn.ReLU), nn.init.kaiming_normal_)
    with torch.no_grad():
        model[2].weight.mul_(0.01)  # type: ignore[index,operator]
    x = noise(16, 32)
    assert (trunk(model, x).signal_span or 0) > 3.5
    model.insert(4, nn.LayerNorm(32))
    assert (trunk(model, x).signal_span or 0) < 1
    model[4] = nn.Sigmoid()
    assert (trunk(model, x).signal_span or 0) < 1


def test_normed_and_restored_points() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.block, self.norm = nn.Linear(32, 32), TransformerBlock(), nn.LayerNorm(32)
            self.head = nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.norm(self.block(self.stem(x))))

    points = trunk(Net(), noise(2, 5, 32)).points
    assert points[-1].normed
    assert not points[-1].restored
    assert all(point.restored and not point.normed for point in points[:-1])


def test_gradients_hidden_behind_a_zero_gate_are_not_measured() -> None:
    model = mlp(2, 16, nn.ReLU)
    nn.init.zeros_(model[-1].weight)  # type: ignore[arg-type,index]
    seen = trunk(model, noise(8, 16))
    assert all(point.strength is None for point in seen.points)
    assert seen.gradient_span is None


def test_what_no_input_reaches_is_no_signal() -> None:
    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.a, self.b = nn.Parameter(1e-6 * noise(4, 8)), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(x) + self.a(self.a(self.q))

    seen = trunk(Queries(), noise(4, 8))
    assert all(point.second > 1e-3 for point in seen.points)


def test_keys_that_get_little_gradient_beside_values_are_no_fault() -> None:
    """A decoder reads memory twice: as values, and with positions added as keys, while attention is still even."""

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode, self.queries = nn.Linear(8, 32), nn.Parameter(noise(6, 32))
            self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
            self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            memory = F.relu(self.encode(x))
            queries = self.q(self.queries).expand(len(x), -1, -1)
            keys = self.k(memory + 0.1)
            read = F.scaled_dot_product_attention(queries, keys, self.v(memory))
            return self.head(self.norm(read))

    with seeded():
        model = Decoder()
    with torch.no_grad():
        model.k.weight.mul_(1e-4)
    seen = trunk(model, noise(4, 5, 8))
    assert min(point.strength or 1.0 for point in seen.points) < 1e-3
    assert (seen.gradient_span or 0.0) < 1.5


def test_a_blend_is_behind_the_weights_of_its_branch() -> None:
    class Blend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return x + 0.5 * (self.fc2(F.relu(self.fc1(x))) - x)

    seen = trunk(nn.Sequential(nn.Linear(8, 8), Blend(), Blend(), nn.Linear(8, 4)), noise(4, 8))
    assert [point.names for point in seen.points] == [("0.weight",), ("1.fc2.weight",), ("2.fc2.weight",)]


@pytest.mark.parametrize("eps", [1e-5, 1e-3])
@pytest.mark.parametrize(("epsilons", "restored"), [(3.0, False), (9.0, False), (12.0, True), (1e4, True)])
def test_a_norm_restores_what_is_ten_times_its_epsilon(eps: float, epsilons: float, restored: bool) -> None:
    """What comes out is q / (q + eps): at ten epsilons it is nine tenths, below it shrinks with the signal."""
    model, x = (
        nn.Sequential(nn.Linear(64, 64, bias=False), nn.LayerNorm(64, eps=eps), nn.Linear(64, 4)),
        noise(16, 64),
    )
    with torch.no_grad():
        model[0].weight.mul_(
            (epsilons * eps / model(x).new_tensor(float(model[0](x).square().mean()))).sqrt()
        )
    found = trunk(nn.Sequential(model, nn.Linear(4, 4)), x)
    record_of = found.record
    node = record_of.nodes[record_of.parts["0.0.weight"].nodes[0]]
    assert node.forward is not None
    assert node.forward.second == pytest.approx(epsilons * eps, rel=1e-3)
    assert found._restored(node) is restored


def test_what_a_norm_has_set_is_no_part_of_a_drift() -> None:
    """From a norm's output to what a small weight makes of it is no drift: a norm's scale is not the signal's own."""
    with seeded():
        model = nn.Sequential(
            nn.Linear(32, 32), nn.LayerNorm(32), nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 4)
        )
    start(model, nn.init.xavier_normal_)
    with torch.no_grad():
        model[2].weight.mul_(0.01)  # type: ignore[operator,union-attr]
        model[2].bias.zero_()  # type: ignore[operator,union-attr]
        model[3].bias.zero_()  # type: ignore[operator,union-attr]
    seen = trunk(model, noise(16, 32))
    assert [point.normed for point in seen.points] == [True, False, False]
    assert seen.points[0].second > 1e3 * seen.points[1].second
    assert (seen.signal_span or 0.0) < 0.3
