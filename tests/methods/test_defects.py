"""The defects of published code that the catalogue was written against: what they do, and what ours does.

The numbers are those of the reference table of methods. Each measured ratio is the mean over independent
weights of (mean square out) / (mean square in), with a bound of five standard errors.
"""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from tests.methods.layers import forward_backward
from torch import nn

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.methods.families.post_norm import deepnorm_scales
from initium.methods.kit.module_layer import layer_of
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.theory.gains import gain
from initium.theory.layer import Layer


@pytest.fixture(autouse=True)
def _own_generator():
    with torch.random.fork_rng(devices=[]):
        yield


def ours(name, tensor, layer, seed=0, **params):
    return fill_(tensor, find(name)(layer, **params), key_for(seed, "defect"))


def ratio(module, size, fill, direction="forward", draws=12):
    """Mean ratio and five standard errors over `draws` weights that `fill(weight, seed)` gives."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for seed in range(draws):
        torch.random.manual_seed(seed)  # torch's own methods have no other door
        with torch.no_grad():
            fill(module.weight, seed)
        x = torch.randn(size, generator=generator)
        found.append(forward_backward(module, x, generator)[direction == "backward"])
    return statistics.mean(found), 5 * statistics.stdev(found) / math.sqrt(draws) + 1e-4


def with_ours(name, module, size=None, **params):
    layer = layer_of(module)
    if size is not None and len(size) > 2:
        layer = Layer(**{f: getattr(layer, f) for f in layer.__dataclass_fields__} | {"input_size": size[2:]})
    return lambda weight, seed: ours(name, weight, layer, seed, **params)


def check(found, expected):
    mean, bound = found
    assert mean == pytest.approx(expected, abs=bound)


def test_01_xavier_means_three_things():
    layer = Layer("linear", (300, 100))
    assert find("xavier_normal")(layer).std ** 2 == pytest.approx(2 / 400)
    assert find("xavier_normal")(layer, convention="caffe").std ** 2 == pytest.approx(1 / 100)
    bound = find("he_uniform")(layer, gain=1.0).high  # Caffe2's: kaiming_uniform with a = 1
    assert bound == pytest.approx(find("xavier_uniform")(layer, convention="caffe").high)
    weight = nn.init.kaiming_uniform_(torch.empty(300, 100), a=1)
    assert weight.abs().max().item() == pytest.approx(bound, rel=1e-2)


def test_02_torch_default_is_not_he():
    module = nn.Linear(256, 256, bias=False)
    check(ratio(module, (64, 256), lambda w, s: module.reset_parameters()), 1 / 3)
    check(ratio(module, (64, 256), with_ours("he_normal", module)), 2.0)


def test_03_torch_exchanges_the_fans_of_transposed_convolutions():
    module, size = nn.ConvTranspose2d(256, 16, 4, stride=2, padding=1, bias=False), (1, 256, 10, 10)
    mean, bound = ratio(module, size, lambda w, s: nn.init.kaiming_normal_(w, nonlinearity="linear"))
    assert mean == pytest.approx(4.0, abs=bound + 0.5)  # 4.05 inside, less at the border
    check(ratio(module, size, with_ours("he_normal", module, size, gain=1.0)), 1.0)


def test_04_torch_counts_groups_into_fan_out():
    module, size = nn.Conv2d(64, 64, 3, groups=64, bias=False), (4, 64, 12, 12)
    published = ratio(
        module, size, lambda w, s: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="linear")
    )
    check(published, 1 / 64)
    check(ratio(module, size, with_ours("he_normal", module, mode="fan_out", gain=1.0)), 1.0)
    check(ratio(module, size, lambda w, s: nn.init.xavier_normal_(w)), 9 * 2 / (9 + 9 * 64))


@pytest.mark.parametrize(("side", "stride", "published"), [(3, 2, 0.25), (16, 16, 1 / 256)])
def test_05_nobody_divides_fan_out_by_the_stride(side, stride, published):
    pad = side // 2 if side == 3 else 0
    module, size = nn.Conv2d(8, 32, side, stride, pad, bias=False), (2, 8, 32, 32)

    def torch_fill(w, s):
        nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="linear")

    mean, bound = ratio(module, size, torch_fill, "backward")
    assert mean == pytest.approx(published, abs=bound + 0.03 * published)  # the border
    check(
        ratio(module, size, with_ours("he_normal", module, size, mode="fan_out", gain=1.0), "backward"), 1.0
    )


def test_06_keras_depthwise_fans_count_all_channels():
    layer = layer_of(nn.Conv2d(64, 64, 3, groups=64))
    assert find("lecun_normal")(layer).std ** 2 == pytest.approx(1 / 9)

    def keras_fans(
        shape,
    ):  # (height, width, in, multiplier): everything but the last two is the receptive field
        receptive = math.prod(shape[:-2])
        return shape[-2] * receptive, shape[-1] * receptive

    assert keras_fans((3, 3, 64, 1))[0] == 576
    assert keras_fans((4, 4, 16, 256)) == (
        256,
        4096,
    )  # transposed (.., filters, in): 16 filters are taken for inputs
    transposed = layer_of(nn.ConvTranspose2d(256, 16, 4, stride=2))
    assert find("lecun_normal")(transposed).std ** 2 == pytest.approx(1 / (256 * 16 / 4))


def test_07_truncation_bounds_are_absolute_in_torch():
    torch.random.manual_seed(0)
    x = nn.init.trunc_normal_(torch.empty(400, 400), std=0.02)
    assert x.abs().max() > 4 * 0.02  # never cut
    assert nn.init.trunc_normal_(torch.empty(400, 400), std=1.0).std().item() == pytest.approx(
        0.8796, abs=0.01
    )
    layer = Layer("linear", (400, 400))
    mine = ours("truncated_normal", torch.empty(400, 400), layer, std=0.02)
    assert mine.abs().max().item() <= 2 * 0.02 / 0.8796 + 1e-6
    assert mine.std().item() == pytest.approx(0.02, rel=0.01)
    same = ours("truncated_normal", torch.empty(400, 400), layer, std=1.0, bounds="absolute", corrected=False)
    assert same.std().item() == pytest.approx(0.8796, abs=0.01)


def test_07_transformers_lecun_is_too_big():
    init = pytest.importorskip("transformers.initialization", reason="transformers is not installed")
    torch.random.manual_seed(0)
    assert pytest.approx(1.293, abs=1e-3) == 1 / 0.87962566103423978**2  # corrected, but never cut
    theirs = torch.empty(500, 400)
    init.lecun_normal_(theirs)
    assert theirs.var().item() * 400 == pytest.approx(1.293, rel=0.03)
    mine = ours("lecun_normal", torch.empty(500, 400), Layer("linear", (500, 400)), truncated=True)
    assert mine.var().item() * 400 == pytest.approx(1.0, rel=0.03)


def test_08_sparse_ignores_its_generator_and_counts_the_wrong_axis():
    tensors = [
        nn.init.sparse_(torch.empty(40, 30), 0.5, generator=torch.Generator().manual_seed(0))
        for _ in range(2)
    ]
    assert not torch.equal(*tensors)
    assert ((tensors[0] == 0).sum(0) == 20).all()  # per column: outgoing
    layer = Layer("linear", (40, 30))
    mine = [ours("sparse", torch.empty(40, 30), layer) for _ in range(2)]
    assert torch.equal(*mine)
    assert ((mine[0] != 0).sum(1) == 15).all()  # per unit: incoming
    drop_in = ours("sparse", torch.empty(40, 30), layer, per="input", sparsity=0.5)
    assert ((drop_in == 0).sum(0) == 20).all()


def test_09_orthogonal_shrinks_wide_convolutions_and_knows_no_half():
    module, size = nn.Conv2d(16, 512, 3, bias=False), (2, 16, 8, 8)
    check(ratio(module, size, lambda w, s: nn.init.orthogonal_(w), draws=3), 16 * 9 / 512)
    check(ratio(module, size, with_ours("scaled_orthogonal", module), draws=3), 1.0)
    with pytest.raises(RuntimeError):
        nn.init.orthogonal_(torch.empty(8, 8, dtype=torch.bfloat16))
    half = ours("orthogonal", torch.empty(8, 8, dtype=torch.bfloat16), Layer("linear", (8, 8)))
    assert torch.allclose((half.float() @ half.float().T), torch.eye(8), atol=0.02)


@pytest.mark.parametrize(("num_in", "num_out"), [(64, 512), (512, 64)])
def test_10_dks_pytorch_exchanges_in_and_out(num_in, num_out):
    def dks(w, s):  # its factor, for filters (out, in): sqrt(in/out) where sqrt(out/in) is meant
        nn.init.orthogonal_(w).mul_(max(math.sqrt(num_in / num_out), 1.0))

    module = nn.Linear(num_in, num_out, bias=False)
    check(ratio(module, (32, num_in), dks, draws=4), 0.125 if num_out > num_in else 8.0)
    check(ratio(module, (32, num_in), with_ours("scaled_orthogonal", module), draws=4), 1.0)


def test_11_torchscale_inverts_a_constant():
    published = 1.15 * (6**4 * 6) ** (-1 / 16)
    assert published == pytest.approx(0.657, abs=1e-3)
    assert deepnorm_scales("encoder_decoder", 6, 6, "encoder").beta == pytest.approx(0.497, abs=1e-3)
    assert pytest.approx(0.87, abs=1e-3) == 1 / 1.15


def test_12_delta_orthogonal_ports_differ():
    layer = Layer("conv", (12, 8, 4, 4))
    weight = ours("delta_orthogonal", torch.empty(layer.shape), layer, gain=2.0)
    centre = weight[:, :, 1, 1]  # (k - 1) // 2, as in JAX; another port takes k // 2
    assert torch.allclose(centre.T @ centre, 4.0 * torch.eye(8), atol=1e-5)  # gain, not its root
    assert weight.count_nonzero() == centre.count_nonzero()
    port = math.sqrt(2.0) * nn.init.orthogonal_(
        torch.empty(12, 8)
    )  # one port multiplies by the root of the gain
    assert torch.allclose(port.T @ port, 2.0 * torch.eye(8), atol=1e-5)
    with pytest.raises(LayerError, match="at least as many outputs") as refused:
        find("delta_orthogonal")(Layer("conv", (8, 12, 3, 3)))
    assert "scaled_orthogonal" in refused.value.remedy


def test_13_neox_orthogonal_passes_a_flag_for_a_number():
    """gpt-neox gives use_mup as n_layers and divides by it; here every parameter is named and checked."""
    with pytest.raises(ZeroDivisionError):
        _ = 1 / math.sqrt(2 * False)
    with pytest.raises(ValueError, match="num_layers"):
        find("gpt2").resolve(num_layers=False)


def test_14_depth_scaling_is_for_weights_that_write_to_the_stream():
    layer = Layer("linear", (64, 64))
    gate = find("depth_scaled")(layer, index=7)
    out = find("depth_scaled")(layer, index=7, residual=True)
    assert (gate.std, out.std) == (0.02, pytest.approx(0.02 / 4))
    # torchtitan scales the up projection w3 as well: a branch w2 (silu(w1 x) * w3 x) shrinks by 16, not by 4.
    generator = torch.Generator().manual_seed(0)
    x, w1, w3, w2 = (torch.randn(64, 64, generator=generator) for _ in range(4))

    def branch(up, down):
        return (torch.nn.functional.silu(x @ w1) * (x @ (up * w3))) @ (down * w2)

    plain = branch(1.0, 1.0).std()
    assert branch(1 / 4, 1 / 4).std() / plain == pytest.approx(1 / 16)
    assert branch(gate.std / 0.02, out.std / 0.02).std() / plain == pytest.approx(1 / 4)


def test_15_packed_attention_gets_half_the_variance():
    torch.random.manual_seed(0)
    theirs = nn.MultiheadAttention(96, 4)
    intended = 2 / (96 + 96)
    assert theirs.in_proj_weight.var().item() / intended == pytest.approx(0.5, abs=0.02)
    layer = layer_of(theirs, "in_proj_weight")
    for name in ("xavier_uniform", "packed_xavier"):
        mine = ours(name, torch.empty(288, 96), layer)
        assert mine.var().item() / intended == pytest.approx(1.0, abs=5 * math.sqrt(0.8 / mine.numel()))


def test_16_encoder_layers_start_identical():
    torch.random.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 2, enable_nested_tensor=False)
    first, second = (layer.linear1 for layer in encoder.layers)
    assert torch.equal(first.weight, second.weight)
    for name, module in encoder.named_modules():
        if module in (first, second):
            fill_(module.weight, find("he_normal")(layer_of(module)), key_for(0, f"{name}.weight"))
    assert not torch.equal(first.weight, second.weight)


@pytest.mark.parametrize(
    ("name", "published", "right"), [("selu", 0.75, 1.0), ("tanh", 5 / 3, 1.5925), ("sigmoid", 1.0, 1.8462)]
)
def test_17_gains_of_the_table_are_not_those_of_the_integral(name, published, right):
    assert nn.init.calculate_gain(name) == pytest.approx(published)
    assert gain(name, convention="torch") == pytest.approx(published)
    assert gain(name) == pytest.approx(right, abs=1e-4)


def test_18_two_gains_by_one_name():
    assert gain("relu") == pytest.approx(1.4142, abs=1e-4)
    assert gain("relu", convention="centred") == pytest.approx(1.7129, abs=1e-4)
    layer = Layer("linear", (10, 50))
    assert find("he_normal")(layer, convention="centred").std == pytest.approx(
        1.7129 / math.sqrt(50), rel=1e-4
    )


def test_19_published_waves_repeat():
    layer = Layer("linear", (64, 64))
    published = ours("sinusoidal", torch.empty(64, 64), layer, variant="published")
    assert torch.linalg.matrix_rank(published.double(), rtol=1e-5).item() == 31
    assert (published.abs().amax(1) < 1e-5).sum() == 2
    mine = ours("sinusoidal", torch.empty(64, 64), layer)
    assert torch.linalg.matrix_rank(mine.double()).item() == 64
    assert mine.var().item() == pytest.approx(1 / 64, rel=1e-3)


def test_20_zero_gamma_is_on_here_and_off_there():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    torch.random.manual_seed(0)
    assert timm.create_model("resnet18").layer1[0].bn2.weight.abs().max() == 0
    assert models.resnet18().layer1[0].bn2.weight.min() == 1
    assert find("zero_gamma")(Layer("vector", (64,))).value == 0
    layer = Layer("linear", (30, 10))
    assert find("fixup")(layer, num_blocks=16).std ** 2 == pytest.approx(2 / 30 / 16)  # fan_out


def test_21_metainit_constants_are_parameters():
    values = find("metainit").resolve()
    assert (values["lr"], values["momentum"], values["steps"]) == (0.1, 0.5, 50)
    assert find("metainit").resolve(lr=0.001, momentum=0.9, steps=1000)["steps"] == 1000


def test_22_filling_a_tensor_or_a_module_is_never_a_no_op():
    """mmdet called a function for modules on tensors, which did nothing and said nothing for months."""
    import initium

    module = nn.Linear(8, 8)
    before = module.weight.detach().clone()

    def published(module, std=0.02):
        if getattr(module, "weight", None) is not None:
            nn.init.trunc_normal_(module.weight, std=std)

    published(module.weight)
    assert torch.equal(module.weight, before)
    initium.fill_(module.weight, "truncated_normal", std=0.02)
    middle = module.weight.detach().clone()
    initium.fill_(module, "truncated_normal", std=0.02, seed=1)
    assert not torch.equal(before, middle)
    assert not torch.equal(middle, module.weight)
    with pytest.raises((TypeError, ValueError)):
        initium.fill_("weight", "zeros")


def test_23_unit_variance_has_three_meanings():
    """Behind ReLU, at second-moment gain the activation has E a^2 = 1, at centred gain Var a = 1."""
    z = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    second, centred = (torch.relu(z) * gain("relu", convention=c) for c in ("second_moment", "centred"))
    assert second.square().mean().item() == pytest.approx(1.0, abs=0.02)
    assert centred.var().item() == pytest.approx(1.0, abs=0.02)
    assert second.var().item() == pytest.approx(1 - 1 / math.pi, abs=0.02)


def test_24_a_depthwise_gain_goes_with_the_root_of_the_channels():
    """Flattened (C, 9) columns are orthonormal, so variances are 1/C: the root of C makes them 1."""
    module, size = nn.Conv2d(36, 36, 3, groups=36, bias=False), (4, 36, 9, 9)
    check(ratio(module, size, lambda w, s: nn.init.orthogonal_(w, gain=math.sqrt(36) / 3), draws=6), 1.0)
    check(ratio(module, size, lambda w, s: nn.init.orthogonal_(w, gain=36 / 3), draws=6), 36.0)
    check(ratio(module, size, with_ours("orthogonal", module), draws=6), 1.0)  # a unit vector per channel


def test_none_of_the_24_is_missing():
    numbers = {int(name[5:7]) for name in globals() if name.startswith("test_") and name[5:7].isdigit()}
    assert numbers == set(range(1, 25))
