from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.study.tasks.loaders import files
from tests.study.tasks.loaders.files import coco

from initium.cli.main import main
from initium.cli.study import library_model, limited, named_task, read_init
from initium.study.tasks import open_task

FEW = [
    "--lr",
    "1e-3",
    "--steps",
    "5",
    "--batch-size",
    "32",
    "--seeds",
    "2",
    "--confirm",
    "2",
    "--engine",
    "serial",
]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "study.db")


def test_a_comparison_is_printed_kept_and_reported(store: str, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    asked = ["compare", "--model", "mlp4-relu", "--init", "auto,zeros", "--store", store, *FEW]
    done = run(*asked, "--html", str(page))
    assert done.exit_code == 0, done.stderr
    assert "mlp4-relu on classification: 2 inits compared" in done.stdout
    assert "auto lr 0.001 seed 0" in done.stderr
    assert "<html" in page.read_text()
    again = run(*asked, "--json")
    assert "[1/" not in again.stderr
    assert sorted(json.loads(again.stdout)["decision"]["ranking"]) == ["auto", "zeros"]
    told = run("report", store, "--json")
    assert json.loads(told.stdout) == json.loads(again.stdout)


def test_a_dry_run_prints_the_cost(store: str) -> None:
    done = run("compare", "mlp4-relu", "--init", "auto,zeros", "--store", store, *FEW, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "8 to 8 trials of 5 steps" in done.stdout
    assert "on 1 workers" in done.stdout
    assert not Path(store).exists()


def test_own_data_are_told_by_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_CACHE", str(tmp_path / "cache"))
    train, test = (coco(tmp_path / name, num=num) for name, num in (("one", 6), ("two", 4)))
    task = named_task(str(train), ["kind=segmentation", f"test={test}", "size=24"])
    assert (task.kind, task.shape[1], len(task.train), len(task.test)) == ("segmentation", 24, 6, 4)
    made = named_task("classification", [f"datasets={files.__file__}:two_datasets", "classes=cat,dog,eel"])
    assert (len(made.train), len(made.test), made.classes) == (12, 5, ("cat", "dog", "eel"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--data", "size=ninety"), "`size` is 'ninety'"),
        (("--data", "colour=red"), "'colour'"),
        (("--data", "datasets=nothing.py:make"), "nothing.py: no such file"),
    ],
)
def test_keys_that_say_nothing_are_refused(tmp_path: Path, asked: tuple[str, ...], told: str) -> None:
    done = run("compare", "--task", str(coco(tmp_path)), *asked, "--dry-run")
    assert done.exit_code == 2
    assert told in done.stderr


def test_an_interrupt_says_how_to_go_on(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from initium.study.contest import progress

    def interrupt(self: object, one: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "ended", interrupt)
    done = run("compare", "mlp4-relu", "--init", "auto,zeros", "--store", store, *FEW)
    assert done.exit_code == 130
    assert f"{store} keeps 1 finished trials; the same command goes on from there" in done.stderr.replace(
        "\n", ""
    )


def test_an_interrupt_before_there_is_a_store_is_no_error(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from initium.study.contest import compare

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "check_trials", interrupt)
    done = run("compare", "mlp4-relu", "--init", "auto,zeros", "--store", store, *FEW, "--dry-run")
    assert done.exit_code == 130
    assert done.stderr.strip() == "Interrupted: no trial had begun."


def test_plans_and_functions_are_inits(tmp_path: Path) -> None:
    import initium

    task = open_task("classification")
    plan = initium.plan(task.make_model("mlp4-relu"), policy="he_normal", **vars(task.probe(8)))
    (tmp_path / "plan.json").write_text(plan.to_json())
    (tmp_path / "start.py").write_text("def start(model, probe, seed):\n    pass\n")
    assert read_init(str(tmp_path / "plan.json")) == plan
    function = f"{tmp_path / 'start.py'}:start"
    assert read_init(function) == {"kind": "function", "function": function}
    assert read_init("he_normal:mode=fan_out") == "he_normal:mode=fan_out"


def test_models_of_libraries_get_the_classes_of_the_task() -> None:
    from initium.engines import function_of

    task = open_task("classification")
    name, arguments = library_model("timm:resnet10t", {"drop_rate": 0.1}, task)
    assert arguments == {"model_name": "resnet10t", "num_classes": 10, "in_chans": 1, "drop_rate": 0.1}
    task.check_model(function_of(name)(**arguments))
    assert library_model("cnn20-relu", {}, task) == ("cnn20-relu", {})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mlp4-relu", "--model", "cnn8-relu"], "two models"),
        (["mlp4-rellu"], "activation"),
        (["--init", "auto,he_norml"], "he_normal"),
        (["--lr", "fast"], "the learning rate 'fast'"),
        (["--task", "clasification"], "neither a kind of task"),
        (["--engine", "serial", "--workers", "2"], "2 workers"),
        (["--init", "auto,missing.json"], "missing.json"),
    ],
)
def test_what_cannot_be_understood_is_told(store: str, arguments: list[str], words: str) -> None:
    done = run("compare", *arguments, "--store", store)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert not Path(store).exists()


def test_a_missing_or_foreign_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("my thesis")
    for name, words in (("other.db", "no database"), ("missing.db", "no such file")):
        done = run("report", str(tmp_path / name))
        assert done.exit_code == 1
        assert words in done.stderr


def test_limits_of_a_trial_reach_the_engine() -> None:
    given: dict[str, Any] = {"engine": "processes", "workers": 1, "address": None, "steps": 5}
    made = limited(time_limit=20.0, memory_limit=None, **given)
    assert made["steps"] == 5
    assert (made["engine"].limits.seconds, made["engine"].limits.memory_gb) == (20.0, None)
    assert (made["engine"].num_workers, "workers" in made) == (1, False)
    assert limited(time_limit=None, memory_limit=None, **given) == given


def test_limits_need_processes_of_their_own(store: str) -> None:
    done = run("compare", "mlp4-relu", "--store", store, *FEW, "--memory-limit", "2")
    assert done.exit_code == 2
    assert "serial engine" in done.stderr
