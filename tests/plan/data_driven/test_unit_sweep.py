"""One sweep over units, against factors and biases worked out layer by layer."""

from __future__ import annotations

import pytest
import torch
from tests.nets import noise
from torch import nn
from torch.nn import functional as F

from initium.plan.data_driven.unit_sweep import UnitRequest, sweep_units
from initium.record import record

X = noise(64, 6) + 0.5


def net():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))


def request(model, inputs, *, biases=(), **more):
    seen = record(model, inputs)
    layers = {name: part.layer for name, part in seen.parts.items() if part.layer.kind != "vector"}
    return UnitRequest(layers, frozenset(biases), **more)


def swept(model, inputs, **more):
    wanted = request(model, inputs, **more)
    return sweep_units(model, inputs, wanted, forward=None, seed=0)


def test_every_unit_is_divided_by_its_deviation_and_the_next_layer_sees_that():
    model = net()
    w1, w2 = (one.weight.detach().clone() for one in (model[0], model[2]))
    found = swept(model, X, biases=("0.bias", "2.bias"))
    z = X @ w1.T
    f1 = 1 / z.std(0, correction=0)
    h = F.relu((z - z.mean(0)) * f1)
    z2 = h @ w2.T
    f2 = 1 / z2.std(0, correction=0)
    assert torch.allclose(found.units["0.weight"], f1, rtol=1e-4)
    assert torch.allclose(found.units["2.weight"], f2, rtol=1e-4)
    assert torch.allclose(found.shifts["0.bias"], -z.mean(0) * f1, atol=1e-5)
    assert torch.allclose(found.shifts["2.bias"], -z2.mean(0) * f2, atol=1e-5)
    assert torch.allclose(model[0].weight, w1 * f1[:, None], rtol=1e-4)
    assert found.size == pytest.approx({"0.weight": 1.0, "2.weight": 1.0}, rel=1e-5)
    out = model(X).detach()
    assert out.mean(0).abs().max().item() < 1e-5
    assert out.std(0, correction=0).tolist() == pytest.approx([1] * 4, rel=1e-4)
    assert (found.failed, found.constant) == ([], {})


def test_a_bias_that_may_not_be_set_stays_and_is_not_scaled():
    model = net()
    bias, weight = model[0].bias.detach().clone(), model[0].weight.detach().clone()
    found = swept(model, X)
    assert found.shifts == {}
    assert torch.equal(model[0].bias.detach(), bias)
    z = X @ weight.T
    out = model[0](X).detach()
    assert torch.allclose(out, z / z.std(0, correction=0) + bias, atol=1e-4)


def test_channels_of_convolutions_of_either_kind():
    x = noise(8, 4, 9, 9)
    model = nn.Sequential(nn.Conv2d(4, 6, 3, 2, groups=2), nn.ConvTranspose2d(6, 4, 3, groups=2))
    swept(model, x, biases=("0.bias", "1.bias"))
    for out in (model[0](x), model(x)):
        rows = out.detach().transpose(0, 1).flatten(1)
        assert rows.mean(1).abs().max().item() < 1e-5
        assert rows.std(1, correction=0).tolist() == pytest.approx([1] * len(rows), rel=1e-4)


def test_constant_units_keep_their_scale_and_are_counted():
    model = net()
    with torch.no_grad():
        model[0].weight[1:3] = 0.0
    found = swept(model, X)
    assert found.constant["0.weight"] == 2
    assert found.units["0.weight"][1:3].tolist() == [1.0, 1.0]


def test_factors_that_are_known_are_taken_and_only_the_mean_is_corrected():
    model, fixed = net(), torch.tensor([0.5, 1.0, 2.0, 4.0, 0.25])
    z = X @ model[0].weight.detach().T
    found = swept(model, X, biases=("0.bias",), fixed={"0.weight": fixed})
    assert torch.equal(found.units["0.weight"], fixed)
    assert torch.allclose(found.shifts["0.bias"], -z.mean(0) * fixed, atol=1e-5)
    size = (z.var(0, correction=0) * fixed**2).mean().sqrt().item()
    assert found.size["0.weight"] == pytest.approx(size, rel=1e-4)


def test_filters_are_put_in_before_their_output_is_measured():
    model, seen = net(), {}

    def filters(name, data, layer):
        seen[name] = data.clone()
        return torch.full(layer.shape, 0.1) if name == "0.weight" else None

    found = swept(model, X, filters=filters)
    assert torch.equal(seen["0.weight"], X)
    deviation = 0.1 * X.sum(1).std(correction=0).item()
    assert found.units["0.weight"].tolist() == pytest.approx([1 / deviation] * 5, rel=1e-4)
    assert found.made.keys() == {"0.weight"}
    assert model[0].weight.detach().flatten().tolist() == pytest.approx([0.1 / deviation] * 30, rel=1e-4)


def test_the_gain_of_weight_normalization_is_written_and_the_direction_stays():
    model = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)))
    names = dict(model.named_parameters())
    gain, direction = (
        next(name for name in names if name.endswith(end)) for end in ("original0", "original1")
    )
    seen = record(model, X)
    layers = {direction: seen.parts[direction].layer}
    before = names[direction].detach().clone()
    wanted = UnitRequest(layers, frozenset({"0.bias"}), {direction: gain})
    found = sweep_units(model, X, wanted, forward=None, seed=0)
    assert found.failed == []
    assert torch.equal(names[direction].detach(), before)
    out = model(X).detach()
    assert out.std(0, correction=0).tolist() == pytest.approx([1] * 5, rel=1e-4)


def test_dead_layers_are_named_and_the_model_runs_on():
    model = net()
    with torch.no_grad():
        model[0].weight.zero_()
    found = swept(model, X)
    assert found.failed[0] == "0.weight"
    assert not model[0].weight.any()
