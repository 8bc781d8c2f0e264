"""The cost of `diagnose`, as a ratio to a plain forward and backward of the same model on the same batch.

    python benchmarks/diagnose.py [--batch 8] [--rounds 5] [--threads 1] [--model resnet50 vit_base_patch16_224]

Interleaved: every round times the plain run and the diagnosis in turn, so that a slow spell of the machine meets both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from initium.diagnose import diagnose
from initium.record import record

MODELS = ("resnet50", "vit_base_patch16_224")


def plain(model: nn.Module, x: torch.Tensor) -> None:
    """One forward and backward, as a training step does them."""
    output = model(x)
    output.backward(torch.ones_like(output) / output.numel() ** 0.5)
    model.zero_grad(set_to_none=True)


def seconds(run: Callable[[], object]) -> float:
    """CPU time of one call, which other programs on the machine do not add to."""
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(name: str, batch: int, rounds: int, size: int = 224) -> dict[str, float]:
    """The median of each way's ratios to the plain run, printed with its seconds."""
    import timm

    model = timm.create_model(name, pretrained=False)
    x = torch.randn(batch, 3, size, size)
    plain(model, x)
    diagnose(model, x)
    runs = {
        "plain": lambda: plain(model, x),
        "record": lambda: record(model, x),
        "diagnose": lambda: diagnose(model, x),
    }
    times: dict[str, list[float]] = {kind: [] for kind in runs}
    for _ in range(rounds):
        for kind, run in runs.items():
            times[kind].append(seconds(run))
    found: dict[str, float] = {}
    for kind, values in times.items():
        ratios = [value / base for value, base in zip(values, times["plain"], strict=True)]
        found[kind] = statistics.median(ratios)
        print(f"{name:28} {kind:9} {statistics.median(values):7.2f} s   x{found[kind]:.3f}", flush=True)
    return found


def smoke() -> None:
    """One small model, a round: no way is free, and a diagnosis costs a few dozen runs at most."""
    found = compare("resnet10t", batch=2, rounds=1, size=64)
    assert list(found) == ["plain", "record", "diagnose"]
    assert found["plain"] == 1.0
    assert all(0.5 < ratio < 50 for ratio in found.values()), found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", nargs="*", default=MODELS)
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.smoke:
        smoke()
        return
    for name in options.model:
        compare(name, options.batch, options.rounds)


if __name__ == "__main__":
    main()
