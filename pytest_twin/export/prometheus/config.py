"""What a process that exports a run to Prometheus needs to know; it is passed to it as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.settings.options import Settings


@dataclass(frozen=True)
class PrometheusConfig:
    """Where the metrics of a run go, and which they are.

    Attributes:
        address: Host and port of the endpoint; None without one. Port 0 is a free one.
        textfile: The file for node_exporter's textfile collector; empty without one.
        gateway: The URL of a Pushgateway, possibly with a user and a password; empty without one.
        keep: Whether the file and the pushed group stay at the end of the run, with the time of the end.
        has_host: Whether the metrics of the whole host are exported too.
        tests: The number of tests with series of their own.
        certificate: The file with the certificate of the endpoint; empty for HTTP.
        key: The file with its private key.
    """

    address: tuple[str, int] | None = None
    textfile: str = ""
    gateway: str = ""
    keep: bool = False
    has_host: bool = False
    tests: int = 0
    certificate: str = ""
    key: str = ""

    @classmethod
    def of(cls, settings: Settings, base_dir: Path) -> PrometheusConfig:
        """Return the configuration for the settings of a run.

        Args:
            settings: The settings.
            base_dir: The folder that their paths are relative to.
        """
        textfile, certificate, key = (
            str(base_dir / path) if path else ""
            for path in (settings.prometheus_textfile, settings.prometheus_cert, settings.prometheus_key)
        )
        return cls(
            settings.prometheus, textfile, settings.prometheus_push or "", settings.prometheus_keep,
            settings.prometheus_host, settings.prometheus_tests, certificate, key,
        )  # fmt: skip

    def to_json(self) -> str:
        """Return it as text, for `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PrometheusConfig:
        """Return the configuration that `to_json` has written."""
        found: dict[str, Any] = json.loads(text)
        address = found.pop("address")
        return cls(address=None if address is None else (address[0], address[1]), **found)
