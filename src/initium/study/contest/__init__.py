"""Comparisons: a race, confirmed on fresh seeds."""
