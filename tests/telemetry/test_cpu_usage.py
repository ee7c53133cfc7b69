"""Which processes use the CPUs."""

import subprocess
import sys
import time

import psutil

from pytest_twin.telemetry import cpu_usage
from pytest_twin.telemetry.cpu_usage import ProcessUsage

BURN = "import time\nuntil = time.process_time() + 60\nwhile time.process_time() < until: pass"


def test_a_busy_process_of_others_is_named_and_one_of_ours_is_not(monkeypatch, eventually):
    with subprocess.Popen([sys.executable, "-S", "-c", BURN]) as burner:
        try:
            usage = ProcessUsage()
            burnt = psutil.Process(burner.pid).cpu_times().user
            eventually(lambda: psutil.Process(burner.pid).cpu_times().user > burnt + 0.3)
            assert burner.pid not in {each.pid for each in usage.busiest(1000)}
            monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [])
            monkeypatch.setattr(cpu_usage, "WORTH_TELLING_CPUS", 0.001)  # where others keep the CPUs
            (found,) = (each for each in usage.busiest(1000) if each.pid == burner.pid)
            assert found.name.startswith("python")
            assert 0 < found.cpus < 2
        finally:
            burner.kill()


def test_a_machine_at_rest_has_no_busy_process(monkeypatch):
    monkeypatch.setattr(cpu_usage, "WORTH_TELLING_CPUS", 1e6)
    usage = ProcessUsage()
    time.sleep(0.01)
    assert usage.busiest() == []
