"""Build hook: compile the draw kernel with the system's C compiler, if there is one.

Without a compiler the package installs all the same, as a pure Python wheel, and draws the same numbers
through torch operations.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = ("-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
SHARED = ("-shared", "-fPIC", "-fvisibility=hidden", "-s")
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def compile_kernel(folder: Path) -> str:
    """Compile the C files of `folder` into a library beside them; "" if that worked, else why it did not."""
    compiler = _compiler()
    if not compiler:
        return "no C compiler was found (cc, gcc or clang)"
    target = folder / f"_kernel{SUFFIX}"
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    shared = [flag for flag in SHARED if not (flag == "-s" and sys.platform == "darwin")]
    command = [*compiler, *FLAGS, *shared, "-o", str(fresh), *map(str, sorted(folder.glob("*.c")))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
        if done.returncode != 0:
            return f"{shlex.join(command)} failed: {done.stderr.strip()[-500:]}"
        fresh.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{shlex.join(command)} could not run: {error}"
    finally:
        fresh.unlink(missing_ok=True)
    return ""


def _compiler() -> list[str]:
    named = shlex.split(os.environ.get("CC", ""))
    for words in (named, ["cc"], ["gcc"], ["clang"]):
        if words and shutil.which(words[0]):
            return words
    return []


class KernelHook(BuildHookInterface[Any]):
    """Puts the compiled kernel into the wheel, or beside its source for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together."""
        del version
        folder = Path(self.root) / "src" / "initium" / "random"
        problem = compile_kernel(folder)
        if problem:
            self.app.display_warning(f"initium installs without its compiled kernel: {problem}")
            return
        build_data["artifacts"].append(f"src/initium/random/_kernel{SUFFIX}")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


if __name__ == "__main__":
    said = compile_kernel(Path(__file__).parent / "src" / "initium" / "random")
    sys.exit(said or 0)
