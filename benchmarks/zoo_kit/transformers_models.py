"""Small vision models of transformers, and some text models, built from configurations alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from .entry import Entry, Inputs
from .photographs import batch_of

VIT = {"hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3, "intermediate_size": 768}
DETR = {"encoder_layers": 3, "decoder_layers": 3, "d_model": 128, "num_queries": 30}
FEED_FORWARD = {"encoder_ffn_dim": 256, "decoder_ffn_dim": 256}
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
TEXT: dict[str, Any] = {
    "vocab_size": 1000,
    "hidden_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    **IDS,
}

ROWS: tuple[tuple[str, str, str, int, dict[str, Any]], ...] = (
    ("vit", "ViTForImageClassification", "ViTConfig", 96, VIT | {"image_size": 96}),
    (
        "beit",
        "BeitForImageClassification",
        "BeitConfig",
        96,
        VIT | {"image_size": 96, "use_relative_position_bias": True},
    ),
    ("dinov2", "Dinov2ForImageClassification", "Dinov2Config", 98, VIT | {"image_size": 98}),
    (
        "swin",
        "SwinForImageClassification",
        "SwinConfig",
        96,
        {"image_size": 96, "window_size": 3, "embed_dim": 48},
    ),
    (
        "convnextv2",
        "ConvNextV2ForImageClassification",
        "ConvNextV2Config",
        96,
        {"hidden_sizes": [40, 80, 160, 320]},
    ),
    ("segformer", "SegformerForSemanticSegmentation", "SegformerConfig", 96, {}),
    ("upernet", "UperNetForSemanticSegmentation", "UperNetConfig", 96, {"use_auxiliary_head": True}),
    ("detr", "DetrForObjectDetection", "DetrConfig", 128, DETR | FEED_FORWARD),
    ("deformable_detr", "DeformableDetrForObjectDetection", "DeformableDetrConfig", 128, DETR | FEED_FORWARD),
    ("rt_detr", "RTDetrForObjectDetection", "RTDetrConfig", 128, {"num_queries": 30}),
    ("mask2former", "Mask2FormerForUniversalSegmentation", "Mask2FormerConfig", 128, {"num_queries": 20}),
)
RESNET_BACKBONE = ("detr", "deformable_detr", "upernet")


def entries() -> tuple[Entry, ...]:
    """The rows, CLIP and the text models as entries."""
    return (
        *(_entry(name, partial(_make, *row), partial(_image, row[2])) for name, *row in _rows()),
        _entry("clip", _clip, _image_and_text),
        _entry(
            "llama", partial(_text, "LlamaForCausalLM", "LlamaConfig", {"intermediate_size": 256}), _tokens
        ),
        _entry("gpt2", partial(_text, "GPT2LMHeadModel", "GPT2Config", {}), _tokens),
        _entry("bert", partial(_text, "BertForMaskedLM", "BertConfig", {"intermediate_size": 256}), _tokens),
    )


def _rows() -> list[tuple[Any, ...]]:
    return [(name, model, config, size, kwargs) for name, model, config, size, kwargs in ROWS]


def _entry(name: str, make: Callable[[], nn.Module], feed: Callable[[int, int], Inputs]) -> Entry:
    return Entry(f"transformers:{name}", f"transformers.{name}", make, feed)


def _make(model: str, config: str, size: int, kwargs: dict[str, Any]) -> nn.Module:
    del size
    import transformers

    arguments = dict(kwargs)
    if config in ("DetrConfig", "DeformableDetrConfig", "UperNetConfig"):
        arguments |= {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
        arguments["backbone_config"] = _resnet(transformers)
    if config == "Mask2FormerConfig":
        arguments["backbone_config"] = _swin(transformers)
    built: nn.Module = getattr(transformers, model)(getattr(transformers, config)(**arguments))
    return built


def _resnet(transformers: Any) -> Any:
    stages = ["stage1", "stage2", "stage3", "stage4"]
    return transformers.ResNetConfig(
        hidden_sizes=[32, 64, 128, 256], depths=[2, 2, 2, 2], layer_type="basic", out_features=stages
    )


def _swin(transformers: Any) -> Any:
    stages = ["stage1", "stage2", "stage3", "stage4"]
    return transformers.SwinConfig(image_size=128, window_size=4, embed_dim=48, out_features=stages)


def _clip() -> nn.Module:
    import transformers

    text = transformers.CLIPTextConfig(**TEXT, intermediate_size=256, max_position_embeddings=16)
    image = transformers.CLIPVisionConfig(**VIT, image_size=96, patch_size=16)
    return transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text.to_dict(), vision_config=image.to_dict(), projection_dim=64)
    )


def _text(model: str, config: str, kwargs: dict[str, Any]) -> nn.Module:
    import transformers

    built: nn.Module = getattr(transformers, model)(getattr(transformers, config)(**TEXT, **kwargs))
    return built


def _image(size: int, batch: int, seed: int) -> Inputs:
    return {"pixel_values": batch_of(batch, size, size, seed)}


def _tokens(batch: int, seed: int) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    return {"input_ids": torch.randint(3, 999, (batch, 16), generator=generator)}


def _image_and_text(batch: int, seed: int) -> Inputs:
    tokens, image = _tokens(batch, seed), _image(96, batch, seed)
    assert isinstance(tokens, dict)
    assert isinstance(image, dict)
    return tokens | image
