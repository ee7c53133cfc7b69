"""The objects behind the fixtures ``stress_load``, ``stress_cpu``, ``stress_mem`` and ``stress_disk``."""

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
        """Stop the load, and return when its processes have ended; a second call does nothing."""
        stop_all(self._applied)

    @property
    def achieved(self) -> dict[str, Any]:
        """The achieved amounts, final once it is stopped; those that several kinds share are added up.

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
    """Starts loads for a test: ``stress_load(net="50MB/s", ramp="1s")``, or of one kind: ``stress_cpu("75%")``."""

    def __init__(self, recording: Recording, attempt: RecordedAttempt, kind: str = "") -> None:
        """Prepare it.

        Args:
            recording: The recording that applies the loads.
            attempt: The attempt of the test.
            kind: The keyword of the only kind of load that it starts; empty for loads of all kinds.
        """
        self._recording, self._attempt, self._kind = recording, attempt, kind
        # no `ExitStack`: it uses `sys`, which the test may have replaced by then
        self._contexts: list[AbstractContextManager[list[AppliedLoad]]] = []

    def __call__(self, *amount: float | str, **keywords: Any) -> StressHandle:
        """Start a load, and return when the whole load is ready.

        Args:
            amount: For a load of one kind, its amount; nothing otherwise.
            keywords: The keywords of ``@pytest.mark.stress``.

        Raises:
            LoadError: Something is wrong with the request.
            StressError: The load cannot be applied.
            TypeError: An amount is missing, or too much.
        """
        __tracebackhide__ = True  # a wrong amount is the test's mistake, and is shown where the test made it
        if self._kind:
            if "amount" in keywords:
                amount = (*amount, keywords.pop("amount"))
            if len(amount) != 1:
                raise TypeError(f"stress_{self._kind}() takes one amount, such as stress_{self._kind}('25%')")
            keywords = {self._kind: amount[0], **keywords}
        elif amount:
            raise TypeError("stress_load() takes keywords only, such as stress_load(cpu='25%')")
        try:
            load = read_load(keywords)
        except LoadError as error:
            raise LoadError(error.problems) from None
        require_kind(keywords)
        self._attempt.add_load(str(load))
        context = self._recording.under_load(load, test=self._attempt.nodeid)
        applied = context.__enter__()
        self._contexts.append(context)
        for each in applied:
            if each.ready_at is None:
                stop_all(applied)
                raise StressError(f"{each.part}: {each.failure}")
        return StressHandle(applied)

    def stop_all(self) -> None:
        """Stop the loads that the test did not stop."""
        if self._contexts:
            try:
                self._contexts.pop().__exit__(None, None, None)
            finally:
                self.stop_all()
