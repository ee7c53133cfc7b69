"""Temperature and clock rate of the CPU."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin.telemetry.counters import ONLY_ONCE
from pytest_twin.telemetry.probes import frequency, temperature

linux = pytest.mark.skipif(sys.platform != "linux", reason="/sys")


@pytest.fixture
def chip(write):
    """Puts a chip there, of sensors in degrees by their labels."""

    def chip(number: int, name: str, **degrees: float) -> None:
        write(f"hwmon/hwmon{number}/name", f"{name}\n")
        for at, (label, value) in enumerate(degrees.items(), 1):
            write(f"hwmon/hwmon{number}/temp{at}_label", f"{label.replace('_', ' ')}\n")
            write(f"hwmon/hwmon{number}/temp{at}_input", f"{round(value * 1000)}\n")
            write(f"hwmon/hwmon{number}/temp{at}_crit", "100000\n")

    return chip


@pytest.fixture
def zone(write):
    def zone(number: int, kind: str, degrees: float) -> None:
        write(f"thermal/thermal_zone{number}/type", f"{kind}\n")
        write(f"thermal/thermal_zone{number}/temp", f"{round(degrees * 1000)}\n")

    return zone


@linux
def test_the_hottest_package_is_told(chip, zone, kernel):
    chip(0, "nvme", Composite=90)
    chip(1, "coretemp", Package_id_0=51.5, Core_0=99)
    chip(2, "coretemp", Package_id_1=62.25, Core_0=40)
    zone(0, "x86_pkg_temp", 95)
    assert temperature.LinuxTemperature(kernel).read(0.0) == (62.25,)


@linux
@pytest.mark.parametrize(
    ("name", "degrees", "told"),
    [
        ("k10temp", {"Tctl": 70, "Tdie": 50, "Tccd1": 49}, 50.0),
        ("k10temp", {"Tctl": 45, "Tccd1": 61, "Tccd2": 48}, 61.0),
        ("cpu_thermal", {"": 41}, 41.0),
        ("acpitz", {"": 27}, None),
    ],
)
def test_chips_are_read_in_their_own_way(chip, kernel, name, degrees, told):
    chip(0, name, **degrees)
    assert temperature.LinuxTemperature(kernel).read(0.0) == (told,)


@linux
def test_where_there_is_no_such_chip_a_thermal_zone_of_the_cpu_is_read(chip, zone, kernel):
    chip(0, "nvme", Composite=90)
    zone(0, "acpitz", 27)
    zone(1, "cpu-thermal", 55.5)
    zone(2, "soc-thermal", 50)
    assert temperature.LinuxTemperature(kernel).read(0.0) == (55.5,)


@linux
def test_a_sensor_that_is_gone_or_will_not_tell_is_not_the_hottest(chip, write, kernel):
    chip(0, "coretemp", Core_0=40, Core_1=80)
    probe = temperature.LinuxTemperature(kernel)
    write("hwmon/hwmon0/temp2_input", "")
    assert probe.read(0.0) == (40.0,)
    write("hwmon/hwmon0/temp1_input", "N/A\n")
    assert probe.read(1.0) == (None,)


@linux
def test_a_machine_without_sensors_has_no_temperature(kernel):
    probe = temperature.LinuxTemperature(f"{kernel}/nowhere")
    assert (probe.read(0.0), probe.every_s) == ((None,), ONLY_ONCE)


def test_elsewhere_sensors_are_psutils(monkeypatch):
    sensors = {"nvme": [90.0], "coretemp": [51.0, 62.0]}
    told = {name: [SimpleNamespace(current=value) for value in values] for name, values in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: told, raising=False)
    assert temperature.PortableTemperature().read(0.0) == (62.0,)


def test_where_psutil_knows_of_no_sensors_there_is_no_temperature(monkeypatch):
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    assert temperature.PortableTemperature().read(0.0) == (None,)


@pytest.fixture
def rates(write):
    """CPUs with these clock rates in MHz."""

    def rates(*megahertz: float) -> None:
        for number, rate in enumerate(megahertz):
            write(f"policy{number}/scaling_cur_freq", f"{round(rate * 1000)}\n")

    return rates


@linux
def test_the_clock_rate_is_a_mean(rates, kernel):
    rates(1000, 2000, 3600)
    assert frequency.LinuxFrequency(kernel).read(0.0) == (2200.0,)


@linux
def test_no_more_than_some_cpus_are_asked(rates, kernel):
    rates(*range(1000, 1128))
    probe = frequency.LinuxFrequency(kernel)
    assert len(probe._rates) == frequency.MAX_CPUS
    assert probe.read(0.0)[0] == pytest.approx(1063.5, abs=10)


@linux
def test_a_cpu_that_is_off_is_not_in_the_mean(rates, tmp_path, write, kernel):
    rates(1000, 2000, 3000)
    write("policy2/scaling_cur_freq", "<unknown>\n")
    write("policy1/scaling_cur_freq", "0\n")
    assert frequency.LinuxFrequency(kernel).read(0.0) == (1000.0,)
    shutil.rmtree(tmp_path / "policy0")
    assert frequency.LinuxFrequency(kernel).read(0.0) == (None,)


@linux
def test_a_machine_that_does_not_tell_its_clock_rate_has_none(kernel):
    probe = frequency.LinuxFrequency(f"{kernel}/nowhere")
    assert (probe.read(0.0), probe.every_s) == ((None,), ONLY_ONCE)


def refuse() -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (lambda: SimpleNamespace(current=2400.0), 2400.0),
        (lambda: SimpleNamespace(current=0.0), None),
        (lambda: None, None),
        (refuse, None),
    ],
)
def test_elsewhere_the_clock_rate_is_psutils(monkeypatch, rate, told):
    monkeypatch.setattr(psutil, "cpu_freq", rate, raising=False)
    assert frequency.PortableFrequency().read(0.0) == (told,)
