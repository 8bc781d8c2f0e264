"""The model to look at and what to feed it, from the options of a verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from initium.cli.arguments import InputSpec
from initium.cli.inputs import make_inputs
from initium.cli.model import build


def subject(
    target: str,
    arguments: Mapping[str, Any],
    specs: Sequence[InputSpec],
    images: Path | None,
    *,
    noise: str | None = None,
    batch: int,
    seed: int,
    evaluate: bool,
) -> tuple[nn.Module, Any]:
    """The model that `target` names and inputs for it.

    Args:
        target: MODEL.
        arguments: keyword arguments of its factory.
        specs: shapes of the inputs.
        images: folder of images.
        noise: kind of made-up inputs; None takes photographs where the shape is that of images.
        batch: number of samples.
        seed: of the model's own weights and of random inputs.
        evaluate: whether to put the model in evaluation mode.
    """
    model = build(target, arguments, seed=seed)
    if evaluate:
        model.eval()
    return model, make_inputs(target, model, specs, images, noise=noise, batch=batch, seed=seed)
