"""A real Prometheus that scrapes a run, and one that gets the history of a run as blocks."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client")

from click.testing import CliRunner
from prometheus_servers import Target, free_port, get, prometheus

from pytest_twin.cli import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="loads of CPU shares need Linux"),
]

MIB = 2**20


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def cpu_seconds(samples: list[dict[str, str]], column: str, until: float) -> float:
    """The sum of a share of the CPUs until a time, in CPU seconds."""
    total = before = 0.0
    for row in samples:
        at = float(row["elapsed_s"])
        if seconds(row["timestamp"]) > until + 1e-3:
            break
        total += float(row[column] or 0) / 100 * float(row["cpu_count_logical"]) * (at - before)
        before = at
    return total


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run with a load that a Prometheus scraped: its folder, the Prometheus while it runs, and promtool's verdict."""
    folder = tmp_path_factory.mktemp("scraped")
    port = free_port()
    with prometheus(folder, [Target("pytest_twin", "run", port)]) as server:
        command = [
            sys.executable, "-m", "pytest_twin", "stress", "--cpu", "50%", "--mem", "64MiB", "--duration", "12s",
            "--report-dir", folder / "run", "--prometheus", str(port), "--prometheus-host",
        ]  # fmt: skip
        text = ""
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                time.sleep(0.5)
                with suppress(OSError):  # not yet, or not any more
                    text = get(f"http://127.0.0.1:{port}/metrics") or text
        assert process.returncode in {0, 1}  # 1 is a starved load, on a busy machine
        yield folder / "run", server, text


def test_promtool_has_nothing_to_say(recorded):
    _, _, text = recorded
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_scraped_values_are_those_of_the_csv(recorded):
    folder, server, _ = recorded
    samples = rows(folder, "system_metrics_dataset.csv")
    by_time = {round(seconds(row["timestamp"]), 1): row for row in samples}
    compared = 0
    stamps = server.query_range("pytest_twin_last_sample_timestamp_seconds", *span(samples))
    for at in sorted({float(value) for series in stamps for _, value in series["values"]}):
        scraped = first_scrape_with(server, at)
        row = by_time.get(round(at, 1))
        if scraped is None or row is None or not row["stress_resident_MB"]:
            continue
        assert server.value("pytest_twin_stress_resident_bytes", scraped) == float(row["stress_resident_MB"]) * MIB
        expected = cpu_seconds(samples, "stress_cpu_percent", at)
        assert server.value("pytest_twin_stress_cpu_seconds_total", scraped) == pytest.approx(
            expected, rel=0.01, abs=0.01
        )
        compared += 1
    assert compared >= 3


def span(samples: list[dict[str, str]]) -> tuple[float, float]:
    return seconds(samples[0]["timestamp"]), seconds(samples[-1]["timestamp"])


def first_scrape_with(server, at: float) -> float | None:
    """The time of a scrape in which this was the last sample."""
    found = server.query(f"timestamp(pytest_twin_last_sample_timestamp_seconds == {at!r})", at + 1)
    return float(found[0]["value"][1]) if found else None


def test_loads_are_seen_while_they_are_active(recorded):
    folder, server, _ = recorded
    begin, end = span(rows(folder, "system_metrics_dataset.csv"))
    for kind, unit, target in (("cpu", "ratio", 0.5), ("mem", "bytes", 64 * MIB)):
        [active] = server.query_range(f'pytest_twin_load_active{{kind="{kind}"}}', begin, end)
        assert "1" in {value for _, value in active["values"]}
        wanted = f'max_over_time(pytest_twin_load_target{{kind="{kind}",unit="{unit}"}}[1m])'
        assert server.value(wanted, end) == target


def test_the_history_of_a_run_can_be_queried_from_blocks(recorded, tmp_path):
    folder, _, _ = recorded
    done = CliRunner().invoke(main, ["export", str(folder), "--format", "openmetrics"])
    assert done.exit_code == 0, done.output
    file = folder / "export" / "run.openmetrics"
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", file, tmp_path / "tsdb"]
    subprocess.run(blocks, capture_output=True, check=True)
    samples = rows(folder, "system_metrics_dataset.csv")
    with prometheus(tmp_path, data=tmp_path / "tsdb") as server:
        for row in samples[:: max(1, len(samples) // 20)]:
            at = seconds(row["timestamp"]) + 0.0015  # the file has rounded milliseconds, and so has the CSV
            if row["stress_resident_MB"]:
                assert server.value("pytest_twin_stress_resident_bytes", at) == float(row["stress_resident_MB"]) * MIB
            expected = cpu_seconds(samples, "stress_cpu_percent", seconds(row["timestamp"]))
            assert server.value("pytest_twin_stress_cpu_seconds_total", at) == pytest.approx(
                expected, rel=0.01, abs=0.01
            )
        [series] = server.query("pytest_twin_run_info", at)
        assert series["metric"]["job"] == "pytest_twin"
        assert series["metric"]["instance"] == "run"
