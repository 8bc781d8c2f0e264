"""`initium quickstart`: a network that cannot train, why, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from initium.cli.demo import Run
    from initium.diagnose import HealthReport
    from initium.plan import Plan


@click.command("quickstart")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("initium-quickstart.html"),
    show_default=True,
    metavar="FILE",
    help="Where to write the page.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=200, show_default=True, help="Training steps of each run."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random number.")
def command(html: Path, steps: int, seed: int) -> None:
    """A 20-layer network on small pictures, from torch's own weights and from planned ones, in two minutes."""
    from initium.report.files import check_target

    check_target(html)
    click.echo("A 20-layer ReLU network without normalization, 5,000 pictures of clothes.\n")

    import copy

    from initium.cli.demo import data_order, first_batch, make_net, train
    from initium.cli.demo_page import DEFAULT, OURS, quickstart_document
    from initium.diagnose import diagnose
    from initium.plan import plan as decide
    from initium.report import write_html

    net = make_net(seed)
    order = data_order(5000, steps, seed)
    images, loss = first_batch(order)

    before = diagnose(net, images, loss=loss, seed=seed)
    _say("1 look", f"torch's own start is {_verdict(before)}", [finding.title for finding in before.findings])
    plan = decide(net, images, loss=loss, seed=seed)
    _say("2 decide", "what every parameter should start as, and why", _groups(plan))
    ours = copy.deepcopy(net)
    plan.apply(ours, seed=seed)
    images, loss = first_batch(order[1:] or order)
    after = diagnose(ours, images, loss=loss, seed=seed)
    _say("3 do", f"{len(plan)} parameters written; the network is {_verdict(after)}", [])
    _say("4 prove", f"train both, {steps} steps from the same data in the same order", [])
    with _progress(steps) as told:
        runs = (
            train(net, DEFAULT, order, on_step=told(DEFAULT)),
            train(ours, OURS, order, on_step=told(OURS)),
        )
    _result(runs)
    write_html(html, quickstart_document(before, after, plan, runs, seed=seed))
    click.echo(f"\nThe whole story, with pictures: {html}")
    click.echo("The same for your model: initium.init_(model, images), or initium diagnose --help")


def _say(step: str, what: str, details: list[str]) -> None:
    from initium.report import wrap

    click.echo(f"{click.style(step.ljust(9), bold=True)} {what}")
    for detail in details:
        click.echo(wrap(f"          - {detail}", width=100, hang=12))


def _verdict(report: HealthReport) -> str:
    return click.style(report.verdict, fg="green" if report.healthy else "red", bold=True)


def _groups(plan: Plan) -> list[str]:
    from initium.cli.demo_page import groups

    return [f"{count} x {method}: {reason}" for count, method, _, reason in groups(plan)]


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], Callable[[int, float], None]]]:
    """A bar for each training, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("         [bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def told(name: str) -> Callable[[int, float], None]:
            task = bars.add_task(name.ljust(13), total=steps, loss=float("nan"))
            return lambda done, loss: bars.update(task, completed=done, loss=loss)

        yield told


def _result(runs: tuple[Run, Run]) -> None:
    from initium.report import percent

    click.echo(f"\n{'':10}{'training loss':>28}{'test accuracy':>16}")
    for run, ink in zip(runs, ("red", "green"), strict=True):
        loss = click.style(f"{run.final:>13.3f}", fg=ink, bold=True)
        click.echo(f"{'':10}{run.name:15}{loss}{percent(run.accuracy):>16}")
