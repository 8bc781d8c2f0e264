"""LSUV of ResNet-50: forwards, time against the published loop, and the standard deviation of every layer.

    python -m benchmarks.lsuv [--size 128] [--batch 8] [--repeats 3]

Against the `lsuv` package of its authors where that is installed, else against the loop written out below.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

import initium

KINDS = (nn.Linear, nn.modules.conv._ConvNd)


def weighted(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that LSUV is for, in the order in which modules are registered."""
    return {name: module for name, module in model.named_modules() if isinstance(module, KINDS)}


@torch.no_grad()
def published(model: nn.Module, x: Tensor, *, tolerance: float = 0.1, tries: int = 10) -> None:
    """Algorithm 1 of Mishkin and Matas (2015): layer by layer, a forward to look and one for each correction."""
    layers = weighted(model)
    for module in layers.values():
        nn.init.orthogonal_(module.weight)
        if module.bias is not None:
            module.bias.zero_()
    for module in layers.values():
        for _ in range(tries):
            std = deviation(model, x, module)
            if abs(std - 1) < tolerance:
                break
            module.weight /= std
            if abs(deviation(model, x, module) - 1) < tolerance:
                break


def deviation(model: nn.Module, x: Tensor, module: nn.Module) -> float:
    """Standard deviation of one layer's output, at the price of a forward."""
    return deviations(model, x, {"": module})[""]


@torch.no_grad()
def deviations(model: nn.Module, x: Tensor, layers: dict[str, nn.Module]) -> dict[str, float]:
    """Standard deviation of every layer's output in one plain forward."""
    found: dict[str, float] = {}

    def hook(name: str) -> Callable[..., None]:
        return lambda _module, _args, out: found.update({name: float(out.std(correction=0))})

    hooks = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
    model(x)
    for handle in hooks:
        handle.remove()
    return found


@contextmanager
def counted(model: nn.Module) -> Iterator[list[int]]:
    """The calls of the model while the body runs."""
    calls: list[int] = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    try:
        yield calls
    finally:
        handle.remove()


def ours(model: nn.Module, x: Tensor) -> None:
    initium.init_(model, x, policy="lsuv")


def theirs() -> tuple[str, Callable[[nn.Module, Tensor], object]]:
    """The authors' package, or the loop above."""
    try:
        from lsuv import lsuv_with_singlebatch
    except ImportError:
        return "the published loop (the package lsuv is not installed)", published
    return "the package lsuv", lambda model, x: lsuv_with_singlebatch(model, x, verbose=False)


def resnet() -> nn.Module:
    """ResNet-50 in evaluation mode, as the authors' code runs it: its norms do nothing yet, so scales are felt."""
    from torchvision.models import resnet50

    return resnet50(weights=None).eval()


def measure(
    make: Callable[[], nn.Module], run: Callable[[nn.Module, Tensor], object], x: Tensor
) -> tuple[float, int, dict[str, float]]:
    """(CPU seconds, forwards, standard deviation of every layer afterwards)."""
    model = make()
    with counted(model) as calls:
        start = time.process_time()
        run(model, x)
        seconds = time.process_time() - start
    return seconds, len(calls), deviations(model, x, weighted(model))


def furthest(stds: dict[str, float], from_: dict[str, float]) -> tuple[str, float]:
    """The layer whose variance is furthest from another's, and by what share."""
    apart = {name: abs(stds[name] ** 2 / from_[name] ** 2 - 1) for name in stds}
    name = max(apart, key=lambda key: apart[key])
    return name, apart[name]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    given = parser.parse_args()
    if given.smoke:
        smoke()
        return
    x = torch.randn(given.batch, 3, given.size, given.size, generator=torch.Generator().manual_seed(0))
    print(f"ResNet-50, batch {given.batch} of 3x{given.size}x{given.size}")
    compare(resnet, x, given.repeats)


def compare(make: Callable[[], nn.Module], x: Tensor, repeats: int) -> tuple[dict[str, int], float]:
    """(Forwards of each way, the largest share by which a variance of ours is off), printed with the times."""
    name, other = theirs()
    runs: dict[str, list[tuple[float, int, dict[str, float]]]] = {"initium": [], name: []}
    for _ in range(repeats):
        runs["initium"].append(measure(make, ours, x))
        runs[name].append(measure(make, other, x))
    median = {key: statistics.median(seconds for seconds, _, _ in found) for key, found in runs.items()}
    target = dict.fromkeys(runs["initium"][0][2], 1.0)
    print(f"{len(target)} layers")
    for key, found in runs.items():
        layer, apart = furthest(found[-1][2], target)
        print(
            f"{key}: {found[-1][1]} forwards, {median[key]:.2f} s; variance off by {apart:.2%} at most ({layer})"
        )
    exact = measure(make, lambda model, batch: published(model, batch, tolerance=0.01), x)[2]
    layer, apart = furthest(runs["initium"][-1][2], exact)
    print(f"variance against the loop at tolerance 0.01: off by {apart:.2%} at most ({layer})")
    print(f"time ratio: {median[name] / median['initium']:.1f}")
    return {key: found[-1][1] for key, found in runs.items()}, furthest(runs["initium"][-1][2], target)[1]


def smoke() -> None:
    """A plain net of four layers: ours reaches unit variances in fewer forwards than the loop has layers."""
    torch.manual_seed(0)
    layers = [layer for width in (3, 8, 8, 8) for layer in (nn.Conv2d(width, 8, 3, padding=1), nn.ReLU())]
    x = torch.randn(16, 3, 8, 8)
    forwards, apart = compare(lambda: nn.Sequential(*copy.deepcopy(layers)), x, 1)
    mine, others = forwards.values()
    assert mine <= 3 < 4 <= others, forwards
    assert apart < 0.1


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
