"""Read a profile and a recording, and predict from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.window import WHOLE, Window
from pytest_twin.model.csv_text import records, visible
from pytest_twin.report.wording import relative_path
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import PROFILE

if TYPE_CHECKING:
    from pytest_twin.analysis.prediction.predicted_tests import Prediction

HERE = Path()


def prediction(
    profile: Path, recording: Path, base_dir: Path = HERE, window: Window = WHOLE, runs: int | None = None
) -> Prediction:
    """Predict the slowdown of each profiled test beside a recorded load.

    Args:
        profile: A run folder with profile.csv, or such a file.
        recording: A run folder, or a file that can be read as a recording of a machine.
        base_dir: The directory that their names are relative to.
        window: The part of the recording that counts.
        runs: The intervals are those of the quantiles of this number of runs; None for those of all start times.

    Raises:
        ReadingError: The recording cannot be read.
        UnpredictableError: The profile cannot be read, or nothing can be predicted; the message is one line.
    """
    from pytest_twin.analysis.prediction.predicted_tests import UnpredictableError, predict_tests
    from pytest_twin.analysis.prediction.profiled_test import profiled_tests
    from pytest_twin.run_folder.machine_recordings import read_part

    names = relative_path(profile, base_dir), relative_path(recording, base_dir)
    name = visible(names[0])
    try:
        rows = RunFolder(profile).rows(PROFILE) if profile.is_dir() else records(_text(profile))
        tests = profiled_tests(rows)
    except OSError as error:
        raise UnpredictableError(f"{name}: {visible(error.strerror or str(error))}") from None
    except ValueError as error:
        raise UnpredictableError(f"{name}: {error}") from None
    if not tests:
        raise UnpredictableError(f"{name}: has no profile of a test; run pytest --twin --twin-profile")
    return predict_tests(names, tests, read_part(recording, window), runs)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
