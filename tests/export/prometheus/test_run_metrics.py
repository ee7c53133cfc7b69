"""The metrics of a run from its rows, without a file and without a clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from pytest_twin.export.prometheus import metrics
from pytest_twin.export.prometheus.metrics import COUNTER, HISTOGRAM, MIB, all_metrics
from pytest_twin.export.prometheus.run_metrics import HistogramValue, MetricOptions, RunMetrics, buckets_of

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(elapsed_s: float, began: datetime = EPOCH) -> str:
    return (began + timedelta(seconds=elapsed_s)).isoformat(timespec="milliseconds")


def sample(elapsed_s: float, began: datetime = EPOCH, **cells: object) -> dict[str, str]:
    row = {"timestamp": stamp(elapsed_s, began), "elapsed_s": elapsed_s, "cpu_count_logical": 4, **cells}
    return {name: str(value) for name, value in row.items()}


def happening(elapsed_s: float, what: str, number: str, kind: str, **cells: object) -> dict[str, str]:
    empty = dict.fromkeys(("test", "worker", "host", "target", "achieved", "detail"), "")
    row = {"timestamp": stamp(elapsed_s), "elapsed_s": elapsed_s, "event": what, "id": number, "type": kind}
    return {name: str(value) for name, value in {**empty, **row, **cells}.items()}


def attempt(nodeid: str, elapsed_s: float = 1.0, **cells: object) -> dict[str, str]:
    row = {
        "nodeid": nodeid, "worker": "", "host": "", "outcome": "passed", "start": stamp(elapsed_s), "budget": "",
        "elapsed_s": elapsed_s, "duration_s": 2.0, "cpu_user_s": 1.0, "cpu_system_s": 0.5, "children_cpu_s": 0.25,
        "throttled_s": "",
    }  # fmt: skip
    return {name: str(value) for name, value in {**row, **cells}.items()}


@pytest.fixture
def run():
    return RunMetrics(MetricOptions())


def values(run: RunMetrics) -> dict[str, float | HistogramValue]:
    """Each series by its name and its labels, as a query has them."""
    found = {}
    for each in run.series():
        labels = zip(each.label_names(run.has_hosts), each.label_values(run.has_hosts), strict=True)
        text = ",".join(f'{name}="{value}"' for name, value in labels)
        found[each.metric.full_name.removeprefix("pytest_twin_") + (f"{{{text}}}" if text else "")] = each.value
    return found


def test_a_share_of_the_cpus_becomes_cpu_seconds(run):
    run.add_sample("", sample(1, tests_cpu_percent=50))
    run.add_sample("", sample(3, tests_cpu_percent=25))
    assert values(run)["tests_cpu_seconds_total"] == pytest.approx(4 * 0.5 * 1 + 4 * 0.25 * 2)


def test_amounts_are_in_bytes(run):
    for at in (1, 2):
        run.add_sample("", sample(at, tests_resident_MB=1.5, tests_write_MB=2))
    assert values(run)["tests_resident_bytes"] == 1.5 * MIB
    assert values(run)["tests_written_bytes_total"] == 4 * MIB


def test_a_missing_cell_is_no_value_and_a_counter_keeps_its_sum(run):
    run.add_sample("", sample(1, tests_resident_MB=1, tests_read_MB=1))
    run.add_sample("", sample(2, tests_resident_MB="", tests_read_MB=""))
    assert "tests_resident_bytes" not in values(run)
    assert values(run)["tests_read_bytes_total"] == MIB


def test_metrics_of_the_host_are_exported_only_on_request():
    row = sample(1, cpu_percent=50, ram_total_GB=1)
    without, with_host = RunMetrics(MetricOptions()), RunMetrics(MetricOptions(has_host=True))
    for each in (without, with_host):
        each.add_sample("", row)
    assert not [name for name in values(without) if name.startswith("host_")]
    assert values(with_host)["host_cpu_busy_ratio"] == 0.5
    assert values(with_host)["host_memory_bytes"] == 2**30


def test_a_load_is_active_from_its_start_to_its_end(run):
    run.add_event(happening(1, "start", "l1", "cpu", target="75%"))
    run.add_event(happening(1, "start", "l2", "disk", target="50MB/s"))
    assert values(run)['load_active{kind="cpu"}'] == 1
    assert values(run)['load_target{kind="cpu",unit="ratio"}'] == 0.75
    assert values(run)['load_target{kind="disk",unit="bytes_per_second"}'] == 50e6
    run.add_event(happening(2, "abort", "l1", "cpu", target="75%", achieved="60%"))
    assert values(run)['load_active{kind="cpu"}'] == 0
    assert values(run)['load_target{kind="cpu",unit="ratio"}'] == 0
    assert values(run)['load_achieved{kind="cpu",unit="ratio"}'] == pytest.approx(0.6)
    assert values(run)['loads_total{kind="cpu",end="abort"}'] == 1


def test_the_tightest_constraint_counts(run):
    run.add_event(happening(1, "start", "c1", "constraint", target="cpu=0.5 mem=1GiB"))
    run.add_event(happening(1, "start", "c2", "constraint", target="cpu=0.25"))
    assert values(run)["constraint_active"] == 2
    assert values(run)["constraint_cpus"] == 0.25
    assert values(run)["constraint_memory_bytes"] == 2**30
    run.add_event(happening(2, "end", "c2", "constraint", target="cpu=0.25"))
    run.add_event(happening(2, "end", "c1", "constraint", target="cpu=0.5 mem=1GiB"))
    assert values(run)["constraint_active"] == 0
    assert "constraint_cpus" not in values(run)


def test_tests_are_counted_by_outcome_and_by_duration(run):
    run.add_event(happening(1, "start", "t1", "test", test="a"))
    assert values(run)["tests_running"] == 1
    run.add_event(happening(2, "end", "t1", "test", test="a"))
    run.add_test(attempt("a", throttled_s=0.5))
    run.add_test(attempt("b", 5, outcome="failed", duration_s=20))
    found = values(run)
    assert (found["tests_running"], found['tests_total{outcome="passed"}']) == (0, 1)
    assert (found['tests_total{outcome="failed"}'], found['tests_total{outcome="skipped"}']) == (1, 0)
    assert found["tests_throttled_seconds_total"] == 0.5
    durations = found["test_duration_seconds"]
    assert durations.sum == 22
    counts = dict(buckets_of(metrics.TEST_DURATION, durations))
    assert (counts["1.0"], counts["3.0"], counts["30.0"], counts["+Inf"]) == (0, 1, 2, 2)
    assert found["test_cpu_seconds"].sum == 3.5


def test_a_test_remains_until_its_first_attempt_is_over(run):
    assert "tests_remaining" not in values(run)
    run.collected = 3
    run.add_test(attempt("a", outcome="failed"))
    run.add_test(attempt("a", 5, attempt=2))
    assert values(run)["tests_remaining"] == 2


def test_a_row_that_is_read_twice_counts_once(run):
    rows = [attempt("a", worker="gw0"), attempt("b", worker="gw1")]
    for row in (*rows, *rows):  # the parts of workers, and the file into which they are merged
        run.add_test(row)
        run.add_event(happening(1, "end", f"{row['worker']}-l1", "cpu", worker=row["worker"]))
    assert values(run)['tests_total{outcome="passed"}'] == 2
    assert values(run)['loads_total{kind="cpu",end="end"}'] == 2


def test_a_later_run_in_the_folder_begins_at_zero(run):
    run.add_sample("", sample(1, tests_read_MB=1))
    run.add_test(attempt("a"))
    run.add_sample("", sample(1, EPOCH + timedelta(hours=1), tests_read_MB=3))
    assert values(run)["tests_read_bytes_total"] == 3 * MIB
    assert values(run)['tests_total{outcome="passed"}'] == 0


def test_rows_of_another_run_than_the_given_one_do_not_count():
    run = RunMetrics(MetricOptions(), (EPOCH + timedelta(hours=1)).timestamp())
    run.add_sample("", sample(1, tests_read_MB=1))
    run.add_test(attempt("a"))
    assert "tests_read_bytes_total" not in values(run)
    assert values(run)['tests_total{outcome="passed"}'] == 0


def test_several_hosts_are_told_apart_by_a_label(run):
    run.add_sample("", sample(1, tests_resident_MB=1))
    assert "tests_resident_bytes" in values(run)
    run.add_sample("other", sample(1, tests_resident_MB=2))
    assert values(run)['tests_resident_bytes{host="main"}'] == MIB
    assert values(run)['tests_resident_bytes{host="other"}'] == 2 * MIB


def test_the_heaviest_tests_have_series_of_their_own_and_all_others_one():
    run = RunMetrics(MetricOptions(tests=1))
    for number in range(3):
        run.add_test(attempt(f"t{number}", number, cpu_user_s=number, cpu_system_s=0, children_cpu_s=0))
    assert values(run)['heaviest_test_cpu_seconds{test="t2"}'] == 2
    assert values(run)['heaviest_test_cpu_seconds{test="other"}'] == 1
    assert values(run)['heaviest_test_duration_seconds{test="other"}'] == 4


def test_ten_thousand_tests_have_at_most_200_series():
    run = RunMetrics(MetricOptions(has_host=True))
    for number in range(10_000):
        run.add_test(attempt(f"t{number}", number, outcome=("passed", "failed")[number % 2]))
    lines = sum(len(each.value.counts) + 2 if isinstance(each.value, HistogramValue) else 1 for each in run.series())
    assert lines <= 200


@pytest.mark.parametrize("metric", all_metrics(), ids=lambda metric: metric.name)
def test_names_follow_the_book(metric):
    assert re.fullmatch(r"pytest_twin_[a-z0-9_]*[a-z0-9]", metric.name)
    assert not re.search(r"percent|_MB|_GB|milli|_ms\b|_total|_info", metric.name)
    assert metric.help.endswith(".")
    assert metric.help[0].isupper()
    assert "test" not in metric.labels or metric.name.startswith("pytest_twin_heaviest_test")
    if metric.type == COUNTER:
        assert metric.full_name == f"{metric.name}_total"
    assert bool(metric.buckets) == (metric.type == HISTOGRAM)
    assert list(metric.buckets) == sorted(metric.buckets)
