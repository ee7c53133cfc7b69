"""Inner pytest runs, and how to look at what they left."""

from __future__ import annotations

import csv
from pathlib import Path

import hypothesis.internal.observability  # noqa: F401 - see below
import pandas as pd  # noqa: F401 - pytester forgets what an inner run imports: these are slow, and numpy refuses
import psutil
import pytest
from load_rows import loads_that

WAITS = """
import csv, time
from pathlib import Path

def rows(name):
    path = Path("twin-report", name)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

def wait_until(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "not within 60 s"
        time.sleep(0.05)

def wait_for_event(**cells):
    '''Wait until the run has written such an event.'''
    wait_until(lambda: any(cells.items() <= row.items() for row in rows("annotations.csv")))

def wait_for_samples(count):
    '''Wait until so many further samples are written.'''
    enough = len(rows("system_metrics_dataset.csv")) + count
    wait_until(lambda: len(rows("system_metrics_dataset.csv")) >= enough)
"""
"""What the tests of an inner run need to wait for what the run records, however long that takes."""


class Left:
    """The run folder that an inner run left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    @property
    def samples(self):
        return self.rows("system_metrics_dataset.csv")

    @property
    def events(self):
        return self.rows("annotations.csv")

    @property
    def tests(self):
        return self.rows("tests.csv")

    def loads(self, event: str) -> list[tuple[str, str]]:
        """(type, target) of the loads with this event; one that others kept from the CPUs has ended too."""
        return [(row["type"], row["target"]) for row in self.load_rows(event)]

    def load_rows(self, event: str) -> list[dict[str, str]]:
        """Their rows."""
        return loads_that(event, self.events)

    @property
    def own_events(self) -> list[dict[str, str]]:
        """The events without the gaps, which a machine that stood still makes."""
        return [row for row in self.events if row["type"] != "gap"]

    def spans(self, kind: str) -> list[tuple[float, float]]:
        """When things of a type began and ended, also those that a slow machine had no time to apply in full."""
        began = {
            row["id"]: float(row["elapsed_s"]) for row in self.events if (row["type"], row["event"]) == (kind, "start")
        }
        ended = {
            row["id"]: float(row["elapsed_s"])
            for row in self.events
            if row["type"] == kind and row["event"] in {"end", "abort"}
        }
        return sorted((began[name], ended[name]) for name in began)


@pytest.fixture
def left(pytester):
    """What the inner run left in its report directory."""
    return Left(pytester.path / "twin-report")


@pytest.fixture(autouse=True)
def no_hypothesis(request, monkeypatch):
    """It takes an inner run in a process of its own more than a second to import; another plugin shuffles its tests."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # which forgets these options when it begins
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:randomly")


@pytest.fixture
def few_plugins(pytester, monkeypatch):  # which forgets these options when it begins
    """Each pytest-xdist worker imports all plugins that it is not told to leave out."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:asyncio -p no:anyio -p no:faulthandler")


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Whatever a test does, no stressor and no sampler survives it."""
    yield
    psutil.wait_procs(ours(), timeout=60)
    assert ours() == []


def ours() -> list[psutil.Process]:
    """Processes of ours below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if any(name in line for name in ("stressors", "sampler_main.py", "export/otlp/main.py", "exporter_main.py")):
            found.append(process)
    return found


@pytest.fixture
def categories():
    """The categories of the warnings of a run in this process; how they are worded other packages may change."""
    return lambda result: [
        call.warning_message.category.__name__ for call in result.reprec.getcalls("pytest_warning_recorded")
    ]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    """Let lines of inner runs be long, so that tests need not know where they are broken."""
    monkeypatch.setenv("COLUMNS", "1000")
