"""What is incomplete in a run: files, columns, rows and ends that are missing, damaged or dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_twin.analysis.run.downsampling import gaps
from pytest_twin.analysis.run.spans import Note, RunSpan
from pytest_twin.model import event
from pytest_twin.model.attempt_row import UNFINISHED
from pytest_twin.model.quantity import format_share
from pytest_twin.model.time_axis import Values

if TYPE_CHECKING:
    import pandas as pd

LATE = 1.5  # a row that comes after so many intervals has another one missing before it
MOST = 5
EMPTY = "empty columns"


def file_problems(
    frames: Mapping[str, pd.DataFrame], documents: Mapping[str, Any], *, has_tests: bool
) -> Iterator[str]:
    """Yield a sentence for each file that is missing, empty or damaged.

    Args:
        frames: The frames that were read, by the names of their files.
        documents: The JSON documents by the names of their files; None for a missing one.
        has_tests: Whether there was any test; without one, only the samples are needed.
    """
    of_samples, *_ = frames
    for name, frame in frames.items():
        if not len(frame) and (has_tests or name == of_samples):
            yield f"{name} is missing or empty"
        if damaged := frame.attrs.get("damaged", 0):
            many = _count(damaged, "row or cell", "rows and cells")
            yield f"{name}: {many} could not be read"
    for name, document in documents.items():
        if document is None:
            yield f"{name} is missing or incomplete"


def host_problems(samples: pd.DataFrame, times: Values, spans: Sequence[RunSpan], notes: Sequence[Note]) -> list[str]:
    """Return a sentence for each problem of a host, the most severe first.

    Args:
        samples: The samples of the host.
        times: The times of the samples.
        spans: The spans on the host.
        notes: The notes of the host.
    """
    return [
        *_unfinished(spans),
        *_gaps(times, spans),
        *(note.what for note in notes if note.what.startswith("sampler: ")),
        *_columns(samples),
    ]


def is_severe(problem: str) -> bool:
    """Tell whether a problem makes a run incomplete."""
    return EMPTY not in problem and not problem.startswith("schedule.json")


def _unfinished(spans: Sequence[RunSpan]) -> Iterator[str]:
    open_ends = [span for span in spans if span.state == UNFINISHED]
    tests = [span.what for span in open_ends if span.type == event.TEST]
    if tests:
        more = f" and {len(tests) - MOST} more" if len(tests) > MOST else ""
        shown = ", ".join(f"{name:.200}" for name in tests[:MOST])
        yield f"{_count(len(tests), 'test', 'tests')} started and did not finish, so the run was killed: {shown}{more}"
    others = Counter(span.type for span in open_ends if span.type != event.TEST)
    if others:
        shown = ", ".join(f"{count} {kind}" for kind, count in others.items())
        yield f"without a recorded end: {shown}; drawn up to the end of the run"


def _gaps(times: Values, spans: Sequence[RunSpan]) -> Iterator[str]:
    if len(times) > 2:
        steps = np.diff(times)
        interval = float(np.median(steps))
        missed = int(np.sum(np.maximum(np.round(steps[steps > LATE * interval] / interval) - 1, 0))) if interval else 0
        if missed:
            longest = float(steps.max())
            share = missed / (missed + len(times))
            yield (
                f"{_count(missed, 'sample', 'samples')} ({format_share(share, 1)}) missed; the longest interval "
                f"is {longest:.2f} s, the usual one {interval:.2f} s"
            )
        if long := len(gaps(times)):
            yield f"{_count(long, 'gap', 'gaps')} without samples; the curves are interrupted there"
    for span in spans:
        if span.type == event.GAP:
            yield f"from {span.start_s:.1f} s to {span.end_s:.1f} s: {span.what}"


def _columns(samples: pd.DataFrame) -> Iterator[str]:
    if not len(samples):
        return
    empty = [name for name in samples.columns if samples[name].isna().all()]
    if empty:
        yield f"{EMPTY}, which this machine does not provide: {', '.join(empty)}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
