"""The tuple of kinds: what was usual stays usual, and what is asked of a kind is read there."""

from __future__ import annotations

import pytest

from initium.errors import UnknownNameError
from initium.study.tasks import TASK_KINDS, open_task
from initium.study.tasks.kinds import (
    find_kind,
    kind_names,
    kind_of_format,
    kind_of_model,
    metric_of,
    usual_length,
)
from initium.study.tasks.models.by_name import example_names


def test_the_usual_length_of_a_trial() -> None:
    lengths = {kind: usual_length(open_task(kind)) for kind in kind_names()}
    assert lengths == {"classification": (150, 128), "detection": (250, 16), "segmentation": (150, 16)}


def test_every_standard_model_belongs_to_a_kind() -> None:
    found = {name: kind_of_model(name).name for name in example_names()}
    assert {name: kind for name, kind in found.items() if kind != "classification"} == {
        "fcn9": "segmentation",
        "unet": "segmentation",
        "detector12": "detection",
    }
    for kind in TASK_KINDS:
        assert {kind_of_model(name) for name in kind.models} == {kind}


def test_a_format_is_taken_for_the_first_kind_that_it_holds() -> None:
    found = {form: kind_of_format(form).name for form in ("folders", "coco", "voc", "masks")}
    assert found == {
        "folders": "classification",
        "coco": "detection",
        "voc": "detection",
        "masks": "segmentation",
    }


def test_the_score_has_its_name_in_every_report() -> None:
    assert metric_of({"kind": "detection", "path": "x"}) == "AP at IoU 0.5"
    assert metric_of({"kind": "brightness", "metric": "R squared"}) == "R squared"
    assert metric_of({"kind": "gone"}) == "metric"


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean detection"):
        find_kind("detecton")
