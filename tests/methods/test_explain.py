from __future__ import annotations

import pytest

from initium.errors import LayerError, UnknownNameError, UsageError
from initium.methods.catalogue import CATALOGUE
from initium.methods.explain import CARD_FIELDS, LANGUAGES, _texts, card, explain, labels, read_layer, summary
from initium.theory.layer import Layer


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("method", CATALOGUE, ids=lambda m: m.name)
def test_every_method_has_a_full_card(method, lang):
    about = card(method, lang=lang)
    assert all(len(getattr(about, field)) > 3 for field in CARD_FIELDS)
    text = explain(method.name, lang=lang)
    assert method.name in text
    assert str(method.paper) in text
    if lang == "zh":
        assert any("\u4e00" <= letter <= "\u9fff" for letter in about.meaning)
        assert method.summary not in text or method.summary == summary(method, lang="zh")
        assert not any(word in text for word in ("(at least", "(at most", "(from ", "(any)"))


def test_no_card_without_a_method_and_no_word_without_a_translation():
    names = {method.name for method in CATALOGUE}
    for lang in LANGUAGES:
        for family in {method.family for method in CATALOGUE}:
            assert set(_texts(lang, family)) <= names
    assert labels("en").keys() == labels("zh").keys()
    helps = {param.help for method in CATALOGUE for param in method.params}
    assert helps <= set(_texts("zh", "helps")["helps"])
    assert _texts("zh", "summaries")["summaries"].keys() == names


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
