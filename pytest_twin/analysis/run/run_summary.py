"""The summary of a run that all reports are made of, with everything on one time axis from 0 s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median_high
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from pytest_twin.analysis.run.attempts import AttemptSummary, attempts
from pytest_twin.analysis.run.by_host import OWN, by_host, display_name, on_host
from pytest_twin.analysis.run.data_quality import file_problems, host_problems
from pytest_twin.analysis.run.load_lines import LoadEnd, LoadLine, group_loads
from pytest_twin.analysis.run.overview import leaks
from pytest_twin.analysis.run.spans import Note, RunSpan, notes, spans
from pytest_twin.analysis.run.totals import outcomes
from pytest_twin.model import event
from pytest_twin.model.attempt_row import UNFINISHED
from pytest_twin.model.time_axis import TimeOrigin, Values, seconds, time_origin

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.analysis.comparison.comparison import Comparison
    from pytest_twin.analysis.fidelity.scorecard import Scorecard
    from pytest_twin.model.attempt_failure import AttemptFailure, AttemptKey
    from pytest_twin.model.run import Run

T = TypeVar("T")
PEAKS = (
    "cpu_percent", "ram_used_percent", "swap_used_percent", "tests_resident_MB", "stress_resident_MB", "load_1m",
    "pressure_cpu_percent", "pressure_memory_percent", "pressure_io_percent", "cgroup_throttled_percent",
    "tests_throttled_percent",
)  # fmt: skip


class Peak(NamedTuple):
    """The highest value of a column.

    Attributes:
        column: Its name.
        unit: Its unit.
        value: The highest value.
        at_s: Its time, in seconds since the first record.
        tests: The tests that were running on its host at that time.
        host: Its host; empty for pytest's own.
        elapsed_s: Its time as in the row; None if the cell is empty.
    """

    column: str
    unit: str
    value: float
    at_s: float
    tests: Sequence[str]
    host: str = ""
    elapsed_s: float | None = None


@dataclass(frozen=True, eq=False)
class RunSummary:
    """The summary of a run.

    Attributes:
        run: The run.
        began: Its start; None if nothing was recorded.
        duration_s: Its duration.
        times: The times of the samples, in seconds since it began.
        spans: Its tests, loads, phases and gaps.
        notes: Its notes.
        attempts: The attempts of its tests.
        loads: Its loads with requested and achieved amounts, grouped by request.
        skipped: The number of loads that were not applied, by type.
        profile: The rows of profile.csv; empty if no profile was made.
        flaky: The rows of flaky.csv; empty if no search for resource-affected tests was made.
        flaky_failures: The report of the first failure in that search, by test and condition.
        failures: What pytest reported of each attempt that failed, by host, test, worker and number.
        explanations: What stood out while each of these attempts ran, in a sentence.
        shortcomings: What is missing, damaged or dropped, in sentences.
        comparison: The comparison with other runs; None without one.
        fidelity: How faithfully it replays a recording; None where nobody asked.
        host: The host that it describes; empty for pytest's own.
        hosts: The summary of each host, pytest's own first; empty if there is one host.
    """

    run: Run
    began: pd.Timestamp | None
    duration_s: float
    times: Values
    spans: Sequence[RunSpan]
    notes: Sequence[Note]
    attempts: Sequence[AttemptSummary]
    loads: Sequence[LoadLine]
    skipped: Counter[str]
    shortcomings: Sequence[str]
    profile: Sequence[Mapping[str, str]] = ()
    flaky: Sequence[Mapping[str, str]] = ()
    flaky_failures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failures: Mapping[AttemptKey, Sequence[AttemptFailure]] = field(default_factory=dict)
    explanations: Mapping[AttemptKey, str] = field(default_factory=dict)
    comparison: Comparison | None = None
    fidelity: Scorecard | None = None
    host: str = OWN
    hosts: Sequence[RunSummary] = ()

    @property
    def by_host(self) -> Sequence[RunSummary]:
        """The summary of each host: samples of two hosts are neither drawn nor counted together."""
        return self.hosts or (self,)

    def woven(self, of_host: Callable[[RunSummary], Iterable[T]]) -> list[T]:
        """Return a value for each test, computed for each host, in the order of `attempts`."""
        found = {each.host: iter(of_host(each)) for each in self.by_host}
        return [next(found[attempt.host]) for attempt in self.attempts]

    @property
    def outcomes(self) -> dict[str, int]:
        """The number of tests by outcome, as pytest counted them, in a fixed order."""
        return outcomes(self.attempts, self.run.outcomes)

    @property
    def failed(self) -> list[AttemptSummary]:
        """The attempts that failed, without repetitions that pytest does not report, such as those of a profile."""
        last = {(each.host, each.nodeid): each for each in self.attempts}
        return [
            each
            for each in self.attempts
            if each.is_bad and (each.key in self.failures or last[each.host, each.nodeid].is_bad)
        ]

    @property
    def interval_s(self) -> float | None:
        """The median time between two samples; of two, the longer one: the last sample comes when the run ends."""
        steps = np.concatenate([np.diff(each.times) for each in self.by_host])
        return median_high(steps.tolist()) if len(steps) else None

    @property
    def peaks(self) -> list[Peak]:
        """The peaks of scarce resources on each host, with the tests that ran then."""
        if self.hosts:
            return [peak for each in self.hosts for peak in each.peaks]
        return [peak for name in PEAKS if (peak := self._peak(name)) is not None]

    @property
    def tells_growth(self) -> bool:
        """Whether the memory growth of tests is known; old runs have only the peak."""
        return any(attempt.memory_growth_MB is not None for attempt in self.attempts)

    @property
    def leaks(self) -> list[tuple[str, float]]:
        """The tests that kept memory in their process, in MiB, those with the most first."""
        return leaks((each.nodeid + on_host(each.host), each.memory_kept_MB) for each in self.attempts)

    def running(self, at_s: float) -> list[str]:
        """Return the tests that were running at a time."""
        return [attempt.nodeid for attempt in self.attempts if attempt.start_s <= at_s <= attempt.end_s]

    def _peak(self, name: str) -> Peak | None:
        samples = self.run.samples
        if name not in samples or samples[name].isna().all():
            return None
        values = samples[name].to_numpy(dtype=float, na_value=np.nan)
        at = int(np.nanargmax(values))
        at_s, unit = float(self.times[at]), samples.attrs["units"].get(name, "")
        elapsed = samples["elapsed_s"].iloc[at] if "elapsed_s" in samples else np.nan
        own = None if np.isnan(elapsed) else float(elapsed)
        return Peak(name, unit, float(values[at]), at_s, self.running(at_s), self.host, own)


def summarize(run: Run, names: Sequence[str], documents: Sequence[str]) -> RunSummary:
    """Summarize a run.

    Args:
        run: The run.
        names: The file names of its samples, events and tests.
        documents: The file names of its fingerprint and its schedule; one that is not named is not reported as missing.
    """
    frames = dict(zip(names, (run.samples, run.events, run.tests), strict=True))
    since = time_origin(list(frames.values()))
    if since is None:
        return RunSummary(
            run, None, 0.0, np.array([]), (), (), (), (), Counter(), tuple(file_problems(frames, {}, has_tests=False))
        )
    last = max([0.0, *(float(seconds(frame, since).max()) for frame in frames.values() if len(frame))])
    lasting, noted = spans(run.events, since, last), notes(run.events, since)
    found = attempts(run.tests, since, lasting)
    last = max([last, *(attempt.end_s for attempt in found)])
    missing = dict(zip(documents, (run.fingerprint, run.schedule), strict=False))
    of_all = list(file_problems(frames, missing, has_tests=any(span.type == event.TEST for span in lasting)))
    whole = RunSummary(
        run, since.at, last, seconds(run.samples, since), lasting, noted, found, (), _skipped(run.events), of_all
    )
    hosts = [_of_host(whole, host, own, since) for host, own in by_host(run).items()]
    if len(hosts) == 1:
        return replace(hosts[0], shortcomings=[*of_all, *hosts[0].shortcomings])
    of_each = [f"{display_name(each.host)}: {problem}" for each in hosts for problem in _missing_of(each)]
    loads = [line for each in hosts for line in each.loads]
    return replace(whole, hosts=hosts, loads=loads, shortcomings=[*of_all, *of_each])


def _of_host(whole: RunSummary, host: str, own: Run, since: TimeOrigin) -> RunSummary:
    """Summarize one host of a run, on the time axis of the whole."""
    times = seconds(own.samples, since)
    lasting = [span for span in whole.spans if span.host == host]
    noted = [note for note in whole.notes if note.host == host]
    found = [attempt for attempt in whole.attempts if attempt.host == host]
    return replace(
        whole, host=host, run=own, times=times, spans=lasting, notes=noted, attempts=found,
        loads=group_loads(load_end(span) for span in lasting if span.is_load),
        skipped=_skipped(own.events), shortcomings=host_problems(own.samples, times, lasting, noted),
    )  # fmt: skip


def _missing_of(host: RunSummary) -> Sequence[str]:
    return host.shortcomings if len(host.times) else ["no samples", *host.shortcomings]


def load_end(span: RunSpan) -> LoadEnd:
    """Return the end of a load; one without an end was aborted with the run."""
    is_cut = span.state == UNFINISHED
    fields = {"held_s": span.end_s - span.start_s, **span.detail, **({"reason": event.NO_END} if is_cut else {})}
    return LoadEnd(span.type, span.what, span.achieved, is_cut or span.state == event.ABORT, fields, span.host)


def _skipped(events: pd.DataFrame) -> Counter[str]:
    """Return the number of loads that were not applied, by type."""
    rows = events.loc[events["event"] == event.SKIP, ["type", "detail"]].fillna("")
    return event.count_skipped(zip(rows["type"], rows["detail"], strict=True))
