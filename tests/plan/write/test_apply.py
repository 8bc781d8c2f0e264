from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from tests.nets import noise, seeded
from tests.plan.nets import Small, TinyGPT, changed, pictures, same, state_of, three_parts, token_ids
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from initium import Plan, Rule, init_, plan
from initium.errors import ApplyError, PlanMismatchError, UsageError, UsageTypeError
from initium.plan.write.apply import rollback
from initium.random import fill as filling

HE = plan(Small(), pictures(), policy="he_normal")


def test_the_tensors_stay_the_same_objects() -> None:
    model = Small()
    before = [(id(p), p.data_ptr()) for p in model.parameters()]
    HE.apply(model)
    assert before == [(id(p), p.data_ptr()) for p in model.parameters()]


def test_references_of_an_optimizer_survive() -> None:
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    HE.apply(model, seed=1)
    model(pictures()).sum().backward()
    before = model[0].weight.detach().clone()
    optimizer.step()
    assert torch.equal(model[0].weight.detach(), before - 0.5 * model[0].weight.grad)
    assert model[0].weight in optimizer.state


def test_ties_survive() -> None:
    model = TinyGPT()
    init_(model, token_ids())
    assert model.head.weight is model.tokens.weight


def test_gradients_and_requires_grad_stay() -> None:
    model = Small()
    model(pictures()).sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    HE.apply(model)
    assert all(p.grad is grads[name] and p.requires_grad for name, p in model.named_parameters())


def test_only_what_the_plan_changes_is_written() -> None:
    model = Small()
    before = state_of(model)
    HE.apply(model)
    assert changed(before, model) == {"0.weight", "3.weight", "3.bias", "7.weight", "7.bias"}


def test_the_seed_decides_the_bits() -> None:
    first, second, other = Small(), Small(), Small()
    HE.apply(first, seed=5)
    HE.apply(second, seed=5)
    HE.apply(other, seed=6)
    for name in ("0.weight", "3.weight", "7.weight"):
        assert torch.equal(first.get_parameter(name), second.get_parameter(name))
        assert not torch.equal(first.get_parameter(name), other.get_parameter(name))


def test_seeds_may_be_any_whole_number() -> None:
    for seed in (-1, 0, 2**31, 2**64, 10**40):
        HE.apply(Small(), seed=seed)


@pytest.mark.parametrize("seed", [1.5, "0", None, True])
def test_other_seeds_are_refused(seed: object) -> None:
    model = Small()
    before = state_of(model)
    with pytest.raises(UsageTypeError, match="seed") as caught:
        HE.apply(model, seed=seed)  # type: ignore[arg-type]
    assert three_parts(caught.value)
    assert same(before, state_of(model))


def test_the_global_generator_is_not_touched() -> None:
    model = Small()
    with seeded(3):
        before = torch.random.get_rng_state()
        HE.apply(model)
        assert torch.equal(before, torch.random.get_rng_state())


class Named(nn.Module):
    """Modules by name, so that they can be reordered and added to."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        for name in names:
            self.add_module(name, nn.Linear(6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in sorted(dict(self.named_children())):
            x = torch.relu(self.get_submodule(name)(x))
        return x


@pytest.mark.parametrize("names", [("c", "a", "b"), ("a", "b", "between", "c"), ("a", "b", "c", "z")])
def test_other_modules_do_not_change_the_bits(names: tuple[str, ...]) -> None:
    """Reordered modules, one inserted, one added: the parameters that both models have keep their bits."""
    base, other = Named("a", "b", "c"), Named(*names)
    for model in (base, other):
        plan(model, noise(4, 6), policy="he_normal").apply(model, seed=2)
    for name in ("a.weight", "b.weight", "c.weight"):
        assert torch.equal(base.get_parameter(name), other.get_parameter(name))


def test_the_number_of_threads_does_not_change_the_bits() -> None:
    models = [nn.Linear(700, 500), nn.Linear(700, 500)]
    made = plan(models[0], noise(2, 700), policy="truncated_normal")
    for model, threads in zip(models, (1, 2), strict=True):
        torch.set_num_threads(threads)
        try:
            made.apply(model)
        finally:
            torch.set_num_threads(1)
    assert torch.equal(models[0].weight, models[1].weight)


def test_a_write_that_fails_half_way_is_rolled_back() -> None:
    model = Small()
    before = state_of(model)
    place, calls = filling._place, []

    def failing(job: filling._Job, todo: list[filling.pool.Job]) -> None:
        calls.append(job)
        if len(calls) == 3:
            filling._run(todo, 1)  # what came before is on the tensors when the third fails
            raise MemoryError("no room")
        place(job, todo)

    with patch.object(filling, "_place", failing), pytest.raises(MemoryError):
        HE.apply(model)
    assert same(before, state_of(model))


@pytest.mark.parametrize(("method", "params"), [("constant", {"value": 1e6}), ("normal", {"std": 1e6})])
def test_values_beyond_the_dtype_are_an_error_and_rolled_back(method: str, params: dict[str, float]) -> None:
    model = nn.Linear(4, 4).half()
    rules = [Rule(where="weight", method=method, **params)]
    made = plan(nn.Linear(4, 4), noise(2, 4), policy="shipped", rules=rules)
    before = state_of(model)
    with pytest.raises(ApplyError) as caught:
        made.apply(model)
    assert three_parts(caught.value)
    assert same(before, state_of(model))


def test_a_tensor_that_cannot_be_written_is_an_error_before_any_is() -> None:
    model = Small()
    with torch.no_grad():
        model[7].weight = nn.Parameter(torch.zeros(4, 1).expand(4, 8), requires_grad=False)
    made = plan(Small(), pictures(), policy="he_normal")
    before = state_of(model)
    with pytest.raises(UsageError, match="share memory"):
        made.apply(model)
    assert same(before, state_of(model))


@pytest.mark.parametrize("other", [nn.Linear(3, 4), Small(width=9), nn.Sequential(*Small(), nn.Linear(4, 4))])
def test_a_plan_for_another_model(other: nn.Module) -> None:
    before = state_of(other)
    with pytest.raises(PlanMismatchError) as caught:
        HE.apply(other)
    assert three_parts(caught.value)
    assert same(before, state_of(other))


def test_a_plan_for_another_model_says_which_shape() -> None:
    with pytest.raises(PlanMismatchError, match=r"0\.weight.*\(9, 3, 3, 3\)"):
        HE.apply(Small(width=9))


def test_a_model_on_meta_is_told_of_materialize() -> None:
    with torch.device("meta"):
        model = Small()
    with pytest.raises(PlanMismatchError, match="materialize"):
        HE.apply(model)


@pytest.mark.parametrize("target", [Small, "model", None, Small().state_dict()])
def test_something_that_is_no_model(target: object) -> None:
    with pytest.raises(UsageTypeError) as caught:
        HE.apply(target)  # type: ignore[arg-type]
    assert three_parts(caught.value)


def test_a_lazy_model_is_an_error() -> None:
    with pytest.raises(UsageError, match="lazy"):
        HE.apply(nn.Sequential(nn.LazyConv2d(8, 3)))


def test_a_compiled_model_is_written_as_its_original() -> None:
    model, plain = Small(), Small()
    compiled = torch.compile(model)
    receipt = init_(compiled, pictures(), policy="he_normal", seed=5)
    HE.apply(plain, seed=5)
    assert torch.equal(model[0].weight, plain[0].weight)
    assert receipt.entries[0].name == "0.weight"


def test_a_parametrized_weight_stays_parametrized() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 4))
    before = state_of(model)
    init_(model, noise(16, 8))
    now = state_of(model)
    assert now.keys() == before.keys()
    assert nn.utils.parametrize.is_parametrized(model[0], "weight")


def test_what_is_written_is_flagged_for_transformers() -> None:
    model = Small()
    HE.apply(model)
    assert model[0].weight._is_hf_initialized
    assert not hasattr(model[1].weight, "_is_hf_initialized")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_get_the_fp32_draw_cast_once(dtype: torch.dtype) -> None:
    wide, model = Small(), Small().to(dtype)
    HE.apply(wide)
    HE.apply(model)
    assert torch.equal(model[0].weight, wide[0].weight.to(dtype))


def test_strides_and_memory_format_stay() -> None:
    model, plain = Small().to(memory_format=torch.channels_last), Small()
    strides = model[0].weight.stride()
    HE.apply(model)
    HE.apply(plain)
    assert model[0].weight.stride() == strides
    assert torch.equal(model[0].weight, plain[0].weight)


def test_an_empty_plan_writes_nothing() -> None:
    model = Small()
    with pytest.raises(PlanMismatchError):
        Plan("Small", "auto", 0, ()).apply(model)


RAISED = [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError]


@pytest.mark.parametrize("raised", RAISED)
def test_whatever_is_raised_what_was_written_is_taken_back(raised: type[BaseException]) -> None:
    """Also Ctrl-C, which is no Exception: half a model is worse than none."""
    model = Small()
    before, parameters = state_of(model), dict(model.named_parameters())
    kept = {name: (id(p), p.data_ptr()) for name, p in parameters.items()}

    def interrupted() -> None:
        with rollback(parameters, list(parameters)), torch.no_grad():
            for parameter in parameters.values():
                parameter.fill_(7.0)
            raise raised

    with pytest.raises(raised):
        interrupted()
    assert same(before, state_of(model))
    assert kept == {name: (id(p), p.data_ptr()) for name, p in model.named_parameters()}


@pytest.mark.parametrize("always", [False, True])
def test_without_an_error_it_is_taken_back_only_if_asked(always: bool) -> None:
    model = Small()
    before, parameters = state_of(model), dict(model.named_parameters())
    with rollback(parameters, ["0.weight"], always=always), torch.no_grad():
        model[0].weight.fill_(7.0)
        model[3].weight.fill_(7.0)
    assert changed(before, model) == ({"3.weight"} if always else {"0.weight", "3.weight"})


class Interrupts(nn.Module):
    """A model whose forward is interrupted at the call of that number."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.net, self.calls, self.at = Small(), [0], at

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls[0] += 1
        if self.calls[0] == self.at:
            raise KeyboardInterrupt
        return self.net(x)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_ctrl_c_in_any_run_of_planning_leaves_the_model_as_it_was(at: int) -> None:
    model = Interrupts(at)
    before, random = state_of(model), torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        init_(model, pictures())
    assert model.calls == [at]
    assert same(before, state_of(model))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(random, torch.get_rng_state())


def test_what_was_written_is_looked_at() -> None:
    """Mean and spread of every entry of the receipt are those of the values in the model."""
    model = Small()
    receipt = HE.apply(model, seed=5)
    for entry in receipt.entries:
        values = model.get_parameter(entry.name).detach()
        assert entry.mean == pytest.approx(float(values.mean()), abs=1e-6)
        assert entry.std == pytest.approx(float(values.std(correction=0)), rel=1e-4, abs=1e-6)
