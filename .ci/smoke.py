"""What a user's first minutes touch, run against an installed wheel; fails on the first surprise."""

import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path

import initium

home = Path(initium.__file__).resolve()
assert home.is_relative_to(Path(sysconfig.get_paths()["purelib"]).resolve()), f"not the wheel: {home}"
print("initium", importlib.metadata.version("initium"), "from", home.parent)


def command(*arguments: str, code: int = 0) -> str:
    """What `initium ARGUMENTS` prints; its exit code must be `code`."""
    print("$ initium", *arguments, flush=True)
    script = Path(sys.executable).with_name("initium")
    done = subprocess.run([str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


assert "diagnose" in command("--help")
from initium.data import fashion_mnist, photographs  # noqa: E402

images, labels = fashion_mnist("train")
assert images.shape == (5000, 1, 28, 28) and labels.bincount().tolist() == [500] * 10
assert photographs(4, 64).shape == (4, 3, 64, 64)
print("embedded data: complete")
