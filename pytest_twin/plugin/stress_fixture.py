"""What the fixtures ``stress_load``, ``stress_cpu``, ``stress_mem`` and ``stress_disk`` are."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pytest_twin.loads.applied import stop_all
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import read_load, require_kind

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.recording.recording import Recording


class StressError(RuntimeError):
    """A load could not be applied; the message says why."""


class StressHandle:
    """A load that a test started; a context manager that stops it."""

    def __init__(self, applied: Sequence[AppliedLoad]) -> None:
        self._applied = applied

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, and come back when it is gone; a second time does nothing."""
        stop_all(self._applied)

    @property
    def achieved(self) -> dict[str, Any]:
        """Figures so far, final ones once it is stopped; those that several kinds have are added up.

        ``cpu_s`` (CPU seconds of the stressors), ``resident_bytes``, ``peak_bytes`` (memory), ``written_bytes``,
        ``read_bytes`` (disk), ``sent_bytes`` (net), ``copied_bytes`` (membw), ``operations``, ``mean_latency_ms``
        (iops), ``open_files`` (fds), ``threads``, ``bogo_ops`` (stress-ng).
        """
        total: dict[str, Any] = {}
        for each in self._applied:
            for name, value in each.achieved.items():
                is_sum = name in total and not isinstance(value, str)
                total[name] = total[name] + value if is_sum else value
        return total


class StressFixture:
    """Starts loads: ``stress_load(net="50MB/s", ramp="1s")``."""

    def __init__(self, recording: Recording, attempt: RecordedAttempt) -> None:
        self._recording, self._attempt = recording, attempt
        self._held: list[
            AbstractContextManager[list[AppliedLoad]]
        ] = []  # no `ExitStack`: it asks `sys` as it is by then

    def __call__(self, **keywords: Any) -> StressHandle:
        """Start a load, and come back when all of it is really there.

        Args:
            keywords: As in ``@pytest.mark.stress``.

        Raises:
            LoadError: Something is wrong with what is asked.
            StressError: It cannot be applied.
        """
        __tracebackhide__ = True  # a wrong amount is the test's mistake, and is shown where the test made it
        try:
            load = read_load(keywords)
        except LoadError as error:
            raise LoadError(error.problems) from None
        require_kind(keywords)
        self._attempt.add_load(str(load))
        held = self._recording.under_load(load, test=self._attempt.nodeid)
        applied = held.__enter__()
        self._held.append(held)
        for each in applied:
            if each.ready_at is None:
                stop_all(applied)
                raise StressError(f"{each.part}: {each.failure}")
        return StressHandle(applied)

    def stop_all(self) -> None:
        """Stop whatever the test left running."""
        if self._held:
            try:
                self._held.pop().__exit__(None, None, None)
            finally:
                self.stop_all()


class SingleKindStress:
    """Starts loads of one kind: ``stress_cpu("75%")``."""

    def __init__(self, stress: StressFixture, keyword: str) -> None:
        self._stress, self._keyword = stress, keyword

    def __call__(self, amount: float | str, **modifiers: Any) -> StressHandle:
        """Start a load, and come back when it is really there.

        Args:
            amount: As in ``@pytest.mark.stress``.
            modifiers: The same further keywords, such as ``ramp="5s"``.

        Raises:
            LoadError: Something is wrong with what is asked.
            StressError: It cannot be applied.
        """
        __tracebackhide__ = True
        return self._stress(**{self._keyword: amount, **modifiers})
