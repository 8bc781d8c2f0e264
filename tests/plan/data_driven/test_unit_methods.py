from __future__ import annotations

import json
import warnings

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded
from tests.plan.nets import pictures, same, state_of
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from initium import Plan, Rule, plan
from initium.errors import UsageError
from initium.plan.data_driven.unit_methods import BALANCED_LOG_RATIO, weight_norms
from initium.record import record

KINDS = (nn.Linear, nn.modules.conv._ConvNd)


@pytest.fixture(autouse=True)
def _seeded():
    with seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the old weight norm is on its way out
        yield


def units(model, inputs):
    """(mean, standard deviation) of every unit of every weighted module, in a plain forward."""
    found = []

    def look(module, _, out):
        rows = out.detach().movedim(-1 if isinstance(module, nn.Linear) else 1, 0).flatten(1).double()
        found.append((rows.mean(1), rows.std(1, correction=0)))

    hooks = [m.register_forward_hook(look) for m in model.modules() if isinstance(m, KINDS)]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    return found


def mixed(wrap=lambda module: module):
    """Groups, strides, a transposed convolution, a bias-free layer, tanh."""
    return nn.Sequential(
        wrap(nn.Conv2d(3, 8, 3)),
        nn.ReLU(),
        wrap(nn.Conv2d(8, 16, 3, groups=2, stride=2)),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 3, groups=2),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        wrap(nn.Linear(32, 20)),
        nn.ReLU(),
        nn.Linear(20, 5),
    )


@pytest.mark.parametrize("policy", ["weight_norm_data", "kraehenbuehl:filters=pca,balance=False"])
@pytest.mark.parametrize(
    "wrap", [lambda m: m, weight_norm, torch.nn.utils.weight_norm], ids=["plain", "new", "old"]
)
def test_every_unit_is_centred_with_unit_std(policy, wrap):
    plain = wrap(nn.Linear(1, 1)).__class__ is nn.Linear and not hasattr(wrap(nn.Linear(1, 1)), "weight_g")
    if policy.startswith("kraehenbuehl") and not plain:
        pytest.skip("filters go into weights, not into their directions")
    model, inputs = mixed(wrap), pictures() + 0.5
    made = plan(model, inputs, policy=policy)
    made.apply(model, seed=made.seed)
    for mean, std in units(model, inputs):
        assert mean.abs().max() < 1e-5
        assert (std - 1).abs().max() < 1e-4


def test_weight_norm_is_the_published_rule():
    """g = 1/sigma[t], b = -mu[t]/sigma[t], t = v x / |v|, for directions N(0, 0.05^2), layer by layer by hand."""
    model, inputs = mixed(weight_norm), pictures()
    made = plan(model, inputs, policy="weight_norm_data")
    made.apply(model, seed=made.seed)
    first = model[0].parametrizations.weight
    v = first.original1.detach()
    assert v.std().item() == pytest.approx(0.05, rel=0.2)
    unit = v / v.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    t = nn.functional.conv2d(inputs, unit).movedim(1, 0).flatten(1)
    torch.testing.assert_close(first.original0.detach().flatten(), 1 / t.std(1, correction=0))
    torch.testing.assert_close(
        model[0].bias.detach(), -t.mean(1) / t.std(1, correction=0), atol=1e-5, rtol=1e-4
    )


def test_gains_that_belong_to_no_unit_are_kept_and_named():
    model = nn.Sequential(weight_norm(nn.Linear(6, 6), dim=1), nn.ReLU(), nn.Linear(6, 3))
    made = plan(model, noise(64, 6), policy="weight_norm_data")
    assert any("not one gain a unit" in note for note in made.notes)
    assert made["0.parametrizations.weight.original0"].keeps
    assert weight_norms(record(model, noise(64, 6))) == {}


def test_one_sweep_whatever_the_depth():
    counts = []
    for depth in (3, 12):
        model, calls = plain_conv(depth, 8), []
        model.register_forward_hook(lambda *_: calls.append(1))  # noqa: B023 - used up in this turn
        plan(model, pictures(), policy="weight_norm_data")
        counts.append(len(calls))
    assert counts == [2, 2]


def rates(model, inputs):
    """Root mean square gradient over root mean square weight, for a random linear loss, a sample at a time."""
    generator, weights = torch.Generator().manual_seed(9), [m.weight for m in model if isinstance(m, KINDS)]
    squares = torch.zeros(len(weights))
    for x in inputs:
        out = model(x[None])
        (out * torch.randn(out.shape, generator=generator)).sum().backward()
        squares += torch.stack([w.grad.square().mean() for w in weights])
        model.zero_grad()
    return (squares / torch.stack([w.detach().square().mean() for w in weights])).sqrt()


@pytest.mark.parametrize("filters", ["pca", "kmeans", "normal"])
def test_layers_change_at_equal_rates(filters):
    """The published ratio, measured otherwise: by the gradients of single samples."""
    model, inputs = mlp(5, 24, nn.ReLU), noise(128, 24)
    made = plan(model, inputs, policy=f"kraehenbuehl:filters={filters}")
    made.apply(model, seed=made.seed)
    found = rates(model, inputs)
    apart = (found / found.log().mean().exp()).log().abs().max()
    assert apart < BALANCED_LOG_RATIO + 0.1  # the sampling error of 128 x 10 random directions
    unbalanced = mlp(5, 24, nn.ReLU)
    plain = plan(unbalanced, inputs, policy=f"kraehenbuehl:filters={filters},balance=False")
    plain.apply(unbalanced, seed=0)
    before = rates(unbalanced, inputs)
    assert (before / before.log().mean().exp()).log().abs().max() > apart
    for mean, std in units(model, inputs):
        assert mean.abs().max() < 1e-4
        assert (std / std.mean() - 1).abs().max() < 1e-3  # one factor a layer


def test_principal_filters_decorrelate_the_first_layer():
    model, inputs = (
        nn.Sequential(nn.Linear(10, 6), nn.ReLU(), nn.Linear(6, 2)),
        noise(500, 10) @ noise(10, 10, seed=2),
    )
    made = plan(model, inputs, policy="kraehenbuehl")
    made.apply(model, seed=made.seed)
    out = model[0](inputs).detach()
    torch.testing.assert_close(torch.corrcoef(out.T), torch.eye(6), atol=0.02, rtol=0)
    assert made["0.weight"].method == "values"


def test_rules_frozen_biases_and_constant_units():
    model, inputs = mlp(2, 12, nn.ReLU), noise(64, 12)
    inputs[:, 0] = 0
    model[0].bias.data.fill_(0.5)
    made = plan(
        model, inputs, policy="weight_norm_data", rules=[Rule(where="4.weight", method="lecun_normal")]
    )
    assert made["0.bias"].keeps
    assert made["4.weight"].units == ()
    assert made["2.bias"].method == "values"
    constant = nn.Sequential(nn.Linear(12, 3), nn.ReLU(), nn.Linear(3, 2))
    silent = plan(constant, torch.zeros(8, 12), policy="weight_norm_data")
    assert any("could not be corrected" in note for note in silent.notes)


def test_the_plan_is_plain_data_and_leaves_the_model_alone():
    model, inputs = mixed(), pictures()
    before = state_of(model)
    made = plan(model, inputs, policy="kraehenbuehl")
    assert same(before, state_of(model))
    text = made.to_json()
    assert Plan.from_json(text) == made
    assert "by unit" in str(made)
    assert "numbers" in str(made)
    for broken in ([0.0] * 8, [1.0] * 7, "x", [1.0] * 7 + ["a"]):
        data = json.loads(text)
        data["assignments"][0]["units"] = broken
        with pytest.raises(UsageError):
            Plan.from_json(json.dumps(data))


def test_materializing_writes_what_applying_writes():
    model, inputs = mixed(), pictures()
    made = plan(model, inputs, policy="kraehenbuehl:filters=normal")
    made.apply(model, seed=made.seed)
    with torch.device("meta"):
        empty = mixed()
    filled = made.materialize(empty, seed=made.seed)
    assert same(state_of(model), state_of(filled))
