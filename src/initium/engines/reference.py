"""Functions by reference: a text that another process finds the same function by.

The text is only ever made from a function that this program holds, or typed by its user; texts in plans, stores and
reports are never resolved.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from initium.errors import UsageError

HOME = "INITIUM_WORKING_DIR"
"""Set in the environment of a cluster's workers: the directory of the controller that they work in a copy of."""
REFERENCE_REMEDY = "define it with def at the top level of a module or a script file, and pass that"


def name_of(function: Callable[..., Any]) -> str:
    """The reference: `package.module:name`, or `/path/script.py:name` for a function of the running script.

    Raises:
        UsageError: a worker could not import it: a lambda, a function inside a function, one of an interactive session.

    Example:
        >>> import json
        >>> name_of(json.dumps)
        'json:dumps'
    """
    at = place_of(function)
    shown = (getattr(function, "__qualname__", None) or type(function).__name__) + (f" ({at})" if at else "")
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module is None or name is None or isinstance(function, functools.partial):
        raise _unreachable(f"{shown} is an object without a name", "a function or a class")
    if "<" in name:
        kind = "a lambda" if name.endswith("<lambda>") else "defined inside another function"
        raise _unreachable(f"{shown} is {kind}", "a function that a worker can import")
    if _member(sys.modules.get(module), name) is not function:
        raise _unreachable(
            f"{module}.{shown} is another object than the one given", "a function under its own name"
        )
    return f"{_script() if module == '__main__' else module}:{name}"


def place_of(function: Any) -> str:
    """File and line where a function or class is defined; "" where there are none.

    Example:
        >>> import json
        >>> place_of(json.dumps).partition(":")[0].endswith("json/__init__.py"), place_of(len)
        (True, '')
    """
    try:
        return f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]}"
    except (TypeError, OSError):
        return ""


def function_of(text: str) -> Any:
    """The function, or any object, that a reference names.

    Raises:
        UsageError: there is no such file, module or name, or the module raises when it is imported.
    """
    where, _, name = text.rpartition(":")
    if not where or not name:
        raise UsageError(
            f"{text!r} names no function",
            expected="package.module:function or file.py:function",
            remedy="write the module, a colon and the name of the function",
        )
    module = _loaded(Path(where)) if where.endswith(".py") else _imported(where, text)
    found = _member(module, name)
    if found is None:
        raise UsageError(
            f"{where} has no {name!r}", expected=f"a function {name!r} in it", remedy="check its name"
        )
    return found


def module_of(text: str) -> ModuleType | None:
    """The module that a reference names, if this process has loaded it."""
    where = text.rpartition(":")[0]
    return sys.modules.get(_name_of_file(_here(Path(where).absolute())) if where.endswith(".py") else where)


def _member(module: ModuleType | None, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _script() -> str:
    """What the running script can be imported as: a module started with -m, or its file."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # started with python -m
        return str(spec.name)
    path = getattr(main, "__file__", None)
    if path is None or not Path(path).is_file():
        raise _unreachable("the function is defined in an interactive session", "a function in a file")
    return str(Path(path).absolute())


def _imported(name: str, text: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UsageError(
            f"{text}: {name} cannot be imported ({type(error).__name__}: {error})",
            expected="a module that a new Python process can import",
            remedy="install it, run from its directory, or put that on PYTHONPATH",
        ) from error


def _loaded(path: Path) -> ModuleType:
    """A file as a module of its own name, so that its `if __name__ == "__main__"` part stays out; loaded once."""
    path = _here(path.absolute())
    name = _name_of_file(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"{path}: no such file", expected="a Python file", remedy="give its full path")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception):
            raise UsageError(
                f"{path} cannot be loaded ({type(error).__name__}: {error})",
                expected="a Python file that can be imported",
                remedy='put what the script does under `if __name__ == "__main__":`',
            ) from error
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def _name_of_file(path: Path) -> str:
    """The name that a file is loaded under."""
    digest = hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()
    return f"_initium_{path.stem}_{digest}"


def _here(path: Path) -> Path:
    """Where a file of the controller lies for this process."""
    home = os.environ.get(HOME)
    return Path.cwd() / path.relative_to(home) if home and path.is_relative_to(home) else path


def _unreachable(seen: str, expected: str) -> UsageError:
    return UsageError(f"{seen}: a worker cannot import it", expected=expected, remedy=REFERENCE_REMEDY)
