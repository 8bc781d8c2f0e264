import copy

import pytest
import torch
from torch import nn

from initium.record.parameters.marks import Mark, fingerprint, mark_values, marks_of


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def test_a_mark_goes_stale_with_any_change_of_its_value_alone():
    model = net()
    mark_values(model, ["0.weight", "2.bias"], "initium")
    assert marks_of(model) == {"0.weight": Mark("initium", False), "2.bias": Mark("initium", False)}
    with torch.no_grad():
        model[0].weight[3, 2] = torch.nextafter(model[0].weight[3, 2], torch.tensor(1e9))
    assert marks_of(model) == {"0.weight": Mark("initium", True), "2.bias": Mark("initium", False)}


def test_marks_survive_copies_and_replaced_parameters():
    model = net()
    mark_values(model, ["0.weight"], "checkpoint")
    twin = copy.deepcopy(model)
    assert marks_of(twin) == {"0.weight": Mark("checkpoint", False)}
    twin[0].weight = nn.Parameter(twin[0].weight.detach().clone())
    assert not marks_of(twin)["0.weight"].stale
    twin[0].reset_parameters()
    assert marks_of(twin)["0.weight"].stale
    assert not marks_of(model)["0.weight"].stale


def test_a_parameter_that_is_gone_has_no_mark():
    model = net()
    mark_values(model, ["0.bias"], "initium")
    model[0].bias = None
    assert marks_of(model) == {}


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int8, torch.complex64]
)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_fingerprints_see_one_changed_element_of_any_type(dtype: torch.dtype, size: int):
    values = torch.arange(size).to(dtype)
    before = fingerprint(values)
    assert before
    assert before == fingerprint(values.clone())
    for place in range(size):
        changed = values.clone()
        changed[place] += 1
        assert fingerprint(changed) != before


def test_what_has_no_bits_has_no_fingerprint():
    assert fingerprint(torch.empty(3, device="meta")) == ""
    assert fingerprint(torch.empty(0)) == ""
    assert fingerprint(torch.eye(3).to_sparse()) == ""


@pytest.mark.parametrize("start", range(4))
def test_fingerprints_of_parts_see_a_change_at_any_offset(start: int):
    part = torch.randn(40).to(torch.bfloat16)[start : start + 9]
    before = fingerprint(part)
    part[4] += 1
    assert fingerprint(part) not in ("", before)


def test_fingerprints_do_not_depend_on_strides():
    values = torch.randn(5, 6)
    assert fingerprint(values.t().contiguous().t()) == fingerprint(values)
