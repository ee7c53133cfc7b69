"""Samples as metrics."""

from __future__ import annotations

import pytest
from made_runs import BEGAN, MadeRun, run_of_two_hosts
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from otlp_collector import values

from pytest_twin.export.otlp.config import OtlpConfig
from pytest_twin.export.otlp.exporter import RunExport
from pytest_twin.export.otlp.sample_metrics import collect_series, metric_of
from pytest_twin.model.columns import Column


def metrics(made, most=None, host=None):
    """The metrics of a run as a collector decodes them: each by its name."""
    export = RunExport(made.write(), OtlpConfig({}))
    message = export.metric_request(export.metrics(most)).SerializeToString()
    found = ExportMetricsServiceRequest.FromString(message).resource_metrics
    names = [values(each.resource.attributes).get("host.name") for each in found]
    [own] = [each for each, name in zip(found, names, strict=True) if name == host]
    return {metric.name: metric for scope in own.scope_metrics for metric in scope.metrics}


def points(metric, **attributes):
    data = getattr(metric, metric.WhichOneof("data")).data_points
    of_ours = [point for point in data if attributes.items() <= values(point.attributes).items()]
    return [(point.time_unix_nano, point.as_double) for point in of_ours]


def nanoseconds(at):
    return round(BEGAN.timestamp()) * 10**9 + round(at * 1e9)


def test_a_share_is_a_gauge_from_0_to_1_at_the_time_of_each_sample(tmp_path):
    found = metrics(MadeRun(tmp_path).sampled(0.3, ram_used_percent=lambda at: 25 + at))
    metric = found["system.memory.utilization"]
    assert (metric.unit, metric.WhichOneof("data")) == ("1", "gauge")
    assert points(metric, **{"system.memory.state": "used"}) == [
        (nanoseconds(at), pytest.approx((25 + at) / 100)) for at in (0.0, 0.1, 0.2)
    ]


def test_an_amount_is_a_sum_since_the_start_of_the_run(tmp_path):
    found = metrics(MadeRun(tmp_path).sampled(0.3, disk_read_MB=1.0, disk_write_MB=lambda at: 2.0 if at else ""))
    metric = found["system.disk.io"]
    assert (metric.unit, metric.sum.is_monotonic, metric.sum.aggregation_temporality) == ("By", True, 2)
    mib = 1 << 20
    assert [value for _, value in points(metric, **{"disk.io.direction": "read"})] == [mib, 2 * mib, 3 * mib]
    assert [value for _, value in points(metric, **{"disk.io.direction": "write"})] == [2 * mib, 4 * mib]
    assert {point.start_time_unix_nano for point in metric.sum.data_points} == {nanoseconds(0)}


def test_processes_of_tests_and_of_stressors_are_one_metric_with_an_attribute(tmp_path):
    metric = metrics(MadeRun(tmp_path).sampled(0.1, stress_cpu_percent=50))["process.cpu.utilization"]
    assert points(metric, **{"pytest_twin.process_group": "tests"}) == [(nanoseconds(0), 0.2)]
    assert points(metric, **{"pytest_twin.process_group": "stress"}) == [(nanoseconds(0), 0.5)]


def test_a_column_without_a_convention_keeps_its_name_and_its_unit(tmp_path):
    metric = metrics(MadeRun(tmp_path).sampled(0.1, cpu_percent=12.5))["pytest_twin.cpu_percent"]
    assert (metric.unit, points(metric)) == ("%", [(nanoseconds(0), 12.5)])


def test_an_amount_of_ours_and_a_cpu_of_its_own():
    declared = {"net_loopback_MB": Column("net_loopback_MB", "MiB", "", is_amount=True)}
    assert metric_of("net_loopback_MB", declared)[:3] == ("pytest_twin.net_loopback_MB", "MiBy", "counter")
    assert metric_of("cpu12_percent", {})[0::4] == ("pytest_twin.cpu_core_percent", {"cpu.logical_number": "12"})
    assert metric_of("something_else", {})[:3] == ("pytest_twin.something_else", "1", "gauge")


def test_a_missing_value_has_no_point(tmp_path):
    found = metrics(MadeRun(tmp_path).sampled(0.3, cpu_percent=lambda at: "" if at == 0.1 else 1, ram_used_percent=""))
    assert [at for at, _ in points(found["pytest_twin.cpu_percent"])] == [nanoseconds(0), nanoseconds(0.2)]
    assert "system.memory.utilization" not in found


def test_of_many_samples_several_are_one_point(tmp_path):
    made = MadeRun(tmp_path).sampled(1.0, cpu_percent=lambda at: 100 * at, disk_read_MB=1)
    found = metrics(made, most=5)
    assert points(found["pytest_twin.cpu_percent"]) == [
        (nanoseconds(at), pytest.approx(100 * (at - 0.05))) for at in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    assert [value / (1 << 20) for _, value in points(found["system.disk.io"])] == [2, 4, 6, 8, 10]


def test_each_host_has_its_own_metrics(tmp_path):
    made = run_of_two_hosts(tmp_path)
    assert len(points(metrics(made)["pytest_twin.cpu_percent"])) == 60
    assert len(points(metrics(made, host="far")["pytest_twin.cpu_percent"])) == 30


def test_samples_that_were_converted_to_parquet_are_read(tmp_path):
    pytest.importorskip("pyarrow")
    from pytest_twin.run_folder.convert import to_parquet

    made = MadeRun(tmp_path).sampled(0.5, cpu_percent=lambda at: 50 + at)
    before = points(metrics(made)["pytest_twin.cpu_percent"])
    to_parquet(tmp_path / "system_metrics_dataset.csv")
    made.samples[""].clear()
    assert points(metrics(made)["pytest_twin.cpu_percent"]) == before


def test_without_samples_there_is_nothing():
    assert collect_series([], {}) == []
