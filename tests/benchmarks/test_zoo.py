"""The zoo's own parts: complete, repeatable, and rid of what it says it removes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytest.importorskip("timm")
pytest.importorskip("torchvision")

from benchmarks.zoo_kit.entry import drop_out_off
from benchmarks.zoo_kit.losses import projected
from benchmarks.zoo_kit.strip import is_norm, strip_norms
from benchmarks.zoo_kit.table import table
from benchmarks.zoo_models import ENTRIES, run, select


def test_every_family_of_timm_is_there() -> None:
    from timm.models._registry import _model_to_module

    wanted = {f"timm.{module}" for module in _model_to_module.values()}
    assert wanted <= {entry.family for entry in ENTRIES}


def test_names_differ() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)


def test_inputs_and_weights_are_repeatable() -> None:
    (entry,) = select("timm:starnet_s050")
    before = torch.random.get_rng_state()
    first, again = entry.build(), entry.build()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    ours, theirs = entry.inputs(), entry.inputs()
    assert isinstance(ours, torch.Tensor)
    assert isinstance(theirs, torch.Tensor)
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, entry.inputs(seed=1))  # type: ignore[arg-type]


def test_norms_go_and_their_activations_stay() -> None:
    from timm.layers import BatchNormAct2d

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), BatchNormAct2d(4), nn.Sequential(nn.GroupNorm(2, 4), nn.ReLU(inplace=True))
    )
    stripped = strip_norms(model)
    assert not any(is_norm(module) for module in stripped.modules())
    assert sum(isinstance(module, nn.ReLU) for module in stripped.modules()) == 2
    assert not any(getattr(module, "inplace", False) for module in stripped.modules())
    projected(run(stripped, torch.randn(2, 3, 8, 8))).backward()


def test_drop_out_is_off() -> None:
    model = drop_out_off(nn.Sequential(nn.Dropout(0.5), nn.MultiheadAttention(4, 2, dropout=0.3)))
    assert model[0].p == 0.0  # type: ignore[index]
    assert model[1].dropout == 0.0  # type: ignore[index]


def test_the_table_counts_what_failed() -> None:
    good = {"name": "a", "steps": {"record": {"ok": True, "share": 1.0, "missed": [], "seconds": 1.0}}}
    bad = {"name": "b", "steps": {"record": {"ok": False, "error": "ValueError: x"}}}
    text, failed = table([good, bad, {"name": "c", "lost": "died", "steps": {}}], ("record",))
    assert failed == 2
    assert "record    ran on 1 of 3" in text
    assert "FAILED record b: ValueError: x" in text
    assert "LOST c: died" in text
