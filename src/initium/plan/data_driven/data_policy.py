"""Policies that look at data or gradients.

Each ends in plain assignments: a catalogue method and calibrated scales. The model is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from initium.errors import UsageError
from initium.methods.catalogue import find
from initium.methods.method import Method, Value
from initium.plan.data_driven.autoinit import autoinit
from initium.plan.data_driven.baseline import Baseline, Found, baseline_of
from initium.plan.data_driven.lsuv import lsuv
from initium.plan.data_driven.scale_search import search
from initium.plan.data_driven.unit_methods import kraehenbuehl, weight_norm_data
from initium.plan.policy import Decided, Need, Run
from initium.plan.write.apply import rollback, write
from initium.record.parameters.inventory import named_tensors
from initium.record.record import Record


@dataclass(frozen=True, slots=True)
class DataDriven:
    """Draws every weight by a base method, and lets a published method find the scales on the model itself.

    Args:
        method: the published method.
        base: the catalogue method whose draw it scales.
        scales: finds the scales; called with the drawn weights in the model.
        needs: "none" where a record is enough.
        needs_loss: whether the user's own loss is needed.
        params: parameters of the method that differ from its defaults.

    Raises:
        UnknownNameError: a parameter that the method does not have.
        UsageError: a parameter out of range.
    """

    method: Method
    base: str
    scales: Callable[[Baseline], Found]
    needs: Need = "data"
    needs_loss: bool = False
    params: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.method.resolve(**self.params)

    def decide(self, record: Record, run: Run) -> Decided:
        """The base method with the scales that were found.

        Raises:
            UsageError: no values to run the model on, or no loss where one is needed.
        """
        self._check(record, run)
        baseline = baseline_of(self.method, self.method.resolve(**self.params), self.base, record, run)
        if self.needs == "none":  # by theory alone: it runs nothing, and so works on the meta device
            return Decided(*self.scales(baseline))
        parameters = named_tensors(run.model)
        # Every method rescales real weights in place; whatever it found is in the assignments, so all values go back.
        with rollback(parameters, list(parameters), always=True):
            write(parameters, [one for one in baseline.assignments if not one.keeps], run.seed)
            return Decided(*self.scales(baseline))

    def _check(self, record: Record, run: Run) -> None:
        if self.needs != "none" and any(info.meta for info in record.parameters):
            raise UsageError(
                f"policy {self.method.name!r} on a model with parameters on the meta device",
                expected="a model that can run, since the method looks at what its layers put out",
                remedy='give the model storage first, or use policy="auto", which can plan by theory alone',
            )
        if self.needs_loss and run.loss is None:
            raise UsageError(
                f"policy {self.method.name!r} without a loss",
                expected=f"a loss that takes the model's output: {self.method.name} lowers its value after one step",
                remedy="pass loss=lambda output: torch.nn.functional.cross_entropy(output, labels)",
            )


DATA_DRIVEN: tuple[DataDriven, ...] = (
    DataDriven(find("lsuv"), "orthogonal", lsuv),
    DataDriven(find("kraehenbuehl"), "he_normal", kraehenbuehl),
    DataDriven(find("weight_norm_data"), "he_normal", weight_norm_data),
    DataDriven(find("metainit"), "he_normal", search),
    DataDriven(find("gradinit"), "he_normal", search, needs_loss=True),
    DataDriven(find("nio"), "he_normal", search),
    DataDriven(find("autoinit"), "he_normal", autoinit, needs="none"),
)
