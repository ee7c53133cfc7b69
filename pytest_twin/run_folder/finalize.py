"""What the files get when a run is over: figures of tests that only samples tell, and the folders of tests."""

from __future__ import annotations

import errno
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.loads.registry import keywords
from pytest_twin.model import event
from pytest_twin.model.attempt_row import CRASHED, TREE_PEAK
from pytest_twin.model.overlap import Execution, applied, loads_of
from pytest_twin.run_folder.excerpt import ExcerptWriter
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, HEADERS, TESTS, folder_of
from pytest_twin.run_folder.tables import table

RESIDENT = "tests_resident_MB"
Row = dict[str, str]


class SampleLines(NamedTuple):
    """The lines of a dataset, by the times of their samples."""

    heading: str
    lines: Sequence[str]
    times: Sequence[float]

    @property
    def cutter(self) -> ExcerptWriter:
        """What cuts rows out of them."""
        return ExcerptWriter(self.heading)

    @classmethod
    def of(cls, folder: RunFolder) -> SampleLines:
        """Those of a run, whatever pieces they are in."""
        lines = [line for text in folder.texts(DATASET) for line in text.split("\n")[:-1]]
        if not lines:
            return cls("", (), ())
        heading = lines[0]
        samples = [line for line in lines if line != heading]  # each piece has one
        return cls(heading, samples, list(map(ExcerptWriter(heading).time, samples)))

    def met(self, began: float, ended: float) -> bool:
        """Whether there is one from then to then."""
        at = bisect_left(self.times, began)
        return at < len(self.times) and self.times[at] <= ended

    def peak(self, column: str, began: float, ended: float) -> str:
        """The highest value of a column from then to then, as it stands there; empty where there is none."""
        inside = self.lines[bisect_left(self.times, began) : bisect_right(self.times, ended)]
        names = self.heading.split(",")
        if not inside or column not in names:
            return ""
        place = names.index(column)
        return max((cell for line in inside if (cell := line.split(",")[place])), key=float, default="")


def finalize(folder: RunFolder, interval: float, *, dist_each: bool = False) -> None:
    """Merge what pytest-xdist workers wrote, add what samples tell of tests, and fill the folders of tests.

    Args:
        folder: The run, which is over.
        interval: Seconds between two of its samples.
        dist_each: Whether each pytest-xdist worker ran all tests.
    """
    folder.merge()
    tests = folder.rows(TESTS)
    is_renumbered = not dist_each and number_on(tests)
    if _add_loads(folder, tests) or is_renumbered:
        folder.write(TESTS, table(HEADERS[TESTS], tests))
    samples = _by_host(folder, {test["host"] for test in tests})
    told = [test for test in tests if test["host"] in samples]
    met = [test for test in told if samples[test["host"]].met(*_span(test))]
    for test in met:
        test[TREE_PEAK] = samples[test["host"]].peak(RESIDENT, *_span(test))
    if met:
        folder.complete_rows(TESTS, TREE_PEAK, tests)
    wanted = [test for test in told if test["folder"]]
    if wanted:
        _slice(folder, wanted, samples, interval)


def _by_host(folder: RunFolder, names: set[str]) -> dict[str, SampleLines]:
    """The samples of these hosts; none of one that has none."""
    streams = [("", folder), *folder.other_hosts()]
    found = {name: SampleLines.of(stream) for name, stream in streams if name in names}
    return {name: samples for name, samples in found.items() if samples.lines}


def _add_loads(folder: RunFolder, tests: Sequence[Row]) -> bool:
    """Add the loads that others applied in the time of a test to its own; says whether there was one."""
    loads = applied(folder.events_but_tests(), keywords(), folder.scheduled)
    known = [Execution(test["nodeid"], test["host"], *_span(test), test["load"]) for test in tests] if loads else []
    changed = False
    for test, load in zip(tests, loads_of(known, loads), strict=False):
        changed |= test["load"] != load
        test["load"] = load
    return changed


def number_on(tests: Iterable[Row]) -> bool:
    """Give a test that crashed in one worker, and ran again in another, a new number; says whether there was one."""
    crashed: dict[str, int] = {}
    changed = False
    for test in tests:  # in the order of time
        nodeid, number = test["nodeid"], int(test["attempt"] or 1)
        if number <= crashed.get(nodeid, 0):
            number = crashed[nodeid] + 1
            test["attempt"], changed = str(number), True
            test["folder"] = test["folder"] and folder_of(nodeid, number)
        if test["outcome"] == CRASHED or nodeid in crashed:
            crashed[nodeid] = number
    return changed


def _slice(folder: RunFolder, tests: Iterable[Row], by_host: Mapping[str, SampleLines], interval: float) -> None:
    """Fill the folder of each of these tests with its part of the run: what was on its host."""
    events = _spans(folder.rows(ANNOTATIONS))
    cutters = {host: samples.cutter for host, samples in by_host.items()}
    for test in tests:
        began, ended = _span(test)
        samples = by_host[test["host"]]
        # the first sample after the test tells of its end too
        inside = cutters[test["host"]].cut(samples.lines, samples.times, began, ended, behind_s=interval)
        near = (row for begin, end, row in events if begin <= ended and end >= began)
        there = [row for row in near if row["host"] == test["host"]]
        try:
            with folder.test_folder(test["folder"]) as own:
                own.write(DATASET, "".join(f"{line}\n" for line in (samples.heading, *inside)))
                own.write(ANNOTATIONS, table(HEADERS[ANNOTATIONS], there))
        except ValueError:  # the row is damaged, and there is no telling which test it was
            continue
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:  # a link or a file in its place, which we leave alone
                raise


def _span(test: Row) -> tuple[float, float]:
    began = float(test["elapsed_s"])
    return began, began + float(test["duration_s"])


def _spans(rows: Sequence[Row]) -> list[tuple[float, float, Row]]:
    """Each event with the time from the start to the end of what it belongs to."""
    begins: dict[str, float] = {}
    ends: dict[str, float] = {}
    for row in rows:
        if row["event"] == event.START:
            begins[row["id"]] = float(row["elapsed_s"])
        elif row["id"]:
            ends[row["id"]] = float(row["elapsed_s"])
    spans = []
    for row in rows:
        at = float(row["elapsed_s"])
        started = row["id"] in begins
        spans.append((begins[row["id"]] if started else at, ends.get(row["id"], float("inf")) if started else at, row))
    return spans
