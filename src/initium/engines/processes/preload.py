"""Loads modules in the server that workers are forked from, once for all of them.

Only modules that start no thread: a fork takes none along, and whoever waits for a lost one waits for ever.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from initium.engines.processes.worker import print_aside

ASKED = "INITIUM_PRELOAD"
"""Set in the environment while a server starts: the modules that it should load, and the paths to find them on."""


@contextmanager
def asking(modules: Iterable[str]) -> Iterator[None]:
    """Makes a server that is started in this block load the modules."""
    os.environ[ASKED] = json.dumps({"path": sys.path, "modules": sorted(modules)})
    try:
        yield
    finally:
        del os.environ[ASKED]


def load_asked() -> None:
    """Loads what was asked for; in a process that nobody asked, nothing.

    Where a module starts threads, the server begins anew and leaves the module's package to each worker.
    """
    if ASKED not in os.environ:
        return
    print_aside()
    asked = json.loads(os.environ.pop(ASKED))
    sys.path[:] = asked["path"]
    modules, before = asked["modules"], num_threads()
    for name in modules:
        with suppress(Exception):  # a worker that needs it imports it itself, and tells what is wrong
            importlib.import_module(name)
        if num_threads() > before:
            others = [one for one in modules if _package(one) != _package(name)]
            os.environ[ASKED] = json.dumps(asked | {"modules": others})
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program with the same arguments


def _package(module: str) -> str:
    return module.partition(".")[0]


def num_threads() -> int:
    """Threads of this process, those of compiled code included where the system tells."""
    with suppress(OSError):
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    return threading.active_count()
