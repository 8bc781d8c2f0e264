"""What one zoo member shows: whether each step runs, what it costs, and whether the start is left no worse."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .entry import Entry
from .losses import projected
from .strip import strip_norms

Row = dict[str, Any]
STEPS = ("record", "diagnose", "plan", "apply", "init_")


def measure(entry: Entry, *, strip: bool = False, steps: tuple[str, ...] = STEPS) -> Row:
    """All steps on one model; a step that raises is noted and the others go on."""
    torch.set_num_threads(1)
    model = _build(entry, strip)
    inputs = entry.inputs()
    row: Row = {"name": entry.name, "family": entry.family, "strip": strip, "steps": {}}
    row["parameters"] = sum(p.numel() for p in model.parameters())
    row["plain"], used = _plain(entry, model, inputs)
    before = _state(model)
    for step in steps:
        start = time.perf_counter()
        try:
            result = RUN[step](entry, model, inputs, used, row)
        except Exception as error:
            row["steps"][step] = {"ok": False, "error": _where(error)}
            continue
        row["steps"][step] = {"ok": True, "seconds": time.perf_counter() - start, **result}
        if step in ("record", "diagnose", "plan"):
            row["steps"][step]["changed"] = _changed(before, _state(model))
    return row


def _build(entry: Entry, strip: bool) -> nn.Module:
    return strip_norms(entry.build()) if strip else entry.build()


def _plain(entry: Entry, model: nn.Module, inputs: Any) -> tuple[dict[str, float], set[str]]:
    """Seconds of a forward and of forward and backward, and which parameters took part (have a gradient).

    The model's buffers and torch's generator are put back.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    forwards, both = [], []
    used: set[str] = set()
    with torch.random.fork_rng(devices=[]):
        for _ in range(3):
            torch.manual_seed(0)
            start = time.perf_counter()
            output = call(model, inputs)
            forwards.append(time.perf_counter() - start)
            projected(output).backward()
            both.append(time.perf_counter() - start)
            used = {name for name, p in model.named_parameters() if p.grad is not None}
            model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    return {"forward": min(forwards), "forward_backward": min(both)}, used


def call(model: nn.Module, inputs: Any) -> Any:
    """The plain call."""
    if isinstance(inputs, dict):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def _record(entry: Entry, model: nn.Module, inputs: Any, used: set[str], row: Row) -> Row:
    from initium.record import record

    seen = record(model, inputs)
    names = {name for use in seen.uses for name in use.names}
    missed = sorted(used - names - _tied(model))
    opaque = sorted({n for use in seen.uses if use.how == "opaque" for n in use.names})
    return {
        "nodes": len(seen.nodes),
        "share": _share(used, missed),
        "missed": missed[:20],
        "opaque": opaque[:20],
    }


def _diagnose(entry: Entry, model: nn.Module, inputs: Any, used: set[str], row: Row) -> Row:
    import initium

    return {"shipped": health(initium.diagnose(model, inputs))}


def _plan(entry: Entry, model: nn.Module, inputs: Any, used: set[str], row: Row) -> Row:
    import initium

    made = initium.plan(model, inputs)
    row["made"] = made
    known = {one.name for one in made if one.role not in ("unused", "unknown")}
    missed = sorted(used - known - _tied(model))
    kept = sum(one.keeps for one in made)
    return {"share": _share(used, missed), "missed": missed[:20], "kept": kept, "chosen": made.chosen}


def _apply(entry: Entry, model: nn.Module, inputs: Any, used: set[str], row: Row) -> Row:
    made = row.pop("made")
    other = _build(entry, row["strip"])
    start = time.perf_counter()
    receipt = made.apply(other)
    seconds = time.perf_counter() - start
    finite = all(bool(torch.isfinite(p).all()) for p in other.parameters())
    return {"written": len(receipt.written), "finite": finite, "apply_seconds": seconds}


def _init(entry: Entry, model: nn.Module, inputs: Any, used: set[str], row: Row) -> Row:
    import initium

    fresh = _build(entry, row["strip"])
    start = time.perf_counter()
    initium.init_(fresh, inputs)
    seconds = time.perf_counter() - start
    other = entry.inputs(seed=1)
    return {
        "init_seconds": seconds,
        "auto": health(initium.diagnose(fresh, inputs)),
        "auto_other": health(initium.diagnose(fresh, other)),
        "shipped_other": health(initium.diagnose(_build(entry, row["strip"]), other)),
    }


RUN: dict[str, Callable[[Entry, nn.Module, Any, set[str], Row], Row]] = {
    "record": _record,
    "diagnose": _diagnose,
    "plan": _plan,
    "apply": _apply,
    "init_": _init,
}


def health(report: Any) -> Row:
    """Verdict, badness and the codes of the findings."""
    findings = [f"{one.code}:{one.severity}" for one in report.findings]
    return {"verdict": report.verdict, "badness": report.badness, "findings": sorted(findings)}


def _tied(model: nn.Module) -> set[str]:
    """Second names of parameters that have several."""
    return {name for name, _ in model.named_parameters(remove_duplicate=False)} - {
        name for name, _ in model.named_parameters()
    }


def _share(used: set[str], missed: list[str]) -> float:
    return 1.0 - len(missed) / max(1, len(used))


def _state(model: nn.Module) -> dict[str, Any]:
    """What a look must leave alone: tensors, gradients, modes, hooks, torch's generator."""
    tensors = {f"tensor {name}": t.detach().clone() for name, t in model.state_dict(keep_vars=True).items()}
    flags: dict[str, Any] = {"generator": torch.random.get_rng_state()}
    for name, module in model.named_modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        flags[f"module {name}"] = (module.training, *map(len, hooks))
    for name, parameter in model.named_parameters():
        flags[f"gradient {name}"] = parameter.grad is None
    return tensors | flags


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [key for key in before if key not in after or not _same(before[key], after[key])][:10]


def _same(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def _where(error: BaseException) -> str:
    """The error, and the last lines of our own code that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{f.filename.rsplit('/', 2)[-1]}:{f.lineno}" for f in frames if "initium" in f.filename][-3:]
    cause = f" <- {_where(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}: {str(error)[:400]} at {' '.join(places)}{cause}"
