"""The vocabulary of recipes: every word that a line may use, and what it says of a parameter."""

from __future__ import annotations

from typing import get_args

from initium.record.graph.roles import Role
from initium.theory.layer import Kind

LAYER_KINDS = frozenset(get_args(Kind))
ROLE_WORDS = frozenset(get_args(Role)) - {"weight"}

SEEN = {
    "matrix": "a weight: anything but a bias, a gain, a scale or a token",
    "packed": "queries, keys and values in one weight",
    "reads_input": "no weight and no table stands before it",
    "reads_attention": "it reads what attention has mixed",
    "feedforward": "it lies on a residual branch without attention",
    "on_branch": "it lies on a residual branch",
    "writes": "the last weight of a residual branch, whose output is added to the stream",
    "before_trunk": "residual additions come after it",
    "final": "no weight reads what comes of it",
    "paired": "another final weight reads the same value",
    "mixes": "through a softmax of its own it weighs other values",
    "sigmoid_score": "its values are compared with labels through a sigmoid",
    "softmax_score": "its values are compared with labels through a softmax",
    "tower": "a convolution called at several places, or read by final convolutions alone",
    "in_region": "it reads what was cut out of a feature map",
    "lateral": "a convolution that is added to an upsampled map, or is upsampled and added to one",
    "pyramid": "a convolution that reads such a sum, or carries it on to coarser maps",
    "last_gain": "the gain of a norm whose output is added to the stream",
    "layer_norm": "it belongs to a norm over the channels of one place",
    "folded": "multiplied into a weight before that is used",
    "scalar": "a single number",
    "sampling_offsets": "it says where attention samples a map",
    "sampled": "attention samples its output at free positions",
    "reads_samples": "it reads what attention has sampled",
}
"""Words beside the roles and the kinds of layer."""

WORDS = LAYER_KINDS | ROLE_WORDS | frozenset(SEEN)


def unknown(word: str) -> bool:
    """Whether the word, without `!`, is none of the vocabulary."""
    return word.removeprefix("!") not in WORDS


def holds(where: str, words: frozenset[str]) -> bool:
    """Whether every word of `where` holds; `!` in front means not, `|` between means either.

    Example:
        >>> holds("matrix !depthwise conv|linear", frozenset({"matrix", "conv"}))
        True
    """
    return all(any(_one(option, words) for option in term.split("|")) for term in where.split())


def _one(word: str, words: frozenset[str]) -> bool:
    return word[1:] not in words if word.startswith("!") else word in words
