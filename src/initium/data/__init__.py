"""Real pixels that come with the library."""
