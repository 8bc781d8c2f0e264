from __future__ import annotations

import pytest
import torch

from initium.data.clothes import CLASSES, SIDES, fashion_mnist
from initium.errors import UsageError


@pytest.mark.parametrize("size", SIDES)
def test_shapes_types_and_moments(size):
    images, labels = fashion_mnist("train", size)
    assert images.shape == (5000, 1, size, size)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.mean().abs() < 1e-5
    assert images.var(correction=0) == pytest.approx(1, abs=1e-5)
    assert labels.bincount().tolist() == [500] * len(CLASSES)


def test_test_images_are_scaled_as_the_training_images():
    images, labels = fashion_mnist("test", 14)
    assert labels.bincount().tolist() == [100] * 10
    # the largest relative error of a mean of 1,000 images, each of which varies by about half the total
    assert images.mean().abs() < 5 * (0.5 / 1000) ** 0.5
    assert images.mean() != 0
    low = fashion_mnist("train", 14)[0].min()
    assert images.min() == pytest.approx(low.item(), abs=1e-6)


def test_small_images_are_averages_of_large_ones():
    large, small = fashion_mnist("test", 28)[0], fashion_mnist("test", 14)[0]
    pooled = torch.nn.functional.avg_pool2d(large, 2).flatten()
    correlation = torch.corrcoef(torch.stack([pooled, small.flatten()]))[0, 1]
    assert correlation == pytest.approx(1, abs=1e-6)


def test_splits_share_no_image_and_images_are_not_all_alike():
    train, test = fashion_mnist("train")[0].flatten(1), fashion_mnist("test")[0].flatten(1)
    train_set = {row.numpy().tobytes() for row in train}
    assert len(train_set) == 5000
    assert not train_set & {row.numpy().tobytes() for row in test}


def test_a_nearest_mean_classifier_reads_the_labels():
    train, labels = fashion_mnist("train", 14)
    test, truth = fashion_mnist("test", 14)
    means = torch.stack([train[labels == c].flatten(1).mean(0) for c in range(10)])
    guessed = torch.cdist(test.flatten(1), means).argmin(1)
    assert (guessed == truth).float().mean() > 0.6  # about 0.67 in the literature; chance is 0.1


def test_what_is_returned_may_be_changed():
    images, labels = fashion_mnist("test")
    images.zero_()
    labels.zero_()
    again, truth = fashion_mnist("test")
    assert again.abs().sum() > 0
    assert truth.sum() > 0


@pytest.mark.parametrize("arguments", [("valid", 28), ("train", 15)])
def test_wrong_arguments_are_told_in_three_parts(arguments):
    with pytest.raises(UsageError, match="expected: "):
        fashion_mnist(*arguments)


def test_torchs_generator_is_left_alone():
    before = torch.get_rng_state()
    fashion_mnist("train", 14)
    assert torch.equal(before, torch.get_rng_state())
