"""What the fixtures ``stress_cpu``, ``stress_mem`` and ``stress_disk`` are."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pytest_twin.loads import read_load
from pytest_twin.model.load import LoadError

if TYPE_CHECKING:
    from pytest_twin.attempt import Attempt
    from pytest_twin.recording import Recording
    from pytest_twin.supervisor import Applied


class StressError(RuntimeError):
    """A load could not be applied; the message says why."""


class StressHandle:
    """A load that a test started; a context manager that stops it."""

    def __init__(self, applied: Applied | None) -> None:
        self._applied = applied

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, and come back when it is gone; a second time does nothing."""
        if self._applied is not None:
            self._applied.stop()

    @property
    def achieved(self) -> dict[str, Any]:
        """Figures so far, final ones once it is stopped.

        ``cpu_s`` (CPU seconds of the stressor), ``resident_bytes``, ``peak_bytes`` (memory), ``written_bytes`` and
        ``read_bytes`` (disk).
        """
        return self._applied.achieved if self._applied is not None else {}


class Stress:
    """Starts loads of one kind: ``stress_cpu("75%")``."""

    def __init__(self, keyword: str, recording: Recording, attempt: Attempt) -> None:
        self._keyword, self._recording, self._attempt = keyword, recording, attempt
        self._stack = ExitStack()

    def __call__(self, amount: float | str, **modifiers: Any) -> StressHandle:
        """Start a load, and come back when it is really there.

        Args:
            amount: As in ``@pytest.mark.stress``.
            modifiers: The same further keywords, such as ``ramp="5s"``.

        Raises:
            LoadError: Something is wrong with what is asked.
            StressError: It cannot be applied.
        """
        __tracebackhide__ = True  # a wrong amount is the test's mistake, and is shown where the test made it
        try:
            load = read_load({self._keyword: amount, **modifiers})
        except LoadError as error:
            raise LoadError(error.problems) from None
        self._attempt.runs_under(str(load))
        if not load.parts:
            return StressHandle(None)
        applied = self._recording.apply(load.parts[0], test=self._attempt.nodeid)
        self._stack.callback(applied.stop)
        if not applied.wait_ready():
            raise StressError(f"{self._keyword}={amount}: {applied.failed}")
        return StressHandle(applied)

    def stop_all(self) -> None:
        """Stop whatever the test left running."""
        self._stack.close()
