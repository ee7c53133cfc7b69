"""The monotonic clock of the operating system, also while a test replaces `time.monotonic`."""

from __future__ import annotations

from pytest_twin._system.stdlib import time


def monotonic() -> float:
    """Return the real `time.monotonic`, also while a test replaces it, as with freezegun."""
    return time.monotonic()
