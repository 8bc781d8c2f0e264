from __future__ import annotations

import pytest
import torch
from tests.nets import Basic, Bottleneck, ConvNeXtBlock, TransformerBlock, mlp, noise, plain_conv
from torch import Tensor, nn
from torch.nn import functional as F

from initium.record import Record, record
from initium.record.graph.graph import bits


def residuals(seen: Record) -> list[tuple[int, int, int]]:
    """(stream, block, depth) of every residual addition."""
    return [(one.number, one.block, one.depth) for one in seen.graph.residuals.values()]


def inside(seen: Record) -> set[str]:
    """Weights whose operation lies on a branch or gate."""
    mask = seen.graph.inside
    return {use.names[0] for use in seen.sites if mask >> use.node & 1}


def test_bits() -> None:
    assert list(bits(0b101001)) == [0, 3, 5]
    assert list(bits(0)) == []


def test_a_plain_chain_has_no_residuals() -> None:
    seen = record(plain_conv(5, 8), noise(2, 3, 8, 8))
    assert residuals(seen) == []
    assert inside(seen) == set()
    assert [seen.parts[f"{2 * i}.weight"].position for i in range(5)] == [1, 2, 3, 4, 5]
    assert {seen.parts[f"{2 * i}.weight"].chain for i in range(5)} == {6}  # the head is the sixth


def test_norms_cut_chains() -> None:
    seen = record(plain_conv(5, 8, norm=True), noise(2, 3, 8, 8))
    weights = [part for part in seen.parts.values() if part.role == "before_norm"]
    assert len(weights) == 5
    assert all(part.chain == 1 and part.scale_free for part in weights)
    assert not seen.parts["17.weight"].scale_free


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(8), nn.InstanceNorm2d(8, track_running_stats=True)])
def test_a_norm_by_stored_statistics_is_none(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.ReLU(), nn.Conv2d(8, 4, 3))
    assert record(model.train(), noise(4, 3, 8, 8)).parts["0.weight"].scale_free
    part = record(model.eval(), noise(4, 3, 8, 8)).parts["0.weight"]
    assert not part.scale_free
    assert (part.chain, part.follows) == (2, ("activation:relu",))


def test_basic_blocks() -> None:
    seen = record(nn.Sequential(nn.Conv2d(3, 8, 3), Basic(8, 8), Basic(8, 16)), noise(2, 3, 8, 8))
    assert residuals(seen) == [(0, 0, 2), (0, 1, 2)]
    assert inside(seen) == {"1.conv1.weight", "1.conv2.weight", "2.conv1.weight", "2.conv2.weight"}
    assert seen.parts["1.conv2.weight"].role == "branch_end"
    assert seen.parts["1.conv1.weight"].role == "before_norm"
    assert seen.parts["1.conv1.weight"].branch is not None
    assert seen.parts["2.down.weight"].branch is None


def test_bottlenecks() -> None:
    seen = record(nn.Sequential(nn.Conv2d(3, 16, 3), Bottleneck(16), Bottleneck(16)), noise(2, 3, 8, 8))
    assert residuals(seen) == [(0, 0, 3), (0, 1, 3)]
    ends = [name for name, part in seen.parts.items() if part.role == "branch_end"]
    assert ends == ["1.conv3.weight", "2.conv3.weight"]


def test_transformer_blocks() -> None:
    seen = record(nn.Sequential(TransformerBlock(), TransformerBlock(), nn.LayerNorm(32)), noise(2, 5, 32))
    assert residuals(seen) == [(0, 0, 2), (0, 1, 2), (0, 2, 2), (0, 3, 2)]
    assert {name for name, part in seen.parts.items() if part.role == "branch_end"} == {
        "0.proj.weight", "0.fc2.weight", "1.proj.weight", "1.fc2.weight",
    }  # fmt: skip
    assert seen.parts["0.qkv.weight"].layer.blocks == (32, 32, 32)


def test_convnext_blocks() -> None:
    seen = record(
        nn.Sequential(nn.Conv2d(3, 16, 4, 4), ConvNeXtBlock(), ConvNeXtBlock()), noise(2, 3, 32, 32)
    )
    assert residuals(seen) == [(0, 0, 3), (0, 1, 3)]
    assert seen.parts["1.gamma"].role == "scale"
    assert seen.parts["1.fc2.weight"].role == "branch_end"
    assert seen.parts["1.dw.weight"].layer.groups == 16


def test_post_norm_blocks() -> None:
    class PostNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.norm = nn.Linear(8, 16), nn.Linear(16, 8), nn.LayerNorm(8)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x + self.fc2(F.relu(self.fc1(x))))

    seen = record(nn.Sequential(nn.Linear(8, 8), PostNorm(), PostNorm()), noise(4, 8))
    assert len(seen.graph.residuals) == 2
    assert seen.parts["1.fc2.weight"].role == "branch_end"
    assert not seen.parts["1.fc2.weight"].scale_free


def test_gates_are_inside() -> None:
    class Squeeze(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.down, self.up = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
            self.last = nn.Conv2d(16, 8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.conv(x))
            gate = self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))).sigmoid()
            return self.last(x * gate)

    seen = record(Squeeze(), noise(2, 3, 8, 8))
    assert inside(seen) == {"down.weight", "up.weight"}
    assert seen.parts["up.weight"].role == "gate"


def test_dense_blocks_are_inside_and_u_nets_are_not() -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.a = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
            self.b, self.head = nn.Conv2d(12, 4, 3, padding=1), nn.Conv2d(16, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            x = torch.cat([x, F.relu(self.a(x))], 1)
            return self.head(torch.cat([x, F.relu(self.b(x))], 1))

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc, self.mid = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
            self.up, self.dec = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(16, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            skip = F.relu(self.enc(x))
            deep = self.up(F.relu(self.mid(F.max_pool2d(skip, 2))))
            return self.dec(torch.cat([skip, deep], 1))

    assert inside(record(Dense(), noise(2, 3, 8, 8))) == {"a.weight", "b.weight"}
    assert inside(record(UNet(), noise(2, 3, 8, 8))) == set()


def test_scale_free_means_what_it_says() -> None:
    """Doubling a scale-free weight leaves the output as it is, doubling another one changes it."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-12), nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=False), nn.GroupNorm(2, 8, eps=1e-12), nn.ReLU(),
        nn.Conv2d(8, 4, 3, bias=False), nn.Flatten(),
    )  # fmt: skip
    x = noise(4, 3, 10, 10)
    seen = record(model, x)
    for name in ("0.weight", "3.weight", "6.weight"):
        parameter = model.get_parameter(name)
        with torch.no_grad():
            before = model(x)
            parameter.mul_(2.0)
            after = model(x)
            parameter.mul_(0.5)
        same = torch.allclose(before, after, rtol=1e-3, atol=1e-4)
        assert seen.parts[name].scale_free is same


def test_follows() -> None:
    seen = record(mlp(1, 6, nn.GELU), noise(3, 6))
    assert seen.parts["0.weight"].follows == ("activation:gelu",)
    assert seen.parts["2.weight"].follows == ("output",)
    assert seen.parts["2.weight"].role == "head"


def test_swish_by_hand_is_an_activation_not_a_gate() -> None:
    class Swish(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.a(x)
            return self.b(y * torch.sigmoid(y))

    seen = record(Swish(), noise(3, 6))
    assert seen.parts["a.weight"].role == "weight"
    assert inside(seen) == set()


def test_a_gated_linear_unit_is_a_gate() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.up, self.down = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.down(torch.sigmoid(self.gate(x)) * self.up(x))

    assert record(Gated(), noise(3, 6)).parts["gate.weight"].role == "gate"


@pytest.mark.parametrize("depth", [1, 7, 40])
def test_chain_lengths(depth: int) -> None:
    seen = record(mlp(depth, 6, nn.Tanh), noise(3, 6))
    parts = [seen.parts[use.names[0]] for use in seen.sites]
    assert [part.position for part in parts] == list(range(1, depth + 2))
    assert {part.chain for part in parts} == {depth + 1}


def test_norm_written_by_hand() -> None:
    class RMS(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.gain, self.b = nn.Linear(6, 6), nn.Parameter(torch.ones(6)), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.a(x)
            return self.b(y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6) * self.gain)

    seen = record(RMS(), noise(3, 6))
    assert seen.parts["gain"].role == "norm_gain"
    assert seen.parts["a.weight"].scale_free
    assert seen.parts["b.weight"].chain == 1


def test_a_blend_is_one_addition_to_the_stream() -> None:
    """In x + a (f - x) the difference adds nothing to a stream; f is what the branch makes."""

    class Blend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(8, 8), nn.Linear(8, 8)
            self.rate = nn.Parameter(torch.zeros(8))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.rate.sigmoid() * (self.fc2(F.relu(self.fc1(x))) - x)

    seen = record(nn.Sequential(nn.Linear(8, 8), Blend(), Blend()), noise(4, 8))
    assert residuals(seen) == [(0, 0, 2), (0, 1, 2)]
    for index, residual in enumerate(seen.graph.residuals.values()):
        part = seen.parts[f"{index + 1}.fc2.weight"]
        assert (part.role, part.nodes[0]) == ("branch_end", residual.end)
        assert residual.branch != residual.end


def test_a_difference_that_is_added_to_nothing_is_a_branch_of_its_own() -> None:
    class Difference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x) - x

    seen = record(nn.Sequential(nn.Linear(8, 8), Difference(), Difference()), noise(4, 8))
    assert residuals(seen) == [(0, 0, 1), (0, 1, 1)]
    assert all(residual.branch == residual.end for residual in seen.graph.residuals.values())


class Lateral(nn.Module):
    """A side of `depth` weights, and one of none or of one, that are added."""

    def __init__(self, depth: int, lateral: int) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(6, 6), nn.Linear(6, 2)
        self.deep = nn.Sequential(*(layer for _ in range(depth) for layer in (nn.Linear(6, 6), nn.Tanh())))
        self.lateral = nn.Sequential(*(nn.Linear(6, 6) for _ in range(lateral)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.lateral(x) + self.deep(x))


@pytest.mark.parametrize(
    ("depth", "lateral", "expected"),
    [
        (16, 0, [16]),
        (17, 0, [17]),
        (16, 1, [16]),
        (17, 1, []),
        (1, 1, []),
        (2, 1, [2]),
        (3, 2, []),
        (2, 2, []),
    ],
)
def test_a_side_with_a_weight_is_a_skip_beside_a_short_branch_only(
    depth: int, lateral: int, expected: list[int]
) -> None:
    """The lateral of a U-Net carries features of its own; a projection of a block of two carries the stream."""
    seen = record(Lateral(depth, lateral), noise(4, 6))
    assert [one.depth for one in seen.graph.residuals.values()] == expected
    on_branch = {name for name in inside(seen) if name.startswith("deep")}
    assert len(on_branch) == (depth if expected and depth <= 16 else 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_statistic_that_a_weight_takes_part_in_is_no_norm(weighted: bool) -> None:
    """x / rms(x) has unit scale whatever x is; x / rms(W x) has not, unless W keeps it."""

    class Divided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            y = self.inner(x) if weighted else x
            return self.last(x / y.square().mean(-1, keepdim=True).sqrt())

    seen = record(Divided(), noise(3, 6))
    assert seen.graph.has_norms == (not weighted)
    assert ("norm:written" in seen.parts["first.weight"].follows) == (not weighted)


def test_a_product_of_two_functions_of_one_value_is_an_activation() -> None:
    class Hand(nn.Module):
        def __init__(self, other: bool) -> None:
            super().__init__()
            self.a, self.b, self.c, self.other = nn.Linear(6, 6), nn.Linear(6, 2), nn.Linear(6, 6), other

        def forward(self, x: Tensor) -> Tensor:
            y = self.a(x)
            return self.b(y * torch.sigmoid(self.c(x) if self.other else y))

    follows = [record(Hand(other), noise(3, 6)).parts["a.weight"].follows for other in (False, True)]
    assert "activation:self_gated" in follows[0]
    assert "gate" not in follows[0]
    assert follows[1] == ("gate",)
