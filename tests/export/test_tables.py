"""A run as a long table, as line protocol and as Parquet."""

from __future__ import annotations

import csv
import io

import pytest
from made_runs import BEGAN, MadeRun, busy_run, run_of_two_hosts, stamp

from pytest_twin.export import csv_long, influx, parquet
from pytest_twin.model import event


def long_rows(made):
    return list(csv.DictReader(io.StringIO("".join(csv_long.lines(made.summary())))))


def test_a_row_of_the_long_table_is_one_value(tmp_path):
    made = MadeRun(tmp_path).sampled(0.3, cpu_percent=lambda at: 50 + at, ram_used_percent="")
    found = [row for row in long_rows(made) if row["metric"] == "cpu_percent"]
    assert found == [
        {"timestamp": stamp(at), "elapsed_s": f"{at:.4f}", "host": "", "metric": "cpu_percent", "unit": "%",
         "value": f"{50 + at}"}
        for at in (0.0, 0.1, 0.2)
    ]  # fmt: skip


def test_a_missing_value_has_no_row(tmp_path):
    made = MadeRun(tmp_path).sampled(0.3, cpu_percent=lambda at: "" if at == 0.1 else 1.0, ram_used_percent="")
    rows = long_rows(made)
    assert [row["timestamp"] for row in rows if row["metric"] == "cpu_percent"] == [stamp(0.0), stamp(0.2)]
    assert "ram_used_percent" not in {row["metric"] for row in rows}


def test_the_long_table_has_each_host_by_itself(tmp_path):
    rows = [row for row in long_rows(run_of_two_hosts(tmp_path)) if row["metric"] == "cpu_percent"]
    assert {row["host"] for row in rows} == {"", "far"}
    assert sum(row["host"] == "far" for row in rows) == 30


def points(made):
    text = "".join(influx.lines(made.summary()))
    assert text.startswith(influx.BEGINNING)
    return [line for line in text.splitlines() if not line.startswith("#")]


def nanoseconds(at):
    return round(BEGAN.timestamp() * 1000 + at * 1000) * 10**6


def test_samples_and_tests_are_points_at_their_time(tmp_path):
    made = MadeRun(tmp_path).sampled(0.1, cpu_percent=7.5).test("t.py::test_a[x, y=1]", 0.5, 1.5, "failed")
    sample, test = points(made)
    assert sample.startswith("pytest_twin_sample cpu_percent=7.5,")
    assert sample.endswith(f" {nanoseconds(0)}")
    assert test.startswith("pytest_twin_test,nodeid=t.py::test_a[x\\,\\ y\\=1],outcome=failed attempt=1.0,")
    assert ",duration_s=1.0," in test
    assert test.endswith(f" {nanoseconds(0.5)}")


def test_loads_and_notes_are_points_with_their_detail(tmp_path):
    made = MadeRun(tmp_path).sampled(0.1).load("disk", "50MB/s", 1, 2, "10.0MB/s", event.ABORT, reason='is "slow"')
    made.happened(1.5, event.NOTE, event.NOTE, detail="half\\way", test="t.py::test_a")
    load, note = points(made)[1:]
    assert load.startswith("pytest_twin_load,state=abort,type=disk ")
    assert 'reason="is \\"slow\\""' in load
    assert 'target="50MB/s",achieved="10.0MB/s" ' in load
    assert "duration_s=1.0," in load
    assert note == f'pytest_twin_note,test=t.py::test_a text="half\\\\way" {nanoseconds(1.5)}'


def test_the_parquet_file_has_the_samples_of_all_hosts_with_their_units(tmp_path):
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    summary = run_of_two_hosts(tmp_path / "run").summary()
    with (tmp_path / "samples.parquet").open("wb") as file:
        parquet.write(summary, file)
    frame = pandas.read_parquet(tmp_path / "samples.parquet")
    assert frame["cpu_percent"].tolist() == summary.run.samples["cpu_percent"].tolist()
    assert frame["host"].fillna("").tolist() == summary.run.samples["host"].fillna("").tolist()
    assert (frame.index == summary.run.samples.index).all()
    assert frame.attrs["units"]["cpu_percent"] == "%"
    assert parquet.is_own(tmp_path / "samples.parquet")


def test_a_run_without_rows_has_files_without_rows(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1)
    assert long_rows(made) == []
    assert [line.partition(",")[0] for line in points(made)] == ["pytest_twin_test"]


def test_a_busy_run_has_a_point_for_everything(tmp_path):
    kinds = [line.replace(" ", ",").partition(",")[0] for line in points(busy_run(tmp_path))]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "pytest_twin_sample": 60, "pytest_twin_test": 3, "pytest_twin_load": 2, "pytest_twin_note": 1
    }  # fmt: skip
