"""The prediction at the end of a pytest session."""

from __future__ import annotations

from pathlib import Path

from pytest_twin.report.prediction.build import prediction


def prediction_lines(profile: Path, recording: Path, base_dir: Path) -> list[str]:
    """Return the prediction for the terminal, or the reason why there is none.

    Args:
        profile: The run folder with the profile.
        recording: The recording of the machine.
        base_dir: The directory that their names are relative to.
    """
    from pytest_twin.report.prediction.terminal import text

    try:
        return text(prediction(profile, recording, base_dir), plain=True).splitlines()
    except ValueError as error:
        return [f"warning: no prediction: {error}"]
