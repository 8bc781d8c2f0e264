"""What the command line feeds a model: real photographs, the user's images, or numbers of the right shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from initium.cli.arguments import InputSpec
from initium.cli.model import default_shape, is_detector
from initium.data.pictures import IMAGENET_MEAN, IMAGENET_STD, photographs
from initium.errors import MissingExtraError, UsageError
from initium.random import fill_, key_for
from initium.random.distributions import Integers, Normal
from initium.random.synthetic import synthetic

READ_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"}


def make_inputs(
    target: str,
    model: nn.Module,
    specs: Sequence[InputSpec],
    images: Path | None,
    *,
    noise: str | None = None,
    batch: int,
    seed: int,
) -> Tensor | tuple[Any, ...]:
    """The inputs for `model`: one tensor, or a tuple of positional arguments.

    Args:
        target: MODEL as given, which tells the usual input of a published model.
        model: the model; torchvision's detectors get lists of images and made-up targets.
        specs: shapes of the inputs; none means the usual one.
        images: folder of images to use for the first input.
        noise: kind of made-up inputs, as for `initium.synthetic`; None takes photographs for the shapes of images.
        batch: number of samples.
        seed: of random numbers.

    Raises:
        UsageError: no shape is known, images and noise are both asked for, or they cannot be made.
    """
    if noise is not None and images is not None:
        raise UsageError(
            "--images and --noise", expected="one of them", remedy="leave out --noise to use the images"
        )
    wanted = list(specs) or _usual(target, model, images)
    made = [_values(spec, batch, seed, i, noise) for i, spec in enumerate(wanted)]
    if images is not None:
        made[0] = read_images(images, wanted[0].shape, batch)
    if is_detector(model) and len(made) == 1:
        return detector_inputs(made[0], model)
    return made[0] if len(made) == 1 else tuple(made)


def read_images(folder: Path, shape: tuple[int, ...], batch: int) -> Tensor:
    """The first `batch` images of `folder` by name, cropped in the middle, normalized as for ImageNet."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise MissingExtraError(
            "the package pillow is not installed",
            expected="pillow, to read image files",
            remedy="pip install 'initium[vision]'",
        ) from error
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UsageError(
            f"images for an input of shape {'x'.join(map(str, shape))}",
            expected="3 x height x width, or 1 for grey images",
            remedy="correct --input, or leave out --images",
        )
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in READ_SUFFIXES)[:batch]
    if not files:
        raise UsageError(
            f"no images in {str(folder)!r}",
            expected=f"files that end in {', '.join(sorted(READ_SUFFIXES))}",
            remedy="name the folder that holds them",
        )
    tensors = []
    for path in files:
        try:
            with Image.open(path) as image:
                fitted = ImageOps.fit(image.convert("RGB"), (shape[2], shape[1]))
        except (UnidentifiedImageError, OSError) as error:
            raise UsageError(
                f"{str(path)!r} cannot be read as an image ({error})",
                expected="image files only",
                remedy="remove or repair it",
            ) from error
        pixels = torch.frombuffer(bytearray(fitted.tobytes()), dtype=torch.uint8)
        tensors.append(pixels.view(shape[1], shape[2], 3).permute(2, 0, 1).float() / 255)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return _channels((torch.stack(tensors) - mean) / std, shape[0])


def detector_inputs(images: Tensor, model: nn.Module) -> tuple[Any, ...]:
    """Images as a list and, in training mode, a made-up target for each: two boxes with masks and keypoints."""
    pictures = [(image - image.amin()) / (image.amax() - image.amin()) for image in images]
    if not model.training:
        return (pictures,)
    height, width = images.shape[-2:]
    boxes = torch.tensor([[0.1, 0.2, 0.6, 0.7], [0.4, 0.3, 0.9, 0.95]]) * torch.tensor([width, height] * 2)
    masks = torch.zeros(2, height, width, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    keypoints = torch.cat([middle, torch.ones(2, 1)], 1).unsqueeze(1).repeat(1, 17, 1)
    labels = torch.ones(2, dtype=torch.int64)
    target = {"boxes": boxes, "labels": labels, "masks": masks, "keypoints": keypoints}
    return pictures, [dict(target) for _ in pictures]


def _usual(target: str, model: nn.Module, images: Path | None) -> list[InputSpec]:
    shape = default_shape(target, model) or ((3, 224, 224) if images is not None else None)
    if shape is None:
        raise UsageError(
            f"no input for {target}",
            expected="the shape of one sample, or a folder of images",
            remedy="add for example --input 3x224x224, or --images DIR",
        )
    return [InputSpec(shape)]


def _values(spec: InputSpec, batch: int, seed: int, position: int, noise: str | None) -> Tensor:
    """Photographs where the shape is that of images or clips, token ids where asked, else normal numbers."""
    shape, key = spec.shape, key_for(seed, f"cli.input{position}")
    if spec.below is not None:
        return fill_(torch.empty(batch, *shape, dtype=torch.int64), Integers(0, spec.below), key)
    if noise is not None:
        return synthetic(shape, batch=batch, kind=noise, seed=seed, name=f"input{position}")  # type: ignore[arg-type]
    if len(shape) == 3 and shape[0] in (1, 3):
        views = photographs(batch * (position + 1), (shape[1], shape[2]))[-batch:]
        return _channels(views, shape[0])
    if len(shape) == 4 and shape[0] == 3:
        frames = photographs(batch * shape[1], (shape[2], shape[3]))
        return frames.view(batch, shape[1], *frames.shape[1:]).transpose(1, 2).contiguous()
    return fill_(torch.empty(batch, *shape), Normal(0.0, 1.0), key)


def _channels(images: Tensor, count: int) -> Tensor:
    return images if count == 3 else images.mean(1, keepdim=True)
