from __future__ import annotations

import pytest
import torch
from tests.nets import TransformerBlock, noise, seeded
from torch import Tensor, nn

from initium import diagnose, init_, plan, record
from initium.plan.structure.embedding_tables import padding_of, table_stds

WIDTH, WORDS, LENGTH = 64, 50, 12


class Reader(nn.Module):
    """Words and positions of the spread that norms expect, residual blocks, and a head that may be the word table."""

    def __init__(self, *, normed: bool = False, tied: bool = False, padding: int | None = None) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH, padding_idx=padding)
        self.places = nn.Embedding(LENGTH, WIDTH)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=0.01)
        if padding is not None:
            nn.init.zeros_(self.words.weight[padding])
        norm = nn.LayerNorm if normed else lambda _: nn.Identity()
        self.blocks = nn.ModuleList(
            nn.Sequential(norm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
            for _ in range(3)
        )
        for block in self.blocks:  # biases would be a stream of their own
            nn.init.zeros_(block[1].bias)
            nn.init.zeros_(block[3].bias)
        self.norm, self.head = norm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.norm(x))


def made(**options: object) -> tuple[Reader, Tensor]:
    with seeded():
        return Reader(**options), torch.randint(0, WORDS, (16, LENGTH))  # type: ignore[arg-type]


def test_tables_that_weights_take_as_they_are_start_at_unit_scale():
    model, ids = made()
    assert not diagnose(model, ids).healthy
    assert init_(model, ids).verdict == "healthy"
    # Standard error of a standard deviation of n values: 1 / sqrt(2 n); at five of them.
    for table in (model.words.weight, model.places.weight):
        assert float(table.detach().std()) == pytest.approx(1.0, abs=5 * (2 * table.numel()) ** -0.5)


def test_a_table_that_is_the_head_as_well_gives_outputs_of_unit_scale():
    model, ids = made(tied=True)
    assert init_(model, ids).verdict == "healthy"
    assert model.head.weight is model.words.weight
    spread = WIDTH**-0.25
    for table in (model.words.weight, model.places.weight):
        assert float(table.detach().std()) == pytest.approx(
            spread, abs=5 * spread * (2 * table.numel()) ** -0.5
        )
    # Two tables add up: sqrt(2), and a row's product with itself, one in 50 outputs, is larger.
    assert 1.0 < float(model(ids).detach().std()) < 2.5


def test_a_norm_restores_tables_and_they_stay():
    model, ids = made(normed=True)
    assert table_stds(record(model, ids)) == {}
    with torch.no_grad():
        model.head.weight.fill_(1e3)  # unsound, so that something is to be mended
    assert not diagnose(model, ids).healthy
    assert all(one.keeps for one in plan(model, ids) if one.role in ("embedding", "position"))


def test_tables_of_a_sound_model_stay_but_for_positions_that_are_drowned():
    model, ids = made()
    with torch.no_grad():
        model.words.weight.mul_(10.0)
    assert diagnose(model, ids).healthy
    found = plan(model, ids)
    assert found["words.weight"].keeps
    assert (found["places.weight"].rule, found["places.weight"].scale) == (
        "small-variance positions",
        pytest.approx(0.1, rel=0.1),
    )


@pytest.mark.parametrize("row", [0, 7, WORDS - 1])
def test_the_row_of_the_padding_token_stays_zero(row: int):
    model, ids = made(padding=row)
    seen = record(model, ids)
    assert padding_of(seen.graph, seen.parts["words.weight"]) == row
    assert padding_of(seen.graph, seen.parts["places.weight"]) is None
    assert init_(model, ids).verdict == "healthy"
    zero = (model.words.weight == 0).all(1)
    assert zero.nonzero().flatten().tolist() == [row]
    assert float(model.words.weight[~zero].detach().std()) == pytest.approx(
        1.0, abs=5 * (2 * 49 * WIDTH) ** -0.5
    )


class Patches(nn.Module):
    """Patches of a picture with their positions, and attention; the table is added in one of several ways."""

    def __init__(self, table: Tensor, added: str = "sum", louder: float = 1.0) -> None:
        super().__init__()
        self.cut, self.louder, self.added = nn.Conv2d(1, 32, 4, stride=4), louder, added
        self.table, self.last = nn.Parameter(table), nn.LayerNorm(32)
        self.places = nn.Embedding(16, 32, _weight=table[0].clone()) if added == "looked up" else None
        self.block, self.head = TransformerBlock(32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.louder * self.cut(x).flatten(2).mT
        if self.added == "in place":
            tokens += self.table
        elif self.added == "part":
            tokens = tokens + self.table[:, :16] + 0
        elif self.places is not None:
            tokens = tokens + self.places(torch.arange(16))
        else:
            tokens = tokens + self.table
        return self.head(self.last(self.block(tokens)).mean(1))


def size(tensor: Tensor) -> float:
    return float(tensor.detach().double().square().mean())


@pytest.mark.parametrize("added", ["sum", "in place", "part", "looked up"])
@pytest.mark.parametrize("louder", [0.3, 1.0, 2.0])
def test_faint_positions_start_at_the_size_of_the_signal(added: str, louder: float):
    with seeded():
        model = Patches(0.02 * torch.randn(1, 16 if added != "part" else 20, 32), added, louder)
    x = noise(64, 1, 16, 16)
    init_(model, x, seed=1)
    content = size(louder * model.cut(x[0::2]))
    assert size(model.table if model.places is None else model.places.weight) == pytest.approx(
        content, rel=0.05
    )
    found = plan(Patches(torch.zeros(1, 16, 32)), x)
    assert (found["table"].method, found["table"].rule) == ("normal", "small-variance positions")


def test_positions_that_are_heard_and_those_of_a_pattern_stay():
    x = noise(64, 1, 16, 16)
    waves = torch.sin(torch.arange(16.0)[:, None] / torch.arange(1.0, 33.0)).expand(1, 16, 32).clone()
    for table in (0.8 * noise(1, 16, 32), waves):
        assert plan(Patches(table), x)["table"].keeps
    quiet = Patches(0.02 * noise(1, 16, 32), louder=0.02)
    quiet.cut.requires_grad_(False)
    assert plan(quiet, x)["table"].keeps
    worse = Patches(0.02 * noise(1, 16, 32), louder=10.0)  # a larger spread of gradients than as found
    assert plan(worse, x)["table"].keeps
    frozen = Patches(0.02 * noise(1, 16, 32))
    frozen.table.requires_grad_(False)
    assert plan(frozen, x)["table"].keeps


def test_positions_of_a_model_on_meta_have_unit_scale():
    with torch.device("meta"):
        model = Patches(torch.empty(1, 16, 32))
    found = plan(model, torch.empty(4, 1, 16, 16, device="meta"))["table"]
    assert (found.method, dict(found.params), found.scale) == ("normal", {"std": 1.0}, 1.0)
