"""The catalogue of published initialization methods, each a frozen record."""
