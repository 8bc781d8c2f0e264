"""The contract of torch.nn.init, kept by initium.init."""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.init as theirs
from scipy import stats
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from initium import init as ours
from initium.random import kernel

RANDOM = ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_"]
RANDOM += ["kaiming_normal_", "orthogonal_", "sparse_"]
OLD = [name for name in theirs.__all__ if not name.endswith("_") and name != "calculate_gain"]
BACK_ENDS = ["torch", *(kernel.kernel().variants[-1:] if kernel.kernel() else ())]


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> object:
    with kernel.forced(request.param):
        yield request.param


def call(name: str, tensor: Tensor, **arguments: Any) -> Tensor:
    extra = {"sparsity": 0.3} if name == "sparse_" else {}
    result = getattr(ours, name)(tensor, **extra, **arguments)
    assert result is tensor
    return tensor


def outcome(function: Callable[..., object], *arguments: Any, **named: Any) -> tuple[object, ...]:
    """What a call raises and warns, to be compared."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            function(*arguments, **named)
        except Exception as error:  # noqa: BLE001
            said: tuple[object, ...] = (type(error), str(error))
        else:
            said = ("fine",)
    return (*said, *((warning.category, str(warning.message)) for warning in caught))


def test_the_same_names_with_the_same_arguments() -> None:
    assert set(ours.__all__) == set(theirs.__all__)
    for name in theirs.__all__:
        if name.endswith("_") or name == "calculate_gain":
            found = inspect.signature(getattr(ours, name)).parameters
            expected = inspect.signature(getattr(theirs, name)).parameters
            assert [(p.name, p.default, p.kind) for p in found.values()] == [
                (p.name, p.default, p.kind) for p in expected.values()
            ], name


@pytest.mark.parametrize("old", OLD)
def test_deprecated_names_warn_and_work(old: str) -> None:
    arguments = {"constant": (0.5,), "sparse": (0.1,)}.get(old, ())
    shape = (4, 4, 3) if old == "dirac" else (4, 4)
    expected = outcome(getattr(theirs, old), torch.empty(shape), *arguments)

    assert outcome(getattr(ours, old), torch.empty(shape), *arguments) == expected
    assert expected[1] == (FutureWarning, f"`nn.init.{old}` is now deprecated in favor of `nn.init.{old}_`.")


BAD_CALLS: list[tuple[str, Tensor, tuple[Any, ...]]] = [
    ("normal_", torch.empty(4), (0.0, -1.0)),
    ("normal_", torch.empty(4), (0.0, math.nan)),
    ("normal_", torch.empty(4, dtype=torch.int64), ()),
    ("normal_", torch.empty(1).expand(4), ()),
    ("uniform_", torch.empty(4), (1.0, 0.0)),
    ("uniform_", torch.empty(4), (0.0, math.inf)),
    ("uniform_", torch.empty(4), (math.nan, 1.0)),
    ("uniform_", torch.empty(4, dtype=torch.float16), (0.0, 1e5)),
    ("uniform_", torch.empty(4, dtype=torch.int32), ()),
    ("uniform_", torch.empty(1).expand(4), ()),
    ("trunc_normal_", torch.empty(4), (0.0, 1.0, 2.0, -2.0)),
    ("trunc_normal_", torch.empty(4), (0.0, 0.0)),
    ("trunc_normal_", torch.empty(4), (9.0, 1.0)),
    ("trunc_normal_", torch.empty(4), (-9.0, 1.0)),
    ("trunc_normal_", torch.empty(4, device="meta"), (-9.0, 1.0)),
    ("trunc_normal_", torch.empty(4, dtype=torch.int64), ()),
    ("trunc_normal_", torch.empty(4, dtype=torch.complex64), ()),
    ("eye_", torch.empty(4), ()),
    ("dirac_", torch.empty(4, 4), ()),
    ("dirac_", torch.empty(4, 4, 3), (3,)),
    ("dirac_", torch.empty(4, 4, 3), (0,)),
    ("xavier_uniform_", torch.empty(4), ()),
    ("xavier_normal_", torch.empty(()), ()),
    ("xavier_normal_", torch.empty(4, 4), (-1.0,)),
    ("xavier_normal_", torch.empty(0, 0), ()),
    ("kaiming_uniform_", torch.empty(4), ()),
    ("kaiming_uniform_", torch.empty(0, 4), ()),
    ("kaiming_normal_", torch.empty(4, 0), ()),
    ("kaiming_normal_", torch.empty(4, 4), (0, "fan_sideways")),
    ("kaiming_normal_", torch.empty(4, 4), (0, "fan_in", "swish")),
    ("kaiming_normal_", torch.empty(4, 4), ("steep",)),
    ("orthogonal_", torch.empty(4), ()),
    ("orthogonal_", torch.empty(0, 4), ()),
    ("orthogonal_", torch.empty(4, 4, dtype=torch.int64), ()),
    ("sparse_", torch.empty(4), (0.5,)),
    ("sparse_", torch.empty(4, 4), (0.5, -1.0)),
    ("sparse_", torch.empty(4, 4, dtype=torch.int64), (0.5,)),
    ("constant_", torch.empty(1).expand(4), (1.0,)),
]


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize(("name", "tensor", "arguments"), BAD_CALLS)
def test_the_same_errors_and_warnings(name: str, tensor: Tensor, arguments: tuple[Any, ...]) -> None:
    expected = outcome(getattr(theirs, name), tensor, *arguments)

    assert outcome(getattr(ours, name), tensor, *arguments) == expected


def test_an_inference_tensor_outside_inference_mode_is_an_error_as_before() -> None:
    with torch.inference_mode():
        tensor = torch.empty(4, 4)
        ours.normal_(tensor)
    for name in RANDOM:
        arguments = (0.5,) if name == "sparse_" else ()
        found = outcome(getattr(ours, name), tensor, *arguments)
        assert found[0] is RuntimeError, name
        assert found == outcome(getattr(theirs, name), tensor, *arguments)


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
class TestKeys:
    """The key comes from the generator, or from torch's default one."""

    def test_the_generator_governs(self, name: str, dtype: torch.dtype) -> None:
        first, second = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        state = torch.get_rng_state()
        a, b, c = (torch.zeros(20, 30, dtype=dtype) for _ in range(3))
        call(name, a, generator=first)
        call(name, b, generator=second)
        call(name, c, generator=first)

        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert torch.equal(torch.get_rng_state(), state)

    def test_manual_seed_governs_without_one(self, name: str, dtype: torch.dtype) -> None:
        torch.manual_seed(3)
        a = call(name, torch.zeros(20, 30, dtype=dtype))
        b = call(name, torch.zeros(20, 30, dtype=dtype))
        torch.manual_seed(3)

        assert torch.equal(call(name, torch.zeros(20, 30, dtype=dtype)), a)
        assert torch.equal(call(name, torch.zeros(20, 30, dtype=dtype)), b)
        assert not torch.equal(a, b)
        generator = torch.Generator().manual_seed(3)
        assert torch.equal(call(name, torch.zeros(20, 30, dtype=dtype), generator=generator), a)

    def test_one_cast_of_the_fp32_draw(self, name: str, dtype: torch.dtype) -> None:
        exact = call(name, torch.zeros(20, 30), generator=torch.Generator().manual_seed(3))
        found = call(name, torch.zeros(20, 30, dtype=dtype), generator=torch.Generator().manual_seed(3))

        if name == "orthogonal_" and dtype == torch.float64:
            torch.testing.assert_close(found, exact.double(), rtol=0, atol=1e-6)
            assert float((found @ found.T - torch.eye(20)).abs().max()) < 1e-14
        else:
            assert torch.equal(found, exact.to(dtype))

    def test_strides_do_not_matter(self, name: str, dtype: torch.dtype) -> None:
        plain = call(name, torch.zeros(20, 30, dtype=dtype), generator=torch.Generator().manual_seed(3))
        for view in (torch.zeros(30, 20, dtype=dtype).T, torch.zeros(40, 60, dtype=dtype)[::2, ::2]):
            call(name, view, generator=torch.Generator().manual_seed(3))
            if name == "orthogonal_" and dtype == torch.float32:
                torch.testing.assert_close(view, plain, rtol=0, atol=1e-6)
            else:
                assert torch.equal(view, plain)


def test_the_back_ends_agree() -> None:
    for name, (shape) in itertools.product(RANDOM, [(20, 30), (3, 700)]):
        found = []
        for back_end in BACK_ENDS:
            with kernel.forced(back_end):
                found.append(call(name, torch.zeros(shape), generator=torch.Generator().manual_seed(1)))
        for other in found[1:]:
            torch.testing.assert_close(other, found[0], rtol=0, atol=1e-6 if name == "orthogonal_" else 0)


def test_threads_change_nothing() -> None:
    alone = ours.normal_(torch.empty(1_500_000), generator=torch.Generator().manual_seed(1))
    torch.set_num_threads(2)
    try:
        assert torch.equal(
            ours.normal_(torch.empty(1_500_000), generator=torch.Generator().manual_seed(1)), alone
        )
    finally:
        torch.set_num_threads(1)


@pytest.mark.usefixtures("back_end")
class TestDistributions:
    """Kolmogorov-Smirnov, with fixed seeds, p > 1e-4."""

    @staticmethod
    def fits(tensor: Tensor, distribution: str, *arguments: float) -> None:
        assert stats.kstest(tensor.double().flatten().numpy(), distribution, args=arguments).pvalue > 1e-4

    @staticmethod
    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(11)

    def test_uniform(self) -> None:
        self.fits(ours.uniform_(torch.empty(50_000), -2.0, 3.0, self.generator()), "uniform", -2.0, 5.0)

    def test_normal(self) -> None:
        self.fits(ours.normal_(torch.empty(50_000), -2.0, 3.0, self.generator()), "norm", -2.0, 3.0)

    @pytest.mark.parametrize(
        ("mean", "std", "a", "b"),
        [
            (0.0, 1.0, -2.0, 2.0),
            (0.0, 0.02, -2.0, 2.0),
            (0.0, -1.0, -2.0, 2.0),  # torch takes the magnitude
            (1.0, 2.0, -1.0, 1.5),
            (0.0, 1.0, 2.0, 3.0),
            (0.0, 1.0, -30.0, -29.0),
            (0.5, 1.0, -math.inf, 1.0),
            (5.0, 1.0, -math.inf, -9.5),
        ],
    )
    @pytest.mark.filterwarnings("ignore:mean is more than 2 std")
    def test_trunc_normal(self, mean: float, std: float, a: float, b: float) -> None:
        x = ours.trunc_normal_(torch.empty(50_000), mean, std, a, b, self.generator())

        assert a <= float(x.min())
        assert float(x.max()) <= b
        spread = abs(std)
        self.fits((x.double() - mean) / spread, "truncnorm", (a - mean) / spread, (b - mean) / spread)

    @pytest.mark.parametrize("shape", [(200, 100), (50, 20, 5, 5)])
    @pytest.mark.parametrize("mode", ["fan_in", "fan_out", "FAN_IN"])
    def test_scaled_families(self, shape: tuple[int, ...], mode: str) -> None:
        tensor, taps = torch.empty(shape), math.prod(shape[2:])
        fan_in, fan_out = shape[1] * taps, shape[0] * taps
        fan = fan_out if mode == "fan_out" else fan_in
        he, glorot = math.sqrt(2 / (1 + 0.3**2) / fan), 1.7 * math.sqrt(2 / (fan_in + fan_out))
        bound = he * math.sqrt(3)
        self.fits(ours.kaiming_normal_(tensor, 0.3, mode, generator=self.generator()), "norm", 0, he)
        self.fits(
            ours.kaiming_uniform_(tensor, 0.3, mode, generator=self.generator()), "uniform", -bound, 2 * bound
        )
        bound = glorot * math.sqrt(3)
        self.fits(ours.xavier_normal_(tensor, 1.7, generator=self.generator()), "norm", 0, glorot)
        self.fits(ours.xavier_uniform_(tensor, 1.7, generator=self.generator()), "uniform", -bound, 2 * bound)

    def test_uniform_stays_below_its_upper_end(self) -> None:
        x = ours.uniform_(torch.empty(200_000), 0.0, 1.0, self.generator())
        narrow = ours.uniform_(torch.empty(1000, dtype=torch.float64), 1.0, 1.0 + 1e-12, self.generator())

        assert float(x.min()) >= 0.0
        assert float(x.max()) < 1.0
        assert (narrow == 1.0).all()


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (20, 2, 3, 4), (2, 3, 4, 5), (130, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_orthogonal(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    found = ours.orthogonal_(torch.empty(shape, dtype=dtype), gain=1.5).double().flatten(1)
    q = (found if found.shape[0] >= found.shape[1] else found.T) / 1.5
    limit = {torch.float32: 2e-6, torch.float64: 1e-14, torch.bfloat16: 2e-2, torch.float16: 2e-3}[dtype]

    assert float((q.T @ q - torch.eye(q.shape[1])).abs().max()) < limit


@pytest.mark.usefixtures("back_end")
@pytest.mark.parametrize("sparsity", [-0.3, 0.0, 0.1, 0.25, 0.8, 1.0, 1.5])
def test_sparse(sparsity: float) -> None:
    torch.manual_seed(0)
    found, expected = torch.empty(40, 30), torch.empty(40, 30)
    zeros = (ours.sparse_(found, sparsity, 0.5) == 0).sum(0)
    expected_zeros = (theirs.sparse_(expected, sparsity, 0.5) == 0).sum(0)

    assert torch.equal(zeros, expected_zeros)
    if zeros[0] < 20:
        assert stats.kstest(found[found != 0].numpy(), "norm", args=(0, 0.5)).pvalue > 1e-4


def test_sparse_draws_its_zeros_from_the_generator() -> None:
    torch.manual_seed(1)
    a = ours.sparse_(torch.empty(30, 20), 0.5, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(2)
    b = ours.sparse_(torch.empty(30, 20), 0.5, generator=torch.Generator().manual_seed(5))

    assert torch.equal(a, b)


@pytest.mark.parametrize("kernel_size", [(3,), (4, 3), (1, 2, 5)])
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("inputs", [1, 2, 9])
def test_dirac_is_torchs(kernel_size: tuple[int, ...], groups: int, inputs: int) -> None:
    shape = (12, inputs, *kernel_size)
    expected = theirs.dirac_(torch.empty(shape), groups)

    assert torch.equal(ours.dirac_(torch.empty(shape), groups), expected)
    turned = torch.empty(shape[::-1]).permute(*range(len(shape) - 1, -1, -1))
    assert torch.equal(ours.dirac_(turned, groups), expected)


@pytest.mark.parametrize("name", RANDOM)
def test_tensors_that_torch_takes_without_memory(name: str) -> None:
    assert call(name, torch.empty(4, 4, device="meta")).is_meta
    if name == "trunc_normal_":
        return  # torch's own looks at the values
    with FakeTensorMode():
        fake = torch.empty(4, 4)
        assert call(name, fake) is fake


def test_complex_normals_are_torchs() -> None:
    torch.manual_seed(0)
    found = ours.normal_(torch.empty(10, dtype=torch.complex64))
    torch.manual_seed(0)

    assert torch.equal(found, theirs.normal_(torch.empty(10, dtype=torch.complex64)))


@pytest.mark.parametrize("name", ["uniform_", "normal_", "kaiming_uniform_"])
def test_subclasses_take_over(name: str) -> None:
    class Told(Tensor):
        @classmethod
        def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return "told", function, kwargs

    said, function, kwargs = getattr(ours, name)(torch.empty(2, 2).as_subclass(Told))

    assert said == "told"
    assert function is getattr(ours, name)
    assert "tensor" in kwargs


def test_under_a_function_transform() -> None:
    def draw(x: Tensor) -> Tensor:
        return ours.normal_(torch.empty_like(x)) + 0 * x

    assert torch.vmap(draw, randomness="different")(torch.zeros(3, 4)).shape == (3, 4)
    assert torch.func.grad(lambda x: draw(x).sum())(torch.zeros(4)).tolist() == [0.0] * 4


def test_parameters_keep_their_place_in_the_graph() -> None:
    layer = torch.nn.Linear(4, 4)
    output = layer(torch.ones(1, 4)).pow(2).sum()
    version = layer.weight._version
    assert ours.kaiming_normal_(layer.weight) is layer.weight
    assert layer.weight.is_leaf
    assert layer.weight.requires_grad
    assert layer.weight._version > version
    output.backward()


def test_a_weight_changed_under_backward_is_noticed() -> None:
    first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    output = second(first(torch.ones(1, 4))).sum()
    ours.normal_(second.weight)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward()


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", RANDOM)
def test_each_rank_of_a_dtensor_draws_its_own_elements(name: str, rank: int) -> None:
    dist.init_process_group("fake", rank=rank, world_size=2, store=FakeStore())
    try:
        whole = call(name, torch.zeros(7, 6), generator=torch.Generator().manual_seed(1))
        mesh = init_device_mesh("cpu", (2,))
        tensor = distribute_tensor(torch.zeros(7, 6), mesh, [Shard(0)], src_data_rank=None)
        getattr(ours, name)(
            tensor, *((0.3,) if name == "sparse_" else ()), generator=torch.Generator().manual_seed(1)
        )

        expected = distribute_tensor(whole, mesh, [Shard(0)], src_data_rank=None)
        torch.testing.assert_close(tensor.to_local(), expected.to_local(), rtol=0, atol=1e-6)
    finally:
        dist.destroy_process_group()
