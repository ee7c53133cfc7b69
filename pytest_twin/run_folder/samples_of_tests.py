"""Read what the samples in the time of some tests say, without a frame of all samples."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from pytest_twin.model.column_figures import ColumnFigures
from pytest_twin.run_folder.excerpt import ExcerptWriter, window_of
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.sample_lines import SampleLines

Row = Mapping[str, str]


def figures_of_tests(
    folder: RunFolder, tests: Sequence[Row], columns: Sequence[str]
) -> list[Mapping[str, ColumnFigures]]:
    """Return for each test the figures of these columns in the time of its body; without a body, of all its time.

    Cells count that cover no time before the body; a column without such a cell has the figures of cells that cover
    other time too, and `covered` is 0. A column without any cell is left out.

    Args:
        folder: The run.
        tests: Rows of tests.csv.
        columns: Columns of the dataset.
    """
    streams = {"": folder, **dict(folder.other_hosts())}
    by_host: dict[str, list[Mapping[str, ColumnFigures]]] = {}
    for host in {test["host"] for test in tests} & streams.keys():
        own = [_window(test) for test in tests if test["host"] == host]
        by_host[host] = _figures_of_windows(streams[host], own, columns)[::-1]
    return [by_host[test["host"]].pop() if test["host"] in by_host else {} for test in tests]


def _window(test: Row) -> tuple[float, float]:
    """Return the start and the end of the body of a test, in seconds since the run began."""
    began = float(test["elapsed_s"] or 0)
    if test.get("call_s") and test.get("call_start_s"):
        began += float(test["call_start_s"])
        return began, began + float(test["call_s"])
    return began, began + float(test["duration_s"] or 0)


def _figures_of_windows(
    stream: RunFolder, windows: Sequence[tuple[float, float]], columns: Sequence[str]
) -> list[Mapping[str, ColumnFigures]]:
    try:
        samples = SampleLines.read(stream.dataset_files())
    except (OSError, ValueError, RunFolderError):  # such as a dataset that was converted to Parquet
        return [{} for _ in windows]
    if not samples.lines:
        return [{} for _ in windows]
    cutter = ExcerptWriter(samples.heading)
    known = {name: cutter.names.index(name) for name in columns if name in cutter.names}
    return [_figures(cutter, samples, window, known) for window in windows]


def _figures(
    cutter: ExcerptWriter, samples: SampleLines, window: tuple[float, float], columns: Mapping[str, int]
) -> Mapping[str, ColumnFigures]:
    began, ended = window
    found = _figures_around(samples, window, columns)
    rows = [line.split(",") for line in cutter.cut(samples.lines, samples.times, began, ended)]
    times = [cutter.time(",".join(row)) for row in rows]
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    for name, place in columns.items():
        cells = [(at, float(row[place])) for at, row in zip(times, rows, strict=True) if row[place]]
        if cells:
            values = [value for _, value in cells]
            seconds = cells[-1][0] - cells[0][0] + max(step, window_of(name) or 0.0)  # a cell tells of the time before
            covered = min(seconds / (ended - began), 1.0) if ended > began else 0.0
            mean, rise = sum(values) / len(values), values[-1] - values[0]
            found[name] = ColumnFigures(mean, max(values), sum(values), rise, covered)
    return found


def _figures_around(
    samples: SampleLines, window: tuple[float, float], columns: Mapping[str, int]
) -> dict[str, ColumnFigures]:
    """Return the figures of the samples that cover time of a test and other time too: they cover none of it alone."""
    began, ended = window
    first = bisect_left(samples.times, began)
    rows = [line.split(",") for line in samples.lines[first : bisect_left(samples.times, ended) + 1]]
    found = {}
    for name, place in columns.items():
        values = [float(row[place]) for row in rows if row[place]]
        if values:
            found[name] = ColumnFigures(sum(values) / len(values), max(values), sum(values), 0.0, covered=0.0)
    return found
