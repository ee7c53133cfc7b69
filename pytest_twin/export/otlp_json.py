"""Export a run as OTLP JSON, a message in each line: the file exporter and receivers of OpenTelemetry collectors.

The environment variables of OpenTelemetry count as where a run is sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.export.otlp.config import NEEDS, OtlpConfig, read_config
from pytest_twin.settings.parsers import DEFAULT_COLLECTOR

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary

__all__ = ["BEGINNING", "FILE", "NEEDS", "lines", "lines_of_run"]

FILE = "otlp.jsonl"
BEGINNING = (
    '{"resourceSpans":[{"resource":{"attributes":[{"key":"telemetry.distro.name","value":{"stringValue":"pytest-twin"}}'
)


def lines(summary: RunSummary) -> Iterator[str]:
    """Yield a line for each message."""
    return lines_of_run(
        summary.run.path, read_config(os.environ, DEFAULT_COLLECTOR)
    )  # of which only the file is asked for


def lines_of_run(folder: Path, config: OtlpConfig) -> Iterator[str]:
    """Yield the same for a run folder.

    Raises:
        OtlpError: The run cannot be read.
    """
    from pytest_twin.export.otlp.exporter import RunExport

    for document in RunExport(folder, config).documents():
        yield json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"
