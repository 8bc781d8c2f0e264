"""A rendering kit for text, pages and charts; it knows none of the other packages."""
