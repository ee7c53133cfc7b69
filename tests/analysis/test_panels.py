"""The curves of a run."""

import numpy as np
import pytest
from made_runs import MadeRun, stamp

from pytest_twin.analysis.run.lanes import assign_lanes, worker_sort_key
from pytest_twin.analysis.run.panels import panels


def drawn(made):
    summary = made.summary()
    return {
        panel.name: {curve.name: curve for curve in panel.curves}
        for panel in panels(summary.run.samples, summary.times)
    }


def test_the_cpu_is_split_into_tests_stress_and_the_rest(tmp_path):
    cpu = drawn(MadeRun(tmp_path).sampled(1, cpu_percent=90, tests_cpu_percent=20, stress_cpu_percent=60))["CPU"]
    assert [curve.values[-1] for curve in cpu.values()] == [20, 60, 10]
    assert list(cpu) == ["tests", "stress", "rest"]


def test_the_memory_is_split_by_sizes_and_never_more_than_what_is_used(tmp_path):
    sizes = {"ram_total_GB": 4, "ram_used_percent": 50, "stress_resident_MB": 1024}
    memory = drawn(MadeRun(tmp_path / "a").sampled(1, tests_resident_MB=512, **sizes))["Memory"]
    assert {name: curve.values[-1] for name, curve in memory.items()} == {"tests": 12.5, "stress": 25.0, "rest": 12.5}
    memory = drawn(MadeRun(tmp_path / "b").sampled(1, tests_resident_MB=1536, **sizes))["Memory"]
    assert {name: curve.values[-1] for name, curve in memory.items()} == {"tests": 37.5, "stress": 12.5, "rest": 0.0}


def test_a_recording_without_tests_and_stress_has_one_curve_of_the_cpu(tmp_path):
    made = MadeRun(tmp_path).sampled(1, tests_cpu_percent="", stress_cpu_percent="")
    assert list(drawn(made)["CPU"]) == ["host"]


def test_bytes_of_a_sample_become_a_rate_by_the_time_before_it(tmp_path):
    written = drawn(MadeRun(tmp_path).sampled(1, interval=0.25, disk_write_MB=0.5))["Disk"]["written"].values
    assert np.isnan(written[0])
    assert written[1:] == pytest.approx([2.0, 2.0, 2.0])


def test_what_is_not_known_has_no_panel_and_is_not_zero(tmp_path):
    assert set(drawn(MadeRun(tmp_path).sampled(1))) == {"CPU"}


class Lasting:
    """Something with a start and an end."""

    def __init__(self, start_s, end_s):
        self.start_s, self.end_s = start_s, end_s


def test_what_overlaps_gets_a_lane_of_its_own_and_lanes_are_used_again():
    assert assign_lanes([Lasting(0, 3), Lasting(1, 2), Lasting(2, 5), Lasting(3, 4)]) == [0, 1, 1, 0]


def test_workers_are_in_the_order_of_their_numbers():
    assert sorted(["gw10", "gw2", ""], key=worker_sort_key) == ["", "gw2", "gw10"]


@pytest.mark.parametrize("interval", [0.01, 0.02, 0.05, 0.1, 0.25, 2.0])
def test_a_rate_is_the_same_however_fast_rows_come(tmp_path, interval):
    """Ten times a second at most the disks are read; the rows in between have zeros."""
    steps = max(1, round(0.1 / interval))
    amount = 30 * steps * interval
    made = MadeRun(tmp_path).sampled(
        20 * steps * interval, interval, disk_write_MB=lambda at: 0 if round(at / interval) % steps else amount
    )
    written = drawn(made)["Disk"]["written"].values
    assert np.isnan(written[0])
    assert written[1 : -steps or None] == pytest.approx(30.0)


def test_late_rows_make_no_peaks_of_rates(tmp_path):
    """A row 20 ms after its time is followed by one that is too soon to read the disks."""
    times, before = [round(number / 10 + (0.02 if number % 3 == 0 else 0), 3) for number in range(60)], 0.0
    made = MadeRun(tmp_path)
    for at in times:
        is_read = at - before >= 0.09
        amount, before = (30 * (at - before), at) if is_read else (0, before)
        made.sampled(0.1, 0.1, disk_read_MB=amount)
        made.samples[""][-1] |= {"timestamp": stamp(at), "elapsed_s": f"{at:.4f}"}
    read = drawn(made)["Disk"]["read"].values
    assert read[4:-1] == pytest.approx(30.0)


def test_an_amount_that_is_missing_has_no_rate(tmp_path):
    made = MadeRun(tmp_path).sampled(1, disk_write_MB=lambda at: "" if at == 0.5 else 1, disk_read_MB=1)
    written = drawn(made)["Disk"]["written"].values
    assert np.isnan(written).tolist() == [True, *[False] * 4, True, *[False] * 4]
    assert written[4] == pytest.approx(10)


def test_amounts_of_another_program_in_every_row_are_rates_of_each_row(tmp_path):
    made = MadeRun(tmp_path).sampled(1, 0.02, disk_write_MB=0.5)
    assert drawn(made)["Disk"]["written"].values[2:] == pytest.approx(25.0)
