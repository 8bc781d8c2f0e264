"""The decisions of policy `auto`: what each parameter should start as when no rule of the user says so.

The policy is a tuple of small decisions, tried in order; the first that answers wins. They ask what a
parameter does and what it holds, never what it or its module is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from initium.diagnose.limits import LEAST_SECOND
from initium.plan.auto.chain_starts import MIN_CHAIN, Start, starts_of
from initium.plan.auto.gated_products import NEAR_LINEAR, with_gate_biases
from initium.plan.everywhere.protection import assigned, keep, neutral, tied, untouchable
from initium.plan.records.assignment import Assignment
from initium.plan.structure.embedding_tables import (
    SMALL_VARIANCE_POSITIONS,
    padding_of,
    small_variance_positions,
    table_stds,
)
from initium.plan.structure.framework_default import TABLE_STD, is_default
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.record import Record

LEAST_GAIN = LEAST_SECOND**0.5
"""A factor below which a unit signal falls under the least second moment that is sound."""

MAX_HEAD_VARIANCE = 1.5
"""Second moment of outputs above which a head is drawn anew at unit scale, whoever chose it.

evidence: P-head-variance
"""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may look at beside its parameter.

    Args:
        record: the run.
        sound: whether the model is sound as it stands.
        starts: of the parameters on long chains, by theory.
        tables: standard deviations for embeddings of too small a variance that no norm follows.
        positions: position tables of too small a variance beside the signal that they are added to.
    """

    record: Record
    sound: bool
    starts: Mapping[str, Start] = field(default_factory=dict)
    tables: Mapping[str, float] = field(default_factory=dict)
    positions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, record: Record, *, sound: bool) -> Context:
        """With all that theory and the tables of the record say."""
        return cls(record, sound, starts_of(record), table_stds(record), small_variance_positions(record))

    @property
    def is_sound_with_norms(self) -> bool:
        """Whether the model is sound and norms set the scale of its signal, so that its weights were made for it."""
        return self.sound and self.record.graph.has_norms


Decision = Callable[[Part, ParameterInfo, Context], Assignment | None]


def _protected(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    return untouchable(part, info)


def _small_variance_embedding(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """In a model that is not sound, embeddings of too small a variance that weights take with no norm between."""
    std = context.tables.get(part.name)
    if context.sound or std is None:
        return None
    reason = "no norm follows this table, so its rows are the signal itself and start at the scale of one"
    padding = padding_of(context.record.graph, part)
    params = {"std": std} if padding is None else {"std": std, "padding": padding}
    return assigned(
        part, info, "embedding", "small-variance embedding", reason, "He+ 2015, 1502.01852", **params
    )


def _tied_for_good(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Ties stay, but for a layer of an unsound model that only serves several places in the same way."""
    if not info.tied or (context.sound and not info.written) or part.layer.kind == "embedding":
        return tied(part, info)
    uses = [use for use in context.record.uses if part.name in use.names]
    alike = len({(use.how, use.layer.kind if use.layer else "") for use in uses}) == 1
    return None if alike else tied(part, info)


def _lost_gain(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """In a model that is not sound, factors and tokens that take the signal away, with no skip or norm to help."""
    if context.sound or not info.finite:
        return None
    tiny = info.constant is not None and abs(info.constant) < LEAST_GAIN
    if part.role == "scale" and tiny and part.branch is None and part.follows:
        reason = f"no skip leads around this factor of {info.constant:.2g}, so the signal itself is multiplied by it"
        return assigned(part, info, "ones", "gain without skip", reason, "Touvron+ 2021, 2103.17239")
    small = part.role == "token" and info.second < LEAST_GAIN**2
    if small and part.follows and not any(word.startswith("norm:") for word in part.follows):
        reason = "no norm follows this token, and the signal that starts from it would be too small"
        return assigned(part, info, "normal", "small-variance token", reason, "Radford+ 2019", std=1.0)
    centred = info.constant is None and abs(info.mean) < info.std and info.peak < 1.0
    if part.role == "norm_gain" and centred and math.prod(info.shape) > 1:
        reason = "gains drawn around zero undo the norm: it should give the signal back its scale"
        return assigned(part, info, "ones", "norm gain", reason, "Ioffe+ 2015, 1502.03167")
    return None


def _position(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Positions whose variance is small beside that of the signal, and would be for many steps."""
    if part.name not in context.positions:
        return None
    reason = "positions start with the variance of the signal that they are added to"
    return assigned(part, info, "normal", SMALL_VARIANCE_POSITIONS, reason, std=1.0)


def _written(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Values that initium wrote, which other decisions would read as an author's: drawn anew, as large as they are."""
    if not info.written:
        return None
    if part.role == "position" and info.std > 2 * TABLE_STD:
        reason = "positions start with the variance of the signal that they are added to"
        return assigned(part, info, "normal", SMALL_VARIANCE_POSITIONS, reason, std=1.0)
    if part.role in ("embedding", "position", "token") and info.constant is None:
        padding = padding_of(context.record.graph, part)
        params = {"std": info.std} if padding is None else {"std": info.std, "padding": padding}
        method = "normal" if padding is None else "embedding"
        reason = "initium wrote this table: another draw of its scale"
        return assigned(part, info, method, "written before", reason, "Radford+ 2019", **params)
    return None if part.role == "bias" else neutral(part, info)


def _deliberate(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Values that an author must have chosen: zero ends, prior biases, gains, scales, tables."""
    if not info.finite or info.written:
        return None
    if part.role in ("norm_gain", "norm_shift", "scale", "position", "token", "mask"):
        return keep(part, info, "author", f"the author's value of a {part.role.replace('_', ' ')} is kept")
    if (
        info.zero
        and part.role in ("branch_end", "head", "offset", "gate")
        and not _is_whole_output(part, context)
    ):
        reason = f"a zero {part.role.replace('_', ' ')} starts the model as if it were not there"
        return keep(part, info, "zero by design", reason, "Goyal+ 2017, 1706.02677")
    if part.role == "bias" and info.constant not in (None, 0.0):
        reason = f"a constant bias of {info.constant:.4g} was chosen by the author"
        return keep(part, info, "prior bias", reason, "Lin+ 2017, 1708.02002")
    if part.role == "bias" and info.constant is None and _is_prior(part, info, context):
        reason = (
            "biases of the last layer that are not the framework's default favour some outputs on purpose"
        )
        return keep(part, info, "prior bias", reason, "Lin+ 2017, 1708.02002")
    return None


def _is_whole_output(part: Part, context: Context) -> bool:
    """Whether a weight makes the only numbers of a sample, and no norm sets the scale of the features it reads.

    With zeros there, no gradient reaches what is before it until it has moved (evidence: P-zero-heads).
    """
    nodes = context.record.graph.nodes
    vectors = all(len(nodes[node].shape) == 2 for node in part.nodes)
    return (
        part.role == "head" and part.follows == ("output",) and vectors and not context.record.graph.has_norms
    )


def _is_prior(part: Part, info: ParameterInfo, context: Context) -> bool:
    """Whether these are biases of the last layer that somebody set."""
    return part.follows == ("output",) and not is_default(part, info, context.record)


def _author_weights(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """In a sound model with norms, weights that are not the framework's default were chosen on purpose.

    Where no norm sets the signal's scale, weights do, and those of many families were chosen for models with norms.
    Heads of too large a variance do not stay.
    """
    if not context.is_sound_with_norms or not info.finite or info.constant is not None or info.written:
        return None
    if part.role == "head" and _output_variance(part, context) > MAX_HEAD_VARIANCE:
        return None
    if not is_default(part, info, context.record):
        reason = "the model is sound and this is not the framework's default, so the author chose it"
        return keep(part, info, "author", reason)
    return None


def _output_variance(part: Part, context: Context) -> float:
    """Second moment of what a weight makes, as found."""
    made = [context.record.graph.nodes[node].forward for node in part.nodes]
    return max((one.second for one in made if one is not None), default=0.0)


def _bias(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role != "bias":
        return None
    reason = "a bias adds a signal that does not depend on the input"
    return assigned(part, info, "zeros", "zero bias", reason, "He+ 2015, 1502.01852")


def _repair_vectors(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Vectors that hold nan or inf: back to the neutral value."""
    if part.layer.kind != "vector":
        return None
    method = "ones" if part.role in ("norm_gain", "scale") else "zeros"
    return assigned(part, info, method, "neutral", "it held values that are not finite")


def _embedding(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role not in ("embedding", "position", "token"):
        return None
    if info.finite and info.constant is None:
        return keep(part, info, "author", "tables keep the scale that their readers were written for")
    reason, padding = "a table must tell its rows apart", padding_of(context.record.graph, part)
    if padding is None:
        return assigned(part, info, "normal", "embedding", reason, "Radford+ 2019", std=TABLE_STD)
    return assigned(
        part, info, "embedding", "embedding", reason, "Radford+ 2019", std=TABLE_STD, padding=padding
    )


def _offset(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role != "offset":
        return None
    return assigned(
        part, info, "zeros", "zero offset", "sampling starts on the regular grid", "Dai+ 2017, 1703.06211"
    )


def _scale_free(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if not part.scale_free or part.layer.kind == "vector":
        return None
    if context.sound and info.finite and info.constant is None and not info.written:
        reason = "a norm follows and the model is sound: another scale would only change its effective learning rate"
        return keep(part, info, "before norm", reason)
    mode = "fan_out" if part.layer.kind == "conv" else "fan_in"
    reason = "a norm follows, so only its geometry and its effective learning rate matter"
    return assigned(part, info, "he_normal", "before norm", reason, "He+ 2015, 1502.01852", mode=mode)


def _attention(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role not in ("attention", "query", "key", "value"):
        return None
    reason = "queries, keys and values are drawn as the separate matrices that they are"
    return assigned(part, info, "xavier_uniform", "attention", reason, "Vaswani+ 2017, 1706.03762")


def _gate(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role != "gate":
        return None
    return assigned(
        part, info, "lecun_normal", "gate", "a gate starts half open and is not saturated", "LeCun+ 1998"
    )


def _on_chain(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Long unaided chains: the start that theory finds for the activations on them."""
    start = context.starts.get(part.name)
    if start is None:
        return None
    one = assigned(part, info, start.method, "long chain", start.reason, start.source, **start.params)
    return replace(one, target=start.target)


def _isometric(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Weights between other weights that are no simple chain: orthogonal, if no group or skip is in the way."""
    if part.layer.kind not in ("linear", "conv") or part.layer.groups > 1 or part.chain < MIN_CHAIN:
        return None
    reason = f"{part.chain} weighted operations in a row without norm or skip: orthogonal weights keep all directions"
    return assigned(part, info, "orthogonal", "unaided", reason, "Saxe+ 2013, 1312.6120")


def _head(part: Part, info: ParameterInfo, context: Context) -> Assignment:
    """Outputs of unit variance; of less where a sound model with norms has them so (evidence: P-head-target)."""
    found = _output_variance(part, context) if context.is_sound_with_norms else 0.0
    target, reason = 1.0, "outputs start at unit scale"
    if 0.0 < found < 1.0:
        target, reason = (
            found,
            "the head keeps the variance that it had: it is below 1, and the model is sound",
        )
    return replace(assigned(part, info, "lecun_normal", "head", reason, "LeCun+ 1998"), target=target)


def _plain(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role == "head":
        return _head(part, info, context)
    return assigned(
        part, info, "he_normal", "chain", "its scale is calibrated to a unit output", "He+ 2015, 1502.01852"
    )


AUTO: tuple[Decision, ...] = (
    _protected, _small_variance_embedding, _tied_for_good, _lost_gain, _position, _written, _deliberate,
    _author_weights, _on_chain, _bias, _offset, _embedding, _repair_vectors, _scale_free, _attention, _gate,
    _isometric, _plain,
)  # fmt: skip


def decided(seen: Record, ruled: Mapping[str, Assignment], *, sound: bool) -> tuple[Assignment, ...]:
    """What policy `auto` assigns before any scale is found: the user's rule, else the first decision that answers."""
    context = Context.of(seen, sound=sound)
    made = tuple(
        ruled.get(info.name) or first_decision(seen.parts[info.name], info, context)
        for info in seen.parameters
    )
    return with_gate_biases(seen, made)


def first_decision(part: Part, info: ParameterInfo, context: Context) -> Assignment:
    """The first decision of `AUTO` that answers."""
    for decision in AUTO:
        answer = decision(part, info, context)
        if answer is not None:
            return answer
    return keep(part, info, "author", "no rule speaks of it")


def without_geometry(one: Assignment, record: Record) -> Assignment:
    """The next candidate: normal weights where `auto` chose a special geometry, and positions as they were found."""
    if one.rule == SMALL_VARIANCE_POSITIONS:
        part, info = record.parts[one.name], record.parameter(one.name)
        return keep(
            part, info, "author", "positions of the variance of the signal did not make the model healthier"
        )
    if one.rule not in ("long chain", "unaided", NEAR_LINEAR):
        return one
    if one.layer.kind == "vector":
        return replace(
            one,
            method="zeros",
            params={},
            units=(),
            reason="the special geometry did not make the model healthier",
        )
    reason = "its scale is calibrated to a unit output; the special geometry did not make the model healthier"
    source = "He+ 2015, 1502.01852"
    return replace(one, method="he_normal", params={}, reason=reason, source=source, target=1.0, units=())
