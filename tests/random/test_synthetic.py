from __future__ import annotations

import math

import pytest
import torch

import initium
from initium.errors import UsageError
from initium.random.synthetic import SHARED, synthetic


def test_gaussian_inputs_are_standard_normal():
    x = synthetic((3, 32, 32), batch=16)
    assert x.shape == (16, 3, 32, 32)
    assert float(x.mean()) == pytest.approx(0.0, abs=5 / math.sqrt(x.numel()))
    assert float(x.var()) == pytest.approx(1.0, abs=5 * math.sqrt(2 / x.numel()))


def test_the_spectrum_of_natural_inputs_falls_as_the_square_of_the_frequency():
    x = synthetic((3, 64, 64), batch=64, kind="natural").double()
    power = torch.fft.rfft2(x).abs().square().mean((0, 1))
    rows, columns = torch.fft.fftfreq(64)[:, None], torch.fft.rfftfreq(64)[None]
    radius = (rows.square() + columns.square()).sqrt()
    ring = (radius > 0.04) & (radius < 0.45)
    design = torch.stack([radius[ring].log(), torch.ones(int(ring.sum()))], 1).double()
    slope = float(torch.linalg.lstsq(design, power[ring].log()[:, None]).solution[0])
    # 64 pictures of 3 channels that share nine tenths: a power has a relative error of about 1/8, over 1,200 of them
    assert slope == pytest.approx(-2.0, abs=0.06)


def test_natural_inputs_have_unit_variance_and_channels_that_correlate():
    x = synthetic((3, 24, 24), batch=600, kind="natural")
    # A picture's brightness has a third of the variance: about 600 / 0.33^2 independent values of the square.
    assert float(x.square().mean()) == pytest.approx(1.0, abs=0.1)
    table = torch.corrcoef(x.transpose(0, 1).flatten(1))
    assert table[0, 1:].tolist() == pytest.approx([SHARED] * 2, abs=0.03)


def test_photographs_are_nearer_to_natural_noise_than_to_white_one():
    from initium.data.pictures import photographs

    def step(x: torch.Tensor) -> float:
        """Mean square of the difference of neighbours over twice the variance: 1 for white noise."""
        return float((x[..., 1:] - x[..., :-1]).square().mean() / (2 * x.var()))

    real, made = step(photographs(24, 64)), step(synthetic((3, 64, 64), batch=24, kind="natural"))
    assert max(real, made) < 0.4
    assert step(synthetic((3, 64, 64), batch=24)) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("kind", ["gaussian", "natural"])
def test_seed_and_name_decide_and_the_global_generator_does_not(kind):
    before = torch.random.get_rng_state()
    first = synthetic((2, 8, 8), kind=kind, seed=1)
    assert torch.equal(first, synthetic((2, 8, 8), kind=kind, seed=1))
    assert not torch.equal(first, synthetic((2, 8, 8), kind=kind, seed=2))
    assert not torch.equal(first, synthetic((2, 8, 8), kind=kind, seed=1, name="other"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_clips_have_three_axes_of_space_and_time():
    assert synthetic((3, 4, 8, 8), batch=2, kind="natural").isfinite().all()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((), {}),
        ((3, 0, 8), {}),
        ((3, 8, 8), {"batch": 0}),
        ((16,), {"kind": "natural"}),
        ((3, 8, 8), {"kind": "pink"}),
    ],
)
def test_what_cannot_be_made_is_told(shape, options):
    with pytest.raises(UsageError):
        synthetic(shape, **options)


def test_a_plan_can_be_made_without_data():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 4)
    )
    made = initium.plan(net, initium.synthetic((3, 8, 8), kind="natural"))
    assert made.verdict == "healthy"
