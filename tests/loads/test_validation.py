"""Loads are checked for this machine before any of them starts."""

from __future__ import annotations

import re

import pytest

from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import read_limit, read_load
from pytest_twin.run_folder.schedule_file import open_schedule
from pytest_twin.stressors.system import capacity

GIB = 1 << 30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 16 GiB with 2 GiB of swap."""
    monkeypatch.setattr(capacity, "usable_memory", lambda: 16 * GIB)
    monkeypatch.setattr(capacity, "total_swap", lambda: 2 * GIB)


@pytest.mark.parametrize("raw", [{"mem": "19GiB"}, {"mem": 20_000}, {"mem": 0, "stages": "5s:19GiB"}])
def test_more_memory_than_the_machine_has_is_refused(raw):
    with pytest.raises(
        LoadError, match=r"^mem: 19\.\dGiB is more than this machine has \(16\.0GiB of memory, "
    ) as found:
        read_load(raw)
    assert str(found.value).endswith('16.0GiB of memory, 2.0GiB of swap); give less, or a share such as "50%"')


@pytest.mark.parametrize("raw", [{"mem": "18GiB"}, {"mem": "100%"}, {"disk": "900GB"}, {"cpu": 64}])
def test_what_may_find_room_is_not_refused(raw):
    """The reserve and other processes leave less than all of it, which only the load itself finds out."""
    assert read_load(raw)


def test_where_the_memory_is_not_known_no_amount_is_refused(monkeypatch):
    monkeypatch.setattr(capacity, "usable_memory", lambda: None)
    assert read_load({"mem": "900GiB"})


def test_a_limit_may_be_more_than_the_machine_has():
    assert read_limit({"mem": "900GiB"})


def test_a_schedule_names_the_event(tmp_path, monkeypatch):
    monkeypatch.setattr(capacity, "total_swap", lambda: 0)
    (tmp_path / "s.json").write_text('{"version": 1, "events": [{"id": "big", "duration": "1s", "mem": "900GiB"}]}')
    with pytest.raises(ValueError, match=re.escape("s.json: event big: mem: 900.0GiB is more than this machine has (")):
        open_schedule(tmp_path / "s.json", kinds())
