"""Complete the files of a run that is over: add the figures that come from samples, and fill the folders of tests."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_twin.loads.registry import keyword_of_type
from pytest_twin.model import event
from pytest_twin.model.attempt_row import CRASHED, TREE_PEAK
from pytest_twin.model.csv_text import records
from pytest_twin.model.overlap import Execution, add_overlapping_loads, applied_loads
from pytest_twin.run_folder.csv_rows import SampleLines
from pytest_twin.run_folder.excerpt import ExcerptWriter
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, HEADERS, TESTS, folder_of_test
from pytest_twin.run_folder.tables import Row, RunTables, fill_column, table_text

RESIDENT = "tests_resident_MB"


def finalize(folder: RunFolder, interval: float, *, dist_each: bool = False) -> RunTables:
    """Merge the files of pytest-xdist workers, add to tests what samples tell, and fill the folders of tests.

    Args:
        folder: The run, which is over.
        interval: Seconds between two of its samples.
        dist_each: Whether each pytest-xdist worker ran all tests.

    Returns:
        The tables as they are now.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: A file is damaged.
    """
    merged = folder.merge()
    texts = {name: merged[name] if name in merged else folder.text(name) for name in (ANNOTATIONS, TESTS)}
    tables = RunTables.parse(texts)
    tests, before = tables.tests, texts[TESTS]
    is_renumbered = not dist_each and renumber(tests)
    if _add_loads(folder, tables) or is_renumbered:
        texts[TESTS] = table_text(HEADERS[TESTS], tests)
    samples = _samples_by_host(folder, {test["host"] for test in tests})
    sampled = [test for test in tests if test["host"] in samples]
    measured = [test for test in sampled if samples[test["host"]].has_sample(*_span(test))]
    for test in measured:
        test[TREE_PEAK] = samples[test["host"]].peak(RESIDENT, *_span(test))
    if measured:
        texts[TESTS] = fill_column(texts[TESTS], HEADERS[TESTS], TREE_PEAK, tests)
    if texts[TESTS] != before:
        folder.write(TESTS, texts[TESTS])
    wanted = [test for test in sampled if test["folder"]]
    if wanted:
        _fill_test_folders(folder, records(texts[ANNOTATIONS]), wanted, samples, interval)
    return tables


def _samples_by_host(folder: RunFolder, names: set[str]) -> dict[str, SampleLines]:
    """Return the samples of these hosts; a host without samples is left out."""
    streams = [("", folder), *folder.other_hosts()]
    found = {name: SampleLines.read(stream.dataset_files()) for name, stream in streams if name in names}
    return {name: samples for name, samples in found.items() if samples.lines}


def _add_loads(folder: RunFolder, tables: RunTables) -> bool:
    """Add the loads that others applied in the time of a test to its own; tell whether there was one."""
    tests = tables.tests
    loads = applied_loads(tables.events, keyword_of_type(), folder.scheduled)
    known = [Execution(test["nodeid"], test["host"], *_span(test), test["load"]) for test in tests] if loads else []
    changed = False
    for test, load in zip(tests, add_overlapping_loads(known, loads), strict=False):
        changed |= test["load"] != load
        test["load"] = load
    return changed


def renumber(tests: Iterable[Row]) -> bool:
    """Renumber a test that crashed in one worker and ran again in another; tell whether there was one."""
    crashed: dict[str, int] = {}
    changed = False
    for test in tests:  # in the order of time
        nodeid, number = test["nodeid"], int(test["attempt"] or 1)
        if number <= crashed.get(nodeid, 0):
            number = crashed[nodeid] + 1
            test["attempt"], changed = str(number), True
            test["folder"] = test["folder"] and folder_of_test(nodeid, number)
        if test["outcome"] == CRASHED or nodeid in crashed:
            crashed[nodeid] = number
    return changed


def _fill_test_folders(
    folder: RunFolder,
    annotations: Sequence[Row],
    tests: Iterable[Row],
    by_host: Mapping[str, SampleLines],
    interval: float,
) -> None:
    """Write to the folder of each of these tests the samples and events of its host in its time."""
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
