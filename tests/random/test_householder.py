from __future__ import annotations

import math

import pytest
import torch

from initium.random import kernel
from initium.random.distributions import Orthogonal
from initium.random.fill import fill_
from initium.random.householder import orthogonal
from initium.random.key import key_for

KEY = key_for(0, "w")
# Shapes on both sides of every switch: kernel or blocks, one block or many, tall or wide.
SHAPES = [
    (1, 1),
    (1, 5),
    (5, 1),
    (3, 4),
    (16, 16),
    (17, 33),
    (100, 64),
    (64, 100),
    (129, 129),
    (400, 370),
    (24, 3000),
]


@pytest.fixture(params=["torch", *(kernel.kernel().variants if kernel.kernel() else ())])
def back_end(request: pytest.FixtureRequest) -> object:
    with kernel.forced(request.param):
        yield request.param


def error(matrix: torch.Tensor) -> float:
    q = matrix.double() if matrix.shape[-2] >= matrix.shape[-1] else matrix.double().mT
    return float((q.mT @ q - torch.eye(q.shape[-1], dtype=torch.float64)).abs().max())


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_or_columns_are_orthonormal(shape: tuple[int, int]) -> None:
    assert error(orthogonal(KEY, *shape)) < 2e-6


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize("shape", [(16, 16), (100, 64), (150, 400)])
def test_fp64_is_orthonormal_to_its_own_precision(shape: tuple[int, int]) -> None:
    exact = orthogonal(KEY, *shape, dtype=torch.float64)

    assert error(exact) < 1e-14
    torch.testing.assert_close(orthogonal(KEY, *shape).double(), exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_back_ends_agree_to_1e_6(shape: tuple[int, int]) -> None:
    with kernel.forced("torch"):
        expected = orthogonal(KEY, *shape)

    torch.testing.assert_close(orthogonal(KEY, *shape), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 40), (300, 600)])
def test_threads_agree_to_1e_6(shape: tuple[int, int]) -> None:
    alone = orthogonal(KEY, *shape, batch=3)
    torch.set_num_threads(2)
    try:
        torch.testing.assert_close(orthogonal(KEY, *shape, batch=3), alone, rtol=0, atol=1e-6)
    finally:
        torch.set_num_threads(1)


def test_a_batch_holds_different_matrices_and_any_size() -> None:
    batch = orthogonal(KEY, 12, 8, batch=4000)
    flat = batch.flatten(1)

    assert all(error(matrix) < 2e-6 for matrix in batch[::500])
    assert len(flat.unique(dim=0)) == 4000
    assert torch.equal(orthogonal(KEY, 12, 8, batch=7), batch[:7])


def test_gain_layout_and_half_precision() -> None:
    plain = fill_(torch.empty(8, 4, 3), Orthogonal(2.0, 8, 12), KEY)
    assert error(plain.view(8, 12) / 2) < 2e-6
    turned = fill_(torch.empty(4, 8, 3), Orthogonal(2.0, 8, 12, layout=(1, 0, 2)), KEY)
    assert torch.equal(turned, plain.transpose(0, 1))
    half = fill_(torch.empty(8, 4, 3, dtype=torch.bfloat16), Orthogonal(2.0, 8, 12), KEY)
    assert torch.equal(half, plain.bfloat16())
    groups = fill_(torch.empty(8, 3, 3), Orthogonal(1.0, 4, 9, batch=2), KEY)
    assert max(error(matrix) for matrix in groups.view(2, 4, 9)) < 2e-6


@pytest.mark.parametrize(
    ("size", "batch", "route"), [(1, 4000, "kernel"), (5, 20000, "kernel"), (5, 500, "torch")]
)
def test_haar(size: int, batch: int, route: str) -> None:
    """Traces of Haar orthogonal matrices of size n >= 4 have mean 0, second moment 1, fourth moment 3;
    those of squares mean 1; entries mean 0, variance 1 / n, fourth moment 3 / (n (n + 2)); the sign of the
    determinant is even. All to 5 sigma of the sample.
    """
    if route == "kernel" and kernel.kernel() is None:
        pytest.skip("no compiled kernel here")
    with kernel.forced("torch") if route == "torch" else kernel.forced(kernel.VARIANTS[0]):
        q = orthogonal(KEY, size, size, batch=batch).double()
    trace = q.diagonal(dim1=1, dim2=2).sum(1)
    checks = [
        (trace, 0.0),
        (torch.linalg.det(q).sign(), 0.0),
        (q[:, 0, 0] ** 2, 1 / size),
        (q[:, -1, -1] ** 2, 1 / size),
    ]
    if size >= 4:
        fourth = 3 / (size * (size + 2))
        checks += [(trace**2, 1.0), (trace**4, 3.0), ((q @ q).diagonal(dim1=1, dim2=2).sum(1), 1.0)]
        checks += [(q[:, i, j] ** 4, fourth) for i, j in ((0, 0), (size - 1, 0), (0, size - 1), (2, 3))]
        checks += [
            (q[:, 0, 0] * q[:, 1, 1], 0.0),
            (q[:, 0, 0] ** 2 * q[:, 0, 1] ** 2, 1 / (size * (size + 2))),
        ]
    for sample, expected in checks:
        sigma = float(sample.std()) / math.sqrt(batch)
        assert abs(float(sample.mean()) - expected) <= 5 * sigma + 1e-6


def test_rotating_changes_no_distribution() -> None:
    """Haar measure is invariant: a fixed rotation of wide matrices keeps the moments of their entries."""
    q = orthogonal(KEY, 3, 6, batch=20_000).double()
    turn = orthogonal(KEY.child("turn"), 6, 6).double()[0]
    for sample in ((q @ turn)[:, 0, 0], (q @ turn)[:, 2, 5]):
        for power, expected in ((1, 0.0), (2, 1 / 6), (4, 3 / 48)):
            sigma = float((sample**power).std()) / math.sqrt(20_000)
            assert abs(float((sample**power).mean()) - expected) < 5 * sigma


@pytest.mark.parametrize("shape", [(16, 24), (400, 370)])  # in the kernel's cache, and in blocks
def test_a_gain_multiplies_the_same_matrix(back_end: object, shape: tuple[int, int]) -> None:
    plain, scaled = orthogonal(KEY, *shape), orthogonal(KEY, *shape, gain=3.0)
    assert torch.allclose(scaled, 3.0 * plain, atol=1e-5)
    norm = float(scaled.double().square().sum())
    assert math.isclose(norm, 9.0 * min(shape), rel_tol=1e-5)
