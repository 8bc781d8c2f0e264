"""What is asked of an operation beside its category: against schemas, arithmetic and what activations do."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import initium
from initium.record.tape import ops

SOURCES = Path(initium.__file__).parent
TABLES = [
    value for name, value in vars(ops).items() if name.isupper() and isinstance(value, (frozenset, dict))
]
NAMES = {name for table in TABLES for name in table if "." in name}
KINDS = set(ops.ACTIVATIONS.values()) | set(ops.NORMS.values())
ALL = sorted(f"aten.{name}" for name in dir(torch.ops.aten) if not name.startswith("__"))
"""Every operation that torch has loaded so far, the tables' own among them."""


def strings(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def asks_kind(node: ast.Compare) -> bool:
    """Whether a comparison is about the kind of a node; that of a layer or a part is another word."""
    sides = [side for side in (node.left, *node.comparators) if isinstance(side, ast.Attribute)]
    return any(side.attr == "kind" and not ast.unparse(side).endswith("layer.kind") for side in sides)


def test_no_other_file_names_an_operation() -> None:
    found = []
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text()) if path != Path(ops.__file__) else ast.Module([], [])
        named = [text for text in strings(tree) if text in NAMES or text.startswith(("aten.", "aten::"))]
        found += [f"{path.relative_to(SOURCES)}: {text}" for text in named]
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                inside = [
                    side for side in ast.walk(node) if isinstance(side, ast.Attribute) and side.attr == "op"
                ]
                if inside:
                    found += [f"{path.relative_to(SOURCES)}: {text}" for text in strings(node)]
                elif asks_kind(node):
                    found += [
                        f"{path.relative_to(SOURCES)}: {text}" for text in strings(node) if text in KINDS
                    ]
    assert not found


def test_the_tables_of_operations_do_not_overlap_where_one_answer_is_asked() -> None:
    tables = [
        ops.CONVOLUTIONS, ops.RECURRENT, ops.MATMULS, ops.LOOKUPS, ops.ACTIVATIONS, ops.NORMS, ops.SOFTMAXES,
        ops.ATTENTIONS, ops.ADDS, ops.MULS, ops.CONCATS, ops.POOLS, ops.COPIES,
    ]  # fmt: skip
    names = [name for table in tables for name in table]
    assert len(names) == len(set(names))


def test_every_set_within_a_table_is_a_part_of_it() -> None:
    assert ops.PLAIN_SUMS < ops.ADDS
    assert ops.PLAIN_PRODUCTS < ops.MULS
    assert ops.BIAS_FIRST < ops.MATMULS
    assert ops.CHOOSING | ops.SHUFFLES < ops.COPIES
    assert not ops.CHOOSING & ops.SHUFFLES
    assert {ops.categorize(name) for name in ops.SELECTIONS | set(ops.LINKS)} <= {"opaque", "activation"}
    kinds = set(ops.ACTIVATIONS.values())
    for some in (
        ops.SQUASHING,
        ops.GATING,
        ops.RECIPROCALS,
        ops.PARAMETRIC,
        ops.TWO_NUMBERS,
        ops.PAIRING,
        ops.DEADLY,
    ):
        assert some <= kinds
    assert ops.LAYER_NORMS < ops.SAMPLE_NORMS < set(ops.NORMS.values())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(ops.multiplies, {"aten.mul"}), (ops.divides, {"aten.div"}), (ops.subtracts, {"aten.sub"}),
     (ops.is_dropout, {"aten.native_dropout"}), (ops.is_linear, {"aten.linear"})],
)  # fmt: skip
def test_predicates_of_one_operation(asked, expected: set[str]) -> None:
    assert {name for name in ALL if asked(name)} == expected


def test_arithmetic_is_told_apart_by_what_it_does() -> None:
    x, y = torch.tensor(6.0), torch.tensor(4.0)
    results = {10.0: "sum", 2.0: "difference", 24.0: "product", 1.5: "quotient"}
    words = {
        name: results[float(ops.aten_function(name)(x, y))] for name in ops.PLAIN_SUMS | ops.PLAIN_PRODUCTS
    }
    for name, word in words.items():
        assert ops.subtracts(name) == (word == "difference")
        assert ops.divides(name) == (word == "quotient")
        assert ops.multiplies(name) == (word == "product")
        assert (name in ops.PLAIN_SUMS) == (word in ("sum", "difference"))


@pytest.mark.parametrize("name", sorted(ops.BIAS_FIRST | ops.CONVOLUTIONS | {"aten.linear"}))
def test_the_bias_stands_where_the_schema_of_the_operation_says(name: str) -> None:
    space, short = name.split(".")
    if space == "torchvision":
        pytest.importorskip("torchvision")
    arguments = [one.name for one in getattr(getattr(torch.ops, space), short).default._schema.arguments]
    assert arguments[ops.bias_place(name)] == ("bias" if "bias" in arguments else "self")


def test_the_lookup_with_a_padding_row_has_it_first_among_its_numbers() -> None:
    for name in ops.LOOKUPS:
        arguments = ops.aten_function(name).default._schema.arguments
        numbers = [one.name for one in arguments if str(one.type) in ("int", "float")]
        assert ops.has_padding_row(name) == (numbers[0] == "padding_idx")


def test_what_samples_takes_its_places_second() -> None:
    pytest.importorskip("torchvision")
    asked = {"aten.grid_sampler_2d": "grid", "aten.grid_sampler_3d": "grid", "torchvision.roi_align": "rois",
             "torchvision.roi_pool": "rois", "torchvision.deform_conv2d": "weight"}  # fmt: skip
    for name, second in asked.items():
        space, short = name.split(".")
        packet = getattr(getattr(torch.ops, space), short)
        overload = packet.default if hasattr(packet, "default") else packet
        assert overload._schema.arguments[1].name == second
        assert ops.samples_at_places(name)
        assert ops.is_grid_sampler(name) == (second == "grid")
        assert ops.crops_regions(name) == (second == "rois")
        assert ops.is_deformable(name) == (second == "weight")
    others = [name for name in ALL if "grid_sampler" not in name]
    assert not [name for name in others if ops.samples_at_places(name) or ops.is_grid_sampler(name)]


def test_upsampling_convolution_and_maxima_of_the_tables() -> None:
    assert {name for name in ops.POOLS if ops.upsamples(name)} == {
        name for name in ops.POOLS if name.split(".")[1].lstrip("_").startswith("upsample")
    }
    assert {name for name in NAMES if ops.convolves(name)} == ops.CONVOLUTIONS - {"torchvision.deform_conv2d"}
    chosen = {name for name in ops.POOLS if ops.takes_maximum(name)}
    assert chosen == {"aten.max_pool2d_with_indices", "aten.adaptive_max_pool2d", "aten.max_pool3d_with_indices",
                      "aten.amax", "aten.max"}  # fmt: skip


def activation(kind: str, x: Tensor) -> Tensor:
    numbers = {"leaky_relu": [0.1], "threshold": [0.0, 0.0], "clamp_min": [0.0], "pow": [-2.0]}.get(kind, [])
    name = next(name for name, known in ops.ACTIVATIONS.items() if known == kind)
    if kind == "prelu":
        return torch.prelu(x, torch.full((1,), 0.25, dtype=x.dtype))
    if kind == "rrelu":
        return torch.rrelu(x, 0.2, 0.2)
    if kind == "glu":
        return torch.nn.functional.glu(torch.stack([x, torch.full_like(x, 30.0)]), dim=0)[0]
    return ops.aten_function(name)(x, *numbers)


@pytest.mark.parametrize("kind", sorted(ops.HOMOGENEOUS - {"identity"}))
def test_homogeneous_activations_scale_with_what_they_are_given(kind: str) -> None:
    x = torch.linspace(-3, 3, 61, dtype=torch.float64)
    assert torch.allclose(activation(kind, 2.5 * x), 2.5 * activation(kind, x))


@pytest.mark.parametrize("kind", sorted(ops.GROWING - {"identity"}))
def test_growing_activations_grow_in_proportion_where_it_is_large(kind: str) -> None:
    large = torch.tensor([40.0], dtype=torch.float64)
    assert float(activation(kind, 2 * large) / activation(kind, large)) == pytest.approx(2.0, rel=1e-6)
    x = torch.linspace(-30, 30, 601, dtype=torch.float64)
    assert bool((activation(kind, x).abs() <= x.abs() + 1e-12).all())


@pytest.mark.parametrize("kind", sorted(ops.SQUASHING | ops.GATING | set(ops.SATURATING)))
def test_bounded_activations_reach_their_bounds_and_stay_within(kind: str) -> None:
    low, high = ops.SATURATING[kind]
    y = activation(kind, torch.linspace(-40, 40, 801, dtype=torch.float64))
    assert float(y.min()) == pytest.approx(low, abs=1e-9)
    assert float(y.max()) == pytest.approx(high, abs=1e-9)


def test_reciprocals_and_powers() -> None:
    x = torch.tensor([4.0])
    assert {kind: float(activation(kind, x)) for kind in ops.RECIPROCALS} == {
        "rsqrt": 0.5,
        "reciprocal": 0.25,
    }
    assert [kind for kind in KINDS if ops.is_power(kind)] == ["pow"]
    assert [kind for kind in KINDS if ops.is_sigmoid(kind)] == ["sigmoid"]
    assert float(activation("pow", x)) == 1 / 16


@pytest.mark.parametrize("name", sorted(ops.SHUFFLES - {"aten.col2im"}))
def test_shuffles_hand_on_values_that_they_were_given(name: str) -> None:
    x = torch.arange(1.0, 65.0).reshape(1, 4, 4, 4)
    index = torch.tensor([3, 0, 2])
    arguments = {
        "aten.channel_shuffle": [2], "aten.pixel_shuffle": [2], "aten.pixel_unshuffle": [2], "aten.roll": [[1], [1]],
        "aten.flip": [[1]], "aten.index": [[None, index]], "aten._unsafe_index": [[None, index]],
        "aten.index_select": [1, index], "aten.gather": [1, index.reshape(1, 3, 1, 1)], "aten.repeat": [[1, 2, 1, 1]],
        "aten.im2col": [[2, 2], [1, 1], [0, 0], [2, 2]],
    }[name]  # fmt: skip
    y = ops.aten_function(name)(x, *arguments)
    assert set(y.flatten().tolist()) <= set(x.flatten().tolist())
    assert y.shape != x.shape or not torch.equal(y, x)


def test_links_are_the_functions_of_the_losses() -> None:
    scores, target = torch.tensor([[0.3, -1.2]]), torch.tensor([[1.0, 0.0]])
    sigmoid = -(target * scores.sigmoid().log() + (1 - target) * (1 - scores.sigmoid()).log()).mean()
    softmax = -scores.softmax(1).log()[0, 0]
    assert math.isclose(
        ops.aten_function("aten.binary_cross_entropy_with_logits")(scores, target), sigmoid, rel_tol=1e-6
    )
    assert math.isclose(
        ops.aten_function("aten.cross_entropy_loss")(scores, torch.tensor([0])), softmax, rel_tol=1e-6
    )
    assert torch.allclose(ops.aten_function("aten.log_sigmoid_forward")(scores)[0], scores.sigmoid().log())
    assert [ops.LINKS[name] for name in sorted(ops.LINKS)] == ["sigmoid", "softmax", "sigmoid"]
