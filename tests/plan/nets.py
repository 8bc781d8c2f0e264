"""Models that the tests of plans share, beside tests.nets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium.errors import InitiumError


def three_parts(error: InitiumError) -> bool:
    """Whether an error says what was seen, what was expected and what to do."""
    return all(isinstance(part, str) and part.strip() for part in (error.seen, error.expected, error.remedy))


def refused(run: Callable[[], object]) -> bool:
    """Whether `run` ends in an error of ours; it must have three parts."""
    try:
        run()
    except InitiumError as error:
        if not three_parts(error):
            raise
        return True
    return False


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and buffer."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Whether two states have the same names and bits."""
    return left.keys() == right.keys() and all(
        torch.equal(left[name].nan_to_num(7.0), right[name].nan_to_num(7.0)) for name in left
    )


def changed(before: dict[str, Tensor], model: nn.Module) -> set[str]:
    """Names of the parameters and buffers whose bits differ from `before`."""
    return {name for name, now in state_of(model).items() if not torch.equal(now, before[name])}


class TinyGPT(nn.Module):
    """Token and position tables, one pre-norm block, a head tied to the token table: GPT-2 in small."""

    def __init__(self, vocabulary: int = 17, dim: int = 16, length: int = 8) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, dim), nn.Embedding(length, dim)
        self.norm1, self.norm2, self.last = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc, self.out = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.head = nn.Linear(dim, vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        self.register_buffer("mask", torch.ones(length, length, dtype=torch.bool).tril(), persistent=False)
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        count = ids.shape[1]
        x = self.tokens(ids) + self.positions(torch.arange(count, device=ids.device))
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        scores = scores.masked_fill(~self.mask[:count, :count], float("-inf"))
        x = x + self.proj(scores.softmax(-1) @ v)
        x = x + self.out(F.gelu(self.fc(self.norm2(x))))
        return self.head(self.last(x))


def token_ids(batch: int = 8, length: int = 8, vocabulary: int = 17) -> Tensor:
    """Token numbers, the same in every run."""
    return torch.randint(vocabulary, (batch, length), generator=torch.Generator().manual_seed(3))


class Small(nn.Sequential):
    """Convolution, norm, ReLU, linear head: the smallest model with weights, norm gains, biases and buffers."""

    def __init__(self, width: int = 8) -> None:
        super().__init__(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4),
        )  # fmt: skip


def pictures(batch: int = 8, size: int = 8, channels: int = 3) -> Tensor:
    """Standard normal pictures, the same in every run."""
    return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(0))
