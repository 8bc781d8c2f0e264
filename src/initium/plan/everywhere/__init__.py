"""Policies that say one thing of every parameter, and what no policy may change."""
