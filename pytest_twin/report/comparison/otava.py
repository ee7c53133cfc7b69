"""The history of a baseline as apache-otava reads it: a table, and the configuration that names its series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_twin.model.csv_text import header, record

TABLE, CONFIGURATION = "history.csv", "otava.yaml"
LOWER_IS_BETTER = -1


def table(series: Mapping[str, Sequence[float]], times: Sequence[str], commits: Sequence[str]) -> str:
    """The CSV file: a row is a run."""
    columns = zip(*series.values(), strict=True)
    rows = (
        record([time, commit or "unknown", *(f"{value:.6f}" for value in values)])
        for time, commit, values in zip(times, commits, columns, strict=True)
    )
    return header(["time", "commit", *_names(series)]) + "".join(rows)


def configuration(series: Mapping[str, Sequence[float]], name: str, path: Path) -> str:
    """The configuration, in the part of YAML that is JSON.

    Args:
        series: What is in the table.
        name: What the history is called.
        path: Where the table is.
    """
    metrics = {each: {"column": each, "direction": LOWER_IS_BETTER, "scale": 1} for each in _names(series)}
    test = {"type": "csv", "file": str(path), "time_column": "time", "attributes": ["commit"], "metrics": metrics}
    return json.dumps({"tests": {name: test}}, indent=2) + "\n"


def _names(series: Mapping[str, Sequence[float]]) -> list[str]:
    """Names of columns without what otava takes for more than a name, each once."""
    names = [each.replace(",", ";").replace('"', "'") for each in series]
    return [name if names.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(names)]
