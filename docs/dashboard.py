"""The dashboard for Grafana, which `generate.py` writes to pytest_twin/export/grafana/dashboard.json.

The JSON is the classic model of Grafana 10.1 (schema version 38), which later versions migrate. Names of metrics come
from their declarations. Queries keep the rules of grafana/dashboard-linter: each selector has matchers for `job` and
`instance`, and each range is `$__rate_interval`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pytest_twin.export.prometheus import metrics
from pytest_twin.export.prometheus.metrics import HISTOGRAM, PREFIX
from pytest_twin.model.attempt_row import BAD

UID = "pytest-twin"
SCHEMA_VERSION = 38
WIDTH = 24  # of the grid
MATCHERS = 'job=~"$job", instance=~"$instance"'
RANGE = "[$__rate_interval]"
HOSTS = "instance, host"  # the label `host` is empty in a run on one host, and in metrics of node_exporter
BY_HOST = f"by ({HOSTS})"
DATASOURCE = {"type": "prometheus", "uid": "$datasource"}
HAS_RUN_OR_NODE = f'{{__name__=~"{metrics.RUN_START.full_name}|node_uname_info"'

_SUFFIXES = ("_bucket", "_sum", "_count")
NAMES = {
    name
    for each in metrics.all_metrics()
    for name in ([each.name + end for end in _SUFFIXES] if each.type == HISTOGRAM else [each.full_name])
}


class Query(NamedTuple):
    """A query of a panel: the expression, and the name of its series."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """A panel.

    Attributes:
        title: The title.
        description: What it shows.
        unit: A unit of Grafana.
        queries: The queries.
        type: The type of the panel.
        width: The width, in columns of the grid.
        is_stacked: Whether areas are stacked.
        most: The highest value of the axis.
        bad_from: The value from which a figure is red; None colours none.
        steps: Whether a value holds until the next, so that no sloping line is drawn between them.
        text: What a figure shows: its value, or the name of its series.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    type: str = "timeseries"
    width: int = 8
    is_stacked: bool = False
    most: float | None = None
    bad_from: float | None = None
    steps: bool = False
    text: str = "value"


def selector(name: str, *matchers: str) -> str:
    """Return the selector of a metric of ours, by its name without prefix, or of node_exporter."""
    full = name if name.startswith("node_") else PREFIX + name
    if full not in NAMES and full == PREFIX + name:
        raise KeyError(full)
    return f"{full}{{{', '.join((MATCHERS, *matchers))}}}"


def rate(name: str, *matchers: str) -> str:
    """Return the rate of a counter."""
    return f"rate({selector(name, *matchers)}{RANGE})"


def increase(name: str, by: str) -> str:
    """Return the increase of a counter over the time of a point."""
    return f"sum by ({HOSTS}, {by}) (increase({selector(name)}{RANGE}))"


def host(name: str, fallback: str) -> str:
    """Return a metric of the host, or what node_exporter tells in its place."""
    return f"max {BY_HOST} ({selector(name)}) or on (instance) {fallback}"


def host_rate(name: str, *fallback: str) -> str:
    """Return the rate of a counter of the host, or that of node_exporter."""
    return f"sum {BY_HOST} ({rate(name)}) or on (instance) sum by (instance) ({rate(*fallback)})"


def of_trees(tests: str, stress: str = "") -> tuple[Query, Query]:
    """Return a quantity of the processes of the tests and of the stressors: a gauge, or the rate of a counter."""
    expressions = [
        rate(name) if name.endswith("_total") else selector(name)
        for name in (tests, stress or tests.replace("tests_", "stress_", 1))
    ]
    return named(expressions[0], "tests"), named(expressions[1], "stress")


def named(expr: str, name: str) -> Query:
    """Return a query with one series for each host."""
    return Query(expr, f"{name} {{{{instance}}}} {{{{host}}}}")


def quantiles(name: str) -> tuple[Query, ...]:
    """Return the quantiles of a histogram."""
    buckets = f"sum by ({HOSTS}, le) ({rate(f'{name}_bucket')})"
    mean = f"sum {BY_HOST} ({rate(f'{name}_sum')}) / sum {BY_HOST} ({rate(f'{name}_count')})"
    return (
        *(named(f"histogram_quantile({q}, {buckets})", f"p{q * 100:.0f}") for q in (0.5, 0.95)),
        named(mean, "mean"),
    )


def count(name: str, label: str, values: str, legend: str) -> Query:
    """Return the value that a counter of the run has, for some values of a label."""
    return Query(f"""sum({selector(name, f'{label}=~"{values}"')})""", legend)


def figure(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Return a panel with the latest values as figures."""
    return Panel(title, description, unit, queries, "stat", **{"width": 4, **more})


def at_a_glance() -> Iterator[Panel]:
    """Yield the figures of the run: limits that were exceeded first."""
    start, last = (
        f"max by (instance) ({selector(name)})"
        for name in ("run_start_timestamp_seconds", "last_sample_timestamp_seconds")
    )
    end = f"max by (instance) ({selector('run_completion_timestamp_seconds')})"
    name = "pytest-twin {{version}}, Python {{python}}, {{system}} {{machine}}, {{cpu_model}}"
    yield figure(
        "Budgets exceeded", "Attempts of tests that exceeded a limit of their budget.", "none",
        count("budgets_total", "verdict", "over", "exceeded"), bad_from=1,
    )  # fmt: skip
    yield figure(
        "Tests failed", "Attempts that failed, had an error, crashed, or were interrupted.", "none",
        count("tests_total", "outcome", "|".join(BAD), "failed"), bad_from=1,
    )  # fmt: skip
    yield figure(
        "Budgets kept", "Attempts that were within all limits of their budget, and those with an inconclusive one.",
        "none", count("budgets_total", "verdict", "ok", "kept"),
        count("budgets_total", "verdict", "unknown", "inconclusive"),
    )  # fmt: skip
    yield figure(
        "Tests passed", "Attempts that passed, and those that were skipped or failed as expected.", "none",
        count("tests_total", "outcome", "passed|xpassed", "passed"),
        count("tests_total", "outcome", "skipped|xfailed", "skipped"),
    )  # fmt: skip
    yield figure(
        "Loads that ended", "Loads and constraints by how they ended: an abort or a skip applied less than requested.",
        "none", Query(f"sum by (end) ({selector('loads_total')})", "{{end}}"), text="value_and_name",
    )  # fmt: skip
    yield figure(
        "Duration", "Time from the start of the run to its end, or to its last sample.", "s",
        Query(f"({end} or {last}) - on (instance) {start}", "{{instance}}"),
    )  # fmt: skip
    yield figure(
        "Tests remaining", "Collected tests of which no attempt is over.", "none",
        Query(f"sum by (instance) ({selector('tests_remaining')})", "{{instance}}"),
    )  # fmt: skip
    yield figure("Start", "Start of the run.", "dateTimeAsIso", Query(f"{start} * 1000", "{{instance}}"), width=5)
    yield figure(
        "End", "End of the run; empty while it goes on, and if its last metrics were not collected.", "dateTimeAsIso",
        Query(f"{end} * 1000", "{{instance}}"), width=5,
    )  # fmt: skip
    yield figure(
        "Environment", "What the run was made with.", "none", Query(selector("run_info"), name), width=10, text="name"
    )


def of_tests() -> Iterator[Panel]:
    """Yield the panels of the tests."""
    yield Panel(
        "Running tests", "Number of tests that run at the same time.", "none",
        (named(selector("tests_running"), "running"),), steps=True,
    )  # fmt: skip
    yield Panel(
        "Finished tests", "Attempts of tests that ended, by outcome.", "none",
        (Query(increase("tests_total", "outcome"), "{{outcome}} {{instance}} {{host}}"),), is_stacked=True, steps=True,
    )  # fmt: skip
    yield Panel(
        "Budgets", "Attempts of tests with a budget that ended, by verdict.", "none",
        (Query(increase("budgets_total", "verdict"), "{{verdict}} {{instance}} {{host}}"),),
        is_stacked=True, steps=True,
    )  # fmt: skip
    yield Panel("Test duration", "Wall time of the attempts that ended.", "s", quantiles("test_duration_seconds"))
    yield Panel(
        "CPU time of tests", "CPU time of the attempts that ended, with their child processes.", "s",
        quantiles("test_cpu_seconds"),
    )  # fmt: skip
    yield Panel(
        "Heaviest tests: CPU time", "The tests that took the most CPU time (needs --twin-prometheus-tests).", "s",
        (Query(selector("heaviest_test_cpu_seconds"), "{{test}}"),), "bargauge",
    )  # fmt: skip
    yield Panel(
        "Heaviest tests: duration", "Wall time of the same tests (needs --twin-prometheus-tests).", "s",
        (Query(selector("heaviest_test_duration_seconds"), "{{test}}"),), "bargauge",
    )  # fmt: skip
    yield Panel("Processes", "Processes of the tests and of the stressors.", "none", of_trees("tests_processes"))
    yield Panel("Threads", "Threads of these processes.", "none", of_trees("tests_threads"))
    yield Panel("Open files", "File descriptors that these processes have open.", "none", of_trees("tests_open_files"))


UNITS = {
    "ratio": ("share", "percentunit", "Share of the CPU capacity that the stressors may use."),
    "cpus": ("CPU workers", "none", "Workers at full speed, in CPUs."),
    "bytes": ("memory", "bytes", "Memory that the stressors hold."),
    "bytes_per_second": ("rate", "Bps", "Rate of data to or from disks or the network."),
    "operations_per_second": ("operations", "ops", "Rate of operations."),
    "count": ("count", "none", "Number of things, such as threads or processes."),
}


def of_loads() -> Iterator[Panel]:
    """Yield the panels of the loads: the requested amount against the achieved one, a unit each."""
    yield Panel(
        "Active loads", "Number of active loads by kind; its times are the shaded regions of the other panels.", "none",
        (Query(f"sum by ({HOSTS}, kind) ({selector('load_active')})", "{{kind}} {{instance}} {{host}}"),),
        is_stacked=True, steps=True, width=16,
    )  # fmt: skip
    yield Panel(
        "Ended loads", "Loads and constraints that ended, by how they ended.", "none",
        (Query(increase("loads_total", "kind, end"), "{{kind}} {{end}} {{instance}} {{host}}"),),
        is_stacked=True, steps=True,
    )  # fmt: skip
    for unit, (title, shown, text) in UNITS.items():
        of_unit = f'unit="{unit}"'
        queries = (
            Query(selector("load_target", of_unit), "{{kind}} requested {{instance}} {{host}}"),
            Query(selector("load_achieved", of_unit), "{{kind}} achieved {{instance}} {{host}}"),
        )
        description = (
            f"{text} The requested amount is that of the active loads, the achieved one of the last that ended."
        )
        yield Panel(f"Requested and achieved {title}", description, shown, queries, steps=True)


def of_cpu() -> Iterator[Panel]:
    """Yield the panels of the CPUs: tests, stressors, and everything else."""
    tests, stress = (f"sum {BY_HOST} ({rate(f'{tree}_cpu_seconds_total')})" for tree in ("tests", "stress"))
    own = f"max {BY_HOST} ({selector('host_cpu_busy_ratio')}) * max {BY_HOST} ({selector('host_cpus')})"
    of_node = f"""sum by (instance) ({rate("node_cpu_seconds_total", 'mode!~"idle|iowait"')})"""
    rest = f"clamp_min((({own}) or on (instance) {of_node}) - on ({HOSTS}) {tests} - on ({HOSTS}) {stress}, 0)"
    yield Panel(
        "CPU by tests, stressors and the rest",
        "CPUs in use. The rest is the busy time of the host without both; it needs --twin-prometheus-host, or "
        "node_exporter with the same value of the label instance.",
        "none", (named(tests, "tests"), named(stress, "stress"), named(rest, "rest")), is_stacked=True, width=16,
    )  # fmt: skip
    count = f"""count by (instance) ({selector("node_cpu_seconds_total", 'mode="idle"')})"""
    yield Panel(
        "CPUs", "Logical CPUs of the host, and those that the run may use.", "none",
        (named(host("host_cpus", count), "host"), named(selector("host_usable_cpus"), "usable")), steps=True,
    )  # fmt: skip
    modes = (("busy", "idle|iowait", "!~"), ("iowait", "iowait", "="), ("steal", "steal", "="))
    cpus = f"""on (instance) {count}"""
    yield Panel(
        "CPU states of the host", "Shares of the CPU time of the host.", "percentunit",
        tuple(
            named(
                host(
                    f"host_cpu_{name}_ratio",
                    f"""sum by (instance) ({rate('node_cpu_seconds_total', f'mode{sign}"{mode}"')}) / {cpus}""",
                ),
                name,
            )
            for name, mode, sign in modes
        ),
        most=1,
    )  # fmt: skip
    yield Panel(
        "Load average",
        "Load average over 1 minute.",
        "none",
        (named(host("host_load1", selector("node_load1")), "1 m"),),
    )
    yield Panel(
        "Processes of the host", "Number of processes on the host.", "none",
        (named(host("host_processes", selector("node_processes_pids")), "processes"),),
    )  # fmt: skip
    hottest = f"max by (instance) ({selector('node_hwmon_temp_celsius')})"
    yield Panel(
        "Temperature", "Temperature of the hottest CPU sensor; with node_exporter, of the hottest sensor.", "celsius",
        (named(host("host_cpu_temperature_celsius", hottest), "CPU"),),
    )  # fmt: skip
    yield Panel(
        "Samples", "Samples of the run per second: less than requested where the host has no time for them.", "ops",
        (named(rate("samples_total"), "samples"),),
    )  # fmt: skip


def of_constraints() -> Iterator[Panel]:
    """Yield the panels of constraints, and of what they took away."""
    yield Panel(
        "Active constraints", "Number of active constraints on the tests.", "none",
        (named(selector("constraint_active"), "constraints"),), steps=True,
    )  # fmt: skip
    yield Panel(
        "Allowed CPUs", "CPUs that the tightest active constraint allows.", "none",
        (named(selector("constraint_cpus"), "CPUs"),), steps=True,
    )  # fmt: skip
    yield Panel(
        "Allowed memory", "Memory that the tightest active constraint allows.", "bytes",
        (named(selector("constraint_memory_bytes"), "memory"),), steps=True,
    )  # fmt: skip
    yield Panel(
        "Throttling", "Share of the time for which a constraint on CPU time makes the tests wait.", "percentunit",
        (named(selector("tests_throttled_ratio"), "tests"),), width=12,
    )  # fmt: skip
    yield Panel(
        "Throttled time", "Time for which constraints made the tests wait that ended.", "s",
        (named(f"increase({selector('tests_throttled_seconds_total')}{RANGE})", "tests"),), steps=True, width=12,
    )  # fmt: skip


def of_memory() -> Iterator[Panel]:
    """Yield the panels of memory."""
    total, available = selector("node_memory_MemTotal_bytes"), selector("node_memory_MemAvailable_bytes")
    swap = f"1 - {selector('node_memory_SwapFree_bytes')} / {selector('node_memory_SwapTotal_bytes')}"
    yield Panel(
        "Memory of tests and stressors", "Resident memory.", "bytes", of_trees("tests_resident_bytes"), is_stacked=True
    )
    yield Panel(
        "Memory of the host", "Memory, and what of it is available without swapping.", "bytes",
        (
            named(host("host_memory_bytes", total), "total"),
            named(host("host_memory_available_bytes", available), "available"),
        ),
    )  # fmt: skip
    yield Panel(
        "Memory and swap space in use", "Shares that are in use; without swap space there is no second one.",
        "percentunit",
        (
            named(host("host_memory_used_ratio", f"(1 - {available} / {total})"), "memory"),
            named(host("host_swap_used_ratio", f"({swap})"), "swap"),
        ),
        most=1,
    )  # fmt: skip


def of_devices() -> Iterator[Panel]:
    """Yield the panels of disks and of the network."""
    root = 'mountpoint="/"'
    free, size = selector("node_filesystem_avail_bytes", root), selector("node_filesystem_size_bytes", root)
    yield Panel(
        "Disk traffic of tests and stressors", "Data read from disks, and data written.", "Bps",
        tuple(
            query._replace(legend=f"{word}: {query.legend}")
            for word, name in (("read", "tests_read_bytes_total"), ("written", "tests_written_bytes_total"))
            for query in of_trees(name)
        ),
    )  # fmt: skip
    yield Panel(
        "Disk traffic of the host", "Data read from and written to all disks.", "Bps",
        (
            named(host_rate("host_disk_read_bytes_total", "node_disk_read_bytes_total"), "read"),
            named(host_rate("host_disk_written_bytes_total", "node_disk_written_bytes_total"), "written"),
        ),
    )  # fmt: skip
    yield Panel(
        "Root file system in use", "Used share of the root file system.", "percentunit",
        (named(host("host_disk_used_ratio", f"max by (instance) (1 - {free} / {size})"), "used"),), most=1,
    )  # fmt: skip
    sent, received = "node_network_transmit_bytes_total", "node_network_receive_bytes_total"
    yield Panel(
        "Network traffic", "Data sent and received on all interfaces except loopback.", "Bps",
        (
            named(host_rate("host_network_sent_bytes_total", sent, 'device!="lo"'), "sent"),
            named(host_rate("host_network_received_bytes_total", received, 'device!="lo"'), "received"),
        ),
        width=12,
    )  # fmt: skip
    yield Panel(
        "Loopback traffic", "Data sent on the loopback interface.", "Bps",
        (named(host_rate("host_network_loopback_bytes_total", sent, 'device="lo"'), "loopback"),), width=12,
    )  # fmt: skip


def of_pressure() -> Iterator[Panel]:
    """Yield the panels of pressure."""
    for resource in ("cpu", "memory", "io"):
        own = f"""max {BY_HOST} ({selector("host_pressure_ratio", f'resource="{resource}"')})"""
        of_node = f"sum by (instance) ({rate(f'node_pressure_{resource}_waiting_seconds_total')})"
        yield Panel(
            f"Pressure: {resource}", "Share of time in which some task waited for the resource (PSI).", "percentunit",
            (named(f"{own} or on (instance) {of_node}", resource),), most=1,
        )  # fmt: skip


ROWS = {
    "Run at a glance": at_a_glance,
    "Tests": of_tests,
    "Loads": of_loads,
    "CPU": of_cpu,
    "Constraints and throttling": of_constraints,
    "Memory": of_memory,
    "Disk and network": of_devices,
    "Pressure": of_pressure,
}


def panels() -> Iterator[dict[str, Any]]:
    """Yield the rows with their panels, placed on the grid from left to right."""
    y = number = 0
    for title, of_row in ROWS.items():
        number += 1
        yield {
            "type": "row", "id": number, "title": title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        }  # fmt: skip
        x, y, height = 0, y + 1, 0
        for panel in of_row():
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            number += 1
            height = 4 if panel.type == "stat" else 8
            yield panel_json(panel, number, {"x": x, "y": y, "w": panel.width, "h": height})
            x += panel.width
        y += height


def panel_json(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    """Return a panel in Grafana's model."""
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0} if panel.unit != "dateTimeAsIso" else {"unit": panel.unit}
    if panel.most is not None:
        defaults["max"] = panel.most
    options: dict[str, Any]
    reduction = {"values": False, "calcs": ["lastNotNull"], "fields": ""}
    if panel.type == "timeseries":
        defaults |= {"color": {"mode": "palette-classic"}, "custom": _drawing(panel)}
        legend = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
        options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    else:
        steps = [{"value": None, "color": "green"}]
        if panel.bad_from is not None:
            steps.append({"value": panel.bad_from, "color": "red"})
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}
        options = {"reduceOptions": reduction, "orientation": "auto"}
        if panel.type == "bargauge":
            options |= {"orientation": "horizontal", "displayMode": "basic", "showUnfilled": True, "valueMode": "color"}
            options |= {"minVizWidth": 0, "minVizHeight": 10}
        else:
            mode = "none" if panel.bad_from is None else "background"
            options |= {"graphMode": "none", "colorMode": mode, "justifyMode": "auto", "textMode": _text_mode(panel)}
    return {
        "type": panel.type, "id": number, "title": panel.title, "description": panel.description, "gridPos": place,
        "datasource": DATASOURCE, "targets": list(_targets(panel.queries)), "options": options,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }  # fmt: skip


def _text_mode(panel: Panel) -> str:
    return panel.text if len(panel.queries) == 1 else "value_and_name"


def _drawing(panel: Panel) -> dict[str, Any]:
    return {
        "drawStyle": "line", "lineInterpolation": "stepAfter" if panel.steps else "linear", "lineWidth": 1,
        "fillOpacity": 30 if panel.is_stacked else 5, "showPoints": "never", "spanNulls": False,
        "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
    }  # fmt: skip


def _targets(queries: Iterable[Query]) -> Iterator[dict[str, Any]]:
    for place, query in enumerate(queries):
        yield {
            "refId": chr(ord("A") + place), "expr": query.expr, "legendFormat": query.legend, "range": True,
            "datasource": DATASOURCE,
        }  # fmt: skip


def variables() -> list[dict[str, Any]]:
    """Return the variables: the data source, the job and the instance."""
    of_label = {"job": "", "instance": ', job=~"$job"'}
    return [
        {
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
            "multi": False, "includeAll": False, "regex": "", "options": [], "current": {},
        },
        *(
            {
                "name": label, "label": label.title(), "type": "query", "datasource": DATASOURCE, "hide": 0,
                "query": f"label_values({HAS_RUN_OR_NODE}{matcher}}}, {label})", "refresh": 2, "sort": 1, "regex": "",
                "multi": True, "includeAll": True, "allValue": ".+", "options": [],
                "current": {"selected": True, "text": "All", "value": "$__all"},
            }
            for label, matcher in of_label.items()
        ),
    ]  # fmt: skip


def annotations() -> list[dict[str, Any]]:
    """Return the annotations: times of active loads from the metrics, and exact borders that were posted."""
    active = f"sum by ({HOSTS}, kind) ({selector('load_active')}) > 0"
    own = {"type": "grafana", "uid": "-- Grafana --"}
    return [
        {
            "name": "Annotations & Alerts", "datasource": own, "enable": True, "hide": True, "type": "dashboard",
            "iconColor": "rgba(0, 211, 255, 1)",
            "target": {"limit": 100, "matchAny": False, "tags": [], "type": "dashboard"},
        },
        {
            "name": "Loads (metrics)", "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": "orange",
            "expr": active, "step": "5s", "titleFormat": "load: {{kind}}", "textFormat": "{{instance}} {{host}}",
            "tagKeys": "kind",
        },
        {
            "name": "Exact borders (posted)", "datasource": own, "enable": True, "hide": False, "iconColor": "purple",
            "target": {"limit": 1000, "matchAny": False, "tags": ["pytest-twin"], "type": "tags"},
        },
    ]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    return {
        "uid": UID, "title": "pytest-twin",
        "description": "Tests, the loads around them, and what both cost. Metrics: pytest --twin-prometheus.",
        "tags": ["pytest", "pytest-twin"], "timezone": "browser", "editable": False, "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"}, "refresh": "30s", "schemaVersion": SCHEMA_VERSION,
        "templating": {"list": variables()}, "annotations": {"list": annotations()}, "panels": list(panels()),
    }  # fmt: skip


def page() -> str:
    """Return the dashboard as JSON."""
    return json.dumps(dashboard(), indent=1) + "\n"
