"""A run made ready for reading: everything on one clock, which begins at 0 s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.attempts import Attempt, attempts
from pytest_twin.analysis.overview import LoadEnd, LoadLine, together
from pytest_twin.analysis.shortcomings import shortcomings
from pytest_twin.analysis.spans import UNFINISHED, Note, Span, Values, notes, origin, seconds, spans
from pytest_twin.model import event

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.analysis.comparison import Comparison
    from pytest_twin.frames import Run

OUTCOMES = ("failed", "error", "unfinished", "passed", "xpassed", "xfailed", "skipped")
CUT = "the run ended before it did"
PEAKS = (
    "cpu_percent", "ram_used_percent", "swap_used_percent", "tests_resident_MB", "stress_resident_MB", "load_1m",
    "pressure_cpu_percent", "pressure_memory_percent", "pressure_io_percent", "cgroup_throttled_percent",
)  # fmt: skip


class Peak(NamedTuple):
    """The highest value of a column.

    Attributes:
        column: Its name.
        unit: Its unit.
        value: How high.
        at_s: When, in seconds since the run began.
        tests: The tests that were running then.
    """

    column: str
    unit: str
    value: float
    at_s: float
    tests: Sequence[str]


@dataclass(frozen=True, eq=False)
class Story:
    """What a run tells.

    Attributes:
        run: Where it comes from.
        began: When it began; None where nothing was recorded.
        duration_s: How long it took.
        times: The times of the samples, in seconds since it began.
        spans: What lasted.
        notes: What was noted.
        attempts: The tests.
        loads: What was asked and what was achieved, loads of the same words together.
        skipped: How many loads were not reached, by kind.
        profile: How much load slows which test, as profile.csv has it; nothing where no profile was made.
        shortcomings: What is missing, damaged or was dropped, in sentences.
        comparison: What came of comparing it with other runs; None where it was compared with none.
    """

    run: Run
    began: pd.Timestamp | None
    duration_s: float
    times: Values
    spans: Sequence[Span]
    notes: Sequence[Note]
    attempts: Sequence[Attempt]
    loads: Sequence[LoadLine]
    skipped: Counter[str]
    shortcomings: Sequence[str]
    profile: Sequence[Mapping[str, str]] = ()
    comparison: Comparison | None = None

    @property
    def outcomes(self) -> dict[str, int]:
        """How many tests went how, in a fixed order."""
        found = Counter(attempt.outcome for attempt in self.attempts)
        known = {name: found[name] for name in OUTCOMES if found[name]}
        return {**known, **{name: count for name, count in found.items() if name and name not in known}}

    @property
    def interval_s(self) -> float | None:
        """The usual time between two samples."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else None

    @property
    def peaks(self) -> list[Peak]:
        """The highest values of what gets scarce, with the tests that ran then."""
        return [peak for name in PEAKS if (peak := self._peak(name)) is not None]

    def running(self, at_s: float) -> list[str]:
        """The tests that ran at a time."""
        return [attempt.nodeid for attempt in self.attempts if attempt.start_s <= at_s <= attempt.end_s]

    def _peak(self, name: str) -> Peak | None:
        samples = self.run.samples
        if name not in samples or samples[name].isna().all():
            return None
        values = samples[name].to_numpy(dtype=float, na_value=np.nan)
        at = int(np.nanargmax(values))
        at_s = float(self.times[at])
        return Peak(name, samples.attrs["units"].get(name, ""), float(values[at]), at_s, self.running(at_s))


def tell(run: Run, names: Sequence[str], documents: Sequence[str]) -> Story:
    """Make a run ready.

    Args:
        run: What was read.
        names: How the files of its samples, events and tests are called.
        documents: How those of its fingerprint and its schedule are called; one that is not named is not missed.
    """
    frames = dict(zip(names, (run.samples, run.events, run.tests), strict=True))
    since = origin(list(frames.values()))
    if since is None:
        told = shortcomings(frames, {}, np.array([]), (), ())
        return Story(run, None, 0.0, np.array([]), (), (), (), (), Counter(), told)
    times = seconds(run.samples, since)
    last = max([0.0, *(float(seconds(frame, since).max()) for frame in frames.values() if len(frame))])
    lasting, noted = spans(run.events, since, last), notes(run.events, since)
    found = attempts(run.tests, since, lasting)
    last = max([last, *(attempt.end_s for attempt in found)])
    missing = dict(zip(documents, (run.fingerprint, run.schedule), strict=False))
    return Story(
        run, since.at, last, times, lasting, noted, found, _loads(lasting),
        _skipped(run.events), shortcomings(frames, missing, times, lasting, noted),
    )  # fmt: skip


def _loads(spans: Sequence[Span]) -> list[LoadLine]:
    """What was asked and what was there; a load whose end nobody wrote was aborted with the run."""
    ends = []
    for span in spans:
        if span.is_load:
            is_cut = span.state == UNFINISHED
            fields = {"held_s": span.end_s - span.start_s, **span.detail, **({"reason": CUT} if is_cut else {})}
            is_aborted = is_cut or span.state == event.ABORT
            ends.append(LoadEnd(span.type, span.what, span.achieved, is_aborted, fields))
    return together(ends)


def _skipped(events: pd.DataFrame) -> Counter[str]:
    """How many loads were not reached, by kind."""
    return Counter(events["type"][events["event"] == event.SKIP].fillna(""))
