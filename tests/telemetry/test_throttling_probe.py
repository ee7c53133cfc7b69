"""How long constraints made the tests wait, from files as the recording and the enforcer write them."""

from __future__ import annotations

import pytest

from pytest_twin.telemetry.probes import ProbeContext, throttling
from pytest_twin.telemetry.throttled_time import read_throttled_s


@pytest.fixture
def probe(kernel):
    return throttling.probe(ProbeContext(1, constraints_dir=kernel))


@pytest.fixture
def constraint(write, kernel):
    """Writes the throttled time of a constraint on a process, named by the process and a number."""

    def set_usec(name: str, usec: int, began_s: float = 0.0) -> None:
        write(f"stat/{name}", f"nr_periods 3\nthrottled_usec {usec}\n")
        write(name, f"{began_s} {kernel}/stat/{name}")

    return set_usec


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("usage_usec 7\nnr_throttled 2\nthrottled_usec 1500000\n", 1.5),
        ("nr_periods 7\nnr_throttled 2\nthrottled_time 1500000000\n", 1.5),
        ("throttled_usec 0", 0.0),
        ("usage_usec 7\n", None),
        ("throttled_usec much\n", None),
        ("", None),
    ],
)
def test_both_versions_of_control_groups_tell_it(write, kernel, text, seconds):
    write("cpu.stat", text)
    assert read_throttled_s(f"{kernel}/cpu.stat") == seconds


def test_a_file_that_is_gone_tells_nothing(kernel):
    assert read_throttled_s(f"{kernel}/cpu.stat") is None


@pytest.mark.parametrize("folder", ["", "/nowhere"])
def test_without_a_constraint_the_cell_is_empty(folder):
    probe = throttling.probe(ProbeContext(1, constraints_dir=folder))
    assert [probe.read(at) for at in (1.0, 2.0)] == [(None,), (None,)]


def test_it_is_the_share_of_the_time_since_the_last_row(probe, constraint):
    probe.read(1.0)
    constraint("7-1", 250_000)  # which began after that row
    assert probe.read(2.0) == (25.0,)
    constraint("7-1", 350_000)
    assert probe.read(2.5) == (pytest.approx(20.0),)


def test_the_first_constraint_is_looked_for_twice_a_second_and_nothing_of_it_is_lost(tmp_path, write):
    folder = tmp_path / "held"
    probe = throttling.probe(ProbeContext(1, constraints_dir=str(folder)))
    assert [probe.read(at) for at in (1.0, 1.1)] == [(None,)] * 2
    write("cpu.stat", "throttled_usec 250000\n")
    write("held/7-1", f"0.0 {tmp_path}/cpu.stat")
    assert [probe.read(at) for at in (1.2, 1.5)] == [(None,), (pytest.approx(50.0),)]
    write("cpu.stat", "throttled_usec 300000\n")
    assert probe.read(1.6) == (pytest.approx(50.0),)


def test_what_the_file_had_before_the_constraint_does_not_count(probe, constraint):
    probe.read(1.0)
    constraint("7-1", 750_000, began_s=0.5)
    assert probe.read(2.0) == (pytest.approx(25.0),)
    constraint("7-2", 850_000, began_s=0.75)
    assert probe.read(3.0)[0] == pytest.approx(10.0)


def test_a_file_that_is_not_written_yet_is_read_at_the_next_row(probe, constraint, write):
    write("7-1", "")
    assert [probe.read(at) for at in (1.0, 2.0)] == [(None,), (None,)]
    constraint("7-1", 100_000)
    assert probe.read(3.0) == (pytest.approx(10.0),)


def test_several_cpus_that_wait_at_once_count_at_most_as_the_whole_time(probe, constraint):
    probe.read(1.0)
    constraint("7-1", 1_800_000)
    assert probe.read(2.0) == (100.0,)


def test_the_constraints_of_a_process_add_up_and_those_of_several_have_a_mean(probe, constraint):
    probe.read(1.0)
    constraint("7-1", 100_000)
    constraint("7-2", 200_000)
    constraint("8-1", 500_000)
    assert probe.read(2.0) == (pytest.approx(40.0),)


def test_after_the_end_of_a_constraint_the_cell_is_empty_again(probe, constraint, tmp_path):
    probe.read(1.0)
    constraint("7-1", 100_000)
    probe.read(2.0)
    (tmp_path / "7-1").unlink()
    assert probe.read(3.0) == (None,)


def test_other_files_are_passed_over(probe, constraint, write):
    write("schedule-start", "17.5")
    constraint("7-1", 100_000)
    probe.read(1.0)
    assert probe.read(2.0) == (0.0,)
