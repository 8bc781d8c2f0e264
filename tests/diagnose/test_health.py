from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.nets import (
    Basic,
    Bottleneck,
    ConvNeXtBlock,
    TransformerBlock,
    mlp,
    noise,
    plain_conv,
    seeded,
    start,
)
from torch import Tensor, nn

from initium.diagnose import HealthReport, assert_healthy, checks, diagnose, report_of
from initium.diagnose.checks import CHECKS
from initium.diagnose.finding import Finding
from initium.diagnose.measures import Measures
from initium.errors import ModelRunError, UnhealthyModelError, UsageError, UsageTypeError
from initium.record import record


def residual() -> nn.Module:
    blocks = (Basic(16, 16), Basic(16, 32), Bottleneck(32), Bottleneck(32))
    stem = (nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 32, 4, 4)
        self.token, self.position = nn.Parameter(torch.zeros(1, 1, 32)), nn.Parameter(0.02 * noise(1, 17, 32))
        self.blocks, self.norm = nn.Sequential(*(TransformerBlock() for _ in range(6))), nn.LayerNorm(32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def convnext() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 2, 2), *(ConvNeXtBlock() for _ in range(4)), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.LayerNorm(16), nn.Linear(16, 10),
    )  # fmt: skip


SOUND = {
    "residual": residual,
    "transformer": Transformer,
    "convnext": convnext,
    "norms": lambda: plain_conv(12, 16, norm=True),
    "he": lambda: start(plain_conv(12, 16), nn.init.kaiming_normal_),
}
UNSOUND = {
    "default": lambda: plain_conv(20, 16),
    "small": lambda: start(plain_conv(12, 16), lambda w: nn.init.normal_(w, std=0.01)),
    "large": lambda: start(plain_conv(12, 16), nn.init.normal_),
    "zero": lambda: start(plain_conv(4, 16), nn.init.zeros_),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_models(name: str) -> None:
    with seeded():
        report = diagnose(SOUND[name](), noise(8, 3, 16, 16))
    assert report.verdict == "healthy"
    assert report.healthy
    assert report.badness < 1
    assert all(finding.severity == "info" for finding in report.findings)


@pytest.mark.parametrize("name", UNSOUND)
def test_unsound_models(name: str) -> None:
    with seeded():
        report = diagnose(UNSOUND[name](), noise(8, 3, 16, 16))
    assert report.verdict == "unhealthy"
    assert not report.healthy
    assert report.badness >= 1
    for finding in report.findings:
        assert all((finding.code, finding.seen, finding.expected, finding.why, finding.remedy))


@pytest.mark.parametrize("make", [*SOUND.values(), *UNSOUND.values()])
def test_verdict_and_criteria_agree(make: Any) -> None:
    with seeded():
        report = diagnose(make(), noise(8, 3, 16, 16))
    beyond = [criterion.name for criterion in report.criteria if criterion.level == "error"]
    assert bool(beyond) is not report.healthy


def test_one_finding_for_one_cause() -> None:
    """A net of zeros fails most criteria and has one cause."""
    with seeded():
        report = diagnose(UNSOUND["zero"](), noise(8, 3, 16, 16))
    assert [finding.code for finding in report.findings] == ["IN301"]
    assert sum(criterion.level == "error" for criterion in report.criteria) >= 5


def test_every_rule_is_one_that_plan_takes() -> None:
    plan = pytest.importorskip("initium.plan.records.rules")
    with seeded():
        for make in UNSOUND.values():
            report = diagnose(make(), noise(8, 3, 16, 16))
            for finding in report.findings:
                if finding.rule is not None:
                    rule = plan.Rule(
                        where=finding.rule["where"], method=finding.rule["method"], **finding.rule["params"]
                    )
                    assert any(rule.matches(part, nn.Identity()) for part in report.record.parts.values())


def test_the_same_twice() -> None:
    with seeded():
        model = residual()
    x = noise(4, 3, 16, 16)
    assert diagnose(model, x, seed=3) == diagnose(model, x, seed=3)


def test_report_of_a_record() -> None:
    with seeded():
        model = residual()
    x = noise(4, 3, 16, 16)
    assert report_of(record(model, x)) == diagnose(model, x)


def test_the_model_is_as_before() -> None:
    model = residual()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    diagnose(model, noise(4, 3, 16, 16))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_assert_healthy() -> None:
    x = noise(8, 3, 16, 16)
    with seeded():
        good, bad = residual(), UNSOUND["small"]()
    assert isinstance(assert_healthy(good, x), HealthReport)
    with pytest.raises(UnhealthyModelError, match="IN101") as caught:
        assert_healthy(bad, x)
    assert isinstance(caught.value.report, HealthReport)
    assert caught.value.report.verdict == "unhealthy"
    assert "what to do" in str(caught.value)


def test_assert_healthy_can_fail_on_warnings() -> None:
    with seeded():
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 3)
    x = noise(4, 6, 32)
    assert assert_healthy(model, x).verdict == "warning"
    with pytest.raises(UnhealthyModelError, match="IN303"):
        assert_healthy(model, x, fail_on="warning")
    with pytest.raises(UsageError, match="never"):
        assert_healthy(model, x, fail_on="never")  # type: ignore[arg-type]


def test_bad_input_is_an_error_of_ours() -> None:
    with pytest.raises(UsageTypeError):
        diagnose("resnet18", noise(2, 3))  # type: ignore[arg-type]
    with pytest.raises(ModelRunError):
        diagnose(residual(), noise(2, 5, 8, 8))
    with pytest.raises(UsageError):
        diagnose(residual(), noise(2, 3, 16, 16) * float("nan"))


def test_evaluation_mode_and_batches_of_one() -> None:
    with seeded():
        model = residual().eval()
    assert diagnose(model, noise(1, 3, 16, 16)).healthy
    assert not model.training


def test_the_loss_does_not_change_the_verdict_by_its_scale() -> None:
    with seeded():
        model = residual()
    reports = [
        diagnose(model, noise(8, 3, 16, 16), loss=lambda out, scale=scale: scale * out.square().mean())
        for scale in (1e-6, 1e6)
    ]
    assert [report.verdict for report in reports] == ["healthy", "healthy"]


def test_a_report_names_itself() -> None:
    with seeded():
        report = diagnose(UNSOUND["small"](), noise(8, 3, 16, 16))
    assert repr(report) == "<HealthReport of Sequential: unhealthy (IN101)>"


def test_there_is_one_check_for_each_family() -> None:
    assert len(CHECKS) == 8
    assert len({check.__module__ for check in CHECKS}) == 8


@pytest.mark.zoo
@pytest.mark.parametrize(
    ("name", "healthy"),
    [
        ("torchvision:resnet18", True),
        ("timm:vit_tiny_patch16_224", True),
        ("timm:convnext_atto", True),
        ("timm:swin_tiny_patch4_window7_224", True),
        ("timm:hiera_tiny_224", True),
        ("torchvision:retinanet_resnet50_fpn", True),
        ("torchvision:alexnet", False),
        ("timm:cait_xxs24_224", False),
        ("timm:coat_tiny", False),
        ("timm:mobilenetv5_base", False),
        ("timm:convmixer_768_32", False),
    ],
)
def test_real_architectures(name: str, healthy: bool) -> None:
    zoo = pytest.importorskip("benchmarks.zoo_models")
    entry = next(entry for entry in zoo.ENTRIES if entry.name == name)
    assert diagnose(entry.build(), entry.inputs()).healthy is healthy


def test_a_record_is_diagnosed_as_its_model_and_nothing_may_stand_beside_it() -> None:
    model, x = mlp(3, 16, nn.Tanh), noise(32, 16)
    seen = record(model, x)
    assert diagnose(seen).to_json() == diagnose(model, x).to_json()
    assert assert_healthy(seen).verdict == diagnose(seen).verdict
    for beside in ({"inputs": x}, {"loss": torch.sum}, {"forward": lambda m, x: m(x)}):
        with pytest.raises(UsageTypeError, match="beside a record"):
            diagnose(seen, **beside)  # type: ignore[arg-type]
    with pytest.raises(UsageTypeError, match="NoneType"):
        diagnose(model)


@pytest.mark.parametrize(
    ("cause", "consequence"), [("IN501", "IN401"), ("IN101", "IN401"), ("IN101", "IN103"), ("IN602", "IN603")]
)
def test_errors_explain_their_consequences_and_warnings_explain_nothing(
    monkeypatch: pytest.MonkeyPatch, cause: str, consequence: str
) -> None:
    told: dict[str, Any] = {"severity": "error"}

    def check(measures: Measures) -> Iterator[Finding]:
        for code, severity in ((consequence, "warning"), (cause, told["severity"])):
            yield Finding(code, severity, (), "seen", "expected", "why", "remedy")

    monkeypatch.setattr(checks, "CHECKS", (check,))
    with seeded():
        seen = record(mlp(1, 8, nn.ReLU), noise(8, 8))
    assert [one.code for one in report_of(seen).findings] == [cause]
    told["severity"] = "warning"
    assert {one.code for one in report_of(seen).findings} == {cause, consequence}


def test_errors_fail_where_warnings_do() -> None:
    with seeded():
        bad = UNSOUND["small"]()
    found = diagnose(bad, noise(8, 3, 16, 16)).findings
    assert "error" in {one.severity for one in found}
    assert "warning" not in {one.severity for one in found}
    with pytest.raises(UnhealthyModelError):
        assert_healthy(bad, noise(8, 3, 16, 16), fail_on="warning")
