"""Programs that put a machine under a known load; standard library only.

Each ``*_stress.py`` is one stressor: it declares its `Kind`, says how many worker processes a load takes, and holds
the load in `stress`. ``python -m pytest_twin.stressors`` is the supervisor that owns the stressors of a test run.
"""

from __future__ import annotations

import os
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.kind import Kind


def kinds() -> dict[str, Kind]:
    """The stressors of this package by keyword: every file named ``*_stress.py``."""
    names = sorted(name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith("_stress.py"))
    found = (import_module(f"pytest_twin.stressors.{name}").KIND for name in names)
    return {kind.keyword: kind for kind in found}
