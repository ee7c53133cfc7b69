"""A run for other programs: each file without an underscore is one format.

A format is a module with ``FILE``, the usual name of its file; ``BEGINNING``, the text that each file of it begins
with, by which `pytest-twin` knows a file that it may replace; and ``lines(summary)``, which yields the text of a
`RunSummary`. ``pytest-twin export --format NAME`` finds it by its file name.
"""

from __future__ import annotations

import os


def find_formats() -> list[str]:
    """Return the names of the formats, with dashes as the command line has them."""
    files = (name.removesuffix(".py") for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py"))
    return sorted(name.replace("_", "-") for name in files if not name.startswith("_"))
