"""Image classification: one class a picture, cross-entropy, accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from initium.errors import UsageError
from initium.study.tasks.goals.outputs import main_tensor
from initium.study.tasks.samples import Batch
from initium.study.tasks.task import Scores


@dataclass(frozen=True)
class Classification:
    """Targets are class numbers (N,); a model returns logits (N, K)."""

    kind: str = "classification"
    metric: str = "accuracy"

    def outputs(self, num_classes: int) -> int:
        """One logit a class."""
        return num_classes

    def ceiling(self, num_classes: int) -> float:
        """Twice ln K."""
        return 2.0 * math.log(max(2, num_classes))

    def run(self, model: nn.Module, batch: Batch) -> Any:
        """The plain call."""
        return model(batch.inputs)

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """Mean cross-entropy; ln K for a model that knows nothing."""
        return F.cross_entropy(main_tensor(output).float(), batch.targets)

    def check_output(self, output: Any, batch: Batch, num_classes: int) -> None:
        """Raises UsageError unless the output is (N, K)."""
        shape, expected = tuple(main_tensor(output).shape), (len(batch.inputs), num_classes)
        if shape != expected:
            raise UsageError(
                f"the model's output has shape {shape}",
                expected=f"{expected}: one logit for each of {num_classes} classes",
                remedy=f"give the last layer {num_classes} outputs",
            )

    def score(self, model: nn.Module, batches: Iterator[Batch], num_classes: int) -> Scores:
        """Share of pictures whose largest logit is the right one."""
        right = total = 0
        loss = 0.0
        for batch in batches:
            output = self.run(model, batch)
            self.check_output(output, batch, num_classes)
            logits = main_tensor(output).float()
            right += int((logits.argmax(dim=1) == batch.targets).sum())
            loss += float(F.cross_entropy(logits, batch.targets, reduction="sum"))
            total += len(batch.targets)
        return Scores(right / total, loss / total)
