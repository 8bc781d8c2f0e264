"""A second start of a model: each call of a loop over seeds and policies does what it would do on a fresh copy."""

import copy

import pytest
import torch
from torch import nn

import initium


def net() -> nn.Module:
    torch.manual_seed(0)
    layers = [layer for _ in range(9) for layer in (nn.Linear(24, 24), nn.Tanh())]
    return nn.Sequential(nn.Linear(8, 24), *layers, nn.Linear(24, 3))


def normed() -> nn.Module:
    torch.manual_seed(0)
    layers = [layer for _ in range(4) for layer in (nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU())]
    return nn.Sequential(nn.Linear(8, 16), *layers, nn.Linear(16, 3))


LOOP = ("he_normal", "auto", "xavier_uniform", "orthogonal", "auto", "he_normal", "lecun_normal")
X = torch.randn(32, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("make", [net, normed])
def test_a_loop_over_seeds_and_methods_writes_the_bits_of_fresh_copies(make):
    model = make()
    for seed, policy in enumerate(LOOP):
        fresh = make()
        receipt = initium.init_(model, X, seed=seed, policy=policy)
        expected = initium.init_(fresh, X, seed=seed, policy=policy)
        assert receipt.written
        if policy != "auto":
            for name, value in fresh.state_dict().items():
                assert torch.equal(model.state_dict()[name], value), (policy, name)
        else:
            assert set(expected.written) <= set(receipt.written)
            assert receipt.verdict == expected.verdict == "healthy"


@pytest.mark.parametrize("make", [net, normed])
def test_another_seed_gives_other_weights_that_are_as_healthy(make):
    model = make()
    first = initium.init_(model, X, seed=0)
    before = copy.deepcopy(model.state_dict())
    second = initium.init_(model, X, seed=1)
    assert set(first.written) == set(second.written)
    assert second.verdict == "healthy"
    changed = [name for name in second.written if not torch.equal(before[name], model.state_dict()[name])]
    assert {name for name in changed if name.endswith("weight")} >= {"0.weight"}


def test_a_reset_model_and_one_with_nan_are_started_again():
    model = net()
    initium.init_(model, X)
    for module in model:
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    assert "3.weight" in initium.init_(model, X).written
    with torch.no_grad():
        model[3].weight[0, 0] = float("nan")
    assert initium.repair_(model, X).written == ("3.weight",)
    assert initium.diagnose(model, X).healthy


def test_what_a_checkpoint_flagged_stays():
    model = net()
    model[3].weight._is_hf_initialized = True
    kept = model[3].weight.detach().clone()
    for seed in range(2):
        initium.init_(model, X, seed=seed)
        assert torch.equal(model[3].weight, kept)


def test_copies_know_what_initium_wrote():
    model = net()
    initium.init_(model, X, seed=0)
    twin = copy.deepcopy(model)
    assert initium.init_(twin, X, seed=3).written == initium.init_(model, X, seed=3).written
    assert torch.equal(twin[3].weight, model[3].weight)
