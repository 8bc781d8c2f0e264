"""What a report says of predictions: every number is one of the bars'."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.nets import mlp, noise
from torch import nn

from initium import record
from initium.predict.prediction import Predicted, predict
from initium.predict.view import predicted_section
from initium.report import Facts, Figure, Table


def bars() -> tuple[Predicted, ...]:
    torch.manual_seed(0)
    return predict(record(mlp(4, 64, nn.ReLU), noise(16, 64)))


def facts(found: tuple[Predicted, ...]) -> dict[str, object]:
    (section,) = predicted_section(found)
    (block,) = [block for block in section.blocks if isinstance(block, Facts)]
    return dict(block.pairs)


def test_sites_are_counted() -> None:
    found = bars()
    told = facts(found)
    assert told["weighted sites"] == told["theory speaks of"] == told["predicted throughout"] == 5
    assert told["within their error bar"] == sum(one.low <= (one.measured or 0) <= one.high for one in found)
    mixed = (replace(found[0], outside="attention"), replace(found[1], restarted="attention"), *found[2:])
    told = facts(mixed)
    assert (told["theory speaks of"], told["predicted throughout"]) == (4, 3)
    assert told["outside the theory"] == "attention (2)"


def test_what_is_outside_its_bar_is_listed_with_its_numbers() -> None:
    found = bars()
    far = replace(found[2], measured=100.0 * found[2].high)
    (section,) = predicted_section((*found[:2], far, *found[3:]))
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert rows[far.names[0]] == [far.second, far.low, far.high, far.measured]
    others = [one for one in found if one is not far and one is not found[2]]
    slopes = [one.gradient for one in found if one.gradient is not None and not one.gradient.outside]
    assert len(rows) == 1 + sum(not one.inside for one in [*others, *slopes])


@pytest.mark.parametrize("measured", [True, False])
def test_the_title_says_whether_anything_was_measured(measured: bool) -> None:
    found = bars() if measured else tuple(replace(one, measured=None, gradient=None) for one in bars())
    (section,) = predicted_section(found)
    assert section.title == ("Predicted and measured" if measured else "Predicted")
    figures = [block for block in section.blocks if isinstance(block, Figure)]
    assert len(figures) == (2 if measured else 1)
    assert ("within their error bar" in facts(found)) == measured


def test_where_theory_speaks_of_less_than_two_sites_nothing_is_said() -> None:
    found = bars()
    assert list(predicted_section(found[:1])) == []
    assert list(predicted_section([replace(one, outside="attention") for one in found])) == []
    assert list(predicted_section([])) == []
