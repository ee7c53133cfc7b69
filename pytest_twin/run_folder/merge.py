"""Merge several run folders into one: one table of events, one of tests, and one dataset for each host."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin._system.private_files import PrivateDirectory
from pytest_twin.model.attempt_failure import parse_failures
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.layout import (
    ANNOTATIONS,
    DATASET,
    FAILURES,
    FINGERPRINT,
    FLAKY,
    FLAKY_FAILURES,
    HEADERS,
    HOSTS,
    OUTCOMES,
    PROFILE,
    TESTS,
    folder_of_test,
)
from pytest_twin.run_folder.merge_axis import MergeAxis, first_epoch, host_names, merged_host_name, shift_rows
from pytest_twin.run_folder.merge_copy import copy_samples, first_sample, read_table
from pytest_twin.run_folder.recovery import recover
from pytest_twin.run_folder.tables import table_text

if TYPE_CHECKING:
    from pytest_twin.run_folder.merge_axis import Row

TIMED = (ANNOTATIONS, TESTS)
HOSTED = (PROFILE, FLAKY)  # tables of tests without times, whose rows name the host
TIMES = {DATASET: "timestamp", ANNOTATIONS: "timestamp", TESTS: "start"}


class MergedRun(NamedTuple):
    """One run that was merged.

    Attributes:
        name: The name of its host in the merged run.
        samples: Number of rows copied from its datasets.
        events: Number of rows of its annotations.
        tests: Number of test attempts.
        lost: Number of lines that could not be read.
    """

    name: str
    samples: int
    events: int
    tests: int
    lost: int


class SourceRun:
    """One of the runs to merge, with its tables in memory."""

    def __init__(self, path: Path) -> None:
        """Read the tables of a run.

        Raises:
            RunFolderError: There is no run, or it cannot be read.
        """
        self.folder = RunFolder(path)
        recover(self.folder)
        self.streams = [("", self.folder), *self.folder.other_hosts()]
        try:
            self.tables = {name: read_table(self.folder, name) for name in (*TIMED, *HOSTED)}
            firsts = [first_sample(stream) for _, stream in self.streams]
        except OSError as error:
            raise RunFolderError(f"{error.filename or path}: {error.strerror or error}") from None
        if not any([*firsts, *(table.columns for table in self.tables.values())]):
            raise RunFolderError(f"{path} has no {DATASET}, {ANNOTATIONS} or {TESTS}; give the folder of a run")
        timed = [(TIMES[name], self.tables[name].rows) for name in TIMED]
        self.epoch = first_epoch([*timed, *((TIMES[DATASET], first) for first in firsts)])

    def shifted_tables(self, axis: MergeAxis, name: str) -> tuple[dict[str, list[Row]], int]:
        """The rows of its tables as they stand in the whole; and how many lines could not be read.

        Args:
            axis: That of the run.
            name: What its host is called in the whole.
        """
        lost = sum(table.damaged for table in self.tables.values())
        found: dict[str, list[Row]] = {
            kind: [{**row, "host": merged_host_name(name, row.get("host", ""))} for row in self.tables[kind].rows]
            for kind in HOSTED
        }
        for kind in TIMED:
            found[kind], without_time = shift_rows(self.tables[kind].rows, TIMES[kind], axis, name)
            lost += without_time
        return found, lost


def merge(paths: Sequence[Path], out: Path) -> list[MergedRun]:
    """Merge runs into a folder of their own; the source folders are not changed.

    Elapsed seconds count from the start of the first run, by the calendars of the hosts. The host of each run is named
    after its folder, and the ids of its events begin with that name.

    Raises:
        RunFolderError: A run cannot be read or is given twice, or the folder cannot be written.
    """
    _refuse_twice(paths)
    sources = [SourceRun(path) for path in paths]
    folder = RunFolder(out)
    for source in sources:
        if folder.path == source.folder.path or folder.path in source.folder.path.parents:
            raise RunFolderError(f"{out} contains a run to merge; choose another directory")
    zero = min((source.epoch for source in sources if source.epoch is not None), default=0.0)
    names = host_names([source.folder.path for source in sources])
    folder.make()
    try:
        folder.clear()
        folder.mark()
        return _write(folder, dict(zip(names, sources, strict=True)), zero)
    finally:
        folder.release()


def _refuse_twice(paths: Sequence[Path]) -> None:
    """Refuse a folder that is given twice or under two names: each test would be counted twice."""
    known: dict[Path, Path] = {}
    for path in paths:
        if (first := known.setdefault(path.resolve(), path)) is not path:
            same = "is given twice" if str(first) == str(path) else f"is the same folder as {first}"
            raise RunFolderError(f"{path} {same}; give each run once")


def _write(whole: RunFolder, sources: dict[str, SourceRun], zero: float) -> list[MergedRun]:
    tables: dict[str, list[Row]] = {name: [] for name in (*TIMED, *HOSTED)}
    merged, hosts = [], {}
    for name, source in sources.items():
        axis = MergeAxis(zero)
        found, lost = source.shifted_tables(axis, name)
        lost += _copy_test_folders(source.folder, whole, found[TESTS], axis, name)
        for kind, rows in found.items():
            tables[kind] += rows
        samples = 0
        for host, stream in source.streams:
            called = merged_host_name(name, host)
            copied, damaged = _copy_samples(stream, whole.host_folder(called), called, axis)
            samples, lost = samples + copied, lost + damaged
            hosts[called] = {"run": str(source.folder.path), "fingerprint": stream.document(FINGERPRINT)}
        merged.append(MergedRun(name, samples, len(found[ANNOTATIONS]), len(found[TESTS]), lost))
    for kind in TIMED:
        tables[kind].sort(key=lambda row: float(row["elapsed_s"]))
    for kind, rows in tables.items():
        if rows or kind in TIMED:
            whole.write(kind, table_text(HEADERS[kind], rows))
    whole.write_json(HOSTS, hosts)
    documents = [source.folder.document(FLAKY_FAILURES) or {} for source in sources.values()]
    if any(documents):
        whole.write_json(FLAKY_FAILURES, dict(ChainMap(*documents)))
    failures = [
        failure._replace(host=merged_host_name(name, failure.host)).line
        for name, source in sources.items()
        for failure in parse_failures(source.folder.text(FAILURES))
    ]
    if failures:
        whole.write(FAILURES, "".join(failures))
    counted = [source.folder.outcomes for source in sources.values()]
    if all(counted):
        whole.write_json(OUTCOMES, sum(map(Counter, counted), Counter()))
    return merged


def _copy_samples(stream: RunFolder, target: RunFolder, host: str, axis: MergeAxis) -> tuple[int, int]:
    """Copy the samples of a host; return the number of copied rows and of unreadable ones."""
    if not first_sample(stream):
        return 0, 0
    target.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    with PrivateDirectory(target.path) as folder:
        return copy_samples(stream, folder, host, axis)


def _copy_test_folders(run: RunFolder, whole: RunFolder, tests: Sequence[Row], axis: MergeAxis, name: str) -> int:
    """Copy the folders of tests under new names, which are set in the rows; return the number of lost rows."""
    lost = 0
    for test in filter(lambda test: test.get("folder"), tests):
        own = run.find_test_folder(test["folder"])
        test["folder"] = folder_of_test(f"{name}-{own.path.name}", 1) if own is not None else ""
        if own is not None:
            with whole.test_folder(test["folder"]) as target:
                lost += copy_samples(own, target, test["host"], axis)[1]
                events = read_table(own, ANNOTATIONS)
                rows, without_time = shift_rows(events.rows, TIMES[ANNOTATIONS], axis, name)
                target.write(ANNOTATIONS, table_text(HEADERS[ANNOTATIONS], rows))
                lost += events.damaged + without_time
    return lost
