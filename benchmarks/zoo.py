"""Runs record, diagnose, plan, apply and init_ over the zoo, one process a model, and prints the table.

    python -m benchmarks.zoo [--only PATTERN] [--jobs 2] [--strip] [--steps record,diagnose] [--out zoo.jsonl]

The results are JSON lines; a run that was stopped goes on where it was (--fresh starts over), and
--table only prints what is there. The time of a model is bounded (--limit seconds).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchmarks.zoo_kit.measure import STEPS, Row
from benchmarks.zoo_kit.table import table

PRELOAD = ["torch", "torch.testing", "timm", "torchvision", "benchmarks.zoo_kit.measure"]


def child(name: str, strip: bool, steps: tuple[str, ...], pipe: Connection) -> None:
    """Measures one model and sends its row."""
    import warnings

    from benchmarks.zoo_kit.measure import measure
    from benchmarks.zoo_models import select

    warnings.simplefilter("ignore")
    entry = next(e for e in select(name) if e.name == name)
    if entry.reason:
        pipe.send({"name": name, "strip": strip, "skipped": entry.reason, "steps": {}})
        return
    row = measure(entry, strip=strip, steps=steps)
    row.pop("made", None)
    pipe.send(row)


def rows(names: list[str], *, strip: bool, steps: tuple[str, ...], jobs: int, limit: float) -> Iterator[Row]:
    """One row a model as they finish; a process that dies or takes too long is a row too."""
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    waiting, running = list(names), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=child, args=(waiting[0], strip, steps, theirs))
            process.start()
            theirs.close()
            running[ours] = (waiting.pop(0), process, time.monotonic())
        ready = wait(list(running), timeout=1.0)
        for pipe in list(running):
            name, process, start = running[pipe]
            if pipe in ready:
                yield _received(pipe, name, strip, process)
            elif time.monotonic() - start > limit:
                process.kill()
                yield _lost(name, strip, f"longer than {limit:g} s")
            else:
                continue
            process.join()
            pipe.close()
            del running[pipe]


def _received(pipe: Connection, name: str, strip: bool, process: Any) -> Row:
    try:
        row: Row = pipe.recv()
        return row
    except EOFError:
        process.join()
        return _lost(name, strip, f"the process ended with code {process.exitcode}")


def _lost(name: str, strip: bool, reason: str) -> Row:
    return {"name": name, "strip": strip, "lost": reason, "steps": {}}


def read(path: Path) -> dict[tuple[str, bool], Row]:
    """The rows of a file, the last of each model."""
    found: dict[tuple[str, bool], Row] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        row = json.loads(line)
        found[row["name"], row["strip"]] = row
    return found


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", help="a glob or a part of the name")
    parser.add_argument("--out", type=Path, default=Path("zoo.jsonl"), help="results, one JSON object a line")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds a model may take")
    parser.add_argument("--steps", default=",".join(STEPS), help="some of " + ",".join(STEPS))
    parser.add_argument("--strip", action="store_true", help="normalization layers replaced by identity")
    parser.add_argument("--fresh", action="store_true", help="measure again what the file has")
    parser.add_argument("--table", action="store_true", help="print the table of the file, measure nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    return parser.parse_args()


def main() -> None:
    """Measures what is missing, then prints the table; exit code 1 if any step failed."""
    chosen = options()
    if chosen.smoke:
        smoke()
        return
    from benchmarks.zoo_models import select

    names = [entry.name for entry in select(chosen.only)]
    have = {} if chosen.fresh else read(chosen.out)
    missing = [] if chosen.table else [n for n in names if (n, chosen.strip) not in have]
    steps = tuple(chosen.steps.split(","))
    with chosen.out.open("a") as file:
        for count, row in enumerate(
            rows(missing, strip=chosen.strip, steps=steps, jobs=chosen.jobs, limit=chosen.limit), start=1
        ):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{count}/{len(missing)} {row['name']} {_short(row)}", flush=True)
    found = read(chosen.out)
    text, failed = table([found[n, chosen.strip] for n in names if (n, chosen.strip) in found], steps)
    print(text)
    raise SystemExit(1 if failed else 0)


def smoke() -> None:
    """The smallest member, all steps, in a process of its own: every step runs and every used parameter is seen."""
    (row,) = rows(["timm:starnet_s050"], strip=False, steps=STEPS, jobs=1, limit=120.0)
    text, failed = table([row], STEPS)
    print(text)
    assert failed == 0
    assert set(row["steps"]) == set(STEPS)
    assert row["steps"]["record"]["share"] == row["steps"]["plan"]["share"] == 1.0
    assert row["steps"]["init_"]["auto"]["badness"] <= row["steps"]["diagnose"]["shipped"]["badness"]


def _short(row: Row) -> str:
    if "lost" in row or "skipped" in row:
        return str(row.get("lost", row.get("skipped")))
    bad = [f"{step} {seen['error'][:160]}" for step, seen in row["steps"].items() if not seen["ok"]]
    return "; ".join(bad) if bad else "ok"


if __name__ == "__main__":
    main()
