"""A prediction as a JSON document."""

from __future__ import annotations

import json
from typing import Any

from pytest_twin.analysis.prediction.predicted_tests import PredictedTest, Prediction
from pytest_twin.analysis.prediction.prediction import SlowdownRange
from pytest_twin.report.prediction.wording import note_lines

VERSION = 1


def text(prediction: Prediction) -> str:
    """Return the document."""
    document = {
        "version": VERSION,
        "profile": prediction.names[0],
        "recording": prediction.names[1],
        "duration_s": prediction.duration_s,
        "interval_s": prediction.interval_s,
        "resources": prediction.resources,
        "left_out": prediction.left_out,
        "runs": prediction.runs,
        "tests": {each.test.name: _test(each) for each in prediction.tests},
        "remarks": list(note_lines(prediction)),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def _test(each: PredictedTest) -> dict[str, Any]:
    found = each.slowdown
    return {
        "idle_s": each.test.idle_s,
        "resources": each.resources,
        "slowdown": found and {f"p{100 * share:.0f}": _range(one) for share, one in found.quantiles.items()},
        "at_mean_load": found and _range(found.at_mean_load),
        "above_highest_level": found and dict(found.beyond),
    }


def _range(slowdown: SlowdownRange) -> dict[str, float | None]:
    return slowdown._asdict()
