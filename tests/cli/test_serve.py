"""``pytest-twin serve``: the last values of a run that is over, and the new ones of a run that goes on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

pytest.importorskip("prometheus_client")

from prometheus_servers import get

PROGRAM = [sys.executable, "-m", "pytest_twin"]


@contextmanager
def serving(*words, cwd):
    """Runs the command, and yields the URL that it prints; it is interrupted at the end."""
    with subprocess.Popen([*PROGRAM, "serve", *words], cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        try:
            yield re.fullmatch(r"metrics for Prometheus: (http://127\.0\.0\.1:\d+/metrics)\n", line)[1]
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_a_run_that_is_over_has_its_last_values(tmp_path):
    command = [*PROGRAM, "record", "--duration", "1s", "--interval", "0.2"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    with serving("twin-report", "--prometheus", "0", cwd=tmp_path) as url:
        text = get(url)
    [samples] = re.findall(r"^pytest_twin_samples_total (\S+)$", text, re.MULTILINE)
    assert float(samples) >= 2
    assert "pytest_twin_host_" not in text


def test_a_folder_that_does_not_exist_is_waited_for_in_words(tmp_path, eventually):
    command, said = [*PROGRAM, "serve", "latre", "--prometheus", "0"], tmp_path / "stderr"
    with said.open("w") as file, subprocess.Popen(command, cwd=tmp_path, stderr=file) as process:
        try:
            eventually(lambda: said.read_text() == "latre: waiting for the run folder\n")
        finally:
            process.send_signal(signal.SIGINT)


def test_a_run_may_begin_later(tmp_path, eventually):
    with serving("later", "--prometheus", "0", "--prometheus-host", cwd=tmp_path) as url:
        assert "pytest_twin_samples_total 0.0" in get(url)
        command = [*PROGRAM, "record", "--duration", "1s", "--interval", "0.2", "--report-dir", "later"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        eventually(lambda: "pytest_twin_host_cpus" in get(url))


def test_it_needs_a_library_and_says_so(twin, monkeypatch):
    monkeypatch.setattr("pytest_twin.cli.serve.find_spec", lambda _: None)
    assert "serve needs prometheus-client; pip install 'pytest-twin[export]'" in twin("serve", status=2)


@pytest.mark.parametrize("command", ["record", "stress"])
def test_commands_that_record_take_the_same_options(tmp_path, command):
    words = ["--cpu", "10%"] if command == "stress" else []
    done = subprocess.run(
        [*PROGRAM, command, *words, "--duration", "1s", "--prometheus-textfile", "run.prom", "--prometheus-keep"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "metrics for Prometheus: run.prom" in done.stderr
    assert "pytest_twin_run_completion_timestamp_seconds" in (tmp_path / "run.prom").read_text()


def test_of_two_ways_the_one_that_fails_is_named(twin, tmp_path):
    ways = ("--prometheus", "0", "--prometheus-textfile", "none/run.prom")
    printed = twin("record", "--duration", "1s", *ways, status=2)
    assert "Error: --prometheus-textfile: none/run.prom: No such file or directory" in printed
    assert not (tmp_path / "twin-report").exists()


def test_a_port_in_use_is_one_line_and_nothing_is_recorded(twin, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        printed = twin("record", "--duration", "1s", "--prometheus", port, status=2)
        served = twin("serve", "--prometheus", port, status=2)
    problem = f"port {port} on 127.0.0.1 is in use; choose another one, or 0 for a free one"
    assert f"Error: --prometheus: {problem}" in printed
    assert f"Error: {problem}" in served
    assert not (tmp_path / "twin-report").exists()
