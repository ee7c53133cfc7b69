"""The tests' tree of processes and the stressors'."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from pytest_twin._system.procfs import MIB
from pytest_twin.telemetry.probes import ProbeContext, trees
from pytest_twin.telemetry.probes.trees import COLUMNS, TreesProbe

ROOT, CHILD, SUPERVISOR, STRESSOR = 900_001, 900_002, 900_003, 900_004
FAMILY = {ROOT: [CHILD, SUPERVISOR], SUPERVISOR: [STRESSOR]}


class Family:
    """Processes made up: CPU seconds by process id, 2 MiB, 3 threads and 5 files each, I/O where it is given."""

    def __init__(self) -> None:
        self.cpu_s: dict[int, float] = {}
        self.io: dict[int, tuple[int | None, int | None]] = {}

    def refresh(self, detailed: bool) -> None:
        """A new row begins."""
        self.detailed = detailed

    def read(self, pid: int) -> SimpleNamespace | None:
        """A process, if there is one."""
        if pid not in self.cpu_s:
            return None
        details = (5, *self.io.get(pid, (0, 0))) if self.detailed else ()
        supervises = pid in {SUPERVISOR, STRESSOR}
        children = [child for child in FAMILY.get(pid, []) if child in self.cpu_s]
        now = self.cpu_s[pid], 2 * MIB, 3
        return SimpleNamespace(supervises=supervises, now=now, details=details, children=lambda: children)


Io = dict[int, tuple[int | None, int | None]]


class Row:
    """The values of a row by the names of their columns."""

    def __init__(self, values: list[float | None]) -> None:
        assert len(values) == len(COLUMNS)
        for column, value in zip(COLUMNS, values, strict=True):
            setattr(self, column.name, value)


@pytest.fixture
def rows(monkeypatch):
    """Rows on a host with four CPUs, from the CPU seconds, and I/O, of each process at that time."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)

    def rows(
        *moments: dict[int, float], io: tuple[Io, ...] = (), has_tests: bool = True, apart_s: float = 1.0
    ) -> list[Row]:
        family = Family()
        probe = TreesProbe(ProbeContext(ROOT, has_tests), family)
        found = []
        for at, moment in enumerate(moments):
            family.cpu_s = moment
            family.io = io[at] if io else {}
            found.append(Row(probe.read(at * apart_s)))
        return found

    return rows


def cpu_of_tests(rows: list[Row]) -> list[float | None]:
    return [row.tests_cpu_percent for row in rows]


def test_stressors_are_counted_apart_from_tests(rows):
    first, second = rows(
        {ROOT: 1.0, CHILD: 0.0, SUPERVISOR: 0.0, STRESSOR: 0.0}, {ROOT: 1.5, CHILD: 0.5, SUPERVISOR: 0.0, STRESSOR: 2.0}
    )
    assert (first.tests_cpu_percent, first.stress_cpu_percent) == (None, None)
    assert (second.tests_cpu_percent, second.stress_cpu_percent) == (25.0, 50.0)


def test_what_processes_have_at_a_moment_is_added_up(rows):
    (row,) = rows({ROOT: 1.0, CHILD: 0.0, SUPERVISOR: 0.0})
    assert (row.tests_resident_MB, row.stress_resident_MB) == (4.0, 2.0)
    assert (row.tests_process_count, row.stress_process_count) == (2, 1)
    assert (row.tests_thread_count, row.stress_thread_count) == (6, 3)
    assert (row.tests_open_files, row.stress_open_files) == (10, 5)


def test_a_child_that_ended_keeps_its_cpu_in_the_account(rows):
    _, second = rows({ROOT: 1.0, CHILD: 3.0}, {ROOT: 5.0})  # which its parent was told of: 3 s then, 1 s since
    assert (second.tests_cpu_percent, second.tests_process_count) == (25.0, 1)


def test_a_child_that_came_and_went_between_two_rows_is_in_the_account(rows):
    assert cpu_of_tests(rows({ROOT: 1.0}, {ROOT: 2.0})) == [None, 25.0]


def test_a_supervisor_that_ended_is_not_charged_to_the_tests(rows):
    _, second = rows({ROOT: 1.0, SUPERVISOR: 0.5, STRESSOR: 3.0}, {ROOT: 1.0 + 3.5})
    assert (second.tests_cpu_percent, second.tests_process_count, second.stress_cpu_percent) == (0.0, 1, 0.0)


def test_ticks_that_are_lost_when_a_child_is_reaped_are_no_step_back(rows):
    shares = cpu_of_tests(rows({ROOT: 1.0, CHILD: 1.009}, {ROOT: 2.0}, {ROOT: 3.009}))
    assert shares == [None, 0.0, 25.0]


def test_a_process_that_leaves_the_tree_unaccounted_does_not_hide_what_the_others_burn(rows):
    """A daemon, or the child of a process that was killed: no parent of the tree is told of its CPU."""
    shares = cpu_of_tests(rows({ROOT: 1.0, CHILD: 60.0}, {ROOT: 2.0}, {ROOT: 3.0}, {ROOT: 4.0}))
    assert shares[2:] == [25.0, 25.0]


def test_a_killed_supervisor_does_not_hide_what_the_tests_burn(rows):
    tree = {SUPERVISOR: 0.1, STRESSOR: 60.0}
    shares = cpu_of_tests(rows({ROOT: 1.0, **tree}, {ROOT: 2.1}, {ROOT: 3.1}, {ROOT: 4.1}))
    assert shares[2:] == [25.0, 25.0]


def test_a_mere_recording_has_no_tests(rows):
    both = rows({ROOT: 1.0, SUPERVISOR: 0.0}, {ROOT: 2.0, SUPERVISOR: 1.0}, has_tests=False)
    assert {getattr(both[1], column.name) for column in COLUMNS[:7]} == {None}
    assert (both[1].stress_cpu_percent, both[1].stress_process_count) == (25.0, 1)


def test_a_root_that_is_gone_leaves_empty_trees(rows):
    assert {getattr(rows({}, {})[1], column.name) for column in COLUMNS} == {0.0}


def test_the_process_that_samples_is_not_in_the_account(rows, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: CHILD)
    assert rows({ROOT: 1.0, CHILD: 9.0})[0].tests_process_count == 1


def io_of(*moments: Io, rows, cpu_s: dict[int, float]) -> list[tuple[float | None, ...]]:
    """Read and written by the tests, then by the stressors, row by row."""
    found = rows(*[cpu_s] * len(moments), io=moments)
    return [(row.tests_read_MB, row.tests_write_MB, row.stress_read_MB, row.stress_write_MB) for row in found]


ALL = {ROOT: 1.0, CHILD: 1.0, SUPERVISOR: 1.0, STRESSOR: 1.0}


def test_what_a_tree_reads_and_writes_is_told_since_the_last_row(rows):
    before = {ROOT: (MIB, MIB), STRESSOR: (0, MIB)}
    after = {ROOT: (2 * MIB, MIB), CHILD: (0, 2 * MIB), STRESSOR: (0, 9 * MIB)}
    assert io_of(before, after, rows=rows, cpu_s=ALL) == [(None,) * 4, (1.0, 2.0, 0.0, 8.0)]


def test_a_process_that_may_not_be_asked_costs_only_its_own_tree_the_figures(rows):
    refused = {CHILD: (None, None)}
    assert io_of({}, refused, {}, {}, rows=rows, cpu_s=ALL) == [
        (None,) * 4,
        (None, None, 0.0, 0.0),
        (None, None, 0.0, 0.0),
        (0.0,) * 4,
    ]


def test_what_a_child_wrote_before_it_ended_is_written_once(rows):
    cpu_s = {ROOT: 1.0, CHILD: 0.0}
    io = ({CHILD: (0, MIB)}, {ROOT: (0, 3 * MIB)})
    first, second = rows(cpu_s, {ROOT: 1.0}, io=io)
    assert (first.tests_write_MB, second.tests_write_MB) == (None, 2.0)


def test_what_a_supervisor_wrote_before_it_ended_is_not_the_tests(rows):
    io = ({STRESSOR: (0, 5 * MIB)}, {ROOT: (0, 6 * MIB)})
    _, second = rows(ALL, {ROOT: 3.0, CHILD: 1.0}, io=io)
    assert (second.tests_write_MB, second.stress_write_MB) == (1.0, 0.0)


def test_a_supervisor_that_could_not_be_asked_when_it_ended_does_not_hide_what_comes_after(rows):
    io = ({}, {STRESSOR: (None, None)}, {}, {ROOT: (MIB, MIB)})
    gone = {ROOT: 3.0, CHILD: 1.0}
    *_, last = rows(ALL, ALL, gone, gone, io=io)
    assert (last.tests_read_MB, last.tests_write_MB, last.stress_write_MB) == (1.0, 1.0, 0.0)


def test_files_and_io_are_looked_up_twice_a_second_and_nothing_is_told_twice(rows):
    io = tuple({ROOT: (at * MIB, 0)} for at in range(8))
    found = rows(*[{ROOT: 1.0}] * 8, io=io, apart_s=0.25)
    assert [row.tests_read_MB for row in found] == [None, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0]
    assert {row.tests_open_files for row in found} == {5}


def test_stressors_that_come_later_are_charged_from_the_row_before(rows):
    none, there = {ROOT: 1.0}, {ROOT: 1.0, SUPERVISOR: 0.25, STRESSOR: 0.25}
    found = rows(none, none, none, there, none, none, none)
    assert [row.stress_cpu_percent for row in found] == [None, 0.0, 0.0, 12.5, 0.0, 0.0, 0.0]
    assert [row.stress_process_count for row in found] == [0, 0, 0, 2, 0, 0, 0]


def test_many_processes_are_read_less_often_and_no_cpu_time_and_no_io_is_lost(rows, monkeypatch):
    monkeypatch.setattr(trees, "ALWAYS_READ", 1)
    monkeypatch.setattr(trees, "READ_PER_S", 2)  # two processes: once a second
    moments = [{ROOT: at / 2, CHILD: 1.0} for at in range(9)]
    found = rows(*moments, io=tuple({ROOT: (at * MIB, 0)} for at in range(9)), apart_s=0.25)
    assert cpu_of_tests(found) == [None] * 4 + [50.0] * 5  # 2 s of CPU time in each second, of 4 CPUs
    assert [row.tests_read_MB for row in found] == [None] * 4 + [4.0, 0.0, 0.0, 0.0, 4.0]
    assert {row.tests_process_count for row in found} == {2}


def test_the_last_row_reads_many_processes_too(rows, monkeypatch):
    monkeypatch.setattr(trees, "ALWAYS_READ", 1)
    family = Family()
    family.cpu_s = {ROOT: 1.0, CHILD: 1.0}
    probe = TreesProbe(ProbeContext(ROOT), family)
    probe.read(0.0)
    family.cpu_s[ROOT] = 2.0
    assert Row(probe.read_last(0.001)).tests_cpu_percent == 100.0
