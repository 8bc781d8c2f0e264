"""Random fills side by side: torch.nn.init, initium.init, numpy, and jax and AnyInit where installed.

    python -m benchmarks.fill                         # all tables
    python -m benchmarks.fill --table large --threads 2 --kernel avx2

Contenders take turns within each round, so that all meet the same spells of a busy machine. The tables give
nanoseconds per element (medians of wall time, or of CPU time) and how many times as fast as torch.nn.init
(median, and quartiles, of the ratio within a round).
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import init as torch_init

from initium import init
from initium.random import kernel

Fill = Callable[[], object]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


clock = time.perf_counter


def measure(contenders: dict[str, Fill], rounds: int, repeat: int = 1) -> dict[str, list[float]]:
    """Seconds of each contender in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, fill in contenders.items():
            start = clock()
            for _ in range(repeat):
                fill()
            seconds[name].append((clock() - start) / repeat)
    return {name: taken[1:] for name, taken in seconds.items()}  # the first round warms up


def report(title: str, seconds: dict[str, list[float]], elements: int) -> None:
    """Prints one line: the first contender's time, then each other's and its speed relative to the first."""
    first, *others = seconds
    cells = [f"{first} {_nanoseconds(seconds[first], elements)}"]
    for name in others:
        ratios = [a / b for a, b in zip(seconds[first], seconds[name], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells.append(f"{name} {_nanoseconds(seconds[name], elements)} {middle:6.2f}x [{low:.2f}-{high:.2f}]")
    print(f"{title:34s} " + "  ".join(cells), flush=True)


def _nanoseconds(seconds: list[float], elements: int) -> str:
    return f"{statistics.median(seconds) / elements * 1e9:9.3f} ns"


def draws(tensor: Tensor) -> dict[str, tuple[Fill, Fill]]:
    """Each distribution by torch and by us."""
    pairs = {
        "uniform_": (),
        "normal_": (),
        "kaiming_uniform_": (),
        "trunc_normal_": (0.0, 0.02, -0.04, 0.04),
        "trunc_normal_ default": (0.0, 0.02),
    }
    if tensor.dim() < 2:
        del pairs["kaiming_uniform_"]
    return {
        name: tuple(_bound(module, name.split()[0], tensor, arguments) for module in (torch_init, init))
        for name, arguments in pairs.items()
    }


def _bound(module: object, name: str, tensor: Tensor, arguments: tuple[float, ...]) -> Fill:
    return partial(getattr(module, name), tensor, *arguments)


def strangers(name: str, elements: int, dtype: torch.dtype) -> dict[str, Fill]:
    """The same distribution by other libraries, where they have it."""
    found: dict[str, Fill] = {}
    if dtype == torch.float32 and name in ("uniform_", "normal_"):
        generator, out = np.random.default_rng(0), np.empty(elements, dtype=np.float32)
        method = generator.random if name == "uniform_" else generator.standard_normal
        found["numpy"] = lambda: method(dtype=np.float32, out=out)
    for library in ("jax", "anyinit"):
        fill = _optional(library, name, elements)
        if fill is not None and dtype == torch.float32:
            found[library] = fill
    return found


def _optional(library: str, name: str, elements: int) -> Fill | None:
    try:
        module = importlib.import_module(library)
        if library == "jax":
            draw = {"uniform_": module.random.uniform, "normal_": module.random.normal}[name]
            compiled = module.jit(draw, static_argnums=1)
            key = module.random.key(0)
            return lambda: compiled(key, (elements,)).block_until_ready()
        fill, tensor = getattr(module, name), torch.empty(elements)
    except (ImportError, KeyError, AttributeError):
        return None
    return lambda: fill(tensor)


def large(elements: int, rounds: int) -> None:
    """Tensors much larger than the caches."""
    for label, dtype in DTYPES.items():
        tensor = torch.empty(elements // 4096, 4096, dtype=dtype)
        report(f"fill_ {label}", measure({"torch": partial(tensor.fill_, 1.0)}, rounds), elements)
        for name, (theirs, ours) in draws(tensor).items():
            slow = name.startswith("trunc") and "default" not in name
            others = strangers(name, elements, dtype)
            seconds = measure(
                {"torch": theirs, "initium": ours, **others}, max(3, rounds // (3 if slow else 1))
            )
            report(f"{name} {label}", seconds, elements)


def latency(rounds: int) -> None:
    """Small tensors, Python wrapper included."""
    for elements in (64, 256, 1000, 4096, 16384, 65536, 262144, 1_000_000):
        repeat = max(1, 200_000 // elements)
        for name, (theirs, ours) in draws(torch.empty(elements // 8, 8)).items():
            seconds = measure({"torch": theirs, "initium": ours}, 2 * rounds, min(repeat, 1000))
            report(f"{name} {elements}", seconds, elements)


def structured(rounds: int) -> None:
    """dirac_ and sparse_."""
    for shape, groups in (((64, 64, 3, 3), 1), ((512, 512, 3, 3), 1), ((512, 1, 3, 3), 512)):
        _both(f"dirac_ {shape} groups={groups}", "dirac_", torch.empty(shape), groups, rounds)
    for rows, cols in ((256, 256), (1024, 1024), (4096, 1024)):
        for sparsity in (0.1, 0.5, 0.9):
            title = f"sparse_ {rows}x{cols} {sparsity}"
            _both(title, "sparse_", torch.empty(rows, cols), sparsity, max(3, rounds // 3))


def _both(title: str, name: str, tensor: Tensor, argument: float, rounds: int) -> None:
    theirs, ours = (_bound(module, name, tensor, (argument,)) for module in (torch_init, init))
    report(title, measure({"torch": theirs, "initium": ours}, rounds), tensor.numel())


def start() -> None:
    """What the first fill of this process costs."""
    begin = time.perf_counter()
    init.normal_(torch.empty(1000))
    print(
        f"first fill: {(time.perf_counter() - begin) * 1e3:.2f} ms (loading and checking the kernel included)"
    )


def smoke() -> None:
    """Small tensors, all tables: every pair of contenders fills by one law, and none leaves what was there."""
    for label, dtype in DTYPES.items():
        tensor = torch.empty(256, 128, dtype=dtype)
        for name, pair in draws(tensor).items():
            (mean, std), (other_mean, other_std) = (_law(fill, tensor) for fill in pair)
            # 32,768 draws each: 5 standard errors of the ratio of two normal deviations, and of a difference of means
            assert abs(std / other_std - 1) < 0.028, (label, name, std, other_std)
            assert abs(mean - other_mean) < 0.04 * std, (label, name, mean, other_mean)
    start()
    large(1 << 15, 3)
    for name, pair in draws(torch.empty(8, 8)).items():
        report(f"{name} 64", measure(dict(zip(("torch", "initium"), pair, strict=True)), 2), 64)
    _both("dirac_ (8, 8, 3, 3)", "dirac_", torch.empty(8, 8, 3, 3), 1, 2)
    _both("sparse_ 32x32 0.5", "sparse_", torch.empty(32, 32), 0.5, 2)


def _law(fill: Fill, tensor: Tensor) -> tuple[float, float]:
    """Mean and standard deviation after a fill; NaN where it left something."""
    tensor.fill_(torch.nan)
    fill()
    return float(tensor.float().mean()), float(tensor.float().std())


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", choices=("large", "latency", "structured", "all"), default="all")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--elements", type=int, default=1 << 24)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kernel", help="base, avx2, avx512 or torch; by default the widest that runs here")
    parser.add_argument(
        "--cpu-time", action="store_true", help="CPU time of all threads: fair on a busy machine"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    if options.smoke:
        smoke()
        return
    if options.cpu_time:
        global clock  # noqa: PLW0603
        clock = time.process_time
    start()
    found = kernel.kernel()
    print(f"torch {torch.__version__}, {os.cpu_count()} CPUs, kernels {found.variants if found else ()}")
    with kernel.forced(options.kernel or (found.variants[-1] if found else "torch")):
        for threads in options.threads:
            torch.set_num_threads(threads)
            print(f"\n{threads} thread(s), kernel {options.kernel or 'widest'}")
            if options.table in ("large", "all"):
                large(options.elements, options.rounds)
            if options.table in ("latency", "all") and threads == 1:
                latency(options.rounds)
            if options.table in ("structured", "all"):
                structured(options.rounds)


if __name__ == "__main__":
    main()
