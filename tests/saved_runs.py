"""Run folders of made-up figures, for comparing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.model import attempt_row
from pytest_twin.model.csv_text import header, record
from pytest_twin.model.machine_speed import MachineSpeed, speed_document
from pytest_twin.model.measure import parse_limits
from pytest_twin.report.comparison.build import comparison
from pytest_twin.run_folder.baselines import RunSet


def made(folder: Path, cpu_s: Mapping[str, float], cpu: str = "A", saved: str = "", speed: float = 0.0) -> Path:
    """A run in which each test took so many CPU seconds, on this CPU; with a time, as a run of a baseline.

    With a speed, its fingerprint has this score for one thread, and twice as much for all.
    """
    folder.mkdir(parents=True)
    names = [column.name for column in attempt_row.COLUMNS]
    rows = [
        {"nodeid": test, "outcome": "passed", "start": "2026-01-01T00:00:00.000Z", "cpu_user_s": value,
         "cpu_system_s": 0, "children_cpu_s": 0, "call_s": value}
        for test, value in cpu_s.items()
    ]  # fmt: skip
    text = header(names) + "".join(record([str(row.get(name, "")) for name in names]) for row in rows)
    (folder / "tests.csv").write_text(text, encoding="utf-8")
    scores = {"speed": speed_document(MachineSpeed(speed, 2 * speed))} if speed else {}
    (folder / "fingerprint.json").write_text(json.dumps({"cpu": {"model": cpu}, **scores}), encoding="utf-8")
    if saved:
        (folder / "baseline.json").write_text(json.dumps({"saved": saved, "commit": "c0ffee"}), encoding="utf-8")
    return folder


def weighed(before: Path, after: Path, *limit: str) -> Comparison:
    """A run compared with another."""
    return comparison(RunSet("before", [before]), RunSet("after", [after]), parse_limits(limit))
