"""What the kill storm counts: rows that were written and are gone, which are not those that came to nobody's turn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_twin.run_folder.layout import DATASET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

KILLED_S = 1_700_000_000.75  # 22:13:20.75


@pytest.fixture
def storm_rows(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    import _storm_rows

    return _storm_rows


@pytest.fixture
def killed_run(tmp_path):
    """A run that was killed three quarters of a second after its second of three samples; the last came later."""
    (tmp_path / "twin-report").mkdir()
    times = ("19.9", "20.0", "20.8")
    rows = "".join(f"2023-11-14T22:13:{at}00+00:00,1\n" for at in times)
    (tmp_path / "twin-report" / DATASET).write_text(f"timestamp,cpu_percent\n{rows}")
    return tmp_path


@pytest.mark.parametrize(("written", "lost"), [(0, 0), (2, 0), (3, 1), (5, 3)])
def test_a_sample_that_was_written_before_the_kill_and_is_not_there_is_lost(storm_rows, killed_run, written, lost):
    assert storm_rows.rows_lost(killed_run, KILLED_S, written)["dataset"] == lost


def test_a_sample_whose_time_had_come_and_that_was_not_taken_is_a_missed_tick(storm_rows, killed_run):
    assert storm_rows.ticks_missed(killed_run, KILLED_S, 0.1) == 7


def test_the_kernel_tells_how_many_rows_a_sampler_has_written(storm_rows):
    code = "import os\nfor _ in 'header', 1, 2, 3: os.write(2, b'row')\nos.write(1, b'ready'); os.read(0, 1)"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    ) as writer:
        assert writer.stdout.read(5) == b"ready"
        assert storm_rows.rows_written(writer.pid) == 3
        writer.stdin.close()
    assert storm_rows.rows_written(writer.pid) == 0
