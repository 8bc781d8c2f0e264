from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.nets import mlp, noise, plain_conv, seeded
from tests.plan.nets import pictures, same, state_of
from torch import nn

from initium import diagnose, record
from initium.plan import Run
from initium.plan.trials import auto_policy
from initium.plan.trials.auto_policy import Auto, by_theory_alone
from initium.plan.trials.candidates import Candidate


def test_the_answer_holds_the_diagnosis_before_and_after_and_the_model_is_as_it_was() -> None:
    with seeded():
        model = plain_conv(12, 16)
    x = pictures()
    before = state_of(model)
    found = Auto().decide(record(model, x), Run(model, x, x, x))
    assert same(before, state_of(model))
    assert found.before is not None
    assert found.after is not None
    assert found.before.badness == diagnose(model, x).badness
    assert (found.before.verdict, found.after.verdict) == ("unhealthy", "healthy")
    assert found.after.badness < found.before.badness


def test_a_record_alone_is_planned_by_theory_and_says_so() -> None:
    with seeded():
        model = mlp(6, 16, nn.Tanh)
    found = by_theory_alone(record(model, noise(32, 16)), Run(None))
    assert (found.chosen, found.before, found.after) == ("theory", None, None)
    assert "holds no tensors" in found.notes[0]
    weights = [one for one in found.assignments if one.name.endswith("weight")]
    assert all(one.method != "keep" for one in weights)


def test_where_no_candidate_is_sound_the_least_bad_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def candidate(name: str, verdict: str, badness: float) -> Candidate:
        report: Any = SimpleNamespace(verdict=verdict, badness=badness, healthy=False, findings=())
        return Candidate(name, (), report)

    tried = [
        candidate("a", "unhealthy", 3.0),
        candidate("b", "unhealthy", 1.5),
        candidate("c", "unhealthy", 9.0),
    ]
    monkeypatch.setattr(auto_policy, "first_sound", lambda *_: (None, tried))
    with seeded():
        model = mlp(2, 16, nn.Tanh)
    x = noise(32, 16)
    found = Auto().decide(record(model, x), Run(model, x, x, x))
    assert found.chosen == "b"
    assert "no candidate was better than b: tried a, b, c" in found.notes
