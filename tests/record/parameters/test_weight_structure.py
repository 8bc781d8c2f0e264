from __future__ import annotations

import pytest
import torch
from tests.nets import noise

import initium
from initium.record.parameters.weight_structure import structure_of


def test_independent_draws_look_like_independent_draws():
    shape = structure_of(noise(64, 32, 3, 3))
    assert shape.row_sum == 1.0
    assert shape.zeros == 0.0
    assert shape.paired == 0.0


def test_rows_without_mean_are_seen():
    weight = noise(48, 80)
    assert structure_of(weight - weight.mean(1, keepdim=True)).row_sum < 1e-6
    centred = initium.fill_(torch.empty(48, 80), "centred_orthogonal", centring=0.5)
    assert 0.15 < structure_of(centred).row_sum < 0.4  # (1 - c)^2 = 0.25


def test_taps_without_mean_are_seen():
    rows, taps = (
        structure_of(initium.fill_(torch.empty(32, 16, 3, 3), "centred_orthogonal", over=over))
        for over in ("row", "tap")
    )
    assert (rows.row_sum, taps.row_sum) == (pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-6))
    assert rows.tap_sum == 1.0
    assert taps.tap_sum < 1e-6
    matrix = structure_of(noise(48, 80) + 1.0)
    assert matrix.tap_sum == matrix.row_sum


def test_rows_that_add_up_are_seen():
    assert structure_of(torch.rand(48, 80)).row_sum > 10


def test_units_in_pairs_and_zeros_are_seen():
    assert structure_of(initium.fill_(torch.empty(16, 32), "mirrored")).paired == 1.0
    assert structure_of(initium.fill_(torch.empty(16, 32), "mirrored")).opposite
    assert not structure_of(noise(16, 32)).opposite
    assert structure_of(torch.eye(32)).zeros > 0.9
    assert structure_of(torch.zeros(4, 4)).paired == 0.0


def test_vectors_and_whole_numbers_have_no_rows():
    assert structure_of(torch.ones(8)).rows == 0
    assert structure_of(torch.ones(8, 8, dtype=torch.int64)).rows == 0
    assert structure_of(torch.empty(8, 8, device="meta")).rows == 0
