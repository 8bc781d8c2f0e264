"""The arena: a grid of nets, the starts that meet in it, and the table."""
