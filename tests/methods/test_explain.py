from __future__ import annotations

from dataclasses import replace

import pytest

from initium.errors import LayerError, UnknownNameError, UsageError
from initium.methods import catalogue
from initium.methods.catalogue import CATALOGUE, find
from initium.methods.explain import (
    CARD_FIELDS,
    LANGUAGES,
    _texts,
    card,
    explain,
    is_translated,
    labels,
    read_layer,
    summary,
)
from initium.methods.method import Card
from initium.theory.layer import Layer

TRANSLATED = 105
"""Methods that are told in Chinese too."""


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("method", CATALOGUE, ids=lambda m: m.name)
def test_every_method_has_a_full_card(method, lang):
    about = card(method, lang=lang)
    assert all(len(getattr(about, field)) > 3 for field in CARD_FIELDS)
    text = explain(method.name, lang=lang)
    assert method.name in text
    assert str(method.paper) in text
    if lang == "zh" and is_translated(method, lang):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in about.meaning)
        assert method.summary not in text or method.summary == summary(method, lang="zh")
        assert not any(word in text for word in ("(at least", "(at most", "(from ", "(any)"))


def test_no_card_without_a_method_and_no_word_without_a_translation():
    """A contribution may be in English only; what is in Chinese stays so, and is so in every part."""
    names = {method.name for method in CATALOGUE}
    chinese = [method for method in CATALOGUE if is_translated(method, "zh")]
    for lang in LANGUAGES:
        for family in {method.family for method in CATALOGUE}:
            assert set(_texts(lang, family)) <= names
    assert labels("en").keys() == labels("zh").keys()
    helps = {param.help for method in chinese for param in method.params}
    assert helps <= set(_texts("zh", "helps")["helps"])
    assert _texts("zh", "summaries")["summaries"].keys() == {method.name for method in chinese}
    assert len(chinese) >= TRANSLATED


def test_a_method_in_english_only_says_so_and_is_told_in_english(monkeypatch):
    about = Card("E w^2 = 1 / fan_in", "half", "draw", "always", "never")
    alone = replace(find("he_normal"), name="half_he", family="mine", aliases=(), card=about)
    monkeypatch.setitem(catalogue._METHOD_BY_NAME, "half_he", alone)
    assert not is_translated(alone, "zh")
    assert card(alone, lang="zh") == card(alone) == about
    english, chinese = explain("half_he"), explain("half_he", lang="zh")
    note = labels("zh")["english_only"]
    assert chinese.splitlines()[1:3] == [alone.summary, note]
    assert "公式: E w^2 = 1 / fan_in" in chinese
    assert note not in english
    assert labels("en")["english_only"] not in english
    assert note not in explain("he_normal", lang="zh")
    with pytest.raises(UnknownNameError, match="half_he"):
        card(replace(alone, card=None))


def test_a_formula_is_worked_out_for_a_layer():
    text = explain("he_normal", layer="conv:3,64,7")
    assert "fan_in 147, fan_out 3136" in text
    assert "std 0.116642" in text
    assert "fan_in*E[w^2] = 2," in text
    assert "structured tensor" in explain("dirac", layer="conv:4,4,3")
    assert "std 0.125" in explain("lecun_normal", layer=Layer("linear", (192, 64), blocks=(64, 64, 64)))
    with pytest.raises(LayerError):
        explain("he_normal", layer="vector:7")


def test_ranges_are_said_in_the_language_of_the_card():
    assert "p = 0.5 (from 0 to 1): " in explain("dropout_he")
    assert "p = 0.5 (0 至 1): " in explain("dropout_he", lang="zh")
    assert "scale = 1.0 (至少 0): " in explain("variance_scaling", lang="zh")


def test_zero_says_what_it_breaks():
    assert "symmetry" in explain("zeros")
    assert "IN301" in explain("zeros", lang="zh")


def test_unknown_names_and_languages():
    with pytest.raises(UnknownNameError, match="did you mean"):
        explain("he_norma")
    with pytest.raises(UnknownNameError, match="language"):
        explain("he_normal", lang="de")


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("linear:10,20", Layer("linear", (20, 10))),
        ("conv:3,64,7", Layer("conv", (64, 3, 7, 7))),
        ("conv1d:4,8,3,groups=2", Layer("conv", (8, 2, 3), groups=2)),
        ("conv3d:4,8,3, stride=2", Layer("conv", (8, 4, 3, 3, 3), stride=(2, 2, 2))),
        (
            "conv_transpose:4,8,3,padding=1",
            Layer("conv_transpose", (4, 8, 3, 3), out_axis=1, in_axis=0, padding=(1, 1)),
        ),
        ("embedding:100,8", Layer("embedding", (100, 8), out_axis=1, in_axis=0)),
        ("vector:7", Layer("vector", (7,))),
    ],
)
def test_layers_are_read(text, layer):
    assert read_layer(text) == layer


@pytest.mark.parametrize(
    "text", ["", "linear", "linear:", "linear:1", "linear:a,b", "conv:3,64", "conv:3,64,3,stride=0", "conv:3,64,3,x=1",
             "conv4d:1,1,1", "conv:3,4,1,groups=2", "linear:-1,4", "circle:3,4"],
)  # fmt: skip
def test_wrong_layers_are_told_the_form(text):
    with pytest.raises(UsageError, match="conv:in,out,kernel"):
        read_layer(text)
