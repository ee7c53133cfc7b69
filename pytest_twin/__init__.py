"""Performance-aware testing: known load around tests, and what the machine and the tests really did.

The names of `__all__` are the public API. Each is imported when it is first used (PEP 562): the sampler and the
stressors, which start often, import this package and nothing that they do not need.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from pytest_twin._system.procfs import ProcFile as ProcFile
    from pytest_twin.model.columns import Column as Column
    from pytest_twin.model.event import Event as Event
    from pytest_twin.model.machine_recording import MachineRecording as MachineRecording
    from pytest_twin.model.run import Run as Run
    from pytest_twin.model.version import __version__ as __version__
    from pytest_twin.plugin.load_context import TwinWarning as TwinWarning
    from pytest_twin.run_folder.csv_frames import ReadingError as ReadingError
    from pytest_twin.stressors.spec.kind import BYTES as BYTES
    from pytest_twin.stressors.spec.kind import COUNT as COUNT
    from pytest_twin.stressors.spec.kind import MAX as MAX
    from pytest_twin.stressors.spec.kind import OPS as OPS
    from pytest_twin.stressors.spec.kind import RATE as RATE
    from pytest_twin.stressors.spec.kind import SHARE as SHARE
    from pytest_twin.stressors.spec.kind import Kind as Kind
    from pytest_twin.stressors.worker.job import Job as Job
    from pytest_twin.telemetry.probes import ProbeContext as ProbeContext

_HOMES = {
    "Column": "model.columns",
    "Event": "model.event",
    "Job": "stressors.worker.job",
    "Kind": "stressors.spec.kind",
    "MachineRecording": "model.machine_recording",
    "ProbeContext": "telemetry.probes",
    "ProcFile": "_system.procfs",
    "ReadingError": "run_folder.csv_frames",
    "Run": "model.run",
    "TwinWarning": "plugin.load_context",
    "__version__": "model.version",
    **dict.fromkeys(("BYTES", "COUNT", "MAX", "OPS", "RATE", "SHARE"), "stressors.spec.kind"),
}

__all__ = [
    "BYTES", "COUNT", "MAX", "OPS", "RATE", "SHARE", "Column", "Event", "Job", "Kind", "MachineRecording",
    "ProbeContext", "ProcFile", "ReadingError", "Run", "TwinWarning", "load", "read_recording",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def load(path: str | os.PathLike[str]) -> Run:
    """Read what a run has recorded, into pandas frames.

    Args:
        path: A run folder, the folder of one test in it, or one file: a dataset, an annotations.csv or a tests.csv.

    Returns:
        The run; its frames have the UTC time as their index, and ``attrs["units"]`` and ``attrs["meanings"]``.

    Raises:
        ReadingError: There is nothing there that can be read; a `ValueError` of one line.
    """
    from pytest_twin.run_folder import frames

    return frames.load(path)


def read_recording(path: str | os.PathLike[str], *, interval_s: float = 1.0) -> MachineRecording:
    """Read what a machine did over time, whichever tool recorded it.

    Args:
        path: A run folder, or a file: a dataset of ours or of the old scripts, the text of ``sar``, ``sadf -d`` or
            ``vmstat``, or a table with a column of times, as Prometheus, Grafana and CloudWatch export it.
        interval_s: The seconds between two rows of a format that has no times (``vmstat`` without ``-t``).

    Returns:
        The CPU, memory, disk and network over time, in the units of a `MachineRecording`.

    Raises:
        ReadingError: There is no recording that can be read; a `ValueError` that names the row and what is wrong.
    """
    from pytest_twin.run_folder import machine_recordings

    return machine_recordings.read_recording(path, interval_s=interval_s)
