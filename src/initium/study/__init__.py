"""Studies: which start is best for a model and a task, proved by experiment."""
