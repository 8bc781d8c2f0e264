"""One or more small members of every model family of torchvision: (model, height, arguments)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from .entry import Entry, Inputs
from .photographs import batch_of

CLASSIFIERS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("alexnet", 96, {}),
    ("convnext_tiny", 64, {}),
    ("densenet121", 96, {}),
    ("efficientnet_b0", 96, {}),
    ("efficientnet_v2_s", 96, {}),
    ("googlenet", 96, {"init_weights": True}),
    ("inception_v3", 299, {"init_weights": True}),
    ("mnasnet0_5", 96, {}),
    ("mobilenet_v2", 96, {}),
    ("mobilenet_v3_small", 96, {}),
    ("regnet_y_400mf", 96, {}),
    ("regnet_x_400mf", 96, {}),
    ("resnet18", 96, {}),
    ("resnet50", 96, {}),
    ("shufflenet_v2_x0_5", 96, {}),
    ("squeezenet1_1", 96, {}),
    ("swin_t", 96, {}),
    ("swin_v2_t", 64, {}),
    ("vgg11", 64, {}),
    ("vgg11_bn", 64, {}),
)
SEGMENTERS = (
    ("deeplabv3_mobilenet_v3_large", 128),
    ("deeplabv3_resnet50", 96),
    ("fcn_resnet50", 96),
    ("lraspp_mobilenet_v3_large", 128),
)
DETECTORS = (
    ("fasterrcnn_resnet50_fpn", 160),
    ("fasterrcnn_resnet50_fpn_v2", 160),
    ("fasterrcnn_mobilenet_v3_large_320_fpn", 160),
    ("fcos_resnet50_fpn", 160),
    ("keypointrcnn_resnet50_fpn", 160),
    ("maskrcnn_resnet50_fpn", 160),
    ("maskrcnn_resnet50_fpn_v2", 160),
    ("retinanet_resnet50_fpn", 160),
    ("retinanet_resnet50_fpn_v2", 160),
    ("ssd300_vgg16", 300),
    ("ssdlite320_mobilenet_v3_large", 320),
)
VIDEO = (
    ("mc3_18", 8, 56),
    ("r2plus1d_18", 8, 56),
    ("r3d_18", 8, 56),
    ("swin3d_t", 8, 56),
)
MVIT = (("mvit_v1_b", 8, 64), ("mvit_v2_s", 8, 64))
FLOW = (("raft_small", 128), ("raft_large", 128))
ROI_HEADS = ("fasterrcnn", "keypointrcnn", "maskrcnn")


def entries() -> tuple[Entry, ...]:
    """The rows of all five tasks as entries."""
    return (
        *(_entry(name, "", kwargs, partial(_image, size)) for name, size, kwargs in CLASSIFIERS),
        *(
            _entry(
                name, "segmentation.", {"weights_backbone": None, "num_classes": 21}, partial(_image, size)
            )
            for name, size in SEGMENTERS
        ),
        *(
            _entry(name, "detection.", _detector_kwargs(name, size), partial(_scene, name, size))
            for name, size in DETECTORS
        ),
        *(_entry(name, "video.", {}, partial(_clip, frames, size)) for name, frames, size in VIDEO),
        *(
            Entry(
                f"torchvision:{name}",
                "torchvision.video.mvit",
                partial(_mvit, name, f, s),
                partial(_clip, f, s),
            )
            for name, f, s in MVIT
        ),
        *(_entry(name, "optical_flow.", {}, partial(_pair, size)) for name, size in FLOW),
        Entry("torchvision:maxvit_t", "torchvision.maxvit", _maxvit, partial(_image, 96)),
        Entry("torchvision:vit_b_16", "torchvision.vit", _vit, partial(_image, 96)),
        Entry("torchvision:s3d", "torchvision.video.s3d", _s3d, partial(_clip, 16, 64)),
    )


def _entry(name: str, task: str, kwargs: dict[str, Any], feed: Callable[[int, int], Inputs]) -> Entry:
    prefix = f"torchvision:{name}"
    return Entry(prefix, f"torchvision.{task}{name.split('_')[0]}", partial(_make, name, kwargs), feed)


def _make(name: str, kwargs: dict[str, Any]) -> nn.Module:
    import torchvision

    model: nn.Module = torchvision.models.get_model(name, weights=None, **kwargs)
    return model


def _mvit(name: str, frames: int, size: int) -> nn.Module:
    """An MViT for short clips; its builder fixes 16 frames of 224, so the class under it is wrapped."""
    from torchvision.models.video import mvit

    short = {"spatial_size": (size, size), "temporal_size": frames}
    whole = mvit.MViT
    with patch.object(mvit, "MViT", lambda **kwargs: whole(**(kwargs | short))):
        return _make(name, {})


def _detector_kwargs(name: str, size: int) -> dict[str, Any]:
    kwargs: dict[str, Any] = {"weights_backbone": None, "num_classes": 2 if "keypoint" in name else 21}
    if name.startswith(ROI_HEADS):
        kwargs |= {"box_batch_size_per_image": 32}
    return kwargs if name.startswith("ssd") else kwargs | {"min_size": size, "max_size": 2 * size}


def _maxvit() -> nn.Module:
    """maxvit_t with windows of 3 instead of 7, for images of 96."""
    from torchvision.models.maxvit import MaxVit

    return MaxVit(
        input_size=(96, 96),
        stem_channels=64,
        block_channels=[64, 128, 256, 512],
        block_layers=[2, 2, 5, 2],
        head_dim=32,
        stochastic_depth_prob=0.0,
        partition_size=3,
    )


def _vit() -> nn.Module:
    """vit_b_16 a quarter as wide, for images of 96."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(96, 16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768)


def _s3d() -> nn.Module:
    """s3d pooled over the 2 x 2 x 2 features that a clip of 16 frames of 64 leaves."""
    model = _make("s3d", {})
    model.avgpool = nn.AvgPool3d(kernel_size=2, stride=1)
    return model


def _image(size: int, batch: int, seed: int) -> Inputs:
    return batch_of(batch, size, size, seed)


def _clip(frames: int, size: int, batch: int, seed: int) -> Inputs:
    """A window that slides over a photograph: (batch, 3, frames, size, size)."""
    wide = batch_of(batch, size, size + 2 * frames, seed)
    return torch.stack([wide[..., 2 * i : 2 * i + size] for i in range(frames)], dim=2)


def _pair(size: int, batch: int, seed: int) -> Inputs:
    """Two views of each photograph, four pixels apart, in RAFT's own range [-1, 1]."""
    wide = 2 * batch_of(batch, size, size + 4, seed, normalized=False) - 1
    first, second = wide[..., :size].contiguous(), wide[..., 4:].contiguous()
    return {"image1": first, "image2": second, "num_flow_updates": 4}


def _scene(name: str, size: int, batch: int, seed: int) -> Inputs:
    """(images, targets) of a torchvision detector, half the batch; it normalizes the images itself."""
    batch = max(1, batch // 2)
    images = batch_of(batch, size, size, seed, normalized=False)
    generator = torch.Generator().manual_seed(seed)
    return list(images), [_target(name, size, generator) for _ in range(batch)]


def _target(name: str, size: int, generator: torch.Generator) -> dict[str, Any]:
    corner = torch.rand(2, 2, generator=generator) * size * 0.4
    extent = size * (0.2 + 0.35 * torch.rand(2, 2, generator=generator))
    boxes = torch.cat([corner, corner + extent], dim=1)
    labels = torch.randint(1, 2 if "keypoint" in name else 21, (2,), generator=generator)
    target: dict[str, Any] = {"boxes": boxes, "labels": labels}
    if "mask" in name:
        target["masks"] = torch.stack([_filled(box, size) for box in boxes])
    if "keypoint" in name:
        places = torch.rand(2, 17, 2, generator=generator) * extent[:, None] + corner[:, None]
        target["keypoints"] = torch.cat([places, torch.ones(2, 17, 1)], dim=2)
    return target


def _filled(box: torch.Tensor, size: int) -> torch.Tensor:
    left, top, right, bottom = box.long().tolist()
    mask = torch.zeros(size, size, dtype=torch.uint8)
    mask[top:bottom, left:right] = 1
    return mask
