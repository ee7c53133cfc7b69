"""The amounts of loads and constraints as numbers."""

from __future__ import annotations

import math

import pytest

from pytest_twin.loads.amount_numbers import amount_numbers

UNKNOWN = math.nan


@pytest.mark.parametrize(
    ("kind", "target", "achieved", "asked", "reached", "unit"),
    [
        ("cpu", "75%", "74.8%", 75, 74.8, "%"),
        ("cpu", "75%", "", 75, UNKNOWN, "%"),
        ("cpu", "100%", "100.4%", 100, 100.4, "%"),
        ("cpu", "8", "1.98 cores", 8, 1.98, "CPUs"),
        ("cpu_total", "50%", "49.9%", 50, 49.9, "%"),
        ("memory", "1GiB", "1.0GiB", 1024, 1024, "MiB"),
        ("memory", "512", "512.0MiB", 512, 512, "MiB"),
        ("memory", "1048.576MB", "524.288MB", 1000, 500, "MiB"),
        ("memory", "25%", "24.9%", 25, 24.9, "%"),
        ("disk", "50MB/s", "49.7MB/s", 50, 49.7, "MB/s"),
        ("disk", "50MiB/s", "52.4MB/s", 52.4288, 52.4, "MB/s"),
        ("disk", "1500MB", "1500.0MB", 1430.511, 1430.511, "MiB"),
        ("disk", "max", "812.5MB/s", UNKNOWN, 812.5, "MB/s"),
        ("disk", "max", "", UNKNOWN, UNKNOWN, ""),
        ("network", "50MB/s", "50.0MB/s", 50, 50, "MB/s"),
        ("memory-bandwidth", "2GB/s", "1990.0MB/s", 2000, 1990, "MB/s"),
        ("iops", "200", "199.8/s", 200, 199.8, "ops/s"),
        ("files", "500", "500", 500, 500, ""),
        ("threads", "200", "200", 200, 200, ""),
        ("cpu", "server.csv", "22.5%", UNKNOWN, 22.5, "%"),  # a replay
        ("cpu", "50%, 0s: 10%", "30.0%", UNKNOWN, 30, "%"),  # it changes
        ("somebody's own", "50%", "40.0%", 50, 40, "%"),
        ("cpu", "many", "few", UNKNOWN, UNKNOWN, ""),
        ("constraint", "cpu=0.5", "0.498 CPUs", 0.5, 0.498, "CPUs"),
        ("constraint", "cpus=1", "0.998 CPUs", 1, 0.998, "CPUs"),
        ("constraint", "cpu=0.5 cpus=1", "0.498 CPUs", 0.5, 0.498, "CPUs"),
        ("constraint", "cpu=0.5 mem=512MiB", "0.498 CPUs, 312.0MiB", 0.5, 0.498, "CPUs"),
        ("constraint", "mem=512MiB", "312.0MiB", 512, 312, "MiB"),
        ("constraint", "mem=512", "312.0MiB", 512, 312, "MiB"),
        ("constraint", "mem=512MiB io=20MB/s", "0.300 CPUs, 312.0MiB", 512, 312, "MiB"),
        ("constraint", "io=20MB/s", "0.300 CPUs", UNKNOWN, 0.3, "CPUs"),
        ("constraint", "cpu=25%", "0.498 CPUs", UNKNOWN, 0.498, "CPUs"),
        ("constraint", "cpu=0.5", "", 0.5, UNKNOWN, "CPUs"),
        ("constraint", "cpu=0.5 mem=512MiB", "312.0MiB", 0.5, UNKNOWN, "CPUs"),
    ],
)
def test_amounts_are_numbers_of_one_unit(kind, target, achieved, asked, reached, unit):
    found = amount_numbers(kind, target, achieved)
    assert found == (pytest.approx(asked, rel=1e-4, nan_ok=True), pytest.approx(reached, rel=1e-4, nan_ok=True), unit)
