"""The published methods, one family a file."""
