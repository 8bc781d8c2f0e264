"""What the verbs that run studies share: their options, and the model and inits that texts name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from initium.cli.arguments import keywords
from initium.cli.options import aside
from initium.engines import engine_names
from initium.errors import UsageError

if TYPE_CHECKING:
    from initium.plan import Plan
    from initium.study.tasks import Task

Verb = TypeVar("Verb", bound=Callable[..., Any])

STORE = Path("initium-study.db")
LIBRARIES = {
    "timm": ("timm:create_model", "model_name"),
    "torchvision": ("torchvision.models:get_model", "name"),
}
"""Where the models named LIBRARY:NAME come from: a function, and its argument for the name."""

STUDY_MODEL_HELP = """\b
--model is one of
    cnn20-relu, mlp8-tanh, vit6, ...   a standard model; see docs/study.md
    file.py:make                       a function or class in a Python file
    package.module:make                the same in a module
    timm:NAME, torchvision:NAME        random weights, as many outputs as the task has classes

A file or module named here is imported, also in every worker: name only code that you trust.
"""


def study_options(verb: Verb) -> Verb:
    """What is studied, and where it runs."""
    for option in reversed([*_subject_options(), *_run_options()]):
        verb = option(verb)
    return verb


def _subject_options() -> list[Callable[[Verb], Verb]]:
    return [
        click.argument("target", metavar="[MODEL]", default=""),
        click.option("--model", default="", help="The same as MODEL; the task's first standard model without it."),
        click.option("--arg", "args", metavar="KEY=VALUE", multiple=True, help="Argument of MODEL; repeatable."),
        click.option(
            "--task",
            default="classification",
            show_default=True,
            metavar="KIND|PATH",
            help="A kind of task (classification, detection, segmentation) on embedded data, or the path of your own "
            "data: a folder for each class, a COCO file, VOC, or images and masks.",
        ),
        click.option(
            "--data", "data", metavar="KEY=VALUE", multiple=True,
            help="More of your own data; repeatable. kind: another task that the format holds; format; images: their "
            "directory; test, test_images: the data to be judged by; size: pixels on a side (64); most: pictures of "
            "each split (4000); classes: names, with commas between; datasets: a function (file.py:make) that returns "
            "two torch Datasets.",
        ),
        click.option("--steps", type=click.IntRange(1), help="Updates of one trial; the task's own without it."),
        click.option("--batch-size", type=click.IntRange(1), help="Samples of one update; the task's own without it."),
        click.option(
            "--optimizer", type=click.Choice(["adamw", "sgd"]), default="adamw", show_default=True,
            help="sgd has momentum .9 and clips the gradient's norm at 1.",
        ),
    ]  # fmt: skip


def _run_options() -> list[Callable[[Verb], Verb]]:
    return [
        click.option(
            "--engine", type=click.Choice(engine_names()), default=engine_names()[0], show_default=True,
            help="Where trials run.",
        ),
        click.option("--workers", type=click.IntRange(1), help="Trials at a time; all cores without it."),
        click.option("--address", help="Of a running Ray cluster; the engine ray starts one without it."),
        click.option(
            "--time-limit", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
            help="Of one trial; one that takes longer is ended and counts as failed.",
        ),
        click.option(
            "--memory-limit", type=click.FloatRange(0, min_open=True), metavar="GB",
            help="The same, of the resident memory of a trial's process (Linux).",
        ),
        click.option(
            "--store", type=click.Path(dir_okay=False, path_type=Path), default=STORE, metavar="FILE",
            show_default=True, help="Keeps every result as it comes.",
        ),
        click.option(
            "--resume/--fresh", "resume", default=True, show_default=True,
            help="Use the results that the store has, or run them again.",
        ),
        click.option("--dry-run", is_flag=True, help="Measure a few steps and print what the study would cost."),
    ]  # fmt: skip


def asked(
    target: str, model: str, arguments: dict[str, Any], task: str, data: Sequence[str]
) -> tuple[str, dict[str, Any], Task]:
    """The model that a command names, the arguments it is made with, and the task; what others print goes aside."""
    with aside():
        opened = named_task(task, data)
        return *library_model(_one_model(target, model), arguments, opened), opened


def named_task(task: str, data: Sequence[str]) -> Task:
    """The task that --task and --data name."""
    from initium.study.contest.request import function_reference, opened_task

    given = keywords(data)
    if "datasets" in given:
        given["datasets"] = function_reference(str(given["datasets"]))
    if isinstance(given.get("classes"), str):
        given["classes"] = given["classes"].split(",")
    return opened_task(task, given)


def limited(
    time_limit: float | None, memory_limit: float | None, engine: str, workers: int | None, address: str | None,
    **others: Any,
) -> dict[str, Any]:  # fmt: skip
    """The options of a study as the library takes them: an engine that has the limits, where there are any."""
    from initium.engines import Limits
    from initium.study.contest.compare import opened_engine

    if time_limit is None and memory_limit is None:
        return {**others, "engine": engine, "workers": workers, "address": address}
    return {**others, "engine": opened_engine(engine, workers, address, Limits(time_limit, memory_limit))}


def _one_model(target: str, model: str) -> str:
    """The model that is named, as an argument or as an option."""
    if target and model and target != model:
        raise UsageError(
            f"two models: {target} and {model}", expected="one", remedy="leave out --model or the argument"
        )
    return target or model


def library_model(name: str, arguments: dict[str, Any], task: Task) -> tuple[str, dict[str, Any]]:
    """`timm:NAME` and `torchvision:NAME` as a function and its arguments, with the task's channels and classes."""
    library, _, model = name.partition(":")
    if library not in LIBRARIES:
        return name, arguments
    function, key = LIBRARIES[library]
    usual: dict[str, Any] = {key: model, "num_classes": task.goal.outputs(len(task.classes))}
    if library == "timm":
        usual["in_chans"] = task.shape[0]
    return function, {**usual, **arguments}


def read_init(text: str) -> str | Plan | dict[str, str]:
    """One of `--init`: a policy's name, a plan file (`plan.json`), or a function (`file.py:start`)."""
    from initium.plan import Plan
    from initium.study.contest.request import function_reference

    if text.endswith(".json"):
        try:
            return Plan.from_json(Path(text).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise UsageError(
                f"the plan {text!r} cannot be read ({error})",
                expected="a plan as `initium plan -o` writes it",
                remedy="check the path",
            ) from error
    where, _, name = text.rpartition(":")
    if where.endswith(".py") or (where and name.isidentifier() and "." in where):
        return {"kind": "function", "function": function_reference(text)}
    return text


@contextmanager
def kept_on_interrupt(store: Path) -> Iterator[None]:
    """Says what an interrupt left, and ends with the exit code of one."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted: {_kept(store)}.", err=True)
        raise click.exceptions.Exit(130) from None


def _kept(store: Path) -> str:
    """What is left of a study after an interrupt, which may have come before there was a store."""
    from initium.study.run.store import Store

    if not store.is_file():
        return "no trial had begun"
    with Store(store, write=False) as kept:
        return f"{store} keeps {len(kept)} finished trials; the same command goes on from there"
