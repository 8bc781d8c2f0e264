"""The bias of a head from data: a rule that lets the first prediction be how often each class occurs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from initium.errors import UsageError, unknown_name
from initium.methods.families.heads import class_biases
from initium.plan.head_prior.class_counts import Counts, counts_of, given
from initium.plan.recipes.tape_words import Traits
from initium.plan.records.rules import RecordPredicate, Rule
from initium.record.graph.roles import Part
from initium.record.record import Record

LOSSES = ("softmax", "sigmoid", "focal")


@dataclass(frozen=True, slots=True)
class HeadBias(RecordPredicate):
    """Says of a parameter whether it is the bias of a head for so many classes; asked by what the run shows.

    Args:
        size: elements of the bias.
        heads: biases of weights that no other weight reads, once a record has been seen.
    """

    size: int
    heads: frozenset[str] = frozenset()

    @property
    def __name__(self) -> str:
        return f"head bias of {self.size} classes"

    def on(self, seen: Record) -> HeadBias:
        """The same, knowing the heads of a record."""
        traits = Traits(seen)
        final = {name for name, words in traits.words.items() if "final" in words}
        return replace(
            self, heads=frozenset(name for name in traits.words if final & set(traits.owners(name)))
        )

    def __call__(self, part: Part) -> bool:
        """Whether `part` is such a bias."""
        return part.name in self.heads and math.prod(part.layer.shape) == self.size

    def nothing(self, parts: Sequence[Part]) -> UsageError:
        """The error for a model without such a bias."""
        heads = [f"{part.name} {part.layer.shape}" for part in parts if part.name in self.heads]
        without = [part.name for part in parts if part.role == "head"]
        shown = f"biases of last layers: {', '.join(heads[:6]) or 'none'}"
        if without and not heads:
            shown += f"; heads without a bias of their own: {', '.join(without[:6])}"
        return UsageError(
            f"class_prior found no bias of {self.size} classes; {shown}",
            expected=f"a head that puts out {self.size} values and has a bias",
            remedy='name it by where="head.cls.bias", with copies= for several anchors; or check num_classes',
        )


def class_prior(
    labels: object = None,
    *,
    counts: Sequence[float] | None = None,
    total: float | None = None,
    where: str | None = None,
    loss: Literal["softmax", "sigmoid", "focal"] = "softmax",
    num_classes: int | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    copies: int = 1,
) -> Rule:
    """A rule for the bias of a head: its first prediction is how often each class occurs.

    softmax: b_c = ln p_c, so with small weights the first cross-entropy is the entropy of the classes.
    sigmoid, focal: b_c = -ln((1 - p_c) / p_c), p_c the share of samples (pixels, anchors) that show class c.
    With smoothing s and n_c of N: p_c = (n_c + s) / (N + s C) for softmax, (n_c + s) / (N + 2 s) for the others.

    Args:
        labels: class numbers as a tensor or list of any shape; (samples, classes) floats for several classes at once; a
            mapping class -> count; a data set; or a loader of (inputs, labels), of dicts, or of detection targets.
        counts: how often each class occurs, in the order of the head, in place of labels.
        total: samples that the counts are of, where a sample may show several classes; their sum by default.
        where: the bias, as in `Rule`; by default every bias of this size whose output no weight reads.
        loss: what the head is trained with.
        num_classes: outputs of the head; by default one more than the largest class number.
        smoothing: added to every count, so that a class never seen gets a finite bias.
        ignore_index: class number that is not counted.
        copies: the classes repeat so often in the bias, class fastest (anchors of a detector).

    Raises:
        UsageError: wrong counts, class numbers out of range, no labels; a class never seen (or, for sigmoid, in every
            sample) without smoothing. When the plan is made: no such bias.
        UsageTypeError: labels of a kind that holds none.

    Example:
        >>> import torch, initium
        >>> rule = initium.class_prior(torch.tensor([0] * 90 + [1] * 10))
        >>> [round(b, 3) for b in torch.tensor(rule.params["frequencies"]).log().tolist()]
        [-0.105, -2.303]
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
        >>> initium.init_(net, torch.randn(16, 8), rules=[rule]).verdict
        'healthy'
        >>> [round(b, 3) for b in net[2].bias.tolist()]
        [-0.105, -2.303]

    Reference: Lin et al. (2017), arXiv:1708.02002, section 4.1.
    """
    if loss not in LOSSES:
        raise unknown_name("loss of class_prior", str(loss), LOSSES)
    if (labels is None) == (counts is None):
        raise UsageError(
            "class_prior with both labels and counts"
            if counts is not None
            else "class_prior without labels or counts",
            expected="one of the two",
            remedy="write class_prior(labels) or class_prior(counts=[900, 100])",
        )
    found = (
        given(counts, total)
        if counts is not None
        else counts_of(labels, num_classes=num_classes, ignore_index=ignore_index)
    )
    if num_classes is not None and len(found.counts) != num_classes:
        raise UsageError(
            f"{len(found.counts)} class counts for {num_classes} classes",
            expected="one count for each class",
            remedy="pass as many counts as the head has outputs",
        )
    shares = _shares(found, loss, smoothing)
    class_biases(shares, loss=loss)  # a class never seen is an error here, not when the plan is drawn
    place = HeadBias(len(shares) * copies) if where is None else where
    return Rule(where=place, method="class_prior", frequencies=shares, loss=loss, copies=copies)


def _shares(found: Counts, loss: str, smoothing: float) -> tuple[float, ...]:
    if not 0 <= smoothing < math.inf:
        raise UsageError(
            f"smoothing = {smoothing!r}", expected="a number of at least 0", remedy="pass smoothing=1"
        )
    single = loss == "softmax"
    whole = sum(found.counts) + smoothing * len(found.counts) if single else found.total + 2 * smoothing
    return tuple((count + smoothing) / whole for count in found.counts)
