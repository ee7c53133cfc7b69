"""The wording of a prediction, in every format."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_twin.analysis.prediction.predicted_tests import PredictedTest, Prediction
from pytest_twin.analysis.prediction.profiled_test import CPU, DISK, MEMORY_BANDWIDTH
from pytest_twin.analysis.stats.signed_rank import CONFIDENCE
from pytest_twin.model.csv_text import visible
from pytest_twin.model.duration_text import format_duration
from pytest_twin.model.quantity import format_share
from pytest_twin.report.wording import format_count

LEAST_SHARE = 0.0005  # of time that is worth a note
WORTH_TELLING = 1.1  # times as slow
NAMES = {CPU: "CPU", DISK: "disk", MEMORY_BANDWIDTH: "memory bandwidth"}


def opening_line(prediction: Prediction) -> str:
    """Return what was predicted from what."""
    profile, recording = map(visible, prediction.names)
    loads = " and ".join(NAMES[name] for name in prediction.resources)
    of_runs = f" of {format_count(prediction.runs, 'run')}" if prediction.runs else ""
    return (
        f"{format_count(len(prediction.tests), 'test')} of {profile} beside the {loads} load of {recording} "
        f"({format_duration(prediction.duration_s)}, intervals of {prediction.interval_s:.3g} s): slowdown over all "
        f"start times, with {format_share(CONFIDENCE)} intervals{of_runs}"
    )


def note_lines(prediction: Prediction) -> Iterator[str]:
    """Yield remarks on what the figures are, and on what is missing in them."""
    yield from prediction.remarks
    if prediction.left_out > LEAST_SHARE:
        yield f"{format_share(prediction.left_out, 1)} of the recording has no values and is left out"
    yield from _missing_resources(prediction)
    if any(each.is_range for each in prediction.tests):
        both = " and ".join(NAMES[name] for name in prediction.resources)
        yield (
            f"{both} loads were profiled one at a time: a range is from the larger slowdown to the product of both; "
            "a profile made with --twin-predict has both together"
        )
    yield from _levels_beyond(prediction)
    yield from _uncertain_tests(prediction)
    yield "at mean load: what the mean of the load would tell; it is wrong where the load varies, and shown to compare"


def _missing_resources(prediction: Prediction) -> Iterator[str]:
    for name in (CPU, DISK):
        if name not in prediction.resources:
            yield f"{NAMES[name]}: not in the profile and the recording both; its slowdown is missing"
    highest = {
        each.test.name: float(each.test.responses[MEMORY_BANDWIDTH].slowdowns[-1])
        for each in prediction.tests
        if MEMORY_BANDWIDTH in each.test.responses
    }
    slowest = max(highest, key=highest.__getitem__, default="")
    slows = f"; at all of it, {visible(slowest)} is x{highest[slowest]:.2f}" if slowest else ""
    text = f"memory bandwidth: no recording tells it; its slowdown is missing{slows}"
    yield text if highest.get(slowest, 0.0) >= WORTH_TELLING else text.removesuffix(slows)


def _levels_beyond(prediction: Prediction) -> Iterator[str]:
    for name in prediction.resources:
        beyond = [each.slowdown.beyond[name] for each in prediction.tests if each.slowdown and name in each.resources]
        if max(beyond, default=0.0) > LEAST_SHARE:
            yield (
                f"{NAMES[name]}: {format_share(max(beyond), 1)} of the time the load is above the highest level of "
                "the profile; the slowdown of that level is used"
            )


def _uncertain_tests(prediction: Prediction) -> Iterator[str]:
    longer = sum(_idle_s(each) > prediction.duration_s for each in prediction.tests)
    if longer:
        yield f"{format_count(longer, 'test')} longer than the recording: it is repeated"
    slowdowns = [each.slowdown for each in prediction.tests if each.slowdown]
    unsure = sum(any(one.low is None for one in each.quantiles.values()) for each in slowdowns)
    if unsure:
        yield f"{format_count(unsure, 'test')} without an interval: too few repetitions in the profile"
    if missing := len(prediction.tests) - len(slowdowns):
        yield f"{format_count(missing, 'test')} not predicted: no measurement without load, or under these loads"


def _idle_s(each: PredictedTest) -> float:
    return each.test.idle_s or 0.0
