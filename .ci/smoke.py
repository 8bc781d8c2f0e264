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


NET = """
from torch import nn

def make(depth=20):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(32, 32), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 32), *layers, nn.Linear(32, 10))
"""
Path("net.py").write_text(NET)
model = ("net.py:make", "--arg", "depth=16")
image = ("--input", "3x8x8")

assert "diagnose" in command("--help")
assert "UNHEALTHY" in command("diagnose", *model, *image, "--html", "health.html")
assert Path("health.html").read_text().startswith("<!doctype html>")
command("diagnose", *model, *image, "--fail-on", "error", code=1)
command("diagnose", "net.py:made", *image, code=2)
assert "HEALTHY" in command("plan", *model, *image, "-o", "plan.json")
command("apply", *model, "--plan", "plan.json", "-o", "weights.safetensors")
assert Path("weights.safetensors").stat().st_size > 16 * 32 * 32 * 4
assert "he_normal" in command("methods", "kaiming")
command("explain", "he_normal", "--lang", "zh", "--layer", "conv:3,64,7")
command("quickstart", "--steps", "2", "--html", "quickstart.html")
assert Path("quickstart.html").read_text().count("<svg ") == 4

from initium.data import fashion_mnist, photographs  # noqa: E402

images, labels = fashion_mnist("train")
assert images.shape == (5000, 1, 28, 28)
assert labels.bincount().tolist() == [500] * 10
assert photographs(4, 64).shape == (4, 3, 64, 64)
print("complete")
