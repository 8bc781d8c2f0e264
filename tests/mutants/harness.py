"""Runs the tests of every mutant in a fork of a process that has loaded torch, and tells which were noticed."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from pathlib import Path

from tests.mutants.mutant import ROOT, SOURCE, TESTS, Mutant
from tests.mutants.overlay import overlaid

LEAST = 0.95
"""Share of the mutants that must be noticed."""
ALWAYS = ("numpy", "torch", "torch._dynamo", "pytest", "hypothesis")
SOMETIMES = ("torchvision", "timm", "transformers")
"""Slow imports that are paid once, and only before tests that name them."""
SLOWEST, TIMES = 60.0, 10.0
"""Seconds that tests may take in any case, and times as long as on the sound package."""
OUTCOMES = {0: "not noticed", 1: "noticed", 2: "noticed"}
"""By exit code of pytest; 2 is a module that does not even load."""


@dataclass(frozen=True)
class Job:
    """Tests to be run on the package with one file replaced, or (with text None) on the package as it is."""

    key: str
    tests: tuple[str, ...]
    file: str = ""
    text: str | None = None
    limit: float = 600.0


@dataclass(frozen=True)
class Result:
    """What came of a job; `outcome` is one of those above, "too slow" or "error"."""

    digest: str
    name: str
    outcome: str
    seconds: float
    said: str

    @property
    def noticed(self) -> bool:
        """A test that does not end in ten times its time has noticed, too."""
        return self.outcome in ("noticed", "too slow")


class Started:
    """A job in its fork."""

    def __init__(self, job: Job) -> None:
        self.job, self.begin = job, time.monotonic()
        self.folder = tempfile.TemporaryDirectory(prefix="mutant")
        self.process = mp.get_context("fork").Process(target=_child, args=(job, Path(self.folder.name)))
        self.process.start()

    def is_over(self) -> bool:
        """Whether it ended, or must."""
        return not self.process.is_alive() or time.monotonic() - self.begin > self.job.limit

    def result(self) -> Result:
        """What came of it; nothing of it runs on."""
        outcome = "too slow" if self.process.is_alive() else ""
        if outcome:
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.join()
        outcome = outcome or OUTCOMES.get(self.process.exitcode or 0, "error")
        said = (Path(self.folder.name) / "out").read_text(errors="replace")
        self.folder.cleanup()
        return Result(self.job.key, "", outcome, time.monotonic() - self.begin, said[-3000:])


def _child(job: Job, folder: Path) -> None:
    os.setsid()
    out = os.open(folder / "out", os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if job.text is not None:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        path = str(overlaid(folder, SOURCE, job.file, job.text))
        sys.path.insert(0, path)
        os.environ["PYTHONPATH"] = os.pathsep.join([path, *filter(None, [os.environ.get("PYTHONPATH")])])
    os.chdir(ROOT)
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    code = pytest.main([*options, *(str(TESTS / name) for name in job.tests)])
    sys.stdout.flush()
    os._exit(int(code))  # whatever threads a test left


def run(jobs: Iterable[Job], num: int) -> Iterator[Result]:
    """The results as they come, `num` jobs at a time."""
    waiting, running = list(jobs), []
    while waiting or running:
        while waiting and len(running) < num:
            running.append(Started(waiting.pop(0)))
        wait([one.process.sentinel for one in running], timeout=0.5)
        for one in [one for one in running if one.is_over()]:
            running.remove(one)
            yield one.result()


def load(tests: Iterable[str], names: Sequence[str]) -> None:
    """Import what these tests need and forks then have; never the package itself, of which a file is replaced."""
    texts = [(TESTS / name).read_text(encoding="utf-8") for name in set(tests)]
    for name in names:
        if name in ALWAYS or any(name in text for text in texts):
            __import__(name)
    import torch

    torch.set_num_threads(1)  # no threads that a fork would lose
    assert "initium" not in sys.modules


def judge(mutants: Sequence[Mutant], results: Path, num: int) -> list[Result]:
    """A result a mutant, of the file where it still holds; new ones are added to the file.

    Raises:
        MutantError: a mutant that cannot be made.
        RuntimeError: tests that fail on the sound package.
    """
    known = read(results)
    keys = {mutant.digest(): mutant for mutant in mutants}
    texts = {key: mutant.source() for key, mutant in keys.items()}  # errors before anything runs
    missing = {key: mutant for key, mutant in keys.items() if key not in known}
    before = len(known)
    needs = {
        key: any(word in (TESTS / name).read_text() for name in mutant.test_files() for word in SOMETIMES)
        for key, mutant in missing.items()
    }
    for large in (False, True):
        part = {key: mutant for key, mutant in missing.items() if needs[key] == large}
        if part:
            tests = {name for mutant in part.values() for name in mutant.test_files()}
            load(tests, (*ALWAYS, *(SOMETIMES if large else ())))
            took = sound(tests, num)
            jobs = [
                Job(key, mutant.test_files(), mutant.file, texts[key],
                    SLOWEST + TIMES * sum(took[name] for name in mutant.test_files()))
                for key, mutant in part.items()
            ]  # fmt: skip
            with results.open("a") as file:
                for one in run(jobs, num):
                    found = Result(one.digest, part[one.digest].name, one.outcome, one.seconds, one.said)
                    known[found.digest] = found
                    file.write(json.dumps(asdict(found)) + "\n")
                    file.flush()
                    print(
                        f"{len(known) - before}/{len(missing)} {found.outcome:12} {found.seconds:5.1f} s  {found.name}",
                        flush=True,
                    )
    return [known[key] for key in keys]


def sound(tests: Iterable[str], num: int) -> dict[str, float]:
    """Seconds of each test file on the package as it is.

    Raises:
        RuntimeError: some fail.
    """
    took: dict[str, float] = {}
    failed: list[str] = []
    for one in run([Job(name, (name,)) for name in sorted(tests)], num):
        took[one.digest] = one.seconds
        if one.outcome != "not noticed":
            failed.append(f"{one.digest}: {one.outcome}\n{one.said}")
    if failed:
        raise RuntimeError("tests fail before anything is broken:\n" + "\n".join(failed))
    return took


def read(path: Path) -> dict[str, Result]:
    """The results of a file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {one.digest: one for one in (Result(**json.loads(line)) for line in lines)}


def table(mutants: Sequence[Mutant], found: Sequence[Result]) -> str:
    """Noticed and all by package, then each that was not noticed, with the reason."""
    pairs = list(zip(mutants, found, strict=True))
    counts = Counter(mutant.package for mutant in mutants)
    noticed = Counter(mutant.package for mutant, one in pairs if one.noticed)
    lines = [f"{'package':12} noticed  mutants"]
    lines += [f"{name:12} {noticed[name]:7}  {counts[name]:7}" for name in sorted(counts)]
    lines.append(
        f"{'all':12} {noticed.total():7}  {counts.total():7}  {noticed.total() / counts.total():.1%}"
    )
    for mutant, one in pairs:
        if not one.noticed:
            lines.append(f"{one.outcome}: {mutant.name}\n    {mutant.equivalent or 'NO REASON IS GIVEN'}")
    return "\n".join(lines)


def enough(found: Sequence[Result]) -> bool:
    """Whether nearly all were noticed, and none could not be judged."""
    return not any(one.outcome == "error" for one in found) and sum(
        one.noticed for one in found
    ) >= LEAST * len(found)
