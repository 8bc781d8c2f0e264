"""The public names and signatures, as the design fixes them."""

from __future__ import annotations

import importlib.util
import inspect

import pytest

import initium

KEYWORD = inspect.Parameter.KEYWORD_ONLY

SIGNATURES = {
    "diagnose": (["model"], {"forward": None, "loss": None, "seed": 0}),
    "plan": (["model"], {"policy": "auto", "rules": (), "forward": None, "loss": None, "seed": 0}),
    "init_": (
        ["model", "inputs"],
        {"seed": 0, "policy": "auto", "rules": (), "forward": None, "loss": None},
    ),
    "repair_": (["model", "inputs"], {"seed": 0, "forward": None, "loss": None}),
    "fill_": (["target", "method"], {"seed": 0, "name": ""}),
    "assert_healthy": (["model"], {"fail_on": "error"}),
    "explain": (["name"], {"lang": "en"}),
    "gain": (["f"], {"convention": "second_moment"}),
    "Plan.apply": (["self", "model"], {"seed": 0}),
    "Plan.materialize": (["self", "meta_model"], {"seed": 0, "device": "cpu", "dtype": None}),
    "Plan.bind": (["self", "model"], {"seed": 0}),
}


def found(path: str) -> object:
    value: object = initium
    for name in path.split("."):
        value = getattr(value, name)
    if inspect.ismodule(value):  # a package that can be called as its verb
        value = getattr(value, path)
    return value


@pytest.mark.parametrize("path", SIGNATURES)
def test_signatures_are_those_of_the_design(path: str) -> None:
    plain, keywords = SIGNATURES[path]
    parameters = inspect.signature(found(path)).parameters  # type: ignore[arg-type]
    names = list(parameters)
    assert len(names[: len(plain)]) == len(plain)
    assert all(parameters[name].default is inspect.Parameter.empty for name in names[: len(plain)])
    for name, default in keywords.items():
        assert parameters[name].kind is KEYWORD, name
        assert parameters[name].default == default, name


@pytest.mark.parametrize("path", ["diagnose", "plan", "assert_healthy"])
def test_inputs_come_second_and_may_be_left_out_for_a_record(path: str) -> None:
    second = list(inspect.signature(found(path)).parameters.values())[1]  # type: ignore[arg-type]
    assert (second.name, second.default) == ("inputs", None)
    assert second.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def test_every_public_name_can_be_had() -> None:
    for name in dir(initium):
        assert getattr(initium, name) is not None, name


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        initium.nonsense  # noqa: B018


def test_names_are_documented() -> None:
    for name in dir(initium):
        if not name.startswith("_") and name != "annotations":
            assert inspect.getdoc(getattr(initium, name)), name


def test_the_drop_in_has_every_name_of_torch() -> None:
    import torch

    import initium.init as drop_in

    ours = vars(drop_in)
    for name in vars(torch.nn.init):
        if not name.startswith("_") and callable(getattr(torch.nn.init, name)) and name.endswith("_"):
            assert name in ours, name


def test_it_is_typed() -> None:
    spec = importlib.util.find_spec("initium")
    assert spec is not None
    assert spec.submodule_search_locations
    from pathlib import Path

    assert (Path(next(iter(spec.submodule_search_locations))) / "py.typed").exists()
