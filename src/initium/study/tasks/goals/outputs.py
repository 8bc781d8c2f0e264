"""The tensor that counts among what a model returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from initium.errors import UsageError

OUTPUT_KEYS = ("logits", "out")
"""Names that transformers' and torchvision's models give to their main output."""


def main_tensor(output: Any) -> Tensor:
    """The output itself, its `logits` or `out`, or the first of several; auxiliary heads are left out.

    Raises:
        UsageError: there is no tensor.
    """
    if isinstance(output, Tensor):
        return output
    for key in OUTPUT_KEYS:
        found = output.get(key) if isinstance(output, Mapping) else getattr(output, key, None)
        if isinstance(found, Tensor):
            return found
    if isinstance(output, (list, tuple)) and output and isinstance(output[0], Tensor):
        return output[0]
    raise UsageError(
        f"the model returned a {type(output).__name__}",
        expected="a tensor, a record with `logits` or `out`, or a tuple that starts with a tensor",
        remedy="wrap the model so that it returns the tensor that is to be trained",
    )
