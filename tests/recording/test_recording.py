"""A recording, without pytest."""

from __future__ import annotations

import sys

import psutil
import pytest

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, TESTS
from pytest_twin.telemetry.sampler import SamplerClient, SamplerError
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


def test_loads_that_began_before_a_sampler_that_fails_are_stopped(tmp_path, monkeypatch, eventually):
    def fail(_):
        assert psutil.Process().children(recursive=True)
        raise SamplerError("no")

    monkeypatch.setattr(SamplerClient, "begin", fail)
    load = parse_load({"mem": "1MiB"}, kinds())
    recording = Recording(
        RunFolder(tmp_path / "run"), SamplerConfig(0.02), before_sampling=lambda run: run.apply(load.parts[0])
    )
    with pytest.raises(SamplerError, match=r"^no$"), recording:
        pass
    eventually(lambda: not psutil.Process().children(recursive=True))


def test_loads_can_be_applied_before_the_first_sample(tmp_path):
    taken = []

    def before(recording):
        taken.append(recording.elapsed())
        assert not recording.dataset.exists()

    with Recording(RunFolder(tmp_path / "run"), SamplerConfig(0.02), before_sampling=before) as recording:
        assert taken
        assert recording.dataset.exists()
