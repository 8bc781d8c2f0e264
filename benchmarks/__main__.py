"""Every speed benchmark in turn: `python -m benchmarks [NAME ...]`; each prints its table of ratios.

python -m benchmarks                    all of them, half an hour on two idle cores
python -m benchmarks fill orthogonal    some of them
python -m benchmarks --smoke [NAME ...] every program of this folder and of docs/ on tiny inputs, two minutes
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
import time
import traceback
from multiprocessing.connection import wait
from pathlib import Path
from types import ModuleType

NAMES = ("fill", "orthogonal", "diagnose", "init_cost", "materialize", "lsuv")
SMOKED = (
    *NAMES, "arena", "engines", "evidence", "prediction", "recipes", "starts", "structure", "targets", "zoo",
    "zoo_models", "docs/images/make.py", "docs/methods/make.py",
)  # fmt: skip
"""What has a `--smoke` form: modules of this folder, and scripts of the repository."""
JOBS, LIMIT = 2, 600.0
"""Programs at a time, and the seconds that one may take."""
LEFT_OUT = "not installed"
"""What stands in a line that says that something takes no part."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--smoke", action="store_true", help="seconds each, on tiny inputs; each checks its output"
    )
    chosen = parser.parse_args(arguments)
    known = SMOKED if chosen.smoke else NAMES
    unknown = [name for name in chosen.names if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}\n  expected: some of {', '.join(known)}")
        return 2
    failed = (smoke if chosen.smoke else measure)(chosen.names or known)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


def measure(names: list[str]) -> list[str]:
    """Each in a process of its own, one after the other; those that failed."""
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    return failed


def smoke(names: list[str]) -> list[str]:
    """Each in a fork of this process, which has loaded what they share; those that failed, with what they printed."""
    import torch

    import initium.study.tasks  # noqa: F401 - a fork has it then

    torch.set_num_threads(1)  # no threads that a fork would lose
    waiting, running, failed = list(names), [], []
    while waiting or running:
        while waiting and len(running) < JOBS:
            running.append(Started(waiting.pop(0)))
        wait([one.process.sentinel for one in running], timeout=1.0)
        for one in [one for one in running if one.is_over()]:
            running.remove(one)
            if not one.reported():
                failed.append(one.name)
    return failed


class Started:
    """One program in its fork, and what it prints."""

    def __init__(self, name: str) -> None:
        self.name, self.out, self.begin = name, tempfile.TemporaryFile("w+"), time.monotonic()  # noqa: SIM115
        self.process = mp.get_context("fork").Process(target=_run, args=(name, self.out.fileno()))
        self.process.start()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def is_over(self) -> bool:
        return self.seconds > LIMIT or not self.process.is_alive()

    def reported(self) -> bool:
        """Whether it went well; a line, and all that it printed if it did not."""
        late = self.process.is_alive()
        if late:
            self.process.kill()
        self.process.join()
        code = self.process.exitcode
        said = f"longer than {LIMIT:g} s" if late else "ok" if code == 0 else f"FAILED, code {code}"
        print(f"{self.name:24} {self.seconds:5.1f} s  {said}", flush=True)
        self.out.seek(0)
        text = self.out.read()
        for line in text.splitlines() if code else [one for one in text.splitlines() if LEFT_OUT in one]:
            print(f"    {line}", flush=True)
        self.out.close()
        return code == 0


def _run(name: str, out: int) -> None:
    """In the fork: the program's own `main`, as `--smoke` calls it."""
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = [name, "--smoke"]
    try:
        code = _loaded(name).main()
    except Exception:
        traceback.print_exc()
        code = 1
    sys.exit(code or 0)


def _loaded(name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(f"benchmarks.{name}")
    path = Path(__file__).parents[1] / name
    spec = importlib.util.spec_from_file_location(path.parent.name + "_" + path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
