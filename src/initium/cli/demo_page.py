"""The quickstart's page: signal and gradient through depth, before and after, and both learning curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib.metadata import version

from initium.cli.demo import BATCH, CLIP, DEPTH, LEARNING_RATE, MOMENTUM, Run
from initium.diagnose import Finding, HealthReport, TrunkPoint
from initium.plan import Plan
from initium.report import (
    Callout,
    Code,
    Document,
    Facts,
    Figure,
    Level,
    Mark,
    Section,
    Series,
    Svg,
    Table,
    Verdict,
    line_chart,
    number,
    percent,
)

DEFAULT, OURS = "torch default", "initium"
LEVEL_OF_SEVERITY: dict[str, Level] = {"error": "error", "warning": "warning", "info": "note"}

CODE = """\
import initium

report = initium.diagnose(model, images)     # what is wrong, and where
receipt = initium.init_(model, images)       # the right start, in place
print(report, receipt)"""


def quickstart_document(
    before: HealthReport, after: HealthReport, plan: Plan, runs: tuple[Run, Run], *, seed: int
) -> Document:
    """The whole page.

    Args:
        before: diagnosis of torch's own start.
        after: diagnosis of the planned one, on other images.
        plan: the plan.
        runs: the trainings from torch's start and from ours.
        seed: of everything random.
    """
    default, ours = runs
    sentence = (
        f"The same {DEPTH} layers, images and learning rate: the training loss ends at {ours.final:.2f} from "
        f"initium's weights and at {default.final:.2f} from torch's own (guessing gives {math.log(10):.2f})."
    )
    return Document(
        "A network that could not train",
        Verdict("good" if ours.final < default.final else "warning", "done", sentence),
        [
            Section("Learning", [_result(runs), Figure(loss_chart(runs))]),
            Section("Why: the signal and the gradient through depth", list(depth_figures(before, after))),
            Section("What the diagnosis said of torch's own start", [_callout(f) for f in before.findings]),
            Section("What was done", _done(plan)),
            Section("Do the same with your model", Code(CODE)),
            Section("Every parameter", _parameters(plan), folded=True),
        ],
        footer=f"initium {version('initium')}, torch {version('torch')}, seed {seed}, SGD with momentum {MOMENTUM:g}, "
        f"learning rate {LEARNING_RATE:g}, gradient norm clipped to {CLIP:g}, "
        f"{len(ours.losses)} steps of {BATCH}, Fashion-MNIST at 14 x 14",
    )


def loss_chart(runs: tuple[Run, Run]) -> Svg:
    """Both learning curves."""
    default, ours = runs
    steps = len(ours.losses)
    chance = Series("guessing", [1, steps], [math.log(10)] * 2, dashed=True, hue=7)
    return line_chart(
        [_curve(ours, 0), _curve(default, 1), chance],
        title="Training loss, from the same data in the same order",
        x_label="step",
        y_label="cross entropy in nats, mean of ten steps",
        y_zero=True,
    )


def depth_figures(before: HealthReport, after: HealthReport) -> Iterator[Figure]:
    """Signal, gradient and what tells images apart, through depth, before and after."""
    yield Figure(
        _depth_chart(
            before, after, lambda p: p.second, "Signal: what each layer receives", "second moment E[x^2]"
        ),
        "Forward, left to right. Where torch's line flattens, a layer hears only the biases of the layers before it.",
    )
    yield Figure(
        _depth_chart(
            before,
            after,
            lambda p: p.between,
            "Difference: what tells one image from another",
            "share of the signal that differs between images",
        ),
        "At the end all images look the same to the last layer, so it can learn nothing but how frequent classes are.",
    )
    yield Figure(
        _depth_chart(
            before,
            after,
            lambda p: p.gradient,
            "Gradient: what comes back to each layer",
            "second moment of the loss gradient",
        ),
        "Backward, right to left. A gradient this small moves no weight of the first layers.",
    )


def _depth_chart(
    before: HealthReport,
    after: HealthReport,
    value: Callable[[TrunkPoint], float | None],
    title: str,
    y_label: str,
) -> Svg:
    series = [
        Series(
            name,
            [point.depth for point in report.measures],
            [_number(value(point)) for point in report.measures],
            labels=[f"after {', '.join(point.names)}" for point in report.measures],
            markers=True,
        )
        for name, report in ((OURS, after), (DEFAULT, before))
    ]
    return line_chart(series, title=title, x_label="layers from the input", y_label=y_label, y_log=True)


def _curve(run: Run, hue: int) -> Series:
    """Mean loss of each ten steps."""
    blocks = [run.losses[i : i + 10] for i in range(0, len(run.losses), 10)]
    ends = [min(i + 10, len(run.losses)) for i in range(0, len(run.losses), 10)]
    lowest, highest = [min(b) for b in blocks], [max(b) for b in blocks]
    return Series(run.name, ends, [sum(b) / len(b) for b in blocks], lowest, highest, hue=hue)


def _result(runs: tuple[Run, Run]) -> Table:
    levels: tuple[Level, Level] = ("error", "good")
    rows = [
        (run.name, Mark(f"{run.final:.3f}", level), percent(run.accuracy), f"{run.seconds:.0f} s")
        for run, level in zip(runs, levels, strict=True)
    ]
    return Table(("start", "training loss", "test accuracy", "time"), rows)


def _callout(finding: Finding) -> Callout:
    lines = [("expected", finding.expected), ("why it matters", finding.why), ("what to do", finding.remedy)]
    return Callout(LEVEL_OF_SEVERITY[finding.severity], finding.title, lines, finding.code)


def _done(plan: Plan) -> list[Facts | Table]:
    facts = [
        ("policy", plan.policy),
        ("verdict", plan.verdict),
        ("badness before", plan.before),
        ("after", plan.after),
    ]
    return [Facts(facts), Table(("parameters", "method", "rule", "why"), groups(plan))]


def groups(plan: Plan) -> list[tuple[int, str, str, str]]:
    """(number of parameters, method, rule, why) for each rule of a plan."""
    members: dict[tuple[str, str], list[str]] = {}
    for one in plan:
        members.setdefault((one.method, one.rule), []).append(one.reason)
    return [(len(reasons), *key, common_reason(reasons)) for key, reasons in members.items()]


def common_reason(reasons: list[str]) -> str:
    """What several reasons share: "weight 1 of 9: x" and "weight 2 of 9: x" share "x"."""
    parts = [reason.split(": ")[::-1] for reason in reasons]
    shared = [same[0] for same in zip(*parts, strict=False) if len(set(same)) == 1]
    return ": ".join(reversed(shared)) or reasons[0]


def _parameters(plan: Plan) -> Table:
    rows = [
        (one.name, "x".join(map(str, one.layer.shape)), one.method, number(one.scale), one.rule)
        for one in plan
    ]
    return Table(("parameter", "shape", "method", "scale", "rule"), rows)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
