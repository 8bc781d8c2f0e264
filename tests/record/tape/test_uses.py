from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

from initium.record import Record, record
from initium.record.tape.uses import Operand, _norm, _weight_side


class Holder(nn.Module):
    """A module whose forward is the function given, with raw parameters of the shapes given."""

    def __init__(self, call: Callable[..., Tensor], **shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.call = call
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(noise(*shape, seed=len(name)) * 0.1))

    def forward(self, *args: Tensor) -> Tensor:
        return self.call(self, *args)


def layer(seen: Record, name: str) -> Any:
    return seen.parts[name].layer


def test_linear() -> None:
    seen = record(nn.Linear(6, 4), noise(3, 6))
    one = layer(seen, "weight")
    assert (one.kind, one.shape, one.out_axis, one.in_axis) == ("linear", (4, 6), 0, 1)
    assert seen.parts["bias"].role == "bias"
    assert (one.num_in, one.num_out) == (6, 4)


def test_linear_on_tokens() -> None:
    one = layer(record(nn.Linear(6, 4, bias=False), noise(3, 5, 6)), "weight")
    assert (one.kind, one.out_axis, one.in_axis) == ("linear", 0, 1)


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_raw_matmul(square: bool, transposed: bool) -> None:
    """x @ W and x @ W.T tell the axes apart, also for square matrices."""
    rows, columns = (6, 6) if square else ((4, 6) if transposed else (6, 4))
    model = Holder(lambda self, x: x @ (self.w.T if transposed else self.w), w=(rows, columns))
    one = layer(record(model, noise(3, 6)), "w")
    assert (one.kind, one.shape) == ("linear", (rows, columns))
    assert (one.in_axis, one.out_axis) == ((1, 0) if transposed else (0, 1))


@pytest.mark.parametrize("leading", [(8,), (8, 5)])
@pytest.mark.parametrize(("num_in", "num_out"), [(1, 6), (6, 1), (1, 1)])
def test_axes_of_one(leading: tuple[int, ...], num_in: int, num_out: int) -> None:
    layer = record(nn.Linear(num_in, num_out), noise(*leading, num_in)).parts["weight"].layer
    assert (layer.num_in, layer.num_out, layer.out_axis) == (num_in, num_out, 0)


def test_weight_on_the_left() -> None:
    one = layer(record(Holder(lambda self, x: self.w @ x, w=(4, 6)), noise(3, 6, 5)), "w")
    assert (one.in_axis, one.out_axis) == (1, 0)


@pytest.mark.parametrize(
    ("equation", "shape", "axes"),
    [("bi,oi->bo", (4, 6), (1, 0)), ("bi,io->bo", (6, 4), (0, 1)), ("bti,io->bto", (6, 4), (0, 1))],
)
def test_einsum(equation: str, shape: tuple[int, int], axes: tuple[int, int]) -> None:
    x = noise(3, 5, 6) if "t" in equation else noise(3, 6)
    one = layer(record(Holder(lambda self, x: torch.einsum(equation, x, self.w), w=shape), x), "w")
    assert (one.in_axis, one.out_axis) == axes


def test_einsum_with_heads() -> None:
    """b t d, h d k -> b h t k: summed over d."""
    model = Holder(lambda self, x: torch.einsum("btd,hdk->bhtk", x, self.w), w=(2, 6, 4))
    seen = record(model, noise(3, 5, 6))
    assert seen.parameter("w").used
    assert layer(seen, "w").shape == (2, 6, 4)
    assert layer(seen, "w").in_axis == 1


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolutions(dims: int, groups: int) -> None:
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    model = kind(4, 8, 3, stride=2, padding=1, dilation=1, groups=groups)
    one = layer(record(model, noise(2, 4, *([9] * dims))), "weight")
    assert one.kind == "conv"
    assert one.shape == tuple(model.weight.shape)
    assert (one.groups, one.stride, one.padding) == (groups, (2,) * dims, (1,) * dims)
    assert one.input_size == (9,) * dims
    assert (one.num_in, one.num_out, one.receptive) == (4, 8, 3**dims)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions(dims: int, groups: int) -> None:
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[dims - 1]
    model = kind(4, 8, 3, stride=2, padding=1, output_padding=1, groups=groups)
    one = layer(record(model, noise(2, 4, *([5] * dims))), "weight")
    assert (one.kind, one.in_axis, one.out_axis) == ("conv_transpose", 0, 1)
    assert (one.groups, one.output_padding) == (groups, (1,) * dims)
    assert (one.num_in, one.num_out) == (4, 8)


@pytest.mark.parametrize("padding", ["same", 1])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_padding_modes(padding: Any, mode: str) -> None:
    seen = record(nn.Conv2d(3, 4, 3, padding=padding, padding_mode=mode), noise(2, 3, 8, 8))
    assert layer(seen, "weight").kind == "conv"


def test_channels_last() -> None:
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    seen = record(model, noise(2, 3, 8, 8).contiguous(memory_format=torch.channels_last))
    assert layer(seen, "weight").shape == (4, 3, 3, 3)
    assert seen.nodes[1].units == 4


def test_embedding() -> None:
    seen = record(nn.Embedding(10, 4), torch.tensor([[1, 2, 3]]))
    one = layer(seen, "weight")
    assert (one.kind, one.in_axis, one.out_axis) == ("embedding", 0, 1)
    assert seen.parts["weight"].role == "embedding"


def test_embedding_bag() -> None:
    seen = record(nn.EmbeddingBag(10, 4), torch.tensor([[1, 2, 3]]))
    assert layer(seen, "weight").kind == "embedding"


def test_bilinear() -> None:
    seen = record(nn.Bilinear(3, 4, 5), (noise(2, 3), noise(2, 4)))
    assert all(info.used for info in seen.parameters)


@pytest.mark.parametrize("fused", [True, False])
def test_packed_qkv(fused: bool) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            b, n, d = x.shape
            q, k, v = self.qkv(x).reshape(b, n, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
            if fused:
                y = F.scaled_dot_product_attention(q, k, v)
            else:
                y = ((q * 0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
            return self.proj(y.transpose(1, 2).reshape(b, n, d))

    seen = record(Attention(), noise(2, 5, 8))
    assert layer(seen, "qkv.weight").blocks == (8, 8, 8)
    assert seen.parts["qkv.weight"].role == "attention"


@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_self_attention(need_weights: bool) -> None:
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    seen = record(model, noise(2, 5, 8), forward=lambda m, x: m(x, x, x, need_weights=need_weights)[0])
    assert all(info.used for info in seen.parameters)
    assert layer(seen, "in_proj_weight").blocks == (8, 8, 8)
    assert layer(seen, "out_proj.weight").kind == "linear"


def test_multihead_cross_attention() -> None:
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    forward = lambda m, xs: m(xs[0], xs[1], xs[1], need_weights=False)[0]  # noqa: E731
    seen = record(model, (noise(2, 5, 8), noise(2, 3, 8, seed=1)), forward=forward)
    rows = sorted(use.rows for use in seen.sites if use.names == ("in_proj_weight",))
    assert rows == [(0, 8), (8, 24)] or rows == [(0, 8), (8, 16), (16, 24)]
    assert layer(seen, "in_proj_weight").blocks == (8, 8, 8)


def test_multihead_attention_with_other_widths() -> None:
    model = nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True)
    forward = lambda m, xs: m(xs[0], xs[1], xs[2], need_weights=False)[0]  # noqa: E731
    seen = record(model, (noise(2, 5, 8), noise(2, 3, 6), noise(2, 3, 4)), forward=forward)
    roles = {name: seen.parts[name].role for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight")}
    assert roles == {"q_proj_weight": "query", "k_proj_weight": "key", "v_proj_weight": "value"}


def test_transformer_layers() -> None:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    for mode in (True, False):
        seen = record(model.train(mode), noise(2, 5, 8))
        assert all(info.used for info in seen.parameters)


def test_weight_standardization() -> None:
    class Standardized(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            w = self.weight
            w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
            return F.conv2d(x, w, self.bias, padding=1)

    seen = record(Standardized(3, 8, 3), noise(2, 3, 6, 6))
    part = seen.parts["weight"]
    assert part.standardized
    assert part.scale_free
    assert part.layer.kind == "conv"
    assert not seen.sites[0].direct


def test_standardization_by_batch_norm_of_the_weight() -> None:
    """timm's ScaledStdConv: the weight goes through F.batch_norm, with a gain."""

    class Scaled(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(3, 8, 3)
            self.gain = nn.Parameter(torch.ones(8, 1, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            w = F.batch_norm(
                self.weight.reshape(1, 8, -1),
                None,
                None,
                weight=self.gain.view(-1),
                training=True,
                momentum=0.0,
            )
            return F.conv2d(x, w.reshape_as(self.weight), self.bias)

    seen = record(Scaled(), noise(2, 3, 6, 6))
    assert seen.parts["weight"].standardized
    assert seen.parts["weight"].layer.kind == "conv"
    assert seen.parts["gain"].role != "unused"
    assert seen.parts["weight"].packed == ("gain",)


def test_weight_norm() -> None:
    seen = record(weight_norm(nn.Linear(4, 6)), noise(3, 4))
    names = {info.name: info for info in seen.parameters}
    assert all(info.used for info in seen.parameters)
    direction = next(name for name in names if name.endswith("original1"))
    assert names[direction].parametrized
    assert seen.parts[direction].standardized


@pytest.mark.parametrize("parametrize", [spectral_norm, orthogonal])
def test_other_parametrizations(parametrize: Callable[[nn.Module], nn.Module]) -> None:
    seen = record(parametrize(nn.Linear(4, 6)), noise(3, 4))
    assert all(info.used for info in seen.parameters)
    assert any(info.parametrized for info in seen.parameters)


def test_tied_weights() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(11, 8), nn.Linear(8, 11, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.embed(x)))

    seen = record(Tied(), torch.arange(10).view(2, 5))
    assert [info.name for info in seen.parameters] == ["embed.weight"]
    assert seen.parameter("embed.weight").aliases == ("head.weight",)
    assert {use.layer.kind for use in seen.sites if use.layer is not None} == {"embedding", "linear"}


def test_frozen_parameters() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    seen = record(model, noise(3, 4))
    assert seen.parameter("0.weight").frozen
    assert seen.parameter("0.weight").used
    assert seen.parameter("0.weight").grad_second is None
    assert seen.parameter("2.weight").grad_second


def test_norms_scales_and_tokens() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.token, self.position = nn.Parameter(noise(1, 1, 8)), nn.Parameter(noise(1, 6, 8))
            self.scale, self.fc = nn.Parameter(torch.full((8,), 1e-4)), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
            return x + self.scale * self.fc(self.norm(x))

    seen = record(Parts(), noise(3, 5, 8))
    roles = {name: part.role for name, part in seen.parts.items()}
    assert roles == {
        "token": "token", "position": "position", "scale": "scale", "norm.weight": "norm_gain",
        "norm.bias": "norm_shift", "fc.weight": "branch_end", "fc.bias": "bias",
    }  # fmt: skip


def test_deformable_convolution_offsets() -> None:
    ops = pytest.importorskip("torchvision.ops")

    class Deformable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset, self.conv = nn.Conv2d(3, 18, 3, padding=1), ops.DeformConv2d(3, 8, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x, self.offset(x))

    seen = record(Deformable(), noise(2, 3, 8, 8))
    assert seen.parts["offset.weight"].role == "offset"
    assert layer(seen, "conv.weight").kind == "conv"


def test_unused_parameters() -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.spare = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x)

    seen = record(Partly(), noise(3, 4))
    assert not seen.parameter("spare.weight").used
    assert seen.parts["spare.weight"].role == "unused"


def test_an_unknown_operation_is_opaque_not_an_error() -> None:
    seen = record(Holder(lambda self, x: torch.cdist(x, self.w), w=(4, 6)), noise(3, 6))
    assert seen.parameter("w").used
    assert seen.parts["w"].role in ("opaque", "token")


def test_unfold_as_convolution() -> None:
    def call(self: Holder, x: Tensor) -> Tensor:
        return self.w.view(8, -1) @ F.unfold(x, 3)  # type: ignore[operator,union-attr]

    seen = record(Holder(call, w=(8, 3, 3, 3)), noise(2, 3, 6, 6))
    assert seen.parts["w"].layer.shape == (8, 3, 3, 3)
    assert seen.parts["w"].role != "unused"


MIXED = {
    "linear over positions": (lambda m, x: F.linear(x.transpose(1, 2), m.w), (7, 9)),
    "copied first": (lambda m, x: F.linear(x.transpose(1, 2).contiguous(), m.w), (7, 9)),
    "weight on the left": (lambda m, x: torch.einsum("hn,bnc->bhc", m.w, x), (7, 9)),
    "as many positions as units": (lambda m, x: F.linear(x[:, :8].transpose(1, 2).contiguous(), m.w), (7, 8)),
}
UNMIXED = {
    "linear over units": (lambda m, x: F.linear(x, m.w), (7, 8)),
    "units of a copy": (lambda m, x: F.linear(x.transpose(0, 1).contiguous(), m.w), (7, 8)),
    "as many positions as units": (lambda m, x: F.linear(x[:, :8].contiguous(), m.w), (7, 8)),
    "flattened": (lambda m, x: F.linear(x.transpose(1, 2).flatten(1), m.w), (7, 72)),
    "pooled": (lambda m, x: F.linear(x.mean(1), m.w), (7, 8)),
    "convolution": (lambda m, x: F.conv1d(x.transpose(1, 2), m.w), (7, 8, 3)),
}


@pytest.mark.parametrize("case", [*MIXED, *UNMIXED])
@pytest.mark.parametrize("stem", ["linear", "convolution"])
def test_sums_over_positions_are_told_from_sums_over_units(case: str, stem: str) -> None:
    """A stem makes 8 units at 9 positions; the axis that a weight sums over is known by its stride, not its size."""
    for cases, mixes in ((MIXED, True), (UNMIXED, False)):
        if case not in cases:
            continue
        call, shape = cases[case]
        taken = nn.Linear(5, 8) if stem == "linear" else nn.Conv1d(5, 8, 1)
        through = (
            (lambda m, x, taken=taken: taken(x))
            if stem == "linear"
            else (lambda m, x, taken=taken: taken(x.transpose(1, 2)).transpose(1, 2))
        )
        model = Holder(lambda m, x, call=call, through=through: call(m, through(m, x)), w=shape)
        model.taken = taken
        seen = record(model, noise(4, 9, 5))
        assert [node.mixes for node in seen.nodes if node.category == "weighted"] == [False, mixes]
        assert seen.nodes[-1].units == 7


def test_of_a_norms_parameters_their_number_and_order_tell_which_is_which() -> None:
    data, gain, shift, queries = (
        Operand(torch.ones(4), names) for names in ((), ("gain",), ("shift",), ("queries",))
    )

    def hows(*operands: Operand) -> dict[str, str]:
        return {use.names[0]: use.how for use in _norm(0, operands)}

    assert hows(data, gain, shift) == {"gain": "gain", "shift": "shift"}
    assert hows(data, gain) == {"gain": "gain"}
    assert hows(queries, gain, shift) == {"queries": "token", "gain": "gain", "shift": "shift"}


def test_a_product_of_parameters_is_no_weight_whatever_side_it_stands_on() -> None:
    plain, made = (
        Operand(torch.ones(2, 2), (name,), contracted=contracted)
        for name, contracted in (("w", False), ("ab", True))
    )
    data = Operand(torch.ones(2, 2))
    assert _weight_side(data, plain) == (plain, "right")
    assert _weight_side(plain, data) == (plain, "left")
    assert _weight_side(plain, made) == (plain, "left")
    assert _weight_side(made, plain) == (plain, "right")
    assert _weight_side(data, made) == _weight_side(made, data) == (None, "")
