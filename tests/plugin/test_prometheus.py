"""The metrics of a session for Prometheus: an endpoint, a file and a push while the tests run."""

from __future__ import annotations

import re
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip("prometheus_client")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the tests look for POSIX processes"),
    pytest.mark.usefixtures("few_plugins"),
]

SCRAPES = """
import pathlib, re, time, urllib.request
def test_scraped_while_it_runs(request):
    [place] = pathlib.Path("place").read_text().split()
    text, deadline = "", time.monotonic() + 30
    while "_tests_remaining" not in text and time.monotonic() < deadline:  # the number of tests comes a moment later
        text = urllib.request.urlopen(place).read().decode()
    pathlib.Path("scraped").write_text(text)
"""
TELLS_PLACE = """
import pathlib, pytest
@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    from pytest_twin.plugin.stash import EXPORTER
    [line] = session.config.stash[EXPORTER].lines
    pathlib.Path("place").write_text(line.rpartition(" ")[2])
"""


def value(text: str, series: str) -> float:
    """The value of a series in what was scraped."""
    [found] = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found)


@pytest.fixture
def own_exporters(pytester):
    """Returns the processes that export the inner run, which are in its folder: other tests may have some too."""

    def found() -> list[psutil.Process]:
        own = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_exporter = any("exporter_main.py" in word for word in process.cmdline())
                if is_exporter and Path(process.cwd()) == pytester.path:
                    own.append(process)
        return own

    return found


def test_a_test_that_runs_is_in_what_is_scraped(pytester, own_exporters):
    pytester.makeconftest(TELLS_PLACE)
    pytester.makepyfile(test_first="def test_passes(): pass", test_second=SCRAPES)
    done = pytester.runpytest_subprocess("--twin-prometheus=0", "--twin-interval=0.05")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["twin: metrics for Prometheus: http://127.0.0.1:*/metrics"])
    text = Path("scraped").read_text()
    assert value(text, 'pytest_twin_tests_total{outcome="passed"}') == 1
    assert value(text, "pytest_twin_tests_running") == 1
    assert value(text, "pytest_twin_tests_remaining") == 1
    assert own_exporters() == []
    host, port = Path("place").read_text().removeprefix("http://").removesuffix("/metrics").split(":")
    with socket.socket() as client:
        assert client.connect_ex((host, int(port))) != 0  # nobody listens any more


def test_a_port_in_use_is_one_line_before_anything_starts(pytester):
    pytester.makepyfile("def test_passes(): pass")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = pytester.runpytest_subprocess(f"--twin-prometheus={port}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in done.errlines if line.strip()]
    assert line == (
        f"ERROR: --twin-prometheus: port {port} on 127.0.0.1 is in use; choose another one, or 0 for a free one"
    )
    assert not Path("twin-report").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["=x"], "--twin-prometheus: 'x' is not a port; write a number from 0 to 65535, or HOST:PORT"),
        (["=70000"], "--twin-prometheus: '70000' is not a port; write a number from 0 to 65535, or HOST:PORT"),
        (["-textfile=run.txt"],
         "--twin-prometheus-textfile: 'run.txt' is no file that node_exporter reads; its name must end with .prom"),
        (["-push=ftp://me:secret@host"],
         "--twin-prometheus-push: 'ftp://…@host' is not the URL of a server; write one such as http://localhost:9091"),
        (["-cert=a.pem"], "--twin-prometheus-cert: there is no endpoint; give --twin-prometheus [HOST:]PORT too"),
        (["=0", "-cert=none.pem", "-key=none.key"], "--twin-prometheus-cert: */none.pem: No such file or directory"),
        (["=nowhere.invalid:0"],
         "--twin-prometheus: nowhere.invalid: *; give a name or an address of this machine"),
        (["-textfile=none/run.prom"], "--twin-prometheus-textfile: */none/run.prom: No such file or directory"),
        (["=0", "-textfile=none/run.prom"], "--twin-prometheus-textfile: */none/run.prom: No such file or directory"),
        (["=0", "-cert=test_bad_input_is_one_line.py", "-key=none.key"],
         "--twin-prometheus-key: */none.key: No such file or directory"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(pytester, flags, message):
    pytester.makepyfile("def test_passes(): pass")
    done = pytester.runpytest_subprocess(*(f"--twin-prometheus{flag}" for flag in flags))
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in done.errlines if line.strip()]) == 1
    done.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert not Path("twin-report").exists()


def test_the_textfile_is_there_during_the_run_and_removed_at_its_end(pytester):
    pytester.makepyfile("""
        import pathlib, time
        def test_waits_for_it():
            until = time.monotonic() + 60
            while "pytest_twin_tests_running 1.0" not in pathlib.Path("run.prom").read_text():
                assert time.monotonic() < until
                time.sleep(0.05)
    """)
    pytester.runpytest_subprocess("--twin-prometheus-textfile=run.prom").assert_outcomes(passed=1)
    assert [path.name for path in Path().glob("run.prom*")] == []


def test_a_textfile_that_is_kept_has_the_last_values_and_the_end(pytester):
    pytester.makepyfile("def test_passes(): pass")
    flags = ("--twin-prometheus-textfile=run.prom", "--twin-prometheus-keep")
    before = time.time()
    pytester.runpytest_subprocess(*flags).assert_outcomes(passed=1)
    text = Path("run.prom").read_text()
    assert value(text, 'pytest_twin_tests_total{outcome="passed"}') == 1
    assert before <= value(text, "pytest_twin_run_completion_timestamp_seconds") <= time.time()


def test_tests_of_workers_are_counted_once(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_passes(n): pass")
    flags = ("-n2", "--twin-prometheus-textfile=run.prom", "--twin-prometheus-keep")
    pytester.runpytest_subprocess(*flags).assert_outcomes(passed=6)
    text = Path("run.prom").read_text()
    assert value(text, 'pytest_twin_tests_total{outcome="passed"}') == 6
    assert value(text, "pytest_twin_tests_remaining") == 0
    assert value(text, "pytest_twin_test_duration_seconds_count") == 6


def test_the_exporter_is_none_of_the_processes_of_the_tests(pytester):
    pytester.makepyfile("""
        import psutil
        def test_has_no_exporter_below():
            below = [" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)]
            assert not [line for line in below if "exporter_main.py" in line]
    """)
    pytester.runpytest_subprocess("--twin-prometheus=0").assert_outcomes(passed=1)


def test_a_killed_session_leaves_no_exporter(pytester, own_exporters, eventually):
    pytester.makepyfile("import os, signal\ndef test_dies(): os.kill(os.getpid(), signal.SIGKILL)")
    pytester.runpytest_subprocess("--twin-prometheus-textfile=run.prom")
    eventually(lambda: own_exporters() == [])
    assert [path.name for path in Path().glob("run.prom*")] == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_dead_gateway_costs_one_line_and_little_time(pytester, answers):
    pytester.makepyfile("def test_passes(): pass")
    with socket.socket() as silent:  # it accepts and never answers; closed, it refuses
        silent.bind(("127.0.0.1", 0))
        if answers:
            silent.listen()
        url = f"http://me:secret@127.0.0.1:{silent.getsockname()[1]}"
        done = pytester.runpytest_subprocess(f"--twin-prometheus-push={url}")
    done.assert_outcomes(passed=1)
    warnings = [line for line in done.outlines if line.startswith("warning: prometheus")]
    assert len(warnings) == 1
    assert "secret" not in done.stdout.str() + done.stderr.str()


def test_a_quiet_run_says_where_too(pytester):
    pytester.makepyfile("def test_passes(): pass")
    done = pytester.runpytest_subprocess("-q", "--twin-prometheus=0")
    done.stdout.fnmatch_lines(["twin: metrics for Prometheus: http://127.0.0.1:*/metrics"])


def test_without_the_option_nothing_of_it_is_imported(pytester):
    pytester.makepyfile("""
        import sys
        def test_is_not_imported():
            names = [name for name in sys.modules if "prometheus" in name or "opentelemetry" in name]
            assert names == []
    """)
    pytester.runpytest_subprocess("--twin").assert_outcomes(passed=1)
