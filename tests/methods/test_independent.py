"""Our formulas against independent sources: torch, scipy, timm, torchvision, transformers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initium.methods.catalogue import find
from initium.methods.kit.law import law
from initium.methods.kit.module_layer import layer_of
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.theory.gains import ACTIVATIONS, moments
from initium.theory.layer import Layer

MODULES = [
    lambda: nn.Linear(60, 80),
    lambda: nn.Conv1d(20, 30, 5),
    lambda: nn.Conv2d(16, 24, 3),
    lambda: nn.Conv3d(6, 8, 3),
    lambda: nn.Conv2d(32, 32, 3, groups=4, stride=2),
    lambda: nn.ConvTranspose2d(16, 24, 4, stride=2),
]


@pytest.fixture(autouse=True)
def _own_generator():
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        yield


def made(name, layer, seed=0, **params):
    return fill_(torch.empty(layer.shape), find(name)(layer, **params), key_for(seed, "independent"))


def agree(theirs, draw):
    """Sample moments of theirs within five standard errors of our law."""
    ours, n = law(draw), theirs.numel()
    assert theirs.double().mean().item() == pytest.approx(ours.mean, abs=5 * ours.std / math.sqrt(n) + 1e-12)
    assert theirs.double().var().item() == pytest.approx(ours.var, rel=5 * math.sqrt(2 / n))


@pytest.mark.parametrize("make", MODULES)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("nonlinearity", ["relu", "leaky_relu", "tanh", "selu"])
def test_he_with_torch_conventions_is_torch(make, mode, nonlinearity):
    module = make()
    params = {"mode": mode, "nonlinearity": nonlinearity, "fans": "torch", "convention": "torch"}
    slope = 0.01 if nonlinearity == "leaky_relu" else 0.0
    theirs = nn.init.kaiming_normal_(module.weight.detach(), a=slope, mode=mode, nonlinearity=nonlinearity)
    agree(theirs, find("he_normal")(layer_of(module), **params))
    theirs = nn.init.kaiming_uniform_(module.weight.detach(), a=slope, mode=mode, nonlinearity=nonlinearity)
    agree(theirs, find("he_uniform")(layer_of(module), **params))


@pytest.mark.parametrize("make", MODULES)
def test_xavier_with_torch_fans_is_torch(make):
    module = make()
    theirs = nn.init.xavier_normal_(module.weight.detach(), gain=1.5)
    agree(theirs, find("xavier_normal")(layer_of(module), gain=1.5, fans="torch"))
    theirs = nn.init.xavier_uniform_(module.weight.detach())
    agree(theirs, find("xavier_uniform")(layer_of(module), fans="torch"))


@pytest.mark.parametrize("make", MODULES)
def test_torch_default_is_what_modules_start_with(make):
    module = make()
    draw = find("torch_default")(layer_of(module))
    agree(module.weight.detach(), draw)
    assert module.weight.abs().max() <= draw.high * (1 + 1e-6)
    fan = nn.init._calculate_fan_in_and_fan_out(module.weight)[0]
    bias = find("torch_default")(layer_of(module, "bias"), fan_in=fan)
    assert module.bias.abs().max() <= bias.high * (1 + 1e-6)
    assert bias.high == pytest.approx(draw.high)


def test_embeddings_and_recurrent_nets_of_torch():
    agree(nn.Embedding(300, 40).weight.detach(), find("torch_default")(layer_of(nn.Embedding(300, 40))))
    lstm = nn.LSTM(30, 50)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        draw = find("rnn_uniform")(layer_of(lstm, name)).draws[0]
        agree(getattr(lstm, name).detach(), draw)
        assert draw.high == pytest.approx(1 / math.sqrt(50))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (8, 8, 5), (4, 8, 3, 3, 3), (8, 2, 4, 4)])
def test_dirac_is_torch(groups, shape):
    layer = Layer("conv", shape, groups=groups)
    theirs = nn.init.dirac_(torch.empty(shape), groups)
    mine = made("dirac", layer)
    if all(side % 2 for side in shape[2:]):
        assert torch.equal(mine, theirs)
    else:  # torch takes the upper centre k // 2 of an even kernel
        assert torch.equal(mine.roll((1,) * (len(shape) - 2), tuple(range(2, len(shape)))), theirs)


def test_identity_is_torch():
    for shape in ((5, 3), (3, 5), (4, 4)):
        assert torch.equal(made("identity", Layer("linear", shape)), nn.init.eye_(torch.empty(shape)))


@pytest.mark.parametrize(
    ("out", "groups", "kernel"), [(24, 1, (3, 3)), (10, 1, ()), (60, 1, ()), (8, 4, (3,))]
)
def test_orthogonal_has_the_moments_of_haar(out, groups, kernel):
    """E q^2 = 1/n and E q^4 = 3 / (n (n + 2)), n the long side; scipy's ortho_group has them too."""
    rows, cols = out // groups, 20 // groups * math.prod(kernel)
    layer = Layer("conv" if kernel else "linear", (out, 20 // groups, *kernel), groups=groups)
    x = torch.stack([made("orthogonal", layer, seed) for seed in range(30)]).double()
    n = max(rows, cols)
    assert x.square().mean().item() == pytest.approx(1 / n, rel=1e-5)
    fourth = 3 / (n * (n + 2))
    assert x.pow(4).mean().item() == pytest.approx(fourth, rel=5 * math.sqrt(96 / 9 / x.numel()))


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "tanh", "elu", "hardswish"])
def test_moments_are_those_of_scipy(name):
    integrate = pytest.importorskip("scipy.integrate")

    def integrand(z):
        value = ACTIVATIONS[name](torch.tensor(z, dtype=torch.float64)).item()
        return value * value * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    expected = integrate.quad(integrand, -12, 12, points=[-3, 0, 3], limit=200)[0]
    assert moments(name).s == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-1.0, 3.0), (0.5, 4.0), (3.0, 6.0), (-0.1, 0.1)])
def test_truncation_is_scipys(bounds):
    stats = pytest.importorskip("scipy.stats")
    mean, var = stats.truncnorm.stats(*bounds, moments="mv")
    found = law(
        find("truncated_normal")(Layer("vector", (3,)), low=bounds[0], high=bounds[1], corrected=False)
    )
    assert [found.mean, found.var] == pytest.approx([float(mean), float(var)], rel=1e-6)


@pytest.mark.parametrize(("out", "num_in"), [(5, 3), (8, 3), (100, 37)])
def test_zero_hadamard_is_a_slice_of_scipys(out, num_in):
    linalg = pytest.importorskip("scipy.linalg")
    power = math.ceil(math.log2(out))
    wanted = torch.tensor(linalg.hadamard(2**power)[:out, :num_in]).float() / 2 ** (power / 2)
    assert torch.allclose(made("zero_hadamard", Layer("linear", (out, num_in))), wanted)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bilinear_is_interpolation(factor):
    side = 2 * factor - factor % 2
    module = nn.ConvTranspose2d(6, 6, side, factor, (side - factor) // 2, groups=6, bias=False)
    module.weight.data = made("bilinear", layer_of(module))
    x = torch.randn(1, 6, 7, 7)
    wanted = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    edge = slice(factor, -factor)
    assert torch.allclose(module(x)[..., edge, edge], wanted[..., edge, edge], atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3])
def test_icnr_is_nearest_neighbour(factor):
    module = nn.Conv2d(5, 4 * factor**2, 3, padding=1, bias=False)
    module.weight.data = made("icnr", layer_of(module), factor=factor)
    y = F.pixel_shuffle(module(torch.randn(2, 5, 6, 6)), factor)
    assert torch.allclose(y, F.interpolate(y[..., ::factor, ::factor], scale_factor=factor, mode="nearest"))


class TestTimm:
    @pytest.fixture(autouse=True)
    def _timm(self):
        pytest.importorskip("timm")

    def test_lecun_and_truncated_normal(self):
        from timm.layers import lecun_normal_, trunc_normal_tf_

        weight = torch.empty(200, 300)
        lecun_normal_(weight)
        agree(weight, find("lecun_normal")(Layer("linear", (200, 300)), truncated=True))
        mine = find("truncated_normal")(Layer("linear", (200, 300)), std=0.02, corrected=False)
        agree(trunc_normal_tf_(weight, std=0.02), mine)

    def test_efficientnet(self):
        from timm.models._efficientnet_builder import _init_weight_goog

        for module in (nn.Conv2d(24, 48, 3, groups=4), nn.Conv2d(64, 64, 5, groups=64), nn.Linear(80, 100)):
            _init_weight_goog(module)
            agree(module.weight.detach(), find("efficientnet")(layer_of(module)))

    def test_vit(self):
        from timm.models.vision_transformer import init_weights_vit_jax, init_weights_vit_moco

        qkv, patch, mlp = nn.Linear(96, 288), nn.Conv2d(3, 96, 8, 8), nn.Linear(96, 384)
        init_weights_vit_moco(qkv, "blocks.0.attn.qkv")
        agree(qkv.weight.detach(), find("packed_xavier")(Layer("linear", (288, 96))))
        init_weights_vit_jax(patch, "patch_embed.proj")
        agree(patch.weight.detach(), find("vit_jax")(layer_of(patch), part="patch"))
        init_weights_vit_jax(mlp, "blocks.0.mlp.fc1")
        agree(mlp.weight.detach(), find("vit_jax")(layer_of(mlp)))
        agree(mlp.bias.detach(), find("vit_jax")(layer_of(mlp, "bias"), part="mlp_bias"))
        nlhb = find("vit_jax")(Layer("vector", (1000,)), part="head_bias_nlhb")
        assert nlhb.value == pytest.approx(-math.log(1000))

    def test_scaled_standardized_is_a_fixed_point_of_weight_standardization(self):
        from timm.layers import ScaledStdConv2d

        module = ScaledStdConv2d(8, 16, 3, gamma=1.7129)
        plain = made("scaled_standardized", layer_of(module))
        module.weight.data = plain.clone()
        module.bias.data.zero_()
        x = torch.randn(2, 8, 9, 9)
        assert torch.allclose(module(x), F.conv2d(x, plain, padding=module.padding), atol=1e-3)

    def test_position_table(self):
        from timm.layers import build_sincos2d_pos_embed

        theirs = build_sincos2d_pos_embed([4, 6], dim=32, interleave_sin_cos=False)
        mine = made("position_sincos", Layer("vector", (1, 24, 32)), rows=4, cols=6)[0]
        assert torch.allclose(mine.sort(1)[0], theirs.sort(1)[0], atol=1e-5)  # the channels' order is free


class TestTorchvision:
    @pytest.fixture(autouse=True)
    def _torchvision(self):
        pytest.importorskip("torchvision")

    def test_retinanet_head(self):
        from torchvision.models.detection.retinanet import RetinaNetClassificationHead

        head = RetinaNetClassificationHead(32, 3, 5)
        layer = layer_of(head.cls_logits, "bias")
        assert torch.allclose(head.cls_logits.bias, torch.tensor(find("focal_prior")(layer).value))
        agree(
            head.conv[0][0].weight.detach(), find("detection_head")(layer_of(head.conv[0][0]), part="tower")
        )


class TestTransformers:
    @pytest.fixture(autouse=True)
    def _transformers(self):
        pytest.importorskip("transformers")

    def test_gpt2(self):
        from transformers import GPT2Config, GPT2Model

        model = GPT2Model(GPT2Config(n_layer=3, n_embd=96, n_head=4, vocab_size=200, n_positions=32))
        block = model.h[1]
        layer = layer_of(block.mlp.c_proj)
        assert (layer.num_in, layer.num_out) == (384, 96)
        agree(block.mlp.c_proj.weight.detach(), find("gpt2")(layer, num_layers=3, residual=True))
        agree(block.attn.c_attn.weight.detach(), find("gpt2")(layer_of(block.attn.c_attn), num_layers=3))
        agree(model.wte.weight.detach(), find("embedding")(layer_of(model.wte)))

    def test_mamba(self):
        from transformers import MambaConfig, MambaModel

        model = MambaModel(MambaConfig(hidden_size=64, num_hidden_layers=1, vocab_size=50, state_size=8))
        mixer = model.layers[0].mixer
        mine = made("s4d", Layer("other", tuple(mixer.A_log.shape)))
        assert torch.allclose(mixer.A_log.detach(), mine, atol=1e-6)
        agree(mixer.dt_proj.weight.detach(), find("ssm_step")(layer_of(mixer.dt_proj)))
        theirs = F.softplus(mixer.dt_proj.bias.detach()).log()
        ours = F.softplus(made("ssm_step", Layer("vector", (4000,)))).log()
        middle, spread = math.log(1e-2), math.log(100) / math.sqrt(12)
        for steps in (theirs, ours):
            assert steps.mean().item() == pytest.approx(middle, abs=5 * spread / math.sqrt(len(steps)))
            assert math.log(1e-3) - 1e-3 <= steps.min() < steps.max() <= math.log(0.1) + 1e-3

    def test_deformable_attention(self):
        from transformers import DeformableDetrConfig
        from transformers.models.deformable_detr import modeling_deformable_detr as theirs

        config = DeformableDetrConfig(d_model=64, use_timm_backbone=False, use_pretrained_backbone=False)
        module = theirs.DeformableDetrMultiscaleDeformableAttention(config, num_heads=8, n_points=4)
        theirs.DeformableDetrPreTrainedModel(config)._init_weights(module)
        mine = made("deformable_offsets", layer_of(module.sampling_offsets, "bias"))
        assert torch.allclose(module.sampling_offsets.bias, mine, atol=1e-6)
