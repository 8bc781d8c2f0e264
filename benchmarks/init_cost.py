"""The cost of `init_` in forwards of the model, a backward counted as two: the promise is at most 8.

    python benchmarks/init_cost.py [--batch 8] [--rounds 5] [--threads 1] [--model resnet50 vit_base cnn20]

Interleaved: every round times a forward, a forward with backward, and `init_`. One forward is a quarter of the first
two together (1 + 3 forwards by the promise's count); printed is the median ratio over rounds, by wall and by CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from initium import diagnose, init_


def cnn20(width: int = 64) -> nn.Module:
    """Twenty convolutions without norm: torch's own start is dead, so candidates are really tried."""
    layers: list[nn.Module] = []
    for i in range(20):
        layers += [nn.Conv2d(width if i else 3, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def by_timm(name: str) -> Callable[[], nn.Module]:
    """A constructor of timm."""

    def make() -> nn.Module:
        import timm

        return timm.create_model(name)

    return make


MODELS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet50": (by_timm("resnet50"), 224),
    "vit_base": (by_timm("vit_base_patch16_224"), 224),
    "cnn20": (cnn20, 64),
}


def step(model: nn.Module, x: Tensor) -> None:
    """One forward and one backward."""
    out = model(x)
    out.backward(torch.ones_like(out) / out.numel() ** 0.5)
    model.zero_grad(set_to_none=True)


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(name: str, make: Callable[[], nn.Module], size: int, batch: int, rounds: int) -> float:
    """One model's cost in forwards, printed."""
    x = torch.randn(batch, 3, size, size)
    init_(make(), x)  # imports and first touches
    ratios: list[tuple[float, float]] = []
    for _ in range(rounds):
        model = make()
        once = timed(lambda model=model: model(x))
        both = timed(lambda model=model: step(model, x))
        spent = timed(lambda model=model: init_(model, x))
        ratios.append(tuple(4 * spent[i] / (once[i] + both[i]) for i in (0, 1)))  # type: ignore[arg-type]
    wall, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
    verdict = "ok" if min(wall, cpu) <= 8 else "TOO SLOW"
    print(
        f"{name:10} batch {batch:3}   init_ = {wall:5.2f} forwards by wall time, {cpu:5.2f} by CPU time   {verdict}",
        flush=True,
    )
    return min(wall, cpu)


def smoke() -> None:
    """A narrow net, two rounds: it costs at least a forward and a backward, runs the net 5 times at most, and is sound.

    The upper bound is of runs and not of seconds: on a net as small as this one most of the time is Python's.
    """
    assert compare("cnn20", lambda: cnn20(8), 12, batch=8, rounds=2) >= 3
    model, x = cnn20(8), torch.randn(8, 3, 12, 12)
    runs: list[object] = []
    counting = model.register_forward_pre_hook(lambda *_: runs.append(None))
    init_(model, x)
    counting.remove()
    assert 2 <= len(runs) <= 5, len(runs)
    assert diagnose(model, x).verdict != "unhealthy"
    assert diagnose(cnn20(8), x).verdict == "unhealthy"


def main() -> None:
    """Parse the options and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.smoke:
        smoke()
        return
    for name in options.model:
        compare(name, *MODELS[name], options.batch, options.rounds)


if __name__ == "__main__":
    main()
