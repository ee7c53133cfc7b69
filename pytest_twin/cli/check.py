"""``pytest-twin check``: what this machine has, whether it is quiet enough to measure, and what works on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_twin._system.systemd_scope import SCOPE, SYSTEMD_RUN, is_in_scope, why_no_scope
from pytest_twin.cli._options import FiniteRange, echo_line
from pytest_twin.loads.twin.others import MOST_BUSY
from pytest_twin.model.clock import Clock
from pytest_twin.stressors.constraint.enforcer import find_backends, is_job_of_shell
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.calibration import calibrated_speed
from pytest_twin.telemetry.cpu_usage import BusyProcess, ProcessUsage
from pytest_twin.telemetry.probes import ProbeContext, external_module_names
from pytest_twin.telemetry.sampler_process import RowReader

if TYPE_CHECKING:
    from pytest_twin.model.columns import Column

GIB = 1 << 30
MOST_STOLEN_PERCENT = 1.0
CONTROL_GROUP, STOP_SIGNALS = "control group", "stop signals"
BY_COMMAND = "--twin-constrain or `pytest-twin constrain`"
PROBE = f"import json; from {find_backends.__module__} import find_backends; print(json.dumps(find_backends()))"


@click.command
@click.option("--seconds", default=1.0, type=FiniteRange(0.1, 60), help="time to measure rates over (default: 1)")
@click.option("-v", "--verbose", is_flag=True, help="show all metrics too, with their values and meanings")
def command(seconds: float, verbose: bool) -> None:
    """Show what this machine has and which constraints work on it.

    It also tells whether the machine is quiet enough to measure.
    """
    reader = RowReader(
        Clock(time.monotonic(), time.time()), ProbeContext(os.getpid(), has_tests=False), external_module_names()
    )
    usage = ProcessUsage()
    reader.values(time.monotonic())
    time.sleep(seconds)
    row = reader.values(time.monotonic())
    of_host = [each for each in row if not each[0].name.startswith(("tests_", "stress_", "timestamp", "elapsed_s"))]
    known = {column.name: value for column, value in of_host}
    lines = [
        f"usable: {capacity.usable_cpus():g} CPUs, {_memory()}, {_disk()}",
        *_quiet_lines({name: value for name, value in known.items() if isinstance(value, float)}, usage.busiest()),
        _speed(),
        *_constraint_lines(),
        _missing([name for name, value in known.items() if value is None]),
        *(f"warning: {warning}" for warning in reader.warnings),
    ]
    for line in lines:
        echo_line(line)
    if verbose:
        _print_table(of_host)
    else:
        click.echo("all metrics with their values: pytest-twin check -v")


def _quiet_lines(values: Mapping[str, float], busiest: Sequence[BusyProcess]) -> Iterator[str]:
    """Yield whether measurements here show the tests and not what runs beside them, and what runs."""
    busy, stolen = values.get("cpu_percent"), values.get("cpu_steal_percent", 0.0)
    if busy is None:
        yield "quiet enough to measure: unknown, since the usage of the CPUs cannot be read"
        return
    is_quiet = busy <= 100 * MOST_BUSY and stolen <= MOST_STOLEN_PERCENT
    taken = f", and the host of this virtual machine took {stolen:.0f} %" if stolen > MOST_STOLEN_PERCENT else ""
    used = f"{busy:.0f} % of the CPUs are in use{taken}"
    yield f"quiet enough to measure: {'yes' if is_quiet else 'no'}, {used}"
    if is_quiet:
        return
    for process in busiest:
        yield f"    busy: {process.name} (process {process.pid}), {process.cpus:.2f} CPUs"
    if not busiest:
        yield "    busy: no process that can be seen from here"


def _print_table(row: Iterable[tuple[Column, object]]) -> None:
    """Print each metric that has a value, with its meaning."""
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "value", "meaning", box=None, pad_edge=False)
    for column, value in row:
        if value is not None:
            shown = value if isinstance(value, str) else f"{value:.{column.digits}f} {column.unit}"
            table.add_row(column.name, shown, column.meaning)
    Console().print(table)


def _constraint_lines() -> Iterator[str]:
    """Yield for each resource what enforces a constraint of it here, by which way of asking, or why nothing does."""
    in_scope = _find_backends_in_scope()
    for resource, backends in find_backends().items():
        works = next((name for name, why in backends.items() if not why), "")
        reasons = "; ".join(f"{name}: {why}" if name else why for name, why in backends.items())
        by_mark = f"by {works} with a mark" if works else "not with a mark"
        text = f"by {works}" if works else f"not possible here ({reasons})"
        if works != CONTROL_GROUP and in_scope.get(resource, {}).get(CONTROL_GROUP) == "":
            text = f"by systemd with {BY_COMMAND}; {by_mark}"
        elif resource == "cpu" and works == STOP_SIGNALS and is_job_of_shell():
            text = f"by {works} with {BY_COMMAND}, and with a mark unless pytest has threads by then"
        yield f"constrain {resource}: {text}"


def _find_backends_in_scope() -> dict[str, dict[str, str]]:
    """Return what works in a scope of systemd, in which pytest and the command start again; nothing without systemd."""
    if sys.platform != "linux" or is_in_scope() or shutil.which(SYSTEMD_RUN) is None or why_no_scope():
        return {}
    command = [*SCOPE, sys.executable, "-c", PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return dict(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}


def _speed() -> str:
    """Return the scores of the CPUs, measured if they were not since the machine started."""
    speed = calibrated_speed()
    if speed is None:
        return "speed: unknown, since this Python has no bzip2"
    return f"speed: {speed.single:.1f} with one thread, {speed.all:.1f} with all (MB of bzip2 per second of CPU time)"


def _memory() -> str:
    available, usable = capacity.available_memory(), capacity.usable_memory()
    if available is None or usable is None:
        return "an unknown amount of memory"
    return f"{available / GIB:.1f} of {usable / GIB:.1f} GiB of memory free"


def _disk() -> str:
    """Return the space of the disk that a run here would be written to."""
    disk = shutil.disk_usage(Path.cwd())
    return f"{disk.free / GIB:.1f} of {disk.total / GIB:.1f} GiB of disk free"


def _missing(names: Sequence[str]) -> str:
    return f"not available here: {', '.join(names)}" if names else "all metrics are available here"
