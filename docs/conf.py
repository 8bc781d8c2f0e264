"""Settings of the manual: `make docs`."""

from importlib.metadata import version as installed

project = "initium"
copyright = "the initium authors"
release = version = installed("initium")

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "initium"
html_static_path: list[str] = []
