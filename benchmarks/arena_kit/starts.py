"""The starts that meet in the arena, as a study takes them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import torch
from benchmarks.arena_kit.nets import Wavy
from torch import nn

import initium
from initium.study.tasks import Probe
from initium.study.trial.fingerprint import fingerprint
from initium.study.trial.inits import init_data

Data = dict[str, Any]


def torch_default(model: nn.Module, probe: Probe, seed: int) -> None:
    """Every module that can reset its parameters does so: torch's own start, whatever the author set."""
    torch.manual_seed(seed)
    for module in model.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()


def anyinit_analytic(model: nn.Module, probe: Probe, seed: int) -> None:
    """AnyInit's mode without data."""
    _anyinit(model, "analytic", None, seed)


def anyinit_empirical(model: nn.Module, probe: Probe, seed: int) -> None:
    """AnyInit's mode with data."""
    _anyinit(model, "empirical", probe.inputs, seed)


def _anyinit(model: nn.Module, mode: str, inputs: torch.Tensor | None, seed: int) -> None:
    import anyinit

    if any(isinstance(module, Wavy) for module in model.modules()):
        anyinit.register_activation(Wavy, overwrite=True)  # its manual asks for this
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        anyinit.initialize(model, mode, inputs, seed=seed)


POLICIES = {"xavier": "xavier_normal", "he": "he_normal", "orthogonal": "orthogonal", "lsuv": "lsuv"}


def starts(*, own: bool) -> dict[str, Data]:
    """Label to init; torch's default only where it differs from what is shipped (`own`)."""
    found = {"shipped": init_data("shipped")}
    if own:
        found["default"] = init_data(torch_default)
    found |= {label: init_data(policy) for label, policy in POLICIES.items()}
    if has_anyinit():
        found |= {"anyinit": init_data(anyinit_analytic), "anyinit-emp": init_data(anyinit_empirical)}
    return found | {"auto": init_data("auto")}


def has_anyinit() -> bool:
    """Whether the package anyinit is installed; it is compared with, and needed by nothing else."""
    return importlib.util.find_spec("anyinit") is not None


@functools.cache
def code_of(label: str, references: tuple[str, ...]) -> str:
    """The digest that a trial depends on: for `auto` also of the code that plans."""
    known = fingerprint(references)
    return f"{known} {_digest_of_auto()}" if label == "auto" else known


@functools.cache
def _digest_of_auto() -> str:
    root = Path(initium.__file__).parent
    files = sorted(file for part in ("plan", "theory", "methods") for file in (root / part).rglob("*.py"))
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
