"""The tape of operations: what ran, on what, and its moments."""
