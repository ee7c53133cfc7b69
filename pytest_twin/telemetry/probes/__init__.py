"""Probes: each file reads one family of metrics and declares its columns.

A probe is a module with two names: ``COLUMNS``, a tuple of `Column`, and ``probe(context)``, which returns a `Probe`
for the machine it runs on. Files of this folder are found by being here; other packages add theirs as entry points in
the group ``pytest_twin.probes``. A module whose columns depend on the machine also has ``columns(context)``.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from pytest_twin.model.columns import Column, Value

    class Probe(Protocol):
        """Reads one family of metrics.

        Optional attributes: `every_s`, the seconds between two readings, for a probe that need not be read for every
        row; `read_last`, a method called instead of `read` for the last row, for a probe of which `read` leaves
        something for a later row; `warning`, a text why it has no values on this machine.
        """

        def read(self, at: float) -> Sequence[Value]:
            """Return one value for each column, None for a missing one; `at` is the monotonic time of the row."""
            ...


ENTRY_POINTS = "pytest_twin.probes"
ORDER = (  # of the probes, and so of their columns in the dataset; other probes follow by name
    "cpu", "memory", "disk", "network", "battery", "processes",
    "cgroup", "cores", "frequency", "load", "pressure", "temperature", "trees", "throttling",
)  # fmt: skip


class ProbeContext:
    """The context in which a probe is created.

    Attributes:
        root: Id of the process with the tests and stressors of the run as descendants.
        has_tests: Whether that process runs tests; otherwise the columns of tests are empty.
        per_core: Whether each CPU gets a column of its own.
        workers_dir: Folder with a file for each other process that runs tests, named by its process id; may be empty.
        constraints_dir: Folder with a file for each constraint on CPU time that is held; it need not exist.
    """

    def __init__(
        self, root: int, has_tests: bool = True, per_core: bool = False, workers_dir: str = "",
        constraints_dir: str = "",
    ) -> None:  # fmt: skip
        self.root, self.has_tests, self.per_core = root, has_tests, per_core
        self.workers_dir, self.constraints_dir = workers_dir, constraints_dir


def find_modules(names: Sequence[str] = ()) -> list[Any]:
    """Import the probe modules of this folder, in the order of their columns, and then those named."""
    files = (name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py"))
    here = sorted({*files} - {"__init__"}, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return [_import(name) for name in (*(f"{__name__}.{name}" for name in here), *names)]


def _import(name: str) -> Any:
    """Import a module without `importlib`, which the sampler has no other use for."""
    __import__(name)
    return sys.modules[name]


def external_module_names() -> list[str]:
    """Return the names of the probe modules in the entry points of other packages."""
    if not any(map(_may_have_probes, sys.path)):
        return []  # the usual case: this check is much faster than parsing all entry points
    from importlib.metadata import entry_points

    return [entry.value for entry in entry_points(group=ENTRY_POINTS)]


def _may_have_probes(folder: str) -> bool:
    """Return whether a package in a folder of `sys.path` has probes; for an archive always, as it is not opened."""
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:
        return os.path.exists(folder)
    begin, group = os.path.join(folder, ""), ENTRY_POINTS.encode()
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            path = f"{begin}{name}/entry_points.txt"
            if os.access(path, os.R_OK) and group in _content(path):  # most have no such file, and errors take longer
                return True
    return False


def _content(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, os.fstat(fd).st_size)
    except OSError:
        return b""
    finally:
        os.close(fd)


def known_columns() -> tuple[Column, ...]:
    """Return the columns of all installed probes, which a dataset may have."""
    found = find_modules()
    for name in external_module_names():
        try:
            found += [module for module in find_modules([name]) if module.__name__ == name]
        except Exception:  # noqa: BLE001, S112 - a broken package must not prevent reading a dataset
            continue
    return all_columns(found)


def module_columns(module: Any, context: ProbeContext | None = None) -> tuple[Column, ...]:
    """Return the columns of a probe module; with a context, those that it has on this machine."""
    tailored = getattr(module, "columns", None) if context else None
    found: tuple[Column, ...] = tailored(context) if tailored else module.COLUMNS
    return found


def all_columns(modules: Sequence[Any], context: ProbeContext | None = None) -> tuple[Column, ...]:
    """Return the columns of several modules, module after module."""
    return tuple(column for module in modules for column in module_columns(module, context))
