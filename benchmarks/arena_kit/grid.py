"""The grid of the arena: cells and the trials of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.arena_kit import nets
from benchmarks.arena_kit.starts import code_of, starts

from initium.engines import name_of
from initium.study.trial.spec import TrialSpec

ACTS = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "written")
DEPTHS = (8, 20, 50, 100)
LONG_RATES, SHORT_RATES = (3e-4, 1e-3, 3e-3), (6e-4, 2.5e-3)
LONG_SEEDS, SHORT_SEEDS = 3, 2


@dataclass(frozen=True)
class Cell:
    """One net and how it is trained.

    Args:
        name: as it is printed and asked for.
        model: a standard model's name, or the reference of a function.
        args: of that function.
        task: kind of the embedded task.
        steps: updates.
        batch: samples a step.
        own: whether the author's start differs from torch's.
        normed: whether it has normalization layers.
    """

    name: str
    model: str
    args: dict[str, Any] = field(default_factory=dict)
    task: str = "classification"
    steps: int = 100
    batch: int = 128
    own: bool = False
    normed: bool = False

    def trials(self, rates: tuple[float, ...], seeds: int) -> dict[str, dict[float, list[TrialSpec]]]:
        """Label, learning rate -> one trial a seed."""
        base = TrialSpec(
            self.model, {"kind": "policy", "policy": "auto"}, {"kind": self.task},
            steps=self.steps, batch_size=self.batch, model_args=self.args,
        )  # fmt: skip
        made: dict[str, dict[float, list[TrialSpec]]] = {}
        for label, init in starts(own=self.own).items():
            names = tuple(one for one in (self.model, str(init.get("function", ""))) if ":" in one)
            code = code_of(label, names)
            made[label] = {
                rate: [
                    replace(base, init=init, lr=rate, seed=seed, fingerprint=code) for seed in range(seeds)
                ]
                for rate in rates
            }
        return made


def plain(family: str, depth: int, act: str) -> Cell:
    """A plain net, of a standard activation or the user-written one."""
    steps = 100 if family == "mlp" else 50
    name = f"{family}{depth}-{act}"
    if act == "written":
        return Cell(name, name_of(nets.written), {"family": family, "depth": depth}, steps=steps)
    return Cell(name, name, steps=steps)


def stripped(name: str, **changes: Any) -> Cell:
    """A standard model without its norms."""
    return Cell(f"{name}-nonorm", name_of(nets.stripped), {"name": name}, **changes)


def by_timm(name: str, size: int = 32, *, strip: bool = True, **arguments: Any) -> Cell:
    """A model of timm without its norms (or with them)."""
    given = {"name": name, "size": size, "strip": strip, **arguments}
    label = f"timm:{name}" + ("-nonorm" if strip else "")
    return Cell(label, name_of(nets.timm_model), given, steps=40, batch=64, own=True, normed=not strip)


def _others() -> Iterator[Cell]:
    yield Cell("resnet12-nonorm", "resnet12-nonorm", steps=50)
    yield Cell("resnet32-nonorm", "resnet32-nonorm", steps=50)
    yield stripped("vit6", steps=50, batch=64)
    yield Cell("unet", "unet", task="segmentation", steps=40, batch=16)
    yield Cell("fcn9", "fcn9", task="segmentation", steps=60, batch=16)
    yield Cell("detector12", "detector12", task="detection", steps=60, batch=16, own=True)
    for name in ("resnet10t", "mobilenetv3_small_050", "regnetx_002", "efficientnet_lite0", "densenet121"):
        yield by_timm(name)
    yield by_timm("convnext_atto", 48)
    yield by_timm("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=6)
    mixer = {"size": 32, "patch": 8, "blocks": 4, "width": 128}
    yield Cell("timm:mixer-nonorm", name_of(nets.mixer), mixer, steps=40, batch=64, own=True)
    yield Cell("resnet12", "resnet12", steps=50, normed=True)
    yield Cell("vit6", "vit6", steps=50, batch=64, normed=True)
    yield by_timm("resnet10t", strip=False)
    yield by_timm("mobilenetv3_small_050", strip=False)
    yield by_timm("vit_tiny_patch16_224", strip=False, img_size=32, patch_size=8, depth=6)


def long_grid() -> tuple[Cell, ...]:
    """Every cell."""
    cells = [plain(family, depth, act) for family in ("mlp", "cnn") for depth in DEPTHS for act in ACTS]
    return (*cells, *_others())


SHORT = (
    "mlp8-sigmoid", "mlp20-gelu", "mlp50-relu", "mlp50-tanh", "mlp20-written", "cnn20-relu", "cnn8-silu",
    "resnet12-nonorm", "vit6-nonorm", "unet", "fcn9", "detector12", "timm:resnet10t-nonorm", "resnet12", "vit6",
)  # fmt: skip
"""One or more cells of each family: the short form."""
CHEAPER = {"vit6-nonorm": 24, "vit6": 24, "unet": 20, "fcn9": 30, "detector12": 30, "timm:resnet10t-nonorm": 24,
           "resnet12": 30, "resnet12-nonorm": 30, "cnn20-relu": 40, "cnn8-silu": 40}  # fmt: skip
"""Steps of the dearer cells in the short form."""


def short_grid() -> tuple[Cell, ...]:
    """The cells of the short form, with fewer steps where they are dear."""
    known = {cell.name: cell for cell in long_grid()}
    return tuple(replace(known[name], steps=CHEAPER.get(name, 80)) for name in SHORT)
