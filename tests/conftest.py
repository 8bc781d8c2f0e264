"""Shared settings of the test suite."""

from __future__ import annotations

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)

# Derandomized, so that a failure seen once is seen again; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
