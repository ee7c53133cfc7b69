"""Write the history of a baseline for apache-otava: a CSV table, and a configuration that declares its series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_twin.model.csv_text import header, record

TABLE, CONFIGURATION = "history.csv", "otava.yaml"
LOWER_IS_BETTER = -1


def table(series: Mapping[str, Sequence[float]], times: Sequence[str], commits: Sequence[str]) -> str:
    """Return the CSV file with a row for each run."""
    columns = zip(*series.values(), strict=True)
    rows = (
        record([time, commit or "unknown", *(f"{value:.6f}" for value in values)])
        for time, commit, values in zip(times, commits, columns, strict=True)
    )
    return header(["time", "commit", *_names(series)]) + "".join(rows)


def configuration(series: Mapping[str, Sequence[float]], name: str, path: Path) -> str:
    """Return the configuration, in the JSON subset of YAML.

    Args:
        series: The series in the table.
        name: The name of the history.
        path: The path of the table.
    """
    metrics = {each: {"column": each, "direction": LOWER_IS_BETTER, "scale": 1} for each in _names(series)}
    test = {"type": "csv", "file": str(path), "time_column": "time", "attributes": ["commit"], "metrics": metrics}
    return json.dumps({"tests": {name: test}}, indent=2) + "\n"


def _names(series: Mapping[str, Sequence[float]]) -> list[str]:
    """Return unique column names without the characters that otava interprets."""
    names = [each.replace(",", ";").replace('"', "'") for each in series]
    return [name if names.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(names)]
