"""Calling a foreign model: what it is called with, where in it we are, and what its errors become."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn

from initium.errors import ModelRunError, UsageError, UsageTypeError
from initium.record import record
from initium.record.run.call import (
    batch_size,
    check_inputs,
    check_samples,
    differentiable,
    module_paths,
    run_forward,
    tracked,
)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (torch.zeros(5, 3), 5),
        ((torch.zeros(4, 3), torch.zeros(9)), 4),
        ({"ids": torch.zeros(6, 2), "mask": torch.zeros(1)}, 6),
        (([torch.zeros(3, 8, 8)] * 3, None), 3),
        (torch.zeros(()), 1),
        ((), 1),
        (("text",), 1),
    ],
)
def test_the_number_of_samples(inputs: Any, expected: int) -> None:
    assert batch_size(inputs) == expected


@pytest.mark.parametrize("inputs", [[torch.zeros(2)], "text", None, 3, nn.Linear(2, 2)])
def test_inputs_of_other_types_are_refused(inputs: Any) -> None:
    with pytest.raises(UsageTypeError, match=type(inputs).__name__):
        check_inputs(inputs)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_not_finite_is_found_wherever_it_is(value: float) -> None:
    bad = torch.zeros(3, 4)
    bad[2, 1] = value
    with pytest.raises(UsageError, match=r"\(3, 4\)"):
        check_inputs({"a": torch.ones(2), "b": [torch.ones(1), (bad,)]})


def test_what_has_no_values_or_only_whole_numbers_passes() -> None:
    leaves = check_inputs((torch.ones(2, 3, device="meta"), torch.arange(4), "text", 7))
    assert len(leaves) == 4


def test_inputs_without_any_sample_are_refused() -> None:
    check_samples([torch.zeros(0, 3), torch.zeros(1)])
    check_samples(["no tensor at all"])
    with pytest.raises(UsageError, match="no sample"):
        check_samples([torch.zeros(0, 3), torch.zeros(2, 0)])


def test_only_tensors_of_inference_mode_are_copied() -> None:
    with torch.inference_mode():
        frozen = torch.ones(2, 3)
    plain = torch.ones(2)
    assert tracked((plain,))[0] is plain  # type: ignore[index]
    made = tracked({"a": frozen, "b": [plain, 5]})
    assert isinstance(made, dict)
    assert not made["a"].is_inference()
    assert torch.equal(made["a"], torch.ones(2, 3))
    assert made["b"][0] is plain


def test_gradients_are_on_whatever_the_caller_has_set() -> None:
    for outer in (torch.no_grad(), torch.inference_mode(), nullcontext()):
        with outer, differentiable():
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()


class Three(nn.Module):
    def forward(self, a: Tensor, b: Tensor, c: float = 1.0) -> Tensor:
        return a + 10 * b + 100 * c


@pytest.mark.parametrize(
    ("inputs", "forward", "expected"),
    [
        ((torch.ones(1), torch.ones(1)), None, 111.0),
        ({"b": torch.zeros(1), "a": torch.ones(1), "c": 2.0}, None, 201.0),
        (torch.ones(1), lambda model, x: model(x, 2 * x, c=0.0), 21.0),
    ],
)
def test_a_model_is_called_with_its_inputs(inputs: Any, forward: Any, expected: float) -> None:
    assert float(run_forward(Three(), inputs, forward, nullcontext())) == expected


def test_the_model_runs_with_gradients_inside_the_tape_that_is_given() -> None:
    entered: list[str] = []

    class Note:
        def __enter__(self) -> None:
            entered.append("in")

        def __exit__(self, *_: object) -> None:
            entered.append("out")

    def forward(_model: nn.Module, x: Tensor) -> Tensor:
        entered.append("call" if torch.is_grad_enabled() else "no gradients")
        return x

    with torch.no_grad():
        run_forward(Three(), torch.ones(1), forward, Note())
    assert entered == ["in", "call", "out"]


def test_errors_of_a_model_name_it_and_its_inputs_and_keep_the_cause() -> None:
    def forward(_model: nn.Module, _x: Tensor) -> Tensor:
        raise ZeroDivisionError("by hand")

    with pytest.raises(ModelRunError, match="Three raised ZeroDivisionError: by hand") as caught:
        run_forward(Three(), torch.ones(2, 3, dtype=torch.float64), forward, nullcontext())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "(2, 3) float64 on cpu" in caught.value.expected


def test_errors_of_ours_and_what_is_no_error_pass_as_they_are() -> None:
    for raised in (UsageError("a", expected="b", remedy="c"), KeyboardInterrupt(), SystemExit(3)):

        def forward(_model: nn.Module, _x: Tensor, raised: BaseException = raised) -> Tensor:
            raise raised

        with pytest.raises(type(raised)) as caught:
            run_forward(Three(), torch.ones(1), forward, nullcontext())
        assert caught.value is raised


class Paths(nn.Module):
    """Notes the path that is told while each part of it runs; `bad` raises, and the parent goes on."""

    def __init__(self, noted: list[tuple[str, str]]) -> None:
        super().__init__()
        self.good, self.noted = nn.Sequential(nn.Linear(3, 3), Note(noted, "good")), noted
        self.bad, self.after = Bad(noted), Note(noted, "after")
        self.where: Callable[[], str] = lambda: "?"

    def forward(self, x: Tensor) -> Tensor:
        self.noted.append(("before", WHERE[0]()))
        x = self.good(x)
        try:
            x = self.bad(x)
        except ZeroDivisionError:
            self.noted.append(("caught", WHERE[0]()))
        x = self.after(x)
        x = Note(self.noted, "foreign")(x)
        self.noted.append(("end", WHERE[0]()))
        return x * 2


class Note(nn.Module):
    def __init__(self, noted: list[tuple[str, str]], name: str) -> None:
        super().__init__()
        self.noted, self.name = noted, name

    def forward(self, x: Tensor) -> Tensor:
        self.noted.append((self.name, WHERE[0]()))
        return x


class Bad(Note):
    def __init__(self, noted: list[tuple[str, str]]) -> None:
        super().__init__(noted, "bad")
        self.inner = Note(noted, "inner")

    def forward(self, x: Tensor) -> Tensor:
        self.inner(x)
        Note(self.noted, "stranger")(x)  # a module that the model does not hold runs as a part of its caller
        raise ZeroDivisionError


WHERE: list[Callable[[], str]] = [lambda: "?"]


def test_the_path_of_the_module_that_runs_also_after_one_has_raised() -> None:
    """A fallback inside a model (try this kernel, else that) must not leave the rest under the wrong name."""
    noted: list[tuple[str, str]] = []
    model = Paths(noted)
    with module_paths(model) as where:
        WHERE[0] = where
        model(noise(2, 3))
        assert where() == ""
    assert noted == [
        ("before", ""), ("good", "good.1"), ("inner", "bad.inner"), ("stranger", "bad"),
        ("caught", ""), ("after", "after"),
        ("foreign", ""), ("end", ""),
    ]  # fmt: skip


def test_operations_after_a_fallback_are_recorded_under_their_own_module() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.bad, self.last = nn.Linear(3, 3), Bad([]), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            try:
                x = self.bad(x)
            except ZeroDivisionError:
                x = x.relu()
            return self.last(x) * 2

    nodes = record(Careful(), noise(2, 3)).nodes
    assert [(node.op.removeprefix("aten."), node.module) for node in nodes] == [
        ("input", ""), ("addmm", "first"), ("relu", ""), ("addmm", "last"), ("mul", ""),
    ]  # fmt: skip


def test_no_hook_is_left_behind() -> None:
    hooks = nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks
    before = [len(one) for one in hooks]

    def run() -> None:
        with module_paths(Three()):
            assert [len(one) for one in hooks] == [count + 1 for count in before]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert [len(one) for one in hooks] == before
