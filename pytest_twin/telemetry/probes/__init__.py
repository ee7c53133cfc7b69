"""Probes: each file reads one family of metrics and declares its columns.

A probe is a module with two names: ``COLUMNS``, a tuple of `Column`, and ``probe(context)``, which returns a `Probe`
for the machine it runs on. Files of this folder are found by being here; other packages add theirs as entry points in
the group ``pytest_twin.probes``. A module whose columns depend on the machine has ``columns(context)`` workers_dirs.
"""

from __future__ import annotations

import os
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from pytest_twin.model.columns import Column, Value

    class Probe(Protocol):
        """Reads one family of metrics.

        Has an attribute `every_s` where it need not be asked for every row: the seconds for which its values stand. Has
        a method `read_last`, called in the place of `read` for the last row, where `read` itself leaves something for
        a later row. Has a text `warning` where it cannot tell what it should on this machine.
        """

        def read(self, at: float) -> Sequence[Value]:
            """One value a column, None where there is none; `at` is the monotonic time of the row."""
            ...


ENTRY_POINTS = "pytest_twin.probes"
ORDER = (  # of the columns in the dataset, by the probe that has them; the columns of other probes follow by name
    "cpu", "memory", "disk", "network", "battery", "processes",
    "cgroup", "cores", "frequency", "load", "pressure", "temperature", "trees",
)  # fmt: skip


class ProbeContext:
    """What a probe is told when it is made.

    Attributes:
        root: The process whose descendants are the run: tests and stressors.
        has_tests: Whether that process is a test run; a mere recording has no tests to account for.
        per_core: Whether each CPU gets a column of its own.
        workers_dir: Folder with a file for each other process that runs tests, named by its process id; may be empty.
    """

    def __init__(self, root: int, has_tests: bool = True, per_core: bool = False, workers_dir: str = "") -> None:
        self.root, self.has_tests, self.per_core, self.workers_dir = root, has_tests, per_core, workers_dir


def find_modules(names: Sequence[str] = ()) -> list[Any]:
    """Import the probe modules of this package and those named workers_dirs, in the order of their columns."""
    files = (name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py"))
    here = sorted({*files} - {"__init__"}, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return [import_module(name) for name in (*(f"{__name__}.{name}" for name in here), *names)]


def external_module_names() -> list[str]:
    """The modules of probes that other packages offer."""
    from importlib.metadata import distributions, entry_points

    if not any(ENTRY_POINTS in (each.read_text("entry_points.txt") or "") for each in distributions()):
        return []  # as mostly: to look is quicker than to take all entry points apart
    return [entry.value for entry in entry_points(group=ENTRY_POINTS)]


def known_columns() -> tuple[Column, ...]:
    """What is known of datasets: the columns of our probes, and of those that other packages offer here."""
    found = find_modules()
    for name in external_module_names():
        try:
            found += [module for module in find_modules([name]) if module.__name__ == name]
        except Exception:  # noqa: BLE001, S112 - a package that is broken here should not keep from reading
            continue
    return all_columns(found)


def module_columns(module: Any, context: ProbeContext | None = None) -> tuple[Column, ...]:
    """The columns of a module, on this machine where a context is given."""
    tailored = getattr(module, "columns", None) if context else None
    found: tuple[Column, ...] = tailored(context) if tailored else module.COLUMNS
    return found


def all_columns(found: Sequence[Any], context: ProbeContext | None = None) -> tuple[Column, ...]:
    """All columns of these modules, module after module."""
    return tuple(column for module in found for column in module_columns(module, context))
