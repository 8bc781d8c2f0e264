"""What the quickstart trains: a plain deep network, twice, from two starts and the same data order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from initium.data import fashion_mnist
from initium.random import Uniform, fill_, key_for

DEPTH, WIDTH, BATCH = 20, 16, 128
LEARNING_RATE, MOMENTUM, CLIP = 0.05, 0.9, 1.0
TAIL = 20
"""Steps over which the final training loss is averaged."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training.

    Args:
        name: of the start.
        losses: training loss at each step.
        accuracy: share of the test images that are named rightly at the end.
        seconds: how long it took.
    """

    name: str
    losses: tuple[float, ...]
    accuracy: float
    seconds: float

    @property
    def final(self) -> float:
        """Mean training loss over the last steps."""
        tail = self.losses[-TAIL:]
        return sum(tail) / len(tail)


def make_net(seed: int = 0) -> nn.Sequential:
    """Twenty weighted layers and ReLUs, no norm, no skip, with torch's own random weights."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # noqa: TID251 - forked; torch's layers know no other generator
        for i in range(DEPTH - 1):
            stride = 2 if i == 1 else 1
            layers += [nn.Conv2d(WIDTH if i else 1, WIDTH, 3, stride=stride, padding=1), nn.ReLU()]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(WIDTH * 7 * 7, 10))


def data_order(count: int, steps: int, seed: int) -> list[Tensor]:
    """Indices of each step's batch: passes over all `count` images, each pass in another order."""
    passes = -(-steps * BATCH // count)
    keys = [key_for(seed, f"quickstart.order{i}") for i in range(passes)]
    order = torch.cat([fill_(torch.empty(count), Uniform(0.0, 1.0), key).argsort() for key in keys])
    return [order[i * BATCH : (i + 1) * BATCH] for i in range(steps)]


def train(
    net: nn.Module, name: str, order: list[Tensor], *, on_step: Callable[[int, float], None] | None = None
) -> Run:
    """Trains `net` in place on the embedded clothes: momentum, and gradients clipped to norm 1.

    Args:
        net: the network.
        name: of its start.
        order: a batch of indices for each step.
        on_step: told the number of steps done and the loss.
    """
    images, labels = fashion_mnist("train", size=14)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    losses, began = [], time.perf_counter()
    with _small_and_steady():
        for step, batch in enumerate(order):
            loss = cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
            losses.append(loss.item())
            if on_step is not None:
                on_step(step + 1, losses[-1])
    return Run(name, tuple(losses), accuracy(net), time.perf_counter() - began)


@contextmanager
def _small_and_steady() -> Iterator[None]:
    """One thread, as the layers are too small to share; and no subnormal numbers, which a dead net is full of.

    A processor takes a hundred times longer over subnormal numbers than over others.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def accuracy(net: nn.Module) -> float:
    """Share of the test images that `net` names rightly."""
    images, labels = fashion_mnist("test", size=14)
    with torch.no_grad():
        return float((net(images).argmax(1) == labels).float().mean())


def first_batch(order: list[Tensor]) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The images of the first step, and their loss as a function of the output."""
    images, labels = fashion_mnist("train", size=14)
    truth = labels[order[0]]
    return images[order[0]], lambda output: cross_entropy(output, truth)
