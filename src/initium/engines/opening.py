"""Engines by name."""

from __future__ import annotations

from typing import Any

from initium.engines.engine import Engine, EngineKind, checked
from initium.engines.processes.process_engine import ProcessEngine
from initium.engines.serial import SerialEngine
from initium.errors import unknown_name


def _open_ray(**options: Any) -> Engine:
    """Ray is optional, so that its module is imported only where it is asked for."""
    from initium.engines.ray.ray_engine import RayEngine

    return RayEngine(**options)


ENGINES: tuple[EngineKind, ...] = (
    EngineKind("processes", ProcessEngine, takes=("num_workers", "limits")),
    EngineKind("serial", SerialEngine),
    EngineKind("ray", _open_ray, takes=("num_workers", "limits", "address", "working_dir")),
)
"""Every engine that can be named; the first one is the default."""


def engine_names() -> tuple[str, ...]:
    """The names of all engines.

    Example:
        >>> engine_names()
        ('processes', 'serial', 'ray')
    """
    return tuple(kind.name for kind in ENGINES)


def find_engine(name: str) -> EngineKind:
    """The engine of that name, not opened yet.

    Raises:
        UnknownNameError: there is none.
    """
    for kind in ENGINES:
        if kind.name == name:
            return kind
    raise unknown_name("engine", name, engine_names())


def open_engine(name: str = "processes", **options: Any) -> Engine:
    """An engine by name, to be used in a `with` statement.

    Args:
        name: one of `ENGINES`: "processes", "serial" or "ray".
        **options: arguments of its class, such as `num_workers` and `limits`.

    Raises:
        UnknownNameError: no such engine.
        ContractError: what was opened is no engine.
        MissingExtraError: "ray", and ray is not installed.
    """
    return checked(find_engine(name).open(**options))
