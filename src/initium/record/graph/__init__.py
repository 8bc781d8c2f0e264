"""The tape read as a graph: roles, branches, packed projections."""
