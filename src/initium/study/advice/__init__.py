"""Recommendations from stored evidence."""
