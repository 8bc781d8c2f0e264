from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.nets import Basic, TransformerBlock, mlp, noise, seeded, start
from torch import Tensor, nn

from initium import init_, plan
from initium.predict.gradient_moments import Gradient
from initium.predict.prediction import Bar, predict
from initium.predict.signal import Weights
from initium.record import record


class Wavy(nn.Module):
    """An activation that no table lists."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.3 * x) + 0.3 * torch.sin(x)


def score(one: Bar) -> float:
    """Distance from the prediction in standard errors."""
    assert one.measured is not None
    return (math.log(one.measured / one.second) + one.error**2 / 2) / one.error


def scores(make: Callable[[], nn.Module], shape: tuple[int, ...], seeds: int) -> Tensor:
    found = []
    for seed in range(seeds):
        with seeded(seed):
            sites = predict(record(make(), noise(*shape, seed=seed)))
        assert not any(one.outside or one.restarted for one in sites)
        found.append([score(one) for one in sites])
    return torch.tensor(found)


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.Softplus, Wavy])
def test_bars_of_a_plain_mlp_hold_what_they_claim(act):
    z = scores(lambda: start(mlp(8, 48, act), nn.init.kaiming_normal_), (24, 48), 14)
    # Layers of one net share their noise: 14 independent nets, of which a bar may miss one in twenty.
    assert (z.abs() <= 2).float().mean() >= 0.93
    assert 0.4 <= z[:, -2].std() <= 1.6  # the bar is no wider than it must be: 14 draws, 6 standard errors
    assert z.mean().abs() < 0.8


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.SiLU])
def test_bars_of_a_plain_cnn_hold_what_they_claim(act):
    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for i in range(6):
            layers += [nn.Conv2d(12 if i else 3, 12, 3, stride=2 if i == 1 else 1, padding=1), act()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 10))

    z = scores(make, (16, 3, 16, 16), 8)
    assert (z.abs() <= 2).float().mean() >= 0.9  # 8 nets of 7 sites, 56 in all, far from independent


def test_residual_blocks_norms_and_pools_are_inside_the_theory():
    stem = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    blocks = [Basic(16, 16), Basic(16, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4)]
    net = nn.Sequential(*stem, *blocks)
    with seeded(1):
        net = net.apply(
            lambda module: module.reset_parameters() if hasattr(module, "reset_parameters") else None
        )
    sites = predict(record(net, noise(16, 3, 16, 16)))
    assert len(sites) == 7
    assert not any(one.outside or one.restarted for one in sites)
    assert sum(one.inside for one in sites) >= 6


def test_attention_is_named_and_what_follows_is_predicted_from_what_was_measured():
    with seeded():
        net = TransformerBlock()
    sites = {one.names[0]: one for one in predict(record(net, noise(8, 16, 32)))}
    assert sites["qkv.weight"].restarted == ""
    assert sites["proj.weight"].restarted == "attention"
    assert sites["proj.weight"].outside == ""
    assert all(one.inside for one in sites.values())


def test_weights_that_are_no_random_draws_are_named():
    net = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(32))
        net[2].weight.fill_(0.01)
    first, second, third = predict(record(net, noise(16, 32)))
    assert first.outside == "a weight with many exact zeros"
    assert second.outside == "a weight whose rows add up"
    assert third.outside == ""
    assert third.restarted == second.outside


def test_paired_units_are_named_and_rows_without_mean_predicted():
    import initium

    net = mlp(6, 64, nn.ReLU)
    for place in (2, 4, 6, 8):
        initium.fill_(net[place], "mirrored", seed=place)
    found = predict(record(net, noise(32, 64)))
    assert found[1].outside == "a weight of paired units, which its inputs are not"
    net = start(mlp(6, 64, nn.Sigmoid), lambda w: initium.fill_(w, "centred_orthogonal", gain=4.0))
    found = predict(record(net, noise(32, 64)))
    assert all(one.inside and not one.outside for one in found)


def test_centred_taps_are_predicted_on_padded_maps():
    import initium

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for i in range(8):
            conv = nn.Conv2d(16 if i else 3, 16, 3, padding=1)
            start(conv, lambda w: initium.fill_(w, "centred_orthogonal", gain=5.0, over="tap"))
            layers += [conv, nn.Sigmoid()]
        return nn.Sequential(*layers, nn.Conv2d(16, 4, 3))

    z = scores(make, (8, 3, 8, 8), 10)
    assert (z.abs() <= 2).float().mean() >= 0.93


def test_a_norm_by_running_statistics_is_named():
    net = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4)).eval()
    found = predict(record(net, 5 * noise(32, 16)))
    assert "running statistics" in found[1].restarted
    assert found[1].inside


def test_planned_weights_stand_in_for_those_found():
    net = mlp(4, 64, nn.ReLU)
    seen = record(net, noise(64, 64))
    names = [f"{place}.weight" for place in (0, 2, 4, 6)]
    found = predict(
        seen, {name: Weights(2 / 64) for name in names} | {f"{p}.bias": Weights(0.0) for p in (0, 2, 4, 6)}
    )
    assert found[1].second == pytest.approx(found[0].second, rel=1e-4)
    assert found[3].second == pytest.approx(found[0].second, rel=1e-4)
    looked_at = noise(64, 64)[::4]  # 16 samples of a batch
    assert found[0].second == pytest.approx(2 * float(looked_at.square().mean()), rel=1e-4)


def gradient_scores(make: Callable[[], nn.Module], shape: tuple[int, ...], seeds: int) -> Tensor:
    found = []
    for seed in range(seeds):
        with seeded(seed):
            sites = predict(record(make(), noise(*shape, seed=seed)))
        bars = [one.gradient for one in sites[:-1]]
        assert all(bar is not None and not bar.outside for bar in bars)
        found.append([score(bar) for bar in bars])
    return torch.tensor(found)


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU])
def test_bars_of_gradients_hold_what_they_claim(act):
    z = gradient_scores(lambda: start(mlp(8, 48, act), nn.init.kaiming_normal_), (16, 48), 12)
    assert (z.abs() <= 2).float().mean() >= 0.93
    assert (
        0.3 <= z[:, 0].std() <= 1.6
    )  # 12 draws: within 6 standard errors of what a bar of the right width shows


def test_gradients_of_padded_convolutions_are_those_of_a_map_with_borders():
    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for i in range(8):
            layers += [nn.Conv2d(16 if i else 3, 16, 3, padding=1), nn.ReLU()]
        start(nn.Sequential(*layers), nn.init.kaiming_normal_)
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10))

    z = gradient_scores(make, (8, 3, 8, 8), 8)
    assert (z.abs() <= 2).float().mean() >= 0.93
    assert z.mean().abs() < 0.7  # an even map would be off by 1.1


def test_what_a_maximum_chooses_is_outside():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 4))
    first = predict(record(net, noise(8, 3, 8, 8)))[0]
    assert first.gradient is not None
    assert "maximum" in first.gradient.outside
    assert first.gradient.inside


class Gated(nn.Module):
    """Halves of one output, one of which gates the other."""

    def __init__(self, width: int, gate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.gate = nn.Linear(width, 2 * width), gate
        start(self, nn.init.kaiming_normal_)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.linear(x).chunk(2, -1)
        return first * self.gate(second)


@pytest.mark.parametrize("gate", [torch.sigmoid, nn.functional.silu, lambda x: x])
def test_halves_of_one_output_are_independent(gate):
    """E (a f(b))^2 = E a^2 E f(b)^2; taken for one value it would be E (z f(z))^2, 3 times that for the product."""
    z = scores(lambda: nn.Sequential(Gated(256, gate), nn.Linear(256, 8)), (24, 256), 10)
    assert (z[:, 1].abs() <= 2).float().mean() >= 0.8
    assert z[:, 1].mean().abs() < 1.3  # 10 draws, 4 standard errors


def test_gradients_pass_both_halves_of_a_gate():
    def make() -> nn.Module:
        return nn.Sequential(Gated(128, torch.sigmoid), nn.Linear(128, 8))

    z = gradient_scores(make, (24, 128), 10)
    assert (z.abs() <= 2).float().mean() >= 0.8


def test_parts_that_may_be_alike_are_named():
    class Difference(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[..., 1:] * x[..., :-1]

    net = nn.Sequential(nn.Conv2d(3, 8, 3), Difference(), nn.Conv2d(8, 8, 3))
    assert predict(record(net, noise(8, 3, 9, 9)))[1].restarted == "parts of one value that may be alike"


@pytest.mark.parametrize("act", [nn.ReLU, nn.Sigmoid, Wavy])
def test_constant_biases_move_the_signal(act):
    def make() -> nn.Module:
        net = start(mlp(5, 96, act), nn.init.kaiming_normal_)
        for module in net:
            if isinstance(module, nn.Linear):
                nn.init.constant_(module.bias, 1.5)
        return net

    z = scores(make, (24, 96), 10)
    assert (z.abs() <= 2).float().mean() >= 0.9
    assert z.mean().abs() < 0.8


def test_rows_without_mean_have_one_where_taps_meet_padding():
    """A 3 x 3 convolution on an 8 x 8 map of a signal of mean .5: a third of its output is made at the border."""
    import initium

    def make() -> nn.Module:
        layers = [part for _ in range(4) for part in (nn.Conv2d(16, 16, 3, padding=1), nn.Sigmoid())]
        net = nn.Sequential(*layers, nn.Conv2d(16, 4, 1))
        return start(
            net, lambda w: initium.fill_(w, "centred_orthogonal", gain=4.0, seed=int(torch.randint(99, (1,))))
        )

    z = scores(make, (8, 16, 8, 8), 8)
    assert (z.abs() <= 2).float().mean() >= 0.9
    assert z[:, 1:4].mean().abs() < 1.0  # without the border it would be off by 2.5


def test_any_composition_of_pointwise_operations_is_followed():
    class Bell(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.exp(-(x**2)) + torch.where(x > 0, x, torch.floor(x).clamp(-1, 0))

    z = scores(lambda: start(mlp(4, 64, Bell), nn.init.kaiming_normal_), (24, 64), 8)
    assert (z.abs() <= 2).float().mean() >= 0.9


def test_a_weight_that_the_signal_has_met_is_named():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(32, 32)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(torch.tanh(self.first(x)))

    found = predict(record(Twice(), noise(16, 32)))
    assert [one.outside for one in found] == ["", "a weight that the signal has met before"]


def mirrored(act: Callable[[], nn.Module], depth: int = 12, width: int = 64) -> nn.Module:
    """A chain of mirrored weights at half their usual gain, which no isometry lets pass unnoticed."""
    import initium

    net = mlp(depth, width, act)
    weights = [module for module in net if isinstance(module, nn.Linear)]
    for place, module in enumerate(weights):
        position = "first" if place == 0 else "last" if module is weights[-1] else "hidden"
        seed = int(torch.randint(2**31, (1,)))
        initium.fill_(module, "mirrored", position=position, gain=0.9, seed=seed)
    return net


@pytest.mark.parametrize("act", [nn.ReLU, nn.GELU, nn.LeakyReLU, Wavy])
def test_mirrored_weights_see_the_odd_part(act):
    """Orthogonal halves keep the size of what they are given, so the theory is exact but for the spread of it."""
    z = scores(lambda: mirrored(act), (24, 64), 4)
    assert (z.abs() <= 2).all()
    with seeded():
        sites = predict(record(mirrored(act), noise(24, 64)))
    for one in sites[:-1]:
        assert one.second == pytest.approx(one.measured, rel=0.15)
        assert one.gradient is not None
        assert one.gradient.second == pytest.approx(one.gradient.measured, rel=0.3)


def test_a_constant_state_is_predicted():
    """Zero weights and a constant bias: every unit is certain."""
    net = start(mlp(2, 16, nn.ReLU), nn.init.kaiming_normal_)
    nn.init.zeros_(net[2].weight)
    nn.init.constant_(net[2].bias, -4.5)
    second = predict(record(net, noise(8, 16)))[1]
    assert second.inside
    assert second.second == pytest.approx(4.5**2)


@pytest.mark.parametrize("error", [0.005, 0.5, 2.0, 6.0, 20.0])
def test_a_bar_holds_its_own_prediction(error):
    bar = Bar(1.0, error, None)
    assert bar.low < 1.0 < bar.high
    assert Bar(1.0, error / 2, None).high <= bar.high


def test_a_fixed_kernel_is_named():
    class Blur(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kernel", torch.full((8, 1, 3, 3), 1 / 9))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv2d(x, self.kernel, groups=8)

    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), Blur(), nn.ReLU(), nn.Conv2d(8, 4, 3))
    last = predict(record(net, noise(8, 3, 12, 12)))[1]
    assert last.restarted
    assert last.inside


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh])
def test_dropout_multiplies_signal_and_gradient(act):
    """Half of the units dropped at each of six layers: 2^6 = 64 times, in the mean square of signal or gradient."""

    def make() -> nn.Module:
        layers = [part for _ in range(6) for part in (nn.Linear(64, 64), act(), nn.Dropout(0.5))]
        return start(nn.Sequential(*layers, nn.Linear(64, 10)), nn.init.kaiming_normal_).train()

    z = scores(make, (64, 64), 8)
    # Sites of a net share their noise: 8 independent nets, of which one may be outside at most of its sites.
    assert (z.abs() <= 2).float().mean() >= 0.8
    assert z.mean().abs() < 0.8
    with seeded():
        sites = predict(record(make(), noise(64, 64)))
    assert all(one.gradient is not None and one.gradient.inside for one in sites)
    assert not any(one.gradient.outside for one in sites[:-1] if one.gradient is not None)


def test_mirrored_weights_pass_on_what_dropout_adds():
    """The odd part of ReLU is the identity: a keeps its size, and m z times a mask 1 / (1 - p) of it."""
    with seeded():
        layers = [part for _ in range(5) for part in (nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2))]
        model = nn.Sequential(*layers, nn.Linear(64, 10)).train()
    init_(model, noise(64, 64), seed=1)
    seen = record(model, noise(64, 64, seed=1))
    sites = predict(seen)
    assert not any(one.outside or one.restarted for one in sites)
    assert all(one.inside for one in sites)


def test_a_signal_that_died_out_is_predicted_without_error():
    """Products square it: 1e-4 after two of them is 1e-256 after eight, whose square is no longer a number."""

    class Squared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) * self.b(x)

    with seeded():
        net = nn.Sequential(*[Squared() for _ in range(9)]).double()
    assert all(math.isfinite(one.second) for one in predict(record(net, noise(8, 8).double())))


class Stream(nn.Module):
    """A residual stream without norms: each step multiplies its second moment by 1 + fan_in E w^2."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = x + step(x)
        return x


def test_a_stream_too_large_for_floating_point_is_said_to_be_and_the_rest_is_predicted():
    seen = record(Stream(8, 16), noise(8, 16))
    second = 1e20
    found = predict(seen, {name: Weights(second) for name, _ in Stream(8, 16).named_parameters()})
    x = seen.nodes[0].forward.second
    by_hand = [16 * second * x * (1 + 16 * second) ** k for k in range(8)]
    for one, size in zip(found[:4], by_hand, strict=False):
        assert not one.outside
        assert math.isclose(one.second, size, rel_tol=1e-6)
    assert found[4].outside == "values too large to reckon with"
    assert found[5].second < 1e99 < by_hand[4]  # goes on from what was measured
    assert all(math.isfinite(bar) for one in found for bar in (one.second, one.low, one.high))


def test_a_drift_too_large_for_floating_point_leaves_nothing_known():
    assert Gradient(1.0, drift=1e200).total == math.inf


@pytest.mark.parametrize("policy", ["normal", "he_normal"])
def test_a_plan_of_a_deep_stream_on_meta_does_not_fail_by_its_predictions(policy):
    with torch.device("meta"):
        net = Stream(120, 64)
    made = plan(net, torch.empty(2, 64, device="meta"), policy=policy)
    assert {one.method for one in made} == {policy}
    assert len(made.predicted) == 120
    too_large = [bool(one.outside) for one in made.predicted]
    # A normal weight of unit variance multiplies by 65 a step, He's by 3: 1e100 after 55 steps, or after 210.
    assert too_large == [policy == "normal" and k >= 55 for k in range(120)]


def test_a_table_is_no_weighted_site():
    net = nn.Sequential(nn.Embedding(40, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    found = predict(record(net, torch.arange(24).view(8, 3)))
    assert [one.names for one in found] == [("1.weight",), ("3.weight",)]


@pytest.mark.parametrize("error", [0.1, 0.5, 1.5])
def test_a_bar_is_two_deviations_of_the_log_around_its_median(error):
    """log E x^2 is normal with that deviation and E x^2 is its mean, so the median lies error^2 / 2 below."""
    bar = Bar(3.0, error, None)
    median = math.log(3.0) - error**2 / 2
    assert [math.log(bar.low), math.log(bar.high)] == pytest.approx([median - 2 * error, median + 2 * error])
