"""The lines that a run ends with."""

import csv
import re

from made_runs import run_of_two_hosts

from pytest_twin.analysis.run.overview import RunOverview, SuiteFigures
from pytest_twin.model import event
from pytest_twin.model.event import detail
from pytest_twin.report.terminal import summary
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, TESTS
from pytest_twin.telemetry.sampler import SamplerStats


def test_a_load_of_another_host_names_it(tmp_path):
    run_of_two_hosts(tmp_path).write()
    lines = list(summary(RunFolder(tmp_path), SamplerStats(), 0, tmp_path))
    assert [line for line in lines if line.startswith("cpu=")] == [
        "cpu=2            1     1.8 s  2 cores",
        "cpu=2            1     1.8 s  1 cores on far",
    ]


def test_tests_are_counted_where_there_are_some(tmp_path):
    run_of_two_hosts(tmp_path).write()
    lines = list(summary(RunFolder(tmp_path), SamplerStats(), 0, tmp_path))
    assert re.fullmatch(r"0 samples, [1-9]\d* tests?", lines[0])
    assert re.fullmatch(r"\d+ samples on far, [1-9]\d* attempts? of (a test|tests)", lines[1])
    (tmp_path / TESTS).unlink()
    lines = list(summary(RunFolder(tmp_path), SamplerStats(), 0, tmp_path))
    assert lines[0] == "0 samples"
    assert re.fullmatch(r"\d+ samples on far", lines[1])
    assert not any("test" in line for line in lines if not line.startswith("files:"))


def test_the_columns_of_loads_are_as_wide_as_the_longest_of_them(tmp_path):
    names = [column.name for column in event.COLUMNS]
    asked = "0%, 10s:20%, 30s:80%"
    with (tmp_path / ANNOTATIONS).open("w", newline="") as file:
        rows = csv.DictWriter(file, names, restval="")
        rows.writeheader()
        load = {"timestamp": "2026-01-01T00:00:00.000Z", "id": "l1", "type": "cpu_total", "target": asked}
        rows.writerow({**load, "elapsed_s": "1", "event": "start"})
        rows.writerow(
            {**load, "elapsed_s": "3", "event": "end", "achieved": "40.0%", "detail": detail("", {"held_s": 2.0})}
        )
    lines = list(summary(RunFolder(tmp_path), SamplerStats(), 0, tmp_path))
    assert lines[1:3] == [
        "load                           times      held  achieved",
        "cpu_total=0%, 10s:20%, 30s:80%     1     2.0 s  40.0%",
    ]


LONG = "tests/integration/checkout/test_checkout_flow.py::TestCheckout::test_many[" + "large-" * 20 + "1]"


def test_tables_of_tests_fit_80_columns_and_keep_both_ends_of_an_id(tmp_path, monkeypatch):
    row = {"nodeid": LONG, "host": "", "worker": "", "attempt": "1", "outcome": "passed"}
    row |= dict.fromkeys(("memory_growth_MB", "read_MB", "written_MB", "children_cpu_s", "cpu_system_s"), "0")
    figures = SuiteFigures([row | {"cpu_user_s": "1.5", "memory_kept_MB": "60"}])
    overview = RunOverview([], figures)

    def shown():
        lines = list(summary(RunFolder(tmp_path), SamplerStats(), 0, tmp_path, overview))
        return [line for line in lines if "::" in line or "…" in line]

    cpu, kept = shown()
    assert re.fullmatch(r"  CPU        1\.50 s 100 %  tests/integration/\S+…\S*-large-1]", cpu)
    assert re.fullmatch(r" +\+60\.0 MiB +tests/integration/\S+…\S*-large-1]", kept)
    assert (len(cpu), len(kept), cpu.index("tests/")) == (80, 80, kept.index("tests/"))
    monkeypatch.setenv("COLUMNS", "300")
    assert [line.endswith(f"  {LONG}") for line in shown()] == [True, True]
