from __future__ import annotations

import math

import pytest
import torch
from tests.nets import noise

from initium.record.tape.moments import (
    SAMPLE_SIZE,
    SAMPLED_ROWS,
    couplings_of,
    moments_of,
    norm_of,
    take_sample,
)


def one(tensor: torch.Tensor, batch: int = 4) -> object:
    return moments_of([take_sample(tensor, batch)])[0]


def test_small_tensors_are_taken_whole() -> None:
    x = noise(4, 5, 6)
    sample = take_sample(x, 4)
    assert sample is not None
    assert torch.equal(sample, x.reshape(4, -1))
    assert sample.data_ptr() != x.data_ptr()


@pytest.mark.parametrize(
    "shape", [(8, 64, 56, 56), (8, 197, 768), (512, 4096), (3, 1000, 77), (1, 3, 900, 900)]
)
def test_large_tensors_are_sampled(shape: tuple[int, ...]) -> None:
    x = noise(*shape)
    sample = take_sample(x, shape[0])
    assert sample is not None
    assert sample.shape[0] == -(-shape[0] // -(-shape[0] // SAMPLED_ROWS))
    assert SAMPLE_SIZE / 4 <= sample.numel() <= SAMPLE_SIZE
    moments = moments_of([sample])[0]
    assert moments is not None
    assert moments.second == pytest.approx(
        1.0, abs=5 * math.sqrt(2 / moments.count)
    )  # 5 sigma of a mean of squares
    assert moments.mean == pytest.approx(0.0, abs=5 / math.sqrt(moments.count))


def test_every_channel_and_token_counts() -> None:
    """Channels and tokens of very different size are met in proportion."""
    channels = torch.arange(64.0).view(1, 64, 1, 1).expand(8, 64, 28, 28).contiguous()
    tokens = torch.arange(197.0).view(1, 197, 1).expand(8, 197, 384).contiguous()
    for x in (channels, tokens):
        moments = one(x, 8)
        assert moments.second == pytest.approx(float(x.square().mean()), rel=0.2)  # type: ignore[attr-defined]


def test_one_token_with_all_the_gradient_is_not_counted_too_often() -> None:
    x = torch.zeros(8, 197, 768)
    x[:, 0] = 1.0
    moments = one(x, 8)
    assert moments.second == pytest.approx(1 / 197, rel=0.35)  # type: ignore[attr-defined]


def test_moments() -> None:
    x = torch.tensor([[0.0, 2.0], [0.0, -4.0]])
    moments = moments_of([x])[0]
    assert moments is not None
    assert (moments.mean, moments.second, moments.peak, moments.zeros, moments.count) == (
        -0.5,
        5.0,
        4.0,
        0.5,
        4,
    )
    assert moments.rms == pytest.approx(math.sqrt(5))
    assert moments.std == pytest.approx(math.sqrt(4.75))
    assert moments.cosine == pytest.approx(-1.0)
    assert moments.rank == pytest.approx(1.0)


def test_between_samples() -> None:
    same = noise(1, 100).expand(6, 100)
    apart = noise(6, 10_000)
    first, second = moments_of([same, apart])
    assert first is not None
    assert second is not None
    assert first.between == pytest.approx(0.0, abs=1e-12)
    assert first.rank == pytest.approx(1.0)
    assert second.between == pytest.approx(1.0, abs=0.05)
    assert second.rank == pytest.approx(6.0, rel=0.05)


def test_a_batch_of_one_has_no_between() -> None:
    moments = moments_of([noise(1, 50)])[0]
    assert moments is not None
    assert math.isnan(moments.between)
    assert math.isnan(moments.rank)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_finite(value: float) -> None:
    x = noise(4, 8)
    x[1, 3] = value
    moments = one(x)
    assert not moments.finite  # type: ignore[attr-defined]


def test_what_cannot_be_sampled() -> None:
    assert take_sample(torch.empty(0, 3), 2) is None
    assert take_sample(torch.empty(2, 3, device="meta"), 2) is None
    assert take_sample(torch.eye(3).to_sparse(), 3) is None
    assert norm_of(torch.empty(2, 3, device="meta")) is None
    scalar = take_sample(torch.tensor(2.0), 4)
    assert scalar is not None
    assert scalar.shape == (1, 1)


def test_samples_of_different_layouts_meet() -> None:
    """The same elements are taken of a channels-last tensor and of its contiguous twin."""
    x = noise(4, 32, 40, 40).to(memory_format=torch.channels_last)
    first = take_sample(x, 4)
    second = take_sample(x.contiguous(), 4, x.stride())
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)


def test_couplings() -> None:
    x, y = noise(4, 8), noise(4, 8, seed=1)
    found = couplings_of([x, x, None], [y, None, y])
    assert found[0] == pytest.approx(float((x * y).square().mean()))
    assert found[1:] == [None, None]


def test_norms_are_exact_also_in_half_precision() -> None:
    x = noise(200, 300)
    assert float(norm_of(x) or 0) == pytest.approx(float(x.norm()), rel=1e-5)
    half = norm_of((x * 300).half())
    assert half is not None
    assert half.dtype == torch.float32
    assert math.isfinite(float(half))


def test_sequence_first_tensors_are_told_by_their_second_axis() -> None:
    x = noise(7, 4, 6) + torch.arange(4.0).view(1, 4, 1) * 10
    moments = one(x, 4)
    assert moments.between > 0.4  # type: ignore[attr-defined]


def test_complex_values_count_by_size() -> None:
    z = torch.complex(noise(4, 8), noise(4, 8, seed=1))
    moments = one(z)
    assert moments.second == pytest.approx(float(z.abs().square().mean()), rel=1e-5)  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(16, 64, 256), (16, 64, 1024)])
def test_odd_and_even_units_are_met_alike(shape: tuple[int, ...]) -> None:
    """An even stride through an even number of units would meet half of them only."""
    x = torch.zeros(shape)
    x[..., 1::2] = 1.0
    assert one(x, shape[0]).mean == pytest.approx(0.5, abs=0.02)  # type: ignore[attr-defined]
