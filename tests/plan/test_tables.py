from __future__ import annotations

import pytest
import torch
from tests.nets import seeded
from torch import Tensor, nn

from initium import diagnose, init_, plan, record
from initium.plan.tables import padding_of, spreads_of

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
    assert spreads_of(record(model, ids)) == {}
    with torch.no_grad():
        model.head.weight.fill_(1e3)  # unsound, so that something is to be mended
    assert not diagnose(model, ids).healthy
    assert all(one.keeps for one in plan(model, ids) if one.role in ("embedding", "position"))


def test_tables_of_a_sound_model_stay():
    model, ids = made()
    with torch.no_grad():
        model.words.weight.mul_(10.0)
    assert diagnose(model, ids).healthy
    assert all(one.keeps for one in plan(model, ids) if one.role in ("embedding", "position"))


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
