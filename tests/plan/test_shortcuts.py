from __future__ import annotations

import math

import pytest
import torch
from tests.nets import noise
from tests.plan.nets import Small, TinyGPT, pictures, same, state_of, three_parts, token_ids
from torch import Tensor, nn

from initium import Rule, fill_, init_
from initium.errors import (
    InitiumError,
    LayerError,
    ModelRunError,
    UnknownNameError,
    UsageError,
    UsageTypeError,
)
from initium.theory.fans import fans
from initium.theory.layer import Layer


class Raising(Small):
    """Raises after its first layer, and leaves a trace before it does."""

    def forward(self, x: Tensor) -> Tensor:
        self[1](self[0](x))
        self.trace = x
        raise RuntimeError("no such luck")


BAD: list[tuple[nn.Module, object, type[InitiumError]]] = [
    (Raising(), pictures(), ModelRunError),
    (Small(), pictures(channels=4), ModelRunError),
    (Small(), torch.empty(8, 3, 8, 8, device="meta"), InitiumError),
    (Small(), torch.zeros(8, 3, 8, 8, dtype=torch.long), ModelRunError),
    (Small(), pictures() * math.nan, UsageError),
    (Small(), pictures() / 0, UsageError),
    (Small(), [pictures()], UsageTypeError),
    (Small(), None, UsageTypeError),
    (Small(), "3x8x8", UsageTypeError),
    (nn.ReLU(), pictures(), UsageError),
    (nn.Sequential(nn.LazyLinear(4)), pictures(), UsageError),
    (TinyGPT(), torch.full((2, 8), 99), ModelRunError),
]


@pytest.mark.parametrize(("model", "inputs", "kind"), BAD)
def test_bad_inputs_are_one_clear_error_and_change_nothing(
    model: nn.Module, inputs: object, kind: type[InitiumError]
) -> None:
    lazy = any(nn.parameter.is_lazy(p) for p in model.parameters())
    before = {} if lazy else state_of(model)
    with pytest.raises(kind) as caught:
        init_(model, inputs)  # type: ignore[arg-type]
    assert three_parts(caught.value)
    assert lazy or same(before, state_of(model))
    assert not hasattr(model, "trace")


def test_the_cause_of_a_model_that_raises_is_attached() -> None:
    with pytest.raises(ModelRunError, match="no such luck") as caught:
        init_(Raising(), pictures())
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("target", [Small, "timm:resnet18", None])
def test_something_that_is_no_model(target: object) -> None:
    with pytest.raises(UsageTypeError) as caught:
        init_(target, pictures())  # type: ignore[arg-type]
    assert three_parts(caught.value)


@pytest.mark.parametrize("seed", [0.5, "1", None, True])
def test_a_seed_that_is_no_whole_number(seed: object) -> None:
    with pytest.raises(UsageTypeError, match="seed"):
        init_(Small(), pictures(), seed=seed)  # type: ignore[arg-type]


def test_a_wrong_policy_changes_nothing() -> None:
    model = Small()
    before = state_of(model)
    with pytest.raises(UnknownNameError, match="did you mean"):
        init_(model, pictures(), policy="xavier_norml")
    with pytest.raises(UsageTypeError):
        init_(model, pictures(), policy=3)  # type: ignore[arg-type]
    assert same(before, state_of(model))


def test_integer_inputs_are_fine_where_the_model_takes_them() -> None:
    assert init_(TinyGPT(), token_ids()).verdict


def test_shipped_changes_nothing() -> None:
    model = Small()
    before = state_of(model)
    assert init_(model, pictures(), policy="shipped").written == ()
    assert same(before, state_of(model))


def test_the_same_seed_gives_the_same_bits() -> None:
    left, right = Small(), Small()
    right.load_state_dict(left.state_dict())
    init_(left, pictures(), seed=9)
    init_(right, pictures(), seed=9)
    assert same(state_of(left), state_of(right))


def test_buffers_modes_gradients_and_random_states_stay() -> None:
    model = Small().train()
    model[4].eval()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    state = torch.random.get_rng_state()
    init_(model, pictures())
    assert same(buffers, dict(model.named_buffers()))
    assert model.training
    assert not model[4].training
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


def test_weights_that_are_not_finite_are_repaired() -> None:
    model = Small()
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
        model[1].weight[0] = math.inf
    receipt = init_(model, pictures())
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert receipt.after is not None
    assert receipt.before is not None
    assert receipt.after < receipt.before


def test_forward_and_loss_are_used() -> None:
    model = Small()
    calls = []

    def forward(inner: nn.Module, x: Tensor) -> Tensor:
        calls.append(inner)
        return inner(x)

    init_(model, pictures(), forward=forward, loss=lambda out: out.square().mean())
    assert calls
    assert all(inner is model for inner in calls)


def test_rules_are_followed() -> None:
    model = Small()
    init_(model, pictures(), rules=[Rule(where="7.weight", method="zeros")])
    assert not model[7].weight.any()


def test_fill_returns_its_target() -> None:
    tensor, layer = torch.empty(4, 4), nn.Linear(4, 4)
    assert fill_(tensor, "he_normal") is tensor
    assert fill_(layer, "he_normal") is layer


@pytest.mark.parametrize("shape", [(400, 300), (64, 32, 3, 3), (40, 20, 3, 3, 3)])
def test_fill_reads_a_tensor_as_torch_does(shape: tuple[int, ...]) -> None:
    """Variance 2 / fan_in; the sample variance of n normals has a relative error of sqrt(2 / n), here 5 sigma of it."""
    weight = fill_(torch.empty(shape), "he_normal")
    assert weight.var().item() * math.prod(shape[1:]) / 2 == pytest.approx(
        1, abs=5 * math.sqrt(2 / weight.numel())
    )


def test_fill_knows_the_geometry_of_a_module() -> None:
    layer = nn.ConvTranspose2d(64, 32, 4, stride=2, groups=4)
    fill_(layer, "he_normal")
    fan = fans(Layer("conv_transpose", tuple(layer.weight.shape), 1, 0, groups=4, stride=(2, 2))).fan_in
    assert layer.weight.var().item() * fan / 2 == pytest.approx(
        1, abs=5 * math.sqrt(2 / layer.weight.numel())
    )
    assert not layer.bias.any()


def test_fill_is_keyed_by_seed_and_name() -> None:
    base = fill_(torch.empty(50), "normal")
    assert torch.equal(base, fill_(torch.empty(50), "normal"))
    assert not torch.equal(base, fill_(torch.empty(50), "normal", seed=1))
    assert not torch.equal(base, fill_(torch.empty(50), "normal", name="other"))
    module = fill_(nn.Linear(5, 10), "normal", name="a")
    assert torch.equal(module.weight.flatten(), fill_(torch.empty(50), "normal", name="a.weight"))


def test_fill_takes_parameters_that_require_grad() -> None:
    layer = nn.Linear(4, 4)
    fill_(layer.weight, "constant", value=3.0)
    assert layer.weight.requires_grad
    assert layer.weight.grad_fn is None
    assert (layer.weight == 3).all()


@pytest.mark.parametrize(
    ("target", "method", "params", "kind"),
    [
        (torch.empty(3, 3), "he_norml", {}, UnknownNameError),
        (torch.empty(3, 3), "normal", {"sdt": 1}, UnknownNameError),
        (torch.empty(3, 3), "normal", {"std": -1}, UsageError),
        (torch.empty(3), "orthogonal", {}, LayerError),
        (torch.empty(3, 3, dtype=torch.long), "normal", {}, UsageTypeError),
        (torch.empty(3, 1).expand(3, 3), "normal", {}, UsageError),
        (torch.empty(3, 3, device="meta"), "normal", {}, UsageError),
        ([1.0, 2.0], "normal", {}, UsageTypeError),
        (nn.ReLU(), "normal", {}, UsageError),
        (Small(), "normal", {}, UsageError),
        (None, "normal", {}, UsageTypeError),
    ],
)
def test_fill_refuses(
    target: object, method: str, params: dict[str, object], kind: type[InitiumError]
) -> None:
    with pytest.raises(kind) as caught:
        fill_(target, method, **params)  # type: ignore[type-var]
    assert three_parts(caught.value)


def test_fill_takes_empty_and_single_numbers() -> None:
    assert fill_(torch.empty(0, 4), "normal").shape == (0, 4)
    assert fill_(torch.empty(()), "constant", value=2.0).item() == 2.0


def test_what_no_weights_can_mend_is_said_with_what_to_do() -> None:
    """A buffer of zeros ends the branch: no weight on it ever moves."""

    class Shut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.branch, self.head = (nn.Linear(8, 8) for _ in range(3))
            self.register_buffer("gain", torch.zeros(8))

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return self.head(x + self.gain * self.branch(x))

    receipt = init_(Shut(), noise(32, 8))
    assert receipt.verdict == "unhealthy"
    note = next(one for one in receipt.notes if "IN204" in one)
    assert note.startswith("still IN204 error: branch.weight")
    assert "buffer" in note
    assert "What to do: set the gains" in note
