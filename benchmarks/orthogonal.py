"""orthogonal_ side by side with torch.nn.init: square, four to one, and convolution shapes.

    python -m benchmarks.orthogonal --threads 1 2

Prints milliseconds (medians of wall time), how many times as fast as torch (median, and quartiles, of the
ratio within a round), and the largest error of Q'Q against the identity.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import init as torch_init

from initium import init

SHAPES = [(n, n) for n in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)]
SHAPES += [(256, 64), (64, 256), (1024, 256), (256, 1024), (4096, 1024), (1024, 4096)]
CONVOLUTIONS = [(64, 3, 7, 7), (64, 64, 3, 3), (256, 256, 3, 3), (512, 512, 3, 3)]


def error(weight: Tensor) -> float:
    """Largest entry of Q'Q - I, in fp64."""
    q = weight.flatten(1).double()
    q = q if q.shape[0] >= q.shape[1] else q.T
    return float((q.T @ q - torch.eye(q.shape[1])).abs().max())


def seconds(fill: Callable[[], object], repeat: int, clock: Callable[[], float]) -> float:
    """Time of one call, over `repeat` of them."""
    start = clock()
    for _ in range(repeat):
        fill()
    return (clock() - start) / repeat


def compare(shape: tuple[int, ...], rounds: int, clock: Callable[[], float]) -> float:
    """The error of ours; prints one line."""
    theirs, ours = torch.empty(shape), torch.empty(shape)
    fills = partial(torch_init.orthogonal_, theirs), partial(init.orthogonal_, ours)
    rows = shape[0]
    cols = theirs.numel() // rows
    work = min(rows, cols) * theirs.numel()
    repeat = max(1, min(200, 20_000_000 // work))
    rounds = max(3, min(rounds, 200_000_000_000 // work))
    taken = [[seconds(fill, repeat, clock) for fill in fills] for _ in range(rounds + 1)][1:]
    low, middle, high = statistics.quantiles([torchs / mine for torchs, mine in taken], n=4)
    torchs, mine = (statistics.median(column) * 1e3 for column in zip(*taken, strict=True))
    print(
        f"{shape!s:18s} torch {torchs:10.3f} ms  initium {mine:10.3f} ms "
        f"{middle:6.2f}x [{low:.2f}-{high:.2f}]  error {error(ours):.1e}",
        flush=True,
    )
    return error(ours)


def smoke() -> None:
    """Small shapes of each kind: orthogonal to rounding."""
    for shape in ((8, 8), (128, 128), (64, 16), (16, 64), (16, 3, 7, 7)):
        assert compare(shape, 3, time.perf_counter) < 1e-5, shape


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--largest", type=int, default=4096, help="skip matrices with a longer side")
    parser.add_argument(
        "--cpu-time", action="store_true", help="CPU time of this thread: fair on a busy machine"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    if options.smoke:
        smoke()
        return
    clock = time.thread_time if options.cpu_time else time.perf_counter
    for threads in options.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread(s)")
        for shape in (*SHAPES, *CONVOLUTIONS):
            if max(shape) <= options.largest:
                compare(shape, options.rounds, clock)


if __name__ == "__main__":
    main()
