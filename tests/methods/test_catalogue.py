from __future__ import annotations

import collections
import inspect
from importlib import resources

import pytest

from initium.errors import UnknownNameError
from initium.methods.catalogue import CATALOGUE, find, methods
from initium.theory.gains import activation

FAMILIES = {
    file.name.removesuffix(".py")
    for folder in ("initium.methods", "initium.methods.families")
    for file in resources.files(folder).iterdir()
}


def test_names_and_aliases_are_one_to_one():
    names = [name for method in CATALOGUE for name in (method.name, *method.aliases)]
    assert [name for name, count in collections.Counter(names).items() if count > 1] == []
    assert all(
        find(name).name == method.name for method in CATALOGUE for name in (method.name, *method.aliases)
    )
    assert methods() == CATALOGUE


NUMBERS = """
lecun_normal xavier_normal xavier_uniform he_normal torch_default rnn_uniform variance_scaling
truncated_normal numeric_gain dropout_he random_walk asv critical hanin_rolnick taki tanh_fixed_point
lecun_normal nguyen_widrow sparse embedding orthogonal scaled_orthogonal delta_orthogonal conv_orthogonal
mirrored risotto conv_aware identity equivariant_he sinusoidal zero_gamma fixup skip_init rezero layer_scale
scaled_standardized weight_norm_he t_fixup dt_fixup admin deepnorm magneto gpt2 small_init wang mitchell
depth_scaled zero_hadamard idinit scaled_embedding packed_xavier vit_jax mimetic impulse_attention
conv_covariance impulse_filter efficientnet icnr bilinear zeros deformable_offsets inflation input_adaptation
focal_prior heatmap_prior yolo_prior class_prior detection_head zero_head zero_conv lsuv kraehenbuehl
weight_norm_data metainit gradinit nio autoinit dks weight_selection net2net ghn mup unit_scaling ntk ngpt
siren fourier_features hyperfan complex_normal irnn s4d variance_scaling
"""  # the methods of the reference table, 1 to 92


@pytest.mark.parametrize("name", ["kaiming_normal_", "He-Normal", "GLOROT_UNIFORM", " xavier_uniform "])
def test_names_are_read_kindly(name):
    assert find(name).family == "variance_scaling"


def test_an_unknown_name_is_told_its_neighbours():
    with pytest.raises(UnknownNameError, match="did you mean he_normal"):
        find("he_norml")


def test_the_catalogue_can_be_searched():
    assert {method.name for method in methods(family="mirrored")} == {"mirrored", "risotto"}
    assert {method.name for method in methods(needs="gradient")} == {"metainit", "gradinit", "nio"}
    for_tanh = {method.name for method in methods(activation="tanh")}
    assert {"delta_orthogonal", "tanh_fixed_point", "orthogonal"} <= for_tanh
    assert not {"he_normal", "mirrored", "dks"} & for_tanh
    assert methods(activation="swish") == methods(activation="silu")
    assert methods(family="signal_propagation", activation="sin") == tuple(
        find(name) for name in ("numeric_gain", "critical")
    )
    for wrong in ({"family": "mirrord"}, {"needs": "date"}, {"activation": "rellu"}):
        with pytest.raises(UnknownNameError, match="did you mean"):
            methods(**wrong)


@pytest.mark.parametrize("method", CATALOGUE, ids=lambda m: m.name)
def test_records_are_complete(method):
    assert method.family in FAMILIES
    assert method.summary.endswith((".", ")."))
    assert method.paper.year >= 1986
    for name in method.activations:
        assert activation(name)
    if method.draw is None:
        assert method.needs != "shape"
        return
    taken = set(inspect.signature(method.draw).parameters) - {"layer"}
    assert taken == {param.name for param in method.params}


@pytest.mark.parametrize("method", [m for m in CATALOGUE if m.draw], ids=lambda m: m.name)
def test_docstrings_name_their_source(method):
    if method.family != "constant" and method.name not in ("he_uniform", "lecun_uniform", "dirac"):
        text = inspect.getdoc(method.draw) or ""
        own = ("torch_default", "variance_scaling")  # torch's code, and the primitive behind the others
        assert "Reference:" in text or method.name in own


def test_all_92_published_methods_have_a_place():
    """The numbers of the reference table, each with the record (and parameters) that answers it."""
    table = NUMBERS.split()
    assert len(table) == 92
    assert all(find(name) for name in table)
