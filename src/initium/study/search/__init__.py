"""The search for a better start."""

from initium.study.search import tuning_json as tuning_json  # registers how searches stand in JSON
from initium.study.search import view as view  # registers how they are shown
