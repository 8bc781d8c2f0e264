"""The work of the arena's processes: a trial, in a module whose import has done once what every trial needs.

A process is forked from a server that has imported this; so opening the tasks and loading torch's optimizers and
what plans need, over a second, is paid once and not by each of a thousand trials of a quarter of a second.
"""

from __future__ import annotations

import torch
from benchmarks.arena_kit import nets  # noqa: F401 - for the server

import initium.plan  # noqa: F401
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import opened_of, run_trial

torch.set_num_threads(1)  # no threads that a fork would lose
for _kind in ("classification", "segmentation", "detection"):
    opened_of(TrialSpec("", {"kind": "policy", "policy": "auto"}, {"kind": _kind}))
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], fused=True)


def trial(data: dict[str, object]) -> dict[str, object]:
    """`initium.study.trial.trial.run_trial`."""
    return run_trial(data)
