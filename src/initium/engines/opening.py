"""Engines by name."""

from __future__ import annotations

from typing import Any

from initium.engines.engine import Engine
from initium.engines.processes.process_engine import ProcessEngine
from initium.engines.serial import SerialEngine
from initium.errors import unknown_name

ENGINES = ("processes", "serial", "ray")


def open_engine(name: str = "processes", **options: Any) -> Engine:
    """An engine by name, to be used in a `with` statement.

    Args:
        name: "processes", "serial" or "ray".
        **options: arguments of its class, such as `num_workers` and `limits`.

    Raises:
        UnknownNameError: no such engine.
        MissingExtraError: "ray", and ray is not installed.
    """
    if name == "processes":
        return ProcessEngine(**options)
    if name == "serial":
        return SerialEngine(**options)
    if name == "ray":
        from initium.engines.ray.ray_engine import RayEngine

        return RayEngine(**options)
    raise unknown_name("engine", name, ENGINES)
