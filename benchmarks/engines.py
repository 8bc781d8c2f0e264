"""What an engine costs: start, seconds per job, share of a trial of two seconds, and what a second process brings.

    python -m benchmarks.engines [--rounds 5] [--trials 6] [--seconds 2] [--ray]

The promises: at most 5 % of a trial of two seconds, and 1.8 times the trials with two processes. Serial and engine
take turns. Counted is the CPU time of worker, fork server and controller, which a busy machine does not falsify; the
gain of two processes is also given as if each had a core: twice the CPU time of a serial trial by that of a process.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from initium.engines import Done, Engine, Job, open_engine, run
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import run_trial
from initium.testing.engines import double

SPEC = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"})


def trial(data: dict[str, Any]) -> dict[str, Any]:
    """Runs a trial and returns the CPU seconds of it and of the whole process so far."""
    begin = time.process_time()
    run_trial(data)
    return {"trial": time.process_time() - begin, "process": time.process_time()}


def server_cpu() -> float:
    """CPU seconds of the fork server; 0 if there is none."""
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def jobs(steps: int, num: int) -> list[Job]:
    """Trials that differ in their seed alone."""
    return [Job(str(seed), replace(SPEC, steps=steps, seed=seed).to_data()) for seed in range(num)]


def importable(name: str) -> Any:
    """A function of this file as its module has it: workers load a script again for each job, a module once for all."""
    return getattr(importlib.import_module("benchmarks.engines"), name)


def done(engine: Engine, work: Any, todo: list[Job]) -> tuple[float, list[Done]]:
    """Wall seconds of the jobs, and their outcomes."""
    begin = time.perf_counter()
    found = list(run(engine, work, todo))
    for one in found:
        assert isinstance(one, Done), one
    return time.perf_counter() - begin, [one for one in found if isinstance(one, Done)]


def calibrated(seconds: float) -> int:
    """Steps of a trial that takes so many CPU seconds."""
    for steps in (20, 400):
        begin = time.process_time()
        run_trial(jobs(steps, 1)[0].data)
        took = time.process_time() - begin
    return max(20, int(steps * seconds / took))


def start(name: str, repeats: int = 20, **options: Any) -> None:
    """Prints how long it takes to the first outcome, and per job after that."""
    begin = time.perf_counter()
    with open_engine(name, **options) as engine:
        done(engine, double, [Job("first", {"x": 1})])
        first = time.perf_counter() - begin
        per_job = [done(engine, double, [Job("a", {"x": 1})])[0] for _ in range(repeats)]
    print(
        f"{name:10} start {first:6.2f} s   then {statistics.median(per_job) * 1e3:6.1f} ms a job", flush=True
    )


def share(steps: int, rounds: int) -> tuple[float, float]:
    """(CPU seconds of a trial, what a process adds to it), printed."""
    todo, trial = jobs(steps, 1), importable("trial")
    serial, inside, outside = [], [], []
    with open_engine("processes", num_workers=1) as engine:
        done(engine, trial, todo)
        for _ in range(rounds):
            begin = time.process_time()
            run_trial(todo[0].data)
            serial.append(time.process_time() - begin)
            begin, server = time.process_time(), server_cpu()
            (one,) = done(engine, trial, todo)[1]
            inside.append(one.result["process"])
            outside.append(time.process_time() - begin + server_cpu() - server)
    plain, extra = statistics.median(serial), statistics.median(outside)
    added = statistics.median(x + y - z for x, y, z in zip(inside, outside, serial, strict=True))
    verdict = "ok" if added <= 0.05 * plain else "TOO MUCH"
    print(
        f"processes  a trial of {plain:.2f} CPU s takes {added:+.3f} s more ({added / plain:+.1%}), "
        f"{extra:.3f} of it outside its process   {verdict}",
        flush=True,
    )
    return plain, added


def gain(steps: int, num: int, rounds: int) -> float:
    """Tells how many times the trials two processes run in the same time."""
    todo, trial = jobs(steps, num), importable("trial")
    walls: list[float] = []
    ideal: list[float] = []
    with open_engine("serial") as serial, open_engine("processes", num_workers=2) as engine:
        done(engine, trial, todo[:2])
        done(serial, trial, todo[:1])
        for _ in range(rounds):
            alone, one_by_one = done(serial, trial, todo)
            together, at_once = done(engine, trial, todo)
            walls.append(alone / together)
            ideal.append(
                2
                * sum(one.result["trial"] for one in one_by_one)
                / sum(one.result["process"] for one in at_once)
            )
    wall, cpu = statistics.median(walls), statistics.median(ideal)
    verdict = "ok" if max(wall, cpu) >= 1.8 else "TOO LITTLE"
    print(
        f"processes  two workers run {wall:.2f} times the trials of serial by wall time, "
        f"{cpu:.2f} by CPU time   {verdict}",
        flush=True,
    )
    return cpu


def smoke() -> None:
    """A round of short trials: what a process gives back is what the trial gives here, at a cost that can be told."""
    plain, added = share(10, 1)
    assert plain > 0
    assert -plain < added < 5, (plain, added)
    assert 0 < gain(10, 2, 1) <= 2.5
    with open_engine("processes", num_workers=1) as engine:
        (one,) = done(engine, double, jobs_of_double())[1]
    assert one.result == double(jobs_of_double()[0].data)
    start("serial", repeats=2)


def jobs_of_double() -> list[Job]:
    """One job whose result is known."""
    return [Job("one", {"x": 21})]


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--ray", action="store_true", help="also a new Ray cluster")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    if options.smoke:
        smoke()
        return
    steps = calibrated(options.seconds)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; trials of {steps} steps", flush=True)
    share(steps, options.rounds)
    gain(steps, options.trials, max(1, options.rounds // 2))
    start("serial")
    start("processes", num_workers=1)
    if options.ray:
        start("ray", num_workers=2)


if __name__ == "__main__":
    main()
