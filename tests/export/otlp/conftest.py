"""What the tests of OTLP share."""

from __future__ import annotations

import pytest

pytest.importorskip("opentelemetry.proto")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """No variable of OpenTelemetry, of a CI or of a proxy is set."""
    import os

    for name in list(os.environ):
        if name.startswith(("OTEL_", "TRACE", "GITHUB_", "GITLAB_", "CI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def collector():
    """A collector on this machine."""
    from otlp_collector import collecting

    with collecting() as found:
        yield found
