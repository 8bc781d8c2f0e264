"""Small data sets of every format, written for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image


def picture(path: Path, *, size: tuple[int, int] = (40, 30), seed: int = 0) -> Path:
    """A picture of noise, width and height as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mask(path: Path, values: list[int], *, size: tuple[int, int] = (40, 30)) -> Path:
    """A mask of vertical stripes of class numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stripes = np.repeat(np.array(values, dtype=np.uint8), -(-size[0] // len(values)))[: size[0]]
    Image.fromarray(np.tile(stripes, (size[1], 1))).save(path)
    return path


def image_folders(root: Path, *, num: int = 5, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """`root/CLASS/N.png`."""
    for number, name in enumerate(classes):
        for i in range(num):
            picture(root / name / f"{i}.png", seed=10 * number + i)
    return root


def mask_folders(root: Path, *, num: int = 5, values: tuple[int, ...] = (0, 1, 2)) -> Path:
    """`root/images/N.jpg` and `root/masks/N.png`."""
    for i in range(num):
        picture(root / "images" / f"{i}.jpg", seed=i)
        mask(root / "masks" / f"{i}.png", list(values))
    return root


def coco(root: Path, *, num: int = 5, **changes: Any) -> Path:
    """`root/train.json` and `root/images`; `changes` replace parts of the first annotation."""
    images, annotations = [], []
    for i in range(num):
        picture(root / "images" / f"{i}.jpg", seed=i)
        images.append({"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30})
        box = [4, 3, 20, 15]
        polygon = [4, 3, 24, 3, 24, 18, 4, 18]
        one = {
            "id": i,
            "image_id": i,
            "category_id": 7 if i % 2 else 3,
            "bbox": box,
            "segmentation": [polygon],
        }
        annotations.append(one | (changes if i == 0 else {}))
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 3, "name": "cup"}, {"id": 7, "name": "plate"}],
    }
    path = root / "train.json"
    path.write_text(json.dumps(content, indent=1))
    return path


OBJECT = """ <object>
  <name>{name}</name>
  <bndbox>
   <xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax>
  </bndbox>
 </object>
"""


def annotation(path: Path, *objects: tuple[str, tuple[float, float, float, float]]) -> Path:
    """A VOC annotation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = "".join(OBJECT.format(name=name, box=box) for name, box in objects)
    path.write_text(f"<annotation>\n <size><width>40</width></size>\n{inner}</annotation>\n")
    return path


def voc(root: Path, *, num: int = 5, lists: bool = True) -> Path:
    """A VOC directory with boxes and masks; the last picture is for validation."""
    for i in range(num):
        picture(root / "JPEGImages" / f"p{i}.jpg", seed=i)
        annotation(root / "Annotations" / f"p{i}.xml", ("cup" if i % 2 else "plate", (4, 3, 24, 18)))
        mask(root / "SegmentationClass" / f"p{i}.png", [0, 1, 255])
    for kind in ("Main", "Segmentation") if lists else ():
        directory = root / "ImageSets" / kind
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "train.txt").write_text("".join(f"p{i}\n" for i in range(num - 1)))
        (directory / "val.txt").write_text(f"p{num - 1}\n")
    return root


def two_datasets() -> tuple[list[Any], list[Any]]:
    """Two Datasets of three classes."""
    items = [(torch.full((1, 8, 8), float(i)), i % 3) for i in range(12)]
    return items, items[:5]


def one_dataset() -> list[Any]:
    """Not what is asked for."""
    return two_datasets()[0]


def more_test_classes() -> tuple[list[Any], list[Any]]:
    """A test class without training samples."""
    train, test = two_datasets()
    return train, [*test, (torch.zeros(1, 8, 8), 7)]
