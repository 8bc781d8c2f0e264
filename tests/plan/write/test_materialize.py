from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from tests.nets import noise, seeded
from tests.plan.nets import Small, TinyGPT, pictures, same, state_of, three_parts, token_ids
from torch import Tensor, nn

from initium import Plan, Rule, plan
from initium.errors import PlanMismatchError, UsageError
from initium.plan.write.materialize import LostBufferWarning


def meta(make: type[nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make()


def written(make: type[nn.Module], made: Plan, seed: int) -> dict[str, Tensor]:
    """What apply writes into a real model."""
    with seeded():
        model = make()
    made.apply(model, seed=seed)
    return state_of(model)


def plan_for(make: type[nn.Module], inputs: Tensor, **options: object) -> Plan:
    with seeded():
        model = make()
    return plan(model, inputs, **options)  # type: ignore[arg-type]


RULES = (Rule(where="0.weight", method="orthogonal"), Rule(where="3.weight", method="sparse"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bits_are_those_of_apply(dtype: torch.dtype) -> None:
    made = plan_for(
        Small, pictures(), policy="he_normal", rules=[*RULES, Rule(where="*.bias", method="normal")]
    )
    model = meta(Small)
    assert made.materialize(model, seed=5, dtype=None if dtype == torch.float32 else dtype) is model
    wanted = written(Small, made, 5)
    for name, value in model.named_parameters():
        assert value.dtype == dtype
        assert torch.equal(value, wanted[name].to(dtype)), name


def test_a_plan_by_auto_materializes_what_it_applies() -> None:
    made = plan_for(Small, pictures())
    model = made.materialize(meta(Small), seed=5)
    wanted = written(Small, made, 5)
    for one in made:
        if not one.keeps:
            assert torch.equal(model.get_parameter(one.name), wanted[one.name])


def test_kept_constants_come_back() -> None:
    class Scaled(Small):
        def __init__(self) -> None:
            super().__init__()
            nn.init.constant_(self[1].weight, 0.25)
            nn.init.constant_(self[7].bias, -4.595)

    made = plan_for(Scaled, pictures(), policy="shipped")
    model = made.materialize(meta(Scaled))
    assert (model[1].weight == 0.25).all()
    assert (model[7].bias == torch.tensor(-4.595)).all()


def test_kept_noise_comes_back_with_its_mean_and_spread() -> None:
    """What was random cannot come back as it was: n draws with the same mean and std, to 5 sigma."""

    class Wide(nn.Linear):
        def __init__(self) -> None:
            super().__init__(200, 300)
            nn.init.normal_(self.weight, 0.3, 0.05)

    made = plan_for(Wide, noise(4, 200), policy="shipped")
    weight = made.materialize(meta(Wide)).weight
    assert weight.mean().item() == pytest.approx(0.3, abs=5 * 0.05 / weight.numel() ** 0.5 + 1e-4)
    assert weight.std().item() == pytest.approx(0.05, rel=5 / (2 * weight.numel()) ** 0.5 + 1e-3)


def test_ties_are_kept() -> None:
    made = plan_for(TinyGPT, token_ids())
    with pytest.warns(LostBufferWarning):
        model = made.materialize(meta(TinyGPT))
    assert model.head.weight is model.tokens.weight


def test_running_statistics_are_made_again() -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    with warnings.catch_warnings():
        warnings.simplefilter("error", LostBufferWarning)
        model = made.materialize(meta(Small))
    fresh = nn.BatchNorm2d(8)
    assert same(dict(model[1].named_buffers()), dict(fresh.named_buffers()))
    model.train()(pictures()).sum().backward()
    assert model[1].num_batches_tracked == 1


def test_a_buffer_that_nothing_makes_again_is_named() -> None:
    made = plan_for(TinyGPT, token_ids())
    with pytest.warns(LostBufferWarning, match="mask") as caught:
        made.materialize(meta(TinyGPT))
    assert "what to do" in str(caught[0].message)


def test_tensors_with_storage_are_filled_where_they_are() -> None:
    """Partially meta: the rest is given storage, what has some keeps it, and kept values stay."""
    with seeded():
        model = Small()
    nn.init.constant_(model[1].weight, 0.5)
    made = plan(model, pictures(), policy="he_normal")
    wanted = state_of(model)
    address = model[3].weight.data_ptr()
    model[0].to(device="meta")
    model[1].running_mean = torch.empty(8, device="meta")
    made.materialize(model, seed=2)
    assert model[3].weight.data_ptr() == address
    assert torch.equal(model[1].weight, wanted["1.weight"])
    assert torch.equal(model[1].bias, wanted["1.bias"])
    assert not model[1].running_mean.any()
    assert torch.equal(model[0].weight, written(Small, made, 2)["0.weight"])


def test_the_global_generator_is_not_touched() -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    state = torch.random.get_rng_state()
    made.materialize(meta(Small))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("other", [TinyGPT, lambda: Small(9)])
def test_a_plan_for_another_model(other: type[nn.Module]) -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    model = meta(other)
    with pytest.raises(PlanMismatchError) as caught:
        made.materialize(model)
    assert three_parts(caught.value)
    assert all(p.is_meta for p in model.parameters())


class Rotary(nn.Module):
    """A table that only its constructor knows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(4.0), persistent=False)
        self.scale = nn.Parameter(torch.full((4,), 2.0), requires_grad=False)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x * self.table * self.scale)


def test_a_plan_made_on_meta_is_by_theory_and_says_so() -> None:
    made = plan(meta(Small), torch.empty(8, 3, 8, 8, device="meta"))
    assert made.chosen == "theory"
    assert any("theory only" in note for note in made.notes)
    model = made.materialize(meta(Small))
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert (model[1].weight == 1).all()


def test_a_plan_made_on_meta_of_a_language_model() -> None:
    made = plan(meta(TinyGPT), token_ids().to("meta"))
    with pytest.warns(LostBufferWarning):
        model = made.materialize(meta(TinyGPT))
    assert model.head.weight is model.tokens.weight
    # 17 * 16 draws of std 0.02: 5 sigma of the sample's std.
    assert model.tokens.weight.std().item() == pytest.approx(0.02, rel=5 / (2 * 272) ** 0.5)


def test_a_kept_parameter_of_which_nothing_is_known() -> None:
    made = plan(meta(Rotary), torch.empty(2, 4, device="meta"))
    model = meta(Rotary)
    with pytest.raises(UsageError, match="'scale', and nothing is known") as caught:
        made.materialize(model)
    assert three_parts(caught.value)
    assert all(p.is_meta for p in model.parameters())
    ruled = plan(
        meta(Rotary),
        torch.empty(2, 4, device="meta"),
        rules=[Rule(where="scale", method="constant", value=2.0)],
    )
    with pytest.warns(LostBufferWarning, match="table"):
        ruled.materialize(model)
    assert (model.scale == 2).all()


def reset_all(model: nn.Module) -> nn.Module:
    """As FSDP and Lightning do it."""
    for module in model.modules():
        if any(t.is_meta for t in (*module.parameters(recurse=False), *module.buffers(recurse=False))):
            module.to_empty(device="cpu", recurse=False)
            module.reset_parameters()
    return model


def test_bound_resets_give_the_bits_of_apply() -> None:
    made = plan_for(Small, pictures(), policy="he_normal", rules=RULES)
    model = meta(Small)
    assert made.bind(model, seed=5) is model
    reset_all(model)
    wanted = written(Small, made, 5)
    fresh = nn.BatchNorm2d(8)
    for one in made:
        if not one.keeps:
            assert torch.equal(model.get_parameter(one.name), wanted[one.name])
    assert same(dict(model[1].named_buffers()), dict(fresh.named_buffers()))
    assert (model[1].weight == 1).all()


def test_bound_resets_fill_both_names_of_a_tie_alike() -> None:
    """to_empty parts ties; both ends get the same bits."""
    made = plan_for(TinyGPT, token_ids(), rules=[Rule(where="tokens.weight", method="normal")])
    model = meta(TinyGPT)
    made.bind(model)
    for module in (model.tokens, model.head):
        module.to_empty(device="cpu")
        module.reset_parameters()
    assert torch.equal(model.tokens.weight, model.head.weight)


def test_bound_resets_leave_the_global_generator_alone() -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    model = Small()
    made.bind(model)
    state = torch.random.get_rng_state()
    for index in (0, 1, 3, 7):
        model[index].reset_parameters()
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_copy_of_a_bound_model_is_bound_to_itself() -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    model = made.bind(Small(), seed=5)
    twin = copy.deepcopy(model)
    before = state_of(model)
    twin[0].reset_parameters()
    assert same(before, state_of(model))
    assert torch.equal(twin[0].weight, written(Small, made, 5)["0.weight"])


def test_a_bound_model_whose_parameters_were_replaced() -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    model = made.bind(Small())
    nn.utils.parametrizations.weight_norm(model[7])
    with pytest.raises(PlanMismatchError, match=r"7\.weight") as caught:
        model[7].reset_parameters()
    assert three_parts(caught.value)


def test_binding_another_model() -> None:
    with pytest.raises(PlanMismatchError):
        plan_for(Small, pictures(), policy="he_normal").bind(TinyGPT())


def test_binding_says_at_once_what_it_cannot_fill() -> None:
    made = plan(meta(Rotary), torch.empty(2, 4, device="meta"))
    with pytest.raises(UsageError, match="scale"):
        made.bind(meta(Rotary))


def test_a_round_trip_through_json_materializes_the_same(tmp_path: Path) -> None:
    made = plan_for(Small, pictures(), rules=RULES)
    left = made.materialize(meta(Small), seed=3)
    right = Plan.from_json(made.to_json()).materialize(meta(Small), seed=3)
    assert same(state_of(left), state_of(right))


def test_another_type_is_for_real_numbers_only() -> None:
    made = plan_for(Small, pictures(), policy="he_normal")
    model = made.materialize(meta(Small), dtype=torch.bfloat16)
    assert model[1].running_mean.dtype == torch.bfloat16
    assert model[1].num_batches_tracked.dtype == torch.int64
