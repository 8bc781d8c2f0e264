from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from initium.errors import UsageError
from initium.random import kernel, torch_path
from initium.random.distributions import Normal, TruncatedNormal, Uniform
from initium.random.draw_constants import Kind, Recipe, recipe
from initium.random.fill import fill_
from initium.random.key import Key, key_for
from initium.random.region import Run

needs_kernel = pytest.mark.skipif(not kernel.PATH.exists(), reason="no compiled kernel here")
VARIANTS = kernel.Kernel(kernel.PATH).variants if kernel.PATH.exists() else ()
CPU = torch.device("cpu")
WORDS = Recipe(Kind.WORDS, (), packed=b"\0" * 48)

DRAWS = (
    Uniform(0.0, 1.0),
    Uniform(-0.3, 0.7),
    Normal(0.0, 1.0),
    Normal(3.0, 0.02),
    Normal(1.0, 0.0),
    TruncatedNormal(0.0, 0.02),
    TruncatedNormal(0.0, 1.0, -1.5, 0.5),
    TruncatedNormal(0.0, 1.0, 1.0, 2.0),
    TruncatedNormal(0.0, 1.0, -3.0, 3.0),
    TruncatedNormal(0.0, 1.0, -3.0, -2.5),
    TruncatedNormal(1.0, 1.0, -5.0, 4.0),
    TruncatedNormal(0.0, 1.0, 0.0, float("inf")),
    TruncatedNormal(0.0, 1.0, 8.0, 9.0),
    TruncatedNormal(0.0, 1.0, -12.0, -10.9),
)


@needs_kernel
@pytest.mark.parametrize("variant", VARIANTS)
def test_known_answer(variant: str) -> None:
    with kernel.forced(variant):
        found = kernel.kernel()
        assert found is not None
        words = torch.empty(1024)
        found.fill(
            words.data_ptr(), torch.float32, Run(0, 1024, 0, 1), kernel.packed_key(Key(0, 0, 0, 0)), WORDS
        )

    first = [int(word) & 0xFFFFFFFF for word in words.view(torch.int32)[::256]]

    assert first == [0x9C6CA96A, 0xE17EAE66, 0xFC10ECD4, 0x5256A7D8]  # Random123, counter and key zero


@needs_kernel
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", list(kernel.TYPES), ids=str)
def test_every_variant_gives_the_bits_of_the_torch_path(variant: str, dtype: torch.dtype) -> None:
    for draw in DRAWS:
        with kernel.forced("torch"):
            expected = fill_(torch.empty(3001, dtype=dtype), draw, key_for(0, "w"))
        with kernel.forced(variant):
            found = fill_(torch.empty(3001, dtype=dtype), draw, key_for(0, "w"))

        assert torch.equal(found, expected), draw


@needs_kernel
@pytest.mark.parametrize("variant", VARIANTS)
def test_ranges_begin_and_end_anywhere(variant: str) -> None:
    made, key = recipe(Normal(0.0, 1.0)), key_for(3, "w")
    with kernel.forced(variant):
        found = kernel.kernel()
        assert found is not None
        for first in (0, 1, 15, 16, 255, 256, 1000, 1023, 1024, 2**32 * 4 - 7, 2**45 + 3):
            for length in (0, 1, 2, 16, 17, 64, 255, 257, 1024, 2500):
                out = torch.full((length + 2,), 7.0)
                run = Run(first, length, 0, 1)
                found.fill(out[1:].data_ptr(), out.dtype, run, kernel.packed_key(key), made)

                assert out[0] == out[-1] == 7.0
                if length:
                    expected = torch_path.draw_range(made, key, first, length, CPU)
                    assert torch.equal(out[1:-1], expected), (first, length)


@needs_kernel
def test_rows_with_a_stride() -> None:
    made, key = recipe(Uniform(0.0, 1.0)), key_for(3, "w")
    found = kernel.kernel()
    assert found is not None
    out = torch.empty(5, 30)
    found.fill(out.data_ptr(), out.dtype, Run(100, 30, 70, 5), kernel.packed_key(key), made)
    whole = torch_path.draw_range(made, key, 0, 500, CPU)

    assert torch.equal(out, torch.stack([whole[100 + 70 * row : 130 + 70 * row] for row in range(5)]))


def test_casts_round_to_nearest_even_down_to_the_smallest_numbers() -> None:
    # Spread over the whole range of fp16, its subnormals and its overflow included.
    for std in (1e-9, 1e-7, 1e-5, 1.0, 3e4, 1e6):
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            exact = fill_(torch.empty(20_000), Normal(0.0, std), key_for(0, "w"))
            assert torch.equal(fill_(exact.to(dtype), Normal(0.0, std), key_for(0, "w")), exact.to(dtype))


@needs_kernel
def test_asking_for_a_variant_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="avx1024"), kernel.forced("avx1024"):
        pass


@pytest.mark.parametrize("contents", [None, b"not a library"])
def test_without_a_kernel_the_numbers_are_the_same_and_it_is_said_once(
    contents: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fill_(torch.empty(100), Normal(0.0, 1.0), key_for(0, "w"))
    path = tmp_path / "_kernel.so"
    if contents is not None:
        path.write_bytes(contents)
    monkeypatch.setattr(kernel, "PATH", path)
    kernel._loaded.cache_clear()
    try:
        with pytest.warns(UserWarning, match=r"without its compiled kernel.*install a C compiler"):
            found = fill_(torch.empty(100), Normal(0.0, 1.0), key_for(0, "w"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fill_(torch.empty(100), Normal(0.0, 1.0), key_for(0, "w"))
    finally:
        kernel._loaded.cache_clear()

    assert torch.equal(found, expected)


@needs_kernel
def test_a_kernel_with_other_bits_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_EXPECTED", 0)
    kernel._loaded.cache_clear()
    try:
        with pytest.warns(UserWarning, match="bits"):
            assert kernel.kernel() is None
    finally:
        kernel._loaded.cache_clear()
