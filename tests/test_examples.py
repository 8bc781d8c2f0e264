"""The examples run as their first lines say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import initium

ROOT = Path(__file__).parents[1]


def torchrun(ranks: int, *arguments: str) -> str:
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks),
            str(ROOT / "examples" / "materialize_torchrun.py"), *arguments,
        ],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def read(folder: Path) -> dict[str, torch.Tensor]:
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    files = {name: load_file(folder / name) for name in set(index["weight_map"].values())}
    return {key: files[name][key] for key, name in index["weight_map"].items()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_torchrun_example_on_two_ranks(tmp_path: Path) -> None:
    said = torchrun(2, "--out", str(tmp_path / "two"), "--width", "32", "--depth", "2")
    assert said.count("elements, output std") == 2
    assert "rank 0 wrote model-00001-of-00002.safetensors" in said
    torchrun(1, "--out", str(tmp_path / "one"), "--width", "32", "--depth", "2")
    two, one = read(tmp_path / "two"), read(tmp_path / "one")
    assert two.keys() == one.keys()
    assert all(torch.equal(two[name], one[name]) for name in two)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_torchrun_example_with_a_plan_of_a_real_model(tmp_path: Path) -> None:
    scope: dict[str, object] = {"__name__": "example"}
    exec((ROOT / "examples" / "materialize_torchrun.py").read_text(encoding="utf-8"), scope)
    model: nn.Module = scope["make"](32, 2)  # type: ignore[operator]
    made = initium.plan(model, torch.randn(16, 64, generator=torch.Generator().manual_seed(0)))
    (tmp_path / "plan.json").write_text(made.to_json(), encoding="utf-8")
    torchrun(
        2,
        "--plan",
        str(tmp_path / "plan.json"),
        "--out",
        str(tmp_path / "out"),
        "--width",
        "32",
        "--depth",
        "2",
    )
    made.apply(model)
    saved = read(tmp_path / "out")
    for one in made:
        if not one.keeps:
            assert torch.equal(saved[one.name], model.get_parameter(one.name))
