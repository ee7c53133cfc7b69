"""When a changed demand exceeds what a machine has."""

from __future__ import annotations

import pytest
from made_recordings import of_frame, recording

from pytest_twin.analysis.prediction.what_if import NO_DISK_RATE, find_overloads
from pytest_twin.model.demand_change import parse_changes

NAN = float("nan")
GIB = 1 << 30


def overloads(text, disk_rate=None, **columns):
    return list(find_overloads(recording(**columns), parse_changes(text), disk_rate))


def test_the_time_above_what_the_machine_has_is_exact():
    cpu = [0.5] * 10 + [0.8] * 5 + [0.5] * 10 + [0.9] * 1 + [0.5] * 14
    (found,) = overloads("cpu*1.5", cpu=cpu)
    assert (found.share, found.first_s, found.peak) == pytest.approx((6 / 40, 10.0, 1.35))
    assert found.stretches_s == pytest.approx([5.0, 1.0])
    assert (found.longest_s, found.median_s) == pytest.approx((5.0, 3.0))


def test_a_machine_at_its_limit_is_not_above_it():
    (found,) = overloads("cpu*1", cpu=[1.0, 0.5])
    assert (found.share, found.first_s, found.longest_s, found.median_s) == (0.0, None, 0.0, 0.0)


def test_memory_is_added_to_what_the_machine_has():
    (found,) = overloads("mem+4GiB", mem=[0.25, 0.5, 0.8], mem_bytes=[4.0 * GIB, 8.0 * GIB, 12.8 * GIB])
    assert (found.peak, found.share) == pytest.approx((1.05, 1 / 3))
    (found,) = overloads("mem+30%", mem=[0.25, 0.5, 0.8])
    assert found.peak == pytest.approx(1.1)


def test_reads_and_writes_of_the_disk_add_up_to_its_rate():
    (found,) = overloads("disk*2", 100e6, disk_read=[10e6, 30e6], disk_write=[10e6, 30e6])
    assert (found.peak, found.share) == pytest.approx((1.2, 0.5))


def test_intervals_of_other_lengths_and_without_values_count_as_they_should():
    frame = recording(cpu=[0.9, 0.9, NAN, 0.9, 0.1]).frame.set_axis([1.0, 3.0, 7.0, 8.0, 10.0], axis="index")
    (found,) = find_overloads(of_frame(frame), parse_changes("cpu*2"), None)
    assert found.share == pytest.approx(4 / 6)
    assert found.stretches_s == pytest.approx([3.0, 1.0])


@pytest.mark.parametrize(
    ("text", "columns", "problem"),
    [
        ("cpu*2", {"mem": [0.5]}, "the recording has no values of cpu"),
        ("cpu*2", {"cpu": [NAN]}, "the recording has no values of cpu"),
        ("disk*2", {"cpu": [0.5]}, "the recording has no values of disk_read or disk_write"),
        ("disk*2", {"disk_read": [1.0]}, NO_DISK_RATE),
        ("mem+4GiB", {"mem": [0.5]},
         "the recording does not tell how much memory the machine has; give a share, such as mem+10%"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_judged(text, columns, problem):
    (found,) = overloads(text, **columns)
    assert found.problem == problem
