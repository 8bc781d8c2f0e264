from __future__ import annotations

import math

import pytest
import torch
from tests.methods.made import made

from initium.errors import LayerError, UsageError
from initium.methods.catalogue import find
from initium.methods.families.attention import sincos_table
from initium.theory.layer import Layer


def test_packed_xavier_splits_what_the_layer_does_not():
    whole = find("packed_xavier")(Layer("linear", (288, 96)))
    known = find("packed_xavier")(Layer("linear", (288, 96), blocks=(96, 96, 96)))
    assert whole == known
    assert whole.high == pytest.approx(math.sqrt(6 / 192))
    with pytest.raises(LayerError, match="divide into 3"):
        find("packed_xavier")(Layer("linear", (100, 96)))


def test_mimetic_products():
    """Heads' W_q W_k^T is nearest to 0.7 Z + 0.7 I in rank; W_v W_o is 0.4 Z - 0.4 I."""
    width, heads = 96, 4
    qkv = made("mimetic", Layer("linear", (3 * width, width)), num_heads=heads)
    out = made("mimetic", Layer("linear", (width, width)), part="output")
    query, key, value = qkv.chunk(3)
    inner = width // heads
    for head in range(heads):
        rows = slice(head * inner, (head + 1) * inner)
        product = query[rows].T @ key[rows]
        values = torch.linalg.svdvals(product)
        assert (values > 1e-4).sum() == inner
        assert product.diagonal().mean() > 4 * product.std() / math.sqrt(width)
    noise = (out @ value + 0.4 * torch.eye(width)) / 0.4
    assert noise.mean().item() == pytest.approx(0, abs=5 / width / math.sqrt(width))
    assert noise.var().item() * width == pytest.approx(1, abs=5 * math.sqrt(2) / width)
    assert value.norm().item() == pytest.approx(out.norm().item(), rel=0.05)
    ratio = query.norm() / key.norm()
    assert ratio.item() == pytest.approx(1, abs=1e-3)


def test_mimetic_wants_a_packed_square():
    with pytest.raises(LayerError, match="num_heads = 5"):
        find("mimetic")(Layer("linear", (288, 96)), num_heads=5)
    with pytest.raises(LayerError, match="square output"):
        find("mimetic")(Layer("linear", (90, 96)), part="output")


def test_impulse_heads_attend_to_the_shifted_patch():
    width, heads, rows, cols = 64, 8, 5, 6
    weight = made("impulse_attention", Layer("linear", (192, 64)), num_heads=heads, rows=rows, cols=cols)
    query, key, _ = weight.chunk(3)
    table = 18 * torch.nn.functional.layer_norm(sincos_table(rows, cols, width), (width,))
    inner = width // heads
    offsets = [(0, 0), (-1, 0), (0, -1), (0, 1), (1, 0)]
    for head, (down, right) in enumerate(offsets):
        part = slice(head * inner, (head + 1) * inner)
        scores = (table @ query[part].T) @ (table @ key[part].T).T / math.sqrt(inner)
        best = scores.argmax(1)
        inside = [
            best[r * cols + c].item() == (r + down) * cols + c + right
            for r in range(1, rows - 1)
            for c in range(1, cols - 1)
        ]
        assert sum(inside) >= 0.9 * len(inside)


def test_impulse_windows_are_odd():
    with pytest.raises(UsageError, match="odd side"):
        find("impulse_attention")(Layer("linear", (192, 64)), num_heads=8, window=2)


def test_positions_tell_rows_from_columns():
    table = made("position_sincos", Layer("vector", (1, 21, 32)), rows=4, cols=5)[0]
    assert table[0].abs().max() == 0  # the class token
    grid = table[1:].reshape(4, 5, 32)
    assert torch.allclose(grid[0, :, 16:], grid[0, :1, 16:].expand(5, -1))
    assert torch.allclose(grid[:, 0, :16], grid[:1, 0, :16].expand(4, -1))
    assert torch.allclose(table[1:].square().sum(1), torch.full((20,), 16.0))
    with pytest.raises(LayerError, match="divisible by 4"):
        find("position_sincos")(Layer("vector", (1, 20, 30)), rows=4, cols=5)


def test_deformable_offsets_want_their_size():
    bias = made("deformable_offsets", Layer("vector", (256,))).reshape(8, 4, 4, 2)
    assert torch.allclose(bias.abs().amax(3), torch.arange(1.0, 5.0).expand(8, 4, 4))
    assert torch.allclose(bias[2, 0, 0], torch.tensor([0.0, 1.0]), atol=1e-6)
    with pytest.raises(LayerError, match="8 heads x 4 levels x 4 points"):
        find("deformable_offsets")(Layer("vector", (100,)))
