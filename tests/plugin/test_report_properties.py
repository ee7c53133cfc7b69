"""The properties of reports: with pytest-xdist, the controller has the same as the worker."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from pytest_twin.plugin.report_properties import PACKED, pack, unpack

OURS = [("twin_cpu_s", 0.000123), ("twin_peak_memory_MB", 31.5), ("twin_load", "cpu=50% \u00b5")]
MINE = [("mine", b"bytes"), ("other", 2)]


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_packed_is_unpacked(times):
    properties = [MINE[0], *OURS, MINE[1]]
    for _ in range(times):  # another plugin may log a report twice
        pack(properties)
    assert len(properties) == 3
    unpack(properties)
    assert sorted(properties, key=str) == sorted([*MINE, *OURS], key=str)


def test_properties_of_others_stay_as_they_are():
    properties = list(MINE)
    pack(properties)
    unpack(properties)
    assert properties == MINE


def test_reports_have_the_same_properties_with_and_without_workers(pytester):
    pytester.makepyfile("""
        def test_passes(record_property): record_property("mine", 3)
        def test_fails(record_property):
            record_property("mine", 4)
            assert 0
    """)
    names = []
    for options in ([], ["-n", "1"]):
        pytester.runpytest_subprocess("--twin", "--junitxml=junit.xml", *options)
        cases = ET.parse(pytester.path / "junit.xml").iter("testcase")  # noqa: S314 - our own
        names.append({case.get("name"): sorted(each.get("name") for each in case.iter("property")) for case in cases})
    assert names[0] == names[1]
    for each in names[0].values():
        assert {"mine", "twin_cpu_s", "twin_peak_memory_MB"} <= set(each)
        assert PACKED not in each
