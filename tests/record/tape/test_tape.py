"""The tape itself: what it writes down of a run, against what torch says of the same tensors."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from initium.record import record
from initium.record.tape.tape import Draft, Tape


def taped(
    call: Callable[..., object], *inputs: Tensor, measure: bool = True, **parameters: Tensor
) -> tuple[Tape, object]:
    """A tape of one call on the inputs, and what it returned."""
    tape = Tape(parameters, batch=len(inputs[0]), where=lambda: "here", measure=measure)
    tape.add_inputs(inputs)
    with torch.enable_grad(), tape:
        out = call(*inputs)
    tape.finish()
    return tape, out


def weight(*shape: int, seed: int = 1) -> nn.Parameter:
    return nn.Parameter(noise(*shape, seed=seed))


def ops_of(tape: Tape) -> list[str]:
    return [draft.op.removeprefix("aten.") for draft in tape.drafts]


def how(tape: Tape) -> list[tuple[tuple[str, ...], str, int]]:
    return [(use.names, use.how, use.node) for use in tape.uses]


def test_a_small_net_by_hand() -> None:
    kernel, bias, matrix = weight(4, 3, 3, 3), weight(4), weight(2, 4 * 16)

    def net(x: Tensor) -> Tensor:
        return F.relu(F.conv2d(x, kernel, bias)).flatten(1) @ matrix.T

    tape, out = taped(net, noise(5, 3, 6, 6), kernel=kernel, bias=bias, matrix=matrix)
    assert ops_of(tape) == ["input", "convolution", "relu", "mm"]
    assert [draft.category for draft in tape.drafts] == ["input", "weighted", "activation", "weighted"]
    assert [draft.inputs for draft in tape.drafts] == [(), (0,), (1,), (2,)]
    assert [draft.shape for draft in tape.drafts] == [(5, 3, 6, 6), (5, 4, 4, 4), (5, 4, 4, 4), (5, 2)]
    assert [draft.stride for draft in tape.drafts][1:] == [(64, 16, 4, 1), (64, 16, 4, 1), (2, 1)]
    assert [draft.channels for draft in tape.drafts] == [None, (4, 16), (4, 16), (2, 1)]
    assert [draft.module for draft in tape.drafts] == ["", "here", "here", "here"]
    assert how(tape) == [(("kernel",), "weight", 1), (("bias",), "bias", 1), (("matrix",), "weight", 3)]
    last = tape.drafts[3].operands
    assert [(view.node, view.shape, view.stride) for view in last] == [(2, (5, 64), (64, 1))]
    assert isinstance(out, Tensor)
    assert tape.node_of(out) == 3
    assert tape.node_of(kernel) == -1


@pytest.mark.parametrize(
    "cut",
    [
        lambda y: y.chunk(2, -1)[1],
        lambda y: y.mT,
        lambda y: y[:, 1::2],
        lambda y: y.unflatten(-1, (2, 4)).permute(2, 0, 1),
        lambda y: y[2:, 3].unsqueeze(0).expand(4, -1),
        lambda y: y.flatten()[5:29],
    ],
)
def test_an_operand_is_a_window_onto_the_value_behind_it(cut: Callable[[Tensor], Tensor]) -> None:
    """Shape, stride and offset read the very elements that the operation was given."""
    kept: list[Tensor] = []
    matrix = weight(6, 8)

    def net(x: Tensor) -> Tensor:
        y = x @ matrix
        kept.append(y)
        return cut(y).exp()

    tape, out = taped(net, noise(5, 6), matrix=matrix)
    draft = tape.drafts[-1]
    assert (draft.op, draft.inputs) == ("aten.exp", (1,))
    (view,) = draft.operands
    read = kept[0].as_strided(view.shape, view.stride, view.offset).exp()
    torch.testing.assert_close(read, out, rtol=0, atol=0)


def test_views_are_no_operations() -> None:
    matrix = weight(6, 8)
    tape, _ = taped(
        lambda x: (x @ matrix).mT.unsqueeze(0).expand(3, 8, 5).squeeze(1), noise(5, 6), matrix=matrix
    )
    assert ops_of(tape) == ["input", "mm"]


def test_in_place_operations_are_as_others_and_what_reads_the_storage_reads_their_result() -> None:
    matrix = weight(6, 8)

    def net(x: Tensor) -> Tensor:
        y = x @ matrix
        view = y[:, :4]
        y.relu_()
        return view * 2

    tape, _ = taped(net, noise(5, 6), matrix=matrix)
    assert ops_of(tape) == ["input", "mm", "relu", "mul"]
    assert [draft.inputs for draft in tape.drafts] == [(), (0,), (1,), (2,)]
    assert [draft.category for draft in tape.drafts] == ["input", "weighted", "activation", "mul"]


def test_data_written_into_a_constant_makes_it_data() -> None:
    def net(x: Tensor) -> Tensor:
        canvas = torch.zeros(5, 12)
        canvas[:, :6] = x
        return canvas.exp()

    tape, _ = taped(net, noise(5, 6), w=weight(1))
    assert ops_of(tape) == ["input", "copy", "exp"]
    assert tape.drafts[-1].inputs == (1,)


def test_a_constant_written_into_data_leaves_it_data() -> None:
    matrix = weight(6, 8)

    def net(x: Tensor) -> Tensor:
        y = x @ matrix
        y[:, :2].bernoulli_(0.5)  # takes nothing of what it overwrites
        y[:, 2] = 0.0
        return y.exp()

    tape, _ = taped(net, noise(5, 6), matrix=matrix)
    assert ops_of(tape)[0] == "input"
    assert ops_of(tape)[-1] == "exp"
    assert tape.drafts[-1].inputs
    assert tape.drafts[-1].operands[0].shape == (5, 8)


@pytest.mark.parametrize(
    ("combine", "names", "direct", "standardized"),
    [
        (lambda a, b: a, ("a",), True, False),
        (lambda a, b: a[1:4], ("a",), True, False),
        (lambda a, b: a * 2, ("a",), False, False),
        (lambda a, b: a + b, ("a", "b"), False, False),
        (lambda a, b: torch.cat([a[:3], b[3:]]), ("a", "b"), False, False),
        (lambda a, b: a / a.norm(), ("a",), False, True),
        (lambda a, b: (a - a.mean()) / a.std(), ("a",), False, True),
        (lambda a, b: b * F.layer_norm(a, (8,)), ("b", "a"), False, True),
    ],
)
def test_parameters_are_followed_through_what_is_made_of_them(
    combine: Callable[[Tensor, Tensor], Tensor], names: tuple[str, ...], direct: bool, standardized: bool
) -> None:
    """A value that parameters alone are behind is a weight still; what was done to it on the way is known."""
    a, b = weight(6, 8), weight(6, 8, seed=2)

    def net(x: Tensor) -> Tensor:
        made = combine(a, b)
        return x[:, : made.shape[0]] @ made

    tape, _ = taped(net, noise(5, 6), a=a, b=b)
    (use,) = tape.uses
    assert (use.names, use.how, use.direct, use.standardized) == (names, "weight", direct, standardized)
    assert ops_of(tape) == ["input", "mm"]


def test_a_product_of_two_parameters_is_no_weight() -> None:
    """As in a parametrization: neither of them is what the data meets."""
    a, b = weight(6, 4), weight(4, 8)
    names = {"parametrizations.w.0": a, "parametrizations.w.1": b}
    tape, _ = taped(lambda x: x @ (a @ b), noise(5, 6), **names)
    assert how(tape) == [(tuple(names), "token", 1)]


def test_a_packed_weight_used_in_parts_tells_which_rows() -> None:
    packed = weight(12, 6)
    tape, _ = taped(lambda x: [F.linear(x, one) for one in packed.chunk(3)], noise(5, 6), packed=packed)
    assert [use.rows for use in tape.uses] == [(0, 4), (4, 8), (8, 12)]
    assert {use.names for use in tape.uses} == {("packed",)}
    assert all(use.direct for use in tape.uses)


def test_one_parameter_at_several_places() -> None:
    matrix = weight(6, 6)
    tape, _ = taped(lambda x: (x @ matrix).tanh() @ matrix.T, noise(5, 6), matrix=matrix)
    assert how(tape) == [(("matrix",), "weight", 1), (("matrix",), "weight", 3)]
    axes = [(use.layer.in_axis, use.layer.out_axis) for use in tape.uses if use.layer is not None]
    assert axes == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.zeros_like(x) + 1,
        lambda x: torch.arange(3.0).exp() * 2,
        lambda x: x.new_ones(4) + torch.randn(4),
        lambda x: x.shape[0] * torch.ones(3).cumsum(0),
    ],
)
def test_constants_are_no_operations_on_data(call: Callable[[Tensor], object]) -> None:
    tape, out = taped(call, noise(5, 6), w=weight(1))
    assert ops_of(tape) == ["input"]
    assert isinstance(out, Tensor)
    assert tape.node_of(out) == -1


def test_the_memory_of_freed_values_is_not_taken_for_them() -> None:
    """Storages of constants come where storages of data were: they must not inherit their nodes."""
    constants = []

    def net(x: Tensor) -> Tensor:
        for _ in range(200):
            y = x * 2
            del y
            constants.append(torch.empty(5, 6).fill_(1.0).exp().sum())
            gc.collect(0)
        return x * 3

    tape, _ = taped(net, noise(5, 6), w=weight(1))
    assert ops_of(tape) == ["input"] + ["mul"] * 201
    assert {tape.node_of(one) for one in constants} == {-1}


def test_a_token_that_a_product_takes_is_data() -> None:
    """Nothing of the input reaches it, and yet it is a signal that a weight acts on."""
    token, matrix = weight(1, 6), weight(6, 8)
    tape, _ = taped(lambda x: token @ matrix, noise(5, 6), token=token, matrix=matrix)
    assert ops_of(tape) == ["input", "mm"]
    assert how(tape) == [(("matrix",), "weight", 1), (("token",), "token", 1)]


def test_parameters_and_inputs_that_the_run_overwrites_come_back() -> None:
    matrix, x = weight(6, 8), noise(5, 6)
    values, given = matrix.detach().clone(), x.clone()

    def net(x: Tensor) -> Tensor:
        with torch.no_grad():
            matrix[2:].mul_(3.0)
            matrix.add_(1.0)
        x.mul_(0.5)
        x += 1
        return x @ matrix

    tape, out = taped(net, x, matrix=matrix)
    torch.testing.assert_close(out, (given * 0.5 + 1) @ (torch.cat([values[:2], values[2:] * 3]) + 1))
    assert set(tape.saved) == {"matrix"}
    tape.restore()
    assert torch.equal(matrix, values)
    assert torch.equal(x, given)
    (use,) = tape.uses  # still the parameter, though written to
    assert (use.names, use.how, use.direct, use.rows) == (("matrix",), "weight", True, ())
    assert use.layer is not None
    assert use.layer.shape == (6, 8)


def test_gradients_are_those_of_autograd() -> None:
    """At every value: the norm of the whole gradient, and a sample in the order of the value's."""
    first, second = weight(6, 8), weight(8, 3, seed=2)
    kept: dict[str, Tensor] = {}

    def net(x: Tensor) -> Tensor:
        kept["mm"] = y = x @ first
        kept["tanh"] = z = y.tanh()
        return z @ second

    x = noise(5, 6).requires_grad_()
    tape, out = taped(net, x, first=first, second=second)
    assert isinstance(out, Tensor)
    direction = noise(5, 3, seed=7)
    expected = dict(
        zip(
            ["mm", "tanh"],
            torch.autograd.grad((out * direction).sum(), list(kept.values()), retain_graph=True),
            strict=True,
        )
    )
    (out * direction).sum().backward()
    for draft in tape.drafts[1:3]:
        grad = expected[draft.op.removeprefix("aten.")]
        assert draft.grad_norm is not None
        assert draft.grad_sample is not None
        assert float(draft.grad_norm) == pytest.approx(float(grad.norm()), rel=1e-6)
        torch.testing.assert_close(draft.grad_sample, grad)
    assert float(tape.drafts[3].grad_norm or 0) == pytest.approx(float(direction.norm()))
    torch.testing.assert_close(tape.drafts[0].grad_sample, x.grad)


def test_gradients_pass_in_place_operations() -> None:
    matrix = weight(6, 8)
    inside = record(_Holder(lambda x: (x @ matrix).mul_(2.0).relu_(), matrix=matrix), noise(5, 6))
    apart = record(_Holder(lambda x: ((x @ matrix) * 2.0).relu(), matrix=matrix), noise(5, 6))
    assert [node.gradient for node in inside.nodes] == [node.gradient for node in apart.nodes]
    product, doubled = (node.gradient or 0.0 for node in inside.nodes[1:3])
    assert product == pytest.approx(2.0 * doubled, rel=1e-5)


def test_without_measuring_nothing_is_sampled_or_hooked() -> None:
    matrix = weight(6, 8)
    x = noise(5, 6).requires_grad_()
    tape, out = taped(lambda x: (x @ matrix).relu(), x, measure=False, matrix=matrix)
    assert isinstance(out, Tensor)
    out.sum().backward()
    assert [(one.sample, one.grad_sample, one.grad_norm, one.dead) for one in tape.drafts] == [
        (None,) * 4
    ] * 3
    assert ops_of(tape) == ["input", "mm", "relu"]
    assert not tape.curves.known


class _Holder(nn.Module):
    def __init__(self, call: Callable[[Tensor], Tensor], **parameters: nn.Parameter) -> None:
        super().__init__()
        self.call = call
        for name, parameter in parameters.items():
            self.register_parameter(name, parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_changes_nothing_of_what_is_seen(reentrant: bool) -> None:
    """The second forward, in the backward, is not taped; the values are those of the plain run, gradients too."""
    matrix, head = weight(6, 6), weight(6, 2, seed=3)

    def block(x: Tensor) -> Tensor:
        return (x @ matrix).tanh()

    def plain(x: Tensor) -> Tensor:
        return block(block(x)) @ head

    def saving(x: Tensor) -> Tensor:
        x = x * matrix.mean() if reentrant else x  # a reentrant one needs an input with a gradient
        for _ in range(2):
            x = checkpoint(block, x, use_reentrant=reentrant)
        return x @ head

    def reference(x: Tensor) -> Tensor:
        return plain(x * matrix.mean() if reentrant else x)

    x = noise(5, 6)
    one = record(_Holder(reference, matrix=matrix, head=head), x)
    other = record(_Holder(saving, matrix=matrix, head=head), x)
    assert [node.op for node in one.nodes] == [node.op for node in other.nodes]
    assert [node.inputs for node in one.nodes] == [node.inputs for node in other.nodes]
    assert [node.forward for node in one.nodes] == [node.forward for node in other.nodes]
    assert one.loss == other.loss
    grads = [[info.grad_second for info in seen.parameters] for seen in (one, other)]
    assert grads[0] == pytest.approx(grads[1], rel=1e-5)
    assert matrix.grad is None


def test_noise_by_hand_and_of_dropout_is_told() -> None:
    """A factor of mean m and second moment s, from what was drawn: 1 and 1 / (1 - p) for dropout."""

    def net(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mask = torch.rand(x.shape[0], 1) < 0.25
        return F.dropout(x * 1.0, 0.75), (x * 1.0) * mask, (x * 1.0) * torch.ones(400, 1)

    tape, _ = taped(net, noise(400, 60), w=weight(1))
    drawn = [draft.noise for draft in tape.drafts if draft.noise is not None]
    assert len(drawn) == 2
    error = 5 * (1.6 / 400 / 60) ** 0.5 * 4
    assert drawn[0].mean == pytest.approx(1.0, abs=error)
    assert drawn[0].second == pytest.approx(4.0, abs=4 * error)
    assert drawn[1].mean == pytest.approx(0.25, abs=5 * (0.1875 / 400) ** 0.5)
    assert drawn[1].second == pytest.approx(drawn[1].mean, abs=1e-6)  # a mask of zeros and ones


def test_the_values_of_a_run_are_those_that_were_computed() -> None:
    matrix = weight(6, 8)
    tape, out = taped(lambda x: (x @ matrix).relu(), noise(5, 6), matrix=matrix)
    assert isinstance(out, Tensor)
    sample = tape.drafts[-1].sample
    assert sample is not None
    torch.testing.assert_close(sample, out.detach())
    dead = (out == 0).all(0).float().mean()
    assert tape.drafts[-1].dead == pytest.approx(float(dead))


def test_inputs_that_share_storage_are_one() -> None:
    x = noise(5, 6)
    tape, _ = taped(lambda a, b, c: a + b + c, x, x[:, :1], noise(5, 6, seed=2), w=weight(1))
    assert ops_of(tape) == ["input", "input", "add", "add"]
    assert tape.drafts[2].inputs == (0, 0)
    assert tape.drafts[3].inputs == (2, 1)


def test_numbers_among_the_arguments_are_kept_and_flags_are_not() -> None:
    tape, _ = taped(lambda x: F.leaky_relu(x, 0.3).clamp(-1, 2).mean(1, True), noise(5, 6), w=weight(1))
    numbers: Mapping[str, tuple[float, ...]] = {one.op: one.scalars for one in tape.drafts}
    assert numbers["aten.leaky_relu"] == (0.3,)
    assert numbers["aten.clamp"] == (-1.0, 2.0)
    assert numbers["aten.mean"] == ()
    assert Draft("a", "add", "", (), (), (), torch.float32).scalars == ()


def test_a_batch_norm_in_evaluation_mode_counts_as_a_product() -> None:
    norm = nn.BatchNorm1d(6)
    for training, category in ((True, "norm"), (False, "mul")):
        norm.train(training)
        tape, _ = taped(norm, noise(5, 6), weight=norm.weight, bias=norm.bias)
        assert tape.drafts[-1].category == category
        assert [use.how for use in tape.uses] == ["gain", "shift"]
