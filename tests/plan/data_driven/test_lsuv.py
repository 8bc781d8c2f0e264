from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from tests.nets import TransformerBlock, mlp, noise, plain_conv, seeded
from tests.plan.nets import Small, TinyGPT, pictures, same, state_of, three_parts, token_ids
from torch import nn
from torch.nn import functional as F

from initium import Rule, plan
from initium.errors import UsageError
from initium.methods.catalogue import find
from initium.plan.data_driven.data_policy import DATA_DRIVEN
from initium.plan.data_driven.lsuv import variance
from initium.plan.data_driven.objectives import OBJECTIVES
from initium.plan.data_driven.scale_search import HELD_OUT_TURN, DifferentiableRun
from initium.plan.write.apply import write
from initium.random import fill_, key_for
from initium.random.distributions import Integers
from initium.record.parameters.inventory import named_tensors

SEARCHED = ["metainit", "gradinit", "nio"]
BATCH = 16
BASES = {one.method.name: one.base for one in DATA_DRIVEN}


@pytest.fixture(autouse=True)
def _seeded():
    with seeded():
        yield


def labels(classes=10):
    return torch.randint(classes, (BATCH,), generator=torch.Generator().manual_seed(5))


def crossing(output):
    return F.cross_entropy(output, labels())


def stds(model, inputs):
    """Standard deviation of the output of every weighted module, in a plain forward."""
    found = {}
    hooks = [
        module.register_forward_hook(
            lambda m, i, out, name=name: found.update({f"{name}.weight": variance(out) ** 0.5})
        )
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))
    ]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (lambda: plain_conv(8, 12), pictures()),
        (lambda: mlp(10, 32, nn.Tanh), noise(64, 32)),
        (lambda: Small(), pictures()),
        (lambda: TransformerBlock(), noise(4, 6, 32)),
    ],
)
def test_lsuv_brings_every_output_to_unit_std(make, inputs):
    model = make()
    made = plan(model, inputs, policy="lsuv")
    made.apply(model, seed=made.seed)
    calibrated = {one.name for one in made if one.method == "orthogonal"}
    found = stds(model, inputs)
    assert calibrated == set(found)
    assert all(abs(found[name] - 1) < 0.1 for name in calibrated)
    assert made.notes == ()


def test_lsuv_costs_two_forwards_whatever_the_depth():
    counts = []
    for depth in (3, 20):
        model, calls = plain_conv(depth, 8), []
        model.register_forward_hook(lambda *_: calls.append(1))  # noqa: B023 - used up in this turn
        plan(model, pictures(), policy="lsuv")
        counts.append(len(calls))
    assert counts == [2, 2]


def test_lsuv_is_exact_where_the_mean_is_far_from_zero():
    """The published target is the std: the second moment of these outputs is far larger."""
    model = nn.Sequential(nn.Linear(16, 32), nn.Sigmoid(), nn.Linear(32, 32), nn.Sigmoid(), nn.Linear(32, 8))
    inputs = noise(256, 16) + 3
    made = plan(model, inputs, policy="lsuv")
    made.apply(model, seed=made.seed)
    assert all(abs(std - 1) < 1e-3 for std in stds(model, inputs).values())


def test_lsuv_draws_orthogonal_weights_and_zero_biases_and_obeys_rules():
    made = plan(
        mlp(3, 16, nn.ReLU), noise(32, 16), policy="lsuv", rules=[Rule(where="2.weight", method="he_normal")]
    )
    methods = {one.name: one.method for one in made}
    assert methods["0.weight"] == "orthogonal"
    assert methods["0.bias"] == "zeros"
    assert methods["2.weight"] == "he_normal"
    assert made["2.weight"].scale == 1.0
    assert made["0.weight"].scale != 1.0


def test_lsuv_keeps_tables_and_names_what_it_could_not_calibrate():
    made = plan(TinyGPT(), token_ids(), policy="lsuv")
    assert made["positions.weight"].keeps
    silent = plan(mlp(2, 16, nn.ReLU), torch.zeros(8, 16), policy="lsuv")
    assert any("0.weight could not be calibrated" in note for note in silent.notes)


def evidence_of(model, inputs, loss):
    return DifferentiableRun(model, inputs, None, loss, 0)


def reading(model, inputs, policy, assignments, loss):
    """The objective of a method for a plan's weights."""
    defaults = find(policy).resolve()
    number = {key: float(value) for key, value in defaults.items()}
    write(named_tensors(model), [one for one in assignments if not one.keeps], 0)
    names = [one.name for one in assignments if one.method == BASES[policy]]
    return OBJECTIVES[policy](number)(evidence_of(model, inputs, loss), names, HELD_OUT_TURN)


@pytest.mark.parametrize("policy", SEARCHED)
def test_searched_scales_are_better_by_the_methods_own_objective(policy):
    inputs = noise(BATCH, 24)
    model = mlp(4, 24, nn.Tanh)
    made = plan(model, inputs, policy=policy, loss=crossing)
    assert any(one.scale != 1.0 for one in made)
    before = reading(model, inputs, policy, [replace(one, scale=1.0) for one in made], crossing)
    after = reading(model, inputs, policy, list(made), crossing)
    assert after.rank < before.rank
    reached = float(re.findall(r"[\d.]+", made.notes[0].split(" at the start, ")[1])[0])
    assert reached == pytest.approx(after.value, rel=2e-3)


def test_batch_norm_is_the_same_under_the_search():
    x = noise(6, 3, 4, 4)
    for norm in (nn.BatchNorm2d(3), nn.BatchNorm2d(3).eval(), nn.BatchNorm2d(3, affine=False)):
        expected = norm(x)
        evidence = evidence_of(norm, x, None)
        with evidence.running():
            torch.testing.assert_close(evidence.output(), expected)


@pytest.mark.parametrize("policy", SEARCHED)
def test_slopes_are_those_of_finite_differences(policy):
    model, inputs = mlp(2, 8, nn.Tanh).double(), noise(BATCH, 8).double()
    names = [name for name, one in model.named_parameters() if one.dim() > 1]
    number = {key: float(value) for key, value in find(policy).resolve().items()} | {"gamma": 1e9}
    read, evidence = OBJECTIVES[policy](number), evidence_of(model, inputs, crossing)
    slopes, step = read(evidence, names, 0).slopes, 1e-6
    for name, slope in zip(names, slopes, strict=True):
        weight, values = evidence.parameters[name], []
        start = weight.detach().clone()
        for factor in (1 + step, 1 - step):
            with torch.no_grad():
                weight.copy_(start * factor)
            values.append(read(evidence, names, 0).value)
        with torch.no_grad():
            weight.copy_(start)
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_over_its_bound_the_norm_is_what_falls():
    model, inputs = mlp(2, 8, nn.Tanh).double(), noise(BATCH, 8).double()
    number = {key: float(value) for key, value in find("gradinit").resolve().items()} | {"gamma": 1e-3}
    weights = [name for name, one in model.named_parameters() if one.dim() > 1]
    evidence, read = evidence_of(model, inputs, crossing), OBJECTIVES["gradinit"](number)
    first = read(evidence, weights, 0)
    with torch.no_grad():
        for name, slope in zip(weights, first.slopes, strict=True):
            evidence.parameters[name].mul_(1 - 1e-3 * (1 if slope > 0 else -1))
    assert read(evidence, weights, 1).norm < first.norm


def test_nio_compares_the_gradients_of_the_groups_themselves():
    """Against the gradients of each half of the batch, run by itself."""
    model, inputs = mlp(2, 8, nn.Tanh).double(), noise(BATCH, 8).double()
    halves = []
    for half in (slice(0, BATCH // 2), slice(BATCH // 2, BATCH)):
        loss = F.cross_entropy(model(inputs[half]), labels()[half])
        halves.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
    number = {key: float(value) for key, value in find("nio").resolve().items()}
    found = OBJECTIVES["nio"](number)(evidence_of(model, inputs, crossing), ["0.weight"], 0)
    assert 1 - found.value == pytest.approx(float(F.cosine_similarity(*halves, dim=0)), abs=1e-9)
    assert found.norm == pytest.approx(float(max(half.norm() for half in halves)))


@pytest.mark.parametrize(
    "policy",
    ["lsuv", "kraehenbuehl", "weight_norm_data", "autoinit", *(f"{name}:steps=4" for name in SEARCHED)],
)
@pytest.mark.parametrize("kind", ["small", "block", "gpt"])
def test_the_model_is_left_as_it_was(policy, kind):
    model, inputs = {
        "small": lambda: (Small(), pictures()),
        "block": lambda: (TransformerBlock(), noise(4, 6, 32)),
        "gpt": lambda: (TinyGPT(), token_ids()),
    }[kind]()
    before, grads, random = state_of(model), [p.grad for p in model.parameters()], torch.get_rng_state()
    made = plan(model, inputs, policy=policy, loss=lambda output: output.square().mean())
    assert same(before, state_of(model))
    assert [p.grad for p in model.parameters()] == grads
    assert torch.equal(torch.get_rng_state(), random)
    made.apply(model, seed=made.seed)
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_the_plan_is_plain_data_and_the_same_every_time():
    inputs = noise(BATCH, 16)
    first, second = (plan(mlp(2, 16, nn.ReLU), inputs, policy="nio", loss=crossing) for _ in range(2))
    assert [one.method for one in first] == [one.method for one in second]
    assert all(0 < one.scale < 10 for one in first)
    assert type(first).from_json(first.to_json()).assignments == first.assignments


def test_metainit_is_the_published_loop():
    """Against the loop of the paper's code: unit directions, norms by sign descent, fresh noise and labels a step."""
    inputs, steps = noise(BATCH, 12), 6
    model = mlp(3, 12, nn.Tanh)
    made = plan(model, inputs, policy=f"metainit:steps={steps}")
    write(named_tensors(model), [replace(one, scale=1.0) for one in made], 0)
    evidence = evidence_of(model, inputs, None)
    weights = [one for one in model.parameters() if one.dim() > 1]
    starts = [one.detach().norm() for one in weights]
    directions = [one.detach() / norm for one, norm in zip(weights, starts, strict=True)]
    norms = [norm.clone().requires_grad_() for norm in starts]
    optimizer = torch.optim.SGD(norms, lr=0.1, momentum=0.5)
    seen = []
    for turn in range(steps):
        drawn = torch.empty(BATCH, dtype=torch.int64)
        fill_(drawn, Integers(0, 10), key_for(0, f"labels.{turn}"))
        x = evidence.noise(turn)
        seen.append(x)
        layers = [norm * direction for norm, direction in zip(norms, directions, strict=True)]
        biases = [torch.zeros(len(layer), requires_grad=True) for layer in layers]
        for layer, bias in zip(layers, biases, strict=True):
            x = F.linear(x, layer, bias)
            x = x if layer is layers[-1] else torch.tanh(x)
        both = [tensor for pair in zip(layers, biases, strict=True) for tensor in pair]
        grads = torch.autograd.grad(F.cross_entropy(x, drawn), both, create_graph=True)
        products = torch.autograd.grad(sum((g * g).sum() for g in grads) / 2, both, create_graph=True)
        quotient = sum(
            ((g - h) / (g + 1e-5 * torch.where(g >= 0, 1.0, -1.0)) - 1).abs().sum()
            for g, h in zip(grads, products, strict=True)
        ) / sum(g.numel() for g in grads)
        optimizer.zero_grad()
        for norm, slope in zip(norms, torch.autograd.grad(quotient, norms), strict=True):
            norm.grad = slope.sign()
        optimizer.step()
    assert not torch.equal(seen[0], seen[1])
    scales = [one.scale for one in made if one.method == "he_normal"]
    found = [float(norm.detach() / start) for norm, start in zip(norms, starts, strict=True)]
    assert scales == pytest.approx(found, rel=1e-4)


def test_the_gradient_of_a_linear_map_does_not_change():
    """Gradient quotient 0: a linear loss of a linear layer has no curvature."""
    model, inputs = nn.Linear(6, 3).double(), noise(8, 6).double()
    number = {key: float(value) for key, value in find("metainit").resolve().items()}
    evidence = DifferentiableRun(model, inputs, None, lambda output: output.sum(), 0)
    assert OBJECTIVES["metainit"](number)(evidence, ["weight"], 0).value == pytest.approx(0.0, abs=1e-4)


def test_metainit_and_nio_need_no_labels():
    for policy in ("metainit", "nio"):
        made = plan(mlp(2, 12, nn.Tanh), noise(BATCH, 12), policy=policy)
        assert any(one.scale != 1.0 for one in made)


def refusal(run):
    with pytest.raises(UsageError) as caught:
        run()
    assert three_parts(caught.value)
    return str(caught.value)


def test_what_is_missing_is_named():
    model, inputs = mlp(2, 12, nn.Tanh), noise(BATCH, 12)
    assert "without a loss" in refusal(lambda: plan(model, inputs, policy="gradinit"))
    assert "at least two samples" in refusal(lambda: plan(model, inputs[:1], policy="nio"))
    assert "lsuv" in refusal(lambda: plan(model, inputs, policy="lsuv:target=-1"))
    assert "key=value" in refusal(lambda: plan(model, inputs, policy="lsuv:target"))
    assert "filters" in refusal(lambda: plan(model, inputs, policy="kraehenbuehl:filters=ica"))
    with torch.device("meta"):
        unreal = mlp(2, 12, nn.Tanh)
    assert "meta device" in refusal(lambda: plan(unreal, torch.empty(4, 12, device="meta"), policy="lsuv"))
