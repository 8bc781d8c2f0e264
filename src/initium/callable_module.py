"""Packages that share their name with their main function: `initium.plan` is the package and can be called."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A package that, when called, calls the function of its own name.

    The import system binds `initium.plan` to the package; the public API promises a function of that name. Both are
    true of a package of this class, whichever is asked for first.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function that bears the package's name."""
        return self._function()(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        """That of the function, for `help` and editors."""
        return inspect.signature(self._function())

    def _function(self) -> Any:
        return vars(self)[self.__name__.rpartition(".")[2]]
