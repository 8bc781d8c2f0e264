"""Texts about every method, in English and Chinese, one file a family."""
