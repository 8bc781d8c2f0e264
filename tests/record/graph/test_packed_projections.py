"""Which rows of a packed weight make queries, which keys, which values: against the numbers of the rows themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F

from initium.record import Record, record
from initium.record.graph.packed_projections import blocks_of, columns_of


class Projected(nn.Module):
    """A function of a projection's output; the projection's bias numbers its units."""

    def __init__(self, call: Callable[[Tensor], Tensor], num_out: int, num_in: int = 6) -> None:
        super().__init__()
        self.lin, self.call = nn.Linear(num_in, num_out), call
        with torch.no_grad():
            self.lin.weight.zero_()
            self.lin.bias.copy_(torch.arange(float(num_out)))

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.lin(x))


WINDOWS: dict[str, Callable[[Tensor], Tensor]] = {
    "all of it": lambda y: y,
    "a half": lambda y: y.chunk(2, -1)[1],
    "a third": lambda y: y[..., 4:8],
    "heads": lambda y: y.unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)[1],
    "heads of values": lambda y: y.unflatten(-1, (3, 4)).unbind(2)[2],
    "transposed": lambda y: y.mT[:, 8:],
    "copied on the way": lambda y: y[..., 2:7].contiguous().mT.contiguous(),
    "rolled over positions": lambda y: y.roll(1, 1)[..., 3:5],
    "scaled": lambda y: (y[..., :6] * 2.0).mT,
}


@pytest.mark.parametrize("name", WINDOWS)
def test_columns_are_those_whose_numbers_arrive(name: str) -> None:
    """With zero weights and biases 0, 1, 2, ... every value is the number of the unit that made it.

    torch lays the tokens of all samples in one axis, so that units lie along axis 1.
    """
    model = Projected(lambda y: WINDOWS[name](y).exp(), 12)
    x = noise(3, 5, 6)
    seen = record(model, x)
    y = WINDOWS[name](model.lin(x)) / (2.0 if name == "scaled" else 1.0)
    (view,) = seen.nodes[-1].operands
    assert seen.nodes[-1].op == "aten.exp"
    assert columns_of(seen.graph, view, 1, 1) == (int(y.min()), int(y.max()) + 1)


def test_columns_that_cannot_be_followed_are_not_guessed() -> None:
    model = Projected(lambda y: (y[..., :4].sum(1, keepdim=True) * 1.0).exp(), 12)
    seen = record(model, noise(3, 5, 6))
    (view,) = seen.nodes[-1].operands
    assert columns_of(seen.graph, view, 1, 1) is None


def found(call: Callable[[Tensor], Tensor], num_out: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    seen = record(Projected(call, num_out), noise(3, 5, 6))
    return _blocks(seen, "lin.weight")


def _blocks(seen: Record, name: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    uses = [use for use in seen.sites if name in use.names]
    return blocks_of(seen.graph, uses, seen.parameter(name).shape)


def heads(y: Tensor, size: int) -> Tensor:
    return y.unflatten(-1, (-1, size)).transpose(1, 2)


def by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT / 2.0).softmax(-1) @ v


@pytest.mark.parametrize("attention", [F.scaled_dot_product_attention, by_hand])
@pytest.mark.parametrize(
    ("sizes", "order"), [((8, 8, 8), "qkv"), ((8, 8, 8), "kqv"), ((8, 8, 4), "qkv"), ((8, 8, 12), "vkq")]
)
def test_blocks_are_as_wide_as_what_attention_reads(
    attention: Callable[..., Tensor], sizes: tuple[int, ...], order: str
) -> None:
    if order == "vkq":
        sizes = sizes[::-1]

    def call(y: Tensor) -> Tensor:
        parts = dict(zip(order, y.split(sizes, -1), strict=True))
        return attention(parts["q"], parts["k"], parts["v"])

    words = {"q": "query", "k": "key", "v": "value"}
    assert found(call, sum(sizes)) == (sizes, tuple(words[one] for one in order))


def test_grouped_queries_have_blocks_of_their_own_width() -> None:
    def call(y: Tensor) -> Tensor:
        q, k, v = y.split([16, 8, 8], -1)
        k, v = (heads(one, 4).repeat_interleave(2, 1) for one in (k, v))
        return F.scaled_dot_product_attention(heads(q, 4), k, v)

    sizes, words = found(call, 32)
    assert "query" in words
    assert sizes in ((16, 8, 8), ())


def test_heads_that_interleave_queries_keys_and_values_have_no_blocks() -> None:
    """As in GPT-NeoX: every head's rows are its own q, k and v."""

    def call(y: Tensor) -> Tensor:
        q, k, v = y.unflatten(-1, (2, 3, 4)).permute(3, 0, 2, 1, 4)
        return F.scaled_dot_product_attention(q, k, v)

    sizes, words = found(call, 24)
    assert sizes == ()
    assert len(words) > 1


def test_keys_and_values_alone() -> None:
    class Cross(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.kv = nn.Linear(6, 8), nn.Linear(6, 16)

        def forward(self, x: Tensor) -> Tensor:
            k, v = self.kv(x).chunk(2, -1)
            return F.scaled_dot_product_attention(self.q(x), k, v)

    seen = record(Cross(), noise(3, 5, 6))
    assert _blocks(seen, "kv.weight") == ((8, 8), ("key", "value"))
    assert _blocks(seen, "q.weight") == ((), ("query",))


def test_a_packed_parameter_of_three_products() -> None:
    """As in torch's own attention: rows of one parameter, each in a product of its own."""

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.packed = nn.Parameter(noise(24, 6))

        def forward(self, x: Tensor) -> Tensor:
            return by_hand(*(F.linear(x, one) for one in self.packed.split([8, 8, 8])))

    assert _blocks(record(Rows(), noise(3, 5, 6)), "packed") == ((8, 8, 8), ("query", "key", "value"))


def test_norms_and_rotations_of_queries_and_keys_are_looked_through() -> None:
    def turned(y: Tensor) -> Tensor:
        cos, sin = torch.ones(5, 4), torch.full((5, 4), 0.5)
        return y * cos + y.roll(2, -1) * sin

    def call(y: Tensor) -> Tensor:
        q, k, v = (heads(one, 4) for one in y.chunk(3, -1))
        return F.scaled_dot_product_attention(turned(F.layer_norm(q, (4,))), turned(k * 2), v)

    assert found(call, 24) == ((8, 8, 8), ("query", "key", "value"))


@pytest.mark.parametrize(
    "call", [lambda y: y.relu(), lambda y: y.softmax(-1), lambda y: y[..., :8] @ y[..., 8:16].mT]
)
def test_what_feeds_no_attention_has_no_blocks(call: Callable[[Tensor], Tensor]) -> None:
    assert found(call, 24) == ((), ())


def test_a_projection_of_which_a_part_goes_elsewhere_has_no_blocks() -> None:
    def call(y: Tensor) -> Tensor:
        q, k, v, gate = y.chunk(4, -1)
        return F.scaled_dot_product_attention(q, k, v) * gate.sigmoid()

    sizes, words = found(call, 32)
    assert sizes == ()
    assert words == ("query", "key", "value")
