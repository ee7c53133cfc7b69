"""The files in examples/observability belong together, and Prometheus can read its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "examples" / "observability"
COMPOSE = (FOLDER / "docker-compose.yml").read_text()
PROMETHEUS = (FOLDER / "prometheus.yml").read_text()
DATA_SOURCE = (FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text()
DASHBOARDS = (FOLDER / "grafana/provisioning/dashboards/pytest-twin.yml").read_text()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_can_read_its_configuration():
    command = ["promtool", "check", "config", FOLDER / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_mounted_is_there():
    mounted = set(re.findall(r"\./([\w./-]+):/", COMPOSE))
    assert mounted == {"prometheus.yml", "grafana/provisioning", "dashboards"}
    assert [path for path in mounted - {"dashboards"} if not (FOLDER / path).exists()] == []  # a command writes these


def test_everything_listens_on_this_machine_only():
    assert COMPOSE.count("network_mode: host") == COMPOSE.count("image:") == 3
    assert re.findall(r"listen-address=([\d.]+):\d+|HTTP_ADDR: ([\d.]+)", COMPOSE) == [
        ("127.0.0.1", ""), ("127.0.0.1", ""), ("", "127.0.0.1"),
    ]  # fmt: skip


def test_each_is_asked_where_it_listens():
    prometheus, node_exporter = re.findall(r"listen-address=([\d.:]+)", COMPOSE)
    assert f"url: http://{prometheus}\n" in DATA_SOURCE
    assert re.findall(r"targets: \[\"(.+)\"\]", PROMETHEUS) == ["127.0.0.1:9464", node_exporter]
    [path] = re.findall(r"path: (\S+)", DASHBOARDS)
    assert f"./dashboards:{path}:ro" in COMPOSE


def test_the_run_and_the_machine_are_the_same_instance():
    assert len(re.findall(r"instance: this-machine", PROMETHEUS)) == 2
