"""What all probes have in common."""

from __future__ import annotations

import os

import pytest

from pytest_twin import probes
from pytest_twin.model.columns import ELAPSED, TIMESTAMP, order

LEGACY = """
    timestamp cpu_percent cpu_count_logical cpu_count_physical ram_total_GB ram_used_percent ram_available_GB
    swap_used_percent disk_total_GB disk_used_percent disk_read_MB disk_write_MB net_sent_MB net_recv_MB
    battery_percent battery_plugged process_count
"""


@pytest.mark.parametrize("module", probes.modules(), ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_probe_reads_one_value_a_column(module):
    probe = module.probe(probes.Context(os.getpid()))
    assert [len(probe.read(at)) for at in (0.0, 1.0)] == [len(module.COLUMNS)] * 2


def test_the_old_columns_open_the_file_in_their_old_order():
    columns = (TIMESTAMP, ELAPSED, *probes.columns(probes.modules()))
    names = [columns[at].name for at in order(columns)]
    assert names[:18] == [*LEGACY.split(), "elapsed_s"]
    assert len(names) == len(set(names))


def test_a_probe_of_another_package_comes_last(tmp_path, monkeypatch):
    (tmp_path / "gpu_probe.py").write_text("COLUMNS = ()\n", encoding="ascii")
    monkeypatch.syspath_prepend(tmp_path)
    assert [module.__name__ for module in probes.modules(["gpu_probe"])][-1] == "gpu_probe"
