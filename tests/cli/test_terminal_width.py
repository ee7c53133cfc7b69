"""Every table fits a terminal of 80 columns, with all of its figures."""

from __future__ import annotations

import re

import numpy as np
import pytest
from made_profiles import profile_rows, profile_text
from made_recordings import server
from made_runs import stamp
from saved_runs import made, weighed

from pytest_twin.report.comparison.lines import lines as session_lines
from pytest_twin.report.prediction.lines import prediction_lines
from pytest_twin.report.profile_terminal import profile_lines
from pytest_twin.report.wording import TERMINAL_WIDTH

pytest.importorskip("scipy")
TEST = "tests/integration/test_checkout_flow.py::TestCheckout::test_many[large]"
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(params=["terminal", "pipe"])
def shown(request, twin, monkeypatch):
    """Runs a command as in a terminal of 80 columns, and in a pipe: no line is longer or has a cut cell."""
    if request.param == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(TERMINAL_WIDTH))
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.delenv("COLUMNS")

    def run(*words, status=0):
        lines = STYLE.sub("", twin(*words, status=status)).splitlines()
        check(lines)
        return lines

    return run


def check(lines):
    assert {line for line in lines if len(line) > TERMINAL_WIDTH or "…" in line} == set()


def write(path, factor=1.0):
    """Write the recording of a server with five resources."""
    frame, burst = server(300).frame, np.where(np.arange(300) % 60 < 20 * factor, 40.0, 1.0)
    given = {
        "cpu_percent": 100 * factor * frame["cpu"], "ram_used_percent": 100 * frame["mem"], "disk_read_MB": burst,
        "disk_write_MB": 3 * burst, "net_sent_MB": 5 * factor + np.sin(np.arange(300)),
    }  # fmt: skip
    rows = [f"timestamp,{','.join(given)}"]
    for place, cells in enumerate(zip(*given.values(), strict=True)):
        rows.append(",".join([stamp(place), *(f"{cell:.6f}" for cell in cells)]))
    path.write_text("\n".join(rows) + "\n")


def test_compare_has_all_figures_of_single_runs(shown, tmp_path):
    made(tmp_path / "a", {TEST: 1.5, "t.py::test_b": 12345.678}, cpu="Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz")
    made(tmp_path / "b", {TEST: 3.15, "t.py::test_b": 4938.27}, cpu="AMD EPYC 7763 64-Core Processor")
    lines = shown("compare", "a", "b", "--fail-on", "cpu_seconds>10%", status=1)
    below = lines[lines.index(TEST) + 1 :]
    assert below[0].split() == ["cpu_seconds", "1.50", "s", "3.15", "s", "x2.10", "possibly", "more", "✗"]
    assert any(line.split()[:5] == ["cpu_seconds", "12,346", "s", "4,938", "s"] for line in below)


def test_compare_puts_what_a_verdict_is_based_on_below_the_figures_where_the_table_is_too_wide(shown, tmp_path):
    for number in range(6):
        tests = {f"t.py::test_{at}": 1000.0 + at for at in range(6)}
        slower = {test: value * (3.0 if test.endswith("0") else 1.6) for test, value in tests.items()}
        for name, took in (("one", tests), ("two", slower)):
            made(tmp_path / name / str(number), took, saved=stamp(number))
    lines = shown("compare", "one", "two")
    place = lines.index("t.py::test_0")
    assert re.fullmatch(r"  cpu_seconds +1,000 s +3,000 s +x3\.00  more", lines[place + 1])
    assert re.fullmatch(r"    adjusted x1\.\d\d \(all tests x1\.60\), 95 % interval 1\.\d\d to .*", lines[place + 2])


def test_the_comparison_at_the_end_of_a_session_has_the_same_table(tmp_path):
    made(tmp_path / "a", {TEST: 1.5})
    made(tmp_path / "b", {TEST: 12345.6})
    lines = list(session_lines(weighed(tmp_path / "a", tmp_path / "b", "duration>10%")))
    table = lines[lines.index("all tests together") - 1 : lines.index(TEST) + 3]
    check(table)
    assert "  duration     1.50 s  12,346 s  x8230.67  possibly more ✗" in table
    assert lines[-1] == "  limit duration>10%: failed, 2 of 2 figures over it"


def test_predict_has_all_ranges_and_intervals(shown, tmp_path):
    (tmp_path / "run").mkdir()
    of_cpu, of_disk = (1.0, 1.5, 2.0, 12.5, 123.0), (1.0, 1.1, 1.2, 1.3, 1.4)
    rows = profile_rows(TEST, 125.0, cpu=of_cpu, disk=of_disk)
    (tmp_path / "run" / "profile.csv").write_text(profile_text(rows), encoding="utf-8")
    write(tmp_path / "server.csv")
    lines = shown("predict", "run", "server.csv")
    figures, intervals = lines[lines.index(TEST) + 1 :][:2]
    assert re.fullmatch(r"  2:05 min( +x[\d.]+ to x[\d.]+){4}", figures)
    assert re.fullmatch(r"  interval( +[\d.]+ to [\d.]+){3,4}", intervals)
    table = prediction_lines(tmp_path / "run", tmp_path / "server.csv", tmp_path)
    check(table[1 : table.index(TEST) + 3])


def test_what_if_has_a_column_for_each_change(shown, tmp_path):
    write(tmp_path / "server.csv")
    lines = shown("predict", "server.csv", "--what-if", "cpu*10.25 mem+90.25% disk*999", "--disk-rate", "200MB/s")
    at = next(line for line in lines if line.startswith("first at (UTC)"))
    assert len(re.findall(r"2026-01-01 1[12]:[05]\d:\d\d", at)) == 3


def test_validate_splits_its_table(shown, tmp_path):
    write(tmp_path / "server.csv")
    write(tmp_path / "scaled.csv", 0.8)
    lines = shown("validate", "server.csv", "scaled.csv", status=1)
    headings = [line.split()[2:] for line in lines if line.startswith("gate ")]
    assert [name for each in headings for name in each] == ["cpu", "mem", "disk_read", "disk_write", "net_sent"]
    assert sum(line.startswith("error of p95 ") for line in lines) == len(headings) > 1


def test_a_table_in_a_pipe_is_as_wide_as_columns_says(twin, tmp_path, monkeypatch):
    write(tmp_path / "server.csv")
    monkeypatch.setenv("COLUMNS", "120")
    lines = twin("validate", "server.csv", "server.csv").splitlines()
    assert TERMINAL_WIDTH < max(map(len, lines)) <= 120
    assert not any(line.endswith(" ") for line in lines)


def test_a_file_has_no_styles_even_if_colours_are_forced(shown, tmp_path):
    made(tmp_path / "a", {TEST: 1.5})
    made(tmp_path / "b", {TEST: 3.15})
    shown("compare", "a", "b", "-o", "compared.txt")
    text = (tmp_path / "compared.txt").read_text(encoding="utf-8")
    assert "\x1b" not in text
    check(text.splitlines())


def test_fit_with_variants(shown, tmp_path):
    pytest.importorskip("ruptures")
    write(tmp_path / "server.csv")
    lines = shown("fit", "server.csv", "-o", "twin.json", "--variants", "2")
    assert any(line.startswith("twin.json: ") for line in lines)


def test_a_profile_with_failures():
    rows = profile_rows(TEST, cpu=(1.0, 1.5, 2.0, 12.5, 123.0), disk=(1, 1.1, 1.2, 1.3, None))
    check(list(profile_lines([row | {"runs": "125", "failures": "100"} for row in rows])))
