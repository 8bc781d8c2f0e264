"""How many trials a comparison is, counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.study.made import conducted, design, spread

from initium.errors import UsageError, UsageTypeError
from initium.study.contest.design import Design
from initium.study.trial.spec import TrialSpec

THREE = design("a", "b", "c", lrs=(1e-3, 3e-3), seeds=5, confirm=8)


def test_the_most_and_the_fewest_trials() -> None:
    """3 inits at 2 rates on 2 seeds; 3 more seeds of each; 8 fresh seeds of each, and 2 rivals at 1 other rate."""
    assert THREE.most_batches == (12, 3, 3, 3, 24, 16)
    assert THREE.most_trials == 61
    assert THREE.fewest_batches == (12, 3, 1, 1, 16)
    assert THREE.most_confirmed(2) == (16, 8)
    six = design(*"abcdef", lrs=(1e-3, 2e-3, 3e-3), seeds=2, confirm=4)  # 4 finalists at most
    assert six.most_batches == (36, 16, 24)
    assert six.fewest_batches == (36, 8)


def test_a_comparison_takes_no_more_trials_than_that_and_no_fewer() -> None:
    """Equal inits are all confirmed, at the rates that may be theirs; clear ones are dropped after the third seed."""
    equal = conducted(THREE, spread({"a": 1.0, "b": 1.0, "c": 1.0}))
    assert sum(THREE.fewest_batches) <= len(equal.results) <= THREE.most_trials
    clear = conducted(THREE, spread({"a": 0.5, "b": 1.0, "c": 1.5}, sd=1e-4))
    assert len(clear.results) == sum(THREE.fewest_batches)


def test_a_trial_is_the_base_with_its_own_three_things() -> None:
    spec = THREE.spec("b", 3e-3, 7)
    assert spec == replace(THREE.base, init=THREE.inits["b"], lr=3e-3, seed=7)
    assert list(THREE.fresh_seeds) == [5, 6, 7, 8, 9, 10, 11, 12]


def test_rates_are_sorted_and_have_a_default_for_each_optimizer() -> None:
    assert design("a", "b", lrs=(3e-3, 1e-4, 1e-3)).lrs == (1e-4, 1e-3, 3e-3)
    base, inits = THREE.base, THREE.inits
    assert Design(base, inits).lrs == (3e-4, 1e-3, 3e-3)
    assert Design(replace(base, optimizer="sgd"), inits).lrs == (0.01, 0.03, 0.1)


def test_data_round_and_the_key_is_of_the_content() -> None:
    data = json.loads(json.dumps(THREE.to_data()))
    again = Design.from_data(data)
    assert again == THREE
    assert again.key == THREE.key
    assert replace(THREE, seeds=4).key != THREE.key
    with pytest.raises(UsageError, match="no design"):
        Design.from_data(data | {"more": 1})
    with pytest.raises(UsageError):
        Design.from_data({key: value for key, value in data.items() if key != "lrs"})


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"inits": {"a": {"kind": "policy", "policy": "auto"}}}, UsageError, "1 inits"),
        ({"lrs": (1e-3, 1e-3)}, UsageError, "learning rates"),
        ({"lrs": (0.0, 1e-3)}, UsageError, "learning rates"),
        ({"lrs": (1e-3, float("inf"))}, UsageError, "learning rates"),
        ({"seeds": 1}, UsageError, "seeds is 1"),
        ({"confirm": 1}, UsageError, "confirm is 1"),
        ({"seeds": True}, UsageTypeError, "seeds is True"),
        ({"confirm": 2.5}, UsageTypeError, "confirm is 2.5"),
        ({"seeds": 10_001}, UsageError, "10,000"),
    ],
)
def test_what_makes_no_sense_is_told(changes, kind, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(kind) as told:
        replace(THREE, **changes)
    assert words in str(told.value)


def test_the_base_is_a_trial() -> None:
    assert isinstance(Design.from_data(THREE.to_data()).base, TrialSpec)
