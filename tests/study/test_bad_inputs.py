"""What a user may get wrong, through the whole of `compare`: told in three parts before any trial, with its place."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.study.contest.test_compare import Interrupting
from tests.study.tasks.loaders import files
from torch import Tensor, nn

import initium
from initium.errors import InitiumError, UsageError, UsageTypeError
from initium.study.tasks import Probe

HERE = re.escape(str(Path(__file__)))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_CACHE", str(tmp_path / "cache"))


def refused(make: Any = "", task: Any = "classification", **changes: Any) -> InitiumError:
    """The error that a comparison ends with, before any trial."""
    watch = Interrupting(1)
    options: dict[str, Any] = {
        "inits": ["auto", "zeros"], "lrs": [1e-3], "steps": 2, "batch_size": 8, "seeds": 2, "confirm": 2,
        "engine": "serial", "progress": watch,
    }  # fmt: skip
    with pytest.raises(InitiumError) as caught:
        initium.compare(make, task, **{**options, **changes})
    assert watch.ran == 0
    error = caught.value
    assert error.seen
    assert error.expected
    assert error.remedy
    return error


def line_of(thing: Any) -> str:
    """Where something of this file is defined, as it stands in a message."""
    return f"{HERE}:{inspect.getsourcelines(thing)[1]}"


# --- starts


def plain() -> nn.Module:
    """A model that fits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))


def leaves_nan(model: nn.Module, probe: Probe, seed: int) -> None:
    """One value of many."""
    with torch.no_grad():
        model.get_parameter("1.weight")[3, 5] = float("nan")


def leaves_infinity(model: nn.Module, probe: Probe, seed: int) -> None:
    """Every bias."""
    with torch.no_grad():
        model.get_parameter("1.bias").fill_(-float("inf"))


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (leaves_nan, "1 of 1960 values of the parameter '1.weight'"),
        (leaves_infinity, "10 of 10 values of the parameter '1.bias'"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_start_that_is_not_finite(init: Callable[..., None], words: str, dry_run: bool) -> None:
    error = refused(plain, inits={"auto": "auto", "mine": init}, dry_run=dry_run)
    assert re.search(f"init 'mine' .{line_of(init)} .{init.__name__}.. on .*{words}", error.seen)


# --- models


class TooFew(nn.Module):
    """A layer, and what is made of its output in one of several ways."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(196, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Nine logits."""
        return self.net(x.flatten(1))[:, :9]  # type: ignore[no-any-return]


class ClassesWhenJudged(TooFew):
    """Class numbers instead of logits, once in evaluation mode."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits in training."""
        logits: Tensor = self.net(x.flatten(1))
        return logits if self.training else logits.argmax(dim=1)


class NotFinite(TooFew):
    """A logarithm of negative numbers."""

    def forward(self, x: Tensor) -> Tensor:
        """Mostly nan."""
        return self.net(x.flatten(1)).log()  # type: ignore[no-any-return]


class Detached(TooFew):
    """Learns nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits that no gradient comes through."""
        return self.net(x.flatten(1)).detach()  # type: ignore[no-any-return]


class Normed(TooFew):
    """Needs two samples for its statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(10)

    def forward(self, x: Tensor) -> Tensor:
        """Normalized logits."""
        return self.norm(self.net(x.flatten(1)))  # type: ignore[no-any-return]


def frozen() -> nn.Module:
    """All of it."""
    return plain().requires_grad_(False)


@pytest.mark.parametrize(
    ("make", "words", "changes"),
    [
        (TooFew, r"the model's output has shape \(4, 9\)", {}),
        (ClassesWhenJudged, r"in evaluation mode: the model's output has shape \(4,\)", {}),
        (NotFinite, "the first loss of NotFinite on the classification task is nan", {}),
        (Detached, "has no gradient", {}),
        (frozen, "the loss of Sequential .* has no gradient", {}),
        (Normed, "Expected more than 1 value per channel", {"batch_size": 1}),
    ],
)
def test_a_model_that_does_not_fit(make: Any, words: str, changes: dict[str, Any]) -> None:
    assert re.search(f"^{line_of(make)} .{make.__name__}.: .*({words})", refused(make, **changes).seen)


@pytest.mark.parametrize("kind", ["detection", "segmentation"])
def test_a_classifier_on_another_task(kind: str) -> None:
    def words(error: InitiumError) -> str:
        return error.seen + error.expected

    assert "height, width" in words(refused(AnySize, kind))


class AnySize(nn.Module):
    """A classifier of pictures of any size and colour."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.net(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


def test_models_and_starts_that_no_worker_can_import() -> None:
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    make = lambda: plain()  # noqa: E731
    for error in (refused(make), refused(plain, inits=["auto", make])):
        assert f"({Path(__file__)}:{line}) is a lambda" in error.seen

    def inner() -> nn.Module:
        return plain()

    assert re.search(f"inner .{line_of(inner)}. is defined inside another function", refused(inner).seen)
    assert isinstance(refused(plain()), UsageTypeError)


def test_a_start_that_workers_cannot_import_though_this_process_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that asks for another one, once it is imported by a worker."""
    (tmp_path / "starts_here_only.py").write_text(
        "import os\nfrom initium.engines.perform import MARK\n"
        "if os.environ.get(MARK):\n    import nowhere_to_be_found\n"
        "def mine(model, probe, seed): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("starts_here_only").mine
    error = refused(inits={"auto": "auto", "mine": mine}, engine="processes", workers=1)
    assert re.search("worker of the engine 'processes' .*init 'mine': .*nowhere_to_be_found", error.seen)


# --- data in files


def csv(root: Path) -> Path:
    (root / "data.csv").write_text("label,file\n")
    return root / "data.csv"


def no_data(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def missing_picture(root: Path) -> Path:
    path = files.coco(root)
    (root / "images" / "2.jpg").unlink()
    return path


def broken_picture(root: Path) -> Path:
    files.image_folders(root / "data")
    (root / "data" / "cat" / "0.png").write_bytes(b"no picture")
    return root / "data"


def missing_mask(root: Path) -> Path:
    (files.mask_folders(root / "data") / "masks" / "2.png").unlink()
    return root / "data"


def box_outside(root: Path) -> Path:
    return files.coco(root, bbox=[30, 3, 20, 15])


def box_outside_voc(root: Path) -> Path:
    data = files.voc(root / "voc")
    files.annotation(data / "Annotations" / "p1.xml", ("cup", (4, 3, 90, 18)))
    return data


def unknown_category(root: Path) -> Path:
    return files.coco(root, category_id=9)


def one_directory(root: Path) -> Path:
    return files.image_folders(root / "data", classes=("cat",))


def empty_class(root: Path) -> Path:
    shutil.rmtree(files.image_folders(root / "data") / "dog")
    (root / "data" / "dog").mkdir()
    return root / "data"


def one_class_of_masks(root: Path) -> Path:
    return files.mask_folders(root / "data", values=(1,))


def empty_test(root: Path) -> Path:
    files.image_folders(root / "data" / "train")
    (root / "data" / "test").mkdir()
    return root / "data"


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (csv, r"data\.csv: no data set of a known format"),
        (no_data, "empty: no data set of a known format"),
        (missing_picture, r"train\.json:\d+: no picture '2\.jpg'"),
        (broken_picture, r"cat/0\.png: cannot be read as a picture"),
        (missing_mask, r"images/2\.jpg: no mask of this name"),
        (box_outside, r"train\.json:\d+: box \[30, 3, 20, 15\] reaches outside"),
        (box_outside_voc, r"p1\.xml:5: box \(4, 3, 90, 18\) reaches outside the picture"),
        (unknown_category, r"train\.json:\d+: category_id 9 is no category"),
        (one_directory, "data: 1 directories of classes"),
        (empty_class, "dog: no pictures"),
        (one_class_of_masks, "data: the masks hold only the class 1"),
        (empty_test, "test: no pictures of the test split"),
    ],
)
def test_data_that_cannot_be_learned_from(write: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    assert re.search(words, refused(task=write(tmp_path)).seen)


def test_a_limit_that_leaves_one_class(tmp_path: Path) -> None:
    root = files.image_folders(tmp_path / "data")
    with pytest.warns(UserWarning, match="1 of . (training|test) pictures"):
        error = refused(task={"kind": "classification", "path": str(root), "most": 1})
    assert "every training picture is of class 'cat'" in error.seen


def test_a_mask_value_without_a_name(tmp_path: Path) -> None:
    root = files.mask_folders(tmp_path / "data", values=(0, 1, 2))
    error = refused(task={"kind": "segmentation", "path": str(root), "classes": ["ground", "cup"]})
    assert re.search(r"masks/0\.png: the value 2 is no class", error.seen)


# --- datasets in code

PICTURE = torch.zeros(1, 16, 16)


class Raising(list[Any]):
    """A dataset whose third item cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        if index == 2:
            raise OSError("truncated file")
        return super().__getitem__(index)


def raises() -> Any:
    raise OSError("not mounted")


def item_raises() -> Any:
    return Raising([(PICTURE, i % 2) for i in range(8)]), [(PICTURE, 0), (PICTURE, 1)]


def negative() -> Any:
    return [(PICTURE, 0), (PICTURE, 1), (PICTURE, -1)], [(PICTURE, 0), (PICTURE, 1)]


def too_large() -> Any:
    return [(PICTURE, 0), (PICTURE, 2)], [(PICTURE, 0), (PICTURE, 1)]


def more_in_test() -> Any:
    return [(PICTURE, 0), (PICTURE, 1)], [(PICTURE, 0), (PICTURE, 5)]


def one_class() -> Any:
    return [(PICTURE, 1)] * 4, [(PICTURE, 0), (PICTURE, 1)]


def nothing() -> Any:
    return [], [(PICTURE, 0)]


def nan_box() -> Any:
    items = [(PICTURE, {"boxes": [[1.0, 1.0, 9.0, float("nan")]], "labels": [0]})] * 4
    return items, items


def no_boxes() -> Any:
    items = [(PICTURE, {"boxes": [], "labels": []})] * 4
    return items, items


@pytest.mark.parametrize(
    ("make", "kind", "words", "more"),
    [
        (raises, "classification", "the function of the datasets raised OSError: not mounted", {}),
        (item_raises, "classification", "item 2 of the training dataset: it raised OSError: truncated", {}),
        (negative, "classification", "item 2 of the training dataset: the class number -1", {}),
        (too_large, "classification", "the training dataset has the class number 2", {"classes": ["a", "b"]}),
        (more_in_test, "classification", "the test dataset has the class number 5", {}),
        (one_class, "classification", "the training dataset holds only the class 1", {}),
        (nothing, "classification", "the training dataset is empty", {}),
        (nan_box, "detection", "item 0 of the training dataset: a box that is empty or outside", {}),
        (no_boxes, "detection", "the training dataset holds no class", {}),
    ],
)
def test_datasets_that_cannot_be_learned_from(make: Any, kind: str, words: str, more: dict[str, Any]) -> None:
    error = refused(task={"kind": kind, "datasets": make, **more})
    assert isinstance(error, UsageError)
    assert re.search(f"^{line_of(make)}: {words}", error.seen)
