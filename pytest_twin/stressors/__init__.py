"""Programs that put a machine under a known load; standard library only.

Each file in `kinds` is one kind of load: it declares its `Kind`, says how many worker processes a load takes, and
applies the load in `stress`. ``python -m pytest_twin.stressors`` is the supervisor that owns the stressors of a run.
"""

from __future__ import annotations

import os
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.spec.kind import Kind

PROCESS_NAME = "twin-stressors"  # of the supervisor and its workers in process lists
ANY_STRESS_NG = "stress_ng"  # has as many kinds as the program has stressors, and none before it is asked


def find_kinds() -> dict[str, Kind]:
    """The kinds of load of this package by keyword: every file in the folder `kinds` without an underscore."""
    files = os.listdir(os.path.join(os.path.dirname(__file__), "kinds"))
    names = sorted({name[:-3] for name in files if name.endswith(".py") and name[0] != "_"} - {ANY_STRESS_NG})
    found = (import_module(f"pytest_twin.stressors.kinds.{name}").KIND for name in names)
    return {kind.keyword: kind for kind in found}
