"""`tune` ends with a proof on seeds that the search never saw, or says that there is none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from tests.study.made import compared, result

import initium
from initium.errors import UsageError
from initium.plan import Plan
from initium.study.contest.comparison import Comparison
from initium.study.contest.design import Design
from initium.study.report_store import report
from initium.study.run.runner import Runner
from initium.study.run.store import Store
from initium.study.search import tune as home
from initium.study.search.search import FIRST_SEED
from initium.study.search.tune import choice, tune
from initium.study.tasks import open_task
from initium.study.trial.spec import TrialSpec

ASKED: list[TrialSpec] = []


def planted(data: dict[str, Any]) -> dict[str, Any]:
    """A trial whose loss follows from its init: a gain per role is best at 4, and below every policy there."""
    spec = TrialSpec.from_data(data)
    ASKED.append(spec)
    params = [rule["params"] for rule in spec.init.get("rules", ()) if rule["where"].endswith("3.weight")]
    gain = next((one.get("gain") or math.sqrt(one["scale"]) for one in params), None)
    noise = 0.01 * math.sin(1000 * spec.seed + 7 * spec.lr)
    if gain is None:
        return result(1.0 + noise + (0.5 if spec.init["policy"] == "shipped" else 0.0)).to_data()
    return result(0.3 + abs(math.log(gain / 4.0)) + noise).to_data()


def hopeless(data: dict[str, Any]) -> dict[str, Any]:
    """A trial in which every start is as good as every other."""
    spec = TrialSpec.from_data(data)
    ASKED.append(spec)
    return result(1.0 + 0.1 * math.sin(1000 * spec.seed + 13 * len(json.dumps(data["init"])))).to_data()


def dies(data: dict[str, Any]) -> dict[str, Any]:
    """The thirty-first trial is cut off."""
    if len(ASKED) == 30:
        raise KeyboardInterrupt
    return planted(data)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Puts another work in the place of `run_trial`."""
    ASKED.clear()

    def chosen(which: Any) -> None:
        made = lambda *args, **options: Runner(*args, **options, work=which)  # noqa: E731
        monkeypatch.setattr(home, "Runner", made)

    return chosen


def tuned(store: Path | None = None, **options: Any) -> initium.Tuning:
    return tune(
        "mlp4-sigmoid", budget=94, lrs=[1e-3, 3e-3], steps=40, store=store, progress=False,
        engine="serial", **options,
    )  # fmt: skip


def check_dashboard(store: Path) -> None:
    """What Optuna reads beside the store is what the store has."""
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{store}.optuna.db")
    trials = optuna.load_study(
        study_name=study.study_name, storage=f"sqlite:///{store}.optuna.db"
    ).get_trials()
    with Store(store, write=False) as kept:
        results = kept.results([trial.user_attrs["key in the store"] for trial in trials])
    assert study.n_trials == len(trials) > 16
    for trial in trials:
        assert trial.value == results[trial.user_attrs["key in the store"]].area
        assert {"lr", "base", "head", "bias"} <= trial.params.keys()


def test_a_better_start_is_found_and_proved_on_fresh_seeds(work: Any, tmp_path: Path) -> None:
    work(planted)
    found = tuned(tmp_path / "study.db")
    assert found.beat_baselines
    assert found.chosen.startswith("found")
    assert found.comparison.winner == found.chosen or found.comparison.winner.startswith("found")  # type: ignore[union-attr]
    assert {"auto", "shipped"} <= {one.name for one in found.comparison.standings}
    compared_on = {score.seed for one in found.comparison.standings for score in one.scores}
    searched_on = {spec.seed for spec in ASKED if spec.seed >= FIRST_SEED}
    assert compared_on.isdisjoint(searched_on)
    assert "beats auto and shipped" in str(found)
    assert "found 1" in str(found).split("What the study says")[0]
    check_dashboard(tmp_path / "study.db")


def test_the_plan_is_that_of_the_winner(work: Any) -> None:
    work(planted)
    found = tuned()
    model = open_task("classification").make_model("mlp4-sigmoid")
    found.plan.apply(model)
    gains = [rule["params"] for rule in found.init["rules"] if rule["where"].endswith("3.weight")]
    kept = found.plan["3.weight"]
    assert kept.method in ("variance_scaling", "scaled_orthogonal", "centred_orthogonal")
    assert {key: kept.params[key] for key in gains[0]} == gains[0]
    assert Plan.from_json(found.plan.to_json()) == found.plan


def test_where_nothing_is_better_it_says_so_and_gives_a_baseline(work: Any) -> None:
    work(hopeless)
    found = tuned()
    assert not found.beat_baselines
    assert found.chosen in ("auto", "shipped")
    assert "Nothing that was found is shown to beat" in str(found)
    assert "NOTHING BETTER FOUND" in str(found)


def test_a_second_run_with_the_same_store_runs_nothing_and_finds_the_same(work: Any, tmp_path: Path) -> None:
    work(planted)
    first = tuned(tmp_path / "study.db")
    num = len(ASKED)
    again = tuned(tmp_path / "study.db")
    assert len(ASKED) == num
    assert (again.chosen, again.found, again.comparison) == (first.chosen, first.found, first.comparison)
    with Store(tmp_path / "study.db", write=False) as kept:
        (kind, data), *_ = kept.studies()
        assert kind == "compare"
        assert set(Design.from_data(data).inits) >= {"auto", "shipped"}
    assert report(tmp_path / "study.db") == first.comparison


def test_a_search_that_was_cut_off_goes_on(work: Any, tmp_path: Path) -> None:
    work(dies)
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "study.db")
    before = len(ASKED)
    work(planted)
    found = tuned(tmp_path / "study.db")
    rest = len(ASKED) - before
    ASKED.clear()
    undisturbed = tuned(tmp_path / "other.db")
    assert found.comparison == undisturbed.comparison
    assert before + rest == len(ASKED)


def test_the_budget_is_kept_and_too_small_a_one_is_refused_first(work: Any) -> None:
    work(planted)
    tuned()
    assert sum(spec.steps for spec in ASKED) / 40 <= 94
    ASKED.clear()
    with pytest.raises(UsageError, match=r"a budget of 20 trials"):
        tune("mlp4-sigmoid", budget=20, progress=False)
    assert not ASKED


def test_the_choice_is_the_winner_else_a_baseline_that_was_not_beaten() -> None:
    assert choice(compared({"found 1": 0.3, "auto": 0.9})) == "found 1"
    assert choice(compared({"found 1": 0.5, "auto": 0.501, "shipped": 2.0}, sd=0.1)) == "auto"
    assert choice(Comparison.from_json(compared({"found 1": 0.9, "auto": 0.3}).to_json())) == "auto"


def test_json_and_page(work: Any, tmp_path: Path) -> None:
    work(planted)
    found = tuned()
    data = json.loads(found.to_json())
    assert data["chosen"] == found.chosen
    assert Comparison.from_json(json.dumps(data["comparison"])) == found.comparison
    assert Plan.from_json(json.dumps(data["plan"])) == found.plan
    again = initium.Tuning.from_json(found.to_json())
    assert again == found
    assert (str(again), again._repr_html_(), again.to_json()) == (
        str(found),
        found._repr_html_(),
        found.to_json(),
    )
    found.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count("<svg") >= 2
