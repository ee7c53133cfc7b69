"""Judge a run by the recording that it replays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pytest_twin.analysis.fidelity import gates as gate
from pytest_twin.analysis.fidelity import measures
from pytest_twin.analysis.fidelity.gates import FAILED, NOT_JUDGED, PASSED, FidelityGates, GateVerdict, judge, limits_of
from pytest_twin.analysis.fidelity.resampling import Values, resample
from pytest_twin.model.machine_recording import RESOURCES, MachineRecording

if TYPE_CHECKING:
    from pytest_twin.analysis.fidelity.gates import Gate, Limit

NO_REASONS: Mapping[str, str] = {}
SHARE = "share"  # the unit of a share of the machine
LEAST_DEVIATIONS = {
    **dict.fromkeys(("cpu", "cpu_user", "cpu_system", "mem"), 0.002),
    **dict.fromkeys(("disk_read", "disk_write"), 100e3),
    **dict.fromkeys(("net_sent", "net_received", "net_loopback"), 1e3),
}  # of an idle machine
SHARE_NOISE = {"cpu": 0.006, "cpu_user": 0.006, "cpu_system": 0.003, "mem": 0.0005}
RATE_NOISE = 0.02
"""How much the values of two replays of one recording differ (standard deviation); of rates, a share of their mean."""
LEAST_SHAPE = 2.5  # times that noise; a recording that varies less is flat: a faithful replay would fail its shape
LEAST_RATE = 20.0  # times the standard deviation on an idle machine; the level of a flat rate below that is idle
COVERED = {"mem_bytes": "mem", "cpu_user": "cpu", "cpu_system": "cpu", "net_loopback": "net_sent"}
"""By which resource others are covered: they depend on the machine, or no replay can divide it in the same way."""


@dataclass(frozen=True, eq=False)
class ResourceFidelity:
    """How faithfully one resource was replayed.

    Attributes:
        name: The resource.
        verdicts: One for each of `RESOURCE_GATES`.
        recorded: The recorded values, one an interval; empty where the recording has none.
        replayed: The values of the run.
        wasserstein: The distance of the distributions in points; None where not judged.
        event_s: The length of the shortest event; None where the shape is not judged.
    """

    name: str
    verdicts: tuple[GateVerdict, ...]
    recorded: Values
    replayed: Values
    wasserstein: float | None = None
    event_s: float | None = None

    @property
    def verdict(self) -> str:
        """`FAILED` if a gate failed, `NOT_JUDGED` if none could be judged, else `PASSED`."""
        return _together(self.verdicts)


@dataclass(frozen=True, eq=False)
class Scorecard:
    """The fidelity of a run.

    Attributes:
        names: The names of the recording and of the run.
        intervals_s: Their intervals.
        interval_s: The coarser one, which both were resampled to.
        duration_s: The length of the recording.
        resources: Its resources.
        coupling: The verdict on the correlations between resources.
        remarks: What a reader should know, a line each.
    """

    names: tuple[str, str]
    intervals_s: tuple[float, float]
    interval_s: float
    duration_s: float
    resources: tuple[ResourceFidelity, ...]
    coupling: GateVerdict
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`FAILED` if a gate failed, `NOT_JUDGED` if no resource could be judged, else `PASSED`."""
        return _together([*(each for resource in self.resources for each in resource.verdicts), self.coupling])

    @property
    def recorded(self) -> tuple[ResourceFidelity, ...]:
        """The resources that the recording has; the others are only in the run."""
        return tuple(each for each in self.resources if len(each.recorded))

    def failures(self) -> Iterator[tuple[str, GateVerdict]]:
        """Yield the gates that failed, each after the name of its resource, which is empty for all together."""
        pairs = [(resource.name, each) for resource in self.resources for each in resource.verdicts]
        yield from ((name, each) for name, each in [*pairs, ("", self.coupling)] if each.verdict == FAILED)


def _together(verdicts: Sequence[GateVerdict]) -> str:
    found = {each.verdict for each in verdicts}
    return FAILED if FAILED in found else PASSED if PASSED in found else NOT_JUDGED


def compare_recordings(
    names: tuple[str, str],
    recording: MachineRecording,
    run: MachineRecording,
    gates: FidelityGates | None = None,
    *,
    only: Sequence[str] = (),
    event_s: float | None = None,
    unplayed: Mapping[str, str] = NO_REASONS,
) -> Scorecard:
    """Judge a run by the recording that it replays; both are aligned by the time since their start.

    Args:
        names: The names of the recording and of the run.
        recording: What was to be replayed.
        run: The recording of the replay.
        gates: The limits.
        only: The resources to judge; none means all.
        event_s: The length of the shortest event; None estimates it for each resource from the recording.
        unplayed: The resources that the run cannot be judged by, with the reasons.
    """
    step = max(recording.interval_s, run.interval_s)
    duration, run_duration = float(recording.frame.index[-1]), float(run.frame.index[-1])
    count = max(1, round(duration / step))
    limits = limits_of(gates or FidelityGates(), step)
    both = [str(name) for name in recording.frame.columns if name in run.frame.columns]
    columns = [str(name) for name in dict.fromkeys([*recording.frame.columns, *run.frame.columns])]
    series: dict[str, tuple[Values, Values]] = {}
    found = []
    for name in columns:
        if (only and name not in only) or (COVERED.get(name) in both and not only):
            continue
        series[name] = pair = _resampled(recording, name, step, count), _resampled(run, name, step, count)
        found.append(_resource(name, pair, limits, step, event_s, unplayed.get(name, "")))
    judged = {each.name: series[each.name] for each in found if each.event_s is not None}  # a flat one couples nothing
    remarks = [f"{name}: {each}" for name, one in zip(names, (recording, run), strict=True) for each in one.remarks]
    if run_duration > duration + 2 * step:
        remarks.append(
            f"the run is longer than the recording; {run_duration - duration:.0f} s at its end are not judged"
        )
    return Scorecard(
        names, (recording.interval_s, run.interval_s), step, duration, tuple(found),
        _coupling(judged, limits[gate.COUPLING]), tuple(dict.fromkeys(remarks)),
    )  # fmt: skip


def _resampled(recording: MachineRecording, name: str, step_s: float, count: int) -> Values:
    """Return the values of a resource; none known is none returned."""
    frame = recording.frame
    if name not in frame.columns:
        return np.array([], dtype=np.float64)
    values = frame[name].to_numpy(np.float64)
    if not np.isfinite(values).any():
        return np.array([], dtype=np.float64)
    return resample(frame.index.to_numpy(np.float64), values, recording.interval_s, step_s, count)


def _resource(
    name: str,
    pair: tuple[Values, Values],
    limits: Mapping[Gate, Limit],
    step_s: float,
    event_s: float | None,
    unplayed: str,
) -> ResourceFidelity:
    recorded, replayed = pair
    if reason := _obstacle(name, recorded, replayed) or unplayed:
        return ResourceFidelity(name, tuple(_judged(dict.fromkeys(gate.RESOURCE_GATES, reason), limits)), *pair)
    known = np.isfinite(recorded) & np.isfinite(replayed)
    x, y = recorded[known], replayed[known]
    measured: dict[Gate, float | str] = {gate.COVERAGE: measures.coverage(recorded, replayed)}
    flat = _flatness(name, recorded)
    if len(x) < measures.FEWEST_POINTS or (measures.is_flat(x) and not flat):
        reason = "recording and run have too few values at the same time"
        measured |= dict.fromkeys(gate.RESOURCE_GATES[1:], reason)
        return ResourceFidelity(name, tuple(_judged(measured, limits)), *pair)
    quarter = measures.LEAST_SHARE_SPREAD * (1.0 if _is_share(name) else float(np.mean(x)) if flat else 0.0)
    scale, least = measures.spread(x, quarter), quarter if flat else 0.0
    measured |= {
        gate.BIAS: measures.mean_bias(x, y, least),
        gate.CV_RMSE: measures.cv_rmse(x, y, least),
        gate.P95: measures.quantile_error(x, y, 0.95, scale),
        gate.P99: measures.quantile_error(x, y, 0.99, scale),
    }
    span = None
    if flat:
        measured |= dict.fromkeys(gate.SHAPE_GATES, flat)
    else:
        idle = LEAST_DEVIATIONS.get(name, 0.0)
        span = measures.shortest_event(recorded, idle) if event_s is None else max(1, round(event_s / step_s))
        measured |= _shape(recorded, replayed, step_s, span)
    verdicts = tuple(_judged(measured, limits))
    distance = measures.wasserstein(x, y, scale)
    return ResourceFidelity(name, verdicts, *pair, distance, None if span is None else span * step_s)


def _obstacle(name: str, recorded: Values, replayed: Values) -> str:
    """Return why a resource cannot be judged; empty where it can."""
    if not len(recorded):
        return "the recording has no such column"
    if not len(replayed):
        return "the run has no such column"
    if np.isfinite(recorded).sum() < measures.FEWEST_POINTS:
        return f"the recording has fewer than {measures.FEWEST_POINTS} values"
    return "" if _is_share(name) else _idleness(recorded, LEAST_DEVIATIONS.get(name, 0.0))


def _idleness(recorded: Values, idle: float) -> str:
    """Return why a rate is that of an idle machine; empty where it is not."""
    if np.nanmean(recorded) > LEAST_RATE * idle:
        return ""
    if measures.is_flat(recorded):
        return measures.CONSTANT_RECORDING
    if np.nanstd(recorded) < idle:
        return f"the recording varies no more than an idle machine does (standard deviation below {idle / 1000:g} kB/s)"
    return ""


def _flatness(name: str, recorded: Values) -> str:
    """Return why a recording has no shape to judge; empty where it has one."""
    if measures.is_flat(recorded):
        return measures.CONSTANT_RECORDING
    noise = SHARE_NOISE[name] if name in SHARE_NOISE else RATE_NOISE * float(np.nanmean(recorded))
    least = max(LEAST_DEVIATIONS.get(name, 0.0), LEAST_SHAPE * noise)
    if np.nanstd(recorded) >= least:
        return ""
    text = f"{100 * least:.3g} points" if _is_share(name) else f"{least / 1000:,.0f} kB/s"
    return f"the recording is flat, it varies no more than replays do by chance (a standard deviation below {text})"


def _is_share(name: str) -> bool:
    return name in RESOURCES and RESOURCES[name].unit == SHARE


def _judged(measured: Mapping[Gate, float | str], limits: Mapping[Gate, Limit]) -> Iterator[GateVerdict]:
    for each in gate.RESOURCE_GATES:
        yield judge(each, measured[each], limits[each])


def _seconds(intervals: int | str, step_s: float) -> float | str:
    return intervals if isinstance(intervals, str) else intervals * step_s


def _shape(recorded: Values, replayed: Values, step_s: float, span: int) -> dict[Gate, float | str]:
    known = np.isfinite(recorded) & np.isfinite(replayed)
    return {
        gate.SKILL: measures.skill(recorded[known], replayed[known]),
        gate.CORRELATION: measures.correlation(recorded, replayed),
        gate.LAG: _seconds(measures.lag(recorded, replayed), step_s),
        gate.DRIFT: _seconds(measures.drift(recorded, replayed), step_s),
        **_changes(recorded, replayed, span),
    }


def _changes(recorded: Values, replayed: Values, span: int) -> dict[Gate, float | str]:
    first, second = measures.changes(recorded, replayed, span)
    if len(first) < measures.FEWEST_POINTS or measures.is_flat(first):
        return dict.fromkeys((gate.CHANGE_CORRELATION, gate.CHANGE_RATIO), "too few changes are known on both sides")
    return {
        gate.CHANGE_CORRELATION: measures.correlation(first, second),
        gate.CHANGE_RATIO: float(np.std(second) / np.std(first)),
    }


def _coupling(judged: Mapping[str, tuple[Values, Values]], limit: Limit) -> GateVerdict:
    """Return the verdict on the pair of resources whose correlation differs most."""
    differences: dict[str, float] = {}
    for one, other in combinations(judged, 2):
        series = np.array([*judged[one], *judged[other]])
        recorded_1, replayed_1, recorded_2, replayed_2 = series[:, np.isfinite(series).all(axis=0)]
        before, after = measures.correlation(recorded_1, recorded_2), measures.correlation(replayed_1, replayed_2)
        if not isinstance(before, str) and not isinstance(after, str) and len(recorded_1) >= measures.FEWEST_POINTS:
            differences[f"{one} and {other}"] = abs(after - before)
    if not differences:
        return judge(gate.COUPLING, "fewer than two resources vary on both sides", limit)
    worst = max(differences, key=lambda pair: differences[pair])
    return judge(gate.COUPLING, differences[worst], limit, worst)
