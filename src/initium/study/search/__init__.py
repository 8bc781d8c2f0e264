"""The search for a better start."""
