from __future__ import annotations

import subprocess
import sys
import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from initium.random import kernel
from initium.random.distributions import (
    Blocks,
    Built,
    Constant,
    Draw,
    Integers,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)
from initium.random.fill import fill_, fill_many_
from initium.random.key import Key, key_for
from initium.random.region import Region

KEY = key_for(0, "w")
BACK_ENDS = [
    *(["avx2" if "avx2" in kernel.kernel().variants else "base"] if kernel.kernel() else []),
    "torch",
]


def _count(shape: tuple[int, ...], key: Key) -> Tensor:
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).view(shape) + key.k0 % 100


def _draws(shape: tuple[int, ...]) -> list[Draw]:
    rows, rest = shape[0], torch.Size(shape[1:]).numel()
    return [
        Constant(0.5),
        Uniform(-1.0, 1.0),
        Normal(0.0, 1.0),
        TruncatedNormal(0.0, 1.0),
        TruncatedNormal(0.0, 1.0, -4.0, 1.0),
        TruncatedNormal(0.0, 1.0, 12.0, 13.0),
        Orthogonal(1.0, rows, rest),
        Built(_count, 2.0),
        Blocks(0, (2, rows - 2), (Normal(0.0, 1.0), Uniform(0.0, 1.0))),
        Blocks(
            1, (1, shape[1] - 1), (Constant(1.0), Blocks(0, (1, rows - 1), (Normal(0.0, 1.0), Constant(0.0))))
        ),
    ]


SHAPE = (12, 10, 3)


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> object:
    with kernel.forced(request.param):
        yield request.param


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize("draw", _draws(SHAPE), ids=lambda draw: type(draw).__name__)
class TestSameElements:
    """Element i of the logical tensor is the same however the tensor lies in memory."""

    def test_any_strides(self, draw: Draw) -> None:
        plain = fill_(torch.empty(SHAPE), draw, KEY)
        for axes in ((2, 0, 1), (1, 0, 2), (0, 2, 1)):
            backing = torch.full([SHAPE[axis] for axis in axes], torch.nan)
            view = backing.permute([axes.index(axis) for axis in range(3)])
            assert torch.equal(fill_(view, draw, KEY), plain)

    def test_a_part_of_a_larger_tensor(self, draw: Draw) -> None:
        backing = torch.full((14, 20, 3), 7.0)
        fill_(backing[1:13, ::2], draw, KEY)

        assert torch.equal(backing[1:13, ::2], fill_(torch.empty(SHAPE), draw, KEY))
        assert (backing[:, 1::2] == 7).all()
        assert (backing[0] == 7).all()
        assert (backing[13] == 7).all()

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
    def test_one_cast_of_the_fp32_draw(self, draw: Draw, dtype: torch.dtype) -> None:
        plain = fill_(torch.empty(SHAPE), draw, KEY)
        found = fill_(torch.empty(SHAPE, dtype=dtype), draw, KEY)

        if isinstance(draw, Orthogonal) and dtype == torch.float64:
            torch.testing.assert_close(found, plain.double(), rtol=0, atol=1e-6)  # made in fp64
        else:
            assert torch.equal(found.double(), plain.to(dtype).double())

    def test_regions_tile_the_whole(self, draw: Draw) -> None:
        whole = fill_(torch.empty(SHAPE), draw, KEY)
        for start, size in (
            ((0, 0, 0), (5, 10, 3)),
            ((5, 0, 0), (7, 4, 3)),
            ((3, 2, 1), (8, 7, 1)),
            ((11, 9, 2), (1, 1, 1)),
        ):
            piece = fill_(torch.empty(size), draw, KEY, region=Region.box(SHAPE, start, size))
            expected = whole[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]
            assert torch.equal(piece, expected)

    def test_a_region_of_several_stretches(self, draw: Draw) -> None:
        whole = fill_(torch.empty(SHAPE), draw, KEY)
        region = Region(SHAPE, (((1, 3), (8, 2)), ((0, 10),), ((0, 1), (2, 1))))
        piece = fill_(torch.empty(region.size), draw, KEY, region=region)

        assert torch.equal(piece, whole[[1, 2, 3, 8, 9]][:, :, [0, 2]])


GOLDEN: list[tuple[Draw, int]] = [
    (Uniform(-1.0, 1.0), 0x97FA1CF0),
    (Normal(0.0, 1.0), 0x3B781664),
    (TruncatedNormal(0.0, 1.0), 0xC04E2ED2),
    (TruncatedNormal(0.0, 1.0, -3.0, 3.0), 0xFBD9BFD3),
    (TruncatedNormal(0.0, 1.0, -1.0, 5.0), 0xC59EB723),
    (TruncatedNormal(0.0, 1.0, 15.0, 16.0), 0x89A85BBC),
    (Integers(-5, 1000), 0x197E8E93),
]


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize(("draw", "checksum"), GOLDEN, ids=repr)
def test_the_numbers_are_the_same_for_ever(draw: Draw, checksum: int) -> None:
    """As of 0.1.0: whoever changes these changes everybody's weights."""
    found = fill_(torch.empty(5000), draw, key_for(0, "layer.weight"))

    assert zlib.crc32(found.numpy().tobytes()) == checksum


@pytest.mark.parametrize("draw", [Normal(0.0, 1.0), TruncatedNormal(0.0, 1.0), Uniform(0.0, 1.0)], ids=repr)
def test_threads_and_order_change_nothing(draw: Draw) -> None:
    names = ["a", "b", "c"]
    shapes = [(2_500_000,), (3,), (1000, 300)]
    alone = [
        fill_(torch.empty(shape), draw, key_for(0, name)) for name, shape in zip(names, shapes, strict=True)
    ]
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        try:
            together = [torch.empty(shape) for shape in shapes]
            jobs = [(tensor, draw, key_for(0, name)) for tensor, name in zip(together, names, strict=True)]
            fill_many_(jobs[::-1])
        finally:
            torch.set_num_threads(1)

        assert all(map(torch.equal, alone, together))


@given(st.lists(st.integers(0, 5), max_size=4).map(tuple))
def test_any_shape(shape: tuple[int, ...]) -> None:
    count = torch.Size(shape).numel()
    found = fill_(torch.full(shape, torch.nan), Normal(0.0, 1.0), KEY)

    assert torch.equal(found.flatten(), fill_(torch.empty(count), Normal(0.0, 1.0), KEY))


def test_elements_far_out_in_a_huge_tensor() -> None:
    shape = (2**20, 2**14)  # 2**34 elements
    region = Region.box(shape, (2**20 - 3, 5), (3, 7))
    found = fill_(torch.empty(3, 7), Normal(0.0, 1.0), KEY, region=region)
    with kernel.forced("torch"):
        expected = fill_(torch.empty(3, 7), Normal(0.0, 1.0), KEY, region=region)

    assert torch.equal(found, expected)
    assert not torch.equal(found, fill_(torch.empty(3, 7), Normal(0.0, 1.0), KEY))


@pytest.mark.slow  # 2.2 GB
def test_more_than_2_to_the_31_elements() -> None:
    tensor = torch.empty(2**31 + 4096, dtype=torch.bfloat16)
    fill_(tensor, Normal(0.0, 1.0), KEY)
    tail = fill_(
        torch.empty(8192), Normal(0.0, 1.0), KEY, region=Region.box((2**31 + 4096,), (2**31 - 4096,), (8192,))
    )

    assert torch.equal(tensor[-8192:], tail.bfloat16())


def test_the_generators_of_torch_are_left_alone() -> None:
    before = torch.get_rng_state()
    for draw in _draws(SHAPE):
        fill_(torch.empty(SHAPE), draw, KEY)

    assert torch.equal(torch.get_rng_state(), before)


def test_leaves_that_require_grad_are_filled_without_a_trace() -> None:
    leaf = torch.nn.Parameter(torch.zeros(5))
    version = leaf._version
    fill_(leaf, Normal(0.0, 1.0), KEY)

    assert leaf.is_leaf
    assert leaf.requires_grad
    assert leaf.grad_fn is None
    assert leaf._version > version  # so that autograd notices weights changed between forward and backward


def test_inference_tensors_are_filled_under_inference_mode() -> None:
    with torch.inference_mode():
        tensor = fill_(torch.empty(300), Normal(0.0, 1.0), KEY)
        view = fill_(torch.empty(20, 30).T, Normal(0.0, 1.0), KEY)

    assert torch.equal(tensor, fill_(torch.empty(300), Normal(0.0, 1.0), KEY))
    assert torch.equal(view, fill_(torch.empty(30, 20), Normal(0.0, 1.0), KEY))


def test_negated_views() -> None:
    view = torch.zeros(4, dtype=torch.complex64).conj().imag
    assert view.is_neg()
    fill_(view, Normal(0.0, 1.0), KEY)

    assert torch.equal(view, fill_(torch.empty(4), Normal(0.0, 1.0), KEY))


def test_integers() -> None:
    found = fill_(torch.empty(10_000, dtype=torch.int64), Integers(-3, 4), KEY)

    assert found.unique().tolist() == [-3, -2, -1, 0, 1, 2, 3]
    # 10,000 draws of 7 values: 5 sigma = 5 sqrt(10000 / 7 * 6 / 7) = 175
    assert (found.unique(return_counts=True)[1] - 10_000 / 7).abs().max() < 175
    assert torch.equal(fill_(torch.empty(10_000), Integers(-3, 4), KEY), found.float())


def test_blocks_are_drawn_by_the_children_of_the_key() -> None:
    draw = Blocks(-1, (3, 5), (Normal(0.0, 1.0), Uniform(0.0, 1.0)))
    found = fill_(torch.empty(7, 8), draw, KEY)

    assert torch.equal(found[:, :3], fill_(torch.empty(7, 3), Normal(0.0, 1.0), KEY.child("block0")))
    assert torch.equal(found[:, 3:], fill_(torch.empty(7, 5), Uniform(0.0, 1.0), KEY.child("block1")))


def test_the_first_fill_of_a_process_is_quick() -> None:
    code = (
        "import torch, time; import initium.random as r; start = time.process_time();"
        "r.fill_(torch.empty(1000), r.TruncatedNormal(0.0, 0.02), r.key_for(0, 'w'));"
        "print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert float(done.stdout) < 0.1  # 20 ms promised, the rest for a busy machine


def test_the_scale_of_a_built_weight_multiplies_what_is_built():
    made = Built(lambda shape, key: torch.arange(6.0).view(shape))
    found = fill_(torch.empty(2, 3), made.scaled(2.0).scaled(-1.5), KEY)
    assert torch.equal(found, -3.0 * torch.arange(6.0).view(2, 3))
