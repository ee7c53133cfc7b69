"""The queries of the dashboard, asked of a real Prometheus that scraped a run with loads."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import NamedTuple

import pytest
from made_runs import MadeRun, stamp
from prometheus_client import start_http_server
from prometheus_servers import Prometheus, Target, free_port, get, prometheus, server

from pytest_twin.export.grafana.dashboard import dashboard_text
from pytest_twin.export.prometheus.collector import RunCollector
from pytest_twin.export.prometheus.metrics import OF_HOST, OF_PROCESSES
from pytest_twin.export.prometheus.run_metrics import MetricOptions
from pytest_twin.run_folder.folder import RunFolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]
MODEL = json.loads(dashboard_text())
LOADS = MODEL["annotations"]["list"][1]["expr"]
QUERIES = [target["expr"] for panel in MODEL["panels"] for target in panel.get("targets", ())] + [LOADS]
NODE_EXPORTER = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
LOOPBACK = 'node_network_transmit_bytes_total{device="lo"}'
SUITE = """
import time
import pytest

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

@pytest.mark.stress(cpu=1, mem="64MiB")
@pytest.mark.twin_budget(duration="10ms")
def test_under_load():
    spin(4)

@pytest.mark.stress(cpu="50%", disk="1MB/s")
@pytest.mark.twin_budget(duration="10m")
def test_under_a_share():
    spin(4)

@pytest.mark.constrain(cpu=0.5)
def test_with_less():
    spin(4)

def test_alone():
    spin(1)
"""


class Scraped(NamedTuple):
    """A Prometheus that has scraped everything.

    Attributes:
        server: The Prometheus.
        start: The start of the run, in seconds since 1970.
        end: The time of the last scrape that matters.
        exposed: The names of the metrics of each instance, and whether one has the loopback interface.
        folder: The run.
    """

    server: Prometheus
    start: float
    end: float
    exposed: dict[str, set[str]]
    folder: RunFolder

    def series(self, query, instance):
        """The series of a query over the time of the run, each with its labels and its points."""
        expression = query.replace("$job", ".+").replace("$instance", instance).replace("$__rate_interval", "6s")
        found = self.server.query_range(expression, self.start, self.end)
        return [(each["metric"], each["values"]) for each in found]

    def has(self, query, instance, prefix):
        """Whether an instance has each metric of a query whose name begins so."""
        return set(re.findall(rf"\b{prefix}\w+(?=\{{)", query)) <= self.exposed[instance]


@contextmanager
def endpoint(folder, options):
    """Serves the metrics of a run; comes back with the collector and the port."""
    collector = RunCollector(RunFolder(folder), options)
    server, thread = start_http_server(0, "127.0.0.1", collector.registry())
    try:
        yield collector, server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        collector.close()


def names_of(port):
    return set(re.findall(rf"^(?:{LOOPBACK}|[a-z]\w+)", get(f"http://127.0.0.1:{port}/metrics"), re.MULTILINE))


def made_run(folder):
    """A run with every column, and with loads of every unit: this machine need not have a battery, PSI or a sensor."""
    made = MadeRun(folder).test("t.py::test_quick", 0, 1, budget="ok")
    for kind, target, achieved in (
        *(("cpu", "2", "2 cores"), ("cpu", "50%", "49%"), ("memory", "64MiB", "64MiB"), ("disk", "50MB/s", "10MB/s")),
        *(("threads", "5", "5"), ("iops", "200", "198/s")),
    ):
        made.load(kind, target, 1, 2, achieved)
    made.happened(2, "start", "constraint", id="c", target="cpu=0.5 mem=512MiB")
    made.write()
    columns = dict.fromkeys(each.column for each in (*OF_PROCESSES, *OF_HOST))
    with (folder / "system_metrics_dataset.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("timestamp", *columns, "elapsed_s"), restval="1")
        table.writeheader()
        table.writerows({"timestamp": stamp(at), "elapsed_s": at} for at in range(5))


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """A run with loads, with the metrics of the host and without, beside node_exporter; and a run with everything."""
    folder = tmp_path_factory.mktemp("scraped")
    (folder / "test_suite.py").write_text(SUITE)
    run = folder / "twin-report"
    made_run(folder / "made")
    node_port, own_port = free_port(), free_port()
    start = time.time()
    with ExitStack() as stack:
        full, full_port = stack.enter_context(endpoint(run, MetricOptions(has_host=True, tests=2)))
        plain, plain_port = stack.enter_context(endpoint(run, MetricOptions()))
        made, made_port = stack.enter_context(endpoint(folder / "made", MetricOptions(has_host=True, tests=2)))
        made.expect(2)
        ports = {"full": full_port, "plain": plain_port, "made": made_port}
        targets = [Target("twin", name, port) for name, port in ports.items()]
        if NODE_EXPORTER:
            command = [NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{node_port}"]
            stack.enter_context(server(command, f"http://127.0.0.1:{node_port}/metrics"))
            targets.append(Target("node", "plain", node_port))
        asked = stack.enter_context(prometheus(folder, [*targets, Target("twin", "endpoint", own_port)]))
        asked.wait_for("up == 1", len(targets))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py"]
        command += [f"--twin-prometheus={own_port}", "--twin-prometheus-host", "--twin-prometheus-tests=2"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
        assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
        for each in (full, plain, made):
            each.complete(time.time())
        over = 'pytest_twin_run_completion_timestamp_seconds{instance=~"full|plain|made"}'
        asked.wait_for(f"count_over_time({over}[1h]) > 2", 3)  # a rate takes two samples
        exposed = {"full": names_of(full_port), "made": names_of(made_port), "plain": names_of(plain_port)}
        exposed["node"] = names_of(node_port) if NODE_EXPORTER else set()
        yield Scraped(asked, start, time.time(), exposed, RunFolder(run))


def test_each_query_has_a_result_for_a_run_with_everything(scraped):
    assert [query for query in QUERIES if not scraped.has(query, "made", "pytest_twin_")] == []
    assert [query for query in QUERIES if not scraped.series(query, "made")] == [LOADS]  # its loads are over


def test_each_query_has_a_result_for_a_run_with_loads(scraped):
    of_loads = scraped.series('pytest_twin_load_target{instance="$instance"}', "full")
    units = {metric["unit"] for metric, _ in of_loads}
    assert units == {"cpus", "bytes", "ratio", "bytes_per_second"}
    told = [query for query in QUERIES if scraped.has(query, "full", "pytest_twin_")]
    assert len(told) > 0.9 * len(QUERIES)  # the others are on columns that this machine does not have
    empty = [query for query in told if not scraped.series(query, "full")]
    assert [query for query in empty if not re.search(r'unit="(operations_per_second|count)"', query)] == []


def test_each_query_has_a_result_from_the_endpoint_of_the_run_itself(scraped):
    told = [query for query in QUERIES if scraped.series(query, "full")]
    missing = [query for query in told if not scraped.series(query, "endpoint")]
    assert [query for query in missing if "run_completion" not in query] == []  # it ends with the run


@pytest.mark.skipif(NODE_EXPORTER is None, reason="node_exporter is not installed")
def test_each_query_on_the_host_has_a_result_from_node_exporter_too(scraped):
    on_host = [query for query in QUERIES if "node_" in query]
    without_loopback = LOOPBACK not in scraped.exposed["node"]
    told = [query for query in on_host if scraped.has(query, "node", "node_")]
    told = [query for query in told if not ('device="lo"' in query and without_loopback)]
    assert len(told) > 0.7 * len(on_host)  # the others are on what this machine or its node_exporter does not have
    assert [query for query in told if not scraped.series(query, "plain")] == []


def test_the_cpu_is_split_into_tests_stressors_and_the_rest(scraped):
    panel = next(each for each in MODEL["panels"] if each["title"] == "CPU by tests, stressors and the rest")
    found = [scraped.series(target["expr"], "full") for target in panel["targets"]]
    tests, stress, rest = ([float(value) for _, points in series for _, value in points] for series in found)
    assert max(tests) > 0.1
    assert max(stress) > 0.1
    assert min(rest) >= 0


def test_a_region_is_where_the_load_was(scraped):
    found = {metric["kind"]: [float(at) for at, _ in points] for metric, points in scraped.series(LOADS, "full")}
    assert set(found) == {"cpu", "mem", "disk"}
    rows = [row for row in scraped.folder.rows("annotations.csv") if row["type"] == "disk"]
    begin, end = (time_of(row) for row in rows)
    looked = scraped.series('timestamp(pytest_twin_load_active{instance="$instance",kind="disk"})', "full")
    _, second, *_ = sorted({float(value) for _, points in looked for _, value in points if float(value) > end})
    assert begin <= min(found["disk"]) <= max(found["disk"]) < second  # the row may be written behind the first


def time_of(row):
    return datetime.fromisoformat(row["timestamp"]).timestamp()


def test_what_counted_is_what_pytest_said(scraped):
    of_title = {panel["title"]: panel["targets"][0]["expr"] for panel in MODEL["panels"] if panel["type"] == "stat"}
    for title, count in (("Tests failed", 1), ("Tests passed", 3), ("Budgets exceeded", 1), ("Budgets kept", 1)):
        [(_, points)] = scraped.series(of_title[title], "full")
        assert float(points[-1][1]) == count, title
