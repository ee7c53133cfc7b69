"""What a recording ends with."""

import re
from pathlib import Path

import pandas as pd

from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.report.recorded_usage import next_steps, usage_lines


def recording(times, **columns):
    index = pd.Index(times, name="elapsed_s", dtype=float)
    return MachineRecording(pd.DataFrame(columns, index=index, dtype=float), None, 1.0, {})


def test_each_recorded_resource_has_its_mean_its_95_percent_quantile_and_its_peak():
    usage = [0.1] * 19 + [0.5, 1.0]
    found = recording(
        range(1, 22), cpu=usage, mem_bytes=[2 << 30] * 21, disk_write=[5e6] * 20 + [None], net_sent=[None] * 21
    )
    assert list(usage_lines(found)) == [
        "                      mean         p95        peak",
        "CPU                 16.2 %      50.0 %     100.0 %",
        "                  2.00 GiB    2.00 GiB    2.00 GiB",
        "disk writes       5.0 MB/s    5.0 MB/s    5.0 MB/s",
    ]


def test_an_interval_that_the_end_cut_short_is_no_peak():
    lines = list(usage_lines(recording([1, 2, 2.01], cpu=[0.2, 0.4, 1.0])))
    assert lines[1].split() == ["CPU", "30.0", "%", "39.0", "%", "40.0", "%"]


def test_the_commands_that_go_on_can_be_pasted():
    assert [line.partition(": ")[2].strip() for line in next_steps(Path("my run"))] == [
        'pytest-twin report "my run"',
        'pytest-twin run "my run"',
        'pytest --twin-like="my run"',
    ]


def test_no_line_is_wider_than_80_columns():
    lines = [*usage_lines(recording([1, 2], cpu=[1, 1], disk_read=[1e12, 1e12])), *next_steps(Path("twin-report"))]
    assert max(map(len, lines)) <= 80
    assert not any(re.search(r"\s$", line) for line in lines)
