from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from initium.cli import model
from initium.cli.model import build, default_shape, is_detector
from initium.errors import UsageError

SOURCE = """
import neighbour_of_net
from dataclasses import dataclass
from torch import nn

@dataclass
class Config:
    width: int = 4

def make(width=4, depth=1):
    assert neighbour_of_net.HERE
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))

class Group:
    @staticmethod
    def make():
        return nn.Linear(2, 3)

READY = nn.Linear(5, 6)
NUMBER = 7

def fail():
    raise RuntimeError("no disk")

def text():
    return "text"
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "net.py").write_text(SOURCE)
    (tmp_path / "neighbour_of_net.py").write_text("HERE = True")
    (tmp_path / "broken.py").write_text("import there_is_no_such_module")
    yield tmp_path / "net.py"
    for name in set(sys.modules) - before:
        if "net" in name or "broken" in name:
            del sys.modules[name]


def test_a_function_in_a_file(net):
    model = build(f"{net}:make", {"width": 3, "depth": 2})
    assert [tuple(p.shape) for p in model.parameters()] == [(3, 3), (3,), (3, 3), (3,)]


def test_a_dotted_name_and_a_ready_module(net):
    assert build(f"{net}:Group.make", {}).weight.shape == (3, 2)
    assert build(f"{net}:READY", {}).weight.shape == (6, 5)


def test_a_function_in_a_module_of_this_folder(net, monkeypatch):
    monkeypatch.chdir(net.parent)
    assert build("net:make", {"width": 2})[0].weight.shape == (2, 2)
    assert build("torch.nn:Linear", {"in_features": 2, "out_features": 3}).weight.shape == (3, 2)


def test_the_same_seed_gives_the_same_model_and_torchs_generator_is_left_alone(net):
    state = torch.get_rng_state()
    one, two, other = (build(f"{net}:make", {}, seed=s)[0].weight for s in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("net", {}, "'net' names no model"),
        (":make", {}, "names no model"),
        ("FILE:", {}, "names no model"),
        ("https://example.org/net.py:make", {}, "names no model"),
        ("missing.py:make", {}, "there is no file 'missing.py'"),
        ("no_such_module_here:make", {}, "importing no_such_module_here raised ModuleNotFoundError"),
        ("BROKEN:make", {}, "importing .*broken.py raised ModuleNotFoundError"),
        ("FILE:mak", {}, "did you mean make"),
        ("FILE:NUMBER", {}, "is a int and cannot be called"),
        ("FILE:text", {}, "is a str"),
        ("FILE:fail", {}, r"raised RuntimeError: no disk \(.*net.py, line 23\)"),
        ("FILE:make", {"wide": 3}, r"make\(wide=3\) raised TypeError"),
        ("FILE:READY", {"x": 1}, "raised TypeError"),
        ("timm:resnet1", {}, "timm has no model 'resnet1'"),
        ("torchvision:resnet1", {}, "did you mean resnet"),
    ],
)
def test_errors_name_what_was_seen(net, target, arguments, message):
    target = target.replace("FILE", str(net)).replace("BROKEN", str(net.with_name("broken.py")))
    with pytest.raises(UsageError, match=message) as caught:
        build(target, arguments)
    assert caught.value.expected
    assert caught.value.remedy


def test_models_of_timm_and_torchvision_have_random_weights_and_a_usual_input():
    model = build("timm:resnet10t", {"num_classes": 3})
    assert isinstance(model, nn.Module)
    assert default_shape("timm:resnet10t", model)[0] == 3
    model = build("torchvision:squeezenet1_1", {"num_classes": 3})
    assert default_shape("torchvision:squeezenet1_1", model) == (3, 224, 224)
    assert default_shape("net.py:make", model) is None
    assert not is_detector(model)


@pytest.mark.parametrize(
    ("name", "outputs"), [("mlp8-tanh", (1, 10)), ("unet", (1, 5, 48, 48)), ("detector12", (1, 8, 12, 12))]
)
def test_standard_models_of_studies_are_made_for_their_task(name, outputs):
    model = build(name, {})
    shape = default_shape(name, model)
    assert model(torch.zeros(1, *shape)).shape == outputs
    with pytest.raises(UsageError, match="names no model"):
        build(name + "x", {})


def test_a_detector_is_built_without_fetching_its_backbone(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    assert is_detector(build("torchvision:ssdlite320_mobilenet_v3_large", {"num_classes": 2}))


def test_an_argument_of_the_user_comes_before_what_is_usual(monkeypatch):
    timm = SimpleNamespace(is_model=lambda name: True, create_model=lambda name, **given: given)
    monkeypatch.setattr(model, "_library", lambda name: timm)
    assert model._timm("timm", "any")(depth=3) == {"pretrained": False, "depth": 3}
    assert model._timm("timm", "any")(pretrained=True) == {"pretrained": True}


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        ("torchvision:inception_v3", (3, 299, 299)),
        ("torchvision:resnet18", (3, 224, 224)),
        ("net.py:make", None),
        ("mlp4-relu", (1, 14, 14)),
    ],
)
def test_the_usual_input_of_a_published_model(target, shape):
    assert default_shape(target, nn.Linear(1, 1)) == shape
