from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from initium.errors import InitiumError, ModelRunError, UsageError, UsageTypeError
from initium.record import record


def three_parts(error: InitiumError) -> bool:
    return all(isinstance(part, str) and part for part in (error.seen, error.expected, error.remedy))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(6, 8)

    def forward(self, left: Tensor, right: Tensor | None = None) -> dict[str, Tensor]:
        out = {"left": self.a(left)}
        return out if right is None else out | {"right": self.b(right)}


def names(seen: Any) -> list[str]:
    return [use.names[0] for use in seen.sites]


def test_inputs_can_be_a_tensor_a_tuple_or_keywords() -> None:
    model, x, y = TwoInputs(), noise(5, 4), noise(5, 6)
    assert names(record(model, x)) == ["a.weight"]
    assert names(record(model, (x, y))) == ["a.weight", "b.weight"]
    assert names(record(model, {"left": x, "right": y})) == ["a.weight", "b.weight"]
    assert record(model, {"left": x, "right": y}).batch == 5


def test_forward_replaces_the_call() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def encode(self, x: Tensor) -> Tensor:
            return self.fc(x)

    seen = record(Odd(), noise(3, 4), forward=lambda model, x: model.encode(x))
    assert names(seen) == ["fc.weight"]


def test_the_loss_given_is_used() -> None:
    model, x = mlp(1, 6, nn.ReLU), noise(20, 6)
    labels = torch.arange(20) % 10
    seen = record(model, x, loss=lambda out: F.cross_entropy(out, labels))
    assert seen.loss == pytest.approx(F.cross_entropy(model(x), labels).item(), rel=1e-5)


def test_gradients_are_those_of_autograd() -> None:
    model, x = plain_conv(3, 8, norm=True), noise(4, 3, 8, 8)
    seen = record(model, x, loss=lambda out: out.square().mean())
    model(x).square().mean().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None
        assert seen.parameter(name).grad_second == pytest.approx(
            p.grad.square().mean().item(), rel=1e-4, abs=1e-20
        )


def test_a_dict_of_losses_is_summed() -> None:
    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            out = self.fc(x)
            return {"box": out[:, 0].square().mean(), "class": out[:, 1].abs().mean()}

    seen = record(Detector(), noise(3, 4))
    assert set(seen.losses) == {"box", "class"}
    assert seen.loss == pytest.approx(sum(seen.losses.values()), rel=1e-6)


def test_the_default_projection_has_a_gradient_of_norm_one() -> None:
    seen = record(nn.Linear(4, 8), noise(16, 4))
    last = seen.nodes[seen.outputs[0]]
    assert last.gradient == pytest.approx(1.0, abs=5 / math.sqrt(2 * 128))  # norm of 128 normals: 5 sigma


def test_outputs_can_be_nested_in_records() -> None:
    @dataclass
    class Output:
        logits: Tensor
        extra: tuple[Tensor, ...]

    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.aux = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Output:
            return Output(self.fc(x), (self.aux(x),))

    seen = record(Nested(), noise(3, 4))
    assert seen.parameter("fc.weight").grad_second
    assert len(seen.outputs) >= 1


def test_a_model_that_raises() -> None:
    class Raises(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            raise ZeroDivisionError("oh")

    with pytest.raises(ModelRunError, match="oh") as caught:
        record(Raises(), noise(2, 4))
    assert three_parts(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_inputs_of_the_wrong_shape() -> None:
    with pytest.raises(ModelRunError, match=r"\(2, 7\)") as caught:
        record(mlp(1, 6, nn.ReLU), noise(2, 7))
    assert three_parts(caught.value)


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Sequential()])
def test_a_model_without_parameters(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="no parameters") as caught:
        record(model, noise(2, 7))
    assert three_parts(caught.value)


def test_lazy_modules_before_their_first_call() -> None:
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    with pytest.raises(UsageError, match="lazy") as caught:
        record(model, noise(2, 7))
    assert three_parts(caught.value)
    model(noise(2, 7))
    assert names(record(model, noise(2, 7))) == ["0.weight", "2.weight"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_inputs_that_are_not_finite(value: float) -> None:
    x = noise(2, 6)
    x[0, 0] = value
    with pytest.raises(UsageError, match="not finite") as caught:
        record(mlp(1, 6, nn.ReLU), x)
    assert three_parts(caught.value)


@pytest.mark.parametrize("model", ["net", nn.Linear, {}, None])
def test_a_model_that_is_none(model: Any) -> None:
    with pytest.raises(UsageTypeError) as caught:
        record(model, noise(2, 6))
    assert three_parts(caught.value)


@pytest.mark.parametrize("inputs", [None, 3, [1, 2], "x"])
def test_inputs_of_the_wrong_type(inputs: Any) -> None:
    with pytest.raises(UsageTypeError) as caught:
        record(nn.Linear(2, 2), inputs)
    assert three_parts(caught.value)


def test_integer_inputs_of_a_text_model() -> None:
    model = nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, 3))
    seen = record(model, torch.arange(10).view(2, 5))
    assert names(seen) == ["0.weight", "1.weight"]
    assert seen.parameter("0.weight").grad_second


def test_integer_inputs_of_a_vision_model_are_an_error_not_a_crash() -> None:
    with pytest.raises(ModelRunError) as caught:
        record(plain_conv(1, 4), torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert "uint8" in str(caught.value)


def test_a_loss_that_is_no_scalar() -> None:
    with pytest.raises(UsageError, match="shape") as caught:
        record(nn.Linear(4, 3), noise(2, 4), loss=lambda out: out)
    assert three_parts(caught.value)


def test_a_loss_that_is_no_tensor() -> None:
    with pytest.raises((UsageError, UsageTypeError)) as caught:
        record(nn.Linear(4, 3), noise(2, 4), loss=lambda out: 1.0)  # type: ignore[arg-type,return-value]
    assert three_parts(caught.value)


def test_nothing_differentiable_is_noted() -> None:
    class Index(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x).argmax(1)

    seen = record(Index(), noise(2, 4))
    assert seen.loss is None
    assert "no backward" in seen.notes[0]
    assert names(seen) == ["fc.weight"]


def test_an_empty_batch_shows_nothing_and_is_refused() -> None:
    with pytest.raises(UsageError, match="no sample"):
        record(mlp(1, 6, nn.ReLU), noise(0, 6))


def test_a_compiled_model_is_recorded_as_its_original() -> None:
    model = mlp(1, 6, nn.ReLU)
    compiled = torch.compile(model, backend="eager")
    seen = record(compiled, noise(2, 6))  # type: ignore[arg-type]
    assert [info.name for info in seen.parameters] == [name for name, _ in model.named_parameters()]
    assert names(seen) == ["0.weight", "2.weight"]


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = checkpoint(
                lambda y: F.relu(self.b(F.relu(self.a(y)))), x.requires_grad_(), use_reentrant=reentrant
            )
            return self.c(x)

    seen = record(Checkpointed(), noise(8, 4))
    assert list(dict.fromkeys(names(seen))) == ["a.weight", "b.weight", "c.weight"]
    assert len(names(seen)) == 3
    assert all(info.grad_second for info in seen.parameters)


def test_in_place_activations() -> None:
    with seeded():
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3), nn.SiLU(inplace=True), nn.Flatten()
        )
    seen = record(model, noise(4, 3, 8, 8))
    ops = [n.op for n in seen.nodes if n.op != "aten.clone"]
    assert ops == ["input", "aten.convolution", "aten.relu", "aten.convolution", "aten.silu"]
    before, after = seen.nodes[1].forward, seen.nodes[2].forward
    assert before is not None
    assert before.zeros == 0
    assert after is not None
    assert 0.3 < after.zeros < 0.7
    assert seen.graph.follows(1) == ("activation:relu",)
    assert all(node.gradient for node in seen.nodes[1:] if node.op != "aten.clone")


def test_modules_called_several_times() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.relu(self.fc(x)))

    seen = record(Twice(), noise(4, 6))
    assert names(seen) == ["fc.weight", "fc.weight"]
    assert len(seen.parts["fc.weight"].nodes) == 2
    assert seen.parts["fc.weight"].chain == 2


def test_lstm_parameters_are_accounted_for() -> None:
    model = nn.LSTM(5, 7, num_layers=2, bidirectional=True, batch_first=True)
    seen = record(model, noise(3, 4, 5))
    assert all(info.used for info in seen.parameters)
    assert all(part.role != "unused" for part in seen.parts.values())


@pytest.mark.parametrize("cell", [nn.GRU, nn.RNN])
def test_other_recurrent_parameters_are_accounted_for(cell: type[nn.RNNBase]) -> None:
    seen = record(cell(5, 7), noise(4, 3, 5))  # type: ignore[call-arg]
    assert all(info.used for info in seen.parameters)


def test_half_precision() -> None:
    seen = record(plain_conv(2, 4).to(torch.bfloat16), noise(2, 3, 8, 8).to(torch.bfloat16))
    assert {node.dtype for node in seen.nodes} == {"bfloat16"}
    assert all(node.forward is not None and node.forward.finite for node in seen.nodes)
    assert seen.nodes[-1].gradient


def test_autocast() -> None:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(x)  # type: ignore[no-any-return]

    seen = record(mlp(2, 6, nn.ReLU), noise(4, 6), forward=forward)
    assert names(seen) == ["0.weight", "2.weight", "4.weight"]


def test_complex_values_do_not_break_it() -> None:
    class Fourier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Parameter(torch.view_as_real(torch.randn(4, 8, 5, dtype=torch.complex64)))
            self.fc = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            z = torch.fft.rfft2(x) * torch.view_as_complex(self.filter)
            return self.fc(torch.fft.irfft2(z, s=x.shape[-2:]))

    seen = record(Fourier(), noise(3, 4, 8, 8))
    assert all(info.used and info.grad_second for info in seen.parameters)


def test_shared_submodules_and_data_parallel_like_wrappers() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = mlp(1, 6, nn.ReLU)

        def forward(self, *args: Tensor) -> Tensor:
            return self.module(*args)  # type: ignore[no-any-return]

    assert names(record(Wrapper(), noise(4, 6))) == ["module.0.weight", "module.2.weight"]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
def test_a_scripted_model() -> None:
    seen = record(torch.jit.script(mlp(1, 6, nn.ReLU)), noise(4, 6))
    assert all(info.used for info in seen.parameters)


@pytest.mark.parametrize("function", [torch.tanh, torch.sigmoid])
def test_a_unit_is_saturated_within_a_hundredth_of_its_range(function: Any) -> None:
    """tanh spans 2, so within .02 of a bound; the sigmoid spans 1."""

    class Bounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same = nn.Linear(1, 1, bias=False)
            nn.init.ones_(self.same.weight)

        def forward(self, x: Tensor) -> Tensor:
            return function(self.same(x))

    tanh = torch.tensor([[-0.99], [-0.97], [0.0], [0.9], [0.975], [0.985], [0.995], [-0.5]])
    x = torch.atanh(tanh) * (1.0 if function is torch.tanh else 2.0)
    shares = [node.saturated for node in record(Bounded(), x).nodes if node.saturated is not None]
    assert shares == [3 / 8]


def test_the_strength_of_a_value_is_the_norm_of_its_product_with_its_gradient() -> None:
    """S = |x dL/dx|: large values that meet small gradients count for little."""
    with seeded():
        model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    x = noise(5, 6)
    value = model[:3](x).detach().requires_grad_()
    model[3:](value).square().sum().backward()
    assert value.grad is not None
    expected = float((value.detach() * value.grad).norm())
    evenly = float(value.detach().norm() * value.grad.norm()) / value.numel() ** 0.5
    assert abs(expected / evenly - 1) > 0.05
    seen = record(model, x, loss=lambda out: out.square().sum())
    (node,) = (seen.nodes[use.node] for use in seen.sites if use.names == ("2.weight",))
    assert node.strength == pytest.approx(expected, rel=1e-4)
