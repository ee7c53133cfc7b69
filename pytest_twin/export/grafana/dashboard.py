"""The dashboard for the metrics of runs, in Grafana's classic JSON model."""

from __future__ import annotations

from importlib.resources import files

FILE = "pytest-twin.json"
BEGINNING = '{\n "uid": "pytest-twin",'  # by which a file of ours is known


def dashboard_text() -> str:
    """Return the dashboard as JSON."""
    return (files(__package__) / "dashboard.json").read_text(encoding="utf-8")
