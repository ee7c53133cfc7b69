"""The resources of a machine that a recording may show."""

from pytest_twin.model.machine_recording import RESOURCES


def test_a_resource_is_a_share_bytes_or_bytes_a_second():
    assert {each.unit for each in RESOURCES.values()} == {"share", "bytes", "bytes/s"}


def test_each_resource_is_named_as_its_column():
    assert all(name == each.name for name, each in RESOURCES.items())
