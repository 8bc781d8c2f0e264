from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from initium.errors import UsageError
from initium.methods.catalogue import find
from initium.methods.families.weight_transfer import (
    adapt_input_channels,
    inflate,
    select_weights,
    tiled_positions,
)
from initium.theory.layer import Layer


def random(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def test_selection_takes_evenly_spaced_indices_on_every_axis():
    source = torch.arange(10)[:, None] * 100 + torch.arange(7)[None, :]
    assert select_weights(source, (4, 3)).tolist() == [
        [0, 3, 6], [300, 303, 306], [600, 603, 606], [900, 903, 906],
    ]  # fmt: skip
    assert select_weights(source, (10, 7)).equal(source)
    assert select_weights(source, (1, 7)).shape == (1, 7)


def test_selection_keeps_channels_together():
    """A layer's outputs and the next one's inputs lose the same channels."""
    first, second = random(12, 5), random(6, 12)
    small, after = select_weights(first, (4, 5)), select_weights(second, (6, 4))
    kept = [(first == row).all(1).nonzero().item() for row in small]
    assert torch.equal(after, second[:, kept])


@pytest.mark.parametrize("shape", [(4, 3, 1), (11, 7)])
def test_selection_refuses_what_does_not_fit(shape):
    with pytest.raises(UsageError, match="bigger model"):
        select_weights(random(10, 7), shape)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_input_channels_as_timm_does(channels, dtype):
    manipulate = pytest.importorskip("timm.models._manipulate")
    weight = random(8, 3, 5, 5, dtype=dtype)
    assert torch.equal(adapt_input_channels(weight, channels), manipulate.adapt_input_conv(channels, weight))


def test_a_grey_image_gives_what_its_copies_gave():
    weight, grey = random(8, 3, 3, 3), random(2, 1, 6, 6)
    wanted = F.conv2d(grey.expand(-1, 3, -1, -1), weight)
    assert torch.allclose(F.conv2d(grey, adapt_input_channels(weight, 1)), wanted, atol=1e-5)


@pytest.mark.parametrize("mode", ["mean", "centre"])
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_a_still_video_gives_what_the_image_gave(mode, depth):
    weight, image = random(8, 3, 3, 3), random(2, 3, 6, 6)
    video = image[:, :, None].expand(-1, -1, depth, -1, -1)
    wanted = F.conv2d(image, weight)
    found = F.conv3d(video, inflate(weight, depth, mode=mode))
    assert torch.allclose(found[:, :, 0], wanted, atol=1e-5)


def test_wrong_weights_are_refused():
    with pytest.raises(UsageError, match="four-axis"):
        inflate(random(3, 3), 2)
    with pytest.raises(UsageError, match="first convolution"):
        adapt_input_channels(random(3, 3), 2)


def test_position_tables_are_resized_and_keep_their_class_token():
    table = random(1 + 16, 8)
    out = tiled_positions(table, 6, 4)
    assert out.shape == (25, 8)
    assert torch.equal(out[0], table[0])
    assert torch.allclose(tiled_positions(table, 4, 4), table, atol=1e-5)


@pytest.mark.parametrize("name", ["weight_selection", "input_adaptation", "inflation"])
def test_as_methods_they_say_what_they_need(name):
    with pytest.raises(UsageError, match="weights of another model"):
        find(name)(Layer("conv", (4, 4, 3, 3)))
