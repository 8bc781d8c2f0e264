from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from initium.errors import InitiumError, UsageError, UsageTypeError
from initium.random.checks import overlaps
from initium.random.distributions import Blocks, Built, Constant, Draw, Integers, Normal, Orthogonal, Uniform
from initium.random.fill import fill_, fill_many_
from initium.random.key import key_for
from initium.random.region import Region

KEY = key_for(0, "w")
NORMAL = Normal(0.0, 1.0)


def _fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.empty(3)


def _inference() -> torch.Tensor:
    with torch.inference_mode():
        return torch.empty(3)


def _freed() -> torch.Tensor:
    tensor = torch.empty(3)
    tensor.untyped_storage().resize_(0)
    return tensor


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (torch.empty(1).expand(4), "share memory"),
        (torch.empty(10).unfold(0, 4, 2), "share memory"),
        (torch.empty(3, device="meta"), "meta"),
        (torch.eye(3).to_sparse(), "sparse"),
        (_fake(), "fake"),
        (_inference(), "inference"),
        (_freed(), "freed"),
    ],
)
def test_tensors_without_memory_of_their_own_are_refused(tensor: torch.Tensor, word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        fill_(tensor, NORMAL, KEY)

    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.uint8, torch.complex64])
@pytest.mark.parametrize(
    "draw", [NORMAL, Uniform(0.0, 1.0), Orthogonal(1.0, 2, 2), Built(lambda s, _k: torch.ones(s))]
)
def test_types_that_cannot_hold_a_real_draw_are_refused(dtype: torch.dtype, draw: Draw) -> None:
    with pytest.raises(UsageTypeError, match=str(dtype)):
        fill_(torch.zeros(2, 2, dtype=dtype), draw, KEY)


def test_types_that_can() -> None:
    assert fill_(torch.empty(2, dtype=torch.int32), Constant(3.0), KEY).tolist() == [3, 3]
    assert fill_(torch.empty(2, dtype=torch.complex64), Constant(0.5), KEY).tolist() == [0.5, 0.5]
    assert fill_(torch.empty(2, dtype=torch.int8), Integers(4, 5), KEY).tolist() == [4, 4]
    with pytest.raises(UsageTypeError):
        fill_(torch.empty(2, dtype=torch.int32), Constant(0.5), KEY)
    with pytest.raises(UsageTypeError):
        fill_(torch.empty(2, dtype=torch.int32), Blocks(0, (1, 1), (Constant(1.0), NORMAL)), KEY)


@pytest.mark.parametrize(
    ("draw", "word"),
    [
        (Orthogonal(1.0, 3, 3), "rows"),
        (Blocks(0, (1, 2), (NORMAL, NORMAL)), "sizes"),
        (Blocks(2, (4,), (NORMAL,)), "axis"),
        (Blocks(0, (4,), (Orthogonal(1.0, 3, 3),)), "rows"),
    ],
)
def test_draws_that_do_not_fit_are_refused(draw: Draw, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        fill_(torch.empty(4, 2), draw, KEY)


def test_a_region_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="region"):
        fill_(torch.empty(3), NORMAL, KEY, region=Region.box((10,), (8,), (3,)))
    with pytest.raises(UsageError, match="region"):
        fill_(torch.empty(3), NORMAL, KEY, region=Region.box((10,), (0,), (4,)))


def test_strangers_are_refused() -> None:
    with pytest.raises(UsageTypeError, match="draw"):
        fill_(torch.empty(3), "normal", KEY)  # type: ignore[arg-type]
    with pytest.raises(UsageTypeError, match=r"torch\.Tensor"):
        fill_([0.0], NORMAL, KEY)  # type: ignore[arg-type]


def test_nothing_is_written_if_one_job_is_wrong() -> None:
    good = torch.zeros(3)
    with pytest.raises(InitiumError):
        fill_many_([(good, NORMAL, KEY), (torch.empty(3, device="meta"), NORMAL, KEY)])

    assert (good == 0).all()


def test_overlaps() -> None:
    plain = torch.empty(4, 6)
    for view in (
        plain,
        plain.T,
        plain[::2, 1:3],
        plain[:, :1].expand(4, 1),
        plain.view(2, 2, 6).permute(2, 0, 1),
    ):
        assert not overlaps(view)
    for view in (plain[:1].expand(4, 6), plain.flatten().unfold(0, 5, 4), plain.as_strided((4, 4), (1, 3))):
        assert overlaps(view)


@pytest.mark.parametrize(
    ("size", "stride", "shared"),
    [
        ((2, 3, 2), (8, 3, 1), False),  # the rows inside reach exactly to element 7
        ((2, 3, 2), (7, 3, 1), True),
        ((2, 3, 2), (6, 2, 1), False),
        ((4, 4), (1, 1), True),
        ((3, 5), (1, 3), False),
    ],
)
def test_elements_share_memory_where_two_indices_meet(size, stride, shared):
    tensor = torch.empty(64).as_strided(size, stride)
    places = [i * s for i, s in zip(torch.cartesian_prod(*map(torch.arange, size)).T, stride, strict=True)]
    assert (len(set(sum(places).tolist())) < tensor.numel()) == shared
    assert overlaps(tensor) == shared
