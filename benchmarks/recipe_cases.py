"""The models that recipes are compared on, small members of each family, and published laws written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import timm
import torch
import torchvision
from benchmarks.recipe_nets import (
    CenterHeads,
    FixupNet,
    Gated,
    PostNorm,
    SmallDetr,
    SmallUNet,
    Unnormed,
    YoloHeads,
    detector,
)  # fmt: skip
from torch import Tensor, nn

Published = Callable[[nn.Module], dict[str, Tensor]]


@dataclass(frozen=True)
class Case:
    """One comparison.

    Args:
        recipe: its name.
        reference: what gives the reference values.
        make: model with the reference's own initialization, and inputs.
        published: values drawn by a published law, for references that are no library's.
        forward: how to run the model.
        keeps: parts of the names of what it leaves alone.
        least: parameters that it must set.
    """

    recipe: str
    reference: str
    make: Callable[[], tuple[nn.Module, Any]]
    published: Published | None = None
    forward: Any = None
    keeps: tuple[str, ...] = ()
    least: int = 6

    def may_keep(self, name: str) -> bool:
        """Whether the recipe is meant to leave this parameter alone."""
        return any(word in name for word in self.keeps)


def _timm(name: str, size: int = 64, **options: Any) -> Callable[[], tuple[nn.Module, Any]]:
    return lambda: (timm.create_model(name, pretrained=False, **options), torch.randn(2, 3, size, size))


def _vision(name: str, size: int = 64, **options: Any) -> Callable[[], tuple[nn.Module, Any]]:
    def make() -> tuple[nn.Module, Any]:
        return torchvision.models.get_model(name, weights=None, **options), torch.randn(2, 3, size, size)

    return make


def _vit(mode: str) -> Callable[[], tuple[nn.Module, Any]]:
    options = {"img_size": 64, "patch_size": 16, "depth": 3, "class_token": True, "weight_init": mode}
    return _timm("vit_tiny_patch16_224", **options)


def _layers() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 5, groups=32, padding=2),
        nn.ReLU(), nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 32 * 32, 40),
        nn.LayerNorm(40), nn.Linear(40, 10),
    )  # fmt: skip


def _keypoints() -> tuple[nn.Module, Any]:
    model, (images, targets) = detector("keypointrcnn_resnet50_fpn")
    points = torch.tensor([[[20.0, 20, 1]] * 17, [[50.0, 50, 1]] * 17])
    return model, (images, [{**one, "keypoints": points, "labels": torch.ones(2).long()} for one in targets])


def _deformable() -> tuple[nn.Module, Any]:
    import transformers

    trunk = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.DeformableDetrConfig(
        backbone_config=trunk, use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, d_model=64,
        encoder_layers=6, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=128,
        decoder_ffn_dim=128, num_queries=10, encoder_n_points=3, decoder_n_points=2,
    )  # fmt: skip
    return transformers.DeformableDetrModel(config), {"pixel_values": torch.randn(2, 3, 64, 64)}


def _detector(name: str) -> Callable[[], tuple[nn.Module, Any]]:
    return lambda: detector(name)


def _net(build: Callable[[], nn.Module], *shape: int, tokens: int = 0) -> Callable[[], tuple[nn.Module, Any]]:
    def make() -> tuple[nn.Module, Any]:
        return build(), torch.randint(tokens, shape) if tokens else torch.randn(*shape)

    return make


def _gpt2() -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.GPT2Config(vocab_size=300, n_positions=32, n_embd=64, n_layer=3, n_head=4)
    config.use_cache = False
    config.bos_token_id = config.eos_token_id = None
    return transformers.GPT2Model(config), {"input_ids": torch.randint(300, (2, 16))}


def _law(draw: Callable[[str, Tensor], Tensor | None]) -> Published:
    """Values of every parameter for which `draw` gives some; the others as the model has them."""

    def published(model: nn.Module) -> dict[str, Tensor]:
        drawn = {name: draw(name, p.detach()) for name, p in model.named_parameters()}
        return {name: value for name, value in drawn.items() if value is not None}

    return published


def _normal(p: Tensor, std: float) -> Tensor:
    return torch.randn(p.shape) * std


def _xavier(p: Tensor, gain: float = 1.0) -> Tensor:
    return nn.init.xavier_uniform_(torch.empty(p.shape), gain)


def _unet(name: str, p: Tensor) -> Tensor:
    if p.dim() < 2:
        return torch.zeros(p.shape)
    fan = p.shape[0] if "raise" in name else p[0].numel()  # 2 x 2 at stride 2: one tap of each input a pixel
    return _normal(p, math.sqrt(2 / fan))


def _nnunet(name: str, p: Tensor) -> Tensor:
    return torch.zeros(p.shape) if p.dim() < 2 else nn.init.kaiming_normal_(torch.empty(p.shape), a=0.01)


def _fixup(name: str, p: Tensor) -> Tensor | None:
    """As the published code: N(0, 2 / (out k^2)) times L^(-1/2) in branches of two weights, L = 9 blocks."""
    if name.startswith("fc") or "conv2" in name:
        return torch.zeros(p.shape)
    if p.dim() < 4:
        return None
    std = math.sqrt(2 / (p.shape[0] * p.shape[2] * p.shape[3]))
    return _normal(p, std * (9**-0.5 if "conv1" in name else 1.0))


def _centernet(name: str, p: Tensor) -> Tensor | None:
    if name == "heads.hm.2.bias":
        return torch.full(p.shape, -2.19)
    if name in ("heads.wh.2.weight", "heads.reg.2.weight"):
        return _normal(p, 0.001)
    return torch.zeros(p.shape) if name in ("heads.wh.2.bias", "heads.reg.2.bias") else None


def _yolo(name: str, p: Tensor) -> Tensor | None:
    """ln(5 / 80 / (640 / s)^2) at strides 8, 16, 32; box bias 2."""
    kind, level, *rest = name.split(".")
    if kind == "boxes" and rest == ["3", "bias"]:
        return torch.full(p.shape, 2.0)
    if kind == "classes" and rest == ["3", "bias"]:
        return torch.full(p.shape, math.log(5 / 80 / (640 / (8 << int(level))) ** 2))
    return None


def _detectron2(name: str, p: Tensor) -> Tensor | None:
    """fvcore's fills and the spreads of detectron2's heads, by the names of torchvision's model."""
    if "backbone.body" in name:
        return None
    if name.endswith("bias"):
        return torch.zeros(p.shape)
    small = {"rpn": 0.01, "cls_score": 0.01, "bbox_pred": 0.001, "mask_fcn_logits": 0.001}
    std = next((std for word, std in small.items() if word in name), None)
    if std is not None:
        return _normal(p, std)
    if "mask" in name:
        return nn.init.kaiming_normal_(torch.empty(p.shape), mode="fan_out", nonlinearity="relu")
    return nn.init.kaiming_uniform_(torch.empty(p.shape), a=1)


def _deepnorm(name: str, p: Tensor) -> Tensor | None:
    """Figure 2: gain (8 N)^-1/4 with N = 3 for v, out, fc1, fc2; 1 for q and k."""
    if p.dim() < 2:
        return torch.zeros(p.shape) if name.endswith("bias") and "norms" not in name else None
    beta = 1.0 if name.endswith(("inner.0.weight", "inner.1.weight")) else 24**-0.25
    return _xavier(p, beta)


def _t_fixup(name: str, p: Tensor) -> Tensor:
    """N = 3: embeddings d^-1/2 (9 N)^-1/4; v, out, fc1, fc2 times 0.67 N^-1/4."""
    if p.dim() < 2:
        return torch.zeros(p.shape)
    if name.startswith("table"):
        return _normal(p, 64**-0.5 * 27**-0.25)
    plain = name.endswith(("inner.0.weight", "inner.1.weight"))
    return _xavier(p, 1.0 if plain else 0.67 * 3**-0.25)


def _olmo(name: str, p: Tensor) -> Tensor | None:
    if p.dim() < 2:
        return None
    std = p.shape[1] ** -0.5
    if "out" in name or "fall" in name:
        layer = int(name.split(".")[1])
        std = 1 / math.sqrt(2 * p.shape[1] * (layer + 1))
    if name.startswith("table"):
        return _normal(p, std)
    return nn.init.trunc_normal_(torch.empty(p.shape), 0.0, std, -3 * std, 3 * std)


def _megatron(name: str, p: Tensor) -> Tensor | None:
    if p.dim() < 2:
        return None
    return _normal(p, 0.02 / math.sqrt(6) if "out" in name or "fall" in name else 0.02)


def _mup(name: str, p: Tensor) -> Tensor:
    """Table 3 with base width 256: input and hidden 1 / fan_in, output 256 / fan_in^2, biases 0."""
    if p.dim() < 2:
        return torch.zeros(p.shape)
    return _normal(p, math.sqrt(256) / p.shape[1] if name.startswith("4") else p.shape[1] ** -0.5)


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(100, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 50))


CASES: tuple[Case, ...] = (
    Case("torch_default", "torch.nn: conv, transposed, depthwise, linear", _net(_layers, 2, 3, 16, 16)),
    Case("torchvision_resnet", "torchvision resnet18", _vision("resnet18")),
    Case("timm_resnet", "timm resnet18", _timm("resnet18")),
    Case("timm_resnet", "timm seresnet50", _timm("seresnet50")),
    Case("convnext", "timm convnext_atto", _timm("convnext_atto")),
    Case("efficientnet", "timm efficientnet_b0", _timm("efficientnet_b0")),
    Case("nfnet", "timm dm_nfnet_f0", _timm("dm_nfnet_f0")),
    *(
        Case(recipe, f"timm vit_tiny, weight_init={mode!r}", _vit(mode))
        for recipe, mode in (("timm_vit", ""), ("vit_jax", "jax"), ("vit_jax_nlhb", "jax_nlhb"), ("vit_moco", "moco"))
    ),
    Case("deeplab", "torchvision deeplabv3_resnet50", _vision("deeplabv3_resnet50", weights_backbone=None)),
    Case("unet", "N(0, 2 / fan_in) of the paper", _net(SmallUNet, 2, 3, 32, 32), _law(_unet)),
    Case("nnunet", "InitWeights_He(1e-2) by torch.nn.init", _net(SmallUNet, 2, 3, 32, 32), _law(_nnunet)),
    *(
        Case(recipe, "torchvision maskrcnn_resnet50_fpn", _detector("maskrcnn_resnet50_fpn"), keeps=keeps, least=least)
        for recipe, keeps, least in (
            ("fpn", ("body", "rpn", "roi_heads"), 16), ("rpn", ("backbone", "roi_heads"), 6),
            ("torchvision_rcnn", ("body",), 42),
        )
    ),
    Case("torchvision_rcnn", "torchvision keypointrcnn_resnet50_fpn", _keypoints, keeps=("body",), least=48),
    *(
        Case(
            recipe, "detectron2's published fills", _detector("maskrcnn_resnet50_fpn"), _law(_detectron2),
            keeps=keeps, least=least,
        )
        for recipe, keeps, least in (
            ("detectron2_rcnn", ("body",), 42), ("mask_head", ("backbone", "rpn", "box_"), 12),
        )
    ),
    Case(
        "retinanet", "torchvision retinanet_resnet50_fpn", _detector("retinanet_resnet50_fpn"),
        keeps=("body",), least=36,
    ),
    Case(
        "fcos", "torchvision fcos_resnet50_fpn", _detector("fcos_resnet50_fpn"),
        keeps=("body", *(f"conv.{i}." for i in (1, 4, 7, 10))), least=38,
    ),
    Case(
        "centernet", "published numbers", _net(CenterHeads, 2, 3, 64, 64), _law(_centernet),
        keeps=("trunk",), least=12,
    ),
    Case(
        "yolo", "published numbers at 640 pixels", _net(YoloHeads, 2, 3, 640, 640), _law(_yolo),
        keeps=("stem", "down", ".1."), least=18,
    ),
    Case(
        "detr", "torch.nn.Transformer with DETR's heads", _net(SmallDetr, 2, 3, 64, 64),
        keeps=("projection",), least=119,
    ),
    Case(
        "deformable_attention", "transformers deformable DETR", _deformable, least=64,
        keeps=(
            "backbone", "input_proj", "level_embed", "query_pos", "decoder.layers.0.self_attn.",
            "decoder.layers.1.self_attn.", "layer_norm", "mlp", "reference_points",
        ),
    ),
    Case("gpt2", "transformers GPT2Model", _gpt2),
    Case("megatron", "published law", _net(Gated, 2, 16, tokens=300), _law(_megatron)),
    Case("olmo", "OLMo's mitchell rule by torch.nn.init", _net(Gated, 2, 16, tokens=300), _law(_olmo)),
    Case("mup", "table 3 of the paper", _net(_mlp, 4, 100), _law(_mup)),
    Case("fixup", "the published code's law", _net(FixupNet, 2, 3, 16, 16), _law(_fixup)),
    Case("deepnorm", "figure 2 of the paper", _net(PostNorm, 2, 16, 64), _law(_deepnorm)),
    Case("t_fixup", "the paper's law", _net(Unnormed, 2, 16, tokens=200), _law(_t_fixup)),
)  # fmt: skip
