"""The nets of the arena that are no standard models: made by reference, in any process."""

from __future__ import annotations

import torch
from benchmarks.zoo_kit.entry import drop_out_off
from benchmarks.zoo_kit.strip import strip_norms
from torch import Tensor, nn

from initium.study.tasks.models import networks
from initium.study.tasks.models.by_name import make_model

GREY = (1, 14, 14)
CLASSES = 10


class Wavy(nn.Module):
    """An activation that nobody has a table for: a soft gate with a ripple, neither odd nor monotone."""

    def forward(self, x: Tensor) -> Tensor:
        """x sigmoid(1.3 x) + 0.3 sin(2 x), elementwise."""
        return x * torch.sigmoid(1.3 * x) + 0.3 * torch.sin(2.0 * x)


def written(family: str, depth: int) -> nn.Module:
    """A plain net with the user-written activation."""
    make = {"mlp": networks.mlp, "cnn": networks.cnn}[family]
    return make(GREY, CLASSES, depth, Wavy)


def stripped(name: str) -> nn.Module:
    """A standard model with every normalization layer replaced by identity."""
    return strip_norms(make_model(name, GREY, CLASSES))


class Enlarged(nn.Module):
    """A model that is shown its pictures larger."""

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.model, self.grow = model, nn.Upsample(size=size, mode="bilinear")

    def forward(self, x: Tensor) -> Tensor:
        """The model's logits."""
        logits: Tensor = self.model(self.grow(x))
        return logits


def timm_model(name: str, size: int, strip: bool, **arguments: object) -> nn.Module:
    """A model of timm on grey pictures enlarged to `size`, as a rule without its normalization layers."""
    import timm

    model = timm.create_model(name, in_chans=1, num_classes=CLASSES, drop_rate=0.0, **arguments)
    return Enlarged(drop_out_off(strip_norms(model) if strip else model), size)


def mixer(size: int, patch: int, blocks: int, width: int) -> nn.Module:
    """A small MLP-Mixer of timm without its norms; its own entries fix these sizes."""
    from timm.models.mlp_mixer import MlpMixer

    model = MlpMixer(
        num_classes=CLASSES, img_size=size, in_chans=1, patch_size=patch, num_blocks=blocks, embed_dim=width
    )
    return Enlarged(strip_norms(model), size)
