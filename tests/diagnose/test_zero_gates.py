from __future__ import annotations

import torch
from tests.nets import Basic, Bottleneck, ConvNeXtBlock, TransformerBlock, mlp, noise, seeded
from torch import Tensor, nn

from initium.diagnose import diagnose
from initium.diagnose.zero_gates import opening_gates, unexplained_zeros
from initium.record import record


def unexplained(model: nn.Module, x: Tensor) -> set[str]:
    return {part.name for part in unexplained_zeros(record(model, x))}


def gates(model: nn.Module, x: Tensor) -> set[str]:
    return {name for names in opening_gates(record(model, x)).values() for name in names}


def residual_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        Basic(16, 16),
        Bottleneck(16),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def test_zero_gammas() -> None:
    model = residual_net()
    nn.init.zeros_(model[1].bn2.weight)  # type: ignore[arg-type,union-attr]
    nn.init.zeros_(model[2].bn3.weight)  # type: ignore[arg-type,union-attr]
    x = noise(4, 3, 16, 16)
    assert gates(model, x) == {"1.bn2.weight", "2.bn3.weight"}
    assert unexplained(model, x) == set()
    assert diagnose(model, x).verdict == "healthy"


def test_a_zero_head() -> None:
    model = residual_net()
    nn.init.zeros_(model[-1].weight)  # type: ignore[arg-type]
    x = noise(4, 3, 16, 16)
    assert gates(model, x) == {"5.weight"}
    assert unexplained(model, x) == set()
    report = diagnose(model, x)
    assert report.verdict == "healthy"
    assert all(point.strength is None for point in report.measures)


def test_zero_layer_scales_and_zero_branch_ends() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.a, self.b = nn.Conv2d(3, 16, 3), ConvNeXtBlock(16, 0.0), ConvNeXtBlock(16)
            nn.init.zeros_(self.b.fc2.weight)
            nn.init.zeros_(self.b.fc2.bias)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(self.stem(x)))

    x = noise(4, 3, 12, 12)
    assert {"a.gamma", "b.fc2.weight"} <= gates(Net(), x)
    assert unexplained(Net(), x) == set()


def test_transformers_with_zero_output_projections() -> None:
    block = TransformerBlock()
    for layer in (block.proj, block.fc2):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert unexplained(nn.Sequential(nn.Linear(32, 32), block), noise(2, 5, 32)) == set()


def test_low_rank_adapters() -> None:
    class Adapter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = nn.Linear(16, 16).requires_grad_(False)
            self.down, self.up = nn.Linear(16, 4, bias=False), nn.Linear(4, 16, bias=False)
            nn.init.zeros_(self.up.weight)

        def forward(self, x: Tensor) -> Tensor:
            return self.base(x) + self.up(self.down(x))

    assert unexplained(Adapter(), noise(8, 16)) == set()
    assert diagnose(Adapter(), noise(8, 16)).healthy


def test_gates_in_series_open_one_after_the_other() -> None:
    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(16, 16)
            self.inner, self.outer = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.outer * (x + self.inner * self.fc(x))

    assert unexplained(Series(), noise(8, 16)) == set()


def test_two_zero_factors_never_open() -> None:
    """A zero weight behind a zero weight: neither gets a gradient."""

    class Stuck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Linear(16, 16)
            self.a, self.b = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)
            nn.init.zeros_(self.a.weight)
            nn.init.zeros_(self.b.weight)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return x + self.b(self.a(x))

    assert unexplained(Stuck(), noise(8, 16)) == {"a.weight", "b.weight"}
    assert not diagnose(Stuck(), noise(8, 16)).healthy


def test_zeros_everywhere_are_no_gates() -> None:
    model = mlp(3, 16, nn.ReLU)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    assert unexplained(model, noise(8, 16)) == {"0.weight", "2.weight", "4.weight", "6.weight"}


def test_queries_that_start_at_zero() -> None:
    """A decoder whose first queries are zero: its first self-attention has nothing to learn from yet."""

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.position = nn.Parameter(noise(6, 32))
            self.layer = nn.TransformerDecoderLayer(32, 4, 64, batch_first=True)
            self.other = nn.TransformerDecoderLayer(32, 4, 64, batch_first=True)

        def forward(self, memory: Tensor) -> Tensor:
            queries = torch.zeros(memory.shape[0], 6, 32)
            return self.other(self.layer(queries, memory) + self.position, memory)

    with seeded():
        model = Decoder()
    assert unexplained(model, noise(2, 5, 32)) == set()
