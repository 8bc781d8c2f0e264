"""Pascal VOC: `JPEGImages`, `Annotations/NAME.xml` or `SegmentationClass/NAME.png`, and lists of names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from initium.errors import UsageError
from initium.study.tasks.loaders.images import is_picture, size_of
from initium.study.tasks.loaders.listing import Listed, Listing, split_of
from initium.study.tasks.loaders.located_errors import Element, Problems, place, read_xml
from initium.study.tasks.samples import TargetForm

VOC_REMEDY = "correct the annotations that are named"
VOC_SLACK = 1.5
"""VOC counts pixels from 1 and includes the last one, so a box may reach this far out."""


def list_voc(root: Path, *, targets: TargetForm, test: Path | None = None) -> Listing:
    """The listing of a VOC directory; `test` is another one, else the lists `val.txt` or `test.txt` tell."""
    pictures = _pictures(root)
    train_names, test_names = _names(root, targets, pictures)
    problems = Problems("the VOC data have faults")
    if targets == "masks":
        listings = [_with_masks(root, pictures, names, problems) for names in (train_names, test_names)]
        classes: tuple[str, ...] = ()
    else:
        listings, classes = _with_boxes(root, pictures, [train_names, test_names], problems)
    problems.raise_if_any(VOC_REMEDY)
    if test is None:
        return Listing(classes, listings[0], listings[1], root)
    other = list_voc(test, targets=targets)
    if not set(other.classes) <= set(classes):
        unknown = ", ".join(sorted(set(other.classes) - set(classes)))
        raise UsageError(
            f"{test}: classes that the training data lack: {unknown}",
            expected=f"only {', '.join(classes)}",
            remedy="add such objects to the training data, or leave them out of the test data",
        )
    return Listing(
        classes, listings[0], _renumbered((*other.train, *other.test), other.classes, classes), root
    )


def _renumbered(
    samples: tuple[Listed, ...], own: tuple[str, ...], classes: tuple[str, ...]
) -> tuple[Listed, ...]:
    return tuple(
        replace(one, labels=tuple(classes.index(own[label]) for label in one.labels)) for one in samples
    )


def _pictures(root: Path) -> dict[str, Path]:
    directory = root / "JPEGImages"
    if not directory.is_dir():
        raise UsageError(
            f"{root}: no directory JPEGImages",
            expected="a VOC directory with JPEGImages and Annotations or SegmentationClass",
            remedy="give the directory that holds them, such as VOCdevkit/VOC2012",
        )
    return {path.stem: path for path in sorted(directory.iterdir()) if is_picture(path)}


def _names(root: Path, targets: TargetForm, pictures: dict[str, Path]) -> tuple[list[str], list[str]]:
    """Names of training and test pictures, from the lists if there are any."""
    lists = root / "ImageSets" / ("Segmentation" if targets == "masks" else "Main")
    annotations = root / ("SegmentationClass" if targets == "masks" else "Annotations")
    if not (lists / "train.txt").exists():
        found = sorted(path.stem for path in annotations.glob("*") if not path.name.startswith("."))
        return [name for name in found if name in pictures] or sorted(pictures), []
    test = next((lists / name for name in ("val.txt", "test.txt") if (lists / name).exists()), None)
    problems = Problems("the lists name pictures that are not there")
    train = _list(lists / "train.txt", pictures, problems)
    tested = _list(test, pictures, problems) if test else []
    if test and not tested and not problems.found:
        split_of(test, ())
    problems.raise_if_any("add the pictures to JPEGImages, or take their names off the list")
    return train, tested


def _list(path: Path, pictures: dict[str, Path], problems: Problems) -> list[str]:
    names = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if words[0] not in pictures:
            problems.add(place(path, number), f"no picture {words[0]!r}", f"JPEGImages/{words[0]}.jpg")
        else:
            names.append(words[0])
    return names


def _with_masks(
    root: Path, pictures: dict[str, Path], names: list[str], problems: Problems
) -> tuple[Listed, ...]:
    found = []
    for name in names:
        mask = root / "SegmentationClass" / f"{name}.png"
        if mask.exists():
            found.append(Listed(pictures[name], mask=mask))
        else:
            problems.add(str(pictures[name]), "no mask", str(mask))
    return tuple(found)


def _with_boxes(
    root: Path, pictures: dict[str, Path], splits: list[list[str]], problems: Problems
) -> tuple[list[tuple[Listed, ...]], tuple[str, ...]]:
    read = [[_objects(root, name, pictures[name], problems) for name in names] for names in splits]
    classes = tuple(sorted({label for split in read for _, objects in split for label, _ in objects}))
    return [
        tuple(
            Listed(
                picture,
                boxes=tuple(box for _, box in objects),
                labels=tuple(classes.index(c) for c, _ in objects),
            )
            for picture, objects in split
        )
        for split in read
    ], classes


Object = tuple[str, tuple[float, float, float, float]]


def _objects(root: Path, name: str, picture: Path, problems: Problems) -> tuple[Path, list[Object]]:
    """The picture, and class and box of each of its objects."""
    path = root / "Annotations" / f"{name}.xml"
    if not path.exists():
        problems.add(str(picture), "no annotation", str(path))
        return picture, []
    size = size_of(picture)
    found = []
    for element in read_xml(path).all("object"):
        box = _box(element, path, size, problems)
        label = element.find("name")
        if label is None or not label.text.strip():
            problems.add(place(path, element.line), "an object without a name", "<name>class</name>")
        elif box is not None:
            found.append((label.text.strip(), box))
    return picture, found


def _box(
    element: Element, path: Path, size: tuple[int, int], problems: Problems
) -> tuple[float, float, float, float] | None:
    bounds = element.find("bndbox")
    where = place(path, (bounds or element).line)
    try:
        if bounds is None:
            raise ValueError
        left, top, right, bottom = (_number(bounds, key) for key in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError:
        problems.add(where, "an object without a box", "<bndbox> with xmin, ymin, xmax, ymax")
        return None
    width, height = size
    if right <= left or bottom <= top:
        problems.add(
            where, f"an empty box ({left:g}, {top:g}, {right:g}, {bottom:g})", "xmin < xmax and ymin < ymax"
        )
        return None
    if min(left, top) < -VOC_SLACK or right > width + VOC_SLACK or bottom > height + VOC_SLACK:
        box = f"({left:g}, {top:g}, {right:g}, {bottom:g})"
        problems.add(where, f"box {box} reaches outside the picture", f"a box within {width} x {height}")
        return None
    return max(0.0, left / width), max(0.0, top / height), min(1.0, right / width), min(1.0, bottom / height)


def _number(bounds: Element, key: str) -> float:
    child = bounds.find(key)
    if child is None:
        raise ValueError(key)
    return float(child.text)
