"""Tasks on the pixels that come with the library."""
