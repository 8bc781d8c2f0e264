"""Policies that look at data or gradients."""
