from __future__ import annotations

import math

import pytest

from initium.cli.demo import BATCH, Run, data_order, first_batch, make_net
from initium.cli.demo_page import common_reason, groups, loss_chart, quickstart_document
from initium.diagnose import diagnose
from initium.plan import plan
from initium.report import page, render

RUNS = (Run("torch default", (2.3, 2.31, 2.3), 0.1, 1.0), Run("initium", (2.4, 1.2, 0.6), 0.7, 1.0))


@pytest.fixture(scope="module")
def story():
    net = make_net()
    images, _ = first_batch(data_order(5000, 1, 0))
    before = diagnose(net, images[:32], loss=lambda out: out.square().mean())
    made = plan(net, images[:32], loss=lambda out: out.square().mean())
    made.apply(net)
    return before, diagnose(net, images[:32], loss=lambda out: out.square().mean()), made


def test_the_verdict_compares_the_losses(story):
    made = quickstart_document(*story, RUNS, seed=0)
    assert made.verdict.level == "good"
    assert "ends at 1.40 from initium's weights and at 2.30 from torch's own" in made.verdict.sentence
    assert f"(guessing gives {math.log(10):.2f})" in made.verdict.sentence


def test_a_run_that_is_no_better_is_not_praised(story):
    assert quickstart_document(*story, (RUNS[1], RUNS[0]), seed=0).verdict.level == "warning"


def test_text_and_page_are_made_from_it(story):
    made = quickstart_document(*story, RUNS, seed=0)
    assert f"3 steps of {BATCH}" in render(made)
    assert page(made).count("<svg ") == 4


def test_parameters_are_counted_by_rule(story):
    found = groups(story[2])
    assert sum(count for count, *_ in found) == 40
    assert len(found) <= 4
    assert all(why for *_, why in found)


def test_what_reasons_share_is_told_once():
    assert common_reason(["weight 1 of 9: a: x", "weight 2 of 9: b: x"]) == "x"
    assert common_reason(["a: x", "a: x"]) == "a: x"
    assert common_reason(["a", "b"]) == "a"


def test_a_run_shorter_than_a_block_of_ten_is_still_drawn():
    assert "initium goes from 1.4 to 1.4" in loss_chart(RUNS)
