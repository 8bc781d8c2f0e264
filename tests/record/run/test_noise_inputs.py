"""Inputs of which only the shape is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import initium
from initium.errors import ModelRunError
from initium.record import record
from initium.record.run.noise_inputs import SAMPLES, with_data


def convolutional(dtype: torch.dtype = torch.float32) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()).to(dtype)


@pytest.mark.parametrize("shape", [(3, 16, 16), torch.Size([3, 16, 16])])
def test_a_shape_is_run_on_noise(shape):
    seen = record(convolutional(), shape)
    assert seen.batch == SAMPLES
    assert seen.notes[-1] == f"no data: run on {SAMPLES} samples of natural noise of shape 3x16x16"


def test_noise_is_that_of_synthetic_in_the_dtype_of_the_model():
    made, _ = with_data(convolutional(torch.bfloat16), (3, 16, 16), 3)
    expected = initium.synthetic((3, 16, 16), batch=SAMPLES, kind="natural", seed=3)
    assert torch.equal(made, expected.bfloat16())


def test_a_vector_is_plain_noise():
    _, note = with_data(nn.Linear(5, 2), (5,), 0)
    assert "gaussian noise of shape 5" in note


@pytest.mark.parametrize("inputs", [(), (0, 3), (True,), (torch.ones(2), 3), {"x": 3}])
def test_anything_else_is_passed_on(inputs):
    made, note = with_data(nn.Linear(5, 2), inputs, 0)
    assert made is inputs
    assert note == ""


def test_a_plan_verifies_on_other_noise_and_says_what_it_saw():
    model = convolutional()
    made = initium.plan(model, (3, 16, 16))
    same = initium.plan(model, initium.synthetic((3, 16, 16), batch=SAMPLES, kind="natural"))
    assert made.assignments == same.assignments
    assert made.verdict == "healthy"
    assert made.notes == (*same.notes, f"no data: run on {SAMPLES} samples of natural noise of shape 3x16x16")


def test_every_verb_takes_a_shape():
    model = convolutional()
    nn.init.zeros_(model[0].weight)
    assert not initium.diagnose(model, (3, 16, 16)).healthy
    assert initium.repair_(model, (3, 16, 16)).verdict == "healthy"
    assert initium.init_(model, (3, 16, 16)).verdict == "healthy"
    initium.assert_healthy(model, (3, 16, 16))


def test_a_shape_with_the_batch_in_it_is_told_apart():
    with pytest.raises(ModelRunError, match=r"\(16, 8, 3, 16, 16\)"):
        record(convolutional(), (8, 3, 16, 16))
