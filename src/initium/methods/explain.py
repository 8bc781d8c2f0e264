"""The card of a method as text, with its formula worked out for a layer."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

from initium.errors import UsageError, unknown_name
from initium.methods.catalogue import find
from initium.methods.effect import effect
from initium.methods.kit.law import law
from initium.methods.method import Card, Method
from initium.random.distributions import Blocks
from initium.theory.fans import fans
from initium.theory.layer import Layer

LANGUAGES = ("en", "zh")
CARD_FIELDS = ("formula", "meaning", "procedure", "strengths", "weaknesses")


def explain(name: str, *, lang: str = "en", layer: Layer | str | None = None) -> str:
    """The card of method `name` as text: formula, meaning, procedure, strengths, weaknesses.

    Args:
        name: a method or one of its aliases.
        lang: "en" or "zh".
        layer: a layer, or a text such as "conv:3,64,7" (see `read_layer`), to work the formula out for.

    A method without a card in that language is told in English, with a line that says so.

    Raises:
        UnknownNameError: no such method or language.
        LayerError: the method cannot serve the layer.
    """
    method, words = find(name), labels(lang)
    about = card(method, lang=lang)
    lines = [
        f"{method.name}  ({words['left_out'] if method.left_out else method.family})",
        summary(method, lang=lang),
        *([] if is_translated(method, lang) else [words["english_only"]]),
        "",
    ]
    for field in CARD_FIELDS:
        lines.append(f"{words[field]}: {getattr(about, field)}")
        if field == "formula" and layer is not None:
            lines.append(_worked(method, layer, words))
    return "\n".join([*lines, "", *_facts(method, words, lang)])


def card(method: Method, *, lang: str = "en") -> Card:
    """The five texts about `method`; those in English where there are none in that language."""
    texts = _texts(lang, method.family)
    if method.name not in texts:
        if lang != "en":
            return card(method)
        if method.card is None:
            raise unknown_name("card", method.name, texts)
        return method.card
    return Card(**{field: texts[method.name][field].strip() for field in CARD_FIELDS})


def summary(method: Method, *, lang: str = "en") -> str:
    """What `method` is, in one line; in English where there is none in that language."""
    told = {} if lang == "en" else _texts(lang, "summaries")["summaries"]
    return told.get(method.name, method.summary)


def is_translated(method: Method, lang: str) -> bool:
    """Whether the card and the summary are there in that language."""
    return lang == "en" or (
        method.name in _texts(lang, method.family) and method.name in _texts(lang, "summaries")["summaries"]
    )


def labels(lang: str) -> dict[str, str]:
    """The headings in language `lang`."""
    return _texts(lang, "labels")["labels"]


@functools.cache
def _texts(lang: str, family: str) -> dict[str, dict[str, str]]:
    if lang not in LANGUAGES:
        raise unknown_name("language", lang, LANGUAGES)
    file = resources.files("initium.methods.cards") / lang / f"{family}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _worked(method: Method, layer: Layer | str, words: dict[str, str]) -> str:
    """One line: the fans of the layer and the draw that the method gives for it."""
    geometry = read_layer(layer) if isinstance(layer, str) else layer
    draw, both = method(geometry), fans(geometry)
    shape = "x".join(str(n) for n in geometry.shape)
    text = f"  {words['here']} {geometry.kind} {shape}: fan_in {both.fan_in:g}, fan_out {both.fan_out:g}"
    shown = draw.draws[0] if isinstance(draw, Blocks) else draw
    known = law(draw)
    if known is None:
        return f"{text}; {words['structured']}{_effect(method, geometry, words)}"
    kind = type(shown).__name__
    text += f"; {kind}, {words['mean']} {known.mean:.6g}, {words['std']} {known.std:.6g}"
    forward, backward = (fan * (known.var + known.mean**2) for fan in (both.fan_in, both.fan_out))
    return f"{text}; fan_in*E[w^2] = {forward:.4g}, fan_out*E[w^2] = {backward:.4g}"


def _effect(method: Method, layer: Layer, words: dict[str, str]) -> str:
    stated = effect(method, layer)
    if stated is None:
        return ""
    both = f"{words['forward']} {stated.forward:.4g}, {words['backward']} {stated.backward:.4g}"
    return f"; {words['mean_square']}: {both}"


def _facts(method: Method, words: dict[str, str], lang: str) -> list[str]:
    helps = _texts(lang, "helps")["helps"] if lang != "en" else {}
    lines = [f"{words['parameters']}:"] if method.params else []
    lines += [
        f"  {p.name} = {p.default} ({p.range_in(helps)}): {helps.get(p.help, p.help)}" for p in method.params
    ]
    if method.layers:
        lines.append(f"{words['layers']}: {', '.join(method.layers)}")
    if method.activations:
        lines.append(f"{words['activations']}: {', '.join(method.activations)}")
    lines.append(f"{words['needs']}: {words[method.needs]}")
    if method.aliases:
        lines.append(f"{words['aliases']}: {', '.join(method.aliases)}")
    return [*lines, f"{words['source']}: {method.paper}"]


def read_layer(text: str) -> Layer:
    """A layer from a short text.

    `linear:in,out`, `embedding:rows,width`, `vector:size`, `conv:in,out,kernel` (2-d; `conv1d:`,
    `conv3d:`, `conv_transpose:` likewise), followed by any of `stride=2`, `groups=8`, `padding=1`.

    Example:
        >>> read_layer("conv:3,64,7,stride=2").shape
        (64, 3, 7, 7)
    """
    kind, _, rest = text.partition(":")
    words = [word.strip() for word in rest.split(",")]
    try:
        sizes = [int(word) for word in words if "=" not in word]
        options = {key: int(value) for key, _, value in (w.partition("=") for w in words if "=" in w)}
        return _layer(kind.strip(), sizes, options)
    except (ValueError, KeyError, ZeroDivisionError) as error:  # no number, no such option, groups=0
        raise UsageError(
            f"layer {text!r}",
            expected="linear:in,out | conv:in,out,kernel[,stride=2][,groups=8] | conv_transpose:... | "
            "embedding:rows,width | vector:size",
            remedy="for example conv:3,64,7",
        ) from error


def _layer(kind: str, sizes: list[int], options: dict[str, int]) -> Layer:
    known = {"stride": 1, "groups": 1, "dilation": 1, "padding": 0}
    if min(sizes) < 0 or any(value < known[key] for key, value in options.items()):
        raise ValueError(kind)
    if kind == "vector":
        return Layer("vector", tuple(sizes))
    first, second, *sides = sizes
    if kind in ("linear", "embedding"):
        flip = kind == "embedding"
        shape = (first, second) if flip else (second, first)
        return Layer("embedding", shape, out_axis=1, in_axis=0) if flip else Layer("linear", shape)
    transposed = kind.startswith("conv_transpose")
    (side,) = sides
    dims = {"": 2, "1d": 1, "2d": 2, "3d": 3}[kind.removeprefix("conv_transpose" if transposed else "conv")]
    groups = options.pop("groups", 1)
    if first % groups or second % groups:
        raise ValueError(groups)
    pair = (first, second // groups) if transposed else (second, first // groups)
    axes = {"out_axis": 1, "in_axis": 0} if transposed else {}
    spread = {key: (value,) * dims for key, value in options.items()}
    sides = [side] * dims
    kind = "conv_transpose" if transposed else "conv"
    return Layer(kind, (*pair, *sides), groups=groups, **axes, **spread)  # type: ignore[arg-type]
