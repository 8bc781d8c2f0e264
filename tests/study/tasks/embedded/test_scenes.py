"""Scenes: boxes and masks say the same, nothing depends on anything but the arguments."""

from __future__ import annotations

import torch

from initium.study.tasks.embedded.scenes import LEAST_PIXELS, SCENE_CLASSES, compose, filled, resampled


def test_boxes_bound_what_is_seen_of_their_objects() -> None:
    scenes = compose(60, seed=3)
    assert scenes.images.shape == (60, 3, 48, 48)
    assert scenes.masks.shape == (60, 48, 48)
    for mask, objects in zip(scenes.masks, scenes.objects, strict=True):
        covered = torch.zeros(48, 48, dtype=torch.bool)
        for (left, top, right, bottom), label in zip(
            objects.boxes.long().tolist(), objects.labels.tolist(), strict=True
        ):
            inside = mask[top:bottom, left:right] == label + 1
            assert int(inside.sum()) >= LEAST_PIXELS
            for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert bool(edge.any())
            covered[top:bottom, left:right] = True
        assert not bool((mask[~covered] > 0).any())


def test_every_class_and_one_to_three_objects_occur() -> None:
    scenes = compose(120)
    counts = [len(one) for one in scenes.objects]
    assert max(counts) == 3
    assert sum(counts) / len(counts) > 1.7
    assert scenes.masks.unique().tolist() == list(range(len(SCENE_CLASSES) + 1))


def test_the_same_arguments_give_the_same_scenes() -> None:
    first, again, longer = compose(10), compose(10), compose(10, seed=1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.masks, again.masks)
    assert not torch.equal(first.images, longer.images)


def test_the_splits_share_neither_garments_nor_places() -> None:
    train, test = compose(10), compose(10, split="test")
    assert not torch.equal(train.images, test.images)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    compose(4)
    assert torch.equal(before, torch.random.get_rng_state())


def test_holes_are_filled_and_bays_are_not() -> None:
    ring = torch.zeros(1, 9, 9, dtype=torch.bool)
    ring[0, 2:7, 2:7] = True
    ring[0, 3:6, 3:6] = False
    assert bool(filled(ring)[0, 2:7, 2:7].all())
    assert int(filled(ring).sum()) == 25
    ring[0, 4, 6] = False
    assert torch.equal(filled(ring), ring)


def test_resampling_at_pixel_centres_changes_nothing() -> None:
    picture = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    rows, columns = (torch.arange(n).add(0.5).expand(2, n) for n in (5, 7))
    assert torch.allclose(resampled(picture, rows, columns), picture, atol=1e-6)


def test_shrinking_keeps_the_mean() -> None:
    picture = torch.ones(1, 1, 40, 40)
    places = ((torch.arange(8) + 0.5) * 5).unsqueeze(0)
    inner = resampled(picture, places, places)[..., 1:-1, 1:-1]
    assert torch.allclose(inner, torch.ones_like(inner), atol=1e-6)
