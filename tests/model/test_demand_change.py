"""Changes of the demand, and a recording with it."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import recording

from pytest_twin.model.demand_change import DemandChange, changed_recording, parse_changes, within_machine

GIB = 1 << 30


def changed(text, **columns):
    """The columns of a recording with a changed demand."""
    frame = changed_recording(recording(**columns), parse_changes(text)).frame
    return {name: frame[name].tolist() for name in frame}


def test_changes_are_factors_and_amounts():
    assert parse_changes(" cpu*1.5  mem+4GiB disk+50MB/s ") == (
        DemandChange("cpu*1.5", "cpu", factor=1.5),
        DemandChange("mem+4GiB", "mem", extra=4.0 * GIB, unit="bytes"),
        DemandChange("disk+50MB/s", "disk", extra=50e6, unit="bytes/s"),
    )
    assert parse_changes("cpu+20%") == (DemandChange("cpu+20%", "cpu", extra=0.2, unit="share"),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "gives no change such as cpu*1.5 or cpu+20%"),
        ("gpu*2", "'gpu*2' is not a change such as cpu*1.5 or cpu+20%, mem*2 or mem+4GiB, disk*2 or disk+50MB/s"),
        ("cpu*0", "'cpu*0': '0' is not a factor above 0 and up to 1000"),
        ("cpu*1e9", "'cpu*1e9': '1e9' is not a factor above 0 and up to 1000"),
        ("cpu+3GiB", "'cpu+3GiB': '3GiB' has another unit; give cpu*1.5 or cpu+20%"),
        ("mem+3", "'mem+3': '3' has another unit; give mem*2 or mem+4GiB"),
        ("disk+max", "'disk+max': 'max' has another unit; give disk*2 or disk+50MB/s"),
        (3, '3 is not a text of changes such as "cpu*1.5"'),
        ("cpu*2 mem*2 cpu*3", "changes cpu 2 times; give one change of it"),
    ],
)
def test_what_is_no_change_is_told(text, problem):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_changes(text)
    assert str(caught.value) == problem


def test_a_demand_may_exceed_what_the_machine_has():
    assert changed("cpu*1.5", cpu=[0.5, 0.8]) == {"cpu": pytest.approx([0.75, 1.2])}
    assert changed("cpu+30%", cpu=[0.5, 0.8], mem=[0.1, 0.1]) == {"cpu": pytest.approx([0.8, 1.1]), "mem": [0.1, 0.1]}


def test_user_and_system_time_of_a_changed_cpu_are_not_known():
    assert changed("cpu*2", cpu=[0.5], cpu_user=[0.3], cpu_system=[0.2]) == {"cpu": [1.0]}


def test_memory_changes_as_a_share_and_in_bytes():
    columns = {"mem": [0.25, 0.5], "mem_bytes": [4.0 * GIB, 8.0 * GIB]}
    assert changed("mem*2", **columns) == {"mem": [0.5, 1.0], "mem_bytes": [8.0 * GIB, 16.0 * GIB]}
    for more in ("mem+4GiB", "mem+25%"):
        assert changed(more, **columns) == {"mem": [0.5, 0.75], "mem_bytes": [8.0 * GIB, 12.0 * GIB]}


def test_a_rate_is_added_to_reads_and_writes_as_they_are_recorded():
    found = changed("disk+8MB/s", disk_read=[1e6, 0.0], disk_write=[1e6, 2e6])
    assert found == {"disk_read": pytest.approx([3e6, 2e6]), "disk_write": pytest.approx([7e6, 8e6])}
    assert changed("disk+8MB/s", disk_read=[0.0], disk_write=[0.0]) == {"disk_read": [0.0], "disk_write": [8e6]}
    assert changed("disk*2", disk_write=[1e6, np.nan])["disk_write"][0] == 2e6


def test_a_recording_is_left_as_it_was():
    before = recording(cpu=[0.5])
    changed_recording(before, parse_changes("cpu*2"))
    assert before.frame["cpu"].tolist() == [0.5]


def test_a_machine_shows_no_more_than_all_of_it():
    shown = within_machine(changed_recording(recording(cpu=[0.5, 0.9], mem=[0.2, 0.6]), parse_changes("cpu*2 mem*2")))
    assert (shown.frame["cpu"].tolist(), shown.frame["mem"].tolist()) == ([1.0, 1.0], [0.4, 1.0])


@pytest.mark.parametrize(
    ("text", "columns", "problem"),
    [
        ("cpu*2", {"mem": [0.5]}, "the recording has no values of cpu"),
        ("disk*2", {"cpu": [0.5]}, "the recording has no values of disk_read or disk_write"),
        ("mem+4GiB", {"mem": [0.5]},
         "the recording does not tell how much memory the machine has; give a share, such as mem+10%"),
    ],
)  # fmt: skip
def test_what_is_not_recorded_cannot_change(text, columns, problem):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        changed(text, **columns)
    assert str(caught.value) == problem
