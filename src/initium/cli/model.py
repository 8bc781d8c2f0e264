"""The argument MODEL: which model is meant, and how it is built. What it names is executed."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from initium.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from initium.study.tasks import Task

MODEL_FORMS = (
    "a standard model such as cnn20-relu, timm:NAME, torchvision:NAME, "
    "file.py:factory or package.module:factory"
)


def build(target: str, arguments: Mapping[str, Any], *, seed: int = 0) -> nn.Module:
    """The model that `target` names, with random weights drawn under `seed`.

    Args:
        target: one of `MODEL_FORMS`. A file or module named here is imported, and its factory called.
        arguments: keyword arguments of the factory.
        seed: for torch's generator while the factory runs, so that the same command shows the same model.
    """
    source, _, name = target.rpartition(":")
    task = standard_task(target)
    if task is None and (not source or not name or "://" in target):
        raise UsageError(
            f"{target!r} names no model",
            expected=MODEL_FORMS,
            remedy="see the examples in `initium diagnose --help`",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # noqa: TID251 - forked, and the factory knows no other generator
        makers = {"timm": _timm, "torchvision": _torchvision}
        factory = partial(task.make_model, name) if task else makers.get(source, _named)(source, name)
        model = _call(target, factory, arguments)
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{target} is a {type(model).__name__}",
            expected="a factory that returns a torch.nn.Module, or such a module",
            remedy="name the function or class that makes the model",
        )
    return model


def is_detector(model: nn.Module) -> bool:
    """Whether `model` is one of torchvision's detectors, which take lists of images and of targets."""
    return any(kind.__module__.startswith("torchvision.models.detection") for kind in type(model).__mro__)


def default_shape(target: str, model: nn.Module) -> tuple[int, ...] | None:
    """The input that a model of timm, of torchvision or of a study was made for; None for the user's own models."""
    task = standard_task(target)
    if task is not None:
        return task.shape
    if target.startswith("timm:"):
        config = getattr(model, "pretrained_cfg", None) or {}
        return tuple(config.get("input_size", (3, 224, 224)))
    if target.startswith("torchvision:"):
        return (3, 299, 299) if "inception" in target else (3, 224, 224)
    return None


def standard_task(target: str) -> Task | None:
    """The embedded task that a standard model of studies is made for; None where `target` names none."""
    if ":" in target:
        return None
    from initium.study.tasks import open_task
    from initium.study.tasks.kinds import kind_of_model

    try:
        kind = kind_of_model(target)
    except UsageError:
        return None
    return open_task(kind.name)


def _call(target: str, factory: object, arguments: Mapping[str, Any]) -> object:
    if isinstance(factory, nn.Module) and not arguments:
        return factory
    if not callable(factory):
        raise UsageError(
            f"{target} is a {type(factory).__name__} and cannot be called",
            expected="a function or class that makes the model",
            remedy="name such a factory",
        )
    try:
        return factory(**arguments)
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise UsageError(
            f"{target}({given}) raised {type(error).__name__}: {error}{_place(error)}",
            expected="a factory that returns a model for these arguments",
            remedy="pass what it needs with --arg key=value, or correct it",
        ) from error


def _place(error: BaseException) -> str:
    """Where in foreign code an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename == __file__:
        return ""
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _timm(source: str, name: str) -> Callable[..., object]:
    timm = _library(source)
    if not timm.is_model(name):
        raise _unknown(source, name, timm.list_models())
    return lambda **arguments: timm.create_model(name, **{"pretrained": False, **arguments})


def _torchvision(source: str, name: str) -> Callable[..., object]:
    models = importlib.import_module(f"{_library(source).__name__}.models")
    known = models.list_models()
    if name not in known:
        raise _unknown(source, name, known)
    builder = models.get_model_builder(name)
    # without this a detector would fetch trained weights for its backbone
    nothing = {
        key: None for key in ("weights", "weights_backbone") if key in inspect.signature(builder).parameters
    }
    return lambda **arguments: builder(**{**nothing, **arguments})


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"the package {name} is not installed",
            expected=f"{name}, to build models named {name}:NAME",
            remedy="pip install 'initium[vision]'",
        ) from error


def _unknown(library: str, name: str, known: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return UsageError(
        f"{library} has no model {name!r}",
        expected=f"one of its {len(known)} names",
        remedy=f"did you mean {' or '.join(near)}?" if near else f"see {library}'s own list of models",
    )


def _named(source: str, name: str) -> object:
    """The attribute `name` (dots allowed) of a file or module."""
    found: object = _module(source)
    for part in name.split("."):
        if not hasattr(found, part):
            public = [key for key in dir(found) if not key.startswith("_")]
            near = difflib.get_close_matches(part, public, n=3, cutoff=0.5)
            raise UsageError(
                f"{source} has no {name!r}",
                expected="the name of a function or class in it",
                remedy=f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(public[:8])}",
            )
        found = getattr(found, part)
    return found


def _module(source: str) -> ModuleType:
    try:
        if source.endswith(".py"):
            return _from_file(Path(source))
        _put_first(Path.cwd())
        return importlib.import_module(source)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"importing {source} raised {type(error).__name__}: {error}{_place(error)}",
            expected="a Python file (its name ends in .py) or an installed module",
            remedy="correct it, or check its name and the directory you are in",
        ) from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}", expected=MODEL_FORMS, remedy="check the path")
    name = f"initium_cli_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _put_first(path.resolve().parent)  # so that the file can import its neighbours
    sys.modules[name] = module  # dataclasses in the file look themselves up there
    spec.loader.exec_module(module)
    return module


def _put_first(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
