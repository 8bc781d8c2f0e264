from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import nn

import initium
from initium.cli.arguments import InputSpec
from initium.cli.inputs import detector_inputs, make_inputs, read_images
from initium.errors import UsageError

NET = nn.Linear(2, 2)


def inputs(*texts, target="net.py:make", model=NET, images=None, batch=4, seed=0):
    specs = [InputSpec.parse(text) for text in texts]
    return make_inputs(target, model, specs, images, batch=batch, seed=seed)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("3x32x48", (4, 3, 32, 48)),
        ("1x28x28", (4, 1, 28, 28)),
        ("3x5x16x16", (4, 3, 5, 16, 16)),
        ("7x8x8", (4, 7, 8, 8)),
        ("16", (4, 16)),
        ("10x16", (4, 10, 16)),
    ],
)
def test_shapes_are_those_asked_for_and_values_are_real_numbers(text, shape):
    made = inputs(text)
    assert made.shape == shape
    assert made.dtype == torch.float32
    assert made.isfinite().all()
    assert 0.2 < made.std() < 3


def test_token_ids_are_whole_numbers_in_range():
    made = inputs("64@1000")
    assert made.dtype == torch.int64
    assert made.min() >= 0
    assert made.max() < 1000
    assert made.unique().numel() > 150  # of 256 draws, about 226 expected


def test_several_inputs_differ():
    first, second = inputs("3x16x16", "3x16x16")
    assert not torch.equal(first, second)
    left, right = inputs("8", "8")
    assert not torch.equal(left, right)


def test_random_inputs_follow_the_seed_alone():
    assert torch.equal(inputs("8", seed=1), inputs("8", seed=1))
    assert not torch.equal(inputs("8", seed=1), inputs("8", seed=2))


def test_a_users_model_needs_a_shape_and_a_published_one_does_not():
    with pytest.raises(UsageError, match="--input 3x224x224"):
        inputs()
    assert inputs(target="torchvision:alexnet").shape == (4, 3, 224, 224)


@pytest.fixture
def folder(tmp_path):
    for i in range(5):
        Image.new("RGB", (40 + i, 30), (50 * i, 10, 200)).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_images_of_a_folder_are_used(folder):
    made = inputs("3x16x24", images=folder)
    assert made.shape == (4, 3, 16, 24)
    assert (made[1:, 0].mean((1, 2)) > made[:-1, 0].mean((1, 2))).all()  # in the order of their names
    assert inputs(images=folder, batch=2).shape == (2, 3, 224, 224)
    assert inputs("1x16x16", images=folder).shape == (4, 1, 16, 16)


def test_a_folder_without_images_and_a_broken_image_are_told(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no images in"):
        read_images(tmp_path / "empty", (3, 8, 8), 4)
    with pytest.raises(UsageError, match="3 x height x width"):
        read_images(folder, (16,), 4)
    (folder / "0.png").write_bytes(b"no png")
    with pytest.raises(UsageError, match=r"0.png' cannot be read"):
        read_images(folder, (3, 8, 8), 4)


def test_detectors_get_lists_and_in_training_targets():
    images = torch.randn(2, 3, 32, 40)
    pictures, targets = detector_inputs(images, NET.train())
    assert [picture.shape for picture in pictures] == [(3, 32, 40)] * 2
    assert 0 <= min(p.min() for p in pictures) <= max(p.max() for p in pictures) <= 1
    boxes = targets[0]["boxes"]
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert targets[0]["masks"].sum() > 0
    assert len(detector_inputs(images, nn.Linear(1, 1).eval())) == 1


def test_noise_takes_the_place_of_photographs():
    spec = [InputSpec.parse("3x16x16")]
    made = make_inputs("net.py:make", NET, spec, None, noise="natural", batch=4, seed=3)
    assert torch.equal(made, initium.synthetic((3, 16, 16), batch=4, kind="natural", seed=3, name="input0"))
    assert not torch.equal(made, make_inputs("net.py:make", NET, spec, None, batch=4, seed=3))


def test_images_and_noise_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="--noise"):
        make_inputs("net.py:make", NET, [], tmp_path, noise="natural", batch=4, seed=3)


def test_every_token_below_the_bound_occurs_and_no_other():
    assert inputs("400@3").unique().tolist() == [0, 1, 2]


def test_grey_pictures_are_the_mean_of_the_colours():
    colours, grey = inputs("3x12x16"), inputs("1x12x16")
    torch.testing.assert_close(grey, colours.mean(1, keepdim=True))


def test_endings_of_image_files_may_be_in_capitals(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "A.PNG")
    Image.new("RGB", (4, 4), "blue").save(tmp_path / "b.Jpeg")
    assert read_images(tmp_path, (3, 4, 4), 8).shape == (2, 3, 4, 4)
