"""Recipes: how the field starts whole models, as bundles of lines on what the tape shows."""
