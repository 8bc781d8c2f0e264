"""Imported by the server that workers are forked from, after what all need, and by nobody else."""

from initium.engines.processes.preload import load_asked

load_asked()
