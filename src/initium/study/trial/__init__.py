"""One trial: what it is, and its run."""
