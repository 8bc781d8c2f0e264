"""initium: starting weights for PyTorch networks."""
