from __future__ import annotations

import pytest
import torch

from initium.random import torch_path
from initium.random.distributions import Integers, Normal, TruncatedNormal, Uniform
from initium.random.draw_constants import recipe
from initium.random.key import Key, key_for
from initium.random.region import Region

CPU = torch.device("cpu")
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0, 0x082EFA98, 0xEC4E6C89)

# Known answers of Random123 (tests/kat_vectors): threefry4x32, 20 rounds.
KNOWN = [
    ((0,) * 4, (0,) * 4, (0x9C6CA96A, 0xE17EAE66, 0xFC10ECD4, 0x5256A7D8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 4, (0x2A881696, 0x57012287, 0xF6C7446E, 0xA16A6732)),
    (PI[:4], PI[4:], (0x59CD1DBB, 0xB8879579, 0x86B5D00C, 0xAC8B6D84)),
]
DRAWS = (
    Uniform(-1.0, 1.0),
    Normal(0.0, 1.0),
    TruncatedNormal(0.0, 1.0),
    TruncatedNormal(0.0, 1.0, -3.0, 3.0),
    TruncatedNormal(0.0, 1.0, -1.0, 5.0),
    TruncatedNormal(0.0, 1.0, 15.0, 16.0),
    Integers(-5, 1000),
)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]) -> None:
    signed = [torch.tensor([word - 2**32 if word >= 2**31 else word], dtype=torch.int32) for word in counter]
    words = torch_path.threefry((signed[0], signed[1], signed[2], signed[3]), Key(*key))

    assert tuple(int(word) & 0xFFFFFFFF for word in words) == expected


@pytest.mark.parametrize("draw", DRAWS, ids=repr)
@pytest.mark.parametrize("first", [0, 5, 1023, 2**33 + 77, 2**42 - 3])
def test_single_elements_are_those_of_a_range(draw: Normal, first: int) -> None:
    made, key = recipe(draw), key_for(1, "w")
    whole = torch_path.draw_range(made, key, first, 2100, CPU)
    index = torch.arange(first, first + 2100).flip(0)

    torch.testing.assert_close(torch_path.draw_at(made, key, index), whole.flip(0), rtol=0, atol=0)


def test_a_box_is_cut_out_of_the_whole() -> None:
    made, key = recipe(Normal(0.0, 1.0)), key_for(1, "w")
    whole = torch_path.draw_range(made, key, 0, 30 * 40 * 5, CPU).view(30, 40, 5)
    box = torch_path.draw_box(made, key, Region.box((30, 40, 5), (3, 7, 1), (20, 30, 4)), CPU)

    assert torch.equal(box, whole[3:23, 7:37, 1:5])
