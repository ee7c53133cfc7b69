"""The settings of Sphinx: ``sphinx-build -W docs build/docs``.

The inventories in inventories/ are the ``objects.inv`` of other documentation, so that links to it are checked offline.
"""

from __future__ import annotations

from pytest_twin.model.version import __version__

project = "pytest-twin"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
myst_heading_anchors = 3  # links to headings are as on GitHub
suppress_warnings = ["myst.header"]  # a page that includes a part of another one begins with its level
html_theme = "furo"
html_title = "pytest-twin"
html_copy_source = html_show_copyright = False
nitpicky = True
nitpick_ignore = [("py:class", "pd.DataFrame")]  # as the code names it, which imports pandas for the type checker only
napoleon_attr_annotations = False  # the texts name the types where they matter
autodoc_member_order = "bysource"
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.inv"),
    "pytest": ("https://docs.pytest.org/en/stable", "inventories/pytest.inv"),
    "pandas": ("https://pandas.pydata.org/docs", "inventories/pandas.inv"),
}
