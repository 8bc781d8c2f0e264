"""Every speed benchmark in turn: `python -m benchmarks [NAME ...]`; each prints its table of ratios.

python -m benchmarks                    all of them, half an hour on two idle cores
python -m benchmarks fill orthogonal    some of them
"""

from __future__ import annotations

import subprocess
import sys

NAMES = ("fill", "orthogonal", "diagnose", "init_cost", "materialize", "lsuv")


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}\n  expected: some of {', '.join(NAMES)}")
        return 2
    failed = []
    for name in wanted or NAMES:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
