"""What the arguments of the command line mean, before anything is imported: shapes, names and values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import click

from initium.keywords import keyword as keyword
from initium.keywords import keywords as keywords


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model.

    Args:
        shape: of one sample, without the batch.
        below: for whole numbers (token ids): one more than the largest; None for real numbers.
    """

    shape: tuple[int, ...]
    below: int | None = None

    @staticmethod
    def parse(text: str) -> InputSpec:
        """Reads `3x224x224`, `128` or `128@30522`.

        >>> InputSpec.parse("3x32x32"), InputSpec.parse("128@1000")
        (InputSpec(shape=(3, 32, 32), below=None), InputSpec(shape=(128,), below=1000))
        """
        found = re.fullmatch(r"(\d+(?:x\d+)*)(?:@(\d+))?", text.strip().lower(), re.ASCII)
        if found is None:
            raise ValueError(text)
        spec = InputSpec(
            tuple(int(size) for size in found[1].split("x")), int(found[2]) if found[2] else None
        )
        if 0 in spec.shape or spec.below == 0:
            raise ValueError(text)
        return spec


class InputType(click.ParamType[InputSpec]):
    """Click's type of `--input`."""

    name = "SHAPE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> InputSpec:
        """The shape, or a usage error."""
        if isinstance(value, InputSpec):
            return value
        try:
            return InputSpec.parse(value)
        except ValueError:
            self.fail(
                f"{value!r} is no shape. Expected the sizes of one sample, such as 3x224x224 for an image, 128 for "
                "a vector, 128@30522 for 128 whole numbers below 30522 (token ids).",
                param,
                ctx,
            )
