"""The monotonic clock of the operating system, also while a test replaces `time.monotonic`."""

from __future__ import annotations

from functools import partial

from pytest_twin._system.stdlib import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# `time.monotonic`, which stays the real one: freezegun replaces that function in every module that has it, but no
# object with it in it
monotonic: Callable[[], float] = partial(time.monotonic)
