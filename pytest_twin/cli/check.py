"""``pytest-twin check``: the current metrics of this machine, and the missing ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import click

from pytest_twin.cli._options import FiniteRange
from pytest_twin.model.clock import Clock
from pytest_twin.stressors.constraint.enforcer import find_backends
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.probes import ProbeContext, external_module_names
from pytest_twin.telemetry.sampler_process import RowReader


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
    for line in _constraint_lines():
        console.print(line, highlight=False)
    console.print(f"not available here: {', '.join(missing)}" if missing else "all metrics are available here")
    for warning in reader.warnings:
        console.print(f"warning: {warning}")


def _constraint_lines() -> Iterator[str]:
    """Yield for each resource what enforces a constraint of it here, or why nothing does."""
    for resource, backends in find_backends(os.getpid()).items():
        works = [name for name, why in backends.items() if not why]
        reasons = "; ".join(f"{name}: {why}" if name else why for name, why in backends.items())
        yield f"constrain {resource}: {f'by {works[0]}' if works else f'not possible here ({reasons})'}"


def _memory() -> str:
    available = capacity.available_memory()
    return "an unknown amount of memory" if available is None else f"{available / (1 << 30):.2f} GiB of memory"
