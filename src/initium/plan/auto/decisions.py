"""Policies: what each parameter should start as when no rule of the user says so.

Policy `auto` is a tuple of small decisions, tried in order; the first that answers wins. They ask what a
parameter does and what it holds, never what it or its module is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from initium.diagnose.limits import LEAST_SECOND
from initium.errors import LayerError, UnknownNameError, unknown_name
from initium.methods import catalogue
from initium.methods.method import Method
from initium.plan.auto.chain_starts import DEEP, Start
from initium.plan.auto.gated_products import NEAR_LINEAR
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.structure.embedding_tables import SMALL_VARIANCE_POSITIONS, padding_of
from initium.plan.structure.framework_default import TABLE_STD, as_found, is_default
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.record import Record

POLICIES = ("auto", "shipped")
"""The policies that are no method."""
TINY_GAIN = LEAST_SECOND**0.5
"""A factor below which a unit signal falls under the least second moment that is sound."""

LOUD = 1.5
"""Second moment of outputs above which a head is drawn anew at unit scale, whoever chose it (that of timm's
mobilenetv3_small_050 starts at 4: training loss after 40 steps 1.19, at 1.4 1.00, at .4 .88)."""

OWN_BIASES = ("torch_default", "rnn_uniform")
"""Methods that are published with biases drawn like the weights; all others have zero biases."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may look at beside its parameter.

    Args:
        record: the run.
        sound: whether the model is sound as it stands.
        starts: of the parameters on long chains, by theory.
        tables: spreads of the tables that are heard too faintly as they are.
        positions: tables of positions that are heard too faintly as they are.
    """

    record: Record
    sound: bool
    starts: Mapping[str, Start] = field(default_factory=dict)
    tables: Mapping[str, float] = field(default_factory=dict)
    positions: frozenset[str] = frozenset()

    @property
    def is_settled(self) -> bool:
        """Whether the model is sound and norms set the scale of its signal, so that its weights were made for it."""
        return self.sound and self.record.graph.has_norms


Decision = Callable[[Part, ParameterInfo, Context], Assignment | None]


def _assign(
    part: Part, info: ParameterInfo, method: str, rule: str, reason: str, source: str = "", **params: object
) -> Assignment:
    layer = replace(part.layer, shape=info.shape) if part.layer.shape != info.shape else part.layer
    return Assignment(part.name, method, layer, part.role, rule, reason, dict(params), 1.0, source)  # type: ignore[arg-type]


def keep(part: Part, info: ParameterInfo, rule: str, reason: str, source: str = "") -> Assignment:
    """Leave the parameter as it is."""
    return replace(_assign(part, info, KEEP, rule, reason, source), found=as_found(part, info))


def protected(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Parameters that nothing but a rule of the user may change, with the reason; None for the others."""
    return _untouchable(part, info, context) or _tied(part, info)


def _tied(part: Part, info: ParameterInfo) -> Assignment | None:
    if not info.tied:
        return None
    reason = f"it is shared with {', '.join(info.aliases)}, and one value must serve both"
    return keep(part, info, "tied", reason)


def _faint_table(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """In a model that is not sound, embeddings that weights take as they are, with no norm between."""
    std = context.tables.get(part.name)
    if context.sound or std is None:
        return None
    reason = "no norm follows this table, so its rows are the signal itself and start at the scale of one"
    padding = padding_of(context.record.graph, part)
    params = {"std": std} if padding is None else {"std": std, "padding": padding}
    return _assign(part, info, "embedding", "faint table", reason, "He+ 2015, 1502.01852", **params)


def _tied_for_good(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Ties stay, but for a layer of an unsound model that only serves several places in the same way."""
    if not info.tied or context.sound or part.layer.kind == "embedding":
        return _tied(part, info)
    uses = [use for use in context.record.uses if part.name in use.names]
    alike = len({(use.how, use.layer.kind if use.layer else "") for use in uses}) == 1
    return None if alike else _tied(part, info)


def _untouchable(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if info.frozen:
        return keep(part, info, "frozen", "requires_grad is off, so its value is meant to stay")
    if info.loaded:
        return keep(part, info, "loaded", "it is flagged as loaded from a checkpoint")
    if part.role == "unused":
        return keep(part, info, "unused", "no operation of the run took it, so nothing is known of its part")
    if info.parametrized or (part.packed and len(info.shape) < 2):
        return keep(part, info, "parametrized", "another tensor is computed from it before use")
    if not info.finite:
        return None
    if part.role == "opaque" or part.layer.kind == "other":
        return keep(part, info, "opaque", "an operation takes it whose effect is not known")
    return None


def _lost_gain(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """In a model that is not sound, factors and tokens that take the signal away, with no skip or norm to help."""
    if context.sound or not info.finite:
        return None
    tiny = info.constant is not None and abs(info.constant) < TINY_GAIN
    if part.role == "scale" and tiny and part.branch is None and part.follows:
        reason = f"no skip leads around this factor of {info.constant:.2g}, so the signal itself is multiplied by it"
        return _assign(part, info, "ones", "gain without skip", reason, "Touvron+ 2021, 2103.17239")
    faint = part.role == "token" and info.second < TINY_GAIN**2
    if faint and part.follows and not any(word.startswith("norm:") for word in part.follows):
        reason = "no norm follows this token, and the signal that starts from it would be too small"
        return _assign(part, info, "normal", "faint token", reason, "Radford+ 2019", std=1.0)
    centred = info.constant is None and abs(info.mean) < info.std and info.peak < 1.0
    if part.role == "norm_gain" and centred and math.prod(info.shape) > 1:
        reason = "gains drawn around zero undo the norm: it should give the signal back its scale"
        return _assign(part, info, "ones", "norm gain", reason, "Ioffe+ 2015, 1502.03167")
    return None


def _position(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Positions that would take many steps to be heard beside the signal."""
    if part.name not in context.positions:
        return None
    reason = (
        "positions start at the size of the signal that they are added to, and are heard from the first step"
    )
    return _assign(part, info, "normal", SMALL_VARIANCE_POSITIONS, reason, std=1.0)


def _deliberate(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Values that an author must have chosen: zero ends, prior biases, gains, scales, tables."""
    if not info.finite:
        return None
    if part.role in ("norm_gain", "norm_shift", "scale", "position", "token", "mask"):
        return keep(part, info, "author", f"the author's value of a {part.role.replace('_', ' ')} is kept")
    if info.zero and part.role in ("branch_end", "head", "offset", "gate") and not _is_silent(part, context):
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


def _is_silent(part: Part, context: Context) -> bool:
    """Whether a zero weight makes the only numbers of a sample, and no norm tells how loud features are.

    Nothing before it can learn until it has moved (an MLP-Mixer of timm without its norms: loss 1.16 against .98).
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
    Loud heads do not stay.
    """
    if not context.is_settled or not info.finite or info.constant is not None:
        return None
    if part.role == "head" and _loudness(part, context) > LOUD:
        return None
    if not is_default(part, info, context.record):
        reason = "the model is sound and this is not the framework's default, so the author chose it"
        return keep(part, info, "author", reason)
    return None


def _loudness(part: Part, context: Context) -> float:
    """Second moment of what a weight makes, as found."""
    made = [context.record.graph.nodes[node].forward for node in part.nodes]
    return max((one.second for one in made if one is not None), default=0.0)


def _bias(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role != "bias":
        return None
    reason = "a bias adds a signal that does not depend on the input"
    return _assign(part, info, "zeros", "zero bias", reason, "He+ 2015, 1502.01852")


def _repair_vectors(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Vectors that hold nan or inf: back to the neutral value."""
    if part.layer.kind != "vector":
        return None
    method = "ones" if part.role in ("norm_gain", "scale") else "zeros"
    return _assign(part, info, method, "neutral", "it held values that are not finite")


def _embedding(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role not in ("embedding", "position", "token"):
        return None
    if info.finite and info.constant is None:
        return keep(part, info, "author", "tables keep the scale that their readers were written for")
    reason, padding = "a table must tell its rows apart", padding_of(context.record.graph, part)
    if padding is None:
        return _assign(part, info, "normal", "embedding", reason, "Radford+ 2019", std=TABLE_STD)
    return _assign(
        part, info, "embedding", "embedding", reason, "Radford+ 2019", std=TABLE_STD, padding=padding
    )


def _offset(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role != "offset":
        return None
    return _assign(
        part, info, "zeros", "zero offset", "sampling starts on the regular grid", "Dai+ 2017, 1703.06211"
    )


def _scale_free(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if not part.scale_free or part.layer.kind == "vector":
        return None
    if context.sound and info.finite and info.constant is None:
        reason = "a norm follows and the model is sound: another scale would only change its effective learning rate"
        return keep(part, info, "before norm", reason)
    mode = "fan_out" if part.layer.kind == "conv" else "fan_in"
    reason = "a norm follows, so only its geometry and its effective learning rate matter"
    return _assign(part, info, "he_normal", "before norm", reason, "He+ 2015, 1502.01852", mode=mode)


def _attention(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role not in ("attention", "query", "key", "value"):
        return None
    reason = "queries, keys and values are drawn as the separate matrices that they are"
    return _assign(part, info, "xavier_uniform", "attention", reason, "Vaswani+ 2017, 1706.03762")


def _gate(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role != "gate":
        return None
    return _assign(
        part, info, "lecun_normal", "gate", "a gate starts half open and is not saturated", "LeCun+ 1998"
    )


def _on_chain(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Long unaided chains: the start that theory finds for the activations on them."""
    start = context.starts.get(part.name)
    if start is None:
        return None
    one = _assign(part, info, start.method, "long chain", start.reason, start.source, **start.params)
    return replace(one, target=start.target)


def _isometric(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    """Weights between other weights that are no simple chain: orthogonal, if no group or skip is in the way."""
    if part.layer.kind not in ("linear", "conv") or part.layer.groups > 1 or part.chain < DEEP:
        return None
    reason = f"{part.chain} weighted operations in a row without norm or skip: orthogonal weights keep all directions"
    return _assign(part, info, "orthogonal", "unaided", reason, "Saxe+ 2013, 1312.6120")


def _head(part: Part, info: ParameterInfo, context: Context) -> Assignment:
    """Outputs of unit scale; quieter where a sound model with norms has them so.

    There unit scale lost on timm's resnet10t: .73 against .71 after 40 steps, .43 against .39 after 200.
    """
    found = _loudness(part, context) if context.is_settled else 0.0
    target, reason = 1.0, "outputs start at unit scale"
    if 0.0 < found < 1.0:
        target, reason = found, "outputs start as quiet as they were: the model is sound"
    return replace(_assign(part, info, "lecun_normal", "head", reason, "LeCun+ 1998"), target=target)


def _plain(part: Part, info: ParameterInfo, context: Context) -> Assignment | None:
    if part.role == "head":
        return _head(part, info, context)
    return _assign(
        part, info, "he_normal", "chain", "its scale is calibrated to a unit output", "He+ 2015, 1502.01852"
    )


AUTO: tuple[Decision, ...] = (
    _untouchable, _faint_table, _tied_for_good, _lost_gain, _position, _deliberate, _author_weights, _on_chain, _bias,
    _offset, _embedding, _repair_vectors, _scale_free, _attention, _gate, _isometric, _plain,
)  # fmt: skip


def auto(part: Part, info: ParameterInfo, context: Context) -> Assignment:
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
        return keep(part, info, "author", "louder positions did not make the model healthier")
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


def shipped(part: Part, info: ParameterInfo, context: Context) -> Assignment:
    """Policy `shipped`: everything as it is."""
    return keep(part, info, "shipped", "policy shipped leaves everything as it is")


def read_policy(policy: str) -> tuple[Method, dict[str, Any]]:
    """The method that a policy gives every weight, and its parameters; the error names the other policies too."""
    try:
        return catalogue.read_method(policy)
    except UnknownNameError:
        name = policy.partition(":")[0]
        raise unknown_name("policy", name, [*POLICIES, *catalogue.names()]) from None


def everywhere(method: str) -> Callable[[Part, ParameterInfo, Context], Assignment]:
    """The policy that gives every weight one method, and zero to biases that hold the framework's default.

    What the method cannot serve is kept, with the reason.
    """
    found, params = read_policy(method)
    found.resolve(**params)

    def policy(part: Part, info: ParameterInfo, context: Context) -> Assignment:
        kept = protected(part, info, context)
        if kept is not None:
            return kept
        unset = part.role == "bias" and (info.meta or is_default(part, info, context.record))
        if unset and found.name not in OWN_BIASES:
            reason = "the method is published with zero biases, and these are the framework's default or not set yet"
            return _assign(part, info, "zeros", f"policy {found.name}", reason, str(found.paper))
        if part.layer.kind == "vector":
            return keep(part, info, "not a weight", f"policy {found.name} is for weights")
        answer = _assign(
            part,
            info,
            found.name,
            f"policy {found.name}",
            "the policy gives every weight this method",
            str(found.paper),
            **params,
        )
        try:
            answer.draw()
        except LayerError as error:
            return keep(part, info, "cannot serve", f"{found.name} cannot serve it: {error.seen}")
        return answer

    return policy
