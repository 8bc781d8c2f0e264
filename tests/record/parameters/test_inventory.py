from __future__ import annotations

import math

import pytest
import torch
from tests.nets import mlp, noise, start
from torch import nn

from initium.record import record
from initium.record.parameters.inventory import has_meta, original, take_buffers, take_inventory
from initium.record.record import inventory_only


def describe(model: nn.Module) -> dict[str, object]:
    return {info.name: info for info in take_inventory(model, used=frozenset(), grads={})}


def test_values() -> None:
    model = nn.Linear(300, 200)
    info = describe(model)["weight"]
    w = model.weight.detach().double()
    assert info.mean == pytest.approx(float(w.mean()), abs=1e-6)  # type: ignore[attr-defined]
    assert info.second == pytest.approx(float(w.square().mean()), rel=1e-5)  # type: ignore[attr-defined]
    assert info.peak == pytest.approx(float(w.abs().max()))  # type: ignore[attr-defined]
    assert info.constant is None  # type: ignore[attr-defined]
    assert info.std == pytest.approx(float(w.std()), rel=1e-3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_value_that_is_not_finite_is_found_anywhere(value: float, size: int) -> None:
    for place in (0, size // 2, size - 1):
        model = nn.Linear(size, 3)
        with torch.no_grad():
            model.weight[1, place] = value
        info = describe(model)["weight"]
        assert not info.finite  # type: ignore[attr-defined]
        assert math.isnan(info.second)  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [0.0, 1.0, -4.595])
def test_constants(value: float) -> None:
    model = nn.Linear(4, 3)
    nn.init.constant_(model.bias, value)
    info = describe(model)["bias"]
    assert info.constant == pytest.approx(value)  # type: ignore[attr-defined]
    assert info.zero is (value == 0.0)  # type: ignore[attr-defined]


def test_one_other_value_is_no_constant() -> None:
    model = nn.Linear(100, 100)
    nn.init.zeros_(model.weight)
    with torch.no_grad():
        model.weight[57, 31] = 1e-3
    info = describe(model)["weight"]
    assert info.constant is None  # type: ignore[attr-defined]
    assert not info.zero  # type: ignore[attr-defined]


def test_flags() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].weight.requires_grad_(False)
    model[1].weight._is_hf_initialized = True  # type: ignore[attr-defined]
    infos = describe(model)
    assert infos["0.weight"].frozen  # type: ignore[attr-defined]
    assert infos["1.weight"].loaded  # type: ignore[attr-defined]
    assert infos["1.weight"].owner == "Linear"  # type: ignore[attr-defined]


def test_equal_rows_and_duplicates() -> None:
    model = start(mlp(2, 8, nn.Tanh), nn.init.xavier_normal_)
    with torch.no_grad():
        model[0].weight[1] = model[0].weight[0]  # type: ignore[index,operator]
        model[2].weight[:, 1] = model[2].weight[:, 0]  # type: ignore[index,operator]
        model[2].weight[5] = model[2].weight[3]  # type: ignore[index,operator]
    seen = record(model, noise(16, 8))
    first, second, head = (seen.parameter(f"{i}.weight") for i in (0, 2, 4))
    assert first.rows_equal == pytest.approx(2 / 8)
    assert first.duplicates == pytest.approx(2 / 8)  # the next layer treats both alike, so they stay equal
    assert second.rows_equal == pytest.approx(2 / 8)
    assert second.duplicates == 0.0  # the head tells them apart
    assert head.rows_equal == 0.0


def test_zero_weights_with_different_gradients_are_no_duplicates() -> None:
    model = start(mlp(1, 8, nn.Tanh), nn.init.xavier_normal_)
    nn.init.zeros_(model[2].weight)  # type: ignore[arg-type,index]
    seen = record(model, noise(16, 8))
    assert seen.parameter("2.weight").rows_equal == 1.0
    assert seen.parameter("2.weight").duplicates == 0.0


def test_constant_weights_are_duplicates() -> None:
    seen = record(start(mlp(2, 8, nn.Tanh), lambda w: nn.init.constant_(w, 0.1)), noise(16, 8))
    assert seen.parameter("2.weight").duplicates == 1.0


def test_buffers() -> None:
    model = nn.BatchNorm2d(4)
    model.register_buffer("table", torch.tensor([1.0, math.nan]), persistent=False)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    infos = {info.name: info for info in take_buffers(model)}
    assert not infos["running_mean"].nan
    assert infos["running_mean"].persistent
    assert infos["table"].nan
    assert not infos["mask"].nan
    assert not infos["table"].persistent
    assert infos["num_batches_tracked"].dtype == "int64"


def test_meta_models_have_an_inventory() -> None:
    with torch.device("meta"):
        model = mlp(1, 4, nn.ReLU)
    assert has_meta(model)
    seen = inventory_only(model)
    assert all(info.meta and math.isnan(info.second) for info in seen.parameters)
    assert seen.nodes == ()
    assert seen.sites == ()
    assert not has_meta(mlp(1, 4, nn.ReLU))


def test_half_precision_values() -> None:
    model = nn.Linear(64, 64).to(torch.bfloat16)
    info = describe(model)["weight"]
    assert info.dtype == "bfloat16"  # type: ignore[attr-defined]
    assert info.second == pytest.approx(float(model.weight.float().square().mean()), rel=1e-4)  # type: ignore[attr-defined]


def test_empty_and_scalar_parameters() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.empty, self.scalar = nn.Parameter(torch.empty(0, 3)), nn.Parameter(torch.tensor(2.0))

    infos = describe(Odd())
    assert infos["scalar"].constant == 2.0  # type: ignore[attr-defined]
    assert infos["empty"].finite  # type: ignore[attr-defined]


def test_original() -> None:
    model = mlp(1, 4, nn.ReLU)
    assert original(torch.compile(model, backend="eager")) is model  # type: ignore[arg-type]
    assert original(model) is model


def test_equal_rows_without_any_gradient_are_no_duplicates_where_others_have_one() -> None:
    """Rows that no sample reaches may wake up apart; where no row has a gradient, equal ones do stay equal."""
    model = nn.Linear(3, 4, bias=False)
    nn.init.ones_(model.weight)
    model.weight.data[:, 1] = 2.0
    for grad, share in (
        (torch.tensor([[0.0] * 3, [0.0] * 3, [1.0, 2, 3], [3.0, 2, 1]]), 0.0),
        (torch.tensor([[0.0] * 3, [0.0] * 3, [1.0, 2, 3], [1.0, 2, 3]]), 0.5),
        (torch.zeros(4, 3), 1.0),
    ):
        (info,) = take_inventory(model, used=frozenset({"weight"}), grads={"weight": grad})
        assert info.duplicates == share


@pytest.mark.parametrize("values", [[-3.0, 1.0, 2.0], [3.0, -1.0, 2.0], [-3.0, -1.0, -2.0]])
def test_the_peak_is_the_largest_magnitude_on_either_side(values: list[float]) -> None:
    model = nn.Linear(3, 1, bias=False)
    model.weight.data.copy_(torch.tensor([values]))
    (info,) = take_inventory(model, used=frozenset(), grads={})
    assert info.peak == 3.0
