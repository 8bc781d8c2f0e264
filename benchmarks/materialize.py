"""Whole models from meta: `plan.materialize` against the model's own constructor, and against storage set to zero.

    python benchmarks/materialize.py [--model vit_large llama] [--rounds 3] [--threads 2]

Interleaved: every round times each way in turn. Two tables of medians: wall time, and CPU time of all threads, which a
busy machine disturbs less. "zero" is meta + to_empty + zero_: what no initializer can go below. The constructor's own
types: fp32, bfloat16 as an option of the constructor, and fp32 cast to bfloat16.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import nn

from initium import Plan, plan

HALF = torch.bfloat16


Make = Callable[[torch.dtype], nn.Module]


def vit_large(dtype: torch.dtype) -> nn.Module:
    """ViT-L/16 by timm."""
    import timm

    return timm.create_model("vit_large_patch16_224", dtype=dtype)


def llama(dtype: torch.dtype) -> nn.Module:
    """A Llama-like model of 1.24e9 parameters by transformers (the shape of Llama 3.2 1B)."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=128_256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
        num_attention_heads=32, num_key_value_heads=8, tie_word_embeddings=True,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config, dtype=dtype)


MODELS: dict[str, tuple[Callable[[torch.dtype], nn.Module], Callable[[], torch.Tensor]]] = {
    "vit_large": (vit_large, lambda: torch.empty(1, 3, 224, 224, device="meta")),
    "llama": (llama, lambda: torch.zeros(1, 8, dtype=torch.long, device="meta")),
}


def on_meta(make: Callable[[torch.dtype], nn.Module], dtype: torch.dtype) -> nn.Module:
    """The model without storage."""
    with torch.device("meta"):
        return make(dtype)


def zeroed(make: Callable[[torch.dtype], nn.Module], dtype: torch.dtype) -> nn.Module:
    """The model with storage, all zero."""
    model = on_meta(make, dtype).to_empty(device="cpu")
    with torch.no_grad():
        for value in model.parameters():
            value.zero_()
    return model


def ways(make: Callable[[torch.dtype], nn.Module], made: Plan) -> dict[str, Callable[[], object]]:
    """What is timed."""
    return {
        "construct f32": lambda: make(torch.float32),
        "construct bf16": lambda: make(HALF),
        "construct f32, to bf16": lambda: make(torch.float32).to(HALF),
        "materialize f32": lambda: made.materialize(on_meta(make, torch.float32)),
        "materialize bf16": lambda: made.materialize(on_meta(make, HALF)),
        "zero f32": lambda: zeroed(make, torch.float32),
        "zero bf16": lambda: zeroed(make, HALF),
    }


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of one call; what it made is given back before the next."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    made = run()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    del made
    return spent


RATIOS = (
    ("construct f32", "materialize f32"),
    ("construct bf16", "materialize bf16"),
    ("construct f32, to bf16", "materialize bf16"),
    ("construct f32", "materialize bf16"),
    ("materialize f32", "zero f32"),
    ("materialize bf16", "zero bf16"),
)


def compare(name: str, make: Make, inputs: Callable[[], torch.Tensor], rounds: int) -> Plan:
    """Print the medians of one model, and the ratios; the plan that it was filled by."""
    made = plan(on_meta(make, torch.float32), inputs(), policy="normal")
    runs = ways(make, made)
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in runs}
    for _ in range(rounds):
        for way, run in runs.items():
            times[way].append(timed(run))
    middle = {
        way: tuple(statistics.median(column) for column in zip(*rows, strict=True))
        for way, rows in times.items()
    }
    for way, (wall, cpu) in middle.items():
        print(f"{name:10} {way:24} wall {wall:7.2f} s   cpu {cpu:7.2f} s")
    for slow, fast in RATIOS:
        wall, cpu = (middle[slow][i] / middle[fast][i] for i in (0, 1))
        print(f"{name:10} {slow + ' / ' + fast:46} wall x{wall:5.2f}   cpu x{cpu:5.2f}", flush=True)
    return made


def small_vit(dtype: torch.dtype) -> nn.Module:
    """The same family as ViT-L, narrow."""
    import timm

    return timm.create_model("vit_tiny_patch16_224", depth=2, embed_dim=48, dtype=dtype)


def small_llama(dtype: torch.dtype) -> nn.Module:
    """The same depth as the large one, narrow: predictions are made through all its layers."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=16,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config, dtype=dtype)


def smoke() -> None:
    """Narrow models: planned on meta, filled to the last element, the same bits each time, the law as planned."""
    for name, make in (("vit_large", small_vit), ("llama", small_llama)):
        made = compare(name, make, MODELS[name][1], rounds=1)
        assert made.predicted
        first, again = (made.materialize(on_meta(make, torch.float32)) for _ in range(2))
        for (key, one), other in zip(first.named_parameters(), again.parameters(), strict=True):
            assert torch.equal(one, other), key
            assert bool(one.isfinite().all()), key
        drawn = {one.name for one in made if one.method == "normal"}
        weights = [p for key, p in first.named_parameters() if key in drawn and p.numel() > 2000]
        assert weights
        assert all(abs(float(p.std()) - 1) < 0.08 for p in weights)  # 2,000 normals: 5 standard errors
        half = made.materialize(on_meta(make, HALF))
        assert all(
            torch.equal(a.to(HALF), b) for a, b in zip(first.parameters(), half.parameters(), strict=True)
        )


def main() -> None:
    """Parse the options and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    if options.smoke:
        smoke()
        return
    for name in options.model:
        compare(name, *MODELS[name], options.rounds)


if __name__ == "__main__":
    main()
