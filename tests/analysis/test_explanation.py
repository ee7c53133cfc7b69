"""The sentence about a failed test, for runs whose cause is known because they are made up."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.run.explanation import explain
from pytest_twin.model.column_figures import ColumnFigures

QUIET = {"cpu_percent": 12.0, "cpu_count_logical": 4.0, "pressure_cpu_percent": 2.0, "pressure_io_percent": 1.0}


def row(**cells):
    known = {"outcome": "failed", "call_s": "1.01", "cpu_user_s": "0.01", "cpu_system_s": "0", "children_cpu_s": "0"}
    return {**known, **cells}


def during(covered=1.0, **means):
    """Columns with the same value in all samples of the test."""
    return {name: ColumnFigures(mean, mean, mean, 0.0, covered) for name, mean in {**QUIET, **means}.items()}


def test_a_machine_that_others_keep_busy_is_told_with_the_share_of_others_and_the_waits():
    said = explain(row(), during(cpu_percent=100, pressure_cpu_percent=88))
    assert said == (
        "machine 100 % busy, 100 % of it others; 88 % of the time some task waited for a CPU; "
        "the test used 10 ms CPU in 1.01 s"
    )


@pytest.mark.parametrize("damaged", ["1e400", "nan", "?", ""])
@pytest.mark.parametrize("cell", ["children_cpu_s", "cpu_wait_s", "major_faults", "throttled_s"])
def test_a_damaged_cell_of_a_test_is_not_known(cell, damaged):
    assert explain(row(**{cell: damaged}), during()) == explain(row(**{cell: ""}), during())


def test_the_wait_of_the_test_itself_is_told_in_place_of_that_of_any_task():
    busy = during(cpu_percent=100, pressure_cpu_percent=88)
    assert explain(row(cpu_wait_s="0.8"), busy) == (
        "machine 100 % busy, 100 % of it others; the test used 10 ms CPU in 1.01 s; "
        "its thread waited for a CPU 79 % of the time"
    )


def test_a_test_that_hardly_waited_on_a_busy_machine_says_so():
    assert explain(row(cpu_wait_s="0.02"), during(cpu_percent=100, pressure_cpu_percent=88)) == (
        "machine 100 % busy, 100 % of it others; 88 % of the time some task waited for a CPU; "
        "the test used 10 ms CPU in 1.01 s; its thread waited for a CPU 2 % of the time"
    )


def test_a_test_that_waited_on_a_machine_that_was_not_busy_says_so():
    said = "the test used 10 ms CPU in 1.01 s"
    waited = f"{said}; its thread waited for a CPU 50 % of the time"
    assert explain(row(cpu_wait_s="0.5"), during()) == f"machine 12 % busy; {waited}"
    assert explain(row(cpu_wait_s="0.5"), {}).startswith(f"{waited}; too few samples")
    assert explain(row(cpu_wait_s="0.1"), during()) == f"nothing unusual; machine 12 % busy; {said}"


def test_a_wait_that_was_partly_between_the_phases_is_no_more_than_all_of_the_time():
    assert explain(row(cpu_wait_s="1.02"), during()).endswith("; its thread waited for a CPU 100 % of the time")


def test_the_wait_of_a_short_test_is_not_told_since_it_may_be_that_of_pytest_between_its_phases():
    assert explain(row(call_s="0.04", cpu_wait_s="0.03"), during()).startswith("nothing unusual; ")
    assert "waited" not in explain(row(call_s="0.04", cpu_wait_s="0.03"), during(cpu_percent=100))


def test_the_applied_load_and_others_are_told_apart():
    samples = during(cpu_percent=100, stress_cpu_percent=70, pressure_cpu_percent=90)
    said = explain(row(load="cpu=8"), samples)
    assert said.startswith("under cpu=8: machine 100 % busy, 70 % of it the applied load, 30 % of it others; 90 %")


def test_a_machine_that_the_test_itself_keeps_busy_is_told_as_such():
    said = explain(row(cpu_user_s="4.0"), during(cpu_percent=100))
    assert said.startswith("machine 100 % busy, nearly all of it the test; ")


def test_throttled_time_is_told_where_it_is_a_tenth_of_the_test_or_more():
    assert explain(row(throttled_s="0.8", constraint="cpu=0.2"), during()).startswith(
        "under constrain cpu=0.2: throttled 800 ms of 1.01 s; "
    )
    assert explain(row(throttled_s="0.05"), during()).startswith("nothing unusual; ")


def test_what_a_test_waited_between_its_phases_too_is_a_share_of_its_whole_time():
    whole = row(throttled_s="2.0", constraint="cpu=0.2", cpu_wait_s="1.4", duration_s="2.8")
    said = explain(whole, during())
    assert "throttled 2.00 s of 2.80 s; " in said
    assert said.endswith("; its thread waited for a CPU 50 % of the time")
    # a load was applied within that time, which is not counted as a wait
    assert explain({**whole, "load": "cpu=1"}, during()).endswith("; its thread waited for a CPU 100 % of the time")


def test_throttled_time_counts_for_each_cpu_and_is_told_as_no_more_than_the_whole_test():
    assert "throttled nearly all of its 1.01 s; " in explain(row(throttled_s="1.9"), during())


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({"tests_throttled_percent": 60}, "throttled 60 % of the time"),
        ({"cgroup_throttled_percent": 40}, "the CPU quota of its container throttled it 40 % of the time"),
        ({"pressure_io_percent": 31}, "the disk was busy, 31 % of the time some task waited for it"),
        ({"cpu_steal_percent": 25}, "the hypervisor gave 25 % of the CPU time to other guests"),
        ({"pressure_memory_percent": 9}, "memory was short, 9 % of the time some task waited for it"),
        ({"ram_used_percent": 97}, "memory was up to 97 % used"),
        ({"cgroup_oom_kills": 1}, "the kernel killed 1 process for lack of memory"),
    ],
)
def test_each_scarce_resource_has_its_words(samples, said):
    assert explain(row(), during(**samples)).startswith(f"{said}; the test used")


def test_where_the_kernel_has_no_pressure_the_cpus_that_were_idle_for_the_disk_tell():
    samples = during(cpu_iowait_percent=45)
    assert explain(row(), samples).startswith("nothing unusual")
    del samples["pressure_io_percent"]
    assert explain(row(), samples).startswith("the disk was busy, the CPUs were idle for it 45 % of the time; ")


def test_a_process_that_died_under_a_limit_of_memory_is_told_with_it():
    said = explain({"outcome": "crashed", "constraint": "mem=64MiB"}, {})
    assert said.startswith("under constrain mem=64MiB: its process died, as one does that takes more memory")


def test_a_test_over_its_budget_was_unusual_in_that():
    broken = row(budget="cpu_seconds 0.02949 s > 0.01 s")
    assert explain(broken, during()) == "over its budget; machine 12 % busy; the test used 10 ms CPU in 1.01 s"
    assert explain(broken, {}).startswith("over its budget; the test used 10 ms CPU")
    assert explain(broken, during(cpu_percent=100)).startswith("over its budget; machine 100 % busy")
    for kept in ("ok", "", "p95 0.3 s ? 0.2 s"):
        assert explain(row(budget=kept), during()).startswith("nothing unusual; ")


def test_on_a_quiet_machine_nothing_was_unusual():
    assert explain(row(), during()) == "nothing unusual; machine 12 % busy; the test used 10 ms CPU in 1.01 s"


def test_samples_that_cover_less_than_half_of_the_test_are_not_used():
    said = explain(row(), during(covered=0.4, cpu_percent=100, pressure_cpu_percent=90))
    assert said == (
        "nothing unusual in its counters; the test used 10 ms CPU in 1.01 s; "
        "too few samples in its time to tell what the machine did then, around it the machine was 100 % busy"
    )


def test_a_failure_that_took_longer_than_its_passes_says_so():
    passes = [row(outcome="passed", call_s=str(seconds)) for seconds in (0.1, 0.1, 0.11)]
    assert "; it took 10.1 times as long as the median of its 3 passes; " in explain(row(), during(), passes)
    assert "it took" not in explain(row(), during(), passes[:2])
    assert "it took" not in explain(row(), during(), [row()] * 5)


def test_a_row_without_figures_has_a_sentence_too():
    assert explain({"outcome": "unfinished"}, {}).startswith("nothing unusual in its counters; too few samples")
