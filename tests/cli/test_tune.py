from __future__ import annotations

import json

from click.testing import CliRunner

from initium.cli.main import main
from initium.plan import Plan


def run(*arguments):
    return CliRunner().invoke(main, ["tune", *arguments])


SMALL = (
    "mlp4-relu",
    "--engine",
    "serial",
    "--lr",
    "3e-3",
    "--steps",
    "4",
    "--batch-size",
    "16",
    "--confirm",
    "2",
)


def test_a_small_search_ends_with_an_outcome_and_a_plan(tmp_path):
    plan, store = tmp_path / "plan.json", tmp_path / "study.db"
    done = run(*SMALL, "--budget", "40", "--store", str(store), "-o", str(plan), "--json")
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["chosen"] in {one["name"] for one in data["comparison"]["standings"]}
    assert Plan.from_json(plan.read_text()) == Plan.from_json(json.dumps(data["plan"]))
    assert store.exists()
    again = run(*SMALL, "--budget", "40", "--store", str(store), "-o", str(plan))
    assert again.stdout.replace("\n", "").endswith(f"written: {plan}")
    shown = CliRunner().invoke(main, ["report", str(store)])
    assert "inits compared" in shown.stdout


def test_what_it_would_cost_is_told_before(tmp_path):
    done = run(*SMALL, "--budget", "40", "--dry-run", "--store", str(tmp_path / "study.db"))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("66 to 70 trials of 1 to 4 steps, at most 10 at a time")


def test_a_budget_that_cannot_do_is_refused_before_the_work(tmp_path):
    done = run(*SMALL, "--budget", "10", "--store", str(tmp_path / "study.db"))
    assert done.exit_code == 2
    assert "a budget of 10 trials" in done.stderr


def test_fresh_is_refused_since_a_search_goes_on(tmp_path):
    done = run(*SMALL, "--fresh", "--store", str(tmp_path / "study.db"))
    assert done.exit_code == 2
    assert "name another --store" in done.stderr
