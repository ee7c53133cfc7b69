"""Export a recorded session to other programs while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_twin.export.prometheus.config import PrometheusConfig
from pytest_twin.export.prometheus.exporter import Exporter, ExporterError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.settings.options import Settings


class SessionExporter:
    """The process that exports a session to Prometheus."""

    def __init__(self, settings: Settings, base_dir: Path) -> None:
        """Start it before anything else starts.

        Args:
            settings: The settings, which ask for it.
            base_dir: The folder that their paths are relative to.

        Raises:
            pytest.UsageError: It cannot export.
        """
        self._settings, self._config = settings, PrometheusConfig.of(settings, base_dir)
        self.start()

    def start(self) -> None:
        """Start it, also again.

        Raises:
            pytest.UsageError: It cannot export.
        """
        try:
            self._exporter = Exporter(self._config)
        except ExporterError as error:
            written = self._settings.written(error.setting or self._settings.prometheus_option)
            raise pytest.UsageError(f"{written}: {error}") from None

    @property
    def lines(self) -> list[str]:
        """A line for the terminal about each place where the metrics are."""
        return [f"twin: metrics for Prometheus: {place}" for place in self._exporter.places]

    def begin(self, folder: Path, epoch: float) -> None:
        """Export the recording of the session.

        Args:
            folder: The run folder.
            epoch: Start of the run, in seconds since 1970.
        """
        self._exporter.begin(folder, epoch)

    def expect(self, tests: int) -> None:
        """Export the number of tests that were collected, once the recording has begun."""
        self._exporter.expect(tests)

    def stop(self) -> list[str]:
        """End the process, unless it has ended, and return a line for each problem."""
        return [f"warning: prometheus: {line}" for line in self._exporter.stop()]

    def close(self) -> None:
        """End the process where nothing was recorded."""
        self.stop()
