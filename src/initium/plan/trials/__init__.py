"""Candidates tried on the model itself before one is taken, and policy `auto`, which does so."""
