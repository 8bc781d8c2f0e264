"""Whether a call would bind, asked before it is made."""

from __future__ import annotations

import inspect
from typing import Any


def misfit(function: object, *args: Any, **kwargs: Any) -> str:
    """Why `function` cannot be called with these arguments; "" if it can. Nothing is called.

    Example:
        >>> misfit(lambda x: x, 1), misfit(lambda x: x), misfit(3)
        ('', "missing a required argument: 'x'", 'a int cannot be called')
    """
    if not callable(function):
        return f"a {type(function).__name__} cannot be called"
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    except ValueError:  # compiled code without a signature
        return ""
    return ""
