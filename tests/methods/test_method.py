from __future__ import annotations

import re

import pytest

from initium.errors import LayerError, UnknownNameError, UsageError
from initium.methods.catalogue import CATALOGUE, find
from initium.methods.method import Method, Paper, Param
from initium.random.distributions import Blocks, Constant, Normal
from initium.testing import SAMPLE_LAYERS
from initium.theory.layer import Layer

PAPER = Paper("Somebody", 2026, "A title", "2601.00001")


def width(layer, *, scale):
    return Normal(0.0, scale / layer.num_out)


MINE = Method(
    "mine", "mine", "By width.", (Param("scale", 1.0, "a factor", low=0.0),), ("linear",), PAPER, width
)


def test_a_method_of_ones_own():
    assert MINE(Layer("linear", (4, 2)), scale=2) == Normal(0.0, 0.5)
    assert str(PAPER) == "Somebody (2026), A title, arXiv:2601.00001"


def test_blocks_are_drawn_each_on_its_own():
    draw = MINE(Layer("linear", (2, 6), out_axis=1, in_axis=0, blocks=(1, 5)))
    assert draw == Blocks(1, (1, 5), (Normal(0.0, 1.0), Normal(0.0, 0.2)))
    assert find("zeros")(Layer("linear", (6, 2), blocks=(3, 3))) == Constant(0.0)


def test_other_kinds_are_refused_with_the_nearest_method():
    with pytest.raises(LayerError) as refused:
        find("he_normal")(Layer("vector", (5,)))
    text = str(refused.value)
    assert "he_normal for a weight of kind vector and shape (5,)" in text
    assert "use zeros, ones or constant" in text


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"mode": "fan_on"}, "did you mean fan_in"),
        ({"moed": "fan_in"}, "did you mean mode"),
        ({"gain": -1}, "at least 0"),
        ({"gain": "2"}, "a number"),
        ({"gain": float("nan")}, "a finite number"),
        ({"gain": True}, "a number"),
        ({"convention": 3}, "convention of he_normal"),
        ({"nonlinearity": "gelo"}, "did you mean gelu"),
        ({"nonlinearity": "gelu", "a": 0.1}, "leaky_relu"),
    ],
)
def test_wrong_parameters_say_what_would_be_right(params, match):
    with pytest.raises(UsageError, match=match) as wrong:
        find("he_normal")(Layer("linear", (4, 4)), **params)
    assert wrong.value.remedy


def test_values_at_their_bounds_are_taken():
    assert find("he_normal").resolve(gain=0.0)["gain"] == 0.0
    assert find("centred_orthogonal").resolve(centring=1.0)["centring"] == 1.0
    with pytest.raises(UsageError, match="from 0 to 1"):
        find("centred_orthogonal").resolve(centring=1.01)


def test_values_become_plain_python():
    resolved = find("layer_scale").resolve(num_blocks=24.0)
    assert resolved == {"num_blocks": 24, "value": None}
    assert type(resolved["num_blocks"]) is int
    assert find("class_prior").resolve(frequencies=[1, 2])["frequencies"] == (1.0, 2.0)
    with pytest.raises(UsageError, match="whole number"):
        find("layer_scale").resolve(num_blocks=1.5)
    with pytest.raises(UsageError, match="True or False"):
        find("gpt2").resolve(residual=1)
    with pytest.raises(UsageError, match="a sequence"):
        find("class_prior").resolve(frequencies=3)
    with pytest.raises(UsageError, match="a name"):
        find("he_normal").resolve(nonlinearity=3)


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (Param("x", 1.0, "h"), "any"),
        (Param("x", 1.0, "h", low=0), "at least 0"),
        (Param("x", 1.0, "h", high=2), "at most 2"),
        (Param("x", 1.0, "h", low=0, high=2), "from 0 to 2"),
        (Param("x", "a", "h", choices=("a", "b")), "a | b"),
    ],
)
def test_ranges_in_words(param, text):
    assert param.range == text


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("lsuv", "a batch of inputs"),
        ("metainit", "gradients"),
        ("autoinit", "the whole model"),
        ("inflation", "weights"),
    ],
)
def test_methods_of_more_than_a_layer_say_so(name, need):
    with pytest.raises(UsageError, match=need) as wrong:
        find(name)(Layer("linear", (4, 4)))
    assert f"initium explain {name}" in wrong.value.remedy


@pytest.mark.parametrize("name", ["dks", "net2net", "ghn", "unit_scaling", "ntk"])
def test_what_is_left_out_says_why(name):
    with pytest.raises(UsageError, match="not built"):
        find(name)(Layer("linear", (4, 4)))


def test_empty_layers_and_empty_fans():
    assert find("he_normal")(Layer("linear", (4, 0))) == Constant(0.0)
    assert find("orthogonal")(Layer("linear", (0, 4))) == Constant(0.0)
    assert find("torch_default")(Layer("linear", (4, 0))).high == 0


def test_slopes_of_leaky_relu():
    layer = Layer("linear", (4, 50))
    assert find("he_normal")(layer, a=0.5).std ** 2 * 50 == pytest.approx(2 / 1.25)
    leaky = find("he_normal")(layer, nonlinearity="leaky_relu", a=0.5, convention="centred").std ** 2 * 50
    assert leaky == pytest.approx(1 / (0.625 - 0.25 / (2 * 3.141592653589793)))
    with pytest.raises(UnknownNameError):
        find("he_normal")(layer, nonlinearity="nothing")


@pytest.mark.parametrize("method", [m for m in CATALOGUE if m.draw], ids=lambda m: m.name)
def test_what_a_refusal_names_can_serve_the_layer(method):
    """Of the methods in the remedy at least one takes the very layer that was refused."""
    for layer in SAMPLE_LAYERS:
        refused = refusal(method, layer)
        if refused is not None:
            words = re.findall(r"[a-z_0-9]+", refused.remedy)
            named = [one for one in CATALOGUE if one.name in words and one.draw]
            parameters = [word for word in words if word + "=" in refused.remedy]
            assert parameters or any(refusal(one, layer) is None for one in named), f"{refused} for {layer}"


def refusal(method, layer):
    try:
        method(layer)
    except LayerError as error:
        return error
    return None
