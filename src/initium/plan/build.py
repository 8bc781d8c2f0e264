"""Make a plan: look at the model once, decide, calibrate, verify, and leave the model as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from initium.diagnose import HealthReport, Predicted, predict, report_of
from initium.errors import LayerError, UsageTypeError
from initium.plan.auto import decisions
from initium.plan.auto.calibration_split import Run, first_run
from initium.plan.auto.chain_starts import starts_of
from initium.plan.auto.gated_products import steadied
from initium.plan.auto.norm_shifts import gradient_span, shifted
from initium.plan.data_driven.lsuv import decide as decide_by_data
from initium.plan.data_driven.lsuv import driven_by
from initium.plan.plan import Plan
from initium.plan.recipes.recipe_catalogue import recipe_by
from initium.plan.recipes.recipe_policy import decide as decide_by_recipe
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.records.rules import Rule, first_matches
from initium.plan.scales.by_theory import by_theory
from initium.plan.scales.calibrate import calibrate
from initium.plan.scales.planned_weights import predicted
from initium.plan.structure.embedding_tables import small_variance_positions, table_stds
from initium.plan.structure.framework_default import as_found
from initium.plan.write.apply import rollback, write
from initium.record import Record, record
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo, named_tensors
from initium.record.record import Forward, Inputs, Loss, check_model
from initium.record.run.noise_inputs import with_data

Policy = Callable[[Part, ParameterInfo, decisions.Context], Assignment]
Decided = tuple[Plan, Callable[[], tuple[Predicted, ...]]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A full set of assignments, and how the model fares with them."""

    name: str
    assignments: tuple[Assignment, ...]
    report: HealthReport
    notes: tuple[str, ...] = ()


def plan(
    model: nn.Module,
    inputs: Inputs,
    *,
    policy: str = "auto",
    rules: Sequence[Rule] = (),
    forward: Forward | None = None,
    loss: Loss | None = None,
    seed: int = 0,
) -> Plan:
    """Decide what every parameter of `model` should start as; the model is as before afterwards.

    Args:
        model: any module with storage; a compiled one is planned as its original.
        inputs: a tensor, a tuple of positional arguments, a dict of keyword arguments, or, where there are no data, the
            shape of one sample as in (3, 224, 224), which is run on noise.
        policy: "auto" (by role, calibrated and verified, never less healthy than found), "shipped" (leave as is), a
            method's name, with parameters as in "he_normal:mode=fan_out" (every weight gets it; "lsuv", "kraehenbuehl",
            "weight_norm_data", "metainit", "gradinit" and "nio" find scales on the inputs, "autoinit" by theory), or
            "recipe:NAME" (as the field starts such models, for example "recipe:timm_vit").
        rules: the first rule that matches a parameter decides for it, before the policy.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar, for the backward.
        seed: of the draws that scales are calibrated with, and of everything random in the runs.

    Raises:
        UnknownNameError: no such policy, method or parameter.
        UsageError: a rule that matches nothing; bad inputs (see `record`).
        ModelRunError: the model raised.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
        >>> made = initium.plan(net, torch.randn(32, 8))
        >>> [one.method for one in made]
        ['he_normal', 'zeros', 'lecun_normal', 'zeros']
    """
    made, predictions = decided(
        model, inputs, policy=policy, rules=rules, forward=forward, loss=loss, seed=seed
    )
    return replace(made, predicted=predictions())


def decided(
    model: nn.Module,
    inputs: Inputs,
    *,
    policy: str,
    rules: Sequence[Rule],
    forward: Forward | None,
    loss: Loss | None,
    seed: int,
) -> Decided:
    """`plan` without its predictions, and the function that makes them: who only applies a plan needs none."""
    model = check_model(model)
    check_seed(seed)
    inputs, made_up = with_data(model, inputs, seed)
    made, predictions = _decided(model, inputs, policy, rules, forward=forward, loss=loss, seed=seed)
    return (replace(made, notes=(*made.notes, made_up)) if made_up else made), predictions


def _decided(
    model: nn.Module,
    inputs: Inputs,
    policy: str,
    rules: Sequence[Rule],
    *,
    forward: Forward | None,
    loss: Loss | None,
    seed: int,
) -> Decided:
    """The plan of one policy."""
    recipe = recipe_by(policy)
    if recipe is not None:
        seen = record(model, inputs, forward=forward, loss=loss, seed=seed)
        made, notes = decide_by_recipe(recipe, seen, _ruled(model, seen, rules))
        return _foretold(seen, Plan(type(model).__name__, policy, seed, made, notes=notes))
    decide, driven = policy_of(policy), driven_by(policy)
    if policy == "auto" and not any(parameter.is_meta for parameter in model.parameters()):
        run, seen = first_run(model, inputs, forward=forward, loss=loss, seed=seed)
        return _measured(model, run, seen, _ruled(model, seen, rules))
    seen = record(model, inputs, forward=forward, loss=loss, seed=seed)
    ruled = _ruled(model, seen, rules)
    if driven is not None:
        made, notes = decide_by_data(
            model, *driven, seen, ruled, inputs, forward=forward, loss=loss, seed=seed
        )
        return _foretold(seen, Plan(type(model).__name__, policy, seed, made, notes=notes))
    if policy != "auto":
        base = assign(seen, decide, ruled, sound=False)
        return _foretold(seen, Plan(type(model).__name__, policy, seed, base))
    return _foretold(seen, _theory_only(model, seen, ruled, seed))


def _foretold(seen: Record, made: Plan) -> Decided:
    """The plan with what theory says of it, from a run with other weights."""
    return made, lambda: predicted(seen, made.assignments, seed=made.seed)


def _measured(model: nn.Module, run: Run, seen: Record, ruled: dict[str, Assignment]) -> Decided:
    """The plan of policy `auto` for a model that runs."""
    found = report_of(seen)
    best = choose(model, run, seen, found, ruled)
    notes = (*best.notes, *_remaining(best.report), *((run.note,) if run.note else ()))
    made = Plan(
        type(model).__name__, "auto", run.seed, best.assignments, best.name, found.badness,
        best.report.badness, best.report.verdict, notes,
    )  # fmt: skip
    return made, lambda: predict(best.report.record)


def _remaining(report: HealthReport) -> Iterator[str]:
    """What is still wrong with the best start, and what to do: no weights can mend it, or none that were tried."""
    for one in report.findings:
        if one.severity == "error":
            yield f"still {one}; {one.why}. What to do: {one.remedy}"


def _theory_only(model: nn.Module, seen: Record, ruled: dict[str, Assignment], seed: int) -> Plan:
    """The plan of a model without values: scales by theory, nothing measured."""
    decided = assign(seen, decisions.auto, ruled, sound=False)
    scaled = by_theory(decided, seen, ruled, seed=seed)
    note = "theory only: made from a meta-device tape without data, so no scale was calibrated and nothing was verified"
    return Plan(type(model).__name__, "auto", seed, scaled, "theory", notes=(note,))


def check_seed(seed: object) -> int:
    """The seed, or a clear error."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageTypeError(f"seed is {seed!r}", expected="a whole number", remedy="pass for example seed=0")
    return seed


def policy_of(name: str) -> Policy:
    """The policy of that name; any method's name is one."""
    if name == "auto":
        return decisions.auto
    if name in ("shipped", KEEP):
        return decisions.shipped
    if not isinstance(name, str):
        raise UsageTypeError(
            f"policy is a {type(name).__name__}",
            expected='"auto", "shipped", "recipe:NAME" or a method\'s name',
            remedy="see initium.methods()",
        )
    return decisions.everywhere(name)


def assign(
    seen: Record, decide: Policy, ruled: dict[str, Assignment], *, sound: bool
) -> tuple[Assignment, ...]:
    """One assignment for every parameter: the user's rule, else the policy's decision."""
    context = decisions.Context(seen, sound)
    if decide is decisions.auto:
        context = decisions.Context(
            seen, sound, starts_of(seen), table_stds(seen), small_variance_positions(seen)
        )
    made = tuple(
        ruled.get(info.name) or decide(seen.parts[info.name], info, context) for info in seen.parameters
    )
    return steadied(seen, made) if decide is decisions.auto else made


def _ruled(model: nn.Module, seen: Record, rules: Sequence[Rule]) -> dict[str, Assignment]:
    modules = dict(model.named_modules())
    owners = {info.name: modules[info.name.rpartition(".")[0]] for info in seen.parameters}
    seeing = [rule.on(seen) if hasattr(rule, "on") else rule for rule in rules]
    chosen = first_matches(seeing, list(seen.parts.values()), owners)
    return {name: _by_rule(seen, name, rule) for name, rule in chosen.items()}


def _by_rule(seen: Record, name: str, rule: Rule) -> Assignment:
    part = seen.parts[name]
    layer = replace(part.layer, shape=seen.parameter(name).shape)
    one = Assignment(name, rule.method, layer, part.role, "rule", f"the user's {rule!r}", rule.params)
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


def choose(
    model: nn.Module, run: Run, seen: Record, found: HealthReport, ruled: dict[str, Assignment]
) -> Candidate:
    """The first candidate that is sound and no worse than the model as found; else the least bad of all."""
    kept = assign(seen, decisions.shipped, ruled, sound=False)
    shipped = (
        Candidate("shipped", kept, found)
        if not ruled
        else try_out(model, run, seen, "shipped", kept, calibrated=False)
    )
    tried = [shipped]
    for name, make in _candidates(seen, found, ruled):
        assignments = make(tried[-1])
        if assignments in [_undrawn(one) for one in tried[1:]]:
            continue
        candidate = try_out(model, run, seen, name, assignments)
        if _good(candidate, shipped):
            return _calmed(model, run, seen, candidate, shipped)
        tried.append(candidate)
    best = min(tried, key=lambda one: _illness(one.report))
    note = f"no candidate was better than {best.name}: tried {', '.join(one.name for one in tried)}"
    return replace(best, notes=(*best.notes, note))


def _calmed(model: nn.Module, run: Run, seen: Record, good: Candidate, shipped: Candidate) -> Candidate:
    """The candidate with norm shifts, if gradients grow less by them and it is as sound; else as it was."""
    moved = shifted(seen, good.report, good.assignments)
    if moved == good.assignments:
        return good
    candidate = try_out(model, run, seen, "shifted", moved)
    calmer = gradient_span(candidate.report) < gradient_span(good.report)
    return candidate if calmer and _good(candidate, shipped) else good


def _undrawn(candidate: Candidate) -> tuple[Assignment, ...]:
    """The assignments as they were before calibration."""
    return tuple(replace(one, scale=1.0) for one in candidate.assignments)


def _good(candidate: Candidate, shipped: Candidate) -> bool:
    report, base = candidate.report, shipped.report
    if not report.healthy:
        return False
    return all(mine <= theirs for mine, theirs in zip(_illness(report), _illness(base), strict=True))


def _illness(report: HealthReport) -> tuple[float, float]:
    """Verdict and badness, less is better: neither a finding nor a measure may get worse."""
    return float(("healthy", "warning", "unhealthy").index(report.verdict)), report.badness


def _candidates(
    seen: Record, found: HealthReport, ruled: dict[str, Assignment]
) -> Iterator[tuple[str, Callable[[Candidate], tuple[Assignment, ...]]]]:
    """Names, and functions that make the next candidate of the last one."""
    auto = assign(seen, decisions.auto, ruled, sound=found.healthy)

    yield "auto", lambda _: auto
    yield "shifted", lambda last: shifted(seen, last.report, auto)
    yield "normal", lambda _: tuple(decisions.without_geometry(one, seen) for one in auto)


def try_out(
    model: nn.Module,
    run: Run,
    seen: Record,
    name: str,
    assignments: tuple[Assignment, ...],
    *,
    calibrated: bool = True,
) -> Candidate:
    """Draw, calibrate and examine a candidate on the model, then put the model's own weights back."""
    changing = [one for one in assignments if not one.keeps]
    if not changing:
        return Candidate(name, assignments, report_of(seen))
    parameters = named_tensors(model)
    with rollback(parameters, [one.name for one in changing], always=True):
        write(parameters, changing, run.seed)
        notes: tuple[str, ...] = ()
        if calibrated:
            sweep = calibrate(model, run.calibration, seen, assignments, forward=run.forward, seed=run.seed)
            assignments = tuple(
                replace(one, scale=one.scale * sweep.factors[one.name]) if one.name in sweep.factors else one
                for one in assignments
            )
            notes = tuple(
                f"{failed} could not be calibrated: its output was zero or not finite"
                for failed in sweep.failed
            )
        report = report_of(run.record(model))
    return Candidate(name, assignments, report, notes)
