"""Small networks with the structure that recipes look for, where no library's own is at hand."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn


class SmallUNet(nn.Module):
    """Two levels down, two up by transposed convolutions, skips by concatenation."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.down = nn.ModuleList([_double(3, width), _double(width, 2 * width)])
        self.middle = _double(2 * width, 4 * width)
        self.raise_ = nn.ModuleList(
            [nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), nn.ConvTranspose2d(2 * width, width, 2, 2)]
        )
        self.up = nn.ModuleList([_double(4 * width, 2 * width), _double(2 * width, width)])
        self.out = nn.Conv2d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for widen, block in zip(self.raise_, self.up, strict=True):
            x = block(torch.cat([widen(x), skips.pop()], 1))
        return self.out(x)


def _double(num_in: int, num_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(num_out, num_out, 3, padding=1),
        nn.ReLU(),
    )


class FixupBlock(nn.Module):
    """A branch of two convolutions with the scalar biases and the multiplier of Fixup."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.bias1a, self.bias1b, self.bias2a, self.bias2b = (nn.Parameter(torch.zeros(1)) for _ in range(4))
        self.conv1 = nn.Conv2d(num_in, num_out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, 1, 1, bias=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.skip = nn.Conv2d(num_in, num_out, 1, stride, bias=False) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.conv1(x + self.bias1a) + self.bias1b)
        out = self.conv2(out + self.bias2a) * self.scale + self.bias2b
        return F.relu(out + (x if self.skip is None else self.skip(x + self.bias1a)))


class FixupNet(nn.Module):
    """A residual net without norms."""

    def __init__(self, width: int = 16, blocks: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bias1 = nn.Parameter(torch.zeros(1))
        plan = [(width << s, width << s, 1) for s in range(3) for _ in range(blocks - (s > 0))]
        turns = [(width, 2 * width, 2), (2 * width, 4 * width, 2)]
        order = plan[:blocks] + turns[:1] + plan[blocks : 2 * blocks - 1] + turns[1:] + plan[2 * blocks - 1 :]
        self.blocks = nn.ModuleList([FixupBlock(*one) for one in order])
        self.bias2 = nn.Parameter(torch.zeros(1))
        self.fc = nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x) + self.bias1)
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean((2, 3)) + self.bias2)


class CenterHeads(nn.Module):
    """Three heads of CenterNet on a small trunk; the heat map is scored by a sigmoid."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(3, width, 7, 4, 3)
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Conv2d(width, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, size, 1))
                for name, size in (("hm", 80), ("wh", 2), ("reg", 2))
            }
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.trunk(x))
        out = {name: head(x) for name, head in self.heads.items()}
        return {**out, "hm": out["hm"].sigmoid()}


class YoloHeads(nn.Module):
    """Decoupled class and box heads at strides 8, 16 and 32."""

    def __init__(self, num_classes: int = 80, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 8, 8)
        self.down = nn.ModuleList([nn.Conv2d(width, width, 3, 2, 1) for _ in range(2)])
        self.boxes = nn.ModuleList([self._head(width, 64) for _ in range(3)])
        self.classes = nn.ModuleList([self._head(width, num_classes) for _ in range(3)])

    @staticmethod
    def _head(width: int, size: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Conv2d(width, size, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = [F.silu(self.stem(x))]
        for down in self.down:
            maps.append(F.silu(down(maps[-1])))
        boxes = torch.cat([head(one).flatten(2) for head, one in zip(self.boxes, maps, strict=True)], 2)
        classes = torch.cat([head(one).flatten(2) for head, one in zip(self.classes, maps, strict=True)], 2)
        spread = boxes.unflatten(1, (4, 16)).softmax(2)
        return (spread * torch.arange(16.0)[:, None]).sum(2), classes.sigmoid()


class Attention(nn.Module):
    """Self-attention with a packed or with separate projections."""

    def __init__(self, width: int, heads: int, *, packed: bool = True, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        sizes = [3 * width] if packed else [width] * 3
        self.inner = nn.ModuleList([nn.Linear(width, size, bias=bias) for size in sizes])
        self.out = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.inner[0](x).chunk(3, -1) if len(self.inner) == 1 else [one(x) for one in self.inner]
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Unnormed(nn.Module):
    """A transformer encoder without norms, for T-Fixup."""

    def __init__(self, width: int = 64, layers: int = 3, *, packed: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(200, width)
        self.attention = nn.ModuleList([Attention(width, 4, packed=packed) for _ in range(layers)])
        self.fc1 = nn.ModuleList([nn.Linear(width, 4 * width) for _ in range(layers)])
        self.fc2 = nn.ModuleList([nn.Linear(4 * width, width) for _ in range(layers)])

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        for attention, fc1, fc2 in zip(self.attention, self.fc1, self.fc2, strict=True):
            x = x + attention(x)
            x = x + fc2(F.relu(fc1(x)))
        return x


class PostNorm(nn.Module):
    """A transformer with norms after the sums, skips multiplied by alpha, for DeepNorm."""

    def __init__(self, width: int = 64, layers: int = 3, *, packed: bool = False) -> None:
        super().__init__()
        self.alpha = (2 * layers) ** 0.25
        self.attention = nn.ModuleList([Attention(width, 4, packed=packed) for _ in range(layers)])
        self.fc1 = nn.ModuleList([nn.Linear(width, 4 * width) for _ in range(layers)])
        self.fc2 = nn.ModuleList([nn.Linear(4 * width, width) for _ in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * layers)])

    def forward(self, x: Tensor) -> Tensor:
        for i, attention in enumerate(self.attention):
            x = self.norms[2 * i](x * self.alpha + attention(x))
            x = self.norms[2 * i + 1](x * self.alpha + self.fc2[i](F.relu(self.fc1[i](x))))
        return x


class Gated(nn.Module):
    """A pre-norm decoder with SwiGLU and an untied head, as OLMo's."""

    def __init__(self, width: int = 64, layers: int = 3, vocabulary: int = 300) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, width)
        self.norms = nn.ModuleList([nn.RMSNorm(width) for _ in range(2 * layers + 1)])
        self.attention = nn.ModuleList([Attention(width, 4, bias=False) for _ in range(layers)])
        self.gate = nn.ModuleList([nn.Linear(width, 3 * width, bias=False) for _ in range(layers)])
        self.rise = nn.ModuleList([nn.Linear(width, 3 * width, bias=False) for _ in range(layers)])
        self.fall = nn.ModuleList([nn.Linear(3 * width, width, bias=False) for _ in range(layers)])
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        for i, attention in enumerate(self.attention):
            x = x + attention(self.norms[2 * i](x))
            y = self.norms[2 * i + 1](x)
            x = x + self.fall[i](F.silu(self.gate[i](y)) * self.rise[i](y))
        return self.head(self.norms[-1](x))


class SmallDetr(nn.Module):
    """torch.nn.Transformer with queries, a class head and a box head, as DETR's code."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, width, 8, 8)
        self.queries = nn.Embedding(10, width)
        self.transformer = nn.Transformer(width, 4, 6, 2, 128, 0.0, batch_first=True)
        self.classes = nn.Linear(width, 92)
        self.boxes = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.projection(x).flatten(2).mT
        out = self.transformer(x, self.queries(torch.arange(10)).expand(len(x), -1, -1))
        return self.classes(out), self.boxes(out).sigmoid()


def detector(name: str) -> tuple[nn.Module, Any]:
    """A detector of torchvision in training mode, every layer trainable, on two small images with labels."""
    model = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=7)
    model.transform.min_size, model.transform.max_size = (96,), 128
    boxes = torch.tensor([[10.0, 10, 60, 60], [40, 40, 90, 90]])
    target = {
        "boxes": boxes,
        "labels": torch.tensor([1, 3]),
        "masks": torch.ones(2, 96, 96, dtype=torch.uint8),
    }
    return model.train(), ([torch.rand(3, 96, 96) for _ in range(2)], [target, target])
