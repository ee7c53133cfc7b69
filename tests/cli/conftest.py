"""What tests of the commands share."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pytest_twin.cli import main


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """Runs ``pytest-twin`` in an empty folder, where lines may be long: what it printed, or its errors."""
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == status, done.output
        return done.output

    return run
