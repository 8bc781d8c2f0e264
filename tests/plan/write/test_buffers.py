from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from initium.plan.write.buffers import rebuild_buffers, reset_buffers


def rebuilt(model: nn.Module) -> list[str]:
    """Give a meta model storage, and say which buffers nothing has made again."""
    lost = {name for name, buffer in model.named_buffers() if buffer.is_meta}
    fresh = {name for name, parameter in model.named_parameters() if parameter.is_meta}
    model.to_empty(device="cpu")
    return rebuild_buffers(model, lost, fresh)


class Table(nn.Module):
    """A buffer that `method` makes again, if it is given one."""

    def __init__(self, value: Tensor, method: str = "") -> None:
        super().__init__()
        self.register_buffer("table", value.to("meta"), persistent=False)
        self.calls = 0

        def make() -> None:
            self.calls += 1
            self.table.copy_(value)

        if method:
            setattr(self, method, make)


VALUES = [
    torch.arange(4.0), torch.arange(4), torch.tensor([True, False]), torch.zeros(2), torch.ones(2, dtype=torch.bool),
    torch.arange(4, dtype=torch.uint8), torch.full((2,), 1 + 2j),
]  # fmt: skip
METHODS = [
    "reset_running_stats", "init_non_persistent_buffers", "reset_buffers", "reset_parameters", "_reset_parameters",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_what_nothing_makes_again_is_named(value: Tensor) -> None:
    assert rebuilt(nn.Sequential(Table(value))) == ["0.table"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("method", METHODS)
def test_every_usual_method_is_asked(value: Tensor, method: str) -> None:
    model = nn.Sequential(Table(value, method))
    assert rebuilt(model) == []
    assert torch.equal(model[0].table, value)


def test_nothing_more_is_called_once_all_is_there() -> None:
    table = Table(torch.zeros(2), "reset_buffers")
    table.reset_parameters = lambda: pytest.fail("not needed any more")
    assert rebuilt(table) == []
    assert table.calls == 1


def test_an_empty_buffer_is_not_lost() -> None:
    assert rebuilt(Table(torch.empty(0))) == []


def test_parameters_with_values_keep_them() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((3,), 5.0))
            self.register_buffer("table", torch.empty(3, device="meta"))

        def reset_parameters(self) -> None:
            with torch.no_grad():
                self.weight.zero_()
                self.table.fill_(7.0)

    model = Both()
    model.table = torch.empty(3)
    assert rebuild_buffers(model, {"table"}, fresh=set()) == []
    assert (model.weight == 5).all()
    assert (model.table == 7).all()


def test_a_replaced_buffer_gets_the_type_that_was_asked_for() -> None:
    class Replaces(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", torch.empty(3, device="meta", dtype=torch.bfloat16))

        def reset_buffers(self) -> None:
            self.table = torch.arange(3.0)

    model = Replaces()
    assert rebuilt(model) == []
    assert model.table.dtype == torch.bfloat16


def test_an_initializer_of_the_model_around_is_asked_for_modules_without_parameters() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rotary = Table(torch.arange(3.0))

        def _init_weights(self, module: nn.Module) -> None:
            if isinstance(module, Table):
                module.table.copy_(torch.arange(3.0))

    assert rebuilt(nn.Sequential(Whole())) == []


def test_rotary_tables_of_transformers_come_back() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, vocab_size=50
    )
    real = transformers.LlamaForCausalLM(config)
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    assert rebuilt(model) == []
    for name, buffer in real.named_buffers():
        assert torch.equal(model.get_buffer(name), buffer)


def test_tables_of_timm_come_back() -> None:
    timm = pytest.importorskip("timm")
    options = {
        "img_size": 64,
        "embed_dim": 24,
        "depths": (1, 1),
        "num_heads": (1, 2),
        "window_size": 4,
        "num_classes": 3,
    }
    for name in ("swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"):
        real = timm.create_model(name, **options)
        with torch.device("meta"):
            model = timm.create_model(name, **options)
        missing = rebuilt(model)
        for key, buffer in real.named_buffers():
            assert key in missing or torch.equal(model.get_buffer(key), buffer), key
        assert not missing


def test_reset_buffers_leaves_the_generator_alone() -> None:
    norm = nn.BatchNorm1d(3)
    norm.running_mean.fill_(3.0)
    state = torch.random.get_rng_state()
    reset_buffers(norm)
    assert not norm.running_mean.any()
    assert torch.equal(state, torch.random.get_rng_state())


def test_modules_that_draw_while_they_make_buffers_do_not_move_the_generator() -> None:
    """A module's own reset draws its parameters too, which the plan overwrites: the user's next draw stays the same."""

    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(5, 5, device="meta"))
            self.register_buffer("table", torch.empty(4, device="meta"), persistent=False)

        def reset_parameters(self) -> None:
            nn.init.normal_(self.weight)
            self.table.copy_(torch.randn(4))

    model = nn.Sequential(Draws(), Draws())
    state = torch.random.get_rng_state()
    assert rebuilt(model) == []
    assert torch.equal(state, torch.random.get_rng_state())
    assert bool(model[0].table.any())

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("noise", torch.zeros(4))

        def reset_buffers(self) -> None:
            self.noise.normal_()

    module = Module()
    reset_buffers(module)
    assert bool(module.noise.any())
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_buffer_that_is_made_with_one_nan_in_it_is_made() -> None:
    """Written past autograd's version counter, so that only the values tell; all nan is what nothing has written."""
    table = Table(torch.zeros(3))
    table.reset_buffers = lambda: table.table.data.copy_(torch.tensor([1.0, torch.nan, 2.0]))
    assert rebuilt(table) == []
    assert table.table[::2].tolist() == [1.0, 2.0]
