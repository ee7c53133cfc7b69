"""The engine of loads: a supervisor, its worker processes, and the stressors that they run. Standard library only.

Each file in `kinds` is one kind of load: it declares its `Kind`, returns the number of worker processes of a load, and
applies the load in `stress`. ``python -m pytest_twin.stressors`` is the supervisor, which owns the stressors of a run.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.spec.kind import Kind

PROCESS_NAME = "twin-stressors"  # of the supervisor and its workers in process lists
STRESS_NG = "stress_ng"  # its kinds are the stressors of the installed program, which are not known here


def find_kinds() -> dict[str, Kind]:
    """Return the kinds of load of this package by keyword: those of every file in `kinds` without an underscore."""
    from importlib import import_module

    files = os.listdir(os.path.join(os.path.dirname(__file__), "kinds"))
    names = sorted({name[:-3] for name in files if name.endswith(".py") and name[0] != "_"} - {STRESS_NG})
    found = (import_module(f"pytest_twin.stressors.kinds.{name}").KIND for name in names)
    return {kind.keyword: kind for kind in found}
