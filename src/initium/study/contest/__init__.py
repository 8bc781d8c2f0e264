"""Comparisons: a race, confirmed on fresh seeds."""

from initium.study.contest import (
    comparison_json as comparison_json,  # registers how comparisons stand in JSON
)
from initium.study.contest import view as view  # registers how they are shown
