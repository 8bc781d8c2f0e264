"""The only writers of weights."""
