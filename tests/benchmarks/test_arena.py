from __future__ import annotations

import math

import pytest
import torch
from benchmarks.arena import promising
from benchmarks.arena_kit import nets
from benchmarks.arena_kit.grid import SHORT, long_grid, plain, short_grid
from benchmarks.arena_kit.picture import profile, within
from benchmarks.arena_kit.starts import anyinit_analytic, code_of, has_anyinit, starts, torch_default
from benchmarks.arena_kit.table import Row, table
from torch import nn

from initium.study.tasks import open_task

CHANCE = math.log(10)


def row(**losses: list[float]) -> Row:
    return Row("net", losses, CHANCE)


def test_regret_and_rank_are_against_the_best_of_all():
    found = row(auto=[0.55, 0.55], he=[0.5, 0.5], shipped=[2.3, 2.3])
    assert found.best == "he"
    assert found.regret("auto") == pytest.approx(0.1)
    assert found.regret("he") == 0.0
    assert found.dead("shipped")
    assert not found.dead("auto")


def test_worse_needs_more_than_a_difference_of_means():
    noisy = row(auto=[0.4, 0.9, 0.6], he=[0.6, 0.5, 0.5])
    assert noisy.against("auto", "he") == "undecided"
    clear = row(auto=[0.80, 0.91, 0.85], he=[0.50, 0.60, 0.55])
    assert clear.against("auto", "he") == "worse"
    equal = row(auto=[0.501, 0.601, 0.551], he=[0.5, 0.6, 0.55])
    assert equal.against("auto", "he") == "tie"


def test_the_best_learning_rate_and_a_near_one_are_tried_on_all_seeds():
    assert promising({3e-4: 2.0, 1e-3: 1.05, 3e-3: 1.0}) == [3e-3, 1e-3]
    assert promising({3e-4: 1.01, 1e-3: 1.0, 3e-3: 1.02}) == [1e-3, 3e-4]
    assert promising({3e-4: 2.0, 1e-3: 1.2, 3e-3: 1.0}) == [3e-3]
    assert len(promising({3e-4: math.inf, 1e-3: math.inf})) == 1


def test_the_table_names_the_dead_the_best_and_the_totals():
    text = table([row(auto=[0.5, 0.5], he=[1.0, 1.0], shipped=[2.3, 2.3])])
    assert "2.300 dead" in text
    assert "0.500*" in text
    totals = text.splitlines()[-3:]
    assert totals[1].split()[:4] == ["he", "100.0%", "100.0%", "100%"]
    assert totals[2].split()[0] == "shipped" or totals[0].split()[0] == "auto"


def test_the_picture_counts_nets_within_a_distance_of_the_best_and_not_the_dead():
    rows = [row(auto=[0.5], he=[0.55], shipped=[2.3]), row(auto=[2.29], he=[2.25], shipped=[2.3])]
    assert [within(rows, "he", limit) for limit in (0.05, 0.11)] == [0.0, 0.5]
    assert within(rows, "auto", 0.05) == 0.5
    text = str(profile(rows))
    assert ">auto<" in text
    assert ">He<" in text
    assert "on 2 nets" in text


def test_every_family_and_activation_of_the_grid_is_there():
    names = {cell.name for cell in long_grid()}
    assert {f"{family}{depth}-{act}" for family in ("mlp", "cnn") for depth in (8, 20, 50, 100)
            for act in ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "written")} <= names  # fmt: skip
    assert set(SHORT) <= names
    assert [cell.name for cell in short_grid()] == list(SHORT)


@pytest.mark.parametrize(
    "cell", [cell for cell in short_grid() if not cell.name.startswith("timm")], ids=lambda cell: cell.name
)
def test_nets_of_the_short_form_fit_their_task(cell):
    from initium.study.trial.trial import build

    task = open_task({"kind": cell.task})
    spec = next(iter(next(iter(cell.trials((1e-3,), 1).values())).values()))[0]
    with torch.random.fork_rng(devices=[]):
        model = build(spec, task)
    task.check_model(model)
    norms = [module for module in model.modules() if "Norm" in type(module).__name__]
    assert bool(norms) == cell.normed


def test_trials_differ_by_start_rate_and_seed_alone():
    trials = plain("mlp", 8, "tanh").trials((1e-3, 3e-3), 2)
    keys = [one.key for by_rate in trials.values() for some in by_rate.values() for one in some]
    assert len(set(keys)) == len(keys) == 4 * len(trials)
    assert code_of("auto", ()) != code_of("he", ())


def test_torchs_default_is_what_a_plain_net_ships():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        fresh = nets.written("mlp", 4)
        other = nets.written("mlp", 4)
        torch_default(other, None, 5)
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), other.parameters(), strict=True))
    assert "default" in starts(own=True)
    assert "default" not in starts(own=False)


@pytest.mark.zoo
@pytest.mark.parametrize(
    "cell", [cell for cell in long_grid() if cell.name.startswith("timm")], ids=lambda cell: cell.name
)
def test_models_of_timm_take_the_small_pictures(cell):
    model = getattr(nets, cell.model.rpartition(":")[2])(**cell.args)
    assert cell.own
    assert model(torch.zeros(2, 1, 14, 14)).shape == (2, 10)
    assert any(isinstance(one, nn.BatchNorm2d | nn.LayerNorm) for one in model.modules()) == cell.normed


@pytest.mark.skipif(not has_anyinit(), reason="anyinit is compared with where it is installed")
def test_anyinit_starts_the_written_activation():
    model = nets.written("mlp", 4)
    before = model[1].weight.clone()
    anyinit_analytic(model, None, 0)
    assert not torch.equal(before, model[1].weight)
