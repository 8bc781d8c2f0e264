"""Every category, on real calls of torch: what dispatch shows of them, and what the tables claim of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torchvision
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from initium.record.tape import ops


class Seen(TorchDispatchMode):
    """The operations that dispatch shows while it is entered, and their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append((func, args))
        return func(*args, **(kwargs or {}))


def categories_of(call: Callable[[], object]) -> list[str]:
    """Categories of the operations of a call, those that only look at tensors left out."""
    with Seen() as seen:
        call()
    return [ops.categorize(ops.base_name(func)) for func, _ in seen.calls]


def x(*shape: int) -> Tensor:
    return noise(*shape).requires_grad_()


MAP, ROWS = x(2, 4, 8, 8), x(6, 4)
QUERY = x(2, 2, 5, 4)
KERNEL = x(4, 4, 3, 3)
BOXES = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])
CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "conv1d": (lambda: F.conv1d(x(2, 4, 8), x(4, 4, 3)), "weighted"),
    "conv2d": (lambda: F.conv2d(MAP, KERNEL), "weighted"),
    "conv3d": (lambda: F.conv3d(x(1, 2, 4, 4, 4), x(2, 2, 3, 3, 3)), "weighted"),
    "conv_transpose2d": (lambda: F.conv_transpose2d(MAP, KERNEL), "weighted"),
    "deform_conv2d": (lambda: torchvision.ops.deform_conv2d(MAP, x(2, 18, 6, 6), KERNEL), "weighted"),
    "lstm": (lambda: nn.LSTM(4, 3)(x(5, 2, 4)), "weighted"),
    "linear": (lambda: F.linear(ROWS, x(3, 4), x(3)), "matmul"),
    "linear without bias": (lambda: F.linear(ROWS, x(3, 4)), "matmul"),
    "linear on tokens": (lambda: F.linear(x(2, 5, 4), x(3, 4)), "matmul"),
    "@": (lambda: ROWS @ x(4, 3), "matmul"),
    "@ vector": (lambda: ROWS @ x(4), "matmul"),
    "vector @ vector": (lambda: x(4) @ x(4), "matmul"),
    "bmm": (lambda: torch.bmm(x(2, 3, 4), x(2, 4, 5)), "matmul"),
    "baddbmm": (lambda: torch.baddbmm(x(2, 3, 5), x(2, 3, 4), x(2, 4, 5)), "matmul"),
    "addmv": (lambda: torch.addmv(x(6), ROWS, x(4)), "matmul"),
    "addbmm": (lambda: torch.addbmm(x(3, 5), x(2, 3, 4), x(2, 4, 5)), "matmul"),
    "einsum": (lambda: torch.einsum("bi,io->bo", ROWS, x(4, 3)), "matmul"),
    "embedding": (lambda: F.embedding(torch.tensor([0, 1]), x(3, 4)), "lookup"),
    "embedding_bag": (lambda: F.embedding_bag(torch.tensor([[0, 1]]), x(3, 4)), "lookup"),
    "softmax": (lambda: ROWS.softmax(-1), "softmax"),
    "log_softmax": (lambda: ROWS.log_softmax(-1), "softmax"),
    "attention": (lambda: F.scaled_dot_product_attention(QUERY, QUERY, QUERY), "attention"),
    "layer_norm": (lambda: F.layer_norm(ROWS, (4,)), "norm"),
    "group_norm": (lambda: F.group_norm(MAP, 2), "norm"),
    "batch_norm": (lambda: F.batch_norm(MAP, None, None, training=True), "norm"),
    "instance_norm": (lambda: F.instance_norm(MAP), "norm"),
    "+": (lambda: ROWS + ROWS, "add"),
    "- number": (lambda: ROWS - 1, "add"),
    "number -": (lambda: 1 - ROWS, "add"),
    "lerp": (lambda: torch.lerp(ROWS, ROWS, 0.5), "add"),
    "*": (lambda: ROWS * ROWS, "mul"),
    "/ number": (lambda: ROWS / 2, "mul"),
    "addcmul": (lambda: torch.addcmul(ROWS, ROWS, ROWS), "mul"),
    "cat": (lambda: torch.cat([ROWS, ROWS]), "concat"),
    "stack": (lambda: torch.stack([ROWS, ROWS]), "concat"),
    "mean": (lambda: MAP.mean((2, 3)), "pool"),
    "sum": (lambda: MAP.sum(1), "pool"),
    "amax": (lambda: MAP.amax(1), "pool"),
    "max": (lambda: MAP.max(1), "pool"),
    "max_pool2d": (lambda: F.max_pool2d(MAP, 2), "pool"),
    "avg_pool2d": (lambda: F.avg_pool2d(MAP, 2), "pool"),
    "adaptive_avg_pool2d": (lambda: F.adaptive_avg_pool2d(MAP, 2), "pool"),
    "adaptive_max_pool2d": (lambda: F.adaptive_max_pool2d(MAP, 2), "pool"),
    "upsample nearest": (lambda: F.interpolate(MAP, scale_factor=2), "pool"),
    "upsample bilinear": (lambda: F.interpolate(MAP, scale_factor=2, mode="bilinear"), "pool"),
    "upsample bicubic": (lambda: F.interpolate(MAP, scale_factor=2, mode="bicubic"), "pool"),
    "grid_sample": (lambda: F.grid_sample(MAP, x(2, 3, 3, 2), align_corners=False), "pool"),
    "roi_align": (lambda: torchvision.ops.roi_align(MAP, BOXES, 2), "pool"),
    "clone": (lambda: ROWS.clone(), "copy"),
    "cast": (lambda: ROWS.double(), "copy"),
    "contiguous": (lambda: MAP.mT.contiguous(), "copy"),
    "pad": (lambda: F.pad(MAP, (1, 1)), "copy"),
    "reflection pad": (lambda: F.pad(MAP, (1, 1, 1, 1), mode="reflect"), "copy"),
    "replication pad": (lambda: F.pad(MAP, (1, 1, 1, 1), mode="replicate"), "copy"),
    "dropout": (lambda: F.dropout(ROWS, 0.5), "mul"),
    "roll": (lambda: MAP.roll(1, 2), "copy"),
    "flip": (lambda: MAP.flip(2), "copy"),
    "index": (lambda: ROWS[torch.tensor([0, 2])], "copy"),
    "index_select": (lambda: ROWS.index_select(0, torch.tensor([0, 2])), "copy"),
    "gather": (lambda: ROWS.gather(1, torch.zeros(6, 1, dtype=torch.int64)), "copy"),
    "repeat": (lambda: ROWS.repeat(2, 1), "copy"),
    "pixel_shuffle": (lambda: F.pixel_shuffle(MAP, 2), "copy"),
    "pixel_unshuffle": (lambda: F.pixel_unshuffle(MAP, 2), "copy"),
    "masked_fill": (lambda: ROWS.masked_fill(torch.ones(6, 4, dtype=torch.bool), 0.0), "copy"),
    "where": (lambda: torch.where(torch.ones(6, 4, dtype=torch.bool), ROWS, 0.0), "copy"),
    "unfold": (lambda: F.unfold(MAP, 3), "copy"),
    "fold": (lambda: F.fold(x(2, 36, 36), 8, 3), "copy"),
    "cumsum": (lambda: ROWS.cumsum(0), "opaque"),
    "fft": (lambda: torch.fft.fft(ROWS), "opaque"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls_of_torch_have_their_category(name: str) -> None:
    call, expected = CALLS[name]
    assert expected in categories_of(call)


@pytest.mark.parametrize(
    "name",
    [name for name, (_, category) in CALLS.items() if category not in ("opaque", "copy") and name != "lstm"],
)
def test_calls_of_torch_have_no_other_category(name: str) -> None:
    """Beside the operation itself a call only views, moves, makes masks or multiplies by numbers."""
    call, expected = CALLS[name]
    aside = {expected, "opaque", "copy", *({"mul"} if name in ("attention", "instance_norm") else ())}
    assert set(categories_of(call)) <= aside


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu, "leaky_relu": F.leaky_relu, "gelu": F.gelu, "silu": F.silu, "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "elu": F.elu, "hardtanh": F.hardtanh, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid,
    "mish": F.mish, "softplus": F.softplus, "prelu": lambda v: F.prelu(v, torch.tensor([0.1])),
    "clamp": lambda v: v.clamp(-1, 1), "clamp_min": lambda v: v.clamp_min(0), "clamp_max": lambda v: v.clamp_max(1),
    "sin": torch.sin, "cos": torch.cos, "erf": torch.erf, "exp": torch.exp, "log": torch.log, "abs": torch.abs,
    "threshold": lambda v: F.threshold(v, 0.5, 0.0), "rrelu": lambda v: F.rrelu(v, training=True), "celu": F.celu,
    "log_sigmoid": F.logsigmoid, "pow": lambda v: v**3, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "atan": torch.atan,
    "sinh": torch.sinh, "asinh": torch.asinh, "log1p": torch.log1p, "expm1": torch.expm1, "softshrink": F.softshrink,
    "hardshrink": F.hardshrink, "reciprocal": torch.reciprocal, "glu": F.glu,
}  # fmt: skip


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations_have_their_names(kind: str) -> None:
    with Seen() as seen:
        ACTIVATIONS[kind](x(6, 4))
    names = [ops.plain_name(ops.base_name(func)) for func, _ in seen.calls]
    assert kind in [ops.ACTIVATIONS.get(name) for name in names]
    assert "activation" in [ops.categorize(name) for name in names]


@pytest.mark.parametrize(("kind", "call"), [("layer", nn.LayerNorm(4)), ("group", nn.GroupNorm(2, 4)),
                                            ("batch", nn.BatchNorm1d(4))])  # fmt: skip
def test_norms_have_their_names(kind: str, call: nn.Module) -> None:
    with Seen() as seen:
        call(x(6, 4))
    names = [ops.base_name(func) for func, _ in seen.calls]
    assert [ops.NORMS[name] for name in names if ops.categorize(name) == "norm"] == [kind]


@pytest.mark.parametrize("kind", [*sorted(ops.DEADLY)])
def test_what_can_die_is_flat_on_a_half_line(kind: str) -> None:
    """Output and gradient are both zero, or the output is at a bound, for all that lies far enough on one side."""
    far = torch.linspace(-60.0, -50.0, 8).requires_grad_()
    made = ACTIVATIONS[kind](far)
    (slope,) = torch.autograd.grad(made.sum(), far)
    assert float(slope.abs().max()) == 0.0


@pytest.mark.parametrize(
    "kind", ["gelu", "silu", "leaky_relu", "elu", "mish", "softplus", "prelu", "abs", "sin"]
)
def test_what_bends_everywhere_is_not_called_deadly(kind: str) -> None:
    near = torch.linspace(-3.0, -2.0, 8).requires_grad_()
    (slope,) = torch.autograd.grad(ACTIVATIONS[kind](near).sum(), near)
    assert float(slope.abs().min()) > 0
    assert kind not in ops.DEADLY


@pytest.mark.parametrize("kind", [*sorted(ops.SATURATING)])
def test_bounds_are_where_a_function_ends(kind: str) -> None:
    ends = ACTIVATIONS[kind](torch.tensor([-50.0, 50.0]))
    assert tuple(ends.tolist()) == pytest.approx(ops.SATURATING[kind], abs=1e-6)


def test_functions_that_are_bounded_on_both_sides_are_all_known() -> None:
    """Those that are monotone, so that they stay at the bound."""
    far = torch.tensor([-1e4, -1e3, 1e3, 1e4])
    flat = {
        kind
        for kind, function in ACTIVATIONS.items()
        if kind not in ("glu", "rrelu") and _stays(function(far.clone()))
    }
    assert flat - {"clamp", "atan"} <= set(ops.SATURATING)
    assert set(ops.SATURATING) <= flat


def _stays(made: Tensor) -> bool:
    low, lower, upper, high = made.tolist()
    ends = low == pytest.approx(lower), upper == pytest.approx(high), low != pytest.approx(high)
    return all(ends) and max(abs(low), abs(high)) < 10


@pytest.mark.parametrize("kind", sorted(ops.HOMOGENEOUS - {"identity"}))
def test_homogeneous_functions_are(kind: str) -> None:
    values = noise(64)
    function = ACTIVATIONS[kind] if kind != "threshold" else lambda v: F.threshold(v, 0.0, 0.0)
    torch.testing.assert_close(function(3.0 * values), 3.0 * function(values))


def test_no_other_activation_is_homogeneous() -> None:
    values = noise(64).abs() * 2
    both = torch.cat([values, -values])
    for kind in set(ACTIVATIONS) - ops.HOMOGENEOUS - {"glu", "rrelu", "log", "sqrt", "rsqrt", "log1p"}:
        made, larger = ACTIVATIONS[kind](both), ACTIVATIONS[kind](3.0 * both)
        assert not torch.allclose(larger, 3.0 * made), kind


LIKE: dict[str, Callable[[Tensor], Tensor]] = {
    "empty_like": torch.empty_like,
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
    "full_like": lambda v: torch.full_like(v, 2.0),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "new_zeros": lambda v: v.new_zeros(3),
    "new_ones": lambda v: v.new_ones(3),
    "new_full": lambda v: v.new_full((3,), 2),
    "new_empty": lambda v: v.new_empty(3),
    "randint_like": lambda v: torch.randint_like(v, 5),
}


@pytest.mark.parametrize("name", LIKE)
def test_factories_return_nothing_of_their_argument(name: str) -> None:
    with Seen() as seen:
        made = LIKE[name](torch.full((6, 4), float("nan")))
    assert any(ops.base_name(func) in ops.FACTORIES for func, _ in seen.calls)
    if "empty" not in name:
        assert not bool(made.isnan().any())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grad", [True, False])
def test_a_batch_norm_in_evaluation_mode_is_a_fixed_map(training: bool, grad: bool) -> None:
    norm = nn.BatchNorm2d(4).train(training)
    with Seen() as seen, torch.set_grad_enabled(grad):
        norm(MAP)
    fixed = [ops.is_fixed_norm(ops.base_name(f), a) for f, a in seen.calls if ops.base_name(f) in ops.NORMS]
    assert fixed == [not training]


def test_a_layer_norm_is_no_fixed_map() -> None:
    with Seen() as seen:
        F.layer_norm(ROWS, (4,))
    assert not any(ops.is_fixed_norm(ops.base_name(f), a) for f, a in seen.calls)


def in_place() -> Iterator[tuple[Callable[[Tensor], object], str]]:
    yield torch.relu_, "activation"
    yield F.silu, "activation"
    yield lambda v: F.silu(v, inplace=True), "activation"
    yield lambda v: v.add_(1), "add"
    yield lambda v: v.mul_(2), "mul"
    yield lambda v: v.clamp_(0, 1), "activation"
    yield lambda v: v.copy_(torch.ones(6, 4)), "copy"
    yield lambda v: v.masked_fill_(v > 0, 0), "copy"


@pytest.mark.parametrize(("call", "expected"), [*in_place()])
def test_in_place_twins_are_as_their_functions(call: Callable[[Tensor], object], expected: str) -> None:
    assert expected in categories_of(lambda: call(noise(6, 4)))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("aten.relu_", "aten.relu"),
        ("aten.relu", "aten.relu"),
        ("aten.__and__", "aten.__and__"),
        ("aten.copy_", "aten.copy"),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert ops.plain_name(name) == plain


def test_base_names_leave_the_overload_out() -> None:
    assert ops.base_name(torch.ops.aten.relu_.default) == "aten.relu_"
    assert ops.base_name(torch.ops.aten.add.Tensor) == ops.base_name(torch.ops.aten.add.Scalar) == "aten.add"
    assert ops.base_name(torch.ops.torchvision.deform_conv2d.default) == "torchvision.deform_conv2d"


def test_no_operation_stands_in_two_tables() -> None:
    tables = [ops.CONVOLUTIONS, ops.RECURRENT, ops.MATMULS, ops.LOOKUPS, ops.ACTIVATIONS, ops.NORMS, ops.SOFTMAXES,
              ops.ATTENTIONS, ops.ADDS, ops.MULS, ops.CONCATS, ops.POOLS, ops.COPIES, ops.FACTORIES]  # fmt: skip
    names = [name for table in tables for name in table]
    assert len(names) == len(set(names))


def test_every_name_of_aten_is_one_of_torch() -> None:
    """A name that torch does not have is a slip of the pen that no call would ever show."""
    tables = [ops.CONVOLUTIONS, ops.MATMULS, ops.LOOKUPS, ops.ACTIVATIONS, ops.NORMS, ops.SOFTMAXES, ops.ATTENTIONS,
              ops.ADDS, ops.MULS, ops.CONCATS, ops.POOLS, ops.COPIES, ops.STATISTICS, ops.STANDARDIZERS]  # fmt: skip
    names = {name for table in tables for name in table if name.startswith("aten.")}
    known = {name.removeprefix("aten::").partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    missing = {name for name in names if name.removeprefix("aten.") not in known}
    assert missing <= {"aten.contiguous", "aten._safe_softmax", "aten._fused_rms_norm", "aten.rms_norm"}
