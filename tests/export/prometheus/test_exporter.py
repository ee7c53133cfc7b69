"""The process that exports a run: what its parent learns of it, and that it ends."""

from __future__ import annotations

import os
import signal
import sys

import psutil
import pytest

pytest.importorskip("prometheus_client")

from prometheus_servers import get

from pytest_twin.export.prometheus import exporter
from pytest_twin.export.prometheus.config import PrometheusConfig
from pytest_twin.export.prometheus.exporter import Exporter, ExporterError

ENDPOINT = PrometheusConfig(("127.0.0.1", 0))
posix = pytest.mark.skipif(sys.platform == "win32", reason="it needs SIGKILL and SIGSTOP")


def test_it_serves_until_it_is_stopped():
    running = Exporter(ENDPOINT)
    [place] = running.places
    get(place)
    assert running.stop() == []
    assert running.stop() == []  # the second time
    with pytest.raises(OSError, match="refused"):
        get(place)


@posix
def test_one_that_was_killed_is_a_problem_and_no_error(tmp_path):
    running = Exporter(ENDPOINT)
    os.kill(running.pid, signal.SIGKILL)
    running.begin(tmp_path, 0.0)
    assert running.stop() == ["the exporter has ended before the run: it was killed"]


@posix
def test_one_that_hangs_is_killed(eventually_gone):
    running = Exporter(ENDPOINT)
    process = psutil.Process(running.pid)
    process.suspend()
    assert running.stop() == ["the exporter did not end within 2 s"]
    eventually_gone([process])


@posix
def test_a_password_is_in_no_list_of_processes():
    running = Exporter(PrometheusConfig(("127.0.0.1", 0), gateway="http://me:secret@127.0.0.1:1"))
    command = " ".join(psutil.Process(running.pid).cmdline())
    running.stop()
    assert "exporter_main.py" in command
    assert "secret" not in command


@pytest.mark.skipif(sys.platform != "linux", reason="constraints are for Linux")
def test_a_constraint_on_the_tests_recognizes_it_as_none_of_them():
    from pytest_twin.stressors.constraint.process_tree import is_helper

    running = Exporter(ENDPOINT)
    is_left_out = is_helper(running.pid)
    running.stop()
    assert is_left_out


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(exporter, "find_spec", lambda _: None)
    with pytest.raises(ExporterError, match=r"^needs prometheus-client; pip install 'pytest-twin\[export\]'$"):
        Exporter(ENDPOINT)


def test_one_that_cannot_start_says_why(monkeypatch, tmp_path):
    broken = tmp_path / "main.py"
    broken.write_text("raise SystemExit('no such module')")
    monkeypatch.setattr(exporter, "PROGRAM", str(broken))
    with pytest.raises(ExporterError, match=r"^the exporter has ended before the run: no such module$"):
        Exporter(ENDPOINT)


def test_the_configuration_survives_its_way_to_the_process():
    config = PrometheusConfig(("::1", 9464), "a.prom", "http://host", keep=True, has_host=True, tests=3)
    assert PrometheusConfig.from_json(config.to_json()) == config
