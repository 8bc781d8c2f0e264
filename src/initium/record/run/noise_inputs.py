"""Inputs for a model of which only the shape of one sample is known."""

from __future__ import annotations

from torch import Tensor, nn

from initium.random.synthetic import Noise, synthetic
from initium.record.run.call import Inputs

SAMPLES = 16
"""Enough that a plan can calibrate on half of them and verify on the others."""


def with_data(model: nn.Module, inputs: object, seed: int) -> tuple[Inputs, str]:
    """(the inputs, ""), or where they are a shape, (noise of that shape, what it is).

    Args:
        model: its first floating-point parameter tells dtype and device.
        inputs: what the user gave; a torch.Size or a tuple of whole numbers above 0 is the shape of one sample. Three
            axes or more get noise with the spectrum of photographs, others a plain one; see `synthetic`.
        seed: of the noise.
    """
    if not _is_shape(inputs):
        return inputs, ""  # type: ignore[return-value]
    shape: tuple[int, ...] = tuple(inputs)  # type: ignore[arg-type]
    kind: Noise = "natural" if len(shape) > 2 else "gaussian"
    noise = synthetic(shape, batch=SAMPLES, kind=kind, seed=seed)
    note = f"no data: run on {SAMPLES} samples of {kind} noise of shape {'x'.join(map(str, shape))}"
    return _as_parameters(noise, model), note


def _is_shape(inputs: object) -> bool:
    return (
        isinstance(inputs, tuple)
        and len(inputs) > 0
        and all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in inputs)
    )


def _as_parameters(noise: Tensor, model: nn.Module) -> Tensor:
    like = next((one for one in model.parameters() if one.is_floating_point()), noise)
    return noise.to(device=like.device, dtype=like.dtype)
