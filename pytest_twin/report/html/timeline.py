"""The data of the timeline: curves at several levels of detail, and bands for tests and loads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_twin.analysis.run.by_host import display_name
from pytest_twin.analysis.run.downsampling import detail_levels, gaps
from pytest_twin.analysis.run.lanes import assign_lanes, worker_sort_key
from pytest_twin.analysis.run.panels import Panel, panels
from pytest_twin.analysis.run.run_summary import RunSummary, load_end
from pytest_twin.analysis.run.spans import RunSpan
from pytest_twin.loads.registry import load_keyword, load_text
from pytest_twin.model import event
from pytest_twin.model.time_axis import Values

STEPS = 65534  # of 16 bits; one more says that a value is missing
LEAST_TOP = 5.0  # %: a share that hardly moves should not look like a storm
MOST_WORKERS, MOST_LANES = 12, 4
MOST_BANDS, LONGEST_LABEL = 5000, 200


class Lanes:
    """The rows of bands above the curves: one for each worker, and as many for each type of load as overlap."""

    def __init__(self, summary: RunSummary) -> None:
        """Assign each test and each load to a lane."""
        workers = sorted({attempt.worker for attempt in summary.attempts}, key=worker_sort_key)
        rows = {worker: min(place, MOST_WORKERS - 1) for place, worker in enumerate(workers)}
        first = any(attempt.is_bad for attempt in summary.attempts)  # the lane of the marks of those that went wrong
        self.names = [*["failed"] * first, *(worker or "tests" for worker in workers[:MOST_WORKERS])]
        self.of_tests = [first + rows[attempt.worker] for attempt in summary.attempts]
        self.bands: list[tuple[RunSpan, int]] = []
        kinds = dict.fromkeys(span.type for span in summary.spans if span.type != event.TEST)
        for kind in sorted(kinds, key=lambda kind: (kind in {event.PHASE, event.GAP}, kind)):
            name = {event.PHASE: "phases", event.GAP: "gaps"}.get(kind) or load_keyword(kind) or "?"
            self._add([span for span in summary.spans if span.type == kind], name)

    def _add(self, spans: list[RunSpan], name: str) -> None:
        """Assign each span to a free lane, up to a maximum number of lanes."""
        lanes = [min(lane, MOST_LANES - 1) for lane in assign_lanes(spans)]
        self.bands += zip(spans, (len(self.names) + lane for lane in lanes), strict=True)
        self.names += [name, *[""] * max(lanes)]


def timeline(summary: RunSummary, lanes: Sequence[Lanes]) -> dict[str, Any] | None:
    """Return the data of the charts, one for each host on one time axis; None if there is nothing to draw.

    Args:
        summary: The summary of the run.
        lanes: The lanes of each of its hosts.
    """
    if summary.began is None:
        return None
    return {
        "epoch": summary.began.timestamp() * 1000,
        "duration": round(summary.duration_s, 3),
        "hosts": [_chart(each, its) for each, its in zip(summary.by_host, lanes, strict=True)],
    }


def _chart(summary: RunSummary, lanes: Lanes) -> dict[str, Any]:
    times = summary.times
    breaks = gaps(times)
    since_ms = int(times[0] * 1000) if len(times) else 0  # of runs that were merged one may be months after another
    whole = _add_gaps(times, times, breaks) - since_ms / 1000
    return {
        "name": display_name(summary.host),
        "interval": (summary.interval_s or 0.0) * 1000,
        "since": since_ms,
        "all": _times(whole),
        "panels": [_panel(panel, whole, breaks, times) for panel in active_panels(summary)],
        "lanes": lanes.names,
        "bands": [_band(span, lane) for span, lane in lanes.bands[:MOST_BANDS]],
    }


def active_panels(summary: RunSummary) -> list[Panel]:
    """Return the panels with values that vary."""
    return [panel for panel in panels(summary.run.samples, summary.times) if _moves(panel)]


def idle_panel_names(summary: RunSummary) -> list[str]:
    """Return the names of the panels in which all values are 0."""
    return [panel.name for panel in panels(summary.run.samples, summary.times) if not _moves(panel)]


def _moves(panel: Panel) -> bool:
    return any(bool((np.nan_to_num(curve.values) > 0).any()) for curve in panel.curves)


def _panel(panel: Panel, whole: Values, breaks: Sequence[int] | np.ndarray[Any, Any], times: Values) -> dict[str, Any]:
    curves = [_add_gaps(curve.values, times, breaks) for curve in panel.curves]
    tops = [float(np.nanmax(values, initial=0.0)) for values in curves]
    scales = [top or 1.0 for top in tops]
    stacked = sum(np.nan_to_num(values) for values, curve in zip(curves, panel.curves, strict=True) if curve.is_part)
    highest = max(*tops, float(np.max(stacked, initial=0.0)))
    chosen = detail_levels(whole, curves)
    return {
        "name": panel.name,
        "unit": panel.unit,
        "top": min(100.0, max(LEAST_TOP, highest * 1.1)) if panel.is_share else highest * 1.1 or 1.0,
        "full": 100 if panel.is_share else None,
        "curves": [
            {"name": curve.name, "part": curve.is_part, "top": top}
            for curve, top in zip(panel.curves, scales, strict=True)
        ],
        "levels": [
            {
                "t": None if len(places) == len(whole) else _times(whole[places]),
                "v": [_values(values[places], top) for values, top in zip(curves, scales, strict=True)],
            }
            for places in chosen
        ],
    }


def _add_gaps(values: Values, times: Values, breaks: Any) -> Values:
    """Return values and times with two missing values at the edges of each gap."""
    if not len(breaks):
        return values
    edges = np.full(2 * len(breaks), np.nan)
    if values is times:
        edges = np.stack([times[breaks - 1] + 0.001, times[breaks] - 0.001], axis=1).ravel()
    return np.insert(values, np.repeat(breaks, 2), edges)


def _band(span: RunSpan, lane: int) -> dict[str, Any]:
    return {
        "type": span.type,
        "name": "load" if span.is_load else span.type,
        "start": round(span.start_s, 3),
        "end": round(span.end_s, 3),
        "lane": lane,
        "label": _label(span)[:LONGEST_LABEL],
        "told": _how_ended(span)[:LONGEST_LABEL],
    }


def _label(span: RunSpan) -> str:
    """Return what stands on a band: of a load, the requested and the achieved amount."""
    if not span.is_load:
        return span.what or span.type
    achieved = f", achieved {load_end(span).achieved_text}" if span.achieved else ""
    return f"{load_text(span.type, span.what)}{achieved}"


def _how_ended(span: RunSpan) -> str:
    """Return how a load ended, if not as planned."""
    words = []
    if span.state != event.END:
        words.append("aborted" if span.state == event.ABORT else span.state)
    if reason := span.detail.get("reason"):
        words.append(str(reason))
    return ", ".join(words) if span.is_load else ""


def _times(times: Values) -> str:
    return _encode(np.round(np.maximum(times, 0.0) * 1000).astype("<u4"))


def _values(values: Values, top: float) -> str:
    steps = np.round(np.clip(np.nan_to_num(values) / top, 0, 1) * STEPS)
    return _encode(np.where(np.isnan(values), STEPS + 1, steps).astype("<u2"))


def _encode(numbers: np.ndarray[Any, Any]) -> str:
    return b64encode(numbers.tobytes()).decode("ascii")
