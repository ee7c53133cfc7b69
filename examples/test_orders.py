"""A test suite that uses pytest-twin; to be read from top to bottom."""

from __future__ import annotations

import time
import zlib

import pytest
from orders import Orders, report


@pytest.fixture
def orders(tmp_path):
    orders = Orders(tmp_path / "orders.db")
    yield orders
    orders.close()


def test_a_total_is_the_sum_of_the_prices(orders):
    """A plain test; --twin and --twin-schedule record it without changes."""
    orders.save("tea", 3.5)
    orders.save("cake", 4.0)
    assert orders.total() == 7.5


@pytest.mark.stress(cpu="50%")
def test_orders_are_saved_on_a_busy_machine(orders, twin_logger):
    """The load is applied before the first line of the test and ends after the last."""
    with twin_logger.phase("saving"):
        for number in range(100):
            orders.save(f"item {number}", 1.0)
    twin_logger.annotate("all saved", orders=100)
    assert orders.total() == 100.0


@pytest.mark.stress(mem="512MiB", ramp="1s")
def test_a_report_fits_beside_a_memory_hog(twin_logger):
    """A load can grow; `twin_logger` reads the metrics recorded so far."""
    while twin_logger.peak("stress_resident_MB") < 512:
        report(20_000)
    assert twin_logger.peak("stress_resident_MB") > twin_logger.peak("tests_resident_MB")


@pytest.mark.parametrize("stress_cpu", [0, "15%", "30%"], indirect=True)
def test_how_long_a_report_takes(stress_cpu, twin_logger):
    """The same test without load and under two loads; compare their rows in tests.csv."""
    began = time.perf_counter()
    packed = report(200_000)
    seconds, load_cpu_s = time.perf_counter() - began, stress_cpu.achieved.get("cpu_s", 0)
    twin_logger.annotate("report packed", seconds=round(seconds, 3), load_cpu_s=load_cpu_s)
    assert zlib.decompress(packed).startswith(b"0;0")


def test_orders_are_saved_while_the_disk_is_busy(orders, stress_disk):
    """A load for a part of a test; it ends with the block."""
    orders.save("before", 1.0)
    with stress_disk("20MB/s") as backup:
        for number in range(50):
            orders.save(f"during {number}", 1.0)
        for _ in range(600):  # for half a minute at most
            if backup.achieved.get("written_bytes", 0) >= 1_000_000:
                break
            time.sleep(0.05)
    assert backup.achieved["written_bytes"] >= 1_000_000
    assert orders.total() == 51.0


@pytest.mark.twin_schedule("rush_hour.json")
def test_the_shop_survives_the_rush_hour(orders, twin_logger, request):
    """A schedule of loads for one test, which ends with it; a schedule of the whole run continues beside it."""
    begun = []
    for number in range(600):  # for a minute at most: the second load begins after half a second
        orders.save(f"item {number}", 1.0)
        time.sleep(0.1)
        events = twin_logger.events()
        begun = list(events[(events["test"] == request.node.nodeid) & (events["event"] == "start")]["type"])
        if begun.count("memory"):
            break
    assert {"test", "cpu", "memory"} <= set(begun)  # and more, where the whole run is under load
