"""The metrics of a run, each declared once: its name, type, labels and help.

Names follow "Metric and label naming" and "Writing exporters" of the Prometheus project: base units (seconds, bytes,
ratios from 0 to 1, celsius), and counters only for what never falls within a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PREFIX, JOB = "pytest_twin_", "pytest_twin"
COUNTER, GAUGE, HISTOGRAM, INFO = "counter", "gauge", "histogram", "info"
MIB, GIB = 2.0**20, 2.0**30


class Metric(NamedTuple):
    """A metric.

    Attributes:
        name: Its name without the suffix of its type (``_total``, ``_info``).
        type: ``counter``, ``gauge``, ``histogram`` or ``info``.
        help: What it means.
        labels: The names of its labels; ``host`` is added in a run on several hosts.
        buckets: The upper bounds of a histogram, without infinity.
    """

    name: str
    type: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as queries have it; that of a histogram is followed by ``_bucket``, ``_sum`` or ``_count``."""
        return self.name + {COUNTER: "_total", INFO: "_info"}.get(self.type, "")


class SampledMetric(NamedTuple):
    """A metric that is computed from a column of the dataset.

    Attributes:
        metric: The metric.
        column: The column.
        value: Returns the value of a cell in the unit of the metric, given the cell, the CPU seconds that the whole
            host had since the row before, and the factor from the declaration. A counter adds them up.
        factor: What the cell is multiplied by.
        label_values: The values of the labels of the metric.
    """

    metric: Metric
    column: str
    value: Callable[[float, float, float], float]
    factor: float = 1.0
    label_values: tuple[str, ...] = ()


def _scaled(cell: float, _cpu_seconds: float, factor: float) -> float:
    return cell * factor


def _of_cpu_seconds(cell: float, cpu_seconds: float, factor: float) -> float:
    return cell * factor * cpu_seconds


def _gauge(name: str, column: str, factor: float, text: str) -> SampledMetric:
    return SampledMetric(Metric(PREFIX + name, GAUGE, text), column, _scaled, factor)


def _counter(name: str, column: str, factor: float, text: str) -> SampledMetric:
    return SampledMetric(Metric(PREFIX + name, COUNTER, text), column, _scaled, factor)


def _of_tree(tree: str, who: str) -> tuple[SampledMetric, ...]:
    """Return the metrics of a tree of processes."""
    cpu = Metric(f"{PREFIX}{tree}_cpu_seconds", COUNTER, f"CPU time of {who}, including ended ones.")
    return (
        SampledMetric(cpu, f"{tree}_cpu_percent", _of_cpu_seconds, 0.01),
        _gauge(f"{tree}_resident_bytes", f"{tree}_resident_MB", MIB, f"Resident memory of {who}."),
        _gauge(f"{tree}_processes", f"{tree}_process_count", 1, f"Number of {who}."),
        _gauge(f"{tree}_threads", f"{tree}_thread_count", 1, f"Number of threads of {who}."),
        _gauge(f"{tree}_open_files", f"{tree}_open_files", 1, f"Number of file descriptors that {who} have open."),
        _counter(f"{tree}_read_bytes", f"{tree}_read_MB", MIB, f"Data read from disks by {who}."),
        _counter(f"{tree}_written_bytes", f"{tree}_write_MB", MIB, f"Data written by {who}."),
    )


PRESSURE = Metric(
    f"{PREFIX}host_pressure_ratio", GAUGE, "Share of time in which some task waited for the resource (PSI).",
    ("resource",),
)  # fmt: skip
OF_PROCESSES = (
    *_of_tree("tests", "the processes of the tests"),
    *_of_tree("stress", "the processes of the stressors"),
    _gauge(
        "tests_throttled_ratio", "tests_throttled_percent", 0.01,
        "Share of the time for which a constraint on CPU time makes the tests wait.",
    ),
)  # fmt: skip
# node_exporter has most of these, so they are exported on request only
OF_HOST = (
    _gauge("host_cpu_busy_ratio", "cpu_percent", 0.01, "Share of the CPU time of the host that is not idle."),
    _gauge("host_cpu_iowait_ratio", "cpu_iowait_percent", 0.01, "Share of CPU time that is idle, waiting for a disk."),
    _gauge("host_cpu_steal_ratio", "cpu_steal_percent", 0.01, "Share of CPU time that other guests have."),
    _gauge("host_cpus", "cpu_count_logical", 1, "Number of logical CPUs of the host."),
    _gauge("host_usable_cpus", "usable_cpus", 1, "CPUs that the run may use."),
    _gauge("host_load1", "load_1m", 1, "Load average over 1 minute."),
    _gauge("host_memory_bytes", "ram_total_GB", GIB, "Memory of the host."),
    _gauge("host_memory_available_bytes", "ram_available_GB", GIB, "Memory that is available without swapping."),
    _gauge("host_memory_used_ratio", "ram_used_percent", 0.01, "Share of the memory that is not available."),
    _gauge("host_swap_used_ratio", "swap_used_percent", 0.01, "Share of the swap space in use."),
    _gauge("host_disk_used_ratio", "disk_used_percent", 0.01, "Used share of the root file system."),
    _counter("host_disk_read_bytes", "disk_read_MB", MIB, "Data read from all disks."),
    _counter("host_disk_written_bytes", "disk_write_MB", MIB, "Data written to all disks."),
    _counter("host_network_sent_bytes", "net_sent_MB", MIB, "Data sent on all interfaces except loopback."),
    _counter("host_network_received_bytes", "net_recv_MB", MIB, "Data received on all interfaces except loopback."),
    _counter("host_network_loopback_bytes", "net_loopback_MB", MIB, "Data sent on the loopback interface."),
    _gauge("host_cpu_temperature_celsius", "cpu_temperature_C", 1, "Temperature of the hottest CPU sensor."),
    _gauge("host_processes", "process_count", 1, "Number of processes on the host."),
    *(
        SampledMetric(PRESSURE, f"pressure_{resource}_percent", _scaled, 0.01, (resource,))
        for resource in ("cpu", "memory", "io")
    ),
)

LOAD_ACTIVE = Metric(f"{PREFIX}load_active", GAUGE, "Number of active loads of a kind.", ("kind",))
LOAD_TARGET = Metric(
    f"{PREFIX}load_target", GAUGE, "Requested amount of the active loads of a kind; 0 without one.", ("kind", "unit")
)
LOAD_ACHIEVED = Metric(
    f"{PREFIX}load_achieved", GAUGE, "Achieved amount of the load of a kind that ended last.", ("kind", "unit")
)
LOADS = Metric(f"{PREFIX}loads", COUNTER, "Loads and constraints that are over: end, abort or skip.", ("kind", "end"))
CONSTRAINT_ACTIVE = Metric(f"{PREFIX}constraint_active", GAUGE, "Number of active constraints on the tests.")
CONSTRAINT_CPUS = Metric(f"{PREFIX}constraint_cpus", GAUGE, "CPUs that the tightest active constraint allows.")
CONSTRAINT_MEMORY = Metric(
    f"{PREFIX}constraint_memory_bytes", GAUGE, "Memory that the tightest active constraint allows."
)
TESTS = Metric(f"{PREFIX}tests", COUNTER, "Attempts of tests that are over.", ("outcome",))
BUDGETS = Metric(
    f"{PREFIX}budgets", COUNTER, "Attempts of tests with a budget that are over: ok, over or unknown.", ("verdict",)
)
TESTS_RUNNING = Metric(f"{PREFIX}tests_running", GAUGE, "Number of running tests.")
TESTS_REMAINING = Metric(
    f"{PREFIX}tests_remaining", GAUGE, "Collected tests of which no attempt is over; absent if nobody counted them."
)
TEST_DURATION = Metric(
    f"{PREFIX}test_duration_seconds", HISTOGRAM, "Wall time of the attempts of tests.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)  # fmt: skip
TEST_CPU = Metric(
    f"{PREFIX}test_cpu_seconds", HISTOGRAM, "CPU time of the attempts of tests, with their child processes.",
    buckets=TEST_DURATION.buckets,
)  # fmt: skip
THROTTLED = Metric(f"{PREFIX}tests_throttled_seconds", COUNTER, "Time for which constraints made the ended tests wait.")
HEAVIEST_DURATION = Metric(
    f"{PREFIX}heaviest_test_duration_seconds", GAUGE,
    'Wall time of the tests that took the most CPU time, all attempts together; that of all others is "other".',
    ("test",),
)  # fmt: skip
HEAVIEST_CPU = Metric(
    f"{PREFIX}heaviest_test_cpu_seconds", GAUGE,
    'CPU time of the tests that took the most, all attempts together; that of all others is "other".',
    ("test",),
)  # fmt: skip
RUN = Metric(
    f"{PREFIX}run", INFO, "What the run is made with.",
    ("version", "python", "system", "machine", "cpu_model"),
)  # fmt: skip
RUN_START = Metric(f"{PREFIX}run_start_timestamp_seconds", GAUGE, "Start of the run, in seconds since 1970.")
RUN_COMPLETION = Metric(
    f"{PREFIX}run_completion_timestamp_seconds", GAUGE, "End of the run, in seconds since 1970; absent before it."
)
LAST_SAMPLE = Metric(f"{PREFIX}last_sample_timestamp_seconds", GAUGE, "Time of the last sample, in seconds since 1970.")
SAMPLES = Metric(f"{PREFIX}samples", COUNTER, "Samples of the run.")

# the units of amounts of loads: the unit for people, the label, and how many of it one is
AMOUNT_UNITS = {
    "%": ("ratio", 0.01), "CPUs": ("cpus", 1.0), "MiB": ("bytes", MIB), "MB/s": ("bytes_per_second", 1e6),
    "ops/s": ("operations_per_second", 1.0), "": ("count", 1.0),
}  # fmt: skip
OTHERS = (
    LOAD_ACTIVE, LOAD_TARGET, LOAD_ACHIEVED, LOADS, CONSTRAINT_ACTIVE, CONSTRAINT_CPUS, CONSTRAINT_MEMORY, TESTS,
    BUDGETS, TESTS_RUNNING, TESTS_REMAINING, TEST_DURATION, TEST_CPU, THROTTLED, HEAVIEST_DURATION, HEAVIEST_CPU, RUN,
    RUN_START, RUN_COMPLETION, LAST_SAMPLE, SAMPLES,
)  # fmt: skip


def all_metrics() -> tuple[Metric, ...]:
    """Return each metric that can be exported."""
    return tuple(dict.fromkeys((*(each.metric for each in (*OF_PROCESSES, *OF_HOST)), *OTHERS)))
