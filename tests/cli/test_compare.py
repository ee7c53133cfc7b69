"""``pytest-twin compare`` and ``baselines``, as typed."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys

import jsonschema
import pytest
from saved_runs import made

from pytest_twin.report.comparison.json_document import schema
from pytest_twin.report.comparison.otava import configuration, table

posix = pytest.mark.skipif(sys.platform == "win32", reason="a program that is a shell script")


@pytest.fixture
def two(tmp_path):
    """A run, and one in which a test takes twice as much."""
    made(tmp_path / "a", {"quick": 0.1, "<b>|slow": 0.1})
    made(tmp_path / "b", {"quick": 0.1, "<b>|slow": 0.2})


@pytest.mark.usefixtures("two")
def test_a_limit_that_is_broken_is_told_and_ends_with_1(twin):
    assert "2 tests compared, 1 changed, no limit given" in twin("compare", "a", "b")
    text = twin("compare", "a", "b", "--fail-on", "cpu_seconds>10%", status=1)
    assert text.startswith(
        "a (1 run) -> b (1 run), on the same machine\nnote: too few repetitions for a statistical test (1 and 1)"
    )
    assert text.endswith(
        "cpu_seconds>10%: all tests together: 200.0 ms -> 300.0 ms, x1.50\n"
        "cpu_seconds>10%: <b>|slow: 100.0 ms -> 200.0 ms, x2.00\n"
    )


@pytest.mark.usefixtures("two")
def test_the_limits_of_pyproject_count_where_none_is_typed(twin, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.pytest-twin]\nfail_on = "cpu_seconds>10%"\n')
    assert "1 of 1 limit broken\n  limit cpu_seconds>10%: failed, 2 of 3 figures over it\n" in twin(
        "compare", "a", "b", status=1
    )
    text = twin("compare", "a", "b", "--fail-on", "cpu_seconds>150%")
    assert "0 of 1 limit broken\n  limit cpu_seconds>150%: passed, 3 figures within it\n" in text


def test_another_machine_is_in_the_first_line_and_refused_if_strict(twin, tmp_path):
    made(tmp_path / "a", {"t": 0.1}, cpu="A")
    made(tmp_path / "b", {"t": 0.1}, cpu="B")
    for form in ("terminal", "md", "html"):
        text = twin("compare", "a", "b", "--format", form)
        assert text.find("other machine") < text.find("1 run")
    assert twin("compare", "a", "b").startswith("different machine: CPU A -> B\n")
    assert twin("compare", "a", "b", "--strict", status=2) == "Error: --strict: the machines differ: CPU A -> B\n"


def test_cpu_seconds_of_a_faster_machine_are_scaled_if_asked(twin, tmp_path):
    made(tmp_path / "a", {"t": 0.2, "u": 0.4}, speed=10.0)
    made(tmp_path / "b", {"t": 0.1, "u": 0.4}, speed=20.0)
    plain, scaled = twin("compare", "a", "b"), twin("compare", "a", "b", "--scale-by-speed")
    scores = "scores 10.0 -> 20.0 with one thread, 20.0 -> 40.0 with all"
    assert (
        f"note: the CPUs differ in speed, {scores}; compare with --scale-by-speed takes it out of CPU seconds\n"
        in plain
    )
    assert f"note: CPU seconds are scaled to the speed of the first machine; {scores}\n" in scaled
    assert re.search(r"\nt\n +cpu_seconds +200\.0 ms +100\.0 ms +x0\.50", plain)
    assert re.search(r"\nu\n +cpu_seconds +400\.0 ms +800\.0 ms +x2\.00", scaled)
    assert not re.search(r"\nt\n +cpu_seconds", scaled)
    assert "cpu_seconds>10%: u: 400.0 ms -> 800.0 ms, x2.00\n" in twin(
        "compare", "a", "b", "--scale-by-speed", "--fail-on", "cpu_seconds>10%", status=1
    )


def test_machines_of_nearly_the_same_speed_are_not_noted(twin, tmp_path):
    made(tmp_path / "a", {"t": 0.1}, speed=10.0)
    made(tmp_path / "b", {"t": 0.1}, speed=10.9)
    assert "speed" not in twin("compare", "a", "b")


@pytest.mark.parametrize(("first", "second", "unknown"), [(0.0, 10.0, "a"), (10.0, 0.0, "b"), (0.0, 0.0, "a")])
def test_a_machine_without_scores_cannot_be_scaled(twin, tmp_path, first, second, unknown):
    made(tmp_path / "a", {"t": 0.1}, speed=first)
    made(tmp_path / "b", {"t": 0.1}, speed=second)
    assert "speed" not in twin("compare", "a", "b")
    assert twin("compare", "a", "b", "--scale-by-speed", status=2) == (
        f"Error: {unknown} has no speed scores in its fingerprint; run pytest-twin fingerprint on that machine after "
        "each boot, and record again\n"
    )


@pytest.mark.usefixtures("two")
def test_the_names_of_tests_mean_nothing_to_markdown_or_html(twin, tmp_path):
    text = twin("compare", "a", "b", "--format", "md")
    assert r"| &lt;b&gt;\|slow | cpu\_seconds | 100.0 ms | 200.0 ms | x2.00 |  |  | possibly more |" in text
    twin("compare", "a", "b", "--format", "html", "-o", "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<tr class="worse"><td><span class="id">&lt;b&gt;|slow</span></td>' in page
    assert "<b>" not in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.usefixtures("two")
def test_a_program_reads_the_limits_and_each_figure(twin):
    found = json.loads(twin("compare", "a", "b", "--format", "json", "--fail-on", "cpu_seconds>10%", status=1))
    assert (found["before"], found["after"], found["runs_before"], found["added"]) == ("a", "b", 1, [])
    assert found["limits"] == [{"limit": "cpu_seconds>10%", "is_kept": False}]
    (slow,) = [
        each for each in found["differences"] if (each["nodeid"], each["measure"]) == ("<b>|slow", "cpu_seconds")
    ]
    assert slow == {
        "nodeid": "<b>|slow", "measure": "cpu_seconds", "unit": "s", "before": 0.1, "after": 0.2, "ratio": 2.0,
        "adjusted": 2.0, "low": None, "high": None, "verdict": "possibly more", "broken": ["cpu_seconds>10%"],
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
@pytest.mark.parametrize("form", ["terminal", "md", "html", "json"])
def test_figures_that_are_too_large_for_a_number_are_none(twin, tmp_path, form):
    made(tmp_path / "a", {"one": 0.1, "other": 0.1})
    made(tmp_path / "b", {"one": 1.7e308, "other": 1.7e308})
    text = twin("compare", "a", "b", "--format", form)
    if form == "json":
        found = json.loads(text, parse_constant=pytest.fail)
        jsonschema.validate(found, schema())
        (whole,) = [each for each in found["differences"] if (each["nodeid"], each["measure"]) == ("", "cpu_seconds")]
        assert (whole["before"], whole["after"]) == (0.2, None)


@pytest.mark.skipif(sys.platform != "linux", reason="a name that is no Unicode")
@pytest.mark.parametrize("form", ["terminal", "md", "html", "json"])
def test_a_run_may_have_a_name_that_is_no_unicode(twin, tmp_path, form):
    for name in ("a", "b\udcff"):
        made(tmp_path / name, {"quick": 0.1})
    printed = twin("compare", "a", "b\udcff", "--format", form)
    twin("compare", "a", "b\udcff", "--format", form, "-o", "output")
    for text in (printed, (tmp_path / "output").read_text(encoding="utf-8")):
        assert r"b\udcff" in text.replace(r"\\", "\\")
        assert form != "json" or json.loads(text)["after"] == "b\udcff"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["a", "nowhere"],
            "nowhere: neither a baseline in {} (none saved; --twin-save NAME saves one) nor a folder with tests.csv",
        ),
        (["last"], "last: no baseline is saved in {}; save a run with pytest --twin-save NAME"),
        (["a", "other"], "no test passed both in a and in other: nothing can be compared"),
    ],
)
@pytest.mark.usefixtures("two")
def test_runs_that_cannot_be_compared_end_with_2(twin, tmp_path, words, said):
    made(tmp_path / "other", {"x": 1})
    assert twin("compare", *words, status=2) == f"Error: {said.format(tmp_path / '.twin-baselines')}\n"


@pytest.mark.usefixtures("two")
def test_what_of_a_run_could_not_be_read_is_told(twin, tmp_path):
    tests = tmp_path / "b" / "tests.csv"
    tests.write_bytes(tests.read_bytes()[:-5])
    assert f"\nnote: {tests} ends in the middle of a row, which is skipped\n" in twin("compare", "a", "b")
    assert "note: " not in twin("compare", "a", "a").replace("note: too few repetitions", "")


def test_what_is_typed_wrongly_is_told(twin):
    assert "Error: --fail-on: 'cpu' is not a limit such as" in twin("compare", "a", "--fail-on", "cpu", status=2)
    assert "give the runs to compare: pytest-twin compare A B" in twin("compare", status=2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["a"], "A"),
        (["a", "b", "--fail-on", "cpu_seconds>10%"], "A and B and --fail-on"),
        (["--strict"], "--strict"),
        (["--scale-by-speed", "--strict"], "--strict and --scale-by-speed"),
        (["--format", "md", "-o", "x.md"], "--format and --output"),
    ],
)
def test_a_history_takes_nothing_that_it_would_ignore(twin, words, named):
    text = twin("compare", *words, "--history", "main", status=2)
    assert f"Error: --history takes the runs of one baseline; omit {named}\n" in text


def saved(tmp_path, name, *seconds):
    for number, cpu_s in enumerate(seconds, 1):
        at = f"2026-01-0{number}T00:00:00.000+00:00"
        made(tmp_path / ".twin-baselines" / name / f"{number:04}", {"t": cpu_s}, saved=at)


def test_a_baseline_is_all_of_its_runs_and_last_is_the_newest(twin, tmp_path):
    saved(tmp_path, "main", 0.1, 0.2, 0.3)
    made(tmp_path / "twin-report", {"t": 0.3})
    assert "main (3 runs) -> twin-report (1 run)" in twin("compare", "main")
    assert "last" not in twin("compare", "last")
    assert "main/0003 (1 run) -> twin-report (1 run)" in twin("compare", "last")
    assert twin("baselines") == "main: 3 runs, saved 2026-01-03T00:00:00.000+00:00, c0ffee\n"


def test_a_history_needs_three_runs(twin, tmp_path):
    saved(tmp_path, "main", 0.1)
    assert twin("compare", "--history", "main", status=1) == "Error: --history: main has 1 run, but a history needs 3\n"


def test_without_otava_a_history_says_how_to_get_it(twin, tmp_path, monkeypatch):
    saved(tmp_path, "main", 0.1, 0.1, 0.2)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert "--history needs apache-otava; pip install 'pytest-twin[history]'" in twin(
        "compare", "--history", "main", status=1
    )


@posix
def test_otava_is_given_the_runs_in_their_order(twin, tmp_path, monkeypatch):
    saved(tmp_path, "main", 0.1, 0.1, 0.2)
    otava = tmp_path / "bin" / "otava"
    otava.parent.mkdir()
    otava.write_text('#!/bin/sh\necho "$1 $2 $5 $6 $BRANCH$POSTGRES_PORT$OTAVA_CONFIG."\n')
    otava.chmod(otava.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("shutil.which", lambda *_, **__: str(otava))
    for name in ("BRANCH", "POSTGRES_PORT", "OTAVA_CONFIG"):  # which otava would take for options
        monkeypatch.setenv(name, "1")
    told = twin("compare", "--history", "main")
    assert "analyze main --since 2026-01-01T00:00:00.000+00:00 ." in told
    lines = (tmp_path / ".twin-baselines/main/history.csv").read_text().splitlines()
    assert lines[0].startswith("time,commit,cpu_seconds,")
    assert [line.split(",")[2] for line in lines[1:]] == ["0.100000", "0.100000", "0.200000"]


@pytest.mark.skipif(shutil.which("otava") is None, reason="apache-otava is not installed")
def test_the_real_otava_finds_from_when_on_a_test_took_more(twin, tmp_path, monkeypatch):
    monkeypatch.setenv("BRANCH", "main")  # as some CI has it, and otava reads it
    saved(tmp_path, "main", 0.1, 0.101, 0.1, 0.102, 0.1, 0.15, 0.151, 0.15, 0.149)
    lines = twin("compare", "--history", "main").splitlines()
    at = next(place for place, line in enumerate(lines) if "%" in line)
    assert float(lines[at].split()[0].rstrip("%")) == pytest.approx(49, abs=2)
    assert lines[at - 2].startswith("2026-01-05")
    assert lines[at + 2].startswith("2026-01-06")


@posix
def test_an_otava_that_says_nothing_has_failed_whatever_its_status(twin, tmp_path, monkeypatch):
    saved(tmp_path, "main", 0.1, 0.1, 0.2)
    monkeypatch.setattr("shutil.which", lambda *_, **__: "/bin/true")
    assert "Error: otava failed with exit status 0; its configuration is " in twin(
        "compare", "--history", "main", status=1
    )


def test_a_history_names_each_series_once(tmp_path):
    found = {'a,"b"': [1.0], "a;'b'": [2.0]}
    assert table(found, ["now"], [""]) == "time,commit,a;'b' (0),a;'b' (1)\nnow,unknown,1.000000,2.000000\n"
    assert '"column": "a;\'b\' (1)"' in configuration(found, "main", tmp_path)


def on_hosts(path, cpu_s, cpus):
    """A run of several hosts: CPU seconds by test and host, and the CPU of each host."""
    made(path, {test: 0.0 for test, _ in cpu_s}, cpu=cpus[""])
    columns, *rows = (path / "tests.csv").read_text().splitlines()
    of_test = {row.partition(",")[0]: row.split(",") for row in rows}
    lines = [columns]
    for (test, host), value in cpu_s.items():
        cells = dict(zip(columns.split(","), of_test[test], strict=True))
        lines.append(",".join((cells | {"host": host, "cpu_user_s": str(value), "call_s": str(value)}).values()))
    (path / "tests.csv").write_text("\n".join([*lines, ""]))
    known = {host: {"fingerprint": {"cpu": {"model": cpu}}} for host, cpu in cpus.items() if host}
    (path / "hosts.json").write_text(json.dumps(known))
    return path


def test_a_test_of_another_host_is_another_test(twin, tmp_path):
    on_hosts(tmp_path / "a", {("t", ""): 0.1, ("t", "far"): 0.8}, {"": "A", "far": "F"})
    on_hosts(tmp_path / "b", {("t", "far"): 0.8, ("t", ""): 0.2}, {"": "A", "far": "F"})
    text = twin("compare", "a", "b")
    assert text.startswith("a (1 run) -> b (1 run), on the same machine\n")
    assert re.search(r"\nt\n +cpu_seconds +100\.0 ms +200\.0 ms +x2\.00", text)
    assert "2 tests compared, 1 changed" in text
    assert "t on far" not in text.partition("verdict")[2].partition("compared")[0]


def test_other_hosts_are_in_the_first_line_and_only_what_ran_on_one_is_compared(twin, tmp_path):
    on_hosts(tmp_path / "a", {("t", ""): 0.1, ("t", "far"): 0.8}, {"": "A", "far": "F"})
    on_hosts(tmp_path / "b", {("t", ""): 0.1, ("t", "near"): 0.4}, {"": "B", "near": "N"})
    text = twin("compare", "a", "b")
    first = "different machine: hosts pytest's host and far -> pytest's host and near, pytest's host: CPU A -> B"
    assert text.splitlines()[0] == first
    assert "new: 1\n  t on near\n" in text
    assert "removed: 1\n  t on far\n" in text
    assert "1 test compared" in text


def test_runs_of_one_host_each_are_compared_whatever_the_hosts_are_called(twin, tmp_path):
    on_hosts(tmp_path / "a", {("t", "linux"): 0.1}, {"": "", "linux": "L"})
    on_hosts(tmp_path / "b", {("t", "mac"): 0.2}, {"": "", "mac": "M"})
    assert twin("compare", "a", "b").startswith("different machine: CPU L -> M\n")
    made(tmp_path / "c", {"t": 0.1}, cpu="L")
    assert twin("compare", "a", "c").startswith("a (1 run) -> c (1 run), on the same machine\n")
