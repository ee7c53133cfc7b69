"""The verdicts on budgets as a metric."""

from made_runs import MadeRun

from pytest_twin.export.prometheus.collector import RunCollector
from pytest_twin.export.prometheus.run_metrics import MetricOptions
from pytest_twin.run_folder.folder import RunFolder


def test_attempts_with_a_budget_are_counted_by_their_verdict(tmp_path):
    made = MadeRun(tmp_path).sampled(6).test("t.py::test_free", 0, 1)
    for place, cell in enumerate(("ok", "ok", "duration 2 s > 1 s; read unknown", "read unknown")):
        made.test(f"t.py::test_{place}", place + 1, place + 2, budget=cell)
    made.write()
    collector = RunCollector(RunFolder(tmp_path), MetricOptions())
    registry = collector.registry()
    found = {
        verdict: registry.get_sample_value("pytest_twin_budgets_total", {"verdict": verdict})
        for verdict in ("ok", "over", "unknown")
    }
    collector.close()
    assert found == {"ok": 2, "over": 1, "unknown": 1}
