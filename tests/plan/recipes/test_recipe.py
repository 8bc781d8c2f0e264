"""A recipe's record checks what it is given when it is written."""

from __future__ import annotations

import pytest

from initium.errors import UnknownNameError, UsageError
from initium.methods.catalogue import find
from initium.plan.recipes.recipe import Line, Measured, Recipe, Start, start


def test_a_start_tells_fixed_from_measured():
    one = start(
        "fixup", num_blocks=Measured("branches"), fans="torch", branch_layers=Measured("branch_weights")
    )
    assert one == Start("fixup", one.params)
    assert one.fixed == {"fans": "torch"}
    assert {key: taken.what for key, taken in one.measured.items()} == {
        "num_blocks": "branches", "branch_layers": "branch_weights",
    }  # fmt: skip


def test_a_start_is_checked_by_its_method():
    start("normal", std=0.02)
    with pytest.raises(UsageError, match="std"):
        start("normal", std=-0.02)
    with pytest.raises(UnknownNameError, match="did you mean std"):
        start("normal", sdt=0.02)
    with pytest.raises(UnknownNameError, match="parameter of normal"):
        start("normal", depth=Measured("layers"))
    with pytest.raises(UnknownNameError, match="nromal"):
        start("nromal")


def test_every_alias_is_a_method():
    assert find(start("kaiming_normal").method).name == "he_normal"


@pytest.mark.parametrize("where", ["conv", "conv|linear final", "matrix !in_region conv|!linear"])
def test_words_that_exist(where):
    assert Line(where, None).start is None


@pytest.mark.parametrize(
    ("where", "wrong"), [("konv", "konv"), ("conv !finale", "finale"), ("conv|liner", "liner")]
)
def test_words_that_do_not(where, wrong):
    with pytest.raises(UnknownNameError, match=wrong):
        Line(where, start("zeros"))


def test_a_recipe_has_lines():
    line = Line("conv", start("zeros"))
    assert Recipe("a", "general", "", "", (line,)).lines == (line,)
    with pytest.raises(UsageError, match="'a' has no lines"):
        Recipe("a", "general", "", "", ())
