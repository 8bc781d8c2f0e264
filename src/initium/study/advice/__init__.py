"""Recommendations from stored evidence."""

from initium.study.advice import view as view  # registers how recommendations are shown
