"""What each parameter does: on nets small enough to say by hand, and on modules of timm, torchvision, transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from initium.record import Record, record


class Net(nn.Module):
    """A forward as a function of the module itself; layers and raw parameters by name."""

    def __init__(self, call: Callable[..., Any], **held: nn.Module | tuple[int, ...]) -> None:
        super().__init__()
        self.call = call
        for number, (name, one) in enumerate(held.items()):
            setattr(self, name, one if isinstance(one, nn.Module) else nn.Parameter(noise(*one, seed=number)))

    def forward(self, *args: Any) -> Any:
        return self.call(self, *args)


def roles(seen: Record) -> dict[str, str]:
    """Roles by name, with `.weight` left out of the names."""
    return {name.removesuffix(".weight"): part.role for name, part in seen.parts.items()}


def linear(num_in: int = 6, num_out: int = 6) -> nn.Linear:
    return nn.Linear(num_in, num_out, bias=False)


def rms(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


TOKENS = noise(4, 5, 6)
MAP = noise(2, 6, 8, 8)
CASES: dict[str, tuple[nn.Module, Any, dict[str, str]]] = {
    "chain": (
        Net(lambda m, x: m.c(m.b(m.a(x).relu()).relu()), a=linear(), b=linear(), c=nn.Linear(6, 2)),
        TOKENS, {"a": "weight", "b": "weight", "c": "head", "c.bias": "bias"},
    ),
    "two heads": (
        Net(lambda m, x: (m.b(y := m.a(x).relu()), m.c(y)), a=linear(), b=linear(), c=linear()),
        TOKENS, {"a": "weight", "b": "head", "c": "head"},
    ),
    "norms": (
        Net(lambda m, x: m.c(m.n(m.a(x)).relu()), a=linear(), n=nn.LayerNorm(6), c=linear()),
        TOKENS, {"a": "before_norm", "n": "norm_gain", "n.bias": "norm_shift", "c": "head"},
    ),
    "a norm by hand": (
        Net(lambda m, x: m.c(rms(m.a(x)) * m.g + m.s), a=linear(), g=(6,), s=(6,), c=linear()),
        TOKENS, {"a": "before_norm", "g": "norm_gain", "s": "norm_shift", "c": "head"},
    ),
    "residual": (
        Net(lambda m, x: m.h((y := m.s(x)) + m.b(m.a(y).relu())), s=linear(), a=linear(), b=linear(), h=linear()),
        TOKENS, {"s": "weight", "a": "weight", "b": "branch_end", "h": "head"},
    ),
    "a norm ends the branch": (
        Net(lambda m, x: m.h((y := m.s(x)) + m.n(m.b(m.a(y).relu()))),
            s=linear(), a=linear(), b=linear(), n=nn.LayerNorm(6), h=linear()),
        TOKENS, {"s": "weight", "b": "branch_end", "n": "norm_gain", "a": "weight"},
    ),
    "a norm before the sum on the stream's side": (
        Net(lambda m, x: m.h(m.n(m.s(x)) + m.b(m.a(x).relu())),
            s=linear(), n=nn.LayerNorm(6), a=linear(), b=linear(), h=linear()),
        TOKENS, {"s": "before_norm", "b": "branch_end"},
    ),
    "squeeze and excitation": (
        Net(lambda m, x: m.h((y := m.a(x)) * torch.sigmoid(m.e(m.r(y.mean((2, 3), keepdim=True)).relu()))),
            a=nn.Conv2d(6, 6, 3), r=nn.Conv2d(6, 2, 1), e=nn.Conv2d(2, 6, 1), h=nn.Conv2d(6, 3, 1)),
        MAP, {"a": "weight", "r": "weight", "e": "gate", "h": "head"},
    ),
    "gated unit": (
        Net(lambda m, x: m.h(m.a(x) * torch.sigmoid(m.g(x))), a=linear(), g=linear(), h=linear()),
        TOKENS, {"a": "weight", "g": "gate", "h": "head"},
    ),
    "swish by hand is no gate": (
        Net(lambda m, x: m.h((y := m.a(x)) * torch.sigmoid(y)), a=linear(), h=linear()),
        TOKENS, {"a": "weight", "h": "head"},
    ),
    "layer scale": (
        Net(lambda m, x: m.h((y := m.s(x)) + m.gamma * m.b(m.a(y).relu())),
            s=linear(), a=linear(), b=linear(), gamma=(6,), h=linear()),
        TOKENS, {"gamma": "scale", "b": "branch_end"},
    ),
    "upsampler": (
        Net(lambda m, x: m.h(m.u(m.a(x).relu()).relu()), a=nn.Conv2d(6, 6, 3), u=nn.ConvTranspose2d(6, 6, 2, 2),
            h=nn.Conv2d(6, 3, 1)),
        MAP, {"a": "weight", "u": "upsampler", "h": "head"},
    ),
    "offsets of a deformable convolution": (
        Net(lambda m, x: m.h(torchvision.ops.deform_conv2d(y := m.a(x), m.o(y), m.w, padding=1)),
            a=nn.Conv2d(6, 6, 1), o=nn.Conv2d(6, 18, 3, padding=1), w=(6, 6, 3, 3), h=nn.Conv2d(6, 3, 1)),
        MAP, {"a": "weight", "o": "offset", "w": "weight", "h": "head"},
    ),
    "a grid of samples": (
        Net(lambda m, x: m.h(F.grid_sample(y := m.a(x), m.o(y).permute(0, 2, 3, 1), align_corners=False)),
            a=nn.Conv2d(6, 6, 1), o=nn.Conv2d(6, 2, 1), h=nn.Conv2d(6, 3, 1)),
        MAP, {"a": "weight", "o": "offset", "h": "head"},
    ),
    "tables, tokens, positions": (
        Net(lambda m, i: m.h(m.b(torch.cat([m.cls.expand(3, -1, -1), m.t(i)], 1) + m.p + m.q(torch.arange(5))).relu()),
            t=nn.Embedding(9, 6), cls=(1, 1, 6), p=(1, 5, 6), q=nn.Embedding(5, 6), b=linear(), h=linear()),
        torch.tensor([[1, 2, 3, 8]] * 3),
        {"t": "embedding", "cls": "token", "p": "position", "q": "position", "b": "weight", "h": "head"},
    ),
    "attention by hand": (
        Net(lambda m, x: m.h(((m.q(x) @ m.k(x).mT * 0.4 + m.bias).softmax(-1)) @ m.v(x)),
            q=linear(), k=linear(), v=linear(), bias=(5, 5), h=linear()),
        TOKENS, {"q": "query", "k": "key", "v": "value", "bias": "mask", "h": "head"},
    ),
    "attention of the framework": (
        Net(lambda m, x: m.h(F.scaled_dot_product_attention(m.q(x), m.k(x), m.v(x))),
            q=linear(), k=linear(), v=linear(), h=linear()),
        TOKENS, {"q": "query", "k": "key", "v": "value", "h": "head"},
    ),
    "packed attention": (
        Net(lambda m, x: m.h(F.scaled_dot_product_attention(*m.qkv(x).chunk(3, -1))), qkv=linear(6, 18), h=linear()),
        TOKENS, {"qkv": "attention", "h": "head"},
    ),
    "a bias by hand": (
        Net(lambda m, x: m.h((m.a(x) + m.b).relu()), a=linear(), b=(6,), h=linear()),
        TOKENS, {"a": "weight", "b": "bias", "h": "head"},
    ),
    "a gain folded into a weight": (
        Net(lambda m, x: m.h(F.linear(x, m.w / m.w.norm(dim=1, keepdim=True) * m.g).relu()), w=(6, 6), g=(6, 1),
            h=linear()),
        TOKENS, {"w": "weight", "h": "head"},
    ),
    "what nothing takes": (
        Net(lambda m, x: m.h(m.a(x).cumsum(1) + (x * m.o).logcumsumexp(1)), a=linear(), o=(6,), h=linear(), u=linear()),
        TOKENS, {"u": "unused", "o": "scale", "h": "head"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_roles_by_hand(name: str) -> None:
    model, inputs, expected = CASES[name]
    found = roles(record(model, inputs))
    assert {one: found[one] for one in expected} == expected


def test_a_parameter_of_an_unknown_operation_is_opaque() -> None:
    seen = record(
        Net(lambda m, x: m.h(torch.cdist(m.a(x), m.c)), a=linear(), c=(7, 6), h=linear(7, 3)), TOKENS
    )
    assert seen.parts["c"].role == "opaque"
    assert seen.parts["a.weight"].follows == ("opaque",)


def test_a_parametrized_weight_is_packed_and_standardized() -> None:
    seen = record(nn.Sequential(weight_norm(nn.Linear(6, 6)), nn.ReLU(), nn.Linear(6, 2)), noise(8, 6))
    parts = {name.rpartition(".")[2]: part for name, part in seen.parts.items() if "parametrizations" in name}
    assert parts["original1"].standardized
    assert parts["original1"].scale_free
    assert parts["original1"].packed == ("0.parametrizations.weight.original0",)
    assert parts["original0"].role == "scale"
    assert not seen.parts["2.weight"].standardized


def test_places_on_a_chain() -> None:
    """Position counts from the last norm or sum, chain to the next."""
    model = nn.Sequential(
        linear(), nn.ReLU(), linear(), nn.LayerNorm(6), linear(), nn.ReLU(), linear(), nn.ReLU(), linear()
    )
    parts = record(model, noise(8, 6)).parts
    places = [(parts[f"{i}.weight"].position, parts[f"{i}.weight"].chain) for i in (0, 2, 4, 6, 8)]
    assert places == [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]


def test_a_branch_on_a_branch_is_the_innermost() -> None:
    model = Net(
        lambda m, x: m.h((s := m.s(x)) + m.c((y := m.a(s).relu()) + m.b(y))),
        s=linear(), a=linear(), b=linear(), c=linear(), h=linear(),
    )  # fmt: skip
    seen = record(model, TOKENS)
    inner, outer = seen.parts["b.weight"].branch, seen.parts["c.weight"].branch
    assert inner is not None
    assert outer is not None
    assert (inner.depth, outer.depth) == (1, 3)
    assert inner.node < outer.node
    assert seen.parts["a.weight"].branch == outer
    assert seen.parts["s.weight"].branch is None
    assert seen.parts["h.weight"].branch is None


@pytest.mark.parametrize("bias", [True, False])
def test_a_parameter_that_is_used_twice_has_two_nodes(bias: bool) -> None:
    model = Net(lambda m, x: m.a(m.a(x).relu()), a=nn.Linear(6, 6, bias=bias))
    seen = record(model, TOKENS)
    assert [seen.nodes[node].category for node in seen.parts["a.weight"].nodes] == ["weighted", "weighted"]
    assert seen.parts["a.weight"].layer.shape == (6, 6)


@pytest.fixture(scope="module")
def resnet() -> tuple[nn.Module, Record]:
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=5).train()
    return model, record(model, noise(2, 3, 32, 32))


def test_a_resnet_of_timm(resnet: tuple[nn.Module, Record]) -> None:
    model, seen = resnet
    found = seen.parts
    assert {found[f"layer{i}.0.conv2.weight"].role for i in range(1, 5)} == {"branch_end"}
    assert {found[f"layer{i}.0.downsample.1.weight"].role for i in range(2, 5)} == {"before_norm"}
    assert (found["fc.weight"].role, found["fc.bias"].role) == ("head", "bias")
    norms = {name for name, one in model.named_modules() if isinstance(one, nn.BatchNorm2d)}
    assert {name for name, one in found.items() if one.role == "norm_gain"} == {
        f"{name}.weight" for name in norms
    }
    assert {name for name, one in found.items() if one.role == "norm_shift"} == {
        f"{name}.bias" for name in norms
    }
    assert all(one.chain == 1 for one in found.values() if one.layer.kind == "conv")


def test_what_is_called_scale_free_is(resnet: tuple[nn.Module, Record]) -> None:
    """A factor of 3 on one weight leaves the output of a real net as it is if, and only if, it is called so."""
    model, seen = resnet
    x = noise(4, 3, 32, 32)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-12
            nn.init.uniform_(module.weight, 0.5, 1.5)  # the zero gains of branch ends would hide them
    weights = [name for name, part in seen.parts.items() if part.layer.kind in ("conv", "linear")]
    with torch.no_grad():
        plain = model(x)
        for name in weights:
            weight = model.get_parameter(name)
            weight.mul_(3.0)
            same = torch.allclose(model(x), plain, atol=1e-3, rtol=1e-3)
            weight.div_(3.0)
            assert same == seen.parts[name].scale_free, name


def test_a_weight_that_a_norm_and_another_take_is_not_scale_free() -> None:
    model = Net(
        lambda m, x: m.h(torch.cat([m.n(y := m.a(x)), y.relu()], -1)),
        a=linear(),
        n=nn.LayerNorm(6),
        h=linear(12, 3),
    )
    part = record(model, TOKENS).parts["a.weight"]
    assert (part.role, part.follows, part.scale_free) == (
        "before_norm",
        ("activation:relu", "norm:layer"),
        False,
    )
    plain = model(TOKENS)
    with torch.no_grad():
        model.a.weight.mul_(3.0)
    assert not torch.allclose(model(TOKENS), plain, rtol=1e-2)


def test_a_vision_transformer_of_timm() -> None:
    model = timm.create_model(
        "vit_tiny_patch16_224", depth=2, img_size=32, num_classes=5, embed_dim=48, num_heads=3
    )
    seen = record(model, noise(2, 3, 32, 32))
    found = roles(seen)
    assert {name for name, role in found.items() if role == "attention"} == {
        f"blocks.{i}.attn.qkv" for i in (0, 1)
    }
    assert {seen.parts[f"blocks.{i}.attn.qkv.weight"].layer.blocks for i in (0, 1)} == {(48, 48, 48)}
    ends = {f"blocks.{i}.{name}" for i in (0, 1) for name in ("attn.proj", "mlp.fc2")}
    assert {name for name, role in found.items() if role == "branch_end"} == ends
    assert (found["cls_token"], found["pos_embed"], found["head"]) == ("token", "position", "head")
    assert [seen.parts[f"blocks.{i}.mlp.fc1.weight"].follows for i in (0, 1)] == [("activation:gelu",)] * 2
    blocks = [seen.parts[f"blocks.{i}.attn.proj.weight"].branch for i in (0, 1)]
    assert [one.block for one in blocks if one is not None] == [0, 2]


def test_a_mobilenet_of_timm() -> None:
    model = timm.create_model("mobilenetv3_small_050", num_classes=5).train()
    seen = record(model, noise(2, 3, 32, 32))
    excite = {
        name.removesuffix(".weight") for name, _ in model.named_parameters() if "conv_expand.weight" in name
    }
    assert len(excite) == 9
    assert {name for name, role in roles(seen).items() if role == "gate"} == excite
    depthwise = [part.layer for name, part in seen.parts.items() if "conv_dw.weight" in name]
    assert all(layer.groups == layer.num_in == layer.num_out for layer in depthwise)
    assert "branch_end" in set(roles(seen).values())


def test_heads_of_torchvision() -> None:
    """Its head of masks up to the logits, and that of fully convolutional nets."""
    heads = torchvision.models.detection.mask_rcnn
    masks = nn.Sequential(heads.MaskRCNNHeads(6, (8, 8), 1), heads.MaskRCNNPredictor(8, 8, 3))
    found = roles(record(masks, MAP))
    assert found["1.conv5_mask"] == "upsampler"
    assert found["1.mask_fcn_logits"] == "head"
    assert [role for name, role in found.items() if name.startswith("0.") and not name.endswith("bias")] == [
        "weight"
    ] * 2
    boxes = Net(lambda m, x: m.p(m.f(x)), f=torchvision.models.detection.faster_rcnn.TwoMLPHead(6 * 64, 8),
                p=torchvision.models.detection.faster_rcnn.FastRCNNPredictor(8, 3))  # fmt: skip
    found = roles(record(boxes, MAP))
    assert [found[f"p.{name}"] for name in ("cls_score", "bbox_pred")] == ["head", "head"]
    assert [found[f"f.{name}"] for name in ("fc6", "fc7")] == ["weight", "weight"]
    found = roles(record(torchvision.models.segmentation.fcn.FCNHead(6 * 4, 3), noise(2, 24, 4, 4)))
    assert (found["0"], found["1"], found["4"]) == ("before_norm", "norm_gain", "head")


def test_a_language_model_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        num_hidden_layers=2, hidden_size=16, intermediate_size=24, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=11, tie_word_embeddings=False,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    ids = torch.tensor([[1, 2, 3, 4, 5]] * 3)
    seen = record(model, ids, forward=lambda net, given: net(given, use_cache=False).logits)
    found = roles(seen)
    layer = "model.layers.1."
    expected = {
        "self_attn.q_proj": "query", "self_attn.k_proj": "key", "self_attn.v_proj": "value",
        "self_attn.o_proj": "branch_end", "mlp.down_proj": "branch_end", "mlp.up_proj": "weight",
        "input_layernorm": "norm_gain", "post_attention_layernorm": "norm_gain",
    }  # fmt: skip
    assert {name: found[layer + name] for name in expected} == expected
    assert (found["model.embed_tokens"], found["lm_head"], found["model.norm"]) == (
        "embedding",
        "head",
        "norm_gain",
    )
    assert seen.parts[layer + "mlp.gate_proj.weight"].follows == ("activation:silu",)


def test_an_encoder_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        num_hidden_layers=1, hidden_size=16, intermediate_size=24, num_attention_heads=4, vocab_size=11,
        max_position_embeddings=8,
    )  # fmt: skip
    model = transformers.BertModel(config, add_pooling_layer=False)
    ids = torch.tensor([[1, 2, 3, 4, 5]] * 3)
    found = roles(record(model, ids, forward=lambda net, given: net(given).last_hidden_state))
    layer = "encoder.layer.0."
    attention = [found[f"{layer}attention.self.{name}"] for name in ("query", "key", "value")]
    assert attention == ["query", "key", "value"]
    assert found[layer + "attention.output.dense"] == found[layer + "output.dense"] == "branch_end"
    assert found["embeddings.word_embeddings"] == "embedding"
    assert found["embeddings.position_embeddings"] == "position"
    assert found[layer + "intermediate.dense"] == "weight"
