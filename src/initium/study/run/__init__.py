"""Trials kept and conducted: the store and the runner."""
