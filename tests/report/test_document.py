from __future__ import annotations

import pytest

from initium.report.document import Code, Figure, Mark, Prose, Section, Table


def test_a_column_of_numbers_is_numeric_whatever_its_marks():
    table = Table(["a", "b", "c", "d"], [[1, "x", None, True], [Mark(2.5, "good"), 3, None, False]])
    assert [table.numeric(i) for i in range(4)] == [True, False, False, False]


def test_rows_have_a_cell_for_each_column():
    with pytest.raises(AssertionError, match="too few or too many"):
        Table(["a", "b"], [[1]])


def test_markup_from_elsewhere_is_no_figure():
    with pytest.raises(AssertionError, match="charts"):
        Figure("<svg onload='alert(1)'/>")


def test_a_body_is_text_or_a_block_or_several():
    assert (Prose("x"),) == Section("t", "x").blocks
    assert (Code("x"),) == Section("t", Code("x")).blocks
    assert (Code("x"), Prose("y")) == Section("t", [Code("x"), Prose("y")]).blocks
