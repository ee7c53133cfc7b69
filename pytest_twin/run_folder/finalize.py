"""Complete the files of a run that is over: add the figures that come from samples, and fill the folders of tests."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_twin._system.private_files import write_pieces
from pytest_twin.model import event
from pytest_twin.model.attempt_row import CRASHED, TREE_PEAK
from pytest_twin.model.csv_text import header, record
from pytest_twin.run_folder.csv_rows import SampledColumn, read_cells, read_columns
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, HEADERS, TESTS, folder_of_test
from pytest_twin.run_folder.tables import Row, table_text

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.run_folder.sample_lines import SampleLines

RESIDENT = "tests_resident_MB"


def finalize(
    folder: RunFolder, interval: float, on_test: Callable[[Row], None] = lambda _: None, *, dist_each: bool = False
) -> Sequence[Row]:
    """Merge the files of pytest-xdist workers, add to tests what samples tell, and fill the folders of tests.

    Args:
        folder: The run, which is over.
        interval: Seconds between two of its samples.
        on_test: Called with the completed row of each test.
        dist_each: Whether each pytest-xdist worker ran all tests.

    Returns:
        The rows of annotations.csv, without those of tests.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: A file is damaged.
    """
    folder.merge()
    events = folder.events_without_tests()
    if not (folder / TESTS).is_file():
        return events
    streams = {"": folder, **dict(folder.other_hosts())}
    samples = {name: SampledColumn.read(each.dataset_files(), RESIDENT) for name, each in streams.items()}
    completion = _TestCompletion(samples, _loads_of_tests(folder, events), on_test, is_renumbered=not dist_each)
    write_pieces(folder / TESTS, completion.complete(folder / TESTS))
    if completion.wanted:
        from pytest_twin.run_folder.sample_lines import SampleLines

        hosts = {test["host"] for test in completion.wanted}
        lines = {host: SampleLines.read(streams[host].dataset_files()) for host in hosts}
        _fill_test_folders(folder, folder.rows(ANNOTATIONS), completion.wanted, lines, interval)
    return events


def _loads_of_tests(folder: RunFolder, events: Sequence[Row]) -> Sequence[str] | None:
    """Return the loads of each test, with those that others applied in its time; None where nobody applied any."""
    if not any(row["target"] for row in events):  # most runs have none, and do not wait for all kinds of loads
        return None
    from pytest_twin.loads.registry import keyword_of_type
    from pytest_twin.model.overlap import Execution, add_overlapping_loads, applied_loads

    loads = applied_loads(events, keyword_of_type(), folder.scheduled)
    if not loads:
        return None
    tests = read_columns(folder / TESTS, ("nodeid", "host", "elapsed_s", "duration_s", "load"))
    known = [
        Execution(nodeid, host, began := float(elapsed_s), began + float(duration_s), load)
        for nodeid, host, elapsed_s, duration_s, load in tests
    ]
    return add_overlapping_loads(known, loads)


class _TestCompletion:
    """Completes the rows of tests.csv one by one: a run may have more of them than should be in memory.

    Attributes:
        wanted: The rows of the tests that have samples and a folder of their own.
    """

    def __init__(
        self,
        samples: Mapping[str, SampledColumn],
        loads: Sequence[str] | None,
        on_test: Callable[[Row], None],
        *,
        is_renumbered: bool,
    ) -> None:
        self._samples = {name: column for name, column in samples.items() if column.times}
        self._loads = iter(loads) if loads is not None else None
        self._renumbering = _Renumbering() if is_renumbered else None
        self._on_test = on_test
        self.wanted: list[Row] = []

    def complete(self, path: Path) -> Iterator[str]:
        """Yield the lines of the completed table; those that are damaged are left out."""
        table = read_cells(path)
        _, names = next(table, ("", []))
        yield header(HEADERS[TESTS])
        for line, cells in table:
            yield self._complete(line, names, cells)

    def _complete(self, line: str, names: Sequence[str], cells: list[str]) -> str:
        """Return the completed line of a test."""
        test = dict(zip(names, cells, strict=True))
        if self._renumbering is not None:
            self._renumbering.renumber(test)
        if self._loads is not None:
            test["load"] = next(self._loads)
        samples = self._samples.get(test["host"])
        if samples is not None:
            peak = samples.peak(*_span(test))
            if peak is not None:
                test[TREE_PEAK] = peak
            if test["folder"]:
                self.wanted.append(test)
        self._on_test(test)
        if tuple(names) == HEADERS[TESTS]:  # most are; old files have fewer columns
            completed = list(test.values())
        else:
            completed = [test.get(name, "") for name in HEADERS[TESTS]]
        return f"{line}\n" if completed == cells else record(completed)


class _Renumbering:
    """Renumbers a test that crashed in one worker and ran again in another."""

    def __init__(self) -> None:
        self._crashed: dict[str, int] = {}

    def renumber(self, test: Row) -> None:
        """Change the number of an attempt, if an earlier one has it; the attempts come in the order of time."""
        nodeid, number = test["nodeid"], int(test["attempt"] or 1)
        if number <= self._crashed.get(nodeid, 0):
            number = self._crashed[nodeid] + 1
            test["attempt"] = str(number)
            test["folder"] = test["folder"] and folder_of_test(nodeid, number)
        if test["outcome"] == CRASHED or nodeid in self._crashed:
            self._crashed[nodeid] = number


def _fill_test_folders(
    folder: RunFolder,
    annotations: Sequence[Row],
    tests: Iterable[Row],
    by_host: Mapping[str, SampleLines],
    interval: float,
) -> None:
    """Write to the folder of each of these tests the samples and events of its host in its time."""
    from pytest_twin.run_folder.excerpt import ExcerptWriter

    cutters = {host: ExcerptWriter(samples.heading) for host, samples in by_host.items()}
    for test, events in _tests_with_events(tests, annotations):
        began, ended = _span(test)
        samples = by_host[test["host"]]
        # the first sample after the test tells of its end too
        inside = cutters[test["host"]].cut(samples.lines, samples.times, began, ended, behind_s=interval)
        try:
            with folder.test_folder(test["folder"]) as own:
                own.write(DATASET, "".join(f"{line}\n" for line in (samples.heading, *inside)))
                own.write(ANNOTATIONS, table_text(HEADERS[ANNOTATIONS], events))
        except ValueError:  # the row is damaged, and there is no telling which test it was
            continue
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:  # a link or a file in its place, which we leave alone
                raise


def _tests_with_events(tests: Iterable[Row], annotations: Sequence[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Yield the tests in the order of their starts, each with the events of its host in its time."""
    spans = _event_spans(annotations)
    by_start = sorted(range(len(spans)), key=lambda place: spans[place][0])
    there: list[int] = []
    left = 0
    for test in sorted(tests, key=_span):
        began, ended = _span(test)
        while left < len(by_start) and spans[by_start[left]][0] <= ended:
            there.append(by_start[left])
            left += 1
        there = [place for place in there if spans[place][1] >= began]
        near = (spans[place] for place in sorted(there))  # in the order of the file
        yield test, [row for begin, _, row in near if begin <= ended and row["host"] == test["host"]]


def _span(test: Row) -> tuple[float, float]:
    began = float(test["elapsed_s"])
    return began, began + float(test["duration_s"])


def _event_spans(rows: Sequence[Row]) -> list[tuple[float, float, Row]]:
    """Return each event with the start and the end of the span that it belongs to."""
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
