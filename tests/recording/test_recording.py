"""A recording, without pytest."""

from __future__ import annotations

import sys

import pytest

from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, TESTS
from pytest_twin.telemetry.sampler_config import SamplerConfig


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can remove an open file there")
@pytest.mark.parametrize(
    ("go", "lost"),
    [
        (lambda path: (path / DATASET).unlink(), DATASET),
        (lambda path: path.rename(path.with_name("elsewhere")), f"{ANNOTATIONS}, {TESTS}, {DATASET}"),
    ],
    ids=["a file", "the folder"],
)
def test_what_somebody_took_away_while_it_went_on_is_told_once(tmp_path, eventually, go, lost):
    path = tmp_path / "run"
    with Recording(RunFolder(path), SamplerConfig(0.02)) as recording:
        eventually(lambda: recording.dataset.read_text().count("\n") > 1)
        go(path)
    assert recording.sampler_stats.warnings == (f"moved or removed during the run, with all rows: {lost}",)
