"""Say by how much a load came short of its request."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin.analysis.run.load_lines import NOTICEABLE, LoadLine
from pytest_twin.model.quantity import format_share


def load_troubles(line: LoadLine) -> Sequence[str]:
    """Return why loads came short of their request; where no reason is known, by how much."""
    if line.troubles or line.lowest_share is None or line.lowest_share >= NOTICEABLE:
        return line.troubles
    return (f"achieved {format_share(line.lowest_share)} of the request",)
