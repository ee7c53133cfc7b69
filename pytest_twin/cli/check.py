"""``pytest-twin check``: the current metrics of this machine, and the missing ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import click

from pytest_twin._system.systemd_scope import SCOPE, SYSTEMD_RUN, is_in_scope, why_no_scope
from pytest_twin.cli._options import FiniteRange
from pytest_twin.model.clock import Clock
from pytest_twin.stressors.constraint.enforcer import find_backends, is_job_of_shell
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.calibration import calibrated_speed
from pytest_twin.telemetry.probes import ProbeContext, external_module_names
from pytest_twin.telemetry.sampler_process import RowReader

CONTROL_GROUP, STOP_SIGNALS = "control group", "stop signals"
BY_COMMAND = "--twin-constrain or `pytest-twin constrain`"
PROBE = f"import json; from {find_backends.__module__} import find_backends; print(json.dumps(find_backends()))"


@click.command
@click.option("--seconds", default=1.0, type=FiniteRange(0.1, 60), help="time to measure rates over (default: 1)")
def command(seconds: float) -> None:
    """Show the metrics of this machine, list those that it does not provide, and tell what can constrain tests."""
    from rich.console import Console
    from rich.table import Table

    reader = RowReader(
        Clock(time.monotonic(), time.time()), ProbeContext(os.getpid(), has_tests=False), external_module_names()
    )
    reader.values(time.monotonic())
    time.sleep(seconds)
    values = reader.values(time.monotonic())
    table = Table("metric", "value", "meaning", box=None, pad_edge=False)
    missing = []
    for column, value in values:
        if column.name.startswith(("tests_", "stress_")) or column.name in {"timestamp", "elapsed_s"}:
            continue
        if value is None:
            missing.append(column.name)
        else:
            shown = value if isinstance(value, str) else f"{value:.{column.digits}f} {column.unit}"
            table.add_row(column.name, shown, column.meaning)
    console = Console()
    console.print(table)
    console.print(f"usable: {capacity.usable_cpus():g} CPUs, {_memory()}")
    console.print(_speed())
    for line in _constraint_lines():
        console.print(line, highlight=False)
    console.print(f"not available here: {', '.join(missing)}" if missing else "all metrics are available here")
    for warning in reader.warnings:
        console.print(f"warning: {warning}")


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
    available = capacity.available_memory()
    return "an unknown amount of memory" if available is None else f"{available / (1 << 30):.2f} GiB of memory"
