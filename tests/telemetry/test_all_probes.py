"""What all probes have in common."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile

import pytest

from pytest_twin.model.columns import ELAPSED, TIMESTAMP, order
from pytest_twin.telemetry import probes, process_tree_psutil
from pytest_twin.telemetry.probes import cores, trees

LEGACY = """
    timestamp cpu_percent cpu_count_logical cpu_count_physical ram_total_GB ram_used_percent ram_available_GB
    swap_used_percent disk_total_GB disk_used_percent disk_read_MB disk_write_MB net_sent_MB net_recv_MB
    battery_percent battery_plugged process_count
"""


CONTEXT = probes.ProbeContext(os.getpid(), per_core=True)
EXACT = {
    "cpu_count_logical",
    "cpu_count_physical",
    "ram_total_GB",
    "disk_total_GB",
    "battery_percent",
    "battery_plugged",
}
NEAR = {"process_count": 20, "disk_used_percent": 1, "ram_used_percent": 10, "cpu_frequency_MHz": 2000}
each_module = pytest.mark.parametrize(
    "module", probes.find_modules(), ids=lambda module: module.__name__.rpartition(".")[2]
)


@each_module
@pytest.mark.parametrize("context", [probes.ProbeContext(os.getpid()), CONTEXT], ids=["plain", "per-core"])
def test_a_probe_reads_one_value_a_column(module, context):
    probe = module.probe(context)
    assert [len(probe.read(at)) for at in (0.0, 1.0)] == [len(probes.module_columns(module, context))] * 2


def portable(module):
    """The module's reader for other systems."""
    if module is trees:
        return trees.TreesProbe(CONTEXT, process_tree_psutil.PortableTree())
    return module.Portable(len(probes.module_columns(module, CONTEXT))) if module is cores else module.Portable()


def are_alike(column, ours, theirs) -> bool:
    if ours is None or theirs is None:
        return ours is theirs or column.name == "cpu_frequency_MHz"  # psutil's is nominal
    near = 0.001 if column.name in EXACT else NEAR.get(column.name, 35 if column.unit == "%" else 2)
    return ours == pytest.approx(theirs, abs=near, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="there is only one reader")
@pytest.mark.parametrize(
    "module",
    [module for module in probes.find_modules() if module is trees or hasattr(module, "Portable")],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_both_readers_of_a_probe_tell_the_same_of_this_machine(module):
    readers = module.probe(CONTEXT), portable(module)
    columns = probes.module_columns(module, CONTEXT)
    for reader in readers:
        reader.read(time.monotonic())
    different = list(columns)
    for _ in range(20):  # what happens between the two readings is told by one of them only
        time.sleep(0.4)
        rows = [list(reader.read(time.monotonic())) for reader in readers]
        different = [cells for cells in zip(columns, *rows, strict=True) if not are_alike(*cells)]
        if not different:
            break
    assert not different


def test_the_old_columns_open_the_file_in_their_old_order():
    columns = (TIMESTAMP, ELAPSED, *probes.all_columns(probes.find_modules()))
    names = [columns[at].name for at in order(columns)]
    assert names[:18] == [*LEGACY.split(), "elapsed_s"]
    assert len(names) == len(set(names))


def test_a_probe_of_another_package_comes_last(tmp_path, monkeypatch):
    (tmp_path / "gpu_probe.py").write_text("COLUMNS = ()\n", encoding="ascii")
    monkeypatch.syspath_prepend(tmp_path)
    assert [module.__name__ for module in probes.find_modules(["gpu_probe"])][-1] == "gpu_probe"


@pytest.mark.parametrize("suffix", ["dist-info", "egg-info"])
def test_probes_of_other_packages_are_found_by_their_entry_points(tmp_path, monkeypatch, suffix):
    before = probes.external_module_names()
    information = tmp_path / f"acme_probes-1.{suffix}"
    information.mkdir()
    (information / ("METADATA" if suffix == "dist-info" else "PKG-INFO")).write_text("Name: acme-probes\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[pytest_twin.probes]\ngpu = acme.gpu_probe\n", encoding="ascii")
    monkeypatch.syspath_prepend(tmp_path)
    assert set(probes.external_module_names()) == {"acme.gpu_probe", *before}


def test_probes_in_an_archive_are_found(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "acme.zip", "w") as archive:
        archive.writestr("acme_probes-1.dist-info/METADATA", "Name: acme-probes\nVersion: 1\n")
        archive.writestr("acme_probes-1.dist-info/entry_points.txt", "[pytest_twin.probes]\ngpu = acme.gpu_probe\n")
    before = probes.external_module_names()
    monkeypatch.syspath_prepend(tmp_path / "acme.zip")
    assert set(probes.external_module_names()) == {"acme.gpu_probe", *before}


SAMPLER = "import sys; sys.path[:0] = [{path!r}]; import pytest_twin.recording.sampler_main; print(*sys.modules)"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil brings the rest along")
def test_all_probes_together_import_next_to_nothing():
    path = os.path.dirname(os.path.dirname(os.path.dirname(probes.__path__[0])))
    program = (
        SAMPLER.format(path=path)
        + "; from pytest_twin.telemetry import probes; probes.find_modules(); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    imported = found.stdout.split()
    assert "pytest_twin.telemetry.probes.cgroup" in imported
    assert not {"typing", "re", "json", "collections", "threading", "subprocess", "psutil", "pathlib"} & {*imported}
