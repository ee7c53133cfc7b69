"""What a recorded machine used, and what can be done with the recording, as plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_twin.model.quantity import format_share
from pytest_twin.model.shell_word import shell_word

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_twin.model.machine_recording import MachineRecording

GIB = 1 << 30


def usage_lines(recording: MachineRecording) -> Iterator[str]:
    """Yield a table with the mean, the 95 % quantile and the peak of each resource that was recorded."""
    lengths = recording.frame.index.to_series().diff()
    whole = recording.frame[~(lengths < recording.interval_s / 2)]  # the last interval may be cut short: no peak of it
    yield f"{'':<14}{'mean':>12}{'p95':>12}{'peak':>12}"
    for name, (label, shown) in _ROWS.items():
        if name in whole and whole[name].notna().any():
            values = whole[name]
            figures = values.mean(), values.quantile(0.95), values.max()
            yield f"{label:<14}" + "".join(f"{shown(float(figure)):>12}" for figure in figures)


def next_steps(folder: Path) -> Iterator[str]:
    """Yield the commands that take a recording further."""
    name = shell_word(str(folder))
    yield f"look at it:                 pytest-twin report {name}"
    yield f"play it on another machine: pytest-twin run {name}"
    yield f"run tests as beside it:     pytest --twin-like={name}"


def _share(value: float) -> str:
    return format_share(value, 1)


def _rate(value: float) -> str:
    return f"{value / 1e6:.1f} MB/s"


_ROWS: dict[str, tuple[str, Callable[[float], str]]] = {
    "cpu": ("CPU", _share),
    "mem": ("memory", _share),
    "mem_bytes": ("", lambda value: f"{value / GIB:.2f} GiB"),
    "disk_read": ("disk reads", _rate),
    "disk_write": ("disk writes", _rate),
    "net_sent": ("network sent", _rate),
    "net_received": ("received", _rate),
}
