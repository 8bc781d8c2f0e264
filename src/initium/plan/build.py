"""Make a plan: look at the model once, decide, and leave the model as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from initium.diagnose import HealthReport, Predicted, predict
from initium.errors import LayerError, UsageError, UsageTypeError
from initium.methods.method import Method
from initium.plan.contract import kept_contract
from initium.plan.look import look
from initium.plan.plan import Plan
from initium.plan.policy import Decided, Policy, Run
from initium.plan.policy_table import label_of, policy_of
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.records.rules import Rule, check_rules, first_matches
from initium.plan.scales.planned_weights import predicted
from initium.plan.structure.framework_default import as_found
from initium.plan.trials.auto_policy import by_theory_alone
from initium.record.record import Forward, Inputs, Loss, Record


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan without its predictions, and what it was made from.

    Args:
        plan: the plan.
        record: of the model as found.
        before: the diagnosis of the model as found, where the policy made one.
        after: the diagnosis with the plan, where the policy verified it.
    """

    plan: Plan
    record: Record
    before: HealthReport | None
    after: HealthReport | None

    def predictions(self) -> tuple[Predicted, ...]:
        """What theory says of the plan, made when asked for: who only applies a plan needs none."""
        if self.after is not None:
            return predict(self.after.record)
        return predicted(self.record, self.plan.assignments, seed=self.plan.seed)


def plan(
    model: nn.Module | Record,
    inputs: Inputs | Record | None = None,
    *,
    policy: str | Method | Policy = "auto",
    rules: Sequence[Rule] = (),
    forward: Forward | None = None,
    loss: Loss | None = None,
    seed: int = 0,
) -> Plan:
    """Decide what every parameter of `model` should start as; the model is as before afterwards.

    Args:
        model: any module with storage; a compiled one is planned as its original. Or a `Record` of it alone, for a
            policy that does not run the model again.
        inputs: a tensor, a tuple of positional arguments, a dict of keyword arguments, or, where there are no data, the
            shape of one sample as in (3, 224, 224), which is run on noise; or a `Record` of the model, likewise.
        policy: "auto" (by role, calibrated and verified, never less healthy than found), "shipped" (leave as is), a
            method's name, with parameters as in "he_normal:mode=fan_out" (every weight gets it; "lsuv", "kraehenbuehl",
            "weight_norm_data", "metainit", "gradinit" and "nio" find scales on the inputs, "autoinit" by theory), or
            "recipe:NAME" (as the field starts such models, for example "recipe:timm_vit"); a `Method`, which every
            weight gets; or an object of your own (see `initium.plan.policy.Policy`).
        rules: the first rule that matches a parameter decides for it, before the policy.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar, for the backward.
        seed: of the draws that scales are calibrated with, and of everything random in the runs.

    Raises:
        UnknownNameError: no such policy, method or parameter.
        UsageError: a rule that matches nothing; bad inputs (see `record`); a record for a policy that must run the
            model; a policy of your own that does not answer as it must.
        UsageTypeError: a policy, a rule or inputs of the wrong type.
        ModelRunError: the model raised.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
        >>> made = initium.plan(net, torch.randn(32, 8))
        >>> [one.method for one in made]
        ['he_normal', 'zeros', 'lecun_normal', 'zeros']
    """
    made = planned(model, inputs, policy=policy, rules=rules, forward=forward, loss=loss, seed=seed)
    return replace(made.plan, predicted=made.predictions())


def planned(
    model: nn.Module | Record,
    inputs: Inputs | Record | None,
    *,
    policy: str | Method | Policy,
    rules: Sequence[Rule],
    forward: Forward | None,
    loss: Loss | None,
    seed: int,
) -> Outcome:
    """`plan` without its predictions, and the records that it was made from."""
    chosen, label = policy_of(policy), label_of(policy)
    check_seed(seed)
    check_rules(rules)
    run, seen, made_up = look(model, inputs, chosen.needs, forward=forward, loss=loss, seed=seed)
    run = replace(run, ruled=_ruled(run.given, seen, rules))
    answer = kept_contract(label, chosen.decide(seen, run), seen, run)
    made = _plan_of(seen, label, answer, seed)
    noted = replace(made, notes=(*made.notes, made_up)) if made_up else made
    return Outcome(noted, seen, answer.before, answer.after)


def planned_by_theory(seen: Record, *, seed: int) -> Plan:
    """What policy `auto` would do, from a record alone: no scale is calibrated, and nothing is verified."""
    made = _plan_of(seen, "auto", by_theory_alone(seen, Run(None, seed=seed)), seed)
    return replace(made, predicted=predicted(seen, made.assignments, seed=seed))


def _plan_of(seen: Record, label: str, answer: Decided, seed: int) -> Plan:
    """The plan that a policy's answer makes."""
    before, after = answer.before, answer.after
    return Plan(
        seen.model, label, seed, tuple(answer.assignments), answer.chosen,
        None if before is None else before.badness, None if after is None else after.badness,
        "" if after is None else after.verdict, tuple(answer.notes),
    )  # fmt: skip


def check_seed(seed: object) -> int:
    """The seed, or a clear error."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageTypeError(f"seed is {seed!r}", expected="a whole number", remedy="pass for example seed=0")
    return seed


def _ruled(model: nn.Module | None, seen: Record, rules: Sequence[Rule]) -> Mapping[str, Assignment]:
    """What the user's rules decide, for the parameters that one of them matches."""
    modules = dict(model.named_modules()) if model is not None else {}
    by_type = next((rule for rule in rules if model is None and isinstance(rule.where, type)), None)
    if by_type is not None:
        raise UsageError(
            f"{by_type!r} on a record alone",
            expected="the model, since a record does not hold the types of its modules",
            remedy="pass initium.plan(model, record), or name the parameters by pattern or role",
        )
    nothing = nn.Module()
    owners = {info.name: modules.get(info.name.rpartition(".")[0], nothing) for info in seen.parameters}
    chosen = first_matches([rule.on(seen) for rule in rules], list(seen.parts.values()), owners)
    return {name: _by_rule(seen, name, rule) for name, rule in chosen.items()}


def _by_rule(seen: Record, name: str, rule: Rule) -> Assignment:
    part = seen.parts[name]
    layer = replace(part.layer, shape=seen.parameter(name).shape)
    one = Assignment(
        name, rule.method, layer, part.role, "rule", f"the user's {rule!r}", rule.params, own=rule.own
    )
    if rule.method == KEEP:
        one = replace(one, found=as_found(part, seen.parameter(name)))
    else:
        try:
            one.draw()
        except LayerError as error:
            raise LayerError(
                f"{rule!r} on {name!r}: {error.seen}", expected=error.expected, remedy=error.remedy
            ) from error
    return one
