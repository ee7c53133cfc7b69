"""The version of pytest-twin."""

__version__ = "0.2.0"
