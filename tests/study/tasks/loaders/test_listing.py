"""What is set apart, and what is left out, of a list of pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from initium.errors import UsageError
from initium.study.tasks.loaders.listing import (
    Listed,
    Listing,
    check_listing,
    split_of,
    thinned,
    with_test,
)

ROOT = Path("data")
SIZES = {0: 23, 1: 10, 2: 4, 3: 1}
"""Class to number of pictures."""


def listing(root: Path = ROOT) -> Listing:
    train = tuple(
        Listed(root / f"{label}" / f"{i}.png", label) for label, num in SIZES.items() for i in range(num)
    )
    return Listing(("a", "b", "c", "d"), train, (), root)


def test_a_fifth_of_every_class_is_set_apart_but_never_the_only_one() -> None:
    split = with_test(listing(), by_class=True)
    assert Counter(one.label for one in split.test) == {0: 4, 1: 2, 2: 1}
    assert Counter(one.label for one in split.train) == {0: 19, 1: 8, 2: 3, 3: 1}
    assert {*split.train, *split.test} == {*listing().train}


def test_without_classes_it_is_a_fifth_of_all() -> None:
    assert len(with_test(listing(), by_class=False).test) == sum(SIZES.values()) // 5


def test_who_is_set_apart_depends_on_the_names_alone() -> None:
    """The fifth with the smallest hashes of their paths below the data, wherever the data lie."""
    hashes = {f"0/{i}.png": hashlib.blake2b(f"0/{i}.png".encode(), digest_size=8).digest() for i in range(23)}
    expected = sorted(hashes, key=lambda name: hashes[name])[:4]
    for root in (ROOT, Path("/elsewhere/deep")):
        test = with_test(listing(root), by_class=True).test
        found = [str(one.picture.relative_to(root)) for one in test if one.label == 0]
        assert sorted(found) == sorted(expected)


def test_a_test_set_of_its_own_stays() -> None:
    own = Listing(("a",), listing().train, (Listed(Path("x.png")),), ROOT)
    assert with_test(own, by_class=True) is own


def test_thinning_is_even() -> None:
    samples = listing().train
    assert thinned(samples, 100) == samples
    assert [samples.index(one) for one in thinned(samples[:10], 4)] == [0, 2, 5, 7]
    assert len(thinned(samples, 7)) == 7


def test_files_are_pictures_and_masks() -> None:
    pair = Listed(Path("a.png"), mask=Path("a-mask.png"))
    found = Listing((), (pair,), (Listed(Path("b.png")),), ROOT).files
    assert sorted(map(str, found)) == ["a-mask.png", "a.png", "b.png"]


def test_empty_and_onesided_data_are_told() -> None:
    full = with_test(listing(), by_class=True)
    check_listing(full, "labels")
    with pytest.raises(UsageError, match="no test pictures"):
        check_listing(listing(), "labels")
    with pytest.raises(UsageError, match="no training pictures"):
        check_listing(Listing((), (), full.test, ROOT), "masks")
    with pytest.raises(UsageError, match="no boxes in the training"):
        check_listing(full, "boxes")
    boxed = tuple(Listed(one.picture, boxes=((0, 0, 1, 1),), labels=(0,)) for one in full.train)
    with pytest.raises(UsageError, match="no boxes in the test"):
        check_listing(Listing((), boxed, full.test, ROOT), "boxes")
    one = tuple(item for item in full.train if item.label == 1)
    with pytest.raises(UsageError, match="class 'b'"):
        check_listing(Listing(full.classes, one, full.test, ROOT), "labels")
    with pytest.raises(UsageError, match="no pictures of the test split"):
        split_of(ROOT / "test", ())
    assert split_of(None, ()) == ()
