"""The framework's own default, on the framework's own layers, and draws that are like what was found."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn

from initium import plan, record
from initium.plan.structure.framework_default import as_found, is_default
from initium.random import fill_, key_for
from initium.record import Record
from initium.record.parameters.inventory import ParameterInfo

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(48, 40), (8, 48)),
    "conv": (nn.Conv2d(6, 16, 3), (8, 6, 8, 8)),
    "grouped conv": (nn.Conv2d(8, 32, 3, groups=4), (8, 8, 8, 8)),
    "conv1d": (nn.Conv1d(6, 16, 5), (8, 6, 16)),
    "transposed conv": (nn.ConvTranspose2d(6, 16, 3), (8, 6, 8, 8)),
}


def seen_of(name: str, seed: int) -> tuple[nn.Module, Record]:
    layer, shape = LAYERS[name]
    torch.manual_seed(seed)
    layer.reset_parameters()  # type: ignore[operator]
    return layer, record(layer, noise(*shape))


def default(seen: Record, name: str) -> bool:
    return is_default(seen.parts[name], seen.parameter(name), seen)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_of_the_framework_is_recognized(name: str) -> None:
    for seed in range(4):
        _, seen = seen_of(name, seed)
        assert default(seen, "weight"), seed
        assert default(seen, "bias"), seed


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.01, 2.0])
def test_another_scale_is_another_choice(name: str, factor: float) -> None:
    for seed in range(2):
        layer, _ = seen_of(name, seed)
        with torch.no_grad():
            layer.weight.mul_(factor)  # type: ignore[operator, union-attr]
        assert not default(record(layer, noise(*LAYERS[name][1])), "weight")


@pytest.mark.parametrize(
    "draw",
    [
        lambda w: nn.init.normal_(w, std=1 / math.sqrt(3 * 48)),  # the same variance
        nn.init.xavier_uniform_,
        nn.init.zeros_,
        lambda w: nn.init.constant_(w, 1 / math.sqrt(48)),
        lambda w: w.bernoulli_(0.5).sub_(0.5).mul_(2 / math.sqrt(48)),  # the same peak
        lambda w: nn.init.orthogonal_(w, 1 / math.sqrt(3)),
    ],
)
def test_other_laws_are_other_choices(draw: object) -> None:
    layer = nn.Linear(48, 40)
    with torch.no_grad():
        draw(layer.weight)  # type: ignore[operator]
    assert not default(record(layer, noise(8, 48)), "weight")


def test_tables_and_vectors_without_a_weight_have_no_default() -> None:
    seen = record(nn.Sequential(nn.Embedding(9, 4), nn.LayerNorm(4), nn.Linear(4, 3)), torch.tensor([[1, 2]]))
    assert not any(default(seen, name) for name in ("0.weight", "1.weight", "1.bias"))


def drawn(found: dict[str, float | str], shape: tuple[int, ...]) -> Tensor:
    """Values by the assignment of a meta model that holds this as found."""
    with torch.device("meta"):
        model = nn.Linear(shape[1], shape[0], bias=False)
    one = plan(model, torch.empty(2, shape[1], device="meta"), policy="shipped")["weight"]
    return fill_(torch.empty(shape), replace(one, found=found).as_found(), key_for(0, "weight"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("draw", "method"),
    [
        (lambda w: nn.init.uniform_(w, -0.3, 0.5), "uniform"),
        (lambda w: nn.init.normal_(w, 0.2, 0.05), "normal"),
        (lambda w: nn.init.constant_(w, 0.7), "constant"),
        (nn.init.zeros_, "constant"),
    ],
)
def test_a_draw_like_what_was_found_has_its_law_mean_and_spread(draw: object, method: str) -> None:
    """Of n = 10,000 each: means differ by sqrt(2/n) spreads, spreads by sqrt((kurtosis - 1)/(2n)); five of those."""
    layer = nn.Linear(100, 100, bias=False)
    with torch.no_grad():
        draw(layer.weight)  # type: ignore[operator]
    seen = record(layer, noise(4, 100))
    found = as_found(seen.parts["weight"], seen.parameter("weight"))
    assert found["method"] == method
    again, values = drawn(found, (100, 100)), layer.weight.detach()
    error = 5 * math.sqrt(2 / values.numel())
    assert float(again.mean() - values.mean()) == pytest.approx(0.0, abs=error * float(values.std()) + 1e-6)
    assert float(again.std()) == pytest.approx(float(values.std()), rel=error, abs=1e-6)
    if method == "uniform":
        assert float(again.min()) >= -0.3 - 0.01
        assert float(again.max()) <= 0.5 + 0.01


def test_values_that_are_not_finite_are_nothing_to_be_like() -> None:
    layer = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        layer.weight[1, 2] = float("nan")
    seen = record(layer, noise(4, 4))
    assert as_found(seen.parts["weight"], seen.parameter("weight")) == {"method": "constant", "value": 0.0}


def test_on_meta_only_what_is_certain_is_supplied() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.norm, self.lin = nn.Embedding(9, 6), nn.LayerNorm(6), nn.Linear(6, 3)

        def forward(self, ids: Tensor) -> Tensor:
            return self.lin(self.norm(self.table(ids)))

    with torch.device("meta"):
        model = Net()
    seen = record(model, torch.zeros(2, 3, dtype=torch.int64, device="meta"))

    def found(name: str, info: ParameterInfo | None = None) -> dict[str, float | str]:
        return as_found(seen.parts[name], info or seen.parameter(name))

    assert found("norm.weight") == {"method": "constant", "value": 1.0}
    assert found("norm.bias") == found("lin.bias") == {"method": "constant", "value": 0.0}
    assert found("table.weight") == {"method": "normal", "mean": 0.0, "std": 0.02}
    assert found("lin.weight") == {}
    assert found("norm.weight", replace(seen.parameter("norm.weight"), frozen=True)) == {}
