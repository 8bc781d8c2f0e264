"""The mutants, one literal tuple a package of the source."""

from tests.mutants.lists import (
    cli,
    data,
    diagnose,
    engines,
    methods,
    plan,
    predict,
    random,
    record,
    report,
    study,
    theory,
)

MUTANTS = (
    *random.MUTANTS, *theory.MUTANTS, *methods.MUTANTS, *record.MUTANTS, *predict.MUTANTS, *diagnose.MUTANTS,
    *plan.MUTANTS, *study.MUTANTS, *engines.MUTANTS, *report.MUTANTS, *cli.MUTANTS, *data.MUTANTS,
)  # fmt: skip
