"""The category of the warnings of pytest-twin."""

from __future__ import annotations

import pytest


class TwinWarning(pytest.PytestWarning):
    """A load was not what was asked for, or something could not be recorded."""
