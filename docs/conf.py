"""Settings of the manual: `make docs`."""

from importlib.metadata import version as installed

project = "initium"
copyright = "the initium authors"
release = version = installed("initium")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
nitpick_ignore_regex = [("py:.*", ".*")]  # types of torch, and errors by their short names

html_theme = "furo"
html_title = "initium"
html_static_path: list[str] = []
