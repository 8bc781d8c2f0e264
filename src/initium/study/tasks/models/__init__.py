"""Small models of the studies, by name."""
