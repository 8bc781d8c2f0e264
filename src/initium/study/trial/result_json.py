"""How results of trials stand in stores and in what workers send."""

from __future__ import annotations

from initium import plain_data
from initium.codec import FINITE, Form, register
from initium.study.trial.trial import TrialResult

register(
    TrialResult,
    Form(
        what="result of a trial",
        remedy="run the trial again",
        numbers=FINITE,
        readers={"steps_done": lambda value: plain_data.whole(value, 0)},
    ),
)
