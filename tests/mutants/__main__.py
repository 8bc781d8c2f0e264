"""Breaks the package line by line and tells what the tests notice: `python -m tests.mutants`.

python -m tests.mutants                          all, some at a time; goes on where it was stopped
python -m tests.mutants --only 'theory/*'        a glob, or a part, of file and note
python -m tests.mutants --check                  only that every mutant can still be made

The working tree is never changed: a mutant is a folder of links to the package with one file of its own. A result
holds until the mutated file, the mutant or one of its tests changes; --fresh runs all again.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from pathlib import Path

from tests.mutants.harness import enough, judge, table
from tests.mutants.lists import MUTANTS
from tests.mutants.mutant import Mutant, MutantError


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", help="a glob or a part of 'file: note'")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="results, one a line")
    parser.add_argument("--fresh", action="store_true", help="forget the results of before")
    parser.add_argument("--check", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    some = [one for one in MUTANTS if fnmatch.fnmatch(one.name, chosen.only) or chosen.only in one.name]
    stale = [error for one in some if (error := problem(one))]
    if stale or chosen.check or not some:
        print("\n".join(stale) or f"{len(some)} mutants")
        return 2 if stale or not some else 0
    if chosen.fresh:
        chosen.out.unlink(missing_ok=True)
    found = judge(some, chosen.out, chosen.jobs)
    print(table(some, found))
    return 0 if enough(found) else 1


def problem(mutant: Mutant) -> str:
    """Why a mutant cannot be made; "" if it can."""
    try:
        mutant.source()
        mutant.test_files()
    except MutantError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
