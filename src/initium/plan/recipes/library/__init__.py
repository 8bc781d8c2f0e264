"""The recipes themselves."""
