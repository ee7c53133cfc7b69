"""Performance-aware testing: known load around tests, and what the machine and the tests really did."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # of its own: the sampler, which starts often, imports this file and nothing that it need not
if TYPE_CHECKING:
    import os

    from pytest_twin.model.run import Run


def load(path: str | os.PathLike[str]) -> Run:
    """Read what a run has recorded, into pandas frames.

    Args:
        path: A run folder, the folder of one test in it, or one file: a dataset, an annotations.csv or a tests.csv.

    Returns:
        The run; its frames have the UTC time as their index, and ``attrs["units"]`` and ``attrs["meanings"]``.

    Raises:
        pytest_twin.run_folder.frames.ReadingError: There is nothing there that can be read; a `ValueError` of one line.
    """
    from pytest_twin.run_folder import frames

    return frames.load(path)
