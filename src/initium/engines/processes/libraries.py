"""Which installed modules functions need, so that they can be loaded before the functions are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType

from initium.engines.reference import module_of

INSTALLED = ("site-packages", "dist-packages")
"""Directories of packages that are not edited while a program runs."""


def libraries_of(references: Iterable[str]) -> frozenset[str]:
    """Installed modules that the named functions are in, or that their modules use, as far as this process has them.

    The user's own files are looked into, and not among the answers: they may change, and do more than define things.

    Example:
        >>> import numpy
        >>> libraries_of(["numpy:zeros", "json:dumps", "not.loaded:make"])
        frozenset({'numpy'})
    """
    todo = [module for module in map(module_of, references) if module is not None]
    found, seen = set[str](), set[str]()
    while todo:
        module = todo.pop()
        if module.__name__ in seen or not (file := getattr(module, "__file__", None)):
            continue
        seen.add(module.__name__)
        if any(part in INSTALLED for part in Path(file).parts):
            found.add(module.__name__)
        elif module.__name__.partition(".")[0] not in sys.stdlib_module_names:
            todo += _used(module)
    return frozenset(found)


def _used(module: ModuleType) -> Iterator[ModuleType]:
    """Modules that what a module holds is, or comes from."""
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            yield value
        else:
            named = isinstance(value, type | FunctionType | BuiltinFunctionType)
            origin = sys.modules.get(str((value if named else type(value)).__module__))
            if origin is not None:
                yield origin
