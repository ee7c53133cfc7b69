"""The version of pytest-twin, as PyPI and the files of a run have it."""

__version__ = "0.1.0"
