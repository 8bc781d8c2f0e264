"""What the verbs of studies make of their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from tests.study.run.test_store import RESULT, SPEC

from initium.cli.study import asked, kept_on_interrupt, library_model, limited, read_init, study_options
from initium.errors import UsageError
from initium.study.run.store import Store
from initium.study.tasks import open_task


def given(*arguments: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    command = click.command()(study_options(lambda **options: seen.update(options)))
    done = CliRunner().invoke(command, list(arguments))
    assert done.exit_code == 0, done.output
    return seen


def test_the_options_and_what_stands_where_none_is_given() -> None:
    assert given() == {
        "target": "", "model": "", "args": (), "task": "classification", "data": (), "steps": None,
        "batch_size": None, "optimizer": "adamw", "engine": "processes", "workers": None, "address": None,
        "time_limit": None, "memory_limit": None, "store": Path("initium-study.db"), "resume": True, "dry_run": False,
    }  # fmt: skip
    found = given(
        "vit6", "--optimizer", "sgd", "--steps", "9", "--batch-size", "4", "--fresh", "--time-limit", "2.5",
        "--memory-limit", "0.5", "--workers", "3", "--engine", "serial", "--dry-run", "--data", "size=8",
    )  # fmt: skip
    assert (found["target"], found["optimizer"], found["steps"], found["batch_size"]) == ("vit6", "sgd", 9, 4)
    assert (found["resume"], found["dry_run"], found["engine"]) == (False, True, "serial")
    assert (found["time_limit"], found["memory_limit"], found["workers"]) == (2.5, 0.5, 3)


@pytest.mark.parametrize(
    "wrong", [("--steps", "0"), ("--time-limit", "0"), ("--optimizer", "adam"), ("--workers", "0")]
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, str]) -> None:
    done = CliRunner().invoke(click.command()(study_options(lambda **_: None)), list(wrong))
    assert done.exit_code == 2
    assert wrong[0] in done.output


def test_the_model_is_the_argument_or_the_option_but_not_two() -> None:
    for target, model in (("mlp4-relu", ""), ("", "mlp4-relu"), ("mlp4-relu", "mlp4-relu")):
        name, arguments, task = asked(target, model, {"a": 1}, "classification", ())
        assert (name, arguments, task.kind) == ("mlp4-relu", {"a": 1}, "classification")
    with pytest.raises(UsageError, match="two models: mlp4-relu and cnn8-relu"):
        asked("mlp4-relu", "cnn8-relu", {}, "classification", ())


def test_models_of_libraries_get_the_channels_and_outputs_of_the_task() -> None:
    task = open_task("classification")
    name, arguments = library_model("timm:resnet18", {"drop_rate": 0.5}, task)
    assert name == "timm:create_model"
    assert arguments == {"model_name": "resnet18", "num_classes": 10, "in_chans": 1, "drop_rate": 0.5}
    name, arguments = library_model("torchvision:resnet18", {"num_classes": 3}, task)
    assert (name, arguments) == ("torchvision.models:get_model", {"name": "resnet18", "num_classes": 3})
    assert library_model("net.py:make", {"a": 1}, task) == ("net.py:make", {"a": 1})


def test_an_init_is_a_name_a_plan_or_a_function(tmp_path: Path) -> None:
    import torch

    import initium

    made = initium.plan(torch.nn.Linear(3, 2), torch.randn(8, 3), policy="he_normal")
    path = tmp_path / "plan.json"
    path.write_text(made.to_json())
    assert read_init("he_normal") == "he_normal"
    assert read_init(str(path)) == made
    (tmp_path / "net.py").write_text("def start(model, probe, seed):\n    pass\n")
    found = read_init(f"{tmp_path / 'net.py'}:start")
    assert isinstance(found, dict)
    assert found["kind"] == "function"
    assert read_init("metainit:steps=5") == "metainit:steps=5"
    with pytest.raises(UsageError, match="cannot be read"):
        read_init(str(tmp_path / "none.json"))


def test_limits_go_into_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from initium.study.contest import compare

    opened: list[Any] = []
    monkeypatch.setattr(compare, "opened_engine", lambda *given: opened.append(given) or "made")
    plain = limited(None, None, "serial", 2, None, steps=3)
    assert plain == {"engine": "serial", "workers": 2, "address": None, "steps": 3}
    assert opened == []
    assert limited(7.0, 1.5, "processes", 2, "host", steps=3) == {"engine": "made", "steps": 3}
    (engine, workers, address, limits), *_ = opened
    assert (engine, workers, address) == ("processes", 2, "host")
    assert (limits.seconds, limits.memory_gb) == (7.0, 1.5)
    limited(None, 1.5, "processes", None, None)
    assert (opened[1][-1].seconds, opened[1][-1].memory_gb) == (None, 1.5)


@pytest.mark.parametrize("num", [0, 3])
def test_an_interrupt_ends_with_130_and_says_what_is_kept(
    num: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    path = tmp_path / "study.db"
    if num:
        with Store(path) as store:
            for seed in range(num):
                store.put(replace(SPEC, seed=seed), RESULT)
    with pytest.raises(click.exceptions.Exit) as ended, kept_on_interrupt(path):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    told = capsys.readouterr().err
    assert "Interrupted" in told
    assert (f"{num} finished trials" in told) == bool(num)
