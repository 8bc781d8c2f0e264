from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import initium
from initium import Rule, transfer_
from initium.errors import UsageError, UsageTypeError
from initium.methods.families.weight_transfer import select_weights

timm = pytest.importorskip("timm")
torchvision = pytest.importorskip("torchvision")


def make(name, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(name))
        return timm.create_model(name, pretrained=False, **options)


@pytest.mark.parametrize(
    ("big", "small", "options"),
    [
        ("vit_small_patch16_224", "vit_tiny_patch16_224", {"depth": 3, "img_size": 64}),
        ("convnext_pico", "convnext_atto", {}),
    ],
)
def test_a_smaller_member_of_a_family_is_selected_as_published(big, small, options):
    """Index i of m out of n is round(i (n - 1) / (m - 1)) on every axis, written out here."""
    source, model = make(big, **options), make(small, **options)
    done = transfer_(model, source)
    assert not done.left
    given = source.state_dict()
    for name, found in model.state_dict().items():
        wanted = given[name]
        for axis, (n, m) in enumerate(zip(wanted.shape, found.shape, strict=True)):
            index = [round(i * (n - 1) / max(m - 1, 1)) for i in range(m)]
            wanted = wanted.index_select(axis, torch.tensor(index))
        assert torch.equal(found, wanted), name
    assert {one.how for one in done.taken} <= {"copied", "selected"}


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_a_stem_for_other_channels_is_what_timm_gives(channels):
    manipulate = pytest.importorskip("timm.models._manipulate")
    source, model = make("resnet18"), make("resnet18", in_chans=channels)
    done = transfer_(model, source)
    assert not done.left
    assert [one.name for one in done.taken if one.how == "adapted"] == ["conv1.weight"]
    wanted = manipulate.adapt_input_conv(channels, source.conv1.weight.detach())
    assert torch.equal(model.conv1.weight, wanted)
    if channels == 1:
        grey = torch.rand(2, 1, 64, 64)
        assert torch.allclose(model.eval()(grey), source.eval()(grey.expand(-1, 3, -1, -1)), atol=1e-4)


def flat_video_net(source):
    """r3d_18 with the strides of its 2-D twin: only then does a still video give what the image gives."""
    model = torchvision.models.get_model("r3d_18", weights=None)
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (1, *module.stride[1:])
            module.padding_mode = "replicate"
            module._reversed_padding_repeated_twice = [
                side for side in reversed(module.padding) for _ in range(2)
            ]
    return model


def test_a_2d_resnet_becomes_a_3d_one():
    """Beyond shapes: on a still video, with the same borders, the inflated trunk computes what the image's does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        source = torchvision.models.get_model("resnet18", weights=None)
        model = flat_video_net(source)
    source.maxpool = nn.Identity()
    for module in source.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "replicate"
            module._reversed_padding_repeated_twice = [
                side for side in reversed(module.padding) for _ in range(2)
            ]
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    done = transfer_(model, source, by="order", keep=("fc.*",))
    assert set(done.left) == {"fc.weight", "fc.bias"}
    assert sum(one.how == "inflated" for one in done.taken) == 20
    image = torch.rand(2, 3, 32, 32)
    trunk = nn.Sequential(*list(source.children())[:-2]).eval()
    deep = nn.Sequential(*list(model.children())[:-2]).eval()
    found, wanted = deep(image[:, :, None].expand(-1, -1, 3, -1, -1)), trunk(image)
    assert torch.allclose(
        found, wanted[:, :, None].expand_as(found), atol=1e-3 * float(wanted.detach().abs().max())
    )


def test_positions_are_resized_and_the_head_for_other_classes_is_left():
    source = make("vit_tiny_patch16_224", depth=1, img_size=64)
    model = make("vit_tiny_patch16_224", depth=1, img_size=96, num_classes=10)
    before = model.head.weight.detach().clone()
    done = transfer_(model, source)
    assert [one.how for one in done.taken if one.name == "pos_embed"] == ["resized"]
    assert torch.equal(model.pos_embed[:, 0], source.pos_embed[:, 0])
    assert set(done.left) == {"head.weight", "head.bias"}
    assert "1000 outputs, not 10" in done.left["head.weight"]
    assert torch.equal(model.head.weight, before)
    assert "left head.bias" in str(done)


def test_a_state_dict_and_a_function_of_names():
    source = {"a.weight": torch.randn(8, 4), "a.bias": torch.randn(8), "extra": torch.zeros(1)}
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    done = transfer_(model, source, by=lambda name: name.replace("0.", "a."))
    assert torch.equal(model[0].weight, select_weights(source["a.weight"], (4, 4)))
    assert done.unused == ("extra",)
    assert done.left["2.weight"] == "the source has no 2.weight"


def test_what_is_larger_is_left_and_dtypes_are_kept():
    source, model = (
        nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8)),
        nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8)),
    )
    source[1] = nn.Linear(4, 8)
    done = transfer_(model.double(), source)
    assert "does not fit" in done.left["1.weight"]
    assert model[0].weight.dtype == torch.float64
    assert torch.equal(model[0].weight, source[0].weight.double())


def test_bad_input():
    model = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(UsageTypeError, match="source is a str"):
        transfer_(model, "weights.pt")
    with pytest.raises(UsageError, match="nothing of the source fits"):
        transfer_(model, {"other": torch.zeros(3)})
    with pytest.raises(UsageError, match="2 tensors in the model and 4"):
        transfer_(model, nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), by="order")
    with pytest.raises(UsageError, match="on meta"):
        transfer_(model, nn.Linear(4, 4, device="meta"))
    with pytest.raises(UsageError, match="by = 'names'"):
        transfer_(model, nn.Linear(4, 4), by="names")


def test_a_pixel_shuffle_net_starts_as_nearest_neighbour_upsampling():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3 * 9, 3, padding=1), nn.PixelShuffle(3)
    )
    rules = [Rule(where="2.weight", method="icnr", factor=3), Rule(where="2.bias", method="zeros")]
    initium.init_(net, torch.randn(2, 3, 8, 8), rules=rules)
    out = net(torch.randn(2, 3, 8, 8))
    assert torch.allclose(out, F.interpolate(out[..., ::3, ::3], scale_factor=3, mode="nearest"), atol=1e-5)
    assert out.std() > 0.05
    with pytest.raises(UsageError, match="a factor that divides"):
        initium.plan(net, torch.randn(2, 3, 8, 8), rules=[Rule(where="2.weight", method="icnr", factor=2)])


def test_a_transposed_convolution_starts_as_bilinear_upsampling():
    up = initium.fill_(nn.ConvTranspose2d(5, 5, 4, 2, 1, groups=5), "bilinear")
    x = torch.randn(1, 5, 9, 9)
    wanted = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(up(x)[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], atol=1e-5)
